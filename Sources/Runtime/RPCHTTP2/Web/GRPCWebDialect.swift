import Compression
import RPC

/// gRPC-Web (PROTOCOL-WEB.md): gRPC's frames, and the trailers as a last frame of the body. In
/// its text form the whole body is base64.
struct GRPCWebDialect: WebDialect {
    static let encodingField = "grpc-encoding"
    static let acceptField = "grpc-accept-encoding"
    /// The flag of the frame that carries the trailers.
    private static let trailersFlag: UInt8 = 0x80

    let isJSON: Bool
    private let request: WebRequest
    private let contentType: String
    private let isText: Bool
    private var base64 = Base64Stream()
    private let deframer = MessageDeframer()
    private var hasBegun = false

    /// Nil when the media type is not one of gRPC-Web.
    init?(_ request: WebRequest) {
        let type = request.mediaType
        switch type {
        case "application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json":
            isText = false
        case "application/grpc-web-text", "application/grpc-web-text+proto":
            isText = true
        default: return nil
        }
        isJSON = type.hasSuffix("+json")
        contentType = type
        self.request = request
    }

    var encoding: CompressionAlgorithm? { request.encoding(Self.encodingField) }
    var bufferedBytes: Int { deframer.bufferedBytes }

    func timeout() throws(RPCError) -> Duration? {
        guard var text = request.first("grpc-timeout") else { return nil }
        guard let timeout = text.withUTF8({ GRPCTimeout.parse(UnsafeRawBufferPointer($0)) }) else {
            throw RPCError(.internalError, "grpc-timeout is malformed")
        }
        return timeout
    }

    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, limit: Int, deliver: ([UInt8], Bool) -> Void
    ) -> RPCError? {
        guard isText else { return deframe(bytes, limit, deliver) }
        var binary: [UInt8] = []
        binary.reserveCapacity(bytes.count * 3 / 4 + 3)
        guard base64.decode(bytes, into: &binary) else {
            return RPCError(.internalError, "the body is no base64", blame: .peer)
        }
        return binary.withUnsafeBytes { deframe($0, limit, deliver) }
    }

    private mutating func deframe(
        _ bytes: UnsafeRawBufferPointer, _ limit: Int, _ deliver: ([UInt8], Bool) -> Void
    ) -> RPCError? {
        deframer.receive(bytes, limit: limit, deliver: deliver).map { RPCError($0, limit: limit) }
    }

    mutating func receiveEnd(deliver: ([UInt8], Bool) -> Void) -> RPCError? {
        guard deframer.isBetweenMessages, base64.isBetweenGroups else {
            return RPCError(.internalError, "the request ended inside a message", blame: .peer)
        }
        return nil
    }

    mutating func begin(_ headers: Metadata, _ compression: CompressionAlgorithm) -> WebHead? {
        hasBegun = true
        var fields = WebFields(contentType: contentType)
        if compression != .identity { fields.add(Self.encodingField, compression.name) }
        fields.add(headers)
        return WebHead(fields: fields)
    }

    func message(_ message: WireMessage) -> [UInt8] {
        frame(message.isCompressed ? 1 : 0, message.bytes)
    }

    mutating func end(_ error: RPCError?, headers: Metadata, trailers: Metadata) -> WebEnd {
        let head = hasBegun ? nil : begin(headers, .identity)
        var block = "grpc-status: \(error?.code.rawValue ?? 0)\r\n"
        if let error, !error.message.isEmpty {
            let text = StatusMessage.encode(error.message).prefix(4096)
            block += "grpc-message: \(String(decoding: text, as: UTF8.self))\r\n"
        }
        if let error, !error.details.isEmpty {
            let bytes = MetadataBase64.encode(StatusDetails.encode(error))
            block += "grpc-status-details-bin: \(String(decoding: bytes, as: UTF8.self))\r\n"
        }
        for field in trailers where !WebFields.isReserved(field.name) {
            block += "\(field.name): \(field.value.printed)\r\n"
        }
        return WebEnd(head: head, body: frame(Self.trailersFlag, Array(block.utf8)))
    }

    private func frame(_ flag: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        let framed = Envelope.frame(flag, bytes)
        return isText ? Base64Stream.encode(framed) : framed
    }
}
