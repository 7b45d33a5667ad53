import Environment
import Postgres

/// Asks the database's own function what is in the way.
struct ConflictQuery: Sendable {
    let pool: PostgresPool

    func find(
        _ resources: [UUID], from: Instant, to: Instant, excludingBooking: UUID? = nil,
        _ transaction: PostgresTransaction? = nil
    ) async throws -> [Conflict] {
        let sql: SQL = """
            select resource_id, resource_name, resource_kind, start_time, end_time, slot_id,
                booking_id, block_id, reason
            from check_resource_conflicts(\(resources), \(from), \(to),
                \(nullable: excludingBooking))
            """
        let rows =
            if let transaction { try await transaction.query(sql) } else {
                try await pool.query(sql)
            }
        return try rows.map { row in
            Conflict(
                resource: NamedResource(id: try row[0], name: try row[1], kind: try row[2]),
                startsAt: try row[3], endsAt: try row[4], slotID: try row[5],
                bookingID: try row[6], blockID: try row[7], reason: try row[8])
        }
    }
}
