public import Environment
public import Loop

/// One call of a client, in encoded messages. Any thread may use it; one task receives and one
/// sends at a time.
///
/// Cancelling a task that waits in `receive`, `send` or `initialMetadata` cancels the call: the
/// peer gets a reset within one turn of the loop.
public final class ClientCall: @unchecked Sendable {  // state confined to `loop`
    public let method: MethodDescriptor
    public let loop: EventLoop
    public let deadline: Deadline?

    @exclusivity(unchecked) private var transport: (any ClientCallTransport)?
    @exclusivity(unchecked) private var inbound = MessageQueue()
    /// Set by the transport before it delivers.
    @exclusivity(unchecked) package var inflation = MessageInflation()
    /// Taken by the caller, and the transport has not heard of it yet.
    @exclusivity(unchecked) private var takenBytes = 0
    @exclusivity(unchecked) private var takenMessages = 0
    @exclusivity(unchecked) private var headers: Metadata?
    @exclusivity(unchecked) private var trailerFields = Metadata()
    @exclusivity(unchecked) private var ended = false
    @exclusivity(unchecked) private var failure: RPCError?
    @exclusivity(unchecked) private var mustWait = false
    @exclusivity(unchecked) private var halfClosed = false
    @exclusivity(unchecked) private var receiver: Receiver?
    @exclusivity(unchecked) private var writer: UnsafeContinuation<Void, any Error>?
    @exclusivity(unchecked) private var headersWaiter: UnsafeContinuation<Metadata, any Error>?
    @exclusivity(unchecked) private var timer: LoopTimer?
    /// Set while somebody waits for the whole answer of a unary call.
    @exclusivity(unchecked) private var unaryWaiter: UnsafeContinuation<[UInt8], any Error>?
    @exclusivity(unchecked) private var knownCanceller: (@Sendable () -> Void)?
    /// What interceptors want to see; nil for almost every call.
    package let hooks: CallHooks?
    /// The caller's deadline, or an earlier one of the channel's policy.
    package private(set) var enforcedDeadline: Deadline?
    /// How often the call was sent; retries and hedges count.
    package var attemptCount = 1

    private enum Receiver {
        /// On the loop: looks again when it is woken.
        case here(UnsafeContinuation<Void, Never>)
        case elsewhere(UnsafeContinuation<[UInt8]?, any Error>)
    }

    package init(method: MethodDescriptor, loop: EventLoop, options: CallOptions) {
        self.method = method
        self.loop = loop
        deadline = options.effectiveDeadline
        hooks = options.hooks
        enforcedDeadline = deadline
    }

    // MARK: For callers

    /// Sends a message; suspends while the server does not read.
    /// - Parameter compress: false: never, true: whatever its size, when the call has an
    ///   algorithm (`CallOptions.compression`, or the channel's); nil: by the channel's policy.
    /// - Throws: the status when the call has ended; CANCELLED after `finish`.
    public func send(_ message: [UInt8], compress: Bool? = nil) async throws {
        if loop.isInLoop, !mustWait {
            try sendNow(message, compress)
            guard mustWait else { return }
        } else {
            if try await loop.submit({ [self] in mustWait }) { try await drain() }
            let wait = try await loop.submit { [self] in
                try sendNow(message, compress)
                return mustWait
            }
            guard wait else { return }
        }
        try await drain()
    }

    /// Half-closes: no more messages follow.
    public func finish() {
        onLoop { [self] in
            guard !halfClosed, !ended else { return }
            halfClosed = true
            transport?.halfClose(self)
        }
    }

