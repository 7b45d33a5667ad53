import Compression
import Environment
import RPC

/// One call of gRPC-Web or Connect on the server: between an HTTP exchange and a `ServerCall`.
/// The dialect knows how things are written; this knows when.
final class WebCall: ServerCallTransport, @unchecked Sendable {
    // Confined to the host's loop.

    private let request: WebRequest
    private let exchange: any WebExchange
    private let host: any WebHost
    private var dialect: any WebDialect
    private var codec = MessageCodec.proto
    private(set) var call: ServerCall?
    private var compression = CompressionAlgorithm.identity
    private var messageCount = 0
    private var messagesSent = 0
    private var waitsForHalfClose = false
    private var hasBegun = false
    private var hasEnded = false
    private var handlerRuns = false
    private var heldBytes = 0
    private var bufferedBytes = 0

    init(
        _ request: WebRequest, _ dialect: any WebDialect, _ exchange: any WebExchange,
        _ host: any WebHost
    ) {
        self.request = request
        self.dialect = dialect
        self.exchange = exchange
        self.host = host
    }

    func start(_ method: RegisteredMethod) {
        do throws(RPCError) {
            let encoding = try checkedEncoding()
            let timeout = try dialect.timeout()
            if dialect.isJSON {
                guard let schema = host.table.schemas.find(method.descriptor) else {
                    throw RPCError(.unimplemented, "\(method.descriptor) has no schema for JSON")
                }
                codec = .json(schema, host.table.schemas.pool)
            }
            begin(method, encoding, timeout)
        } catch {
            refuse(error)
        }
    }

    private func checkedEncoding() throws(RPCError) -> CompressionAlgorithm {
        let policy = host.configuration.compression
        if let version = request.first("connect-protocol-version"), version != "1" {
            throw RPCError(.invalidArgument, "connect-protocol-version is not 1")
        }
        guard let encoding = dialect.encoding, policy.accepted.contains(encoding) else {
            throw RPCError(
                .unimplemented, "no support for that compression, only \(policy.acceptedList)")
        }
        return encoding
    }

    private func begin(
        _ method: RegisteredMethod, _ encoding: CompressionAlgorithm, _ timeout: Duration?
    ) {
        let context = ServerContext(
            method: method, metadata: request.metadata,
            deadline: timeout.map { Deadline.after($0) }, peer: host.peer)
        let call = ServerCall(method: method, context: context, loop: host.loop, transport: self)
        call.inflation = MessageInflation(
            algorithm: encoding, limit: host.configuration.maxMessageBytes)
        if dialect.isJSON { call.inflation.transcode = codec.decode }
        self.call = call
        waitsForHalfClose = method.waitsForHalfClose
        guard call.startDeadline() else { return }
        if !waitsForHalfClose { run(call) }
    }

    private func run(_ call: ServerCall) {
        handlerRuns = true
        dropBuffered()
        exchange.handlerWillStart()
        call.start()
    }

    /// Answers with the status when no call has begun.
    func refuse(_ error: RPCError) {
        host.count(error)
        hasEnded = true
        var end = dialect.end(error, headers: Metadata(), trailers: error.metadata)
        if error.code == .unimplemented {
            let list = host.configuration.compression.acceptedList
            end.head?.fields.add(type(of: dialect).acceptField, list)
        }
        leave(end)
    }

    // MARK: What arrives

    func receive(_ bytes: UnsafeRawBufferPointer) {
        guard let call, !call.isOver else { return exchange.consume(bytes.count) }
        var refusal: RPCError?
        let limit = host.configuration.maxMessageBytes
        let problem = dialect.receive(bytes, limit: limit) { message, isCompressed in
            refusal = refusal ?? deliver(message, isCompressed, to: call)
        }
        if let error = refusal ?? problem { call.fail(error) }
        keepAccounts(of: call)
    }

    private func deliver(
        _ message: [UInt8], _ isCompressed: Bool, to call: ServerCall
    ) -> RPCError? {
        messageCount += 1
        if waitsForHalfClose, messageCount > 1 { return .severalRequests }
        if isCompressed, call.inflation.algorithm == .identity { return .compressedWithoutEncoding }
        if waitsForHalfClose { heldBytes = message.count }
        call.deliver(message, isCompressed: isCompressed)
        return nil
    }

