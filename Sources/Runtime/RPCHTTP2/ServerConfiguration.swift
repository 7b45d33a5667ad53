public import Compression
public import HTTP2
public import RPC

/// The limits of a gRPC server. A duration that is nil never passes; a count that is nil is
/// not counted.
public struct ServerConfiguration: Sendable {
    // MARK: Messages and memory

    /// The largest request message, in bytes; beyond, the call ends with RESOURCE_EXHAUSTED.
    public var maxMessageBytes: Int
    /// What one connection may hold in memory, in bytes: requests that no handler has taken,
    /// unfinished messages, and responses that the client does not read. The call that would
    /// exceed it ends with RESOURCE_EXHAUSTED, new streams are refused, the connection lives on.
    /// Comes on top of 64 KiB of waiting response for each open stream and about 20 KiB fixed.
    public var maxConnectionBytes: Int
    /// Of responses, and what clients may use. Default: requests may be compressed with gzip and
    /// deflate, responses are not unless their handler says so. `maxMessageBytes` is for the
    /// inflated size.
    public var compression: CompressionPolicy

    /// gRPC-Web and Connect.
    public var web = WebConfiguration()

    // MARK: Connections

    /// Open connections; a further one is told so (GOAWAY, `too_many_connections`) and closed.
    public var maxConnections = 20_000
    /// The same for each peer IP address (UNIX sockets are one address each).
    public var maxConnectionsPerAddress: Int?
    /// From accepting a connection to the client's preface and SETTINGS.
    public var handshakeTimeout = Duration.seconds(10)
    /// From there to the acknowledgement of our SETTINGS (RFC 9113 §6.5.3).
    public var settingsTimeout = Duration.seconds(10)
    /// From the first byte of a header block to its last.
    public var headerTimeout = Duration.seconds(10)
    /// How long a response may wait for a client that neither reads nor opens its windows: then
    /// its stream is reset (CANCEL), or the connection closed when nothing leaves the socket. Seen
    /// after 1 to 1.5 times that long.
    public var sendStallTimeout = Duration.seconds(120)

    // MARK: Ages (gRPC A9)

    /// A connection without calls for so long ends gracefully (GOAWAY, `max_idle`).
    public var maxConnectionIdle: Duration?
    /// A connection that old, ±10 % by chance, ends gracefully (GOAWAY, `max_age`).
    public var maxConnectionAge: Duration?
    /// Calls that still run that long after `max_age` are cancelled.
    public var maxConnectionAgeGrace: Duration?

    // MARK: Keepalive (gRPC A8)

    /// The server pings a connection that was silent for so long.
    public var keepaliveTime: Duration? = .seconds(7200)
    /// A connection that stays silent for so long after the ping is closed.
    public var keepaliveTimeout = Duration.seconds(20)
    /// What a client must wait between two pings while we send it nothing. One that comes earlier
    /// is a strike; any header or data that we send forgives them all.
    public var minPingInterval = Duration.seconds(300)
    /// Whether clients may ping while they have no call. Otherwise the interval is two hours then.
    public var permitsPingsWithoutCalls = false
    /// One strike more ends the connection (GOAWAY ENHANCE_YOUR_CALM, `too_many_pings`).
    public var maxPingStrikes = 2

    /// Where the server and its connections are listed for channelz; nil: nowhere.
    public var channelz: ChannelzRegistry?

    /// Streams, windows, header sizes and abuse budgets.
    public var http2: HTTP2Configuration

    public init(
        maxMessageBytes: Int = 4 << 20, maxConcurrentStreams: UInt32 = 1000,
        maxConnectionBytes: Int = 64 << 20,
        compression: CompressionPolicy = CompressionPolicy(accepted: .all),
        http2: HTTP2Configuration = HTTP2Configuration()
    ) {
        self.maxMessageBytes = maxMessageBytes
        self.maxConnectionBytes = maxConnectionBytes
        self.compression = compression
        self.http2 = http2
        self.http2.maxConcurrentStreams = maxConcurrentStreams
    }
}
