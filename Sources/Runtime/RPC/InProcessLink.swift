import Environment

/// Both transports of one in-process call: what one side sends the other is delivered.
final class InProcessLink: ServerCallTransport, ClientCallTransport, @unchecked Sendable {
    // Confined to the call's loop.

    /// A sender waits when the other side has that many bytes unread.
    private static let window = 64 * 1024
    /// What a message counts besides its bytes: a flood of empty ones must wait as well.
    private static let messageCost = 64

    private let client: ClientCall
    private let maxRequestBytes: Int
    private let maxResponseBytes: Int
    private var server: ServerCall?
    private var started = false
    private var requestBytes = 0
    private var responseBytes = 0
    private var requestCount = 0
    private var headersSent = false
    private var clientGone = false
    private var waitsForHalfClose = false

    init(client: ClientCall, maxRequestBytes: Int, maxResponseBytes: Int) {
        self.client = client
        self.maxRequestBytes = maxRequestBytes
        self.maxResponseBytes = maxResponseBytes
    }

    func open(_ method: RegisteredMethod?, metadata: Metadata) {
        guard client.begin(self) else { return }
        client.hooks?.beginOnlyAttempt()
        guard let method else {
            client.end(RPCError(.unimplemented, "no method \(client.method.path)"))
            return
        }
        let context = ServerContext(
            method: method, metadata: metadata, deadline: client.deadline, peer: .inProcess)
        let call = ServerCall(method: method, context: context, loop: client.loop, transport: self)
        server = call
        waitsForHalfClose = method.waitsForHalfClose
        if call.startDeadline(), !waitsForHalfClose { startHandler(call) }
    }

    private func startHandler(_ call: ServerCall) {
        guard !started else { return }
        started = true
        call.start()
    }

    // MARK: Client side

    func send(_ message: [UInt8], compress: Bool?, of call: ClientCall) -> Bool {
        guard let server else { return true }
        requestCount += 1
        if message.count > maxRequestBytes {
            server.fail(.messageTooLarge(message.count, limit: maxRequestBytes))
            return true
        }
        if waitsForHalfClose, requestCount > 1 {
            server.fail(.severalRequests)
            return true
        }
        requestBytes += message.count + InProcessLink.messageCost
        server.deliver(message)
        // A handler that starts at half-close drains nothing before: there is one message anyway.
        return waitsForHalfClose || requestBytes < InProcessLink.window
    }

    func halfClose(_ call: ClientCall) {
        guard let server else { return }
        server.deliverEnd()
        guard waitsForHalfClose else { return }
        if requestCount == 0 {
            server.fail(.noRequest)
        } else {
            startHandler(server)
        }
    }

    func clientCall(_ call: ClientCall, didConsume bytes: Int, messages: Int) {
        let wasFull = responseBytes >= InProcessLink.window
        responseBytes -= bytes + messages * InProcessLink.messageCost
        if wasFull, responseBytes < InProcessLink.window { server?.didDrain() }
    }

    func cancel(_ call: ClientCall) {
        clientGone = true
        // Both sides have one clock; which of them looks at it first is no difference.
        let isLate = call.deadline?.hasPassed == true
        server?.fail(
            isLate
                ? RPCError(.deadlineExceeded, "the deadline passed while the call ran")
                : RPCError(.cancelled, "the client cancelled the call"))
    }

    // MARK: Server side

    func serverCall(_ call: ServerCall, didConsume count: Int) {
        let wasFull = requestBytes >= InProcessLink.window
        requestBytes -= count + InProcessLink.messageCost
        if wasFull, requestBytes < InProcessLink.window { client.didDrain() }
    }

    func sendHeaders(of call: ServerCall) {
        guard !headersSent else { return }
        headersSent = true
        client.deliverHeaders(
            call.context.hasResponseMetadata ? call.context.responseMetadata : Metadata())
    }

    func send(_ message: [UInt8], compress: Bool?, of call: ServerCall) -> Bool {
        sendHeaders(of: call)
        if message.count > maxResponseBytes {
            client.end(.messageTooLarge(message.count, limit: maxResponseBytes))
            call.fail(RPCError(.cancelled, "the response was too large for the client"))
            return true
        }
        responseBytes += message.count + InProcessLink.messageCost
        client.deliver(message)
        return responseBytes < InProcessLink.window
    }

    func finish(_ call: ServerCall, error: RPCError?) {
        server = started ? server : nil
        guard !clientGone else { return }
        if error == nil { sendHeaders(of: call) }
        var trailers = call.context.hasResponseMetadata ? call.context.trailingMetadata : Metadata()
        if let error { trailers.append(contentsOf: error.metadata) }
        var seen = error
        if seen != nil {
            seen?.metadata = trailers
            seen?.cause = nil
        }
        client.end(seen, trailers: trailers)
    }

    func handlerDidEnd(_ call: ServerCall) {
        server = nil
    }
}