    /// The response headers.
    /// - Throws: the status when the call fails before any.
    public func initialMetadata() async throws -> Metadata {
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                onLoop { self.attach(headersWaiter: continuation) }
            }
        } onCancel: {
            cancel()
        }
    }

    /// The next response; nil when the call ended with OK.
    /// - Throws: the call's status (`RPCError`) otherwise.
    public func receive() async throws -> [UInt8]? {
        while loop.isInLoop {
            if let message = try take() { return message }
            if let failure { throw failure }
            if ended { return nil }
            await wait()
        }
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                onLoop { self.attach(outside: continuation) }
            }
        } onCancel: {
            cancel()
        }
    }

    /// Waits, on the loop, until there may be something to receive. Cancelling the task cancels
    /// the call.
    @inlinable @inline(__always)
    func wait() async {
        guard let record = TaskCancellation.begin(canceller) else { return await waitSlowly() }
        // `withUnsafeContinuation` asks twice whether it is on the caller's executor, which takes
        // 3 % of a ping-pong round each; this is what it was before, and asks once.
        await _unsafeInheritExecutor_withUnsafeContinuation { attach($0) }
        TaskCancellation.end(record)
    }

    @usableFromInline
    func waitSlowly() async {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { attach($0) }
        } onCancel: {
            cancel()
        }
    }

    /// For whoever waits on the loop, and keeps the call alive meanwhile.
    @usableFromInline var canceller: @Sendable () -> Void {
        if let knownCanceller { return knownCanceller }
        let canceller: @Sendable () -> Void = { [unowned self] in cancel() }
        knownCanceller = canceller
        return canceller
    }

    /// The one response of a method that does not stream; INTERNAL when there is none or several.
    public func receiveOnly() async throws -> [UInt8] {
        guard let message = try await receive() else {
            throw ClientCall.noResponse
        }
        guard try await receive() == nil else {
            cancel()
            throw ClientCall.severalResponses
        }
        return message
    }

    /// The whole of a unary call with one trip to the loop: `begin` opens it there, the message
    /// goes out half-closed, and the caller resumes with the answer or the status.
    package func unary(
        _ message: [UInt8], begin: @escaping @Sendable () -> Void
    ) async throws -> [UInt8] {
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                onLoop { [self] in
                    unaryWaiter = continuation
                    begin()
                    if let transport, !ended { sendAll(message, on: transport) }
                    // In process the answer may be there already.
                    if ended { resumeUnary() }
                }
            }
        } onCancel: {
            cancel()
        }
    }

    /// The one request of a unary call.
    private func sendAll(_ message: [UInt8], on transport: any ClientCallTransport) {
        var message = message
        if let hooks {
            do {
                message = try hooks.request(message)
                hooks.count(sent: message.count)
            } catch {
                return abandon(RPCError(wrapping: error))
            }
        }
        _ = transport.send(message, compress: nil, of: self)
        halfClosed = true
        transport.halfClose(self)
    }

    private func resumeUnary() {
        guard let waiter = unaryWaiter else { return }
        unaryWaiter = nil
        if let failure {
            waiter.resume(throwing: failure)
        } else {
            waiter.resume(
                with: Result {
                    guard let message = try take() else { throw ClientCall.noResponse }
                    return message
                })
        }
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
    private func didTake(_ count: Int) {
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

    /// Whether a message may go straight from where it was encoded.
    /// - Throws: the status when the call has ended; CANCELLED after `finish`.
    @usableFromInline
    func sendsInPlace(_ compress: Bool?) throws -> Bool {
        guard hooks == nil, compress == nil, loop.isInLoop, !mustWait else { return false }
        try checkSending()
        return true
    }

    /// False: `drain` before the next.
    @usableFromInline
    func send(inPlace message: UnsafeRawBufferPointer) -> Bool {
        if let transport, !transport.send(message, of: self) { mustWait = true }
        return !mustWait
    }

    private func checkSending() throws {
        if let failure { throw failure }
        if ended || halfClosed {
            throw RPCError(.cancelled, ended ? "the call has ended" : "a message after the end")
        }
    }

    /// The next message that waits, inflated. Compressed ones are inflated only here, when the
    /// caller wants them.
    private func take() throws -> [UInt8]? {
        guard let message = inbound.popFirst() else { return nil }
        didTake(message.count)
        return inbound.lastWasCompressed || hooks != nil ? try open(message) : message
    }

    /// A message as the caller gets it: inflated, then seen by interceptors.
    private func open(_ wire: [UInt8]) throws -> [UInt8] {
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

    private func inflate(_ message: [UInt8]) throws(RPCError) -> [UInt8] {
        do throws(RPCError) {
            return try inflation.inflate(message)
        } catch {
            abandon(error)
            failure = failure ?? error
            throw error
        }
    }

    /// Whether the response that was received last came compressed.
    public var responseIsCompressed: Bool {
        get async {
            (try? await loop.submit { [self] in inbound.lastWasCompressed }) ?? false
        }
    }

    /// Small against every window: a sender that waits must not wait for what was taken already.
    private static let takenLimit = 4 << 10
    private static let takenMessageLimit = 64
    private static let noResponse = RPCError(
        .internalError, "the server sent OK without a response", blame: .peer)
    private static let severalResponses = RPCError(
        .internalError, "the server sent several responses", blame: .peer)

    /// Trailing metadata; empty until the call has ended.
    public var trailers: Metadata {
        get async {
            (try? await loop.submit { [self] in trailerFields }) ?? Metadata()
        }
    }

    /// How often the call has been sent so far: more than 1 when the channel's policy retried or
    /// hedged it. What no server saw (REFUSED_STREAM) does not count.
    public var attempts: Int {
        get async { (try? await loop.submit { [self] in attemptCount }) ?? attemptCount }
    }

    /// Gives up: the peer is told, and whoever waits gets CANCELLED. Idempotent.
    public func cancel() {
        onLoop { [self] in
            abandon(RPCError(.cancelled, "the caller cancelled the call"))
        }
    }

    // MARK: Inside

    private func onLoop(_ body: @escaping @Sendable () -> Void) {
        if loop.isInLoop {
            body()
        } else {
            loop.execute(body)
        }
    }

    private func sendNow(_ message: [UInt8], _ compress: Bool?) throws {
        try checkSending()
        guard let transport else { return }
        guard let hooks else {
            if !transport.send(message, compress: compress, of: self) { mustWait = true }
            return
        }
        let message = try hooks.request(message)
        hooks.count(sent: message.count)
        if !transport.send(message, compress: compress, of: self) { mustWait = true }
    }

    @usableFromInline
    func drain() async throws {
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                onLoop { self.attach(writer: continuation) }
            }
        } onCancel: {
            cancel()
        }
    }

    @usableFromInline
    func attach(_ continuation: UnsafeContinuation<Void, Never>) {
        precondition(receiver == nil, "two tasks receive from one call at a time")
        // A task that was cancelled before has ended the call just now.
        if ended { return continuation.resume() }
        receiver = .here(continuation)
    }

    private func attach(outside continuation: UnsafeContinuation<[UInt8]?, any Error>) {
        precondition(receiver == nil, "two tasks receive from one call at a time")
        receiver = .elsewhere(continuation)
        if ended || !inbound.isEmpty { wake() }
    }

    /// Whoever receives looks again.
    private func wake() {
        guard let receiver else { return }
        self.receiver = nil
        switch receiver {
        case .here(let continuation): continuation.resume()
        case .elsewhere(let continuation):
            continuation.resume(
                with: Result {
                    if let message = try take() { return message }
                    if let failure { throw failure }
                    return nil
                })
        }
    }

    private func attach(writer continuation: UnsafeContinuation<Void, any Error>) {
        precondition(writer == nil, "two tasks send on one call at a time")
        if let failure {
            continuation.resume(throwing: failure)
        } else if mustWait && !ended {
            writer = continuation
        } else {
            continuation.resume()
        }
    }

    private func attach(headersWaiter continuation: UnsafeContinuation<Metadata, any Error>) {
        precondition(headersWaiter == nil, "two tasks wait for one call's headers at a time")
        if let headers {
            continuation.resume(returning: headers)
        } else if let failure {
            continuation.resume(throwing: failure)
        } else if ended {
            continuation.resume(returning: Metadata())
        } else {
            headersWaiter = continuation
        }
    }

    // MARK: For channels (loop only)

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

    private func startTimer(_ remaining: Duration) {
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

    private func didReceive() {
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

    private func abandon(_ error: RPCError) {
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
