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

        var rights: CustomerRights { CustomerRights(terms: terms, startsAt: slot?.startsAt) }
    }

    /// - Throws: BOOKING_NOT_FOUND.
    func find(_ id: UUID) async throws -> Appointment {
        let results = try await pool.atomically(
            [
                """
                select \(BookingRow.columns), \(PolicyTerms.columns), coalesce(c.subject_name, ''),
                    coalesce(c.subject_kind, ''),
                    coalesce((select concat_ws(', ', l.name, nullif(l.address, ''))
                        from offering o join location l on l.id = o.location_id
                        where o.id = b.offering_id), ''),
                    clock_timestamp()
                from \(PolicyTerms.ofBooking) left join contact c on c.booking_id = b.id
                where b.id = \(id)
                """,
                """
                select \(SlotRow.columns) from \(SlotRow.tables)
                where s.id = (select confirmed_slot_id from booking where id = \(id))
                """,
            ], options: TransactionOptions(isReadOnly: true))
        guard let row = results[0].first else {
            throw DomainError(.bookingNotFound, "there is no such booking")
        }
        let rest = BookingRow.count + PolicyTerms.count
        return Appointment(
            booking: try BookingRow.read(row), slot: try results[1].first.map(SlotRow.read),
            terms: try PolicyTerms.read(row, from: BookingRow.count), subjectName: try row[rest],
            subjectKind: try row[rest + 1], location: try row[rest + 2], at: try row[rest + 3])
    }

    /// The booking that has taken the place of this one, at the end of the line.
    func latest(_ id: UUID) async throws -> UUID {
        let rows = try await pool.query(
            """
            with recursive line as (
                select id, rescheduled_to from booking where id = \(id)
                union all
                select b.id, b.rescheduled_to from booking b join line on b.id = line.rescheduled_to)
            select id from line where rescheduled_to is null
            """)
        guard let row = rows.first else {
            throw DomainError(.bookingNotFound, "there is no such booking")
        }
        return try row[0]
    }

    /// The booking at the beginning of the line: what it is called in calendars.
    func first(_ id: UUID) async throws -> UUID {
        try await pool.query(
            """
            with recursive line as (
                select id, rescheduled_from from booking where id = \(id)
                union all
                select b.id, b.rescheduled_from
                from booking b join line on b.id = line.rescheduled_from)
            select id from line where rescheduled_from is null
            """
        ).single()[0]
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
            select b.id, s.starts_at, p.no_show_grace_seconds from \(PolicyTerms.ofBooking)
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
