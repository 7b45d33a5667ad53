import HTTP2
import Loop
import RPC

/// One HTTP/2 connection of a channel, confined to its loop.
final class ClientConnection: StreamSocketHandler, HTTP2SessionHandler, @unchecked Sendable {
    let tally: CallTally?
    /// In channelz; zero when nobody lists it.
    let id: Int64
    let channel: ChannelCore
    let subchannel: Subchannel
    let socket: any ByteStream
    @exclusivity(unchecked) var traffic = ConnectionTraffic()
    @exclusivity(unchecked) private(set) var session: HTTP2Session?
    /// Streams that may be open at once: the peer's limit; zero while none may be opened.
    @exclusivity(unchecked) private var capacity = 0
    @exclusivity(unchecked) private var callsLeft: Int
    @exclusivity(unchecked) private var keepalive: Keepalive?
    /// New calls go elsewhere; the socket closes when the last one here has ended.
    private(set) var isLeaving = false
    private var goawayText: String?
    private var failure: String?
    private var handshake: LoopTimer?
    /// The peer's SETTINGS came: it is an HTTP/2 server.
    private var wasReady = false
    /// `callsLeft` when somebody last asked `wasQuiet`.
    private var callsLeftBefore = 0

    init(_ socket: any ByteStream, _ subchannel: Subchannel, _ channel: ChannelCore) {
        self.socket = socket
        self.subchannel = subchannel
        self.channel = channel
        tally = subchannel.tally
        id = channel.configuration.channelz?.nextID() ?? 0
        callsLeft = min(max(channel.configuration.maxCallsPerConnection, 1), 1 << 30)
    }

    /// - Parameter limit: a peer that accepts and says nothing must not hold the channel's calls.
    func start(settingsWithin limit: Duration) throws {
        let session = try HTTP2Session(
            role: .client, configuration: channel.configuration.http2, handler: self,
            memory: channel.loop.shared { HTTP2Memory() })
        self.session = session
        channel.add(self)
        channel.configuration.channelz?.add(self)
        socket.setHandler(self)
        session.start()
        socket.startReading()
        handshake = channel.loop.schedule(after: limit) { [self] in
            guard !wasReady else { return }
            failure = "no HTTP/2 SETTINGS in time"
            socket.close()
        }
    }

    // MARK: Calls

    @inline(__always)
    var hasRoom: Bool {
        guard let session else { return false }
        return session.openStreams < capacity
    }

    var loop: EventLoop { channel.loop }

    var openCalls: Int { session?.openStreams ?? 0 }

    /// Nothing was sent, and nothing runs, since this was asked last.
    func wasQuiet() -> Bool {
        defer { callsLeftBefore = callsLeft }
        return openCalls == 0 && callsLeft == callsLeftBefore
    }

    /// The limit beyond which such request headers are; nil: they can be sent.
    @inline(__always)
    func limit(exceededBy fields: HTTP2Fields) -> Int? { session?.limit(exceededBy: fields) }

    /// Opens the call's stream. The caller has asked `hasRoom`.
    @inline(__always)
    func open(_ stream: ClientStream, _ fields: HTTP2Fields) throws(HTTP2Error) {
        if let session {
            try session.request(stream, fields)
            stream.connection = self
            traffic.lastStream = channel.loop.milliseconds
        }
        callsLeft -= 1
        if callsLeft == 0 { replace("its stream ids are used up") }
    }

    /// Another connection takes its place.
    private func replace(_ why: String) {
        guard !isLeaving else { return }
        isLeaving = true
        capacity = 0
        subchannel.connectionIsLeaving(
            self,
            RPCError(
                .unavailable, "the connection takes no more calls", blame: .peer,
                cause: "\(why), for \(channel.authority)", connectionFailure: .lost))
    }

    /// No new streams; the socket closes when the last one has ended.
    func leave() {
        isLeaving = true
        capacity = 0
        if openCalls == 0 { close() }
    }

    func close() {
        session?.goaway(.noError)
        flush()
        socket.close()
    }

    // MARK: Socket

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        keepalive?.heard = true
        if !wasReady, let hint = TLSHint.ofServer(bytes) {
            failure = hint
            return socket.close()
        }
        do {
            try session?.receive(bytes)
            if session?.takeReceivedBody() == true {
                traffic.lastReceived = channel.loop.milliseconds
            }
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
        keepalive?.stop()
        keepalive = nil
        handshake?.cancel()
        handshake = nil
        let cause =
            [failure, error.map { "\($0)" }, goawayText].compactMap { $0 }.joined(separator: "; ")
        let text = cause.isEmpty ? "the connection was closed" : cause
        let isTLS = error.map { !($0 is LoopError) } ?? false
        let loss = RPCError(
            .unavailable, "lost the connection to the server", blame: .peer,
            cause: "\(text), for \(channel.authority)",
            connectionFailure: wasReady ? .lost : isTLS ? .tls : .http2)
        let session = session
        self.session = nil
        isLeaving = true
        capacity = 0
        channel.losing = loss
        channel.lastSent = session?.lastSentRequest ?? 0
        session?.abandon(.internalError)
        traffic.streamsStarted = session?.openedStreams ?? 0
        subchannel.past += calls
        channel.configuration.channelz?.remove(self)
        channel.losing = nil
        channel.remove(self)
        subchannel.connectionDidClose(self, loss, text)
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
        if session.takeSentBody() { traffic.lastSent = channel.loop.milliseconds }
        if session.isFinished || isLeaving && session.openStreams == 0 { socket.close() }
    }

    func sessionDidReceiveSettings(_ session: HTTP2Session) {
        if isLeaving { return }
        capacity = session.peerMaxConcurrentStreams
        guard !wasReady else { return channel.pump() }
        wasReady = true
        handshake?.cancel()
        handshake = nil
        startKeepalive()
        subchannel.connectionIsReady(self)
    }

    func session(
        _ session: HTTP2Session, didReceiveGoawayAfter lastStreamID: Int32, code: HTTP2Code,
        debug: String
    ) {
        goawayText = debug.isEmpty ? "GOAWAY \(code)" : "GOAWAY \(code): \(debug)"
        if code == .enhanceYourCalm, debug == "too_many_pings" { channel.pingsWereTooMany() }
        replace(goawayText ?? "GOAWAY")
    }

    func sessionDidCloseStream(_ session: HTTP2Session) {
        channel.pump()
    }

    // MARK: Keepalive

    private func startKeepalive() {
        guard let time = channel.keepaliveTime else { return }
        let configuration = channel.configuration
        keepalive = Keepalive(
            loop: channel.loop, time: time, timeout: configuration.keepaliveTimeout,
            isWanted: { [unowned self] in
                configuration.keepaliveWithoutCalls || openCalls > 0
            },
            ping: { [unowned self] in
                traffic.pings += 1
                session?.ping(0x6a61_6e6a_69)
            },
            onDeath: { [unowned self] in
                failure = "no answer to a keepalive ping within \(configuration.keepaliveTimeout)"
                socket.close()
            })
    }

    func session(_ session: HTTP2Session, didReceivePingAck payload: UInt64) {
        keepalive?.pong()
    }
}
