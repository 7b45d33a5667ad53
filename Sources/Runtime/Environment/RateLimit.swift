/// A token bucket: `burst` tokens, refilled with `perSecond`. A burst of 0 means no limit.
public struct RateLimit: Sendable, Hashable {
    public var burst: Int
    public var perSecond: Double

    public init(burst: Int, perSecond: Double) {
        self.burst = burst
        self.perSecond = perSecond
    }

    /// What one address of the internet may ask for: 400 at once, 200/s.
    public static let publicReading = RateLimit(burst: 400, perSecond: 200)
    /// What it may change: 20 at once, 5/s.
    public static let publicWriting = RateLimit(burst: 20, perSecond: 5)
    public static let unlimited = RateLimit(burst: 0, perSecond: 0)

    public var isUnlimited: Bool { burst <= 0 }
}
