extension ClientCall {
    /// The whole of a unary call with one trip to the loop: `begin` opens it there, the message
    /// goes out half-closed, and the caller resumes with the answer or the status.
    package func unary(
        _ message: [UInt8], begin: @escaping @Sendable () -> Void
    ) async throws -> [UInt8] {
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                let isTaken = onLoop { [self] in
                    unaryWaiter = continuation
                    begin()
                    if let transport, !ended { sendAll(message, on: transport) }
                    // In process the answer may be there already.
                    if ended { resumeUnary() }
                }
                if !isTaken { continuation.resume(throwing: ClientCall.loopHasStopped) }
            }
        } onCancel: {
            cancel()
        }
    }

    /// The one request of a unary call.
    func sendAll(_ message: [UInt8], on transport: any ClientCallTransport) {
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

    func resumeUnary() {
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
}
