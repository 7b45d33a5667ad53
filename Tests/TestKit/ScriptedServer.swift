import Environment
public import HTTP1
public import Loop
import RPCHTTP2
import Synchronization
public import TLS

/// A server on a real socket that answers every request with the bytes of a script, well formed or
/// not, and counts connections.
public final class ScriptedServer: Sendable {
    /// What happens to one request.
    public enum Act: Sendable {
        case send([UInt8])
        case close
        /// Nothing more is ever said.
        case hang
    }

    public struct Seen: Sendable {
        public let head: HTTPRequestHead
        public let body: [UInt8]
    }

    private struct State {
        var connections = 0
        var open = 0
        var seen: [Seen] = []
    }

    private let state = Mutex(State())
    private let listener: Mutex<Listener?> = Mutex(nil)
    private let script: @Sendable (Seen) -> [Act]

    private init(_ script: @escaping @Sendable (Seen) -> [Act]) { self.script = script }

    public static func start(
        on loop: EventLoop, tls: TLSServerContext? = nil,
        _ script: @escaping @Sendable (Seen) -> [Act]
    ) async throws -> ScriptedServer {
        let server = ScriptedServer(script)
        let listener = try await Listener.bind(.ipv4(host: "127.0.0.1", port: 0), on: loop) {
            socket in
            server.state.withLock {
                $0.connections += 1
                $0.open += 1
            }
            let stream: any ByteStream
            if let tls {
                guard let secure = try? TLSStream(socket, tls) else { return socket.close() }
                stream = secure
            } else {
                stream = socket
            }
            stream.setHandler(Conversation(stream, server))
            stream.startReading()
        }
        server.listener.withLock { $0 = listener }
        return server
    }

    public var port: UInt16 { listener.withLock { $0?.address.port ?? 0 } }
    public var url: String { "http://127.0.0.1:\(port)/pay?secret=s3cret" }
    public var connections: Int { state.withLock { $0.connections } }
    public var open: Int { state.withLock { $0.open } }
    public var seen: [Seen] { state.withLock { $0.seen } }

    public func close() async { await listener.withLock { $0 }?.close() }

    private final class Conversation: StreamSocketHandler {
        private let stream: any ByteStream
        private let server: ScriptedServer
        private var parser = HTTPRequestParser(limits: HTTPLimits(bodyBytes: 8 << 20))
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(_ stream: any ByteStream, _ server: ScriptedServer) {
            self.stream = stream
            self.server = server
        }

        func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
            parser.feed(bytes)
            while let event = try? parser.next() {
                switch event {
                case .head(let head):
                    self.head = head
                    body = []
                case .body(let more): body += more
                case .end: answer()
                }
            }
        }

        private func answer() {
            guard let head else { return }
            let seen = Seen(head: head, body: body)
            server.state.withLock { $0.seen.append(seen) }
            for act in server.script(seen) {
                switch act {
                case .send(let bytes): stream.write(bytes)
                case .close: stream.shutdown()
                case .hang: break
                }
            }
        }

        func socketDidEnd() { stream.close() }
        func socketDidDrain() {}
        func socketDidClose(_ error: (any Error)?) {
            server.state.withLock { $0.open -= 1 }
        }
    }
}
