/// Status line and header fields of one response.
public struct HTTPResponseHead: Sendable {
    public let status: HTTPStatus
    public let version: HTTPVersion
    public let headers: HTTPHeaders
    /// Whether the connection may carry another request afterwards.
    public let keepAlive: Bool
}
