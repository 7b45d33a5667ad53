import Domain
import Environment
import Postgres
import Schema

/// The SQL of lines.
struct WaitlistStore: Sendable {
    let seats: BookingStore

    var pool: PostgresPool { seats.pool }

    func find(_ id: UUID) -> SQL {
        "select \(WaitlistEntry.columns) from waitlist_entry e where e.id = \(id)"
    }

    /// The hold that an entry was offered.
    func hold(of entry: UUID) -> SQL {
        "select \(Hold.columns) from hold h where h.entry_id = \(entry)"
    }

    /// What one who wants to join must know of the line of a slot.
    func line(of slot: UUID, for applicant: [UInt8]) -> SQL {
        """
        select p.entry, p.quantity_limit, p.waitlist_limit,
            (select count(*) from waitlist_entry e where e.slot_id = s.id
                and e.status in ('waiting', 'offered')),
            (select count(*) from waitlist_entry e where e.applicant_key = \(applicant)
                and e.status in ('waiting', 'offered')),
            exists (select from waitlist_entry e where e.slot_id = s.id
                and e.applicant_key = \(applicant) and e.status in ('waiting', 'offered')),
            exists (select from booking b where b.confirmed_slot_id = s.id
                and b.applicant_key = \(applicant)
                and b.status in ('pending_payment', 'confirmed', 'in_progress')
                and (b.status <> 'pending_payment' or b.expires_at > clock_timestamp()))
        from slot s join offering o on o.id = s.offering_id join policy p on p.code = o.policy
        where s.id = \(slot)
        """
    }

    static func readLine(_ row: PostgresRow) throws -> WaitlistRules.Line {
        let entry: String = try row[0]
        return WaitlistRules.Line(
            entry: PolicyTerms.Entry(rawValue: entry) ?? .external, quantityLimit: try row[1],
            limit: try row[2], length: try row[3], own: try row[4], isIn: try row[5],
            hasBooking: try row[6])
    }

    func insert(_ entry: WaitlistEntry, name: String, email: String) -> [SQL] {
        [
            """
            insert into waitlist_entry (id, slot_id, applicant_key, quantity, status, token_hash,
                version, joined_at, changed_at)
            values (\(entry.id), \(entry.slot), \(entry.applicantKey), \(entry.quantity)::int,
                \(entry.status.rawValue), \(entry.tokenHash), \(entry.version),
                \(entry.joinedAt), \(entry.joinedAt))
            """,
            """
            insert into waitlist_contact (entry_id, full_name, email)
            values (\(entry.id), \(name), \(email))
            """,
        ]
    }

    /// Makes the offer the customer's own hold, with its whole time; no row when its time is over.
    func claim(_ hold: UUID, tokenHash: [UInt8], for time: Duration) -> SQL {
        """
        update hold h set token_hash = \(tokenHash),
            expires_at = clock_timestamp() + make_interval(secs => \(time.components.seconds))
        where id = \(hold) and status = 'pending' and expires_at > clock_timestamp()
        returning \(Hold.columns)
        """
    }

    /// 1 for the first; 0 for who does not wait. For a table of entries called `e`.
    static let place: SQL = """
        case when e.status = 'waiting' then (select count(*) from waitlist_entry f
            where f.slot_id = e.slot_id and f.status = 'waiting' and f.position <= e.position)
        else 0 end
        """

    /// An entry as its customer sees it.
    struct Sight: Sendable {
        var entry: WaitlistEntry
        var place: Int
        var hold: Hold?
        var slot: Slot
        var offer: HoldOffer
        /// The time by the database's clock.
        var at: Instant
    }

    /// - Throws: WAITLIST_ENTRY_NOT_FOUND.
    func sight(_ id: UUID) async throws -> Sight {
        let isItsSlot: SQL = "s.id = (select slot_id from waitlist_entry where id = \(id))"
        let results = try await pool.atomically(
            [
                """
                select \(WaitlistEntry.columns), \(Self.place), clock_timestamp()
                from waitlist_entry e where e.id = \(id)
                """,
                hold(of: id),
                "select \(SlotRow.columns) from \(SlotRow.tables) where \(isItsSlot)",
                HoldOffer.select(isItsSlot),
            ], options: TransactionOptions(isReadOnly: true))
        guard let row = results[0].first, let slot = try results[2].first.map(SlotRow.read),
            let offer = try HoldOffer.read(results[3])[slot.id]
        else { throw Self.notFound }
        return Sight(
            entry: try WaitlistEntry.read(row), place: try row[WaitlistEntry.count],
            hold: try results[1].first.map(Hold.read), slot: slot, offer: offer,
            at: try row[WaitlistEntry.count + 1])
    }

