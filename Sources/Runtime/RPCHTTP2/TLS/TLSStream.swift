public import Loop
import Synchronization
public import TLS

/// TLS over another stream, confined to its loop. The handshake begins with the first
/// ``startReading()``; what is written before it is over waits.
///
///     socketDidRead(ciphertext) -> TLSSession -> handler.socketDidRead(plaintext)
///     write(plaintext) -> TLSSession -> stream.write(ciphertext), one system call
///
/// Back-pressure passes through: ``queuedBytes`` counts what the socket has not taken, and who
/// stops reading is handed nothing more (at most one read of ciphertext is kept).
public final class TLSStream: ByteStream, StreamSocketHandler, @unchecked Sendable {
    /// What a peer can make us answer (key updates, alerts) without reading any of it.
    private static let unreadAnswerLimit = 16 << 10

    private enum Phase {
        case idle, handshaking, open
        /// The reason is on its way to the peer; what still comes is thrown away.
        case failing
        case closed
    }

    public let loop: EventLoop
    private let stream: any ByteStream
    private let session: TLSSession
    private let handshakeTimeout: Duration
    private var initialBytes: [UInt8]
    @exclusivity(unchecked) private var handler: (any StreamSocketHandler)?
    @exclusivity(unchecked) private var phase = Phase.idle
    @exclusivity(unchecked) private var isReading = false
    /// Plaintext that was written before the end of the handshake.
    private var waiting: [UInt8] = []
    private var isShut = false
    private var hasEnded = false
    private var unreadAnswers = 0
    private var timer: LoopTimer?
    private var failure: (any Error)?
    /// Of the peer, once the handshake is over. Any thread.
    let certificate = PeerCertificate()

    /// A server's end of a connection.
    /// - Parameter initialBytes: read from the stream already.
    public init(
        _ stream: any ByteStream, _ context: TLSServerContext, initialBytes: [UInt8] = []
    ) throws(TLSError) {
        self.stream = stream
        self.initialBytes = initialBytes
        loop = stream.loop
        session = try TLSSession(context)
        handshakeTimeout = context.configuration.handshakeTimeout
    }

    /// A client's end of a connection.
    /// - Parameter host: see ``TLSSession/init(_:host:)``.
    public init(
        _ stream: any ByteStream, _ context: TLSClientContext, host: String
    ) throws(TLSError) {
        self.stream = stream
        initialBytes = []
        loop = stream.loop
        session = try TLSSession(context, host: host)
        handshakeTimeout = context.configuration.handshakeTimeout
    }

    /// A client's end of a connection to `host[:port]`.
    public convenience init(
        _ stream: any ByteStream, _ context: TLSClientContext, authority: String
    ) throws(TLSError) {
        try self.init(stream, context, host: TLSStream.host(of: authority))
    }

