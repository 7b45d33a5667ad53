import HTTP2
import Loop
import RPC

/// One HTTP/2 connection of a channel, confined to its loop.
final class ClientConnection: StreamSocketHandler, HTTP2SessionHandler, @unchecked Sendable {
    private let channel: ChannelCore
    private let socket: any ByteStream
    private(set) var session: HTTP2Session?
    /// The server will take no more streams (GOAWAY).
    private(set) var isLeaving = false
    private var goawayText: String?
    private var failure: String?
    private var keepalive: LoopTimer?
    private var handshake: LoopTimer?
    private var awaitsPong = false
    private var heard = true
    /// The peer's SETTINGS came: it is an HTTP/2 server.
    private(set) var wasReady = false

    init(_ socket: any ByteStream, _ channel: ChannelCore) {
        self.socket = socket
        self.channel = channel
    }

    func start() throws {
        let session = try HTTP2Session(
            role: .client, configuration: channel.configuration.http2, handler: self)
        self.session = session
        socket.setHandler(self)
        session.start()
        socket.startReading()
        // A peer that accepts and says nothing must not hold the calls of the channel.
        handshake = channel.loop.schedule(after: channel.configuration.connectTimeout) {
            [self] in
            guard !wasReady else { return }
            failure = "no HTTP/2 SETTINGS in time"
            socket.close()
        }
        guard let time = channel.configuration.keepaliveTime else { return }
        keepalive = channel.loop.schedule(every: time) { [self] in keepAlive(time) }
    }

    /// Streams may be opened now: the peer's SETTINGS, with its limit, have come.
    var hasRoom: Bool {
        guard let session, wasReady, !isLeaving else { return false }
        return session.openStreams < session.peerMaxConcurrentStreams
    }

    /// No new streams; the socket closes when the last one has ended.
    func leave() {
        isLeaving = true
        if session?.openStreams == 0 { close() }
    }

    func close() {
        session?.goaway(.noError)
        flush()
        socket.close()
    }

    private func keepAlive(_ time: Duration) {
        if heard || awaitsPong {
            heard = false
            return
        }
        awaitsPong = true
        session?.ping(0x6a61_6e6a_69)
        _ = channel.loop.schedule(after: channel.configuration.keepaliveTimeout) { [self] in
            guard awaitsPong else { return }
            failure = "no answer to a keepalive ping"
            socket.close()
        }
    }

    // MARK: Socket

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        heard = true
        do {
            try session?.receive(bytes)
        } catch {
            failure = "\(error)"
            flush()
            socket.close()
        }
    }

    func socketDidEnd() {
        failure = failure ?? "the server closed the connection"
        socket.close()
    }

    func socketDidDrain() {
        flush()
    }

    func socketDidClose(_ error: (any Error)?) {
        keepalive?.cancel()
        keepalive = nil
        handshake?.cancel()
        handshake = nil
        awaitsPong = false
        let cause =
            [failure, error.map { "\($0)" }, goawayText].compactMap { $0 }.joined(separator: "; ")
        let text = cause.isEmpty ? "the connection was closed" : cause
        let loss = RPCError(
            .unavailable, "lost the connection to \(channel.authority): \(text)", blame: .peer,
            cause: text)
        let session = session
        self.session = nil
        isLeaving = true
        channel.losing = loss
        session?.abandon(.internalError)
        channel.losing = nil
        channel.connectionDidClose(self, loss)
    }

    // MARK: Session

    func sessionWantsFlush(_ session: HTTP2Session) {
        channel.loop.atTurnEnd { self.flush() }
    }

    private func flush() {
        guard let session, socket.queuedBytes == 0 else { return }
        do {
            while try session.flush({ socket.write($0) }) {
                if socket.queuedBytes > 0 || !socket.isOpen { return }
            }
        } catch {
            failure = "\(error)"
            return socket.close()
        }
        if session.isFinished || isLeaving && session.openStreams == 0 { socket.close() }
    }

    func sessionDidReceiveSettings(_ session: HTTP2Session) {
        wasReady = true
        handshake?.cancel()
        handshake = nil
        channel.connectionIsReady(self)
    }

    func session(
        _ session: HTTP2Session, didReceiveGoawayAfter lastStreamID: Int32, code: HTTP2Code,
        debug: String
    ) {
        isLeaving = true
        goawayText = debug.isEmpty ? "GOAWAY \(code)" : "GOAWAY \(code): \(debug)"
        channel.connectionIsLeaving(self)
    }

    func session(_ session: HTTP2Session, didReceivePingAck payload: UInt64) {
        awaitsPong = false
    }

    func sessionDidCloseStream(_ session: HTTP2Session) {
        channel.pump()
    }
}
