extension GoogleProtobuf.Timestamp {
    private static let seconds: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// The time so long after 1970-01-01T00:00:00Z, or before it, cut off to whole nanoseconds.
    /// Beyond the years 0001 to 9999, which are all that the message may hold, the nearest of them.
    public init(sinceEpoch time: Swift.Duration) {
        self.init()
        var (seconds, attoseconds) = time.components
        var nanoseconds = attoseconds / 1_000_000_000
        if nanoseconds < 0 || nanoseconds == 0 && attoseconds < 0 {
            seconds -= 1
            nanoseconds += 1_000_000_000
            if attoseconds % 1_000_000_000 != 0 { nanoseconds -= 1 }
        }
        let range = GoogleProtobuf.Timestamp.seconds
        self.seconds = min(max(seconds, range.lowerBound), range.upperBound)
        if seconds == self.seconds { nanos = Int32(nanoseconds) }
    }

    /// Since 1970-01-01T00:00:00Z; negative before it. `Date(timeIntervalSince1970: time / .seconds(1))`
    /// makes it one of Foundation's.
    public var sinceEpoch: Swift.Duration {
        .seconds(seconds) + .nanoseconds(Int64(nanos))
    }
}
