import Compression
import Environment
import RPC

/// How one call of gRPC-Web or Connect is written down: bytes of the request's body become
/// messages, and the call's headers, messages and status become an HTTP answer. No I/O.
protocol WebDialect {
    /// The header fields with the request's encoding and with what the client accepts.
    static var encodingField: String { get }
    static var acceptField: String { get }

    /// Nil when the request names an unknown one.
    var encoding: CompressionAlgorithm? { get }
    var isJSON: Bool { get }
    /// Bytes of the request that are kept because their message is not whole.
    var bufferedBytes: Int { get }

    /// Nil without a deadline.
    func timeout() throws(RPCError) -> Duration?

    /// Takes bytes of the body; calls `deliver` for each whole message, with its compressed flag.
    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, limit: Int, deliver: ([UInt8], Bool) -> Void
    ) -> RPCError?
    /// The body has ended.
    mutating func receiveEnd(deliver: ([UInt8], Bool) -> Void) -> RPCError?

    /// The response headers; nil when they wait for the outcome.
    mutating func begin(_ headers: Metadata, _ compression: CompressionAlgorithm) -> WebHead?
    /// The part of the body that a message becomes; empty when it waits for the outcome.
    mutating func message(_ message: WireMessage) -> [UInt8]
    /// The status: nil is OK. With the head when none has left.
    mutating func end(_ error: RPCError?, headers: Metadata, trailers: Metadata) -> WebEnd
}

extension WebDialect {
    static func connectTimeout(_ request: WebRequest) throws(RPCError) -> Duration? {
        guard let text = request.first("connect-timeout-ms") else { return nil }
        guard !text.isEmpty, text.utf8.count <= 10,
            text.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
            let count = Int64(text)
        else {
            throw RPCError(.invalidArgument, "connect-timeout-ms is no number of ten digits")
        }
        return .milliseconds(count)
    }
}

struct WebHead {
    var status = 200
    var fields: WebFields
}

struct WebEnd {
    var head: WebHead?
    var body: [UInt8]
}
