/// A token bucket: `burst` tokens, refilled with `perSecond`. A burst of 0 means no limit.
public struct RateLimit: Sendable, Hashable {
    public var burst: Int
    public var perSecond: Double

    public init(burst: Int, perSecond: Double) {
        self.burst = burst
        self.perSecond = perSecond
    }

    public static let unlimited = RateLimit(burst: 0, perSecond: 0)

    public var isUnlimited: Bool { burst <= 0 }
}
