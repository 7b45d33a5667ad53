import Compression
import Environment
import HTTP2
import Loop
import RPC

/// One call on the client: gRPC's framing between a `ClientCall` and an HTTP/2 stream. It exists
/// before its stream is open: what is sent until then waits in the body.
final class ClientStream: HTTP2Stream, ClientCallTransport, @unchecked Sendable {
    // Confined to the channel's loop.

    /// Requests up to that size are kept so that a refused call can be sent again.
    private static let replayLimit = 64 << 10
    private static let maxAttempts = 5
    /// A reset that comes so shortly before the deadline is the server's deadline.
    private static let clockSlack = Duration.milliseconds(10)

    let call: ClientCall
    let metadata: Metadata
    let waitForReady: Bool
    let compression: CompressionAlgorithm
    private let channel: ChannelCore
    private let maxMessageBytes: Int
    private var deframer = MessageDeframer()
    private var head: ResponseHead?
    private var replay: [WireMessage]? = []
    private var replayBytes = 0
    private var halfClosed = false
    private var attempt = 1
    /// Waits in the channel for a connection.
    var isPending = false
    /// Who counts the outcome; nil: nobody.
    var tally: CallTally?

    init(
        _ call: ClientCall, metadata: Metadata, options: CallOptions, channel: ChannelCore
    ) {
        self.call = call
        self.metadata = metadata
        self.channel = channel
        waitForReady = options.waitForReady
        compression = options.compression ?? channel.configuration.compression.algorithm
        maxMessageBytes = options.maxResponseBytes ?? channel.configuration.maxMessageBytes
    }

    // MARK: What leaves

    func send(_ message: [UInt8], compress: Bool?, of call: ClientCall) -> Bool {
        let plainBytes = message.count
        let message =
            compression == .identity
            ? WireMessage(message)
            : WireMessage(message, compression, channel.configuration.compression, compress)
        if message.isCompressed { call.didCompress(saving: plainBytes - message.bytes.count) }
        if replay != nil {
            replayBytes += message.bytes.count
            if replayBytes > ClientStream.replayLimit {
                replay = nil
            } else {
                replay?.append(message)
            }
        }
        return write(framed: message)
    }

    func halfClose(_ call: ClientCall) {
        halfClosed = true
        endBody(trailers: nil)
    }

    func clientCall(_ call: ClientCall, didConsume count: Int) {
        consume(call.isStarved ? Int.max : count + 5)
    }

    func cancel(_ call: ClientCall) {
        if session != nil {
            reset(.cancel)
        } else {
            channel.forget(self)
        }
    }

    override func didDrainBody() {
        call.didDrain()
    }

    // MARK: What arrives

    override func didReceiveHeaders(_ block: HeaderBlock, endStream: Bool) {
        guard !call.hasEnded else { return }
        if block.isTooLarge {
            return abort(RPCError(.resourceExhausted, "the response headers are too large"))
        }
        let received = ResponseHead(block)
        if endStream { return finish(received) }
        if received.httpStatus >= 100, received.httpStatus < 200 { return }
        replay = nil
        head = received
        call.inflation = MessageInflation(
            algorithm: received.encoding ?? .identity, limit: maxMessageBytes)
        guard received.httpStatus == 200, received.isGRPC else {
            let why =
                received.httpStatus == 200
                ? "content-type \(received.contentType)" : "HTTP status \(received.httpStatus)"
            let code =
                received.httpStatus == 200
                ? RPCError.Code.unknown : StatusMapping.code(ofHTTP: received.httpStatus)
            return abort(RPCError(code, "the server does not speak gRPC: \(why)", blame: .peer))
        }
        call.deliverHeaders(received.metadata)
    }

    private func finish(_ trailers: ResponseHead) {
        replay = nil
        if head == nil, trailers.httpStatus == 200, trailers.code == .ok {
            call.deliverHeaders(Metadata())
        }
        if trailers.status() == nil, !deframer.isBetweenMessages {
            return end(RPCError(.internalError, "the response ended inside a message"))
        }
        end(trailers.status(), trailers: trailers.metadata)
    }

    override func didReceiveData(_ bytes: UnsafeRawBufferPointer, endStream: Bool) {
        guard !call.hasEnded, let head else { return consume(bytes.count) }
        var refusal: RPCError?
        let problem = deframer.receive(bytes, limit: maxMessageBytes) { message, isCompressed in
            if isCompressed, head.encoding == nil || head.encoding == .identity {
                refusal = head.encoding == nil ? .unknownEncoding : .compressedWithoutEncoding
            } else if refusal == nil {
                call.deliver(message, isCompressed: isCompressed)
            }
        }
        if let refusal { return abort(refusal) }
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
        guard !call.hasEnded else { return }
        if let loss = channel.losing {
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

    private func abort(_ error: RPCError) {
        reset(.cancel)
        fail(error)
    }

    /// The call has no stream, or lost it.
    func fail(_ error: RPCError) {
        end(error)
    }

    private func end(_ error: RPCError?, trailers: Metadata = Metadata()) {
        if let tally {
            tally.count(success: error == nil)
            self.tally = nil
        }
        call.end(error, trailers: trailers)
    }

    /// The server did not process the stream (REFUSED_STREAM, or above GOAWAY's last id): the
    /// call is sent again, unseen by the caller.
    private func retry() -> Bool {
        guard replay != nil, attempt < ClientStream.maxAttempts else { return false }
        attempt += 1
        // `didClose` is still on the stack; the stream is reusable once it has returned.
        channel.loop.execute { [self] in
            guard !call.hasEnded else { return }
            // The caller may have sent more since then.
            guard let messages = replay else {
                return call.end(RPCError(.unavailable, "the server refused the call"))
            }
            prepareForReuse()
            deframer.reset()
            for message in messages { _ = write(framed: message) }
            if halfClosed { endBody(trailers: nil) }
            call.didDrain()
            channel.open(self)
        }
        return true
    }
}