    static let notFound = DomainError(.waitlistEntryNotFound, "there is no such entry")

    /// The slot of an entry, to know what to lock first.
    func slot(of entry: UUID, _ transaction: PostgresTransaction) async throws -> UUID {
        let rows = try await transaction.query(
            "select slot_id from waitlist_entry where id = \(entry)")
        guard let row = rows.first else { throw Self.notFound }
        return try row[0]
    }

    /// The live entries of slots with whom they are of: offers first, then the line.
    static func people(of slots: SQL) -> SQL {
        """
        select \(WaitlistEntry.columns), \(place),
            (select h.expires_at from hold h where h.entry_id = e.id),
            coalesce(c.full_name, ''), coalesce(c.email, '')
        from waitlist_entry e left join waitlist_contact c on c.entry_id = e.id
        where e.slot_id in \(slots) and e.status in ('waiting', 'offered')
        order by e.status = 'waiting', e.position
        """
    }

    static func person(_ row: PostgresRow) throws -> BookingV1.WaitlistPerson {
        var person = BookingV1.WaitlistPerson()
        person.entry = BookingV1.WaitlistEntry(
            try WaitlistEntry.read(row), place: try row[WaitlistEntry.count],
            offerUntil: try row[WaitlistEntry.count + 1])
        person.fullName = try row[WaitlistEntry.count + 2]
        person.email = try row[WaitlistEntry.count + 3]
        return person
    }

    /// Slots whose line is over, or whose seats can be offered.
    static func due(limit: Int) -> SQL {
        """
        (select s.id, s.starts_at
         from slot s join offering o on o.id = s.offering_id join policy p on p.code = o.policy
         where s.waiting is not null
           and (\(closes) < statement_timestamp()
             or (s.is_open and s.capacity - s.taken >= s.waiting and \(SlotRow.isBookable)
               and \(SlotRow.isFree)))
         order by s.starts_at limit \(limit)::int)
        """
    }

    /// Those who wait no more, by when they ended.
    static let age = """
        create index waitlist_age on waitlist_entry (changed_at)
            where status not in ('waiting', 'offered');

        """

    /// Deletes at most `limit` entries that ended 400 days ago, with their history: a season can
    /// be compared with the one a year before. A booking that came of one stays.
    /// - Returns: how many it deleted.
    func forget(limit: Int) async throws -> Int {
        try await pool.execute(
            """
            with old as materialized (
                select e.id from waitlist_entry e
                where e.status not in ('waiting', 'offered')
                  and e.changed_at < statement_timestamp() - interval '400 days'
                  and not exists (select from hold h where h.entry_id = e.id
                    and h.status = 'pending')
                order by e.changed_at limit \(limit)::int for update skip locked
            ), holds as (
                update hold set entry_id = null from old where entry_id = old.id
            ), story as (
                delete from waitlist_history using old where entry_id = old.id
            )
            delete from waitlist_entry e using old where e.id = old.id
            """)
    }

    /// When the next line is over.
    static let nextEnd: SQL = """
        (select min(\(closes))
         from slot s join offering o on o.id = s.offering_id join policy p on p.code = o.policy
         where s.waiting is not null)
        """

    private static let closes: SQL = "s.starts_at - make_interval(secs => p.notice_seconds)"

    /// Slots of an offering without a free seat, whose line can be joined.
    static func full(_ course: UUID?, code: String, from: Instant, to: Instant?, limit: Int) -> SQL
    {
        """
        select \(SlotRow.columns) from \(SlotRow.tables)
        where s.offering_id = coalesce(\(nullable: course),
                (select id from offering where code = \(code)))
            and s.status = 'available' and not s.is_open
            and s.starts_at >= \(from) and s.starts_at < coalesce(\(nullable: to), 'infinity')
            and p.entry = 'hold' and p.waitlist_limit > 0 and \(SlotRow.isBookable)
        order by s.starts_at, s.id limit \(limit)::int
        """
    }
}
