public import HTTP1

/// A whole answer. Redirections are answers like any other: none is followed.
public struct HTTPClientResponse: Sendable {
    public var status: HTTPStatus
    public var headers: HTTPHeaders
    public var body: [UInt8]
}
