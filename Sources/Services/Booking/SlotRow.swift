import Environment
import Postgres

/// How a slot is read: one select list for every query that returns slots.
enum SlotRow {
    /// The columns, for a query whose slot table is called `s`.
    static let columns: SQL = """
        s.id, o.id, o.code, o.title, o.claim_at, o.time_zone, i.id, i.name, r.id, r.name,
        s.starts_at, s.ends_at, s.capacity, s.taken, s.status,
        greatest(s.version, i.version, r.version),
        (select count(*) from booking b
            where b.status = 'pending' and b.expires_at > clock_timestamp()
              and (b.first_choice_slot_id = s.id or b.second_choice_slot_id = s.id)),
        \(isBlocked)
        """

    static let tables: SQL = """
        slot s join offering o on o.id = s.offering_id
        join resource i on i.id = s.instructor_id
        join resource r on r.id = s.room_id
        """

    /// Another slot occupies the instructor or the room.
    static let isBlocked: SQL = """
        exists (select from claim c
            where c.resource_id in (s.instructor_id, s.room_id) and c.slot_id <> s.id
              and c.during && tstzrange(s.starts_at, s.ends_at, '[)'))
        """

    static func read(_ row: PostgresRow) throws -> Slot {
        let demand: Int = try row[16]
        return Slot(
            id: try row[0],
            offering: Offering(
                id: try row[1], code: try row[2], title: try row[3],
                claimAt: Offering.ClaimPolicy(rawValue: try row[4]) ?? .assign,
                timeZone: try row[5]),
            instructor: NamedResource(id: try row[6], name: try row[7]),
            room: NamedResource(id: try row[8], name: try row[9]),
            startsAt: try row[10], endsAt: try row[11], capacity: try row[12],
            taken: try row[13], status: Slot.Status(rawValue: try row[14]) ?? .unavailable,
            version: try row[15], demand: demand, isBlocked: try row[17])
    }
}

/// How a booking is read.
enum BookingRow {
    /// The columns, for a query whose booking table is called `b`.
    static let columns: SQL = """
        b.id, b.offering_id, b.status, b.first_choice_slot_id, b.second_choice_slot_id,
        b.confirmed_slot_id, b.assignment_basis, b.expires_at, b.confirmed_at, b.created_at,
        b.version, (select o.code from offering o where o.id = b.offering_id), b.payment_status,
        b.quantity, b.total, b.discount, b.currency, b.hold_id, b.rescheduled_from,
        b.rescheduled_to, b.cancelled_at, b.checked_in_at, b.completed_at
        """

    static let count = 23

    static func read(_ row: PostgresRow) throws -> Booking {
        let status: String = try row[2]
        let basis: String? = try row[6]
        let payment: String = try row[12]
        var booking = Booking(
            id: try row[0], offeringID: try row[1],
            status: Booking.Status(rawValue: status) ?? .pending,
            firstChoice: try row[3], secondChoice: try row[4], confirmedSlot: try row[5],
            basis: basis.flatMap(Booking.Basis.init(rawValue:)), expiresAt: try row[7],
            confirmedAt: try row[8], createdAt: try row[9], version: try row[10],
            offeringCode: try row[11])
        booking.paymentStatus = Booking.PaymentStatus(rawValue: payment) ?? .notRequired
        booking.quantity = try row[13]
        (booking.total, booking.discount, booking.currency) = (
            try row[14], try row[15], try row[16]
        )
        (booking.holdID, booking.rescheduledFrom, booking.rescheduledTo) = (
            try row[17], try row[18], try row[19]
        )
        (booking.cancelledAt, booking.checkedInAt, booking.completedAt) = (
            try row[20], try row[21], try row[22]
        )
        return booking
    }
}
