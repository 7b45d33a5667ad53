/// Where "now" comes from. Services take one, so that tests can decide what time it is.
public struct Clock: Sendable {
    public var now: @Sendable () -> Instant

    public init(now: @escaping @Sendable () -> Instant) {
        self.now = now
    }

    /// The wall clock of this machine.
    public static let system = Clock { Instant.now() }

    /// A clock that always shows the same time.
    public static func fixed(_ instant: Instant) -> Clock {
        Clock { instant }
    }
}
