import RPC

/// A method's policy while a call runs.
enum Repetition {
    /// What a policy allows, in one shape for both.
    struct Hedging {
        var limit: Int
        let delay: Duration
        let codes: Set<RPCError.Code>
    }

    /// Only what the server never saw is sent again.
    case once
    case retry(RetryPolicy, RetryBackoff)
    case hedge(Hedging)

    init(_ policy: MethodConfig.Repetition?) {
        switch policy {
        case nil: self = .once
        case .retry(let policy): self = .retry(policy, RetryBackoff(policy))
        case .hedging(let policy):
            self = .hedge(
                Hedging(
                    limit: min(policy.maxAttempts, 5), delay: policy.delay,
                    codes: policy.nonFatalCodes))
        }
    }

    /// After which the call goes on.
    var codes: Set<RPCError.Code> {
        switch self {
        case .once: []
        case .retry(let policy, _): policy.retryableCodes
        case .hedge(let policy): policy.codes
        }
    }
}

extension RetryPolicy {
    /// The document's cap.
    var limit: Int { min(maxAttempts, 5) }
}

extension CallOptions {
    /// What the call itself says comes first; of two limits the smaller counts.
    mutating func apply(_ config: MethodConfig) {
        waitForReady = waitForReady ?? config.waitForReady
        if let limit = config.maxResponseBytes {
            maxResponseBytes = min(maxResponseBytes ?? limit, limit)
        }
    }
}
