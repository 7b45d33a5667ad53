import HTTP1
import HTTP2
import Loop
import RPC

/// One client connection that speaks HTTP/1.1, confined to its loop: requests of gRPC-Web and
/// Connect one after the other, their answers in order, one write a turn.
///
///     socketDidRead -> HTTPRequestParser -> WebCall -> handler
///     handler -> WebCall -> HTTPResponseEncoder -> flush at the end of the turn
///
/// How answers leave is in `HTTP1Connection+Answer`, how it ages in `HTTP1Connection+Life`.
final class HTTP1Connection: StreamSocketHandler, WebHost, ServedConnection, @unchecked Sendable {
    enum Phase {
        /// Between requests.
        case idle
        /// A request's head has begun.
        case head
        /// From a whole head until request, answer and handler have ended.
        case exchange
        /// No more is answered: the client reads the rest.
        case lingering
        case closed
    }

    /// Bytes of a request's body that no handler has taken, of pipelined requests, and of answers
    /// that wait: beyond, their source has to wait.
    static let window = 64 << 10
    /// What may come of a body that is of no use any more; a longer one costs the connection.
    private static let uselessBodyLimit = 256 << 10

    let id: Int64
    let loop: EventLoop
    let socket: any ByteStream
    let peer: Peer
    let table: MethodTable
    let server: RPCServer
    var end = ConnectionEnd.peer
    var bufferedBytes = 0
    var phase = Phase.idle
    private var parser: HTTPRequestParser
    private var isAdvancing = false
    private var isReading = true

    // Of the exchange.
    private(set) var web: WebCall?
    private var requestHasEnded = false
    private(set) var answerHasEnded = false
    private var handlerRuns = false
    /// The client waits for our word before it sends the body.
    private var owesContinue = false
    private(set) var announcedBytes: Int?
    /// Of the body: what has come, and what no handler has taken.
    private(set) var bodyBytes = 0
    private var untakenBytes = 0
    private var startedAt: UInt64 = 0
    private(set) var traffic = ConnectionTraffic()

    // The answer.
    var encoder = HTTPResponseEncoder.forBrokenRequest
    var waitingHead: (status: HTTPStatus, headers: HTTPHeaders)?
    var pieces: [[UInt8]] = []
    var out: [[UInt8]] = []
    var unsentBytes = 0
    var flushIsPlanned = false
    var owesDrain = false

    // Ages.
    var isLeaving = false
    var hasServed = false
    var timer = ConnectionTimer()
    /// When the present phase began or last got on.
    var since: UInt64
    var lastQueued = 0
    var ageEnd: UInt64

    init(_ socket: any ByteStream, id: Int64, _ peer: Peer, _ server: RPCServer) {
        self.socket = socket
        self.id = id
        self.peer = peer
        self.server = server
        loop = socket.loop
        table = server.table
        var limits = HTTPLimits(bodyBytes: .max)
        limits.headBytes = server.configuration.http2.maxHeaderListBytes
        limits.fields = server.configuration.http2.maxHeaderFields
        // The message of a Connect GET is in there.
        limits.targetBytes = limits.headBytes
        parser = HTTPRequestParser(limits: limits)
        since = loop.milliseconds
        ageEnd = HTTP1Connection.ageEnd(since, server.configuration)
    }

    /// - Parameter bytes: what has been read already.
    func start(_ bytes: [UInt8]) {
        socket.setHandler(self)
        startTimer()
        bytes.withUnsafeBytes { socketDidRead($0) }
    }

    var configuration: ServerConfiguration { server.configuration }

