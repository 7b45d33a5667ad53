import Glibc

/// A point on the wall clock: whole microseconds since 1970-01-01T00:00:00Z (leap seconds are not
/// counted, as in POSIX and PostgreSQL `timestamptz`).
///
/// Use it for what people and databases see; use `Deadline` for waiting.
public struct Instant: Sendable, Hashable, Comparable {
    /// Microseconds since the Unix epoch; negative before it.
    public var microseconds: Int64

    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// The wall clock of this machine now. Code that tests must steer takes a `Clock` instead.
    public static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    /// Whole seconds since the epoch, rounded towards the past.
    public var secondsSinceEpoch: Int64 {
        let (quotient, remainder) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// Saturates, as all arithmetic here does (292,000 years): what is added comes from tables and
    /// from peers.
    public init(secondsSinceEpoch seconds: Int64) {
        microseconds = Duration.seconds(seconds).microseconds
    }

    /// Adds a duration. The part below one microsecond is cut off.
    public static func + (instant: Instant, duration: Duration) -> Instant {
        let delta = duration.microseconds
        let (sum, overflow) = instant.microseconds.addingReportingOverflow(delta)
        return Instant(microseconds: overflow ? (delta < 0 ? .min : .max) : sum)
    }

    public static func - (instant: Instant, duration: Duration) -> Instant {
        let delta = duration.microseconds
        let (difference, overflow) = instant.microseconds.subtractingReportingOverflow(delta)
        return Instant(microseconds: overflow ? (delta < 0 ? .max : .min) : difference)
    }

    public static func += (instant: inout Instant, duration: Duration) {
        instant = instant + duration
    }

    public static func -= (instant: inout Instant, duration: Duration) {
        instant = instant - duration
    }

    /// How long from here until `other`; negative when `other` is earlier.
    public func duration(to other: Instant) -> Duration {
        let (difference, overflow) =
            other.microseconds.subtractingReportingOverflow(microseconds)
        return .microseconds(overflow ? (other < self ? .min : .max) : difference)
    }

    public static func < (left: Instant, right: Instant) -> Bool {
        left.microseconds < right.microseconds
    }
}
