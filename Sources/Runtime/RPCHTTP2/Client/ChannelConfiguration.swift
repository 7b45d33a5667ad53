public import HTTP2
public import RPC

/// The limits and habits of a client channel.
public struct ChannelConfiguration: Sendable {
    /// The largest response message, unless the call says otherwise.
    public var maxMessageBytes = 4 << 20
    /// Calls that wait for a connection or for the peer's stream limit.
    public var maxPendingCalls = 10_000
    /// Between connection attempts: first, factor, limit (connection-backoff.md).
    public var firstBackoff = Duration.seconds(1)
    public var backoffFactor = 1.6
    public var backoffJitter = 0.2
    public var maxBackoff = Duration.seconds(120)
    public var connectTimeout = Duration.seconds(20)
    /// Pings an otherwise silent connection; nil: never.
    public var keepaliveTime: Duration?
    public var keepaliveTimeout = Duration.seconds(20)
    /// Of requests, unless the call says otherwise, and what servers may answer with. Default:
    /// none. `maxMessageBytes` is for the inflated size.
    public var compression = CompressionPolicy()
    public var userAgent = "grpc-swift-janji/1.0"
    /// `:authority`; nil: what the target says.
    public var authority: String?
    public var http2 = HTTP2Configuration()

    public init() {}
}
