public import RPC

/// How a client calls a service: by method, deadlines, limits and retries; for the channel, load
/// balancing and the throttle of retries (service_config.md, gRFC A6). From JSON, or built.
public struct ServiceConfig: Sendable, Hashable {
    public var methods: [MethodConfig] = []
    public var loadBalancing: LoadBalancing?
    public var retryThrottling: RetryThrottling?

    public init() {}
}

/// What holds for the methods it names.
public struct MethodConfig: Sendable, Hashable {
    public struct Name: Sendable, Hashable {
        /// The full name; nil: of every service (then `method` is nil too).
        public var service: String?
        /// Nil: every method of the service.
        public var method: String?

        public init(service: String? = nil, method: String? = nil) {
            self.service = service
            self.method = method
        }
    }

    public enum Repetition: Sendable, Hashable {
        case retry(RetryPolicy)
        case hedging(HedgingPolicy)
    }

    public var names: [Name]
    /// A call's deadline is this after its start, unless it has an earlier one.
    public var timeout: Duration?
    /// For calls that do not say so themselves.
    public var waitForReady: Bool?
    public var maxRequestBytes: Int?
    /// The call's own limit counts if it is smaller.
    public var maxResponseBytes: Int?
    public var repetition: Repetition?

    public init(names: [Name] = [Name()]) {
        self.names = names
    }
}

/// A call that failed with one of the codes, before the server answered with headers, is sent
/// again after a growing wait (gRFC A6).
public struct RetryPolicy: Sendable, Hashable {
    /// With the first; 2...5, more counts as 5.
    public var maxAttempts: Int
    public var initialBackoff: Duration
    public var maxBackoff: Duration
    public var backoffMultiplier: Double
    public var retryableCodes: Set<RPCError.Code>

    public init(
        maxAttempts: Int = 3, initialBackoff: Duration = .milliseconds(100),
        maxBackoff: Duration = .seconds(5), backoffMultiplier: Double = 2,
        retryableCodes: Set<RPCError.Code> = [.unavailable]
    ) {
        self.maxAttempts = maxAttempts
        self.initialBackoff = initialBackoff
        self.maxBackoff = maxBackoff
        self.backoffMultiplier = backoffMultiplier
        self.retryableCodes = retryableCodes
    }
}

/// A call is sent to several servers one after the other without waiting for failures; the first
/// that answers wins, the others are cancelled (gRFC A6). For methods without side effects.
public struct HedgingPolicy: Sendable, Hashable {
    /// With the first; 2...5, more counts as 5.
    public var maxAttempts: Int
    /// Between attempts; zero: all at once.
    public var delay: Duration
    /// A failure with one of these lets the next attempt go at once; any other ends the call.
    public var nonFatalCodes: Set<RPCError.Code>

    public init(
        maxAttempts: Int = 2, delay: Duration = .zero,
        nonFatalCodes: Set<RPCError.Code> = [.unavailable]
    ) {
        self.maxAttempts = maxAttempts
        self.delay = delay
        self.nonFatalCodes = nonFatalCodes
    }
}

/// Stops retries and hedges while a large part of a channel's calls fails: a failure takes one
/// token, a success gives `tokenRatio` back; none is sent while no more than half are left.
public struct RetryThrottling: Sendable, Hashable {
    /// 1...1000
    public var maxTokens: Int
    /// More than 0; three decimals count.
    public var tokenRatio: Double

    public init(maxTokens: Int = 100, tokenRatio: Double = 0.1) {
        self.maxTokens = maxTokens
        self.tokenRatio = tokenRatio
    }
}
