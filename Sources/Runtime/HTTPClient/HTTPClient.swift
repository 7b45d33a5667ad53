public import Loop

/// An HTTP client for servers elsewhere: libcurl's multi interface on our event loop. Connections
/// are kept and used again; TLS is always verified; no redirection is followed; the environment's
/// proxies are ignored.
///
/// Any thread. Cancelling the caller ends the exchange at once.
public final class HTTPClient: Sendable {
    private let core: CurlCore

    public init(loop: EventLoop, configuration: HTTPClientConfiguration = .init()) {
        core = CurlCore(configuration, loop)
    }

    deinit {
        let core = core
        core.loop.execute { core.close() }
    }

    /// Sends a request and waits for the whole answer, whatever its status.
    /// - Throws: ``HTTPClientError``; `CancellationError` when the caller's task is cancelled.
    public func send(_ request: HTTPClientRequest) async throws -> HTTPClientResponse {
        let transfer = Transfer(request)
        let core = core
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                core.loop.execute { core.start(transfer, continuation) }
            }
        } onCancel: {
            core.loop.execute { core.cancel(transfer) }
        }
    }

    /// Ends what runs with ``HTTPClientError/Code/closed`` and closes every connection.
    public func close() async {
        let core = core
        try? await core.loop.submit { core.close() }
    }
}
