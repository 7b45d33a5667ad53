import Domain
import Environment
import Postgres
import Schema

/// The SQL of seats. Every transaction that takes or gives back seats opens the slots first: their
/// rows are locked ascending by id, before holds, bookings, claims and resources (X-117).
extension BookingStore {
    /// Locks slots, and frees what has lapsed in them, in one round trip.
    ///
    /// - Parameters:
    ///   - before: statements that come before the locks.
    ///   - after: statements under the locks.
    ///   - booking: is left alone though it may have lapsed: the transaction is about it.
    ///   - servesLine: what is free is offered to those who wait, before anybody else can take it.
    /// - Returns: the ledger, and what the statements of `before` and of `after` answered.
    func open(
        _ slots: [UUID], excluding booking: UUID? = nil, before: [SQL] = [], after: [SQL] = [],
        servesLine: Bool = true, _ transaction: PostgresTransaction
    ) async throws -> (ledger: SeatLedger, before: [PostgresRows], after: [PostgresRows]) {
        let ids = Array(Set(slots)).sorted()
        let opening = opening(ids, booking)
        let results = try await transaction.batch(
            [SlotRow.plannedOnce] + before + opening + after)
        let own = Array(results.dropFirst(before.count + 1))
        var freed: [UUID: Int] = [:]
        var offers: [UUID] = []
        for row in own[1] {
            freed[try row[0], default: 0] += try row[1] as Int
            if let entry: UUID = try row[2] { offers.append(entry) }
        }
        let rows = try own[4].map(SlotRow.read)
        let at: Instant = try own[3].single()[0]
        var ledger = SeatLedger(
            rows, versions: try own[3].single()[1], freed: freed,
            lapsed: try own[2].map(BookingRow.read), at: at)
        ledger.servesLine = servesLine
        try await serve(&ledger, lapsed: offers, transaction)
        return (
            ledger, Array(results.dropFirst().prefix(before.count)),
            Array(own.dropFirst(opening.count))
        )
    }

    private func opening(_ ids: [UUID], _ booking: UUID?) -> [SQL] {
        let isDead: SQL =
            PlantedBug.janitorOnlyExpiry.isPlanted ? "false" : "expires_at <= clock_timestamp()"
        return [
            // The rows are locked alone first: a joined query would read the others too early.
            """
            select 1 from slot where id = any(\(ids)) order by id
            \(unescaped: PlantedBug.slotNotLocked.isPlanted ? "" : "for no key update")
            """,
            """
            update hold set status = 'expired'
            where slot_id = any(\(ids)) and status = 'pending' and \(isDead)
            returning slot_id, quantity, entry_id
            """,
            """
            select \(BookingRow.columns) from booking b
            where b.confirmed_slot_id = any(\(ids)) and b.status = 'pending_payment'
              and b.expires_at <= clock_timestamp() and b.id is distinct from \(nullable: booking)
            order by b.id for no key update
            """,
            """
            select clock_timestamp(),
                (select coalesce(array_agg(nextval('slot_version')), '{}') from unnest(\(ids)))
            """,
            "select \(SlotRow.columns) from \(SlotRow.tables) where s.id = any(\(ids))",
        ]
    }

    /// What a ledger makes known: the slots as they are now, and the events of it.
    struct Settlement: Sendable {
        var slots: [UUID: Slot] = [:]
        /// Of the slots whose seats have changed, ascending by id.
        var changes: [OutboxEvent] = []
        /// Of their neighbours, and of bookings that have lapsed.
        var further: [OutboxEvent] = []

        var events: [OutboxEvent] { changes + further }
    }

