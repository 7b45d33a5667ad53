import Environment
import HTTP2
import Loop
import Protobuf
import RPC
import RPCHTTP2
import TLS

/// A server under examination: its connection, made again when a check has cost it, and what
/// earlier checks have found. Used by the command's task, on the loop.
final class Patient {
    /// An answer that takes longer counts as none.
    static let patience = Duration.seconds(20)

    private let session: Session
    private var connection: ProbeConnection?
    /// Of the connection, when it is over TLS.
    private(set) var tls: TLSStream?
    /// A method of an unary call that answers OK or NOT_FOUND, and its request.
    private(set) var hasHealth = false
    /// The reflection service that the server has.
    private(set) var reflectionService: String?

    /// `/service/method` that the caller allows; nil: none.
    private let method: String?
    /// How that method answers an empty request; nil: not asked yet.
    private var usual: RPCError.Code?

    /// - Parameter method: `service/method`.
    init(_ session: Session, method: String?) {
        self.session = session
        self.method = method.map { $0.hasPrefix("/") ? $0 : "/\($0)" }
    }

    /// - Throws: `Failure` when nobody listens or nobody speaks HTTP/2.
    func connect() async throws {
        guard let address = session.address else { throw Failure.usage("no address") }
        let context = try session.settings.tls.context(for: address)
        var last: any Error = Failure("\(address.text) has no address")
        var step = ConnectionFailure.resolution
        do {
            for socket in try await address.sockets(on: session.loop) {
                step = .connect
                do {
                    let stream = try await StreamSocket.connect(
                        to: socket, on: session.loop, timeout: session.settings.connectTimeout)
                    let authority = session.settings.authority ?? authority(address)
                    tls = try context.map { try TLSStream(stream, $0, authority: authority) }
                    let secured: any ByteStream = if let tls { tls } else { stream }
                    connection = try ProbeConnection(secured, authority: authority)
                    last = Failure("no SETTINGS")
                    break
                } catch {
                    last = error
                }
            }
        } catch {
            last = error
        }
        guard let connection else {
            throw Failure(
                ConnectionAdvice.sentence(step, "\(last)", address.text, session.settings))
        }
        let hasSettings = await connection.wait(session.settings.connectTimeout) {
            connection.hasSettings
        }
        guard hasSettings else {
            let isTLS = tls.map { $0.agreement == nil } ?? false
            throw Failure(
                ConnectionAdvice.sentence(
                    isTLS ? .tls : .http2, connection.end ?? "no HTTP/2 SETTINGS", address.text,
                    session.settings))
        }
    }

    private func authority(_ address: Address) -> String {
        address.target.hasPrefix("unix:") ? "localhost" : address.target
    }

    func close() { connection?.close() }

    /// The connection, or a new one when an earlier check has ended it.
    func current() async -> ProbeConnection? {
        if let connection, connection.isOpen, connection.goaway == nil { return connection }
        connection = nil
        try? await connect()
        return connection
    }

    // MARK: Calls

    /// A whole call.
    /// - Returns: nil when there is no connection.
    func call(
        _ path: String, _ message: [UInt8]?, _ headers: [(String, String)] = [],
        isCompressed: Bool = false
    ) async -> ProbeStream? {
        guard let connection = await current(),
            let stream = connection.open(path, custom + headers)
        else { return nil }
        if let message { stream.send(message, isCompressed: isCompressed) }
        stream.finish()
        if await !stream.end(within: Patient.patience) { stream.giveUp() }
        return stream
    }

    /// The headers of -H.
    private var custom: [(String, String)] {
        session.settings.callMetadata.map { field in
            switch field.value {
            case .text(let text): (field.name, text)
            case .binary(let bytes):
                (field.name, String(decoding: MetadataBase64.encode(bytes), as: UTF8.self))
            }
        }
    }

    /// A call that the server can answer with OK.
    /// - Parameter service: a name that it looks up; any length.
    func harmlessCall(_ service: String = "") -> (path: String, message: [UInt8])? {
        if hasHealth {
            var request = HealthV1.HealthCheckRequest()
            request.service = service
            return ("/grpc.health.v1.Health/Check", request.encoded())
        }
        guard let reflectionService else {
            // What the method's message does not have: servers skip it.
            var request = WireWriter()
            if !service.isEmpty { request.field(536_870_911, string: service) }
            return method.map { ($0, request.bytes) }
        }
        var request = ReflectionV1.ServerReflectionRequest()
        request.messageRequest =
            service.isEmpty ? .listServices("*") : .fileContainingSymbol(service)
        return ("/\(reflectionService)/ServerReflectionInfo", request.encoded())
    }

    /// Whether this is how a harmless call ends.
    func isUsual(_ code: RPCError.Code?) async -> Bool {
        guard !hasHealth, reflectionService == nil, let method else { return code == .ok }
        if usual == nil { usual = await call(method, [])?.code }
        return code == usual
    }

    /// Opens a call that ends only when somebody ends it.
    func openCall(_ headers: [(String, String)]) async -> ProbeStream? {
        guard let connection = await current() else { return nil }
        if let reflectionService {
            // Without its end the client may always ask again.
            return connection.open("/\(reflectionService)/ServerReflectionInfo", custom + headers)
        }
        // Without its request a unary call waits as well.
        if !hasHealth, let method { return connection.open(method, custom + headers) }
        guard hasHealth,
            let stream = connection.open("/grpc.health.v1.Health/Watch", custom + headers)
        else { return nil }
        stream.send([])
        stream.finish()
        return stream
    }

    static func milliseconds(_ duration: Duration) -> String {
        "\(CallTimings.milliseconds(duration)) ms"
    }

    // MARK: What the server has

    func reflection() async -> Verdict {
        var request = ReflectionV1.ServerReflectionRequest()
        request.messageRequest = .listServices("*")
        var found: [String] = []
        for version in ["v1", "v1alpha"] {
            let service = "grpc.reflection.\(version).ServerReflection"
            guard
                let answer = await call("/\(service)/ServerReflectionInfo", request.encoded())
            else { return .fail("the connection was lost") }
            guard answer.code == .ok else {
                guard answer.code == .unimplemented else {
                    return .warn("\(version) answers with \(answer.outcome)")
                }
                continue
            }
            found.append(version)
            if reflectionService == nil { reflectionService = service }
        }
        switch found {
        case ["v1", "v1alpha"]: return .ok("v1 and v1alpha")
        case ["v1"]: return .ok("v1 (older tools ask for v1alpha)")
        case ["v1alpha"]: return .warn("only v1alpha, which newer tools may not ask for")
        default: return .warn("none: tools need the schema as a file (-protoset, -proto)")
        }
    }

    func health() async -> Verdict {
        guard let answer = await call("/grpc.health.v1.Health/Check", []) else {
            return .fail("the connection was lost")
        }
        guard answer.code == .ok, let bytes = answer.message,
            let response = try? HealthV1.HealthCheckResponse(decoding: bytes)
        else {
            return answer.code == .unimplemented
                ? .warn("none: load balancers and probes cannot ask whether it serves")
                : .warn("Check answers with \(answer.outcome)")
        }
        hasHealth = true
        let number = response.status.rawValue
        let name =
            HealthV1.HealthCheckResponse.ServingStatus.schema.value(number: number)?.name
            ?? "\(number)"
        return response.status == .serving ? .ok(name) : .warn("the server says \(name)")
    }
}
