/// Decides which failed connections are worth a line: a scan or a broken client must not fill the
/// log. So many a second are told, the others are counted.
struct FailureLog {
    private static let limit = 10

    private var second: UInt64 = 0
    private var told = 0
    private var untold = 0

    /// - Parameter now: milliseconds of any monotonic clock.
    /// - Returns: how many have gone untold since the last line; nil: this one does as well.
    mutating func admit(at now: UInt64) -> Int? {
        if now / 1000 != second {
            second = now / 1000
            told = 0
        }
        guard told < FailureLog.limit else {
            untold += 1
            return nil
        }
        told += 1
        defer { untold = 0 }
        return untold
    }
}
