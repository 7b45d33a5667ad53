import Environment
import HTTP2
import Loop
import RPC
import Telemetry

/// One client connection of a server, confined to its loop: socket ⇄ session ⇄ calls. It is taken
/// for HTTP/2 until its first bytes say otherwise: then an `HTTP1Connection` goes on.
///
///     socketDidRead -> session.receive -> ServerStream -> ServerCall -> handler (same turn)
///     handler -> ServerStream -> session -> flush at the end of the turn: one write
///
/// How it ages and ends is in `ServerConnection+Life`.
final class ServerConnection: StreamSocketHandler, HTTP2SessionHandler, WebHost, ServedConnection,
    @unchecked Sendable
{
    /// Frames that may wait for a peer that does not read.
    private static let queuedFrameLimit = 1_000

    let id: Int64
    let loop: EventLoop
    let peer: Peer
    let table: MethodTable
    let server: RPCServer
    let socket: any ByteStream
    /// Nil before the client's first bytes, and in the end.
    @exclusivity(unchecked) private(set) var session: HTTP2Session?
    /// What came and does not yet say which HTTP it is.
    private var firstBytes: [UInt8] = []
    let handlers: HandlerRunner
    private let streams: ServerStreamPool
    /// Handlers that have not returned, with those whose call is over (rapid reset).
    @exclusivity(unchecked) private(set) var runningHandlers = 0
    /// Unfinished request messages, and whole ones that wait for their half-close.
    @exclusivity(unchecked) var bufferedBytes = 0
    @exclusivity(unchecked) var clock: ConnectionClock
    @exclusivity(unchecked) var pings = PingPolicy()
    @exclusivity(unchecked) var traffic = ConnectionTraffic()
    @exclusivity(unchecked) var timer = ConnectionTimer()
    var end = ConnectionEnd.peer
    var hasDrained = false
    var stallChecks: UInt8 = 0

    init(_ socket: any ByteStream, _ server: RPCServer) {
        self.socket = socket
        self.server = server
        id = server.roster.nextID()
        loop = socket.loop
        handlers = socket.loop.shared { HandlerRunner(socket.loop) }
        streams = socket.loop.shared { ServerStreamPool() }
        table = server.table
        peer = Peer(socket)
        clock = ConnectionClock(now: socket.loop.milliseconds, server.configuration)
    }

    func start(_ initialBytes: [UInt8]) {
        socket.setHandler(self)
        startTimer()
        if !initialBytes.isEmpty { initialBytes.withUnsafeBytes { socketDidRead($0) } }
        socket.startReading()
    }

    @inline(__always)
    var configuration: ServerConfiguration { server.configuration }

    /// Clients of both versions speak first.
    private func begin(_ bytes: UnsafeRawBufferPointer) {
        guard clock.phase == .handshaking, socket.isOpen else { return }
        firstBytes += bytes
        guard let version = SpokenVersion(firstBytes) else { return }
        let bytes = firstBytes
        firstBytes = []
        if version == .http1, configuration.web.isEnabled {
            timer.cancel()
            let connection = HTTP1Connection(socket, id: id, peer, server)
            server.connection(self, continuesAs: connection)
            return connection.start(bytes)
        }
        do {
            let session = try HTTP2Session(
                role: .server, configuration: configuration.http2, handler: self,
                memory: loop.shared { HTTP2Memory() })
            self.session = session
            session.start()
        } catch {
            return fail(.protocolError, "\(error)")
        }
        bytes.withUnsafeBytes { socketDidRead($0) }
    }

    // MARK: Socket

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        guard let session else { return begin(bytes) }
        guard clock.phase != .lingering else { return }
        clock.didRead(at: loop.milliseconds)
        do {
            try session.receive(bytes)
            if session.takeReceivedBody() { traffic.lastReceived = clock.lastRead }
            // Who does not read our answers is not asked for more.
            if socket.queuedBytes > 0, session.queuedFrames > Self.queuedFrameLimit {
                socket.stopReading()
            }
            watch(session)
        } catch {
            if session.abuse == nil { note(.protocolError, TLSHint.ofClient(bytes) ?? "\(error)") }
            flush()
            leaveNow(session)
        }
    }

    func socketDidEnd() {
        // A client that half-closes TCP can still read; gRPC clients never do that and mean it.
        socket.close()
    }

    func socketDidDrain() {
        hasDrained = true
        flush()
        if socket.isOpen, socket.queuedBytes == 0 { socket.startReading() }
    }

    func socketDidClose(_ error: (any Error)?) {
        timer.cancel()
        if let error, end == .peer { note(error is LoopError ? .socketError : .tls, "\(error)") }
        // Streams and the C session go when nothing of them is on the stack.
        let session = session
        self.session = nil
        session?.abandon(.cancel)
        traffic.streamsStarted = session?.openedStreams ?? 0
        server.connectionDidClose(self)
    }

    // MARK: Session

    func sessionWantsFlush(_ session: HTTP2Session) {
        loop.atTurnEnd { self.flush() }
    }

    func flush() {
        guard let session, socket.queuedBytes == 0, clock.phase != .lingering else { return }
        do {
            while try session.flush({ socket.write($0) }) {
                if socket.queuedBytes > 0 || !socket.isOpen { return }
            }
        } catch {
            return fail(.protocolError, "\(error)")
        }
        if session.takeSentBody() { traffic.lastSent = loop.milliseconds }
        let isDone = clock.phase == .leaving && session.openStreams == 0
        if session.isFinished || isDone && socket.queuedBytes == 0 { leaveNow(session) }
    }

    func sessionDidOpenStream(_ session: HTTP2Session) -> HTTP2Stream? {
        guard runningHandlers < Int(configuration.http2.maxConcurrentStreams), !isOverBudget
        else { return nil }
        clock.didOpenStream(configuration)
        traffic.lastStream = clock.lastRead
        return streams.take(for: self)
    }

    func sessionDidRefuseStream(_ session: HTTP2Session) {
        server.metrics?.refusedStreams.add(1)
    }

    func sessionDidCloseStream(_ session: HTTP2Session) {
        guard session.openStreams == 0, configuration.maxConnectionIdle != nil else { return }
        clock.didEndStreams(at: loop.milliseconds, configuration)
        arm()
    }

    // MARK: Calls

    func recycle(_ stream: ServerStream) {
        streams.put(stream)
    }

    func handlerWillStart() {
        runningHandlers += 1
    }

    func handlerDidEnd() {
        runningHandlers -= 1
    }

    func count(_ error: RPCError?) {
        traffic.count(error)
        server.metrics?.count(error)
    }

    /// Whether what the connection holds is more than it may.
    var isOverBudget: Bool {
        let held = (session?.largeBodyBytes ?? 0) + (session?.unread ?? 0) + bufferedBytes
        return held > configuration.maxConnectionBytes
    }
}
