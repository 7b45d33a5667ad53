/// What must be so in the tables of the booking kernel whenever nothing runs, whatever has happened
/// before: each a query for how many rows are wrong, with the schema `booking` in the search path.
public enum KernelInvariants {
    public typealias Invariant = (what: String, sql: String)

    public static let all =
        seats + claims + withdrawals + cases + archive + money + keys + lines

    /// Bookings with one of these have a seat.
    private static let seated =
        "'pending_payment', 'confirmed', 'in_progress', 'completed', 'no_show'"

    public static let seats: [Invariant] = [
        (
            "taken is not the seats of live holds and of bookings",
            """
            select count(*) from slot s where s.taken <>
                (select coalesce(sum(quantity), 0) from hold h
                 where h.slot_id = s.id and h.status = 'pending')
                + (select coalesce(sum(quantity), 0) from booking b
                   where b.confirmed_slot_id = s.id and b.status in (\(seated)))
                + (select coalesce(sum(quantity), 0) from booking_archive b
                   where b.confirmed_slot_id = s.id and b.status in (\(seated)))
            """
        ),
        (
            "more seats than there are, by the bookings themselves",
            """
            select count(*) from slot s where s.capacity <
                (select coalesce(sum(quantity), 0) from booking b
                 where b.confirmed_slot_id = s.id and b.status in (\(seated)))
            """
        ),
    ]

    public static let claims: [Invariant] = [
        (
            "two claims occupy one resource at one time",
            """
            select count(*) from claim a join claim b on a.resource_id = b.resource_id
                and a.id < b.id and a.during && b.during
            """
        ),
        (
            "two slots with somebody in them share a resource at one time, whatever the claims say",
            """
            select count(*) from slot a join slot_resource x on x.slot_id = a.id
            join slot_resource y on y.resource_id = x.resource_id
            join slot b on b.id = y.slot_id and a.id < b.id
            where a.starts_at < b.ends_at and b.starts_at < a.ends_at
              and a.taken > 0 and b.taken > 0
              and a.withdrawn_at is null and b.withdrawn_at is null
            """
        ),
        (
            "a slot that is taken by assignment has not all its claims, or an empty one has any",
            """
            select count(*) from slot s join offering o on o.id = s.offering_id
            where o.claim_at = 'assign' and (select count(*) from claim c where c.slot_id = s.id)
                <> case when s.taken > 0 and s.withdrawn_at is null
                    then (select count(*) from slot_resource r where r.slot_id = s.id) else 0 end
            """
        ),
    ]

    /// Whoever has a seat in one was named when it was withdrawn.
    public static let withdrawals: [Invariant] = [
        (
            "a withdrawn slot occupies a resource",
            """
            select count(*) from claim c join slot s on s.id = c.slot_id
            where s.withdrawn_at is not null
            """
        ),
        (
            "a seat of a withdrawn slot is held",
            """
            select count(*) from hold h join slot s on s.id = h.slot_id
            where h.status = 'pending' and s.withdrawn_at is not null
            """
        ),
        (
            "a withdrawn slot was booked afterwards",
            """
            select count(*) from booking b join slot s on s.id = b.confirmed_slot_id
            where b.created_at > s.withdrawn_at
            """
        ),
    ]

    public static let cases: [Invariant] = [
        (
            "a version has not exactly one row in the history",
            """
            select count(*) from booking b where b.version <>
                (select count(*) from booking_history h where h.booking_id = b.id)
            """
        ),
        (
            "the history ends in another status than the booking has",
            """
            select count(*) from booking b join booking_history h
                on h.booking_id = b.id and h.version = b.version
            where h.to_status <> b.status
                or coalesce(h.payment_status, b.payment_status) <> b.payment_status
            """
        ),
        (
            "a confirmed hold has no booking, or a booking no confirmed hold",
            """
            select count(*) from hold h full join booking b on b.hold_id = h.id
            where (h.status = 'confirmed' and b.id is null)
                or (b.hold_id is not null and h.status is distinct from 'confirmed')
            """
        ),
        (
            "a rescheduled booking and its successor do not name each other",
            """
            select count(*) from booking a full join booking b on a.rescheduled_to = b.id
            where a.rescheduled_to is not null and b.rescheduled_from is distinct from a.id
                or b.rescheduled_from is not null and a.rescheduled_to is distinct from b.id
            """
        ),
    ]

    public static let archive: [Invariant] = [
        (
            "a booking is in use and in the archive, or twice in there",
            """
            select count(*) from (
                select id from (select id from booking union all select id from booking_archive) b
                group by id having count(*) > 1) twice
            """
        ),
        (
            "a history, a charge or a person of no booking",
            """
            select (select count(*) from booking_history h
                    where not exists (select from booking b where b.id = h.booking_id)
                    and not exists (select from booking_archive b where b.id = h.booking_id))
                + (select count(*) from payment_record_archive p left join booking_archive b
                    on b.id = p.booking_id where b.id is null)
                + (select count(*) from registration_archive p left join booking_archive b
                    on b.id = p.booking_id where b.id is null)
                + (select count(*) from contact_archive p left join booking_archive b
                    on b.id = p.booking_id where b.id is null)
            """
        ),
    ]

    /// Money follows a booking through its reschedulings: each line of bookings has one account.
    private static let account = """
        with recursive line as (
            select id, id as last from booking where rescheduled_to is null
            union all
            select b.id, l.last from booking b join line l on b.rescheduled_to = l.id),
        account as (
            select l.last, sum(charged) as charged, sum(refunded) as refunded, sum(due) as due
            from line l join payment_balance p on p.booking_id = l.id group by l.last)

        """

    public static let money: [Invariant] = [
        (
            "more went back than came",
            "select count(*) from payment_balance where refunded + due > charged"
        ),
        (
            "the ledger and the balance differ",
            """
            select count(*) from payment_balance b where charged - refunded <>
                (select coalesce(sum(amount), 0) from payment_ledger l
                 where l.booking_id = b.booking_id)
            """
        ),
        (
            "an ended booking keeps money that is not the policy's",
            account + """
                select count(*) from account a join booking b on b.id = a.last
                where b.status in ('cancelled', 'expired', 'rejected') and
                    charged - refunded - due > case when b.status = 'cancelled'
                        then b.final_amount / 10 + 1 else 0 end
                """
        ),
        (
            "a paid booking does not keep its price",
            account + """
                select count(*) from account a join booking b on b.id = a.last
                where b.kind = 'appointment' and b.final_amount > 0 and b.payment_status = 'paid'
                  and b.status in ('confirmed', 'in_progress', 'completed', 'no_show')
                  and charged - refunded - due <> b.final_amount
                """
        ),
        (
            // A request may be paid before anybody has decided on it.
            "paid, and no seat, and no refund",
            account + """
                select count(*) from account a join booking b on b.id = a.last
                where charged > 0 and refunded + due = 0
                  and b.status not in ('pending', \(seated))
                """
        ),
        (
            "an unpaid booking has money",
            account + """
                select count(*) from account a join booking b on b.id = a.last
                where charged > 0 and b.status = 'pending_payment'
                """
        ),
    ]

    /// Who deletes or unblocks is answered by an empty message.
    public static let keys: [Invariant] = [
        (
            "a key without an answer",
            """
            select count(*) from idempotency_key where response = '' and scope !~ '^(Delete|Unblock)'
            """
        )
    ]
}
