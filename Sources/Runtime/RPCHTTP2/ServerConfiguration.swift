public import Compression
public import HTTP2
public import RPC

/// The limits of a gRPC server.
public struct ServerConfiguration: Sendable {
    /// The largest request message.
    public var maxMessageBytes: Int
    /// Incomplete request messages of one connection, together.
    public var maxBufferedRequestBytes: Int
    /// Of responses, and what clients may use. Default: requests may be compressed with gzip and
    /// deflate, responses are not unless their handler says so. `maxMessageBytes` is for the
    /// inflated size.
    public var compression: CompressionPolicy
    /// Streams, windows, header sizes and abuse budgets.
    public var http2: HTTP2Configuration

    public init(
        maxMessageBytes: Int = 4 << 20, maxConcurrentStreams: UInt32 = 1000,
        maxBufferedRequestBytes: Int = 64 << 20,
        compression: CompressionPolicy = CompressionPolicy(accepted: .all),
        http2: HTTP2Configuration = HTTP2Configuration()
    ) {
        self.maxMessageBytes = maxMessageBytes
        self.maxBufferedRequestBytes = maxBufferedRequestBytes
        self.compression = compression
        self.http2 = http2
        self.http2.maxConcurrentStreams = maxConcurrentStreams
    }
}
