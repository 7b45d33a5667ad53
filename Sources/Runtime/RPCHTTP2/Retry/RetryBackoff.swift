import Environment

/// How long a call waits before its next attempt (gRFC A6): the initial back-off times the
/// multiplier for each one, at most the maximum, ±20 %.
struct RetryBackoff {
    private let policy: RetryPolicy
    private var next: Double

    init(_ policy: RetryPolicy) {
        self.policy = policy
        next = policy.initialBackoff.secondsValue
    }

    /// - Parameter random: 0..<1.
    mutating func delay(random: Double) -> Duration {
        let limit = policy.maxBackoff.secondsValue
        defer { next = min(next * policy.backoffMultiplier, limit) }
        return .seconds(min(next, limit) * (0.8 + 0.4 * random))
    }

    /// The server said when: the sequence begins anew.
    mutating func reset() {
        next = policy.initialBackoff.secondsValue
    }
}
