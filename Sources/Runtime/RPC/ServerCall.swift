import Environment
public import Loop

/// One call as its handler sees it, in encoded messages. The generated code turns it into the
/// typed method; interceptors see it as it is.
///
/// Its state is confined to `loop`. Handlers run there, and what they await resumes there; from
/// another thread (a detached task) every method hops to the loop first.
/// Cancelling the handler's task, a deadline, and the peer's cancel are the same event: `receive`
/// and `send` throw it, `context.isCancelled` is true, and the handler is expected to return.
public final class ServerCall: @unchecked Sendable {  // state confined to `loop`
    public let context: ServerContext
    public let loop: EventLoop

    /// For a task that outlived its handler.
    static let hasEnded = RPCError(.cancelled, "the call has ended", blame: .us)

    let registered: RegisteredMethod
    let transport: any ServerCallTransport
    @exclusivity(unchecked) var inbound = MessageQueue()
    /// Set by the transport before it delivers.
    package var inflation: MessageInflation {
        get { currentInflation }
        set { currentInflation = newValue }
    }
    // Other modules check their accesses to stored properties whatever the attribute says.
    @exclusivity(unchecked) var currentInflation = MessageInflation()
    @exclusivity(unchecked) var inboundEnded = false
    @exclusivity(unchecked) var failure: RPCError?
    @exclusivity(unchecked) var finished = false
    @exclusivity(unchecked) var handlerEnded = false
    @exclusivity(unchecked) var receiver: CallReceiver?
    @exclusivity(unchecked) var writer: UnsafeContinuation<Void, any Error>?
    @exclusivity(unchecked) var mustWait = false
    @exclusivity(unchecked) var timer: LoopTimer?
    @exclusivity(unchecked) var task: Task<Void, Never>?
    @exclusivity(unchecked) var ownTask: UnsafeRawPointer?
    /// What interceptors want to see; nil for almost every call.
    @exclusivity(unchecked) @usableFromInline var hooks: CallHooks?

    package init(
        method: RegisteredMethod, context: ServerContext, loop: EventLoop,
        transport: any ServerCallTransport
    ) {
        self.registered = method
        self.context = context
        self.loop = loop
        self.transport = transport
    }

    // MARK: For handlers

    /// The next request message; nil when the client has half-closed.
    /// - Throws: the call's failure (CANCELLED, DEADLINE_EXCEEDED, …).
    public func receive() async throws -> [UInt8]? {
        while loop.isInLoop {
            if let failure { throw failure }
            if finished { throw ServerCall.hasEnded }
            if let message = try take() { return message }
            if inboundEnded { return nil }
            try await wait()
        }
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                guard loop.offer({ self.attach(outside: continuation) }) else {
                    return continuation.resume(throwing: ServerCall.hasEnded)
                }
                // Behind `attach`, whichever of the two has seen the cancellation.
                if Task.isCancelled { loop.execute { self.wake() } }
            }
        } onCancel: {
            loop.execute { self.wake() }
        }
    }

    /// The request of a method whose client sends exactly one message.
    /// - Throws: UNIMPLEMENTED when the client sent none or several (status-codes.md).
    public func receiveOnly() async throws -> [UInt8] {
        guard let message = try await receive() else {
            throw RPCError(.unimplemented, "the client sent no request message", blame: .peer)
        }
        if loop.isInLoop, inboundEnded, inbound.isEmpty { return message }
        guard try await receive() == nil else {
            throw RPCError(.unimplemented, "the client sent several messages", blame: .peer)
        }
        return message
    }

    /// Sends a response message; suspends while the client does not read.
    /// - Parameter compress: false: never, true: whatever its size, when the call has an
    ///   algorithm (`context.responseCompression`, or the server's); nil: by the server's policy.
    /// - Throws: the call's failure; nothing more can be sent then.
    public func send(_ message: [UInt8], compress: Bool? = nil) async throws {
        guard loop.isInLoop else {
            try await sendFromOutside(message, compress)
            return
        }
        if mustWait { try await drain() }
        try sendOnly(message, compress: compress)
    }

    /// Sends when that needs no waiting; false, and nothing done, when it does.
    public func trySend(_ message: [UInt8], compress: Bool? = nil) throws -> Bool {
        guard loop.isInLoop, !mustWait else { return false }
        try sendOnly(message, compress: compress)
        return true
    }

    /// Sends without suspending: for the one answer of a method that does not stream.
    /// On the loop only.
    public func sendOnly(_ message: [UInt8], compress: Bool? = nil) throws {
        if let failure { throw failure }
        if finished { throw ServerCall.hasEnded }
        guard let hooks else {
            if !transport.send(message, compress: compress, of: self) { mustWait = true }
            return
        }
        let message = try hooks.response(message)
        hooks.count(sent: message.count)
        if !transport.send(message, compress: compress, of: self) { mustWait = true }
    }

    /// Whether a message may go straight from where it was encoded.
    /// - Throws: the call's failure.
    @usableFromInline
    func sendsInPlace(_ compress: Bool?) throws -> Bool {
        guard hooks == nil, compress == nil, loop.isInLoop, !mustWait else { return false }
        if let failure { throw failure }
        if finished { throw ServerCall.hasEnded }
        return true
    }

    @usableFromInline
    func send(inPlace message: UnsafeRawBufferPointer) {
        if !transport.send(message, of: self) { mustWait = true }
    }

    /// Sends `context.responseMetadata` now instead of with the first message.
    public func sendHeaders() async throws {
        try await loop.submit { [self] in
            if let failure { throw failure }
            if finished { throw ServerCall.hasEnded }
            transport.sendHeaders(of: self)
        }
    }

    func sendFromOutside(_ message: [UInt8], _ compress: Bool?) async throws {
        if try await loop.submit({ [self] in mustWait }) { try await drain() }
        try await loop.submit { [self] in try sendOnly(message, compress: compress) }
    }
}
