import Environment
import HTTP2
import Loop
import RPC

/// One client connection of a server, confined to its loop: socket ⇄ session ⇄ calls.
///
///     socketDidRead -> session.receive -> ServerStream -> ServerCall -> handler (same turn)
///     handler -> ServerStream -> session -> flush at the end of the turn: one write
final class ServerConnection: StreamSocketHandler, HTTP2SessionHandler, @unchecked Sendable {
    private static let poolLimit = 256

    let loop: EventLoop
    let peer: Peer
    let table: MethodTable
    let configuration: ServerConfiguration
    private let server: RPCServer
    private let socket: any ByteStream
    @exclusivity(unchecked) private var session: HTTP2Session?
    @exclusivity(unchecked) private var pool: [ServerStream] = []
    /// Handlers that have not returned, with those whose call is over (rapid reset).
    @exclusivity(unchecked) private(set) var runningHandlers = 0
    @exclusivity(unchecked) var bufferedBytes = 0
    private var isDraining = false
    private var handshakeTimer: LoopTimer?
    private var lingering: LoopTimer?

    init(_ socket: any ByteStream, _ server: RPCServer) {
        self.socket = socket
        self.server = server
        loop = socket.loop
        table = server.table
        configuration = server.configuration
        peer = Peer(address: "\(socket.peer)")
    }

    func start(_ initialBytes: [UInt8]) {
        do {
            session = try HTTP2Session(
                role: .server, configuration: configuration.http2, handler: self)
        } catch {
            server.connectionFailed(self, "\(error)")
            return socket.close()
        }
        socket.setHandler(self)
        handshakeTimer = loop.schedule(after: .seconds(10)) { [self] in
            server.connectionFailed(self, "no HTTP/2 preface within 10 s")
            socket.close()
        }
        session?.start()
        if !initialBytes.isEmpty { initialBytes.withUnsafeBytes { socketDidRead($0) } }
        socket.startReading()
    }

    var openCalls: Int { session?.openStreams ?? 0 }

    // MARK: Socket

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        guard let session else { return }
        do {
            try session.receive(bytes)
            // Who does not read our answers is not asked for more.
            if socket.queuedBytes > 0, session.queuedFrames > Self.queuedFrameLimit {
                socket.stopReading()
            }
        } catch {
            server.connectionFailed(self, "\(error)")
            flush()
            socket.close()
        }
    }

    func socketDidEnd() {
        // A client that half-closes TCP can still read; gRPC clients never do that and mean it.
        socket.close()
    }

    func socketDidDrain() {
        flush()
        if socket.isOpen, socket.queuedBytes == 0 { socket.startReading() }
    }

    /// Frames that may wait for a peer that does not read.
    private static let queuedFrameLimit = 1_000

    func socketDidClose(_ error: (any Error)?) {
        handshakeTimer?.cancel()
        handshakeTimer = nil
        lingering?.cancel()
        lingering = nil
        // Streams and the C session go when nothing of them is on the stack.
        let session = session
        self.session = nil
        session?.abandon(.cancel)
        pool.removeAll()
        server.connectionDidClose(self)
    }

    // MARK: Session

    func sessionWantsFlush(_ session: HTTP2Session) {
        loop.atTurnEnd { self.flush() }
    }

    private func flush() {
        guard let session, socket.queuedBytes == 0 else { return }
        do {
            while try session.flush({ socket.write($0) }) {
                if socket.queuedBytes > 0 || !socket.isOpen { return }
            }
        } catch {
            server.connectionFailed(self, "\(error)")
            return socket.close()
        }
        if session.isFinished || isDraining && session.openStreams == 0 && socket.queuedBytes == 0 {
            end(session)
        }
    }

    /// FIN, and then the client's: closing with its bytes unread would reset the connection and
    /// could destroy answers that are still on their way.
    private func end(_ session: HTTP2Session) {
        guard lingering == nil else { return }
        if let abuse = session.abuse { server.connectionFailed(self, abuse) }
        socket.shutdown()
        lingering = loop.schedule(after: .seconds(1)) { [self] in socket.close() }
    }

    func sessionDidOpenStream(_ session: HTTP2Session) -> HTTP2Stream? {
        guard runningHandlers < Int(configuration.http2.maxConcurrentStreams) else { return nil }
        if let stream = pool.popLast() { return stream }
        return ServerStream(self)
    }

    func sessionDidReceiveSettings(_ session: HTTP2Session) {
        handshakeTimer?.cancel()
        handshakeTimer = nil
    }

    // MARK: Calls

    func recycle(_ stream: ServerStream) {
        // The stream object is on the stack of its own `didClose`: it is reset when it is free.
        guard session != nil, pool.count < ServerConnection.poolLimit else { return }
        stream.recycle()
        pool.append(stream)
    }

    func handlerWillStart() {
        runningHandlers += 1
    }

    func handlerDidEnd() {
        runningHandlers -= 1
    }

    func count(_ error: RPCError?) {
        server.count(error)
    }

    // MARK: Drain

    /// First GOAWAY: the client stops opening streams. The second follows when it had time to
    /// hear the first (one second covers any round trip).
    func beginDrain() {
        guard let session, !isDraining else { return }
        session.sendShutdownNotice()
        if session.openStreams == 0 {
            endDrain()
        } else {
            _ = loop.schedule(after: .milliseconds(250)) { [self] in endDrain() }
        }
    }

    private func endDrain() {
        guard let session else { return }
        session.goaway(.noError, debug: "draining")
        isDraining = true
    }

    /// The grace is over: calls that still run are cancelled.
    func abort() {
        socket.close()
    }
}
