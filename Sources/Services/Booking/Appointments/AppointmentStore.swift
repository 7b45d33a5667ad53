import Domain
import Environment
import Postgres
import Schema

/// The SQL of appointments: what a booking is at, by which rules, for whom.
struct AppointmentStore: Sendable {
    let pool: PostgresPool

    struct Appointment: Sendable {
        var booking: Booking
        var slot: Slot?
        var terms: PolicyTerms
        var subjectName: String
        var subjectKind: String
        var location: String
        /// The time by the database's clock.
        var at: Instant
        var archivedAt: Instant?

        var rights: CustomerRights {
            CustomerRights(
                terms: terms, startsAt: slot?.startsAt, price: MovePrice(booking, at: slot))
        }
    }

    /// - Throws: BOOKING_NOT_FOUND.
    func find(_ id: UUID) async throws -> Appointment {
        let found = try await BookingTables.first { try await find(id, in: $0) }
        guard let found else { throw Self.notFound }
        return found
    }

    private static let notFound = DomainError(.bookingNotFound, "there is no such booking")

    private func find(_ id: UUID, in tables: BookingTables) async throws -> Appointment? {
        let suffix = tables.suffix
        let results = try await pool.atomically(
            [
                """
                select \(BookingRow.columns), \(PolicyTerms.columns), coalesce(c.subject_name, ''),
                    coalesce(c.subject_kind, ''),
                    coalesce((select concat_ws(', ', l.name, nullif(l.address, ''))
                        from offering o join location l on l.id = o.location_id
                        where o.id = b.offering_id), ''),
                    clock_timestamp(), \(tables.archivedAt)
                from \(PolicyTerms.ofBooking(tables))
                left join contact\(suffix) c on c.booking_id = b.id
                where b.id = \(id)
                """,
                """
                select \(SlotRow.columns) from \(SlotRow.tables)
                where s.id = (select confirmed_slot_id from booking\(suffix) where id = \(id))
                """,
            ], options: .readOnly)
        guard let row = results[0].first else { return nil }
        let rest = BookingRow.count + PolicyTerms.count
        return Appointment(
            booking: try BookingRow.read(row), slot: try results[1].first.map(SlotRow.read),
            terms: try PolicyTerms.read(row, from: BookingRow.count), subjectName: try row[rest],
            subjectKind: try row[rest + 1], location: try row[rest + 2], at: try row[rest + 3],
            archivedAt: try row[rest + 4])
    }

    /// The booking that has taken the place of this one, at the end of the line.
    func latest(_ id: UUID) async throws -> UUID {
        try await end(of: id, by: "rescheduled_to")
    }

    /// The booking at the beginning of the line: what it is called in calendars.
    func first(_ id: UUID) async throws -> UUID {
        try await end(of: id, by: "rescheduled_from")
    }

    private func end(of id: UUID, by link: SQL) async throws -> UUID {
        let found: UUID? = try await BookingTables.first { tables in
            try await pool.query(
                """
                \(tables.line(from: id, by: link)) select id from line where next is null
                """
            ).first.map { try $0[0] }
        }
        guard let found else { throw Self.notFound }
        return found
    }

    /// A confirmed booking whose customer has not come, though its slot has ended.
    struct Missed: Sendable {
        let booking: UUID
        let startsAt: Instant
        let grace: Duration
    }

    /// Where the policy wants it marked without anybody's doing.
    func missed(limit: Int) async throws -> [Missed] {
        try await pool.query(
            """
            select b.id, s.starts_at, p.no_show_grace_seconds from \(PolicyTerms.ofBooking())
            join slot s on s.id = b.confirmed_slot_id
            where b.status = 'confirmed' and b.kind = 'appointment' and p.no_show_auto
              and s.ends_at <= clock_timestamp() and s.starts_at
                + make_interval(secs => p.no_show_grace_seconds) <= clock_timestamp()
            order by s.ends_at limit \(limit)::int
            """
        ).map { row in
            Missed(
                booking: try row[0], startsAt: try row[1],
                grace: .seconds(try row[2] as Int64))
        }
    }
}
