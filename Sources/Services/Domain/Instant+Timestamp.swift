public import Environment
public import Protobuf

extension GoogleProtobuf.Timestamp {
    /// Microsecond precision: what PostgreSQL keeps. Beyond the years 0001 to 9999, which are all
    /// that the message may hold, the nearest of them.
    public init(_ instant: Instant) {
        self.init()
        let instant = min(max(instant, .earliestText), .latestText)
        let seconds = instant.microseconds.flooredDivision(by: 1_000_000)
        self.seconds = seconds
        nanos = Int32((instant.microseconds - seconds * 1_000_000) * 1000)
    }
}

extension Instant {
    public init(_ timestamp: GoogleProtobuf.Timestamp) {
        self.init(
            microseconds: timestamp.seconds &* 1_000_000 &+ Int64(timestamp.nanos) / 1000)
    }
}

extension Int64 {
    fileprivate func flooredDivision(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
