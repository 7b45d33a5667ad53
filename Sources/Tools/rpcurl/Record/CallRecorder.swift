import Environment
import Loop
import Protobuf
import RPC

/// `-record` of one call that rpcurl makes itself. Used by the command's tasks, on its loop only.
final class CallRecorder: @unchecked Sendable {  // confined to the session's loop
    private let session: Session
    private let method: MethodSchema
    private let writer: RecordingWriter
    private var printer: MessagePrinter
    private var start = Deadline.now()
    private var number = 0

    /// Nil without `-record`.
    /// - Throws: `Failure` when the file cannot be written.
    init?(_ session: Session, _ method: MethodSchema, _ pool: DescriptorPool) throws(Failure) {
        guard let path = session.settings.recordFile else { return nil }
        self.session = session
        self.method = method
        writer = try RecordingWriter(path: path, keepsSecrets: session.settings.keepSecrets)
        var settings = Settings()
        settings.compact = true
        printer = MessagePrinter(session.source, pool, settings)
    }

    /// A call begins; the next events are its.
    func begin(_ metadata: Metadata, _ deadline: Deadline?) async throws {
        number += 1
        start = .now()
        try await write(
            .begin(
                method: method.routePath, metadata: metadata, timeout: deadline?.remaining,
                peer: session.address?.text))
    }

    func request(_ message: [UInt8]) async throws { try await write(.request(message)) }
    func halfClose() async throws { try await write(.halfClose) }
    func headers(_ metadata: Metadata) async throws { try await write(.headers(metadata)) }
    func response(_ message: [UInt8]) async throws { try await write(.response(message)) }

    func end(_ status: RPCError?, _ trailers: Metadata) async throws {
        try await write(.end(status, trailers: trailers, byClient: status?.code == .cancelled))
    }

    private func write(_ kind: CallEvent.Kind) async throws {
        session.loop.preconditionInLoop()
        let event = CallEvent(call: number, time: start.duration(to: .now()), kind: kind)
        var decoded: JSONValue?
        switch kind {
        case .request(let bytes): decoded = try? await json(bytes, method.input)
        case .response(let bytes): decoded = try? await json(bytes, method.output)
        default: break
        }
        try writer.write(event, decoded: decoded)
    }

    private func json(_ bytes: [UInt8], _ schema: MessageSchema) async throws -> JSONValue {
        // A copy: two tasks may print at once, and each fetches the types it lacks.
        var printer = printer
        return try JSONValue.parse(try await printer.json(bytes, as: schema), maxDepth: 200)
    }
}
