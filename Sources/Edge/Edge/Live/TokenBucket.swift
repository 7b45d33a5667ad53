import Environment

/// One client's allowance. Time is passed in.
struct TokenBucket: Sendable {
    private let limit: RateLimit
    private var tokens: Double
    private var refilled: Deadline

    init(_ limit: RateLimit, now: Deadline) {
        self.limit = limit
        tokens = Double(limit.burst)
        refilled = now
    }

    mutating func take(now: Deadline) -> Bool {
        guard !limit.isUnlimited else { return true }
        let elapsed = Double(now.nanoseconds &- refilled.nanoseconds) * 1e-9
        tokens = min(Double(limit.burst), tokens + elapsed * limit.perSecond)
        refilled = now
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
