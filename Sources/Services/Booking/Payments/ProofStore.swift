import Crypto
import Domain
import Environment
import Postgres
import RPC
import Schema

/// Uploaded proofs of payment: bytes under an id that cannot be guessed.
struct ProofStore: Sendable {
    let pool: PostgresPool

    /// Bytes of one file.
    static let sizeLimit = 5 << 20
    /// Bytes of all files that nothing names yet. 1 GiB.
    static let unclaimedLimit = 1 << 30

    struct Proof: Sendable {
        let id: UUID
        let contentType: String
        let content: [UInt8]
    }

    /// The media type that the first bytes show; nil for what is none of the four.
    static func type(of content: [UInt8]) -> String? {
        func begins(_ bytes: [UInt8], at offset: Int = 0) -> Bool {
            content.dropFirst(offset).starts(with: bytes)
        }
        if begins([0xFF, 0xD8, 0xFF]) { return "image/jpeg" }
        if begins([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return "image/png" }
        if begins(Array("RIFF".utf8)), begins(Array("WEBP".utf8), at: 8) { return "image/webp" }
        if begins(Array("%PDF-".utf8)) { return "application/pdf" }
        return nil
    }

    /// - Throws: RATE_LIMITED while too much lies around unclaimed.
    func keep(_ proof: Proof, _ transaction: PostgresTransaction) async throws {
        let kept = try await transaction.execute(
            """
            insert into payment_proof (id, content_type, size, digest, content, created_at)
            select \(proof.id)::uuid, \(proof.contentType)::text, \(proof.content.count)::int,
                \(SHA256.hash(proof.content))::bytea, \(proof.content)::bytea, clock_timestamp()
            where (select coalesce(sum(size), 0) from payment_proof f where \(Self.isFree))
                + \(proof.content.count)::bigint <= \(Self.unclaimedLimit)::bigint
            """)
        guard kept == 1 else {
            throw DomainError(
                .rateLimited, "too many files wait to be named by a booking; try again later",
                retryAfter: .seconds(600), blame: .us)
        }
    }

    /// Nothing names the upload `f`.
    private static let isFree: SQL = "f.payment_id is null and f.booking_id is null"
    /// Old enough to be deleted: claimed by nobody any more, swept or not.
    private static let isOver: SQL = "f.created_at < clock_timestamp() - interval '1 day'"

    /// Ties an upload to its booking, and to its charge when there is one.
    /// - Throws: VALIDATION_FAILED when there is none with this id that is free.
    func claim(
        _ id: UUID, of booking: UUID, for payment: UUID?, field: String,
        _ transaction: PostgresTransaction
    ) async throws {
        let claimed = try await transaction.execute(
            """
            update payment_proof f set booking_id = \(booking), payment_id = \(nullable: payment)
            where f.id = \(id) and \(Self.isFree) and not \(Self.isOver)
            """)
        guard claimed == 1 else {
            throw DomainError(
                .validationFailed, "there is no such uploaded file, or it is used already",
                violations: [DomainError.Violation(field, "names no free upload")])
        }
    }

    func find(payment: UUID) async throws -> Proof? {
        try await find("f.payment_id = \(payment)")
    }

    func find(_ id: UUID) async throws -> Proof? { try await find("f.id = \(id)") }

    private func find(_ condition: SQL) async throws -> Proof? {
        try await BookingTables.first { tables in
            try await pool.query(
                """
                select f.id, f.content_type, f.content from payment_proof\(tables.suffix) f
                where \(condition)
                """
            ).first.map { Proof(id: try $0[0], contentType: try $0[1], content: try $0[2]) }
        }
    }

    /// Deletes uploads that nobody named within a day.
    func forget(limit: Int) async throws -> Int {
        try await pool.execute(
            """
            delete from payment_proof where id in (
                select f.id from payment_proof f where \(Self.isFree) and \(Self.isOver)
                limit \(limit)::int for update skip locked)
            """)
    }
}
