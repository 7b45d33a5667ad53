import Compression
import Environment
import HTTP2
import RPC

/// One call on the server: gRPC's framing between an HTTP/2 stream and a `ServerCall`.
/// Pooled: used again when the stream has closed *and* the handler has ended.
final class ServerStream: HTTP2Stream, ServerCallTransport, @unchecked Sendable {
    // Confined to the connection's loop.

    /// Nothing is retained for a look at it, which there are many of per call.
    @exclusivity(unchecked) private var link: Unmanaged<ServerConnection>
    /// What keeps the connection alive while the stream is in use; nil in the pool.
    @exclusivity(unchecked) private var owner: ServerConnection?
    /// Set for the calls of gRPC-Web and Connect, which have no `call`.
    @exclusivity(unchecked) var web: WebCall?
    @exclusivity(unchecked) private var call: ServerCall?
    @exclusivity(unchecked) private var waitsForHalfClose = false
    @exclusivity(unchecked) var headersSent = false
    @exclusivity(unchecked) var handlerRuns = false
    @exclusivity(unchecked) var isClosed = false
    @exclusivity(unchecked) private var accepted: CompressionAlgorithms = []
    @exclusivity(unchecked) private var responseCompression = CompressionAlgorithm.identity
    /// This stream's share of the connection's budget: held, and of a message not whole yet.
    @exclusivity(unchecked) private var bufferedBytes = 0

    @exclusivity(unchecked) private var messagesSent = 0
    /// On the clock of the loop.
    @exclusivity(unchecked) private var startedAt: UInt64 = 0
    /// How often in a row the response was found waiting.
    @exclusivity(unchecked) private var stallChecks: UInt8 = 0

    init(_ connection: ServerConnection) {
        link = .passUnretained(connection)
        owner = connection
    }

    var connection: ServerConnection { link.takeUnretainedValue() }

    @inline(__always)
    private func withConnection<Result>(_ body: (ServerConnection) -> Result) -> Result {
        link._withUnsafeGuaranteedRef(body)
    }

    /// A recycled stream begins anew.
    func join(_ connection: ServerConnection) {
        link = .passUnretained(connection)
        owner = connection
    }

    /// As new, but of no connection.
    func recycle() {
        prepareForReuse()
        owner = nil
        call = nil
        web = nil
        waitsForHalfClose = false
        headersSent = false
        handlerRuns = false
        isClosed = false
        accepted = []
        responseCompression = .identity
        bufferedBytes = 0
        messagesSent = 0
        stallChecks = 0
    }

    // MARK: What arrives

    override func didReceiveHeaders(_ block: HeaderBlock, endStream: Bool) {
        guard call == nil, web == nil, !headersSent else { return }
        if block.isTooLarge {
            return refuse(
                RPCError(.resourceExhausted, "the request headers are larger than the limit"))
        }
        withConnection { begin(block, $0) }
    }

    private func begin(_ block: HeaderBlock, _ connection: ServerConnection) {
        startedAt = connection.clock.lastRead
        let head = RequestHead.read(block, connection.table)
        guard head.hasGRPCContentType else { return startWeb(WebRequest(block)) }
        guard head.isPOST else { return refuseMethod() }
        guard let method = head.method else {
            let path = block.first(":path") ?? "?"
            return refuse(RPCError(.unimplemented, "no method \(path)"))
        }
        let policy = connection.configuration.compression
        if head.unknownEncoding != nil || !policy.accepted.contains(head.encoding) {
            let encoding = head.unknownEncoding ?? head.encoding.name
            let error = RPCError(.unimplemented, "no support for grpc-encoding \(encoding)")
            let fields = ResponseFields.status(error, nil, only: true)
            fields.append("grpc-accept-encoding", policy.acceptedList)
            connection.count(error)
            return refuse(fields)
        }
        if head.hasBadTimeout {
            return refuse(RPCError(.internalError, "grpc-timeout is malformed"))
        }
        start(method, head, connection)
    }

