import Domain
import Environment
import Postgres

/// Which slots are asked for.
struct SlotFilter: Sendable, Hashable {
    /// UUID or code.
    var course = ""
    var instructor: UUID?
    var room: UUID?
    var from: Instant
    var to: Instant?
    var minimumSeats = 1
    var limit = 100
    var after: PageToken?
}

/// The SQL of finding free slots: one query with keyset pages (X-16).
struct AvailabilityStore: Sendable {
    let pool: PostgresPool

    /// At most `limit + 1` slots, so that the caller sees whether there are more.
    func find(_ filter: SlotFilter) async throws -> [Slot] {
        var conditions: [SQL] = [
            "s.status = 'available'", "s.capacity - s.taken >= \(filter.minimumSeats)::int",
            "s.starts_at >= \(filter.from)", "not \(SlotRow.isBlocked)",
        ]
        if let condition = Self.course(filter.course) { conditions.append(condition) }
        if let instructor = filter.instructor {
            conditions.append("s.instructor_id = \(instructor)")
        }
        if let room = filter.room { conditions.append("s.room_id = \(room)") }
        if let to = filter.to { conditions.append("s.starts_at < \(to)") }
        if let after = filter.after {
            conditions.append("(s.starts_at, s.id) > (\(after.at), \(after.id))")
        }
        return try await pool.query(
            """
            select \(SlotRow.columns) from \(SlotRow.tables)
            where \(conditions.joined(separator: " and "))
            order by s.starts_at, s.id limit \(filter.limit + 1)::int
            """
        ).map(SlotRow.read)
    }

    /// One slot, whatever its state.
    func slot(_ id: UUID) async throws -> Slot? {
        try await pool.query(
            "select \(SlotRow.columns) from \(SlotRow.tables) where s.id = \(id)"
        ).first.map(SlotRow.read)
    }

    private static func course(_ course: String) -> SQL? {
        if course.isEmpty { return nil }
        if let id = UUID(course) { return "s.offering_id = \(id)" }
        return "o.code = \(course)"
    }
}