    /// Without port and brackets.
    private static func host(of authority: String) -> String {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            return String(authority[authority.index(after: authority.startIndex)..<end])
        }
        return String(authority.prefix { $0 != ":" })
    }

    public var peer: SocketAddress { stream.peer }
    public var queuedBytes: Int { waiting.count + stream.queuedBytes }
    public func unixCredentials() -> UnixCredentials? { stream.unixCredentials() }
    public func localAddress() -> SocketAddress? { stream.localAddress() }
    public func setHandler(_ handler: any StreamSocketHandler) { self.handler = handler }

    public var isOpen: Bool {
        switch phase {
        case .idle, .handshaking, .open: stream.isOpen
        case .failing, .closed: false
        }
    }

    /// Nil until the handshake is over.
    public var agreement: TLSSession.Agreement? { session.agreement }

    /// Nil when we showed none.
    public var localCertificate: TLSCertificate? { session.localCertificate }

    /// Nil until the handshake is over, and when the peer showed none.
    public var peerCertificate: TLSCertificate? { session.peerCertificate }

    // MARK: Handshake

    private func begin() {
        phase = .handshaking
        stream.setHandler(self)
        timer = loop.schedule(after: handshakeTimeout) { [self] in
            fail(TLSError(.timeout, "the handshake was not over within \(handshakeTimeout)"))
        }
        if session.role == .client { drive { () throws(TLSError) in try session.start() } }
        let bytes = initialBytes
        initialBytes = []
        if !bytes.isEmpty { bytes.withUnsafeBytes { socketDidRead($0) } }
        stream.startReading()
    }

    private func didOpen() {
        phase = .open
        timer?.cancel()
        timer = nil
        certificate.value.withLock { $0 = session.peerCertificate }
        if !isReading { stream.stopReading() }
        let (bytes, wantsShutdown) = (waiting, isShut)
        waiting = []
        isShut = false
        if !bytes.isEmpty { write(bytes) }
        if wantsShutdown {
            shutdown()
        } else if !bytes.isEmpty, stream.queuedBytes == 0 {
            handler?.socketDidDrain()
        }
    }

    // MARK: Reading

    public func startReading() {
        loop.preconditionInLoop()
        guard isOpen, !isReading else { return }
        isReading = true
        switch phase {
        case .idle: begin()
        case .open where session.holdsBytes: loop.execute { [self] in resume() }
        case .open: stream.startReading()
        default: break
        }
    }

    public func stopReading() {
        isReading = false
        if phase == .open { stream.stopReading() }
    }

    private func resume() {
        guard isReading, phase == .open else { return }
        drive { () throws(TLSError) in try session.resume(deliver) }
        if isReading, phase == .open, !session.holdsBytes { stream.startReading() }
    }

    public func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        guard phase == .handshaking || phase == .open else { return }
        drive { () throws(TLSError) in try session.receive(bytes, deliver) }
    }

    private func deliver(_ plaintext: UnsafeRawBufferPointer) -> Bool {
        if phase == .handshaking { didOpen() }
        if phase == .open { handler?.socketDidRead(plaintext) }
        return isReading && phase == .open
    }

    /// Lets the session work, and sends what it answers.
    private func drive(_ work: () throws(TLSError) -> Void) {
        do {
            try work()
        } catch {
            return fail(error)
        }
        guard phase != .closed else { return }
        if phase == .handshaking, session.agreement != nil { didOpen() }
        if stream.queuedBytes > 0, phase == .open { unreadAnswers += session.outputCount }
        send()
        if unreadAnswers > Self.unreadAnswerLimit {
            return fail(TLSError(.limit, "the peer wants answers and does not read them"))
        }
        if session.peerHasClosed { end() }
    }

    private func end() {
        guard !hasEnded, phase == .open else { return }
        hasEnded = true
        handler?.socketDidEnd()
    }

    public func socketDidEnd() {
        if phase == .failing { return stream.close(failure) }
        do {
            try session.receiveEnd()
            end()
        } catch {
            failure = error
            stream.close(error)
        }
    }

    // MARK: Writing

    public func write(_ bytes: UnsafeRawBufferPointer) {
        loop.preconditionInLoop()
        guard !isShut else { return }
        switch phase {
        case .idle, .handshaking: waiting += bytes
        case .open: encrypt { () throws(TLSError) in try session.write(bytes) }
        case .failing, .closed: break
        }
    }

    public func write(_ bytes: [UInt8]) { bytes.withUnsafeBytes { write($0) } }

    public func write(_ chunks: [[UInt8]]) { write(Array(chunks.joined())) }

    private func encrypt(_ work: () throws(TLSError) -> Void) {
        do {
            try work()
            send()
        } catch {
            fail(error)
        }
    }

    private func send() { session.takeOutput { stream.write($0) } }

    public func socketDidDrain() {
        unreadAnswers = 0
        if phase == .open, !isShut { handler?.socketDidDrain() }
    }

    // MARK: Ending

    public func shutdown() {
        guard !isShut, isOpen else { return }
        isShut = true
        guard phase == .open else { return }
        session.close()
        send()
        stream.shutdown()
    }

    public func close(_ error: (any Error)?) {
        loop.preconditionInLoop()
        switch phase {
        case .closed: return
        case .open where !isShut:
            session.close()
            send()
        default: break
        }
        phase = .closed
        failure = failure ?? error
        stream.setHandler(self)
        stream.close(failure)
    }

    /// Says why (an alert is in the output) and closes. A server waits for the client's FIN:
    /// closing with unread bytes would reset the connection and could destroy the alert.
    private func fail(_ error: TLSError) {
        guard phase == .handshaking || phase == .open else { return }
        failure = error
        send()
        timer?.cancel()
        guard session.role == .server else {
            phase = .closed
            return stream.close(error)
        }
        phase = .failing
        stream.shutdown()
        stream.startReading()
        timer = loop.schedule(after: .seconds(1)) { [stream] in stream.close(error) }
    }

    public func socketDidClose(_ error: (any Error)?) {
        timer?.cancel()
        timer = nil
        if failure == nil, let error, session.agreement == nil {
            failure = TLSError(
                .closed, "the connection was lost during the handshake", cause: "\(error)")
        }
        phase = .closed
        let handler = handler
        self.handler = nil
        handler?.socketDidClose(failure ?? error)
    }

    /// Written once by the loop, read by anybody.
    final class PeerCertificate: Sendable {
        let value = Mutex<TLSCertificate?>(nil)
    }
}