    private func start(
        _ method: RegisteredMethod, _ head: RequestHead, _ connection: ServerConnection
    ) {
        let context = ServerContext(
            method: method, metadata: head.metadata,
            deadline: head.timeout.map { Deadline.after($0) }, peer: connection.peer)
        let call = ServerCall(
            method: method, context: context, loop: connection.loop, transport: self)
        self.call = call
        call.inflation = MessageInflation(
            algorithm: head.encoding, limit: connection.configuration.maxMessageBytes)
        accepted = head.accepted
        waitsForHalfClose = method.waitsForHalfClose
        guard call.startDeadline() else { return }
        if !waitsForHalfClose { run(call, connection) }
    }

    private func run(_ call: ServerCall, _ connection: ServerConnection) {
        handlerRuns = true
        dropBuffered()
        connection.handlerWillStart()
        connection.handlers.run(call)
    }

    override func didReceiveData(_ bytes: UnsafeRawBufferPointer, endStream: Bool) {
        guard let call, !isClosed, !call.isOver else { return receiveForWeb(bytes) }
        let limit = withConnection { $0.configuration.maxMessageBytes }
        let problem = call.receive(bytes, limit: limit)
        if waitsForHalfClose, call.waitingMessages > 1 {
            call.fail(.severalRequests)
        } else if call.hasCompressed, call.inflation.algorithm == .identity {
            call.fail(.compressedWithoutEncoding)
        }
        switch problem {
        case nil: break
        case .badFlag(let flag): call.fail(.badFlag(flag))
        case .tooLarge(let count):
            call.fail(.messageTooLarge(count, limit: limit))
        }
        keepAccounts(of: call)
    }

    /// A whole message is paid for when the handler takes it. A part of one is paid for at once
    /// when the handler has nothing else to take, or it could never become whole; parts are
    /// bounded by the connection's budget instead.
    private func keepAccounts(of call: ServerCall) {
        if call.isStarved { consume(Int.max) }
        // A whole request waits for its half-close.
        let buffered = waitsForHalfClose ? call.heldBytes : call.partialBytes
        if buffered == bufferedBytes { return }
        let isOverBudget = withConnection { connection in
            connection.bufferedBytes += buffered - bufferedBytes
            return connection.isOverBudget
        }
        bufferedBytes = buffered
        if isOverBudget {
            call.fail(.connectionIsFull)
            dropBuffered()
        }
    }

    private func dropBuffered() {
        guard bufferedBytes != 0 else { return }
        withConnection { $0.bufferedBytes -= bufferedBytes }
        bufferedBytes = 0
    }

    override func didReceiveEnd() {
        guard let call, !isClosed else { return endForWeb() }
        guard call.partialBytes == 0 else {
            return call.fail(RPCError(.internalError, "the request ended inside a message"))
        }
        call.deliverEnd()
        guard waitsForHalfClose, !handlerRuns, !headersSent else { return }
        if call.waitingMessages == 0 {
            call.fail(.noRequest)
        } else {
            withConnection { run(call, $0) }
        }
    }

    override func didDrainBody() {
        call?.didDrain()
        web?.didDrain()
    }

    override func didClose(_ code: HTTP2Code) {
        isClosed = true
        withConnection { $0.traffic.add(messages) }
        dropBuffered()
        web?.exchangeDidClose()
        if let call, !call.isOver {
            call.fail(
                RPCError(.cancelled, "the client ended the call", cause: "reset with \(code)"))
        }
        if !handlerRuns { owner?.recycle(self) }
    }

    // MARK: What leaves

    private func refuse(_ fields: HTTP2Fields) {
        headersSent = true
        session?.respondOnly(self, fields)
    }

    private func refuseMethod() {
        connection.traffic.callsFailed &+= 1
        refuse(ResponseFields.methodNotAllowed)
    }

    private func refuse(_ error: RPCError) {
        connection.count(error)
        refuse(status(error, nil, only: true))
    }

    /// Without details and metadata when those are more than the client takes: the status must
    /// reach it.
    private func status(_ error: RPCError, _ context: ServerContext?, only: Bool) -> HTTP2Fields {
        let fields = ResponseFields.status(error, context, only: only)
        if fits(fields) { return fields }
        let bare = RPCError(
            error.code,
            "\(error.message) (its details and the metadata, \(fields.listBytes) bytes, were left out)",
            blame: error.blame)
        return ResponseFields.status(bare, nil, only: only)
    }

