/// A call that its owner keeps: in a property, in another task, for as long as it lives.
/// Dropping the last copy cancels what still runs of it.
public protocol OwnedCall: Sendable {
    /// The call underneath, in encoded messages.
    var call: ClientCall { get }
}

extension OwnedCall {
    /// The response headers, when they are there.
    /// - Throws: the status when the call fails before any.
    public var headers: Metadata {
        get async throws { try await call.initialMetadata() }
    }

    /// What came with the status; empty until the call has ended.
    public var trailers: Metadata {
        get async { await call.trailers }
    }

    /// Gives up: the server is told (RST_STREAM), and whoever waits gets CANCELLED. Idempotent.
    public func cancel() {
        call.cancel()
    }

    /// Runs `body`; leaving it, with a result or an error, cancels what still runs of the call.
    public func scope<Result>(
        _ body: (Self) async throws -> Result
    ) async throws -> Result {
        defer { call.cancel() }
        return try await body(self)
    }
}
