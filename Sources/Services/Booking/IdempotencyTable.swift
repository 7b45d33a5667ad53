import Domain
import Environment
import Postgres
import Schema

/// Keys of mutations, in the transaction of what they guard: no key is ever stuck, and a twin that
/// runs at the same time is waited for.
enum IdempotencyTable {
    /// One use of a key.
    struct Use: Sendable {
        let scope: String
        let key: String
        let requestHash: [UInt8]
        let at: Instant
    }

    /// Takes the key.
    /// - Returns: false when it was taken for the same request before.
    /// - Throws: IDEMPOTENCY_KEY_REUSED when that was another request.
    static func begin(_ use: Use, _ transaction: PostgresTransaction) async throws -> Bool {
        let inserted = try await transaction.execute(
            """
            insert into idempotency_key (scope, key, request_hash, response, created_at)
            values (\(use.scope), \(use.key), \(use.requestHash), ''::bytea, \(use.at))
            on conflict do nothing
            """)
        if inserted == 1 { return true }
        let row = try await transaction.query(
            """
            select request_hash from idempotency_key
            where scope = \(use.scope) and key = \(use.key)
            """
        ).single()
        let hash: [UInt8] = try row[0]
        guard hash == use.requestHash else { throw reused }
        return false
    }

    static let reused = DomainError(
        .idempotencyKeyReused, "the idempotency key was used for another request")
}
