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

    private enum Receiver {
        /// On the loop: looks again when it is woken.
        case here(UnsafeContinuation<Void, Never>)
        case elsewhere(UnsafeContinuation<[UInt8]?, any Error>)
    }

    /// For a task that outlived its handler.
    private static let hasEnded = RPCError(.cancelled, "the call has ended", blame: .us)

    private let registered: RegisteredMethod
    private let transport: any ServerCallTransport
    @exclusivity(unchecked) private var inbound = MessageQueue()
    /// Set by the transport before it delivers.
    package var inflation: MessageInflation {
        get { currentInflation }
        set { currentInflation = newValue }
    }
    // Other modules check their accesses to stored properties whatever the attribute says.
    @exclusivity(unchecked) private var currentInflation = MessageInflation()
    @exclusivity(unchecked) private var inboundEnded = false
    @exclusivity(unchecked) private var failure: RPCError?
    @exclusivity(unchecked) private var finished = false
    @exclusivity(unchecked) private var handlerEnded = false
    @exclusivity(unchecked) private var receiver: Receiver?
    @exclusivity(unchecked) private var writer: UnsafeContinuation<Void, any Error>?
    @exclusivity(unchecked) private var mustWait = false
    @exclusivity(unchecked) private var timer: LoopTimer?
    @exclusivity(unchecked) private var task: Task<Void, Never>?
    @exclusivity(unchecked) private var ownTask: UnsafeRawPointer?
    /// What interceptors want to see; nil for almost every call.
    @exclusivity(unchecked) @usableFromInline private(set) var hooks: CallHooks?

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
                let isGone = Task.isCancelled
                loop.execute {
                    self.attach(outside: continuation)
                    if isGone { self.wake() }
                }
            }
        } onCancel: {
            loop.execute { self.wake() }
        }
    }

    /// Waits, on the loop, until there may be something to receive.
    @inlinable @inline(__always)
    func wait() async throws {
        if isOwnTask {
            // As `ClientCall.wait`.
            return await _unsafeInheritExecutor_withUnsafeContinuation { attach($0) }
        }
        try await waitInOtherTask()
    }

    @usableFromInline
    func waitInOtherTask() async throws {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { attach($0) }
        } onCancel: {
            loop.execute { self.wake() }
        }
        if Task.isCancelled { throw CancellationError() }
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

    /// What a reader that decodes at once would find; messages are valid until the next event.
    @usableFromInline
    enum Place {
        case message(UnsafeRawBufferPointer)
        case end, nothing
        /// To be asked of `receive`: not on the loop, or not to be taken as it came.
        case elsewhere
    }

    @usableFromInline
    func look() throws -> Place {
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
    private func take() throws -> [UInt8]? {
        guard let message = inbound.popFirst() else { return nil }
        transport.serverCall(self, didConsume: message.count)
        let isPlain = !inbound.hasCompressed && hooks == nil && inflation.transcode == nil
        return isPlain ? message : try open(message)
    }

    /// A message as the handler gets it: inflated, in protobuf, then seen by interceptors.
    private func open(_ wire: [UInt8]) throws -> [UInt8] {
        let isPlain = !inbound.hasCompressed && inflation.transcode == nil
        let message = isPlain ? wire : try read(wire)
        guard let hooks else { return message }
        hooks.count(received: message.count, compressed: wire.count)
        return try hooks.request(message)
    }

    private func read(_ message: [UInt8]) throws(RPCError) -> [UInt8] {
        context.markRequest(compressed: inbound.lastWasCompressed)
        do throws(RPCError) {
            return try inflation.read(message, isCompressed: inbound.lastWasCompressed)
        } catch {
            // Later: the transport may be in the middle of what it delivers.
            loop.execute { self.fail(error) }
            throw error
        }
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

    private func sendFromOutside(_ message: [UInt8], _ compress: Bool?) async throws {
        if try await loop.submit({ [self] in mustWait }) { try await drain() }
        try await loop.submit { [self] in try sendOnly(message, compress: compress) }
    }

    /// The handler's own task, on the loop. Only `fail` cancels it, and that resumes whoever
    /// waits: a cancellation handler would cost more than the wait.
    @usableFromInline var isOwnTask: Bool {
        loop.isInLoop && ownTask != nil && TaskIdentity.current == ownTask
    }

    private func drain() async throws {
        if isOwnTask {
            return try await withUnsafeThrowingContinuation { attach(writer: $0) }
        }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                if loop.isInLoop { return attach(writer: continuation) }
                let isGone = Task.isCancelled
                loop.execute {
                    self.attach(writer: continuation)
                    if isGone { self.resumeWriter(throwing: CancellationError()) }
                }
            }
        } onCancel: {
            loop.execute { self.resumeWriter(throwing: CancellationError()) }
        }
    }

    @usableFromInline
    func attach(_ continuation: UnsafeContinuation<Void, Never>) {
        precondition(receiver == nil, "two tasks receive from one call at a time")
        receiver = .here(continuation)
    }

    private func attach(outside continuation: UnsafeContinuation<[UInt8]?, any Error>) {
        precondition(receiver == nil, "two tasks receive from one call at a time")
        receiver = .elsewhere(continuation)
        if finished || inboundEnded || !inbound.isEmpty { wake() }
    }

    /// Whoever receives looks again. Nothing there means that its task was cancelled.
    private func wake() {
        guard let receiver else { return }
        self.receiver = nil
        switch receiver {
        case .here(let continuation): continuation.resume()
        case .elsewhere(let continuation):
            continuation.resume(
                with: Result {
                    if finished { throw failure ?? ServerCall.hasEnded }
                    if let message = try take() { return message }
                    if inboundEnded { return nil }
                    throw CancellationError()
                })
        }
    }

    private func attach(writer continuation: UnsafeContinuation<Void, any Error>) {
        precondition(writer == nil, "two tasks send on one call at a time")
        if finished {
            continuation.resume(throwing: failure ?? ServerCall.hasEnded)
        } else if mustWait {
            writer = continuation
        } else {
            continuation.resume()
        }
    }

    private func resumeWriter(throwing error: any Error) {
        guard let writer else { return }
        self.writer = nil
        writer.resume(throwing: error)
    }

    // MARK: For transports (loop only)

    /// Starts the clock of the call. Returns false when the deadline has passed already; the
    /// status has gone then.
    package func startDeadline() -> Bool {
        guard let deadline = context.deadline else { return true }
        let remaining = deadline.remaining
        if remaining <= .zero {
            fail(RPCError(.deadlineExceeded, "the deadline passed before the call began"))
            return false
        }
        timer = loop.schedule(after: remaining) { [self] in
            fail(RPCError(.deadlineExceeded, "the deadline passed while the call ran"))
        }
        return true
    }

    /// Runs the handler, on the loop and without a hop: its first part runs before this returns.
    package func start() {
        let task = Task.immediate(executorPreference: loop) { [self] in
            await handle(in: TaskIdentity.current)
        }
        if !handlerEnded { adopt(task) }
    }

    /// The handler waits in this task, which is nobody else's.
    func adopt(_ task: Task<Void, Never>) {
        self.task = task
        if failure != nil { task.cancel() }
    }

    /// Runs the handler in the task that calls this.
    func handle(in task: UnsafeRawPointer?) async {
        if failure != nil { return handlerReturned(nil) }
        ownTask = task
        do {
            try await ServerContext.$current.withValue(context) {
                try await registered.body(self)
            }
            handlerReturned(nil)
        } catch {
            handlerReturned(error)
        }
    }

    private func handlerReturned(_ error: (any Error)?) {
        guard loop.isInLoop else {
            loop.execute { self.handlerReturned(error) }
            return
        }
        handlerEnded = true
        task = nil
        ownTask = nil
        if !finished {
            finished = true
            timer?.cancel()
            timer = nil
            let status = error.map { registered.status(for: $0, context) }
            transport.finish(self, error: status)
            if hooks != nil { tellEnd(status) }
        }
        transport.handlerDidEnd(self)
    }

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
}

extension ServerCall {
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

    private func tellEnd(_ error: RPCError?) {
        let trailers = context.hasResponseMetadata ? context.trailingMetadata : Metadata()
        hooks?.ended(CallOutcome(error: error, trailers: trailers))
    }
}
