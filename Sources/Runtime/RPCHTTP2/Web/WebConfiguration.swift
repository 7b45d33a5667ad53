/// gRPC-Web and Connect beside gRPC, on the same port, over HTTP/2 and HTTP/1.1. Over TLS, name
/// `http/1.1` behind `h2` in the context's `applicationProtocols` for the latter.
public struct WebConfiguration: Sendable {
    /// Whether the two protocols are served at all; without, their requests are 415, and nothing
    /// speaks HTTP/1.1.
    public var isEnabled = true
    /// Pages that may call from another origin, as browsers name it (`https://app.example`); `*`
    /// is any. Empty, the default, answers no preflight: browsers let no foreign page call.
    public var allowedOrigins: [String] = []
    /// How long a browser may keep the answer to a preflight.
    public var preflightMaxAge = Duration.seconds(7200)
    /// How long a connection of HTTP/1.1 may rest between two requests.
    public var keepAliveTimeout = Duration.seconds(60)
    /// How long the next piece of a request's body may take over HTTP/1.1.
    public var bodyTimeout = Duration.seconds(60)

    public init() {}
}
