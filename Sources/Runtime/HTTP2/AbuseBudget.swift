import Glibc

/// A token bucket for what a peer may do often but not for ever.
public struct AbuseBudget: Sendable {
    private let burst: Float
    private let perSecond: Float
    private var tokens: Float
    /// Milliseconds of the monotonic clock, wrapped; zero before the first use.
    private var last: UInt32 = 0

    /// - Parameters:
    ///   - burst: how much may happen at once.
    ///   - perSecond: how fast the burst fills up again.
    public init(burst: Int, perSecond: Int) {
        self.burst = Float(burst)
        self.perSecond = Float(perSecond)
        tokens = self.burst
    }

    /// Takes one token; false when there is none left.
    mutating func spend() -> Bool {
        spend(at: AbuseBudget.milliseconds())
    }

    mutating func spend(at now: UInt32) -> Bool {
        if last != 0 { tokens = min(burst, tokens + Float(now &- last) * perSecond / 1000) }
        last = now
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }

    private static func milliseconds() -> UInt32 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return UInt32(truncatingIfNeeded: time.tv_sec * 1000 + time.tv_nsec / 1_000_000) | 1
    }
}
