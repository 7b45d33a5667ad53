import Loop

/// What transports and their streams tell a call. Loop only.
extension ServerCall {
    /// A whole request message has arrived.
    package func deliver(_ message: [UInt8], isCompressed: Bool = false) {
        if finished { return }
        inbound.append(message, isCompressed: isCompressed)
        wake()
    }

    /// Bytes of the request body have arrived: messages in gRPC's framing, cut anywhere.
    package func receive(_ bytes: UnsafeRawBufferPointer, limit: Int) -> MessageQueue.Problem? {
        if finished { return nil }
        let problem = inbound.receive(bytes, limit: limit)
        if receiver != nil, !inbound.isEmpty { wake() }
        return problem
    }

    /// Whole messages so far.
    package var receivedMessages: Int { inbound.total }
    /// Messages that wait for the handler.
    package var waitingMessages: Int { inbound.count }
    /// Of a message that is not whole yet.
    package var partialBytes: Int { inbound.partialBytes }
    /// What the call holds of its requests.
    package var heldBytes: Int { inbound.partialBytes + inbound.wholeBytes }
    /// A compressed message has come.
    package var hasCompressed: Bool { inbound.hasCompressed }

    /// The status has gone: what still arrives is for nobody.
    package var isOver: Bool { finished }

    /// The handler has taken every whole message.
    package var isStarved: Bool { inbound.isEmpty }

    /// The client has half-closed.
    package func deliverEnd() {
        inboundEnded = true
        wake()
    }

    /// What was sent has left: `send` goes on.
    package func didDrain() {
        mustWait = false
        guard let writer else { return }
        self.writer = nil
        writer.resume()
    }

    /// Ends the call with this status now, whatever the handler does: it is cancelled.
    package func fail(_ error: RPCError) {
        guard !finished else { return }
        finished = true
        failure = error
        timer?.cancel()
        timer = nil
        context.markCancelled()
        inbound.removeAll()
        transport.finish(self, error: error)
        if hooks != nil { tellEnd(error) }
        task?.cancel()
        wake()
        resumeWriter(throwing: error)
    }

    /// The hooks of the call's interceptors.
    var watched: CallHooks {
        loop.preconditionInLoop()
        if let hooks { return hooks }
        let hooks = CallHooks()
        self.hooks = hooks
        return hooks
    }

    /// A message that was sent left smaller by so many bytes.
    package func didCompress(saving bytes: Int) {
        hooks?.saved(sent: bytes)
    }

    func tellEnd(_ error: RPCError?) {
        let trailers = context.hasResponseMetadata ? context.trailingMetadata : Metadata()
        hooks?.ended(CallOutcome(error: error, trailers: trailers))
    }
}
