import Compression
import Protobuf
import RPC

/// A streaming call of Connect: enveloped messages, and the status as a JSON envelope at the end.
/// The HTTP status is always 200.
struct ConnectStreamDialect: WebDialect {
    static let encodingField = "connect-content-encoding"
    static let acceptField = "connect-accept-encoding"
    private static let endFlag: UInt8 = 2

    let isJSON: Bool
    private let request: WebRequest
    private let contentType: String
    private let deframer = MessageDeframer()
    private var hasBegun = false

    /// Nil when the media type is not one of Connect's streams.
    init?(_ request: WebRequest) {
        contentType = request.mediaType
        switch contentType {
        case "application/connect+proto": isJSON = false
        case "application/connect+json": isJSON = true
        default: return nil
        }
        self.request = request
    }

    var encoding: CompressionAlgorithm? { request.encoding(Self.encodingField) }
    var bufferedBytes: Int { deframer.bufferedBytes }

    func timeout() throws(RPCError) -> Duration? { try Self.connectTimeout(request) }

    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, limit: Int, deliver: ([UInt8], Bool) -> Void
    ) -> RPCError? {
        deframer.receive(bytes, limit: limit, deliver: deliver).map { problem in
            var error = RPCError(problem, limit: limit)
            if case .badFlag = problem { error.code = .invalidArgument }
            return error
        }
    }

    mutating func receiveEnd(deliver: ([UInt8], Bool) -> Void) -> RPCError? {
        guard deframer.isBetweenMessages else {
            return RPCError(.invalidArgument, "the request ended inside a message", blame: .peer)
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
        Envelope.frame(message.isCompressed ? 1 : 0, message.bytes)
    }

    mutating func end(_ error: RPCError?, headers: Metadata, trailers: Metadata) -> WebEnd {
        let head = hasBegun ? nil : begin(headers, .identity)
        var members: [(key: String, value: JSONValue)] = []
        if let error { members.append(("error", ConnectError.json(error))) }
        let metadata = ConnectStreamDialect.grouped(trailers)
        if !metadata.isEmpty { members.append(("metadata", .object(metadata))) }
        let json = JSONValue.object(members).encoded()
        return WebEnd(head: head, body: Envelope.frame(Self.endFlag, json))
    }

    /// Each name once, with its values in order.
    private static func grouped(_ metadata: Metadata) -> [(key: String, value: JSONValue)] {
        var names: [String] = []
        var values: [String: [JSONValue]] = [:]
        for field in metadata where !WebFields.isReserved(field.name) {
            if values[field.name] == nil { names.append(field.name) }
            values[field.name, default: []].append(.string(field.value.printed))
        }
        return names.map { ($0, .array(values[$0] ?? [])) }
    }
}