    func sendHeaders(of call: ServerCall) {
        if !begin(call) { _ = refuseMetadata(of: call) }
    }

    private func refuseMetadata(of call: ServerCall) -> Bool {
        if !call.isOver { call.fail(.metadataTooLarge) }
        return true
    }

    /// False when the metadata is more than the client takes.
    private func begin(_ call: ServerCall) -> Bool {
        if headersSent || !isOpen { return true }
        let policy = withConnection { $0.configuration.compression }
        let wanted = call.context.responseCompression ?? policy.algorithm
        if wanted != .identity, accepted.contains(wanted) { responseCompression = wanted }
        let fields = ResponseFields.headers(call.context, responseCompression, policy)
        guard fits(fields) else { return false }
        headersSent = true
        respond(fields)
        return true
    }

    func send(_ message: [UInt8], compress: Bool?, of call: ServerCall) -> Bool {
        guard isOpen else { return true }
        guard begin(call) else { return refuseMetadata(of: call) }
        messagesSent &+= 1
        let mayGoOn: Bool
        if responseCompression == .identity {
            mayGoOn = write(framed: message)
        } else {
            let policy = connection.configuration.compression
            let wire = WireMessage(message, responseCompression, policy, compress)
            if wire.isCompressed { call.didCompress(saving: message.count - wire.bytes.count) }
            mayGoOn = write(framed: wire)
        }
        return mayGoOn || mayNotGoOn(call)
    }

    func send(_ message: UnsafeRawBufferPointer, of call: ServerCall) -> Bool {
        guard isOpen else { return true }
        guard begin(call) else { return refuseMetadata(of: call) }
        guard responseCompression == .identity else {
            return send([UInt8](message), compress: nil, of: call)
        }
        messagesSent &+= 1
        return write(framed: message) || mayNotGoOn(call)
    }

    private func mayNotGoOn(_ call: ServerCall) -> Bool {
        if connection.isOverBudget, !call.isOver { call.fail(.connectionIsFull) }
        return false
    }

    func serverCall(_ call: ServerCall, didConsume count: Int) {
        consume(call.isStarved ? Int.max : count + 5)
    }

    func finish(_ call: ServerCall, error: RPCError?) {
        let trailers = error == nil ? ResponseFields.trailers(call.context) : nil
        var error = error
        if let trailers, !fits(trailers) || !begin(call) { error = .metadataTooLarge }
        withConnection { $0.count(error) }
        dropBuffered()
        guard isOpen else { return }
        guard let error else { return endBody(trailers: trailers) }
        if !headersSent {
            refuse(status(error, call.context, only: true))
        } else if waitingBytes > 0, error.code == .deadlineExceeded || error.code == .cancelled {
            // The client does not read: it would never see the trailers.
            reset(.cancel)
        } else {
            endBody(trailers: status(error, call.context, only: false))
        }
    }

    func handlerDidEnd(_ call: ServerCall) {
        handlerRuns = false
        withConnection { $0.handlerDidEnd() }
        recycleWhenClosed()
    }

    func recycleWhenClosed() {
        if isClosed { owner?.recycle(self) }
    }

    // MARK: What the connection asks

    /// Looked at twice per `sendStallTimeout`: true when the client has taken nothing of what
    /// waits since the look before the last.
    func isStalled() -> Bool {
        defer { hasProgressed = false }
        guard waitingBytes > 0, !hasProgressed else {
            stallChecks = 0
            return false
        }
        stallChecks += 1
        return stallChecks > 2
    }

    /// Ends the call, and the stream when the client would not read the status.
    func cancel(_ error: RPCError) {
        if let call = call ?? web?.call, !call.isOver { call.fail(error) } else { reset(.cancel) }
    }

    /// Those that came and went so far.
    var messages: ConnectionTraffic.Messages {
        guard let web else {
            return .init(sent: messagesSent, received: call?.receivedMessages ?? 0)
        }
        return web.messages
    }

    /// The call, when there is one.
    func running(at now: UInt64) -> RunningCall? {
        guard let call = call ?? web?.call else { return nil }
        return RunningCall(
            method: call.context.method.path, peer: connection.peer.address,
            age: .milliseconds(now - startedAt), deadline: call.context.deadline)
    }
}
