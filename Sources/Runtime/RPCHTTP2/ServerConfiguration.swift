public import HTTP2

/// The limits of a gRPC server.
public struct ServerConfiguration: Sendable {
    /// The largest request message.
    public var maxMessageBytes: Int
    /// Incomplete request messages of one connection, together.
    public var maxBufferedRequestBytes: Int
    /// Streams, windows, header sizes and abuse budgets.
    public var http2: HTTP2Configuration

    public init(
        maxMessageBytes: Int = 4 << 20, maxConcurrentStreams: UInt32 = 1000,
        maxBufferedRequestBytes: Int = 64 << 20, http2: HTTP2Configuration = HTTP2Configuration()
    ) {
        self.maxMessageBytes = maxMessageBytes
        self.maxBufferedRequestBytes = maxBufferedRequestBytes
        self.http2 = http2
        self.http2.maxConcurrentStreams = maxConcurrentStreams
    }
}
