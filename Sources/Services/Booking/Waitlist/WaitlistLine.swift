import Domain
import Environment
import Postgres
import Schema

/// Who waits, and for how long seats are kept for them.
struct WaitlistParty: Sendable, Hashable {
    let entry: WaitlistEntry
    let offerTime: Duration
}

extension SeatLedger {
    /// Slots in which a free seat could be somebody's who waits, with the free seats.
    var lines: [(slot: UUID, free: Int, isOver: Bool)] {
        guard servesLine, !PlantedBug.lineJumped.isPlanted else { return [] }
        return entries.values.compactMap { entry in
            guard let least = entry.least else { return nil }
            let isOver = WaitlistRules.isOver(entry.slot, now: at)
            let free = entry.slot.capacity - entry.taken
            guard
                isOver || (free >= least && WaitlistRules.isServed(entry.slot, now: at))
            else { return nil }
            return (entry.slot.id, free, isOver)
        }.sorted { $0.slot < $1.slot }
    }

    /// Gives free seats of a slot to those who wait, in their order; ends the line of a slot that
    /// is over.
    mutating func serve(_ slot: UUID, _ line: [WaitlistParty]) throws(DomainError) {
        guard let entry = entries[slot] else { return }
        if WaitlistRules.isOver(entry.slot, now: at) {
            for party in line { moves.append(try move(party.entry, .ended)) }
            change(slot) { $0.waiting = nil }
            return
        }
        let free = entry.slot.capacity - entry.taken
        let served = WaitlistRules.served(line, free: free) { $0.entry.quantity }
        for party in served {
            var offer = try move(party.entry, .offered)
            offer.hold = .timeOrdered(at)
            offer.until = min(at + party.offerTime, entry.slot.startsAt)
            moves.append(offer)
            take(offered: party.entry.quantity, of: slot)
        }
        // Nobody who is left fits in what is left.
        change(slot) { $0.waiting = nil }
    }

    /// The time of an offer is over; its seats are counted as free already.
    mutating func lapse(_ entry: WaitlistEntry) throws(DomainError) {
        moves.append(try move(entry, .lapsed))
    }

    /// The slot is withdrawn; what was offered is given back.
    mutating func end(_ entry: WaitlistEntry) throws(DomainError) {
        if moves.contains(where: { $0.entry.id == entry.id }) { return }
        try giveUp(entry, .ended, by: "system")
    }

    /// An entry ends before its time, and its offer with it.
    mutating func giveUp(
        _ entry: WaitlistEntry, _ action: WaitlistAction, by actor: String
    ) throws(DomainError) {
        var move = try move(entry, action)
        move.actor = actor
        moves.append(move)
        if entry.status == .offered { release(entry.quantity, of: entry.slot) }
    }

    private func move(
        _ entry: WaitlistEntry, _ action: WaitlistAction
    ) throws(DomainError) -> WaitlistMove {
        WaitlistMove(entry: try WaitlistRules.decide(entry, action), action: action)
    }
}

extension BookingStore {
    /// Offers what is free in the slots of a ledger to those who wait for it, before anybody else
    /// can take it.
    ///
    /// - Parameter offers: entries whose hold was found dead.
    func serve(
        _ ledger: inout SeatLedger, lapsed offers: [UUID] = [], _ transaction: PostgresTransaction
    ) async throws {
        let lines = ledger.lines
        guard !lines.isEmpty || !offers.isEmpty else { return }
        let results = try await transaction.batch([
            """
            select \(WaitlistEntry.columns) from waitlist_entry e
            where e.id = any(\(offers)) and e.status = 'offered' order by e.id
            """,
            Self.parties(lines, except: ledger.moves.map(\.entry.id)),
        ])
        for row in results[0] {
            try ledger.lapse(try WaitlistEntry.read(row))
        }
        var parties: [UUID: [WaitlistParty]] = [:]
        for row in results[1] {
            let entry = try WaitlistEntry.read(row)
            parties[entry.slot, default: []].append(
                WaitlistParty(
                    entry: entry, offerTime: .seconds(try row[WaitlistEntry.count] as Int64)))
        }
        for line in lines { try ledger.serve(line.slot, parties[line.slot, default: []]) }
    }

    /// Everybody in line who fits, or everybody where the line is over.
    static func parties(
        _ lines: [(slot: UUID, free: Int, isOver: Bool)], except moved: [UUID]
    ) -> SQL {
        """
        select \(WaitlistEntry.columns), p.offer_seconds
        from unnest(\(lines.map(\.slot)), \(lines.map { $0.isOver ? Int(Int32.max) : $0.free }))
            n(slot, free)
        join waitlist_entry e on e.slot_id = n.slot and e.status = 'waiting'
            and e.quantity <= n.free and e.id <> all(\(moved))
        join slot s on s.id = n.slot join offering o on o.id = s.offering_id
        join policy p on p.code = o.policy
        order by e.slot_id, e.position
        """
    }

    /// The rows of what has become of entries.
    func write(_ moves: [WaitlistMove], at: Instant) -> [SQL] {
        guard !moves.isEmpty else { return [] }
        let entries = moves.map(\.entry)
        let gone = entries.filter { !$0.status.isLive }.map(\.id)
        var statements: [SQL] = []
        let offers = moves.compactMap { move in
            move.hold.flatMap { hold in move.until.map { (hold, move.entry, $0) } }
        }
        if !offers.isEmpty { statements.append(insert(offers, at: at)) }
        statements += [
            """
            update waitlist_entry e set status = n.status, version = n.version,
                changed_at = \(at)
            from unnest(\(entries.map(\.id)), \(entries.map(\.status.rawValue)),
                \(entries.map(\.version))) n(id, status, version)
            where e.id = n.id and e.version = n.version - 1
            """,
            """
            insert into waitlist_history (entry_id, version, at, action, actor)
            select id, version, \(at), action, actor
            from unnest(\(entries.map(\.id)), \(entries.map(\.version)),
                \(moves.map(\.action.rawValue)), \(moves.map(\.actor)))
                n(id, version, action, actor)
            """,
        ]
        if !gone.isEmpty, !PlantedBug.waiterKept.isPlanted {
            statements.append("delete from waitlist_contact where entry_id = any(\(gone))")
        }
        let givenUp = moves.filter { $0.action == .left || $0.action == .ended }.map(\.entry.id)
        if !givenUp.isEmpty {
            statements.append(
                """
                update hold set status = 'released'
                where entry_id = any(\(givenUp)) and status = 'pending'
                """)
        }
        statements.append(
            """
            update slot s set waiting = (select min(e.quantity) from waitlist_entry e
                where e.slot_id = s.id and e.status = 'waiting')
            where s.id = any(\(Array(Set(entries.map(\.slot))).sorted()))
            """)
        return statements
    }

    /// Holds that no token opens: thirty-two zeros are the hash of none that anybody knows.
    private func insert(_ offers: [(hold: UUID, entry: WaitlistEntry, until: Instant)], at: Instant)
        -> SQL
    {
        """
        insert into hold (id, slot_id, quantity, token_hash, holder_key, expires_at, created_at,
            entry_id, price, currency)
        select n.id, e.slot_id, e.quantity, decode(repeat('00', 32), 'hex'), e.applicant_key,
            n.until, \(at), e.id, coalesce(s.price, o.price), o.currency
        from unnest(\(offers.map(\.hold)), \(offers.map(\.entry.id)), \(offers.map(\.until)))
            n(id, entry, until) join waitlist_entry e on e.id = n.entry
        join slot s on s.id = e.slot_id join offering o on o.id = s.offering_id
        """
    }
}
