import Domain
import Environment
import Postgres
import Schema

/// Where a booking is read: in the tables in use, or in the archive, which has the same columns.
enum BookingTables: CaseIterable {
    case inUse, archive

    /// What the names of tables end in: `booking\(tables.suffix)`.
    var suffix: SQL { self == .inUse ? "" : "_archive" }

    /// When it was moved, for a query whose booking is called `b`.
    var archivedAt: SQL { self == .inUse ? "null::timestamptz" : "b.archived_at" }

    /// The start of a query that knows `line`: a booking and those behind it, each with `next`, the
    /// one that its link names, and `step`, how far from the first it is. A line is in the archive as
    /// a whole, or not at all.
    /// - Parameter link: `rescheduled_to` or `rescheduled_from`.
    func line(from booking: UUID, by link: SQL) -> SQL {
        """
        with recursive line as (
            select id, \(link) as next, 0 as step from booking\(suffix) where id = \(booking)
            union all
            select b.id, b.\(link), line.step + 1
            from line join booking\(suffix) b on b.id = line.next)
        """
    }

    /// What there is in the tables in use, or else in the archive: in this order nothing is missed,
    /// since bookings only move there.
    static func first<T>(
        _ read: nonisolated(nonsending) (BookingTables) async throws -> T?
    ) async throws -> T? {
        for tables in allCases {
            if let found = try await read(tables) { return found }
        }
        return nil
    }
}

extension BookingStore {
    /// Why there is no booking that could be changed: there is none, or its row is in the archive.
    func missing(_ id: UUID, _ transaction: PostgresTransaction) async throws -> DomainError {
        let archived = try await transaction.query(
            "select archived_at from booking_archive where id = \(id)")
        guard let row = archived.first else {
            return DomainError(.bookingNotFound, "there is no such booking")
        }
        let at: Instant = try row[0]
        return DomainError(
            .invalidTransition,
            "the booking ended long ago and was archived on \(at.date): nothing of it changes")
    }
}
