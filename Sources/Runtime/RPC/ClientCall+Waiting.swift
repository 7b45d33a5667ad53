/// Who waits, and for what.
extension ClientCall {
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

    @usableFromInline
    func drain() async throws {
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                if !onLoop({ self.attach(writer: continuation) }) {
                    continuation.resume(throwing: ClientCall.loopHasStopped)
                }
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

    func attach(outside continuation: UnsafeContinuation<[UInt8]?, any Error>) {
        precondition(receiver == nil, "two tasks receive from one call at a time")
        receiver = .elsewhere(continuation)
        if ended || !inbound.isEmpty { wake() }
    }

    /// Whoever receives looks again.
    func wake() {
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

    func attach(writer continuation: UnsafeContinuation<Void, any Error>) {
        precondition(writer == nil, "two tasks send on one call at a time")
        if let failure {
            continuation.resume(throwing: failure)
        } else if mustWait && !ended {
            writer = continuation
        } else {
            continuation.resume()
        }
    }

    func attach(headersWaiter continuation: UnsafeContinuation<Metadata, any Error>) {
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
}
