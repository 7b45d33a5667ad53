/// gRPC-Web and Connect beside gRPC, on the same port, over HTTP/2.
public struct WebConfiguration: Sendable {
    /// Whether the two protocols are served at all; without, their requests are 415.
    public var isEnabled = true
    /// Pages that may call from another origin, as browsers name it (`https://app.example`); `*`
    /// is any. Empty, the default, answers no preflight: browsers let no foreign page call.
    public var allowedOrigins: [String] = []
    /// How long a browser may keep the answer to a preflight.
    public var preflightMaxAge = Duration.seconds(7200)

    public init() {}
}
