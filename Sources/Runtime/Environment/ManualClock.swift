import Synchronization

/// A wall clock that moves only when it is told to, from any thread.
public final class ManualClock: Sendable {
    private let microseconds: Atomic<Int64>

    public init(_ start: Instant) {
        microseconds = Atomic(start.microseconds)
    }

    public var now: Instant {
        Instant(microseconds: microseconds.load(ordering: .relaxed))
    }

    public func advance(by duration: Duration) {
        microseconds.add(duration.microseconds, ordering: .relaxed)
    }

    public func set(_ instant: Instant) {
        microseconds.store(instant.microseconds, ordering: .relaxed)
    }

    /// The clock to hand to the code under test; it keeps this object alive.
    public var clock: Clock {
        Clock { self.now }
    }
}