    /// Writes a ledger: seats, claims where a slot is taken for the first time or left by the last,
    /// and the bookings that have lapsed.
    ///
    /// - Parameter last: statements that may travel with the COMMIT; events are left to the caller.
    /// - Throws: `SeatLost` with SCHEDULE_CONFLICT when a resource is occupied: the transaction
    ///   must be rolled back.
    func settle(
        _ ledger: SeatLedger, _ transaction: PostgresTransaction, _ last: inout [SQL]
    ) async throws -> Settlement {
        var ledger = ledger
        try await serve(&ledger, transaction)
        var settlement = Settlement()
        let changed = ledger.changed
        for entry in ledger.entries.values { settlement.slots[entry.slot.id] = entry.next }
        let claiming = changed.filter { $0.slot.offering.claimAt == .assign }
        let emptied = claiming.filter { $0.taken == 0 }.map(\.slot)
        let filled = claiming.filter { $0.slot.taken == 0 }.map(\.slot)
        if emptied.isEmpty, filled.isEmpty {
            if !changed.isEmpty { last.append(seats(changed)) }
            settlement.changes = changed.map {
                BookingEvents.availability($0.next, version: $0.version, at: ledger.at)
            }
        } else {
            try await move(
                changed, emptied: emptied, filled: filled, ledger, transaction, &settlement)
        }
        last += write(ledger.moves, at: ledger.at)
        settlement.further += ledger.moves.map {
            WaitlistEvents.moved($0, ledger.entries[$0.entry.slot]?.slot, at: ledger.at)
        }
        for booking in ledger.lapsed {
            let decision = try BookingRules.decide(booking, .expire, now: ledger.at)
            last += [
                update(decision),
                history(
                    decision, from: booking.status, actor: "system", reason: "", at: ledger.at),
            ]
            settlement.further += BookingEvents.of(
                decision, from: booking, by: "system", at: ledger.at)
        }
        return settlement
    }

    /// The numbers of all changed slots; one text for any number of them.
    private func seats(_ entries: [SeatLedger.Entry]) -> SQL {
        """
        update slot s set taken = n.taken, version = n.version
        from unnest(\(entries.map(\.slot.id)), \(entries.map(\.taken)), \(entries.map(\.version)))
            n(id, taken, version)
        where s.id = n.id
        """
    }

    /// Seats, claims, the new versions of all slots that share a resource with those whose claims
    /// have changed, and how these slots are then: one round trip.
    private func move(
        _ changed: [SeatLedger.Entry], emptied: [Slot], filled: [Slot], _ ledger: SeatLedger,
        _ transaction: PostgresTransaction, _ settlement: inout Settlement
    ) async throws {
        let moved = emptied + filled
        let resources = Set(moved.flatMap { $0.resources.map(\.id) })
        // A slot may give way to one that needs the same resource in the same transaction.
        let claims = [
            seats(changed), releaseClaims(emptied.map(\.id)), claim(filled.map(\.id)),
        ]
        let results = try await transaction.batch(
            claims + SlotNeighbours.touch(resources.sorted())
                + [SlotNeighbours.select(of: moved.map(\.id))])
        var claimed: [UUID: Int] = [:]
        for row in results[2] { claimed[try row[0], default: 0] += 1 }
        for slot in filled where claimed[slot.id, default: 0] < slot.resources.count {
            if PlantedBug.occupiedTakenForFree.isPlanted { continue }
            throw SeatLost(slot: slot, code: .scheduleConflict)
        }
        var versions: [UUID: Int64] = [:]
        for row in results[claims.count + 1] { versions[try row[0]] = try row[1] }
        for entry in changed {
            var now = entry.next
            now.version = now.resources.reduce(now.version) { max($0, versions[$1.id] ?? 0) }
            // It has its own claims, or had them until now and gave them to another.
            if moved.contains(where: { $0.id == now.id }) {
                now.isBlocked = filled.contains { $0.id != now.id && $0.meets(now) }
            }
            settlement.slots[now.id] = now
            settlement.changes.append(
                BookingEvents.availability(now, version: now.version, at: ledger.at))
        }
        var told = Set(changed.map(\.slot.id))
        let near = try results[results.count - 1].map(SlotRow.read)
        for near in near where told.insert(near.id).inserted {
            settlement.further.append(
                BookingEvents.availability(near, version: near.version, at: ledger.at))
        }
        if !emptied.isEmpty { serveLines(of: near, at: ledger.at, after: transaction) }
    }
}
