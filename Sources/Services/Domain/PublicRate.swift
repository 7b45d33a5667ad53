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
    ///   - reading: for RPCs without side effects. 400 at once, 200/s.
    ///   - writing: for all others. 20 at once, 5/s.
    public init(
        reading: RateLimit = RateLimit(burst: 400, perSecond: 200),
        writing: RateLimit = RateLimit(burst: 20, perSecond: 5)
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
        let isOurs =
            context.peer === Peer.inProcess || context.metadata.first("authorization") != nil
        if !isOurs { try admit(context) }
        try await next(call)
    }

    private func admit(_ context: ServerContext) throws(DomainError) {
        let address = Self.host(context.peer.address)
        let isReading = context.method.idempotency == .noSideEffects
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
