/// Runs around every call of a router, in the handler's task.
///
/// It may refuse (throw before `next`), leave values in `call.context`, set response metadata,
/// observe the outcome (`next` returns or throws) and replace the error.
public protocol ServerInterceptor: Sendable {
    func intercept(
        _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
    ) async throws
}
