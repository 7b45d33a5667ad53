import Environment
import HTTP1
import Loop
import Protobuf
import RPC
import WebSocket

/// One HTTP/1.1 connection: bytes in, requests one after the other, answers in order, one write a
/// turn. Loop only.
final class HTTPConnection: StreamSocketHandler, @unchecked Sendable {  // confined to the loop
    private enum Phase { case idle, head, body, busy, closing, upgraded }

    private let server: EdgeServer
    private let socket: any ByteStream
    private var parser: HTTPRequestParser
    private var phase = Phase.idle
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    private var requestID = ""
    private var wantsContinue = false
    private var hasLargeBody = false
    private var isAdvancing = false
    private var peerEnded = false
    private var isReading = true
    private var task: Task<Void, Never>?
    private var out: [[UInt8]] = []
    private var outBytes = 0
    private var flushIsPlanned = false
    private var drainWaiter: CheckedContinuation<Void, Never>?
    /// When the present phase has lasted too long.
    private var expires: Deadline

    /// Bytes of pipelined requests that wait while one is being answered.
    private static let pipelineLimit = 64 * 1024
    /// How long a closed connection may take to read our last answer.
    private static let lingering = Duration.seconds(2)

    private var configuration: EdgeConfiguration { server.configuration }

    init(_ socket: any ByteStream, _ server: EdgeServer) {
        self.socket = socket
        self.server = server
        parser = HTTPRequestParser(
            limits: HTTPLimits(bodyBytes: server.configuration.maxBodyBytes))
        // A fresh connection owes us a request; only between requests it may rest.
        expires = .after(server.configuration.headerTimeout)
    }

    // MARK: Socket

    func socketDidRead(_ bytes: UnsafeRawBufferPointer) {
        guard phase != .closing else { return }
        parser.feed(bytes)
        advance()
        if isClogged || phase == .busy && parser.bufferedBytes > Self.pipelineLimit {
            isReading = false
            socket.stopReading()
        }
    }

    /// The client asks and does not read: it is not asked what else it wants.
    private var isClogged: Bool { socket.queuedBytes + outBytes > Self.pipelineLimit }

    /// Goes on with pipelined requests once the client has read enough.
    private func unclog() {
        guard !isClogged, phase == .idle || phase == .head || phase == .body else { return }
        if !isReading {
            isReading = true
            socket.startReading()
        }
        advance()
    }

    func socketDidEnd() {
        peerEnded = true
        // Nobody waits for the answer any more (Go's net/http reads an early FIN the same way).
        if phase == .busy { task?.cancel() } else { close() }
    }

    func socketDidDrain() {
        resumeStream()
        if phase == .idle { expires = .after(configuration.idleTimeout) }
        if phase == .closing { expires = .after(Self.lingering) }
        if phase == .closing, peerEnded { close() }
        unclog()
    }

    private func resumeStream() {
        drainWaiter?.resume()
        drainWaiter = nil
    }

    func socketDidClose(_ error: (any Error)?) {
        task?.cancel()
        endLargeBody()
        resumeStream()
        if phase != .upgraded { server.closed(self) }
        phase = .closing
    }

    // MARK: Requests

    private func advance() {
        guard !isAdvancing else { return }
        isAdvancing = true
        defer { isAdvancing = false }
        while phase != .busy, phase != .closing, phase != .upgraded, !isClogged {
            do throws(HTTPError) {
                guard let event = try parser.next() else { break }
                take(event)
            } catch {
                refuse(error)
            }
        }
        if phase == .idle, !parser.isIdle, !isClogged { enter(.head, configuration.headerTimeout) }
        if wantsContinue, phase == .body {
            wantsContinue = false
            send(HTTPResponseEncoder.continueResponse)
        }
    }

    /// Lets a body in that is larger than usual, where the route takes such.
    private func allowLargeBody(_ head: HTTPRequestHead) {
        let usual = configuration.maxBodyBytes
        guard head.isChunked || head.contentLength ?? 0 > usual,
            let limit = server.gateway.bodyLimit(head), limit > usual
        else { return }
        guard server.beginLargeBody() else {
            return refuse(.unavailable("too many files are arriving; try again soon"))
        }
        hasLargeBody = true
        parser.bodyLimit = limit
    }

