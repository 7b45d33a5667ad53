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

    @exclusivity(unchecked) var transport: (any ClientCallTransport)?
    @exclusivity(unchecked) var inbound = MessageQueue()
    /// Set by the transport before it delivers.
    @exclusivity(unchecked) package var inflation = MessageInflation()
    /// Taken by the caller, and the transport has not heard of it yet.
    @exclusivity(unchecked) var takenBytes = 0
    @exclusivity(unchecked) var takenMessages = 0
    @exclusivity(unchecked) var headers: Metadata?
    @exclusivity(unchecked) var trailerFields = Metadata()
    @exclusivity(unchecked) var ended = false
    @exclusivity(unchecked) var failure: RPCError?
    @exclusivity(unchecked) var mustWait = false
    @exclusivity(unchecked) var halfClosed = false
    @exclusivity(unchecked) var receiver: CallReceiver?
    @exclusivity(unchecked) var writer: UnsafeContinuation<Void, any Error>?
    @exclusivity(unchecked) var headersWaiter: UnsafeContinuation<Metadata, any Error>?
    @exclusivity(unchecked) var timer: LoopTimer?
    /// Set while somebody waits for the whole answer of a unary call.
    @exclusivity(unchecked) var unaryWaiter: UnsafeContinuation<[UInt8], any Error>?
    @exclusivity(unchecked) var knownCanceller: (@Sendable () -> Void)?
    /// What interceptors want to see; nil for almost every call.
    package let hooks: CallHooks?
    /// The caller's deadline, or an earlier one of the channel's policy.
    package internal(set) var enforcedDeadline: Deadline?
    /// How often the call was sent; retries and hedges count.
    package var attemptCount = 1

    static let noResponse = RPCError(
        .internalError, "the server sent OK without a response", blame: .peer)
    static let severalResponses = RPCError(
        .internalError, "the server sent several responses", blame: .peer)

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
                if !onLoop({ self.attach(headersWaiter: continuation) }) {
                    continuation.resume(throwing: ClientCall.loopHasStopped)
                }
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
                if !onLoop({ self.attach(outside: continuation) }) {
                    continuation.resume(throwing: ClientCall.loopHasStopped)
                }
            }
        } onCancel: {
            cancel()
        }
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

    /// Whether the response that was received last came compressed.
    public var responseIsCompressed: Bool {
        get async {
            (try? await loop.submit { [self] in inbound.lastWasCompressed }) ?? false
        }
    }

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

    // MARK: Sending

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

    func sendNow(_ message: [UInt8], _ compress: Bool?) throws {
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

    func checkSending() throws {
        if let failure { throw failure }
        if ended || halfClosed {
            throw RPCError(.cancelled, ended ? "the call has ended" : "a message after the end")
        }
    }

    /// - Returns: false when the loop has stopped: `body` never runs.
    @discardableResult
    func onLoop(_ body: @escaping @Sendable () -> Void) -> Bool {
        guard loop.isInLoop else { return loop.offer(body) }
        body()
        return true
    }

    static let loopHasStopped = RPCError(.cancelled, "the call's loop has stopped", blame: .us)
}
