import Glibc

/// A token bucket for what a peer may do often but not for ever.
public struct AbuseBudget: Sendable {
    private let burst: Double
    private let perSecond: Double
    private var tokens: Double
    private var last: Double?

    public init(burst: Int, perSecond: Int) {
        self.burst = Double(burst)
        self.perSecond = Double(perSecond)
        tokens = self.burst
    }

    /// Takes one token; false when there is none left.
    mutating func spend() -> Bool {
        spend(at: AbuseBudget.seconds())
    }

    mutating func spend(at now: Double) -> Bool {
        if let last { tokens = min(burst, tokens + (now - last) * perSecond) }
        last = now
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }

    private static func seconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
