import Compression
import Protobuf
import RPC

/// A unary call of Connect: the body is the message, the HTTP status the outcome, an error a JSON
/// object; trailers are headers named `trailer-…`. A method without side effects may be asked
/// with GET, its message in the query.
struct ConnectUnaryDialect: WebDialect {
    static let encodingField = "content-encoding"
    static let acceptField = "accept-encoding"

    let isJSON: Bool
    let encoding: CompressionAlgorithm?
    private let request: WebRequest
    /// Of a GET: the message, from the query.
    private let query: ConnectQuery?
    private var body: [UInt8] = []
    private var compression = CompressionAlgorithm.identity
    private var response: WireMessage?

    /// Nil when the request is none of Connect's unary ones.
    init?(_ request: WebRequest) {
        self.request = request
        if request.method == "GET" {
            let query = ConnectQuery(request.query)
            self.query = query
            isJSON = query.isJSON
            encoding = query.compression
            return
        }
        switch request.mediaType {
        case "application/proto": isJSON = false
        case "application/json": isJSON = true
        default: return nil
        }
        query = nil
        encoding = request.encoding(Self.encodingField)
    }

    var bufferedBytes: Int { body.count }

    func timeout() throws(RPCError) -> Duration? { try Self.connectTimeout(request) }

    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, limit: Int, deliver: ([UInt8], Bool) -> Void
    ) -> RPCError? {
        if query != nil { return RPCError(.invalidArgument, "a GET with a body") }
        guard bytes.count <= limit - body.count else {
            return .messageTooLarge(body.count + bytes.count, limit: limit)
        }
        body += bytes
        return nil
    }

    mutating func receiveEnd(deliver: ([UInt8], Bool) -> Void) -> RPCError? {
        if let query {
            if let problem = query.problem { return RPCError(.invalidArgument, problem) }
            body = query.message
        }
        let message = body
        body = []
        // Nothing is nothing, whatever the header says of its encoding.
        deliver(message, encoding != .identity && !message.isEmpty)
        return nil
    }

    mutating func begin(_ headers: Metadata, _ compression: CompressionAlgorithm) -> WebHead? {
        self.compression = compression
        return nil
    }

    mutating func message(_ message: WireMessage) -> [UInt8] {
        response = message
        return []
    }

    func end(_ error: RPCError?, headers: Metadata, trailers: Metadata) -> WebEnd {
        if let error {
            var fields = WebFields(contentType: "application/json")
            fields.add(headers)
            fields.add(trailers, prefix: "trailer-")
            let status = ConnectError.httpStatus(error.code)
            return WebEnd(
                head: WebHead(status: status, fields: fields),
                body: ConnectError.json(error).encoded())
        }
        var fields = WebFields(contentType: isJSON ? "application/json" : "application/proto")
        if response?.isCompressed == true { fields.add(Self.encodingField, compression.name) }
        if query != nil { fields.add("vary", "accept-encoding") }
        fields.add(headers)
        fields.add(trailers, prefix: "trailer-")
        return WebEnd(head: WebHead(fields: fields), body: response?.bytes ?? [])
    }
}
