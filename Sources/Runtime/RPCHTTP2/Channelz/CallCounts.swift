/// The calls of something, as channelz counts them.
struct CallCounts {
    var started = 0
    var succeeded = 0
    var failed = 0
    /// When the last one started, on the clock of the loops; zero: never.
    var lastStarted: UInt64 = 0

    static func += (left: inout CallCounts, right: CallCounts) {
        left.started += right.started
        left.succeeded += right.succeeded
        left.failed += right.failed
        left.lastStarted = max(left.lastStarted, right.lastStarted)
    }
}