    func receiveEnd() {
        guard let call, !call.isOver else { return }
        var refusal: RPCError?
        let problem = dialect.receiveEnd { message, isCompressed in
            refusal = refusal ?? deliver(message, isCompressed, to: call)
        }
        if let error = refusal ?? problem { return call.fail(error) }
        call.deliverEnd()
        guard waitsForHalfClose, !handlerRuns else { return }
        if messageCount == 0 { return call.fail(.noRequest) }
        run(call)
    }

    /// As for gRPC: a whole message is paid for when the handler takes it, a part of one at once
    /// when the handler has nothing else to take.
    private func keepAccounts(of call: ServerCall) {
        if call.isStarved { exchange.consume(Int.max) }
        let buffered = dialect.bufferedBytes + heldBytes
        host.bufferedBytes += buffered - bufferedBytes
        bufferedBytes = buffered
        if host.isOverBudget {
            call.fail(.connectionIsFull)
            dropBuffered()
        }
    }

    private func dropBuffered() {
        heldBytes = 0
        host.bufferedBytes -= bufferedBytes
        bufferedBytes = 0
    }

    /// Those that came and went so far.
    var messages: ConnectionTraffic.Messages { .init(sent: messagesSent, received: messageCount) }

    func didDrain() {
        call?.didDrain()
    }

    /// The client went away, or the exchange is complete.
    func exchangeDidClose() {
        dropBuffered()
        if let call, !call.isOver {
            call.fail(RPCError(.cancelled, "the client ended the call"))
        }
        if !handlerRuns { call = nil }
    }

    // MARK: What leaves

    func serverCall(_ call: ServerCall, didConsume count: Int) {
        exchange.consume(call.isStarved ? Int.max : count)
    }

    func sendHeaders(of call: ServerCall) {
        guard !hasBegun, !hasEnded else { return }
        hasBegun = true
        let context = call.context
        let wanted = context.responseCompression ?? host.configuration.compression.algorithm
        let accepted = request.accepted(type(of: dialect).acceptField)
        if accepted.contains(wanted) { compression = wanted }
        let metadata = context.hasResponseMetadata ? context.responseMetadata : Metadata()
        if let head = dialect.begin(metadata, compression) { leave(head) }
    }

    func send(_ message: [UInt8], compress: Bool?, of call: ServerCall) -> Bool {
        guard !hasEnded else { return true }
        let encoded: [UInt8]
        do throws(RPCError) {
            encoded = try codec.encode(message)
        } catch {
            call.fail(error)
            return true
        }
        sendHeaders(of: call)
        messagesSent += 1
        let bytes = dialect.message(compressed(encoded, compress, call))
        if bytes.isEmpty || exchange.write(bytes) { return true }
        if host.isOverBudget, !call.isOver { call.fail(.connectionIsFull) }
        return false
    }

    private func compressed(
        _ message: [UInt8], _ wish: Bool?, _ call: ServerCall
    ) -> WireMessage {
        if compression == .identity { return WireMessage(message) }
        let wire = WireMessage(message, compression, host.configuration.compression, wish)
        if wire.isCompressed { call.didCompress(saving: message.count - wire.bytes.count) }
        return wire
    }

    func finish(_ call: ServerCall, error: RPCError?) {
        host.count(error)
        dropBuffered()
        guard !hasEnded else { return }
        if error == nil { sendHeaders(of: call) }
        hasEnded = true
        if let error, hasBegun, exchange.waitingBytes > 0,
            error.code == .deadlineExceeded || error.code == .cancelled
        {
            // The client does not read: it would never see the status.
            return exchange.abort()
        }
        let context = call.context
        let has = context.hasResponseMetadata
        var trailers = has ? context.trailingMetadata : Metadata()
        if let error { trailers.append(contentsOf: error.metadata) }
        leave(
            dialect.end(
                error, headers: has ? context.responseMetadata : Metadata(), trailers: trailers))
    }

    private func leave(_ head: WebHead) {
        var fields = head.fields
        CrossOrigin(host.configuration.web).mark(&fields, request)
        exchange.respond(head.status, fields)
    }

    private func leave(_ end: WebEnd) {
        if let head = end.head { leave(head) }
        if !end.body.isEmpty { _ = exchange.write(end.body) }
        exchange.finish()
    }

    func handlerDidEnd(_ call: ServerCall) {
        handlerRuns = false
        self.call = nil
        exchange.handlerDidEnd()
    }
}
