package import Environment
import Loop

/// What channels and their streams tell a call. Loop only.
extension ClientCall {
    /// Attaches what carries the call and starts its clock. False when the deadline has passed:
    /// the call has failed then.
    package func begin(_ transport: any ClientCallTransport) -> Bool {
        loop.preconditionInLoop()
        if ended { return false }
        guard let enforcedDeadline else {
            self.transport = transport
            return true
        }
        let remaining = enforcedDeadline.remaining
        if remaining <= .zero {
            end(RPCError(.deadlineExceeded, "the deadline passed before the call was sent"))
            return false
        }
        self.transport = transport
        startTimer(remaining)
        return true
    }

    func startTimer(_ remaining: Duration) {
        timer = loop.schedule(after: remaining) { [self] in
            abandon(
                RPCError(
                    .deadlineExceeded, "no answer within the deadline",
                    cause: transport?.situation))
        }
    }

    /// A policy's deadline: counts when it is earlier.
    package func tighten(to deadline: Deadline) {
        guard !ended, deadline < enforcedDeadline ?? .distantFuture else { return }
        enforcedDeadline = deadline
        guard transport != nil else { return }
        timer?.cancel()
        startTimer(deadline.remaining)
    }

    package var hasEnded: Bool { ended }

    /// Why the call failed, once it has.
    package var cause: RPCError? { failure }

    /// The caller has taken every whole message.
    package var isStarved: Bool { inbound.isEmpty || unaryWaiter != nil }

    package func deliverHeaders(_ metadata: Metadata) {
        guard headers == nil else { return }
        headers = metadata
        hooks?.received(headers: metadata)
        headersWaiter?.resume(returning: metadata)
        headersWaiter = nil
    }

    package func deliver(_ message: [UInt8]) {
        if ended { return }
        inbound.append(message)
        didReceive()
    }

    /// Bytes of the response body have arrived: messages in gRPC's framing, cut anywhere.
    package func receive(_ bytes: UnsafeRawBufferPointer, limit: Int) -> MessageQueue.Problem? {
        if ended { return nil }
        let problem = inbound.receive(bytes, limit: limit)
        if !inbound.isEmpty { didReceive() }
        return problem
    }

    func didReceive() {
        if unaryWaiter == nil {
            wake()
        } else if inbound.count > 1 {
            abandon(ClientCall.severalResponses)
        }
    }

    /// Whole messages so far.
    package var receivedMessages: Int { inbound.total }
    /// The body ends between two messages.
    package var isBetweenMessages: Bool { inbound.partialBytes == 0 }
    /// A compressed message has come.
    package var hasCompressed: Bool { inbound.hasCompressed }

    /// A message that was sent left smaller by so many bytes.
    package func didCompress(saving bytes: Int) {
        hooks?.saved(sent: bytes)
    }

    package func didDrain() {
        mustWait = false
        writer?.resume()
        writer = nil
    }

    /// The status arrived, or the transport failed: nil is OK. Messages that were received
    /// before stay readable.
    package func end(_ error: RPCError?, trailers: Metadata = Metadata()) {
        guard !ended else { return }
        ended = true
        failure = error
        trailerFields = trailers
        timer?.cancel()
        timer = nil
        if inbound.isEmpty || unaryWaiter != nil { transport = nil }
        resumeUnary()
        wake()
        if let writer {
            self.writer = nil
            let lost = RPCError(.cancelled, "the call has ended")
            writer.resume(throwing: error ?? lost)
        }
        if let headersWaiter {
            self.headersWaiter = nil
            if let error {
                headersWaiter.resume(throwing: error)
            } else {
                headersWaiter.resume(returning: Metadata())
            }
        }
        hooks?.ended(CallOutcome(error: error, trailers: trailers))
    }

    func abandon(_ error: RPCError) {
        guard !ended else {
            inbound.removeAll()
            transport = nil
            return
        }
        let transport = transport
        inbound.removeAll()
        end(error)
        transport?.cancel(self)
    }
}
