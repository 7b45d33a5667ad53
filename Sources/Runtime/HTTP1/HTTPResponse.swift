/// A whole response with its body in memory.
public struct HTTPResponse: Sendable {
    public var status: HTTPStatus
    /// Without framing: Content-Length, Transfer-Encoding, Connection, Keep-Alive and Date belong
    /// to the encoder, which skips them here.
    public var headers: HTTPHeaders
    public var body: [UInt8]

    public init(status: HTTPStatus, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A response with a body of a type that stands in our source.
    public init(status: HTTPStatus, contentType: StaticString, body: [UInt8]) {
        var headers = HTTPHeaders()
        headers.add(literal: "content-type", contentType)
        self.init(status: status, headers: headers, body: body)
    }
}
