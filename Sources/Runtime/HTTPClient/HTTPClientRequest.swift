public import Environment
public import HTTP1

/// One request to a server elsewhere.
public struct HTTPClientRequest: Sendable {
    public var method: HTTPMethod
    /// Absolute, `http` or `https`.
    public var url: String
    /// `Host`, framing and connection fields are the client's own.
    public var headers: HTTPHeaders
    public var body: [UInt8]
    /// The whole exchange must be over by then. Nil: the configuration's `requestTimeout` from now.
    public var deadline: Deadline?

    public init(
        _ method: HTTPMethod, _ url: String, headers: HTTPHeaders = HTTPHeaders(),
        body: [UInt8] = [], deadline: Deadline? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.deadline = deadline
    }
}
