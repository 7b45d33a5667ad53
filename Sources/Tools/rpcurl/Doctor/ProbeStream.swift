import HTTP2
import RPC

/// One call of a check, as it is on the wire.
final class ProbeStream: HTTP2Stream, @unchecked Sendable {  // confined to its loop
    /// More of an answer is counted but not kept.
    private static let keptBytes = 1 << 20

    private let connection: ProbeConnection
    private(set) var headers: [(name: String, value: String)] = []
    private(set) var trailers: [(name: String, value: String)] = []
    private(set) var body: [UInt8] = []
    private(set) var hasEnded = false
    private(set) var isClosed = false
    private var isGivenUp = false
    /// The peer reset the stream, or the connection ended.
    private(set) var resetCode: HTTP2Code?

    init(_ connection: ProbeConnection) {
        self.connection = connection
    }

    /// Sends a message in gRPC's frame.
    func send(_ message: [UInt8], isCompressed: Bool = false) {
        let count = UInt32(message.count)
        var frame: [UInt8] = [isCompressed ? 1 : 0]
        for shift: UInt32 in [24, 16, 8, 0] {
            frame.append(UInt8(truncatingIfNeeded: count >> shift))
        }
        frame += message
        _ = frame.withUnsafeBytes { write($0) }
    }

    func finish() { endBody(trailers: nil) }

    /// Waits for the end of the call.
    /// - Returns: whether it came.
    func end(within limit: Duration) async -> Bool {
        await connection.wait(limit) { hasEnded || isClosed }
    }

    /// Nobody waits for the end any more.
    func giveUp() {
        isGivenUp = true
        reset(.cancel)
    }

    // MARK: What came

    private func value(_ name: String, in fields: [(name: String, value: String)]) -> String? {
        fields.first { $0.name == name }?.value
    }

    var httpStatus: String? { value(":status", in: headers) }
    var contentType: String? { value("content-type", in: headers) }

    /// Of the trailers, or of headers that are the whole answer.
    var code: RPCError.Code? {
        (value("grpc-status", in: trailers) ?? value("grpc-status", in: headers))
            .flatMap { Int32($0) }.map { RPCError.Code(rawValue: $0) }
    }

    var acceptedEncodings: String? {
        value("grpc-accept-encoding", in: trailers) ?? value("grpc-accept-encoding", in: headers)
    }

    /// The first message of an answer, when it is whole.
    var message: [UInt8]? {
        guard body.count >= 5, body[0] == 0 else { return nil }
        let count = body[1..<5].reduce(0) { $0 << 8 | Int($1) }
        return body.count >= 5 + count ? Array(body[5..<5 + count]) : nil
    }

    /// How the call ended, in a few words.
    var outcome: String {
        if let code { return "\(code.name) (\(code.rawValue))" }
        if isGivenUp { return "no answer within \(Patient.patience)" }
        if let resetCode { return connection.end ?? "RST_STREAM \(resetCode)" }
        if let httpStatus, httpStatus != "200" { return "HTTP status \(httpStatus)" }
        return hasEnded ? "an end without grpc-status" : "no answer"
    }

    // MARK: HTTP/2

    override func didReceiveHeaders(_ block: HeaderBlock, endStream: Bool) {
        let fields = (0..<block.count).map { index in
            (
                name: String(decoding: block.name(index), as: UTF8.self),
                value: String(decoding: block.value(index), as: UTF8.self)
            )
        }
        if headers.isEmpty { headers = fields } else { trailers = fields }
        connection.wakeAll()
    }

    override func didReceiveData(_ bytes: UnsafeRawBufferPointer, endStream: Bool) {
        if body.count < ProbeStream.keptBytes { body += bytes }
        consume(bytes.count)
        connection.wakeAll()
    }

    override func didReceiveEnd() {
        hasEnded = true
        connection.wakeAll()
    }

    override func didClose(_ code: HTTP2Code) {
        isClosed = true
        if !hasEnded { resetCode = code }
        connection.wakeAll()
    }
}