    // MARK: Socket

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        guard phase != .lingering, phase != .closed else { return }
        if phase == .exchange, socket.queuedBytes == 0 { since = loop.milliseconds }
        parser.feed(bytes)
        advance()
    }

    func socketDidEnd() {
        switch phase {
        case .exchange where !answerHasEnded: close()
        // Requests were sent in a row and the answers are being read.
        case .idle, .head, .exchange: linger()
        case .lingering, .closed: break
        }
        if socket.queuedBytes == 0, out.isEmpty { close() }
    }

    func socketDidDrain() {
        since = loop.milliseconds
        lastQueued = 0
        tellDrained()
        if phase == .lingering { arm() }
        advance()
    }

    func socketDidClose(_ error: (any Error)?) {
        if let error, end == .peer { note(error is LoopError ? .socketError : .tls, "\(error)") }
        leaveForGood()
        server.connectionDidClose(self)
    }

    func close() {
        leaveForGood()
        socket.close()
    }

    private func leaveForGood() {
        phase = .closed
        timer.cancel()
        endCall()
    }

    func endCall() {
        guard let web else { return }
        self.web = nil
        traffic.add(web.messages)
        web.exchangeDidClose()
    }

    // MARK: Requests

    /// Reads on in what has come, as far as nobody has to be waited for.
    func advance() {
        guard !isAdvancing else { return }
        isAdvancing = true
        while mayGoOn {
            do throws(HTTPError) {
                guard let event = try parser.next() else { break }
                take(event)
            } catch {
                refuse(error)
            }
        }
        isAdvancing = false
        if phase == .idle, !parser.isIdle { enter(.head) }
        if phase == .exchange, owesContinue, !answerHasEnded, waitingHead == nil {
            owesContinue = false
            send(HTTPResponseEncoder.continueResponse)
        }
        readOrWait()
        arm()
    }

    private var mayGoOn: Bool {
        switch phase {
        case .idle, .head: waitingBytes < Self.window
        case .exchange: !requestHasEnded && untakenBytes < Self.window
        case .lingering, .closed: false
        }
    }

    private func readOrWait() {
        let wants =
            mayGoOn || phase == .lingering
            || phase == .exchange && requestHasEnded && parser.bufferedBytes < Self.window
        guard wants != isReading, phase != .closed else { return }
        isReading = wants
        if wants { socket.startReading() } else { socket.stopReading() }
    }

    private func take(_ event: HTTPRequestEvent) {
        switch event {
        case .head(let head): begin(head)
        case .body(let bytes): receive(bytes)
        case .end:
            requestHasEnded = true
            owesContinue = false
            web?.receiveEnd()
            endExchangeWhenOver()
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        enter(.exchange)
        hasServed = true
        startedAt = loop.milliseconds
        traffic.streamsStarted += 1
        traffic.lastStream = startedAt
        requestHasEnded = false
        answerHasEnded = false
        bodyBytes = 0
        untakenBytes = 0
        announcedBytes = head.isChunked ? nil : head.contentLength ?? 0
        owesContinue = head.expectsContinue
        encoder = HTTPResponseEncoder(for: head)
        let request = WebRequest(head)
        if let reason = needsHTTP2(request) {
            respond(505, WebFields(contentType: "text/plain"))
            _ = write(Array(reason.utf8))
            return finish()
        }
        web = WebCall.open(request, self, self)
    }

    /// What only HTTP/2 can carry: trailers, and both directions at once.
    private func needsHTTP2(_ request: WebRequest) -> String? {
        let type = request.mediaType
        if type == "application/grpc" || type.hasPrefix("application/grpc+") {
            return "gRPC needs HTTP/2; gRPC-Web and Connect may speak HTTP/1.1\n"
        }
        guard table.find(request.path)?.descriptor.kind == .bidirectional,
            request.method == "POST"
        else { return nil }
        return "streams in both directions need HTTP/2\n"
    }

    private func receive(_ bytes: [UInt8]) {
        owesContinue = false
        bodyBytes += bytes.count
        traffic.lastReceived = loop.milliseconds
        guard let web, !answerHasEnded else {
            if bodyBytes > Self.uselessBodyLimit { linger() }
            return
        }
        untakenBytes += bytes.count
        bytes.withUnsafeBytes { web.receive($0) }
    }

    /// What still comes of the body is skipped.
    func didAnswer() {
        answerHasEnded = true
        untakenBytes = 0
    }

    /// Whether the rest of the body has to be waited for in vain.
    var bodyIsTooLongToSkip: Bool {
        if requestHasEnded { return false }
        return owesContinue || (announcedBytes ?? 0) - bodyBytes > Self.uselessBodyLimit
    }

    var waitsForBody: Bool { phase == .exchange && !requestHasEnded && isReading }

    /// The answer to what is no request.
    private func refuse(_ error: HTTPError) {
        note(.protocolError, error.message)
        if phase == .exchange {
            // In the middle of a body.
            encoder.keepAlive = false
            if let call = web?.call, !call.isOver {
                call.fail(RPCError(.invalidArgument, error.message, blame: .peer))
            }
        } else {
            var response = HTTPResponse(status: error.status, contentType: "text/plain", body: [])
            response.body = Array((error.message + "\n").utf8)
            send(HTTPResponseEncoder.forBrokenRequest.encode(response, date: date()))
        }
        linger()
    }

    /// The next request waits for the handler too: a client that leaves its calls early would
    /// otherwise have any number of handlers run.
    func endExchangeWhenOver() {
        guard phase == .exchange, answerHasEnded else { return }
        guard encoder.keepAlive, !isLeaving else { return linger() }
        guard requestHasEnded, !handlerRuns else { return }
        endCall()
        enter(.idle)
        advance()
    }

    // MARK: Calls

    func handlerWillStart() { handlerRuns = true }

    func handlerDidEnd() {
        handlerRuns = false
        endExchangeWhenOver()
    }

    func consume(_ count: Int) {
        let hadToWait = untakenBytes >= Self.window
        untakenBytes = count < untakenBytes ? untakenBytes - count : 0
        // Not from inside the call that asks.
        if hadToWait, !isAdvancing { loop.atTurnEnd { self.advance() } }
    }

    func count(_ error: RPCError?) {
        server.metrics?.count(error)
        traffic.count(error)
    }

    func didWrite() { traffic.lastSent = loop.milliseconds }

    var isOverBudget: Bool {
        bufferedBytes + waitingBytes + parser.bufferedBytes > configuration.maxConnectionBytes
    }

    func runningCalls() -> [RunningCall] {
        guard let call = web?.call else { return [] }
        return [
            RunningCall(
                method: call.context.method.path, peer: peer.address,
                age: .milliseconds(loop.milliseconds - startedAt), deadline: call.context.deadline)
        ]
    }
}
