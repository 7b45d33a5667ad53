import HTTP1
import Protobuf

/// `google.api.HttpBody`: a body that passes as it is, in a request's field or as a whole answer.
/// What a signature was made over arrives byte for byte (RPC transcoding, http.proto).
struct RawBody: Sendable {
    let contentType: String
    let data: [UInt8]

    static let name = "google.api.HttpBody"

    static func isRaw(_ schema: MessageSchema?) -> Bool { schema?.fullName == name }

    init(_ message: DynamicMessage) {
        contentType = message["content_type"]?.stringValue ?? "application/octet-stream"
        data = message["data"]?.bytesValue ?? []
    }

    /// The request's body as the message.
    static func message(
        _ schema: MessageSchema, _ body: [UInt8], _ headers: HTTPHeaders
    ) -> DynamicMessage {
        var message = DynamicMessage(schema)
        message["content_type"] = .string(headers.first("content-type") ?? "")
        message["data"] = .bytes(body)
        return message
    }
}
