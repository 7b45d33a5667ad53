public import Environment
public import RPC
import Schema
import Synchronization

/// Limits what one address may ask of public RPCs without credentials (X-25, D-20), wherever gRPC
/// itself is reachable. Stands behind ``Authentication``: who shows a token has been checked, and
/// calls in the process come from an edge that has limits of its own.
public final class PublicRate: ServerInterceptor {
    private struct Tables {
        var reading: RateTable
        var writing: RateTable
    }

    private let tables: Mutex<Tables>

    /// Addresses that are remembered.
    static let size = 8192

    /// - Parameters:
    ///   - reading: for RPCs without side effects, and for health, reflection and the like.
    ///   - writing: for all others.
    public init(
        reading: RateLimit = .publicReading,
        writing: RateLimit = .publicWriting
    ) {
        tables = Mutex(
            Tables(
                reading: RateTable(reading, size: Self.size),
                writing: RateTable(writing, size: Self.size)))
    }

    public func intercept(
        _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
    ) async throws {
        let context = call.context
        try admit(context)
        try await next(call)
    }

    /// A token counts only where it has been checked.
    private func isTrusted(_ context: ServerContext) -> Bool {
        if context.peer === Peer.inProcess { return true }
        return AccessPolicy.governs(context.method.path)
            && context.metadata.first("authorization") != nil
    }

    /// - Throws: `.rateLimited` with the time to wait.
    func admit(_ context: ServerContext) throws(DomainError) {
        if isTrusted(context) { return }
        let address = Self.host(context.peer.address)
        let method = context.method
        let isReading =
            method.idempotency == .noSideEffects || !AccessPolicy.governs(method.path)
        let verdict = tables.withLock { tables in
            isReading ? tables.reading.take(address) : tables.writing.take(address)
        }
        guard let verdict, !verdict.isAllowed else { return }
        throw DomainError(
            .rateLimited, "too many calls from this address",
            retryAfter: .seconds(verdict.retryAfter))
    }

    /// The address without its port: `[::1]:5000` and `127.0.0.1:5000`.
    static func host(_ peer: String) -> String {
        guard let colon = peer.lastIndex(of: ":") else { return peer }
        return String(peer[..<colon])
    }
}
