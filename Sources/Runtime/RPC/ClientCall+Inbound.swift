import Loop

/// What has come and is taken.
extension ClientCall {
    /// Small against every window: a sender that waits must not wait for what was taken already.
    static let takenLimit = 4 << 10
    static let takenMessageLimit = 64

    @usableFromInline
    func look() throws -> NextMessage {
        guard loop.isInLoop, hooks == nil, !inbound.hasCompressed else { return .elsewhere }
        if let first = inbound.first { return .message(first) }
        if let failure { throw failure }
        return ended ? .end : .nothing
    }

    /// The message of the last look was taken.
    @usableFromInline
    func didLook() {
        didTake(inbound.removeFirst())
    }

    /// Tells the transport, at the latest when nothing is left.
    func didTake(_ count: Int) {
        takenBytes &+= count
        takenMessages &+= 1
        guard
            inbound.isEmpty || takenBytes >= ClientCall.takenLimit
                || takenMessages >= ClientCall.takenMessageLimit
        else { return }
        transport?.clientCall(self, didConsume: takenBytes, messages: takenMessages)
        takenBytes = 0
        takenMessages = 0
        if ended, inbound.isEmpty { transport = nil }
    }

    /// The next message that waits, inflated. Compressed ones are inflated only here, when the
    /// caller wants them.
    func take() throws -> [UInt8]? {
        guard let message = inbound.popFirst() else { return nil }
        didTake(message.count)
        return inbound.lastWasCompressed || hooks != nil ? try open(message) : message
    }

    /// A message as the caller gets it: inflated, then seen by interceptors.
    func open(_ wire: [UInt8]) throws -> [UInt8] {
        let message = inbound.lastWasCompressed ? try inflate(wire) : wire
        guard let hooks else { return message }
        do {
            hooks.count(received: message.count, compressed: wire.count)
            return try hooks.response(message)
        } catch {
            abandon(RPCError(wrapping: error))
            throw error
        }
    }

    func inflate(_ message: [UInt8]) throws(RPCError) -> [UInt8] {
        do throws(RPCError) {
            return try inflation.inflate(message)
        } catch {
            abandon(error)
            failure = failure ?? error
            throw error
        }
    }
}
