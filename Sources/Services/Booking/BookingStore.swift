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

    /// Occupies every resource of the slots; answers the slot once for each that it got. A slot that
    /// has not got all of its own has lost: the transaction must be rolled back. Ascending by
    /// resource and time, so that those who want several wait for each other in one order.
    func claim(_ slots: [UUID]) -> SQL {
        """
        insert into claim (resource_id, slot_id, during)
        select x.resource_id, x.slot_id, x.occupies from slot_resource x
        where x.slot_id = any(\(slots)) order by x.resource_id, lower(x.occupies)
        on conflict do nothing returning slot_id
        """
    }

    /// Frees the resources of slots that nobody is left in and that had claimed them by assignment.
    func releaseClaims(_ slots: [UUID]) -> SQL {
        """
        delete from claim c using slot s join offering o on o.id = s.offering_id
        where c.slot_id = any(\(slots)) and s.id = c.slot_id and s.taken = 0
          and o.claim_at = 'assign'
        """
    }

    // MARK: Transitions

    /// Writes the decision if the booking is still at the version it was decided on.
    /// - Parameter choices: whether the choices are others.
    func update(_ decision: BookingDecision, choices: Bool = false) -> SQL {
        let next = decision.booking
        let chosen: SQL =
            choices
            ? """
            first_choice_slot_id = \(nullable: next.firstChoice),
                second_choice_slot_id = \(nullable: next.secondChoice),
            """ : ""
        return """
            update booking set \(chosen) status = \(next.status.rawValue),
                payment_status = \(next.paymentStatus.rawValue), total = \(next.total)::bigint,
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

    // MARK: Others

    /// Pending bookings that named one of the slots, with it: the oldest hundred of each choice.
    func requests(for slots: [UUID]) -> SQL {
        """
        select w.id, b.id from unnest(\(slots)) w(id) cross join lateral (
            (select id, created_at from booking
             where status = 'pending' and first_choice_slot_id = w.id
             order by created_at limit 100)
            union
            (select id, created_at from booking
             where status = 'pending' and second_choice_slot_id = w.id
             order by created_at limit 100)) b
        order by w.id, b.created_at
        """
    }

    static func requests(_ rows: PostgresRows) throws -> [UUID: [UUID]] {
        var requests: [UUID: [UUID]] = [:]
        for row in rows { requests[try row[0], default: []].append(try row[1]) }
        return requests
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
