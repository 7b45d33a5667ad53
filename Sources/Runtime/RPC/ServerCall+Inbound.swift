import Loop

/// What has come and is taken.
extension ServerCall {
    @usableFromInline
    func look() throws -> NextMessage {
        guard loop.isInLoop else { return .elsewhere }
        if let failure { throw failure }
        if finished { throw ServerCall.hasEnded }
        if inbound.hasCompressed || hooks != nil || inflation.transcode != nil { return .elsewhere }
        if let first = inbound.first { return .message(first) }
        return inboundEnded ? .end : .nothing
    }

    /// The one request of a call that waits with its end behind it; else nil.
    @usableFromInline
    func lookAtOnly() throws -> UnsafeRawBufferPointer? {
        guard case .message(let bytes) = try look(), inboundEnded, inbound.count == 1 else {
            return nil
        }
        return bytes
    }

    /// The message of the last look was taken.
    @usableFromInline
    func didLook() {
        transport.serverCall(self, didConsume: inbound.removeFirst())
    }

    /// The next message that waits, inflated. Compressed ones are inflated only here, when the
    /// handler wants them.
    func take() throws -> [UInt8]? {
        guard let message = inbound.popFirst() else { return nil }
        transport.serverCall(self, didConsume: message.count)
        let isPlain = !inbound.hasCompressed && hooks == nil && inflation.transcode == nil
        return isPlain ? message : try open(message)
    }

    /// A message as the handler gets it: inflated, in protobuf, then seen by interceptors.
    func open(_ wire: [UInt8]) throws -> [UInt8] {
        let isPlain = !inbound.hasCompressed && inflation.transcode == nil
        let message = isPlain ? wire : try read(wire)
        guard let hooks else { return message }
        hooks.count(received: message.count, compressed: wire.count)
        return try hooks.request(message)
    }

    func read(_ message: [UInt8]) throws(RPCError) -> [UInt8] {
        context.markRequest(compressed: inbound.lastWasCompressed)
        do throws(RPCError) {
            return try inflation.read(message, isCompressed: inbound.lastWasCompressed)
        } catch {
            // Later: the transport may be in the middle of what it delivers.
            loop.execute { self.fail(error) }
            throw error
        }
    }
}