    private func endLargeBody() {
        guard hasLargeBody else { return }
        hasLargeBody = false
        server.endLargeBody()
    }

    private func take(_ event: HTTPRequestEvent) {
        switch event {
        case .head(let head):
            self.head = head
            body = []
            requestID = RequestID.accept(head.headers.first("x-request-id"))
            wantsContinue = head.expectsContinue
            enter(.body, configuration.requestTimeout)
            allowLargeBody(head)
        case .body(let bytes):
            wantsContinue = false
            body += bytes
        case .end: dispatch()
        }
    }

    private func enter(_ next: Phase, _ limit: Duration) {
        phase = next
        expires = .after(limit)
    }

    private func dispatch() {
        guard let head else { return }
        wantsContinue = false
        let request = EdgeRequest(
            head: head, body: body, id: requestID, address: address(head), arrived: .now())
        body = []
        // The call has its own deadline; this one is for a backend that ignores it.
        enter(.busy, configuration.requestTimeout * 2)
        let (step, label) = server.gateway.begin(request)
        switch step {
        case .answer(let response): finish(response, request, label)
        case .call(let route, let segments, _) where route.method.serverStreaming:
            start { await self.stream(route, segments, request, label) }
        case .call(let route, let segments, let rate):
            start {
                let response = await self.server.gateway.perform(route, segments, rate, request)
                self.finish(response, request, label)
            }
        case .socket(let isAdmin):
            start { await self.upgrade(request, isAdmin: isAdmin, label) }
        }
    }

    /// Runs the request's task on the loop; it begins before this returns.
    private func start(_ work: @escaping @Sendable () async -> Void) {
        let task = Task.immediate(executorPreference: socket.loop) { await work() }
        if phase == .busy { self.task = task }
    }

    private func address(_ head: HTTPRequestHead) -> String {
        if let name = configuration.clientAddressField, let value = head.headers.all(name).last,
            let last = value.split(separator: ",").last
        {
            return String(last.filter { $0 != " " })
        }
        return ClientAddress.text(socket.peer)
    }

    // MARK: Answers

    private func finish(_ response: HTTPResponse, _ request: EdgeRequest, _ label: String) {
        guard phase == .busy else { return }
        var response = response
        var encoder = HTTPResponseEncoder(for: request.head)
        if server.isDraining || peerEnded { encoder.keepAlive = false }
        server.finishFields(of: &response, request.head.headers, request.id)
        let bytes = encoder.encode(response, date: server.dateField())
        server.log(request.head.method.rawValue, label, response.status, bytes.count, request)
        send(bytes)
        endAnswer(keepAlive: encoder.keepAlive)
    }

    private func endAnswer(keepAlive: Bool) {
        endLargeBody()
        task = nil
        head = nil
        if keepAlive {
            enter(.idle, configuration.idleTimeout)
            unclog()
        } else {
            enter(.closing, Self.lingering)
        }
    }

    /// Answers one JSON text a line, as they come (NDJSON). What fails after the first line ends
    /// with a line that says so.
    private func stream(
        _ route: Route, _ segments: [String], _ request: EdgeRequest, _ label: String
    ) async {
        var encoder = HTTPResponseEncoder(for: request.head)
        var response = HTTPResponse(
            status: .ok, contentType: "application/x-ndjson", body: [])
        var hasBegun = false
        var count = 0
        do throws(EdgeFailure) {
            let call = try await server.gateway.open(route, segments, request)
            defer { call.cancel() }
            while let line = try await server.gateway.nextLine(of: call, route) {
                guard phase == .busy, socket.isOpen else { return }
                if !hasBegun {
                    hasBegun = true
                    server.finishFields(of: &response, request.head.headers, request.id)
                    send(
                        encoder.beginStream(
                            response.status, response.headers, date: server.dateField()))
                }
                count += line.count
                send(encoder.chunk(line))
                await drained()
                // Quiet is allowed; a reader that never reads is found by `drained`.
                expires = .distantFuture
            }
        } catch {
            guard hasBegun, phase == .busy else {
                return finish(server.gateway.answer(error, to: request), request, label)
            }
            let line = Envelope.body(error, requestID: request.id, now: .now())
            send(encoder.chunk(line + [UInt8(ascii: "\n")]))
        }
        guard phase == .busy else { return }
        guard hasBegun else { return finish(response, request, label) }
        server.log(request.head.method.rawValue, label, response.status, count, request)
        send(encoder.endStream())
        endAnswer(keepAlive: encoder.keepAlive && !server.isDraining && !peerEnded)
    }

