import Environment
import Postgres

/// How a slot is read: one select list for every query that returns slots.
enum SlotRow {
    /// The columns, for a query whose tables are ``tables``.
    static let columns = columns(isBlocked: isBlocked)

    /// The same for slots of which it is known whether they are blocked.
    static func columns(isBlocked: SQL) -> SQL {
        """
        s.id, \(OfferingRow.columns), p.notice_seconds, p.window_seconds,
        q.ids, q.names, q.kinds, s.starts_at, s.ends_at, s.capacity, s.taken, s.status,
        greatest(s.version, q.version), \(demand), \(isBlocked), \(lapsed),
        lower(s.occupies), upper(s.occupies), s.time_zone, s.local_date, s.location_id, s.price,
        s.waiting
        """
    }

    static let tables: SQL = "slot s \(joins)"

    /// First of a transaction whose statements have one good plan, whatever their values: making it
    /// takes longer than running it.
    static let plannedOnce: SQL = "set local plan_cache_mode = force_generic_plan"

    /// What belongs to a slot, for a query whose slot table is called `s`.
    static let joins: SQL = """
        join offering o on o.id = s.offering_id
        join policy p on p.code = o.policy
        left join lateral (
            select array_agg(r.id) as ids, array_agg(r.name) as names, array_agg(r.kind) as kinds,
                max(r.version) as version
            from (select r.id, r.name, r.kind, r.version
                from slot_resource x join resource r on r.id = x.resource_id
                where x.slot_id = s.id order by r.kind, r.name, r.id) r) q on true
        """

    /// Two counts, for a booking that names the slot twice cannot be; each has its own index.
    private static let demand: SQL = """
        (select count(*) from booking b where b.first_choice_slot_id = s.id
            and b.status = 'pending' and b.expires_at > statement_timestamp())
        + (select count(*) from booking b where b.second_choice_slot_id = s.id
            and b.status = 'pending' and b.expires_at > statement_timestamp())
        """

    /// Another slot or a block occupies one of the resources. Only the last claim that begins before
    /// the slot's end can (``ClaimMigration``); a claim of the slot itself leaves room for no other.
    static let isBlocked: SQL = "(select count(*) > 0 \(othersClaims))"

    /// As a condition. Counted: PostgreSQL would turn `not exists` into a join with every claim
    /// (FindPlanTests).
    static let isFree: SQL = "(select count(*) = 0 \(othersClaims))"

    private static let othersClaims: SQL = """
        from slot_resource x cross join lateral (
            select c.during, c.slot_id from claim c
            where c.resource_id = x.resource_id and lower(c.during) < upper(s.occupies)
            order by lower(c.during) desc limit 1) c
        where x.slot_id = s.id and upper(c.during) > lower(s.occupies)
          and c.slot_id is distinct from s.id
        """

    /// Seats of holds and unpaid bookings whose time is over.
    static let lapsed: SQL = """
        (select coalesce(sum(h.quantity), 0) from hold h where h.slot_id = s.id
            and h.status = 'pending' and h.expires_at <= statement_timestamp())
        + (select coalesce(sum(b.quantity), 0) from booking b where b.confirmed_slot_id = s.id
            and b.status = 'pending_payment' and b.expires_at <= statement_timestamp())
        """

    /// Now lies within the booking window and before the minimum notice of the slot's policy; a
    /// subquery of its own as ``isFree``.
    static let isBookable: SQL = """
        (select exists (select from offering o join policy p on p.code = o.policy
            where o.id = s.offering_id
              and s.starts_at >= statement_timestamp() + make_interval(secs => p.notice_seconds)
              and (p.window_seconds is null or s.starts_at
                <= statement_timestamp() + make_interval(secs => p.window_seconds))))
        """

    static func read(_ row: PostgresRow) throws -> Slot {
        var offering = try OfferingRow.read(row, from: 1)
        offering.notice = .seconds(try row[11] as Int64)
        offering.window = (try row[12] as Int64?).map { .seconds($0) }
        var slot = Slot(
            id: try row[0], offering: offering, resources: try readResources(row),
            startsAt: try row[16], endsAt: try row[17], capacity: try row[18],
            taken: try row[19], status: Slot.Status(rawValue: try row[20]) ?? .unavailable,
            version: try row[21], demand: try row[22], isBlocked: try row[23],
            occupiedFrom: try row[25], occupiedUntil: try row[26], timeZone: try row[27],
            localDate: try row[28])
        slot.lapsed = try row[24]
        (slot.locationID, slot.ownPrice) = (try row[29], try row[30])
        slot.waiting = try row[31]
        return slot
    }

    private static func readResources(_ row: PostgresRow) throws -> [NamedResource] {
        let ids: [UUID]? = try row[13]
        let names: [String]? = try row[14]
        let kinds: [String]? = try row[15]
        guard let ids, let names, let kinds else { return [] }
        return zip(ids, zip(names, kinds)).map {
            NamedResource(id: $0, name: $1.0, kind: $1.1)
        }
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
        b.rescheduled_to, b.cancelled_at, b.checked_in_at, b.completed_at, b.kind,
        b.reschedules
        """

    static let count = 25

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
        let kind: String = try row[23]
        booking.kind = Booking.Kind(rawValue: kind) ?? .request
        booking.reschedules = try row[24]
        return booking
    }
}
