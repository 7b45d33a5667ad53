import Environment
import Lifecycle
import Loop
import RPCHTTP2
import TLS
import Telemetry

/// One port for gRPC and HTTP/1.1: the first bytes tell them apart (RFC 9113 §3.4: an HTTP/2
/// client begins with `PRI * HTTP/2.0`, which no HTTP/1.1 request does).
final class SharedPort: @unchecked Sendable {  // `open` confined to the loop
    typealias Accept = @Sendable (any ByteStream, [UInt8]) -> Void

    private let rpc: RPCServer
    private let http: Accept
    private let listener: Listener

    var address: SocketAddress { listener.address }

    /// Connections that have not said anything after this time are closed. As long as an idle
    /// connection may live at the edge: browsers open some in advance.
    static let patience = Duration.seconds(75)

    /// - Throws: ``ConfigurationError`` when the port is taken.
    init(
        host: String, port: UInt16, setting: Setting, loop: EventLoop, rpc: RPCServer,
        tls: TLSServerContext?, logger: Logger, http: @escaping Accept
    ) async throws {
        self.rpc = rpc
        self.http = http
        guard let address = SocketAddress(host: host, port: port) else {
            throw ConfigurationError("\(Setting.host.name) is “\(host)”, not an IP address")
        }
        do {
            listener = try await Listener.bind(address, on: loop) { socket in
                do {
                    let stream: any ByteStream = try tls.map { try TLSStream(socket, $0) } ?? socket
                    ProtocolSniffer(stream, rpc: rpc, logger: logger, http: http).start()
                } catch {
                    logger.error("TLS cannot be used", ["cause": .string("\(error)")])
                    socket.close()
                }
            }
        } catch let error as LoopError where error.name == "EADDRINUSE" {
            throw ConfigurationError(
                "port \(port) is taken by another program; choose one by \(setting.name)")
        }
        rpc.noteListener(at: listener.address)
        if let tls { CertificateWatch(tls, listener, logger).start() }
    }

    /// Stops accepting.
    func close() async { await listener.close() }
}

/// Reads just enough of a new connection to know who shall have it.
private final class ProtocolSniffer: StreamSocketHandler {
    private static let preface = Array("PRI * HTTP/2.0\r\n".utf8)

    private let socket: any ByteStream
    private let rpc: RPCServer
    private let logger: Logger
    private let http: SharedPort.Accept
    private var bytes: [UInt8] = []
    private var timer: LoopTimer?

    init(
        _ socket: any ByteStream, rpc: RPCServer, logger: Logger,
        http: @escaping SharedPort.Accept
    ) {
        self.socket = socket
        self.rpc = rpc
        self.logger = logger
        self.http = http
    }

    func start() {
        socket.setHandler(self)
        timer = socket.loop.schedule(after: SharedPort.patience) { [socket] in socket.close() }
        socket.startReading()
    }

    func socketDidRead(_ more: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: more)
        let compared = min(bytes.count, Self.preface.count)
        let isHTTP2 = bytes[..<compared].elementsEqual(Self.preface[..<compared])
        if isHTTP2, compared < Self.preface.count { return }
        timer?.cancel()
        if isHTTP2 { rpc.accept(socket, initialBytes: bytes) } else { http(socket, bytes) }
    }

    func socketDidEnd() { socket.close() }
    func socketDidDrain() {}
    func socketDidClose(_ error: (any Error)?) {
        timer?.cancel()
        guard let error = error as? TLSError else { return }
        logger.warning(
            "connection failed",
            ["peer": .string("\(socket.peer)"), "cause": .string("\(error)")])
    }
}
