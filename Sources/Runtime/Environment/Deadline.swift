import Glibc

/// A point on the monotonic clock, for timeouts: it never jumps when someone sets the time.
///
/// Meaningless outside this machine and after a reboot; on the wire a timeout travels instead.
public struct Deadline: Sendable, Hashable, Comparable {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    public var nanoseconds: UInt64

    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    public static func now() -> Deadline {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Deadline(
            nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// Never, for all purposes.
    public static let distantFuture = Deadline(nanoseconds: .max)

    /// `duration` from now; a huge duration gives `distantFuture`, a negative one a past deadline.
    public static func after(_ duration: Duration) -> Deadline {
        now() + duration
    }

    /// Saturates at both ends instead of trapping, since durations come from peers.
    public static func + (deadline: Deadline, duration: Duration) -> Deadline {
        let delta = duration.nanoseconds
        return delta >= 0 ? deadline.later(by: delta) : deadline.earlier(by: delta)
    }

    public static func - (deadline: Deadline, duration: Duration) -> Deadline {
        let delta = duration.nanoseconds
        return delta >= 0 ? deadline.earlier(by: delta) : deadline.later(by: delta)
    }

    private func later(by delta: Int64) -> Deadline {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(delta.magnitude)
        return Deadline(nanoseconds: overflow ? .max : sum)
    }

    private func earlier(by delta: Int64) -> Deadline {
        let (difference, overflow) = nanoseconds.subtractingReportingOverflow(delta.magnitude)
        return Deadline(nanoseconds: overflow ? 0 : difference)
    }

    /// The time until `other`; negative when `other` is earlier.
    public func duration(to other: Deadline) -> Duration {
        other >= self
            ? .nanoseconds(Int64(clamping: other.nanoseconds - nanoseconds))
            : .nanoseconds(-Int64(clamping: nanoseconds - other.nanoseconds))
    }

    /// How long is left; zero when it has passed.
    public var remaining: Duration {
        max(Deadline.now().duration(to: self), .zero)
    }

    public var hasPassed: Bool { Deadline.now() >= self }

    public static func < (left: Deadline, right: Deadline) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}
