public import Loop

/// Where a client's calls go: HTTP/2, or a router in the same process. Clients do not know which.
public protocol Channel: Sendable {
    /// The loop that carries the calls.
    var loop: EventLoop { get }

    /// Starts a call. Returns when the call has a transport, or waits for one; failures of the
    /// call itself come from the `ClientCall`.
    /// - Throws: `RPCError` when the call cannot begin (UNAVAILABLE, DEADLINE_EXCEEDED).
    func start(
        _ method: MethodDescriptor, metadata: Metadata, options: CallOptions
    ) async throws -> ClientCall

    /// One message, one answer. Cancelling the task cancels the call.
    func unary(
        _ method: MethodDescriptor, _ message: [UInt8], metadata: Metadata, options: CallOptions
    ) async throws -> [UInt8]
}

extension Channel {
    public func unary(
        _ method: MethodDescriptor, _ message: [UInt8], metadata: Metadata = Metadata(),
        options: CallOptions = CallOptions()
    ) async throws -> [UInt8] {
        try await start(method, sending: message, metadata: metadata, options: options)
            .receiveOnly()
    }
}
