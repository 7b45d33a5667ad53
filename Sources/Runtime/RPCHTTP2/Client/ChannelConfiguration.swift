import Compression
public import HTTP2
public import RPC
public import TLS

/// The limits and habits of a client channel.
public struct ChannelConfiguration: Sendable {
    /// The largest response message, unless the call says otherwise.
    public var maxMessageBytes = 4 << 20
    /// Calls that wait for a connection or for the peer's stream limit.
    public var maxPendingCalls = 10_000

    // MARK: Which server

    /// Which of several addresses a call goes to; a service config's choice comes first.
    public var loadBalancing = LoadBalancing.pickFirst()
    /// Deadlines, retries, hedging by method. Comes before what a resolver says.
    public var serviceConfig: ServiceConfig?
    /// Between two look-ups of a host name because connections failed.
    public var resolutionInterval = Duration.seconds(30)
    /// How long one address may take before the next one is tried as well (RFC 8305 §5).
    public var attemptDelay = Duration.milliseconds(250)

    // MARK: Connections

    /// Between attempts to connect to an address: first, factor, limit (connection-backoff.md).
    public var firstBackoff = Duration.seconds(1)
    public var backoffFactor = 1.6
    public var backoffJitter = 0.2
    public var maxBackoff = Duration.seconds(120)
    /// Until the peer's SETTINGS; a later attempt may last as long as the back-off after it.
    public var connectTimeout = Duration.seconds(20)
    /// More than one are only made while calls wait for the peer's MAX_CONCURRENT_STREAMS.
    public var maxConnectionsPerAddress = 4
    /// After that long without calls a connection beyond the first is closed.
    public var extraConnectionIdleTime = Duration.seconds(30)
    /// Then the connection is replaced; its calls finish. 2^30 is what HTTP/2's ids allow.
    public var maxCallsPerConnection = 1 << 30
    /// After about that long without a call the channel closes its connections and becomes idle;
    /// the next call opens them again. Nil: never.
    public var idleTimeout: Duration? = .seconds(1800)
    /// Pings a connection that has been silent for that long (gRFC A8); nil: never. Doubled each
    /// time a server complains (`too_many_pings`).
    public var keepaliveTime: Duration?
    /// The least that counts as `keepaliveTime`, so that no server has a reason to complain.
    public var keepaliveFloor = Duration.seconds(10)
    public var keepaliveTimeout = Duration.seconds(20)
    /// Ping also while no call runs.
    public var keepaliveWithoutCalls = false

    /// Where the channel, its addresses and connections are listed for channelz; nil: nowhere.
    public var channelz: ChannelzRegistry?

    // MARK: Calls

    /// Of requests, unless the call says otherwise (default: none), and what servers may answer
    /// with (default: gzip and deflate). `maxMessageBytes` is for the inflated size.
    public var compression = CompressionPolicy(accepted: .all)
    /// Request bytes that are kept so that a call can be repeated, after failures by a retry policy
    /// and, without one, when the server has not seen it: of one call, beyond which it is sent as
    /// it is and not repeated any more, and of all calls together. Requests up to 64 KiB of calls
    /// without a retry policy are kept uncounted.
    public var maxReplayBytesPerCall = 256 << 10
    public var maxReplayBytes = 16 << 20
    public var userAgent = "grpc-swift-janji/1.0"
    /// `:authority`; nil: what the target says.
    public var authority: String?
    /// Speaks TLS; nil: plaintext.
    public var tls: TLSClientContext?
    public var http2 = HTTP2Configuration()

    public init() {}
}
