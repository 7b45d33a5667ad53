import Domain
import Environment
import Postgres

/// The rows of many assignments, in statements of one text for any number of them.
enum AssignStatements {
    /// The place of the order, the order, and what was decided.
    typealias Given = (index: Int, order: BookingTransitions.Order, decision: BookingDecision)

    /// Bookings at the versions that they were decided on, and their history.
    static func rows(_ given: [Given], at: Instant) -> [SQL] {
        let bookings = given.map(\.decision.booking)
        return [
            """
            update booking b set confirmed_slot_id = n.slot, assignment_basis = n.basis,
                total = n.total, payment_status = n.payment, version = n.version
            from unnest(\(bookings.map(\.id)), \(bookings.compactMap(\.confirmedSlot)),
                \(bookings.compactMap(\.basis?.rawValue)), \(bookings.map(\.total)),
                \(bookings.map(\.paymentStatus.rawValue)), \(bookings.map(\.version)))
                n(id, slot, basis, total, payment, version)
            where b.id = n.id and b.version = n.version - 1
            """,
            """
            insert into booking_history
                (booking_id, at, from_status, to_status, actor, action, reason, version,
                payment_status)
            select id, \(at), status, status, actor, action, reason, version, payment
            from unnest(\(bookings.map(\.id)), \(bookings.map(\.status.rawValue)),
                \(given.map(\.order.actor)), \(given.map(\.decision.action)),
                \(given.map(\.order.reason)), \(bookings.map(\.version)),
                \(bookings.map(\.paymentStatus.rawValue)))
                n(id, status, actor, action, reason, version, payment)
            """,
        ]
    }
}

extension BookingStore {
    /// Bookings that many orders are about, locked ascending by id.
    func lock(_ bookings: [UUID]) -> SQL {
        """
        select \(BookingRow.columns) from booking b
        where b.id = any(\(bookings)) order by b.id for update
        """
    }
}
