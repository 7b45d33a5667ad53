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

    /// Takes the key, or returns what its first use answered.
    /// - Throws: IDEMPOTENCY_KEY_REUSED when that was another request.
    static func begin(_ use: Use, _ transaction: PostgresTransaction) async throws -> [UInt8]? {
        let inserted = try await transaction.execute(
            """
            insert into idempotency_key (scope, key, request_hash, response, created_at)
            values (\(use.scope), \(use.key), \(use.requestHash), ''::bytea, \(use.at))
            on conflict do nothing
            """)
        if inserted == 1 { return nil }
        let row = try await transaction.query(
            """
            select request_hash, response from idempotency_key
            where scope = \(use.scope) and key = \(use.key)
            """
        ).single()
        let hash: [UInt8] = try row[0]
        guard hash == use.requestHash else { throw reused }
        return try row[1] as [UInt8]
    }

    static func store(_ use: Use, _ response: [UInt8]) -> SQL {
        """
        update idempotency_key set response = \(response)
        where scope = \(use.scope) and key = \(use.key)
        """
    }

    static let reused = DomainError(
        .idempotencyKeyReused, "the idempotency key was used for another request")
}
