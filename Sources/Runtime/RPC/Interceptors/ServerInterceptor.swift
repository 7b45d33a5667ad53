public import Protobuf

/// Runs around the calls of a router, in the handler's task, on the call's loop.
///
/// It may refuse (throw before `next`), leave values in `call.context`, set response metadata,
/// observe the handler's outcome (`next` returns or throws) and replace its error. Who wants the
/// messages or the status that really left asks for them before `next`:
/// `call.onRequest`, `call.onResponse`, `call.onEnd`.
public protocol ServerInterceptor: Interceptor {
    func intercept(
        _ call: ServerCall, _ next: ServerCall.Handler
    ) async throws
}

extension ServerCall {
    /// What answers a call. Packages without `NonisolatedNonsendingByDefault` write their
    /// interceptors with this name, which means the same function there and here.
    public typealias Handler = @Sendable (ServerCall) async throws -> Void
}

/// For interceptors: before `next`, on the call's loop.
extension ServerCall {
    /// Each request, encoded and uncompressed, when the handler takes it. The hook may change it;
    /// what it throws comes out of the handler's `receive`.
    public func onRequest(_ hook: @escaping (inout [UInt8]) throws -> Void) {
        watched.add(request: hook)
    }

    /// Each response, encoded and not yet compressed, before it leaves. What the hook throws comes
    /// out of the handler's `send`.
    public func onResponse(_ hook: @escaping (inout [UInt8]) throws -> Void) {
        watched.add(response: hook)
    }

    /// Each request as the handler gets it; decoded once for everybody. Handlers that take bytes
    /// (`Router.handle` without generated code) have none.
    public func onDecodedRequest(_ hook: @escaping (any Message) throws -> Void) {
        watched.add(decodedRequest: hook)
    }

    /// Each response as the handler gives it.
    public func onDecodedResponse(_ hook: @escaping (any Message) throws -> Void) {
        watched.add(decodedResponse: hook)
    }

    /// Once, with the status that left: also of a deadline or a client that went away while the
    /// handler still runs.
    public func onEnd(_ hook: @escaping (CallOutcome) -> Void) {
        watched.add(end: hook)
    }
}
