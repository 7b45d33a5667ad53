import Compression
import Environment
import HTTP2
import Loop
import RPC

/// One call on the client: gRPC's framing between a `ClientCall` and an HTTP/2 stream. It exists
/// before its stream is open: what is sent until then waits in the body.
final class ClientStream: HTTP2Stream, ClientCallTransport, WaitingCall, @unchecked Sendable {
    // Confined to the channel's loop.

    private static let maxAttempts = 5
    /// A reset that comes so shortly before the deadline is the server's deadline.
    private static let clockSlack = Duration.milliseconds(10)

    private static let refused = RPCError(.unavailable, "the server refused the call")
    private static let abandoned = RPCError(.cancelled, "another attempt answered")

    /// Nil: the call has no policy of retries.
    private let attempts: CallAttempts?
    /// Nil: no interceptor wants to know of attempts.
    let record: AttemptRecord?
    /// Told to the server as `grpc-previous-rpc-attempts` unless zero.
    let previousAttempts: Int
    let call: ClientCall
    let metadata: Metadata
    let waitForReady: Bool
    let compression: CompressionAlgorithm
    private let channel: ChannelCore
    private let maxMessageBytes: Int
    @exclusivity(unchecked) private var head: ResponseHead?
    /// The request, kept so that a refused call can be sent again.
    @exclusivity(unchecked) private var replay: ReplayBuffer?
    /// The part of `channel.replayBytes` that is this call's.
    @exclusivity(unchecked) private var countedReplay = 0
    @exclusivity(unchecked) private var halfClosed = false
    @exclusivity(unchecked) private var attempt = 1
    /// The call goes on, or ended, without this stream.
    @exclusivity(unchecked) private var isAbandoned = false
    /// By the method's policy.
    @exclusivity(unchecked) var maxRequestBytes = Int.max
    /// Waits in the channel for a connection.
    @exclusivity(unchecked) var isPending = false
    /// Who counts the outcome; nil: nobody.
    @exclusivity(unchecked) var tally: CallTally?
    /// While the stream is open.
    @exclusivity(unchecked) unowned(unsafe) var connection: ClientConnection?
    /// Those that came and went so far.
    @exclusivity(unchecked) private(set) var messages = ConnectionTraffic.Messages()

    init(
        _ call: ClientCall, metadata: Metadata, options: CallOptions, channel: ChannelCore,
        attempts: CallAttempts? = nil, previousAttempts: Int = 0
    ) {
        self.previousAttempts = previousAttempts
        self.attempts = attempts
        replay = attempts == nil ? ReplayBuffer() : nil
        self.call = call
        record = call.hooks.flatMap { AttemptRecord($0) }
        self.metadata = metadata
        self.channel = channel
        waitForReady = options.waitForReady ?? false
        compression = options.compression ?? channel.configuration.compression.algorithm
        maxMessageBytes = options.maxResponseBytes ?? channel.configuration.maxMessageBytes
    }

    // MARK: What leaves

    func send(_ message: [UInt8], compress: Bool?, of call: ClientCall) -> Bool {
        if message.count > maxRequestBytes {
            abort(.messageTooLarge(message.count, limit: maxRequestBytes))
            return true
        }
        let message =
            compression == .identity
            ? WireMessage(message) : channel.wire(message, compression, compress, call)
        if let kept = replay?.bytes {
            if kept + message.bytes.count <= channel.uncountedReplayBytes {
                replay?.append(message)
            } else {
                keepMuch(message, kept + message.bytes.count)
            }
        }
        return put(message)
    }

    /// Of requests that are not small all calls together keep no more than the channel may.
    private func keepMuch(_ message: WireMessage, _ total: Int) {
        let all = channel.replayBytes - countedReplay + total
        guard total <= channel.configuration.maxReplayBytesPerCall,
            all <= channel.configuration.maxReplayBytes
        else { return forgetRequest() }
        channel.replayBytes = all
        countedReplay = total
        replay?.append(message)
    }

    @inline(__always)
    private func forgetRequest() {
        replay = nil
        if countedReplay > 0 {
            channel.replayBytes -= countedReplay
            countedReplay = 0
        }
    }

    @inline(__always)
    func put(_ message: WireMessage) -> Bool {
        messages.sent &+= 1
        record?.sent(message.bytes.count)
        return write(framed: message)
    }

    func send(_ message: UnsafeRawBufferPointer, of call: ClientCall) -> Bool {
        guard replay == nil, compression == .identity, message.count <= maxRequestBytes else {
            return send([UInt8](message), compress: nil, of: call)
        }
        messages.sent &+= 1
        return write(framed: message)
    }

    func halfClose(_ call: ClientCall) {
        halfClosed = true
        endBody(trailers: nil)
    }

    func clientCall(_ call: ClientCall, didConsume bytes: Int, messages: Int) {
        consume(call.isStarved ? Int.max : bytes + 5 * messages)
    }

    func cancel(_ call: ClientCall) {
        if attempts == nil { channel.calls.failed &+= 1 }
        connection?.traffic.callsFailed &+= 1
        record?.end(call.cause ?? ClientStream.abandoned, messages: messages.received)
        forgetRequest()
        if session != nil {
            reset(.cancel)
        } else {
            channel.forget(self)
        }
    }

    override func didDrainBody() {
        if let attempts { attempts.streamDidDrain(self) } else { call.didDrain() }
    }

    /// More waits to leave than should.
    var isFull: Bool { waitingBytes > HTTP2Stream.bodyHighWatermark / 2 }

    var situation: String? {
        guard isPending else { return nil }
        let state = channel.board.state
        if state.connectivity == .ready { return "waits for the server's stream limit" }
        let error = state.lastError.map { ": \($0.cause ?? $0.message)" } ?? ""
        return "waits for a connection to \(channel.authority)\(error)"
    }

