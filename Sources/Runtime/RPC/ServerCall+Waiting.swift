import Loop

/// Who waits, and for what.
extension ServerCall {
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

    /// The handler's own task, on the loop. Only `fail` cancels it, and that resumes whoever
    /// waits: a cancellation handler would cost more than the wait.
    @usableFromInline var isOwnTask: Bool {
        loop.isInLoop && ownTask != nil && TaskIdentity.current == ownTask
    }

    func drain() async throws {
        if isOwnTask {
            return try await withUnsafeThrowingContinuation { attach(writer: $0) }
        }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                if loop.isInLoop { return attach(writer: continuation) }
                guard loop.offer({ self.attach(writer: continuation) }) else {
                    return continuation.resume(throwing: ServerCall.hasEnded)
                }
                if Task.isCancelled {
                    loop.execute { self.resumeWriter(throwing: CancellationError()) }
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

    func attach(outside continuation: UnsafeContinuation<[UInt8]?, any Error>) {
        precondition(receiver == nil, "two tasks receive from one call at a time")
        receiver = .elsewhere(continuation)
        if finished || inboundEnded || !inbound.isEmpty { wake() }
    }

    /// Whoever receives looks again. Nothing there means that its task was cancelled.
    func wake() {
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

    func attach(writer continuation: UnsafeContinuation<Void, any Error>) {
        precondition(writer == nil, "two tasks send on one call at a time")
        if finished {
            continuation.resume(throwing: failure ?? ServerCall.hasEnded)
        } else if mustWait {
            writer = continuation
        } else {
            continuation.resume()
        }
    }

    func resumeWriter(throwing error: any Error) {
        guard let writer else { return }
        self.writer = nil
        writer.resume(throwing: error)
    }
}
