extension KernelInvariants {
    /// Of waiting lists. Seats of a resource that was freed are offered by the sweeper, soon.
    public static let lines: [Invariant] = [
        (
            "a seat is free that somebody waits for",
            """
            select count(*) from slot s join offering o on o.id = s.offering_id
            join policy p on p.code = o.policy
            where s.status = 'available'
              and s.starts_at - make_interval(secs => p.notice_seconds) > clock_timestamp()
              and exists (select from waitlist_entry e where e.slot_id = s.id
                and e.status = 'waiting' and e.quantity <= s.capacity - s.taken)
              and not exists (select from slot_resource x join claim c
                on c.resource_id = x.resource_id where x.slot_id = s.id
                and c.during && s.occupies and c.slot_id is distinct from s.id)
            """
        ),
        (
            "a slot does not know its smallest party in line",
            """
            select count(*) from slot s where s.waiting is distinct from
                (select min(quantity) from waitlist_entry e
                 where e.slot_id = s.id and e.status = 'waiting')
            """
        ),
        (
            "an offer has no live hold of its seats, or a hold is offered to nobody",
            """
            select count(*) from waitlist_entry e full join hold h on h.entry_id = e.id
            where (e.status = 'offered' and (h.status is distinct from 'pending'
                or h.quantity <> e.quantity or h.slot_id <> e.slot_id))
              or (e.status = 'waiting' and h.id is not null)
              or (e.status in ('lapsed', 'left', 'ended') and h.status = 'pending')
            """
        ),
        (
            "an offer can be opened before it is claimed",
            """
            select count(*) from waitlist_entry e join hold h on h.entry_id = e.id
            where e.status = 'offered' and h.token_hash <> decode(repeat('00', 32), 'hex')
            """
        ),
        (
            "a version of an entry has not exactly one row in the history, or not one event",
            """
            select count(*) from waitlist_entry e where e.version <>
                (select count(*) from waitlist_history h where h.entry_id = e.id)
              or e.version <> (select count(*) from outbox u
                where u.topic = 'waitlist.updated' and u.key = e.id::text)
            """
        ),
        (
            "somebody waits twice for one slot",
            """
            select count(*) from (select from waitlist_entry where status in ('waiting', 'offered')
                group by slot_id, applicant_key having count(*) > 1) d
            """
        ),
        (
            "a person is known though the entry has ended, or not known though it lives",
            """
            select count(*) from waitlist_entry e where (e.status in ('waiting', 'offered'))
                <> exists (select from waitlist_contact c where c.entry_id = e.id)
            """
        ),
        (
            "somebody was passed over by one who came later and needs no fewer seats",
            """
            select count(*) from waitlist_entry late join waitlist_history o
                on o.entry_id = late.id and o.action = 'offered'
            join waitlist_entry early on early.slot_id = late.slot_id
                and early.position < late.position and early.quantity <= late.quantity
            where not exists (select from waitlist_history h where h.entry_id = early.id
                and h.action in ('offered', 'left', 'ended') and h.at <= o.at)
            """
        ),
    ]
}
