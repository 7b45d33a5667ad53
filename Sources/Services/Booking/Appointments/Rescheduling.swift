import Domain
import Environment
import Postgres

// A booking that takes the place of another: the same case at another time.

extension BookingDecision {
    /// The slot that the successor takes.
    func successorSlot(_ order: BookingTransitions.Order) -> UUID? {
        booking.status == .rescheduled ? order.slot : nil
    }

    /// The booking in place of the one that was decided to be rescheduled; nil for other decisions.
    func successor(
        of booking: Booking, _ order: BookingTransitions.Order, at now: Instant
    ) -> Booking? {
        guard case .reschedule(let id) = order.command, let slot = order.slot else { return nil }
        var next = booking
        next.id = id
        next.confirmedSlot = slot
        next.basis = order.rights == nil ? .adminOverride : .customer
        (next.firstChoice, next.secondChoice, next.holdID) = (nil, nil, nil)
        (next.createdAt, next.confirmedAt) = (now, now)
        next.rescheduledFrom = booking.id
        next.reschedules += 1
        next.version = 1
        return next
    }
}

extension BookingStore {
    /// The successor with everything that belongs to its predecessor: person, snapshot of the
    /// policy, amounts. Payments stay where they were made; the links lead to them.
    func insert(_ next: Booking, inPlaceOf previous: UUID, actor: String) -> [SQL] {
        [
            """
            insert into booking (id, offering_id, applicant_key, status, payment_status,
                confirmed_slot_id, assignment_basis, expires_at, confirmed_at, created_at, kind,
                quantity, total, discount, currency, policy, rescheduled_from, reschedules, notes,
                source)
            select \(next.id), offering_id, applicant_key, \(next.status.rawValue),
                \(next.paymentStatus.rawValue), \(nullable: next.confirmedSlot),
                \(nullable: next.basis?.rawValue), expires_at, \(nullable: next.confirmedAt),
                \(next.createdAt), kind, quantity, total, discount, currency, policy, id,
                \(next.reschedules)::int, notes, source
            from booking where id = \(previous)
            """,
            """
            insert into contact
            select (jsonb_populate_record(c, jsonb_build_object('booking_id', \(next.id)))).*
            from contact c where booking_id = \(previous)
            """,
            """
            insert into registration
            select (jsonb_populate_record(r, jsonb_build_object('booking_id', \(next.id)))).*
            from registration r where booking_id = \(previous)
            """,
            """
            insert into booking_history
                (booking_id, at, to_status, actor, action, reason, version, payment_status)
            values (\(next.id), \(next.createdAt), \(next.status.rawValue), \(actor), 'created',
                'in place of ' || \(previous)::uuid, 1, \(next.paymentStatus.rawValue))
            """,
        ]
    }
}
