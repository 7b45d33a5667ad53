/// What may be set of a client.
public struct HTTPClientConfiguration: Sendable {
    /// From the start of a request, name resolution and TLS included, until it can be sent. 5 s.
    public var connectTimeout = Duration.seconds(5)
    /// From the start of a request to the end of its answer. 15 s.
    public var requestTimeout = Duration.seconds(15)
    /// Largest body of an answer, bytes. 1 MiB.
    public var maxBodyBytes = 1 << 20
    /// Largest head of an answer, bytes. 64 KiB.
    public var maxHeadBytes = 64 << 10
    /// Requests at once, those that wait for a connection included. 256.
    public var maxRequests = 256
    /// Connections to one host; requests beyond wait. 16.
    public var maxConnectionsPerHost = 16
    /// Connections that are kept for the next request. 16.
    public var maxIdleConnections = 16
    /// PEM file of the authorities that servers are trusted by. Nil: the system's.
    public var authorityFile: String?
    /// URL of a proxy. Nil: none, whatever the environment says.
    public var proxy: String?

    public init() {}
}
