/// The tokens of a channel's retries and hedges (gRFC A6), in thousandths.
struct RetryThrottle {
    private let most: Int
    private let gain: Int
    private var tokens: Int

    init(_ rules: RetryThrottling) {
        most = min(max(rules.maxTokens, 1), 1000) * 1000
        gain = max(Int((rules.tokenRatio * 1000).rounded(.down)), 1)
        tokens = most
    }

    /// No retries and no hedges now.
    var isClosed: Bool { tokens <= most / 2 }

    mutating func succeeded() {
        tokens = min(tokens + gain, most)
    }

    mutating func failed() {
        tokens = max(tokens - 1000, 0)
    }
}