    private var isOver: Bool { isAbandoned || call.hasEnded }

    // MARK: What arrives

    override func didReceiveHeaders(_ block: HeaderBlock, endStream: Bool) {
        guard !isOver else { return }
        if block.isTooLarge {
            return abort(ClientStream.headersTooLarge)
        }
        let received = ResponseHead.read(block)
        if endStream { return finish(received) }
        if received.httpStatus >= 100, received.httpStatus < 200 { return }
        forgetRequest()
        head = received
        guard received.httpStatus == 200, received.isGRPC else {
            let why =
                received.httpStatus == 200
                ? "content-type \(received.contentType)" : "HTTP status \(received.httpStatus)"
            let code =
                received.httpStatus == 200
                ? RPCError.Code.unknown : StatusMapping.code(ofHTTP: received.httpStatus)
            return abort(
                RPCError(
                    code, "the server does not speak gRPC: \(why)", metadata: received.metadata,
                    blame: .peer))
        }
        var metadata = received.metadata
        if let attempts { attempts.streamDidAnswer(self, &metadata) }
        call.inflation = MessageInflation(
            algorithm: received.encoding ?? .identity, limit: maxMessageBytes)
        call.deliverHeaders(metadata)
    }

    private func finish(_ trailers: ResponseHead) {
        forgetRequest()
        if head == nil, trailers.httpStatus == 200, trailers.code == .ok {
            call.deliverHeaders(Metadata())
        }
        if trailers.status() == nil, !call.isBetweenMessages {
            return end(RPCError(.internalError, "the response ended inside a message"))
        }
        end(trailers.status(), trailers: trailers.metadata)
    }

    override func didReceiveData(_ bytes: UnsafeRawBufferPointer, endStream: Bool) {
        guard !isOver, head != nil else { return consume(bytes.count) }
        let problem = call.receive(bytes, limit: maxMessageBytes)
        messages.received = call.receivedMessages
        record?.received(bytes.count)
        if call.hasCompressed, head?.encoding == nil || head?.encoding == .identity {
            return abort(head?.encoding == nil ? .unknownEncoding : .compressedWithoutEncoding)
        }
        switch problem {
        case nil: break
        case .badFlag(let flag): return abort(.badFlag(flag))
        case .tooLarge(let count):
            return abort(.messageTooLarge(count, limit: maxMessageBytes))
        }
        // A part of a message is paid for when the caller has nothing else to take, or it could
        // never become whole.
        if call.isStarved { consume(Int.max) }
    }

    override func didClose(_ code: HTTP2Code) {
        if !isOver { settle(code) }
        connection?.traffic.add(messages)
        connection = nil
    }

    /// What the call learns from the end of the stream when no status came.
    private func settle(_ code: HTTP2Code) {
        if headersAreTooLarge {
            end(ClientStream.headersTooLarge)
        } else if let loss = channel.losing {
            if id > channel.lastSent, retry() { return }
            // The server may have seen the call: only the caller knows whether to repeat it.
            end(loss)
        } else if code == .refusedStream, retry() {
            return
        } else if code == .noError {
            end(RPCError(.internalError, "the server ended the stream without a status"))
        } else if code == .cancel, let deadline = call.deadline,
            deadline.remaining < Self.clockSlack
        {
            // The server's clock was ahead of ours, or our timer late: it is the deadline anyway.
            end(RPCError(.deadlineExceeded, "the server gave up at the deadline"))
        } else {
            end(
                RPCError(
                    StatusMapping.code(of: code), "the server reset the stream",
                    blame: .peer, cause: "RST_STREAM \(code)"))
        }
    }

    private static let headersTooLarge = RPCError(
        .resourceExhausted, "the response headers are too large")

    private func abort(_ error: RPCError) {
        reset(.cancel)
        fail(error)
    }

    /// The call has no stream, or lost it.
    func fail(_ error: RPCError) {
        end(error)
    }

    private func end(_ error: RPCError?, trailers: Metadata = Metadata()) {
        if countedReplay > 0 { forgetRequest() }
        connection?.traffic.count(error)
        record?.end(error, messages: messages.received)
        if let tally {
            tally.count(success: error == nil)
            self.tally = nil
        }
        if let attempts {
            isAbandoned = true
            attempts.streamDidEnd(self, error, trailers)
        } else {
            channel.count(error)
            call.end(error, trailers: trailers)
        }
    }

    /// Another attempt is the call's, or the call is over: the server is told.
    func abandon() {
        guard !isAbandoned else { return }
        isAbandoned = true
        cancel(call)
    }

    private func wasRefused() {
        connection?.traffic.callsFailed &+= 1
        record?.end(ClientStream.refused, messages: 0)
    }

    /// The server did not process the stream (REFUSED_STREAM, above GOAWAY's last id, never
    /// sent): the call is sent again, unseen by the caller.
    private func retry() -> Bool {
        if let attempts {
            isAbandoned = attempts.streamWasRefused(self)
            if isAbandoned { wasRefused() }
            return isAbandoned
        }
        guard replay != nil, attempt < ClientStream.maxAttempts else { return false }
        wasRefused()
        attempt += 1
        // `didClose` is still on the stack; the stream is reusable once it has returned.
        channel.loop.execute { [self] in
            guard !call.hasEnded else { return }
            // The caller may have sent more since then.
            guard let messages = replay else {
                return end(ClientStream.refused)
            }
            prepareForReuse()
            self.messages = ConnectionTraffic.Messages()
            if messages.write(to: self) { call.didDrain() }
            if halfClosed { endBody(trailers: nil) }
            channel.open(self)
        }
        return true
    }
}
