import Domain
import Environment
import Postgres
import Schema

/// The SQL of bookings. Lock order: slot, then booking; claims ascending by resource in one
/// statement, then resources (design.md §4, X-117). Every transition is guarded by the version it
/// started from.
struct BookingStore: Sendable {
    let pool: PostgresPool

    // MARK: Reading

    /// The slot that a booking holds or asks for, without any lock: to know what to lock first.
    func confirmedSlot(of id: UUID, _ transaction: PostgresTransaction) async throws -> UUID? {
        let rows = try await transaction.query(
            "select confirmed_slot_id from booking where id = \(id)")
        return try rows.first.flatMap { try $0[0] as UUID? }
    }

    // MARK: Seats

    /// Occupies every resource of the slot, all or none.
    /// - Returns: false when something else has one of them: the transaction must be rolled back.
    func claim(_ slot: Slot, _ transaction: PostgresTransaction) async throws -> Bool {
        guard !slot.resources.isEmpty else { return true }
        let rows = try await transaction.query(
            """
            insert into claim (resource_id, slot_id, during)
            select r, \(slot.id), tstzrange(\(slot.occupiedFrom), \(slot.occupiedUntil), '[)')
            from unnest(\(slot.resources.map(\.id))) r order by r
            on conflict do nothing
            """)
        return rows.affectedRows == slot.resources.count
    }

    /// Frees the resources when nobody is left in a slot that had claimed them by assignment.
    func releaseClaims(_ slot: UUID) -> SQL {
        """
        delete from claim c using slot s join offering o on o.id = s.offering_id
        where c.slot_id = \(slot) and s.id = \(slot) and s.taken = 0 and o.claim_at = 'assign'
        """
    }

    /// Other slots that share a resource with the given one at that time; at most 200.
    func neighbours(of slot: Slot, _ transaction: PostgresTransaction) async throws -> [Slot] {
        try await transaction.query(SlotNeighbours.select(of: slot)).map(SlotRow.read)
    }

    /// A slot as it is now.
    func slot(_ id: UUID, _ transaction: PostgresTransaction) async throws -> Slot? {
        try await transaction.query(
            "select \(SlotRow.columns) from \(SlotRow.tables) where s.id = \(id)"
        ).first.map(SlotRow.read)
    }

    // MARK: Transitions

    /// Writes the decision if the booking is still at the version it was decided on.
    func update(_ decision: BookingDecision) -> SQL {
        let next = decision.booking
        return """
            update booking set status = \(next.status.rawValue),
                payment_status = \(next.paymentStatus.rawValue),
                confirmed_slot_id = \(nullable: next.confirmedSlot), assignment_basis = \(nullable: next.basis?.rawValue),
                confirmed_at = \(nullable: next.confirmedAt), cancelled_at = \(nullable: next.cancelledAt),
                checked_in_at = \(nullable: next.checkedInAt), completed_at = \(nullable: next.completedAt),
                rescheduled_to = \(nullable: next.rescheduledTo), version = \(next.version)
            where id = \(next.id) and version = \(next.version - 1)
            """
    }

    func history(
        _ decision: BookingDecision, from: Booking.Status, actor: String, reason: String,
        at: Instant
    ) -> SQL {
        """
        insert into booking_history
            (booking_id, at, from_status, to_status, actor, action, reason, version,
            payment_status)
        values (\(decision.booking.id), \(at), \(from.rawValue),
            \(decision.booking.status.rawValue), \(actor), \(decision.action), \(reason),
            \(decision.booking.version), \(decision.booking.paymentStatus.rawValue))
        """
    }

    // MARK: Explaining

    func conflicts(with slot: Slot, excluding booking: UUID?) async throws -> [Conflict] {
        try await ConflictQuery(pool: pool).find(slot, excludingBooking: booking)
    }

    /// Free slots of the same offering, nearest in time first. The time of the statement, not the
    /// clock's: an index can be searched by it.
    func alternatives(to slot: Slot, limit: Int = 3) async throws -> [Slot] {
        try await pool.query(
            """
            with near as materialized (
                (select s.id, s.starts_at from slot s
                 where s.offering_id = \(slot.offering.id) and s.id <> \(slot.id) and s.is_open
                   and s.starts_at > greatest(statement_timestamp(), \(slot.startsAt))
                   and \(SlotRow.isBookable) and \(SlotRow.isFree)
                 order by s.starts_at limit \(limit)::int)
                union all
                (select s.id, s.starts_at from slot s
                 where s.offering_id = \(slot.offering.id) and s.id <> \(slot.id) and s.is_open
                   and s.starts_at > statement_timestamp() and s.starts_at <= \(slot.startsAt)
                   and \(SlotRow.isBookable) and \(SlotRow.isFree)
                 order by s.starts_at desc limit \(limit)::int))
            select \(SlotRow.columns) from \(SlotRow.tables) join near n on n.id = s.id
            order by abs(extract(epoch from n.starts_at - \(slot.startsAt))), s.id
            limit \(limit)::int
            """
        ).map(SlotRow.read)
    }

    /// Pending bookings, other than `booking`, that named a slot.
    func otherRequests(for slot: UUID, than booking: UUID, _ transaction: PostgresTransaction)
        async throws -> [UUID]
    {
        try await transaction.query(
            """
            select id from booking where status = 'pending' and id <> \(booking)
              and (first_choice_slot_id = \(slot) or second_choice_slot_id = \(slot))
            order by created_at limit 100
            """
        ).map { try $0[0] }
    }

    /// Pending requests that have lapsed, locked; rows that others work on are passed over.
    func lapsed(limit: Int, _ transaction: PostgresTransaction) async throws -> [Booking] {
        try await transaction.query(
            """
            select \(BookingRow.columns) from booking b
            where b.status = 'pending' and b.expires_at <= statement_timestamp()
            order by b.expires_at limit \(limit)::int for update skip locked
            """
        ).map(BookingRow.read)
    }

    /// The lapsed request that blocks a new one of the same person and course.
    func lapsed(offering: UUID, applicantKey: [UInt8], _ transaction: PostgresTransaction)
        async throws -> Booking?
    {
        try await transaction.query(
            """
            select \(BookingRow.columns) from booking b
            where b.offering_id = \(offering) and b.applicant_key = \(applicantKey)
              and b.status = 'pending' and b.expires_at <= clock_timestamp()
            for update
            """
        ).first.map(BookingRow.read)
    }
}