    /// Waits while the client has much unread.
    private func drained() async {
        guard socket.isOpen, socket.queuedBytes > Self.pipelineLimit else { return }
        expires = .after(configuration.writeTimeout)
        await withCheckedContinuation { drainWaiter = $0 }
    }

    /// The answer to bytes that are no request, or to one that breaks a limit.
    private func refuse(_ error: HTTPError) {
        refuse(EdgeFailure(error))
    }

    private func refuse(_ failure: EdgeFailure) {
        let id = requestID.isEmpty ? RequestID.accept(nil) : requestID
        var response = Envelope.failure(failure, requestID: id, now: .now())
        server.finishFields(of: &response, head?.headers ?? HTTPHeaders(), id)
        send(HTTPResponseEncoder.forBrokenRequest.encode(response, date: server.dateField()))
        server.gateway.metrics.answered("malformed", failure.status, .zero)
        enter(.closing, Self.lingering)
    }

    private func send(_ bytes: [UInt8]) {
        out.append(bytes)
        outBytes += bytes.count
        guard !flushIsPlanned else { return }
        flushIsPlanned = true
        socket.loop.atTurnEnd { self.flush() }
    }

    private func flush() {
        flushIsPlanned = false
        let chunks = out
        out = []
        outBytes = 0
        guard socket.isOpen, !chunks.isEmpty else { return }
        socket.write(chunks)
        if phase == .idle, server.isDraining { enter(.closing, Self.lingering) }
        if phase == .idle || phase == .closing, socket.queuedBytes > 0 {
            expires = .after(configuration.writeTimeout)
        }
        if phase == .closing {
            // FIN behind the answer; reading goes on so that no RST overtakes it (RFC 9112 §9.6).
            socket.shutdown()
            if peerEnded, socket.queuedBytes == 0 { close() }
        }
        unclog()
    }

    private func close() {
        if phase != .upgraded { phase = .closing }
        socket.close()
    }

    // MARK: WebSocket

    private func upgrade(_ request: EdgeRequest, isAdmin: Bool, _ label: String) async {
        do throws(EdgeFailure) {
            let admission = try await server.admit(request, isAdmin: isAdmin)
            guard phase == .busy, socket.isOpen, !peerEnded else { return }
            var response = HTTPResponse(status: .switchingProtocols)
            for field in admission.handshake.responseFields() {
                try? response.headers.add(field.name, field.value)
            }
            try? response.headers.add("x-request-id", request.id)
            let bytes = HTTPResponseEncoder(for: request.head)
                .encode(response, date: server.dateField())
            server.log(request.head.method.rawValue, label, response.status, bytes.count, request)
            task = nil
            let pending = out + [bytes]
            out = []
            outBytes = 0
            let remaining = parser.takeRemaining()
            phase = .upgraded
            server.closed(self)
            socket.write(pending)
            server.open(socket, admission, address: request.address, remaining)
            if !isReading { socket.startReading() }
        } catch {
            finish(server.gateway.answer(error, to: request), request, label)
        }
    }

    // MARK: Time and the end

    /// Called about once a second.
    func check(_ now: Deadline) {
        guard now >= expires else { return }
        switch phase {
        case .head, .body:
            refuse(
                EdgeFailure(.requestTimeout, "MALFORMED_REQUEST", "the request took too long"))
        case .busy:
            task?.cancel()
            close()
        case .idle, .closing: close()
        case .upgraded: break
        }
    }

    /// No further requests; what is being answered is answered first.
    func drain() {
        if phase == .idle || phase == .head, out.isEmpty { close() }
    }

    func abort() {
        task?.cancel()
        close()
    }
}
