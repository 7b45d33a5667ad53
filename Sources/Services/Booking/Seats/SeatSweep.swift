import Domain
import Environment
import Postgres

/// Frees what has lapsed in slots that nobody opens. Seats never wait for it; claims do,
/// when another slot needs the resource, and so do those who wait to be told.
struct SeatSweep: Sendable {
    let store: BookingStore

    /// - Returns: whether anything had lapsed.
    func settle(_ slot: UUID, deadline: Deadline? = nil) async throws -> Bool {
        do {
            return try await attempt(slot, servesLine: true, deadline)
        } catch is SeatLost {
            // A resource was occupied while seats were offered: the line waits on.
            return try await attempt(slot, servesLine: false, deadline)
        }
    }

    private func attempt(
        _ slot: UUID, servesLine: Bool, _ deadline: Deadline?
    ) async throws -> Bool {
        try await store.pool.transaction(deadline: deadline) { transaction in
            let ledger = try await store.open([slot], servesLine: servesLine, transaction).ledger
            guard !ledger.changed.isEmpty || !ledger.lapsed.isEmpty || !ledger.moves.isEmpty
            else { return false }
            var last: [SQL] = []
            let settlement = try await store.settle(ledger, transaction, &last)
            if !settlement.events.isEmpty { last.append(Outbox.insert(settlement.events)) }
            try await transaction.commit(with: last)
            return true
        }
    }

    /// Frees slots that are in the way of another, where nothing alive is behind their claims.
    /// - Returns: whether one of them was freed: then it is worth trying again.
    func clear(_ slots: Set<UUID>) async throws -> Bool {
        var isFreed = false
        for slot in slots.sorted() where try await settle(slot) { isFreed = true }
        return isFreed
    }

    /// Slots with something lapsed, the oldest first, and those whose line has to be seen to: it is
    /// over, or seats have become free without a transaction of the slot's (a resource was freed).
    func lapsed(limit: Int) async throws -> [UUID] {
        try await store.pool.query(
            """
            select slot_id from (
                (select slot_id, expires_at from hold
                 where status = 'pending' and expires_at <= statement_timestamp()
                 order by expires_at limit \(limit)::int)
                union all
                (select confirmed_slot_id, expires_at from booking
                 where status = 'pending_payment' and expires_at <= statement_timestamp()
                 order by expires_at limit \(limit)::int)
                union all
                \(WaitlistStore.due(limit: limit))) l
            group by slot_id order by min(expires_at) limit \(limit)::int
            """
        ).map { try $0[0] }
    }

    /// How long until the next hold or time to pay is over; nil when there is none.
    func next() async throws -> Duration? {
        let row = try await store.pool.query(
            """
            select extract(epoch from least(
                (select min(expires_at) from hold where status = 'pending'),
                (select min(expires_at) from booking where status = 'pending_payment'),
                \(WaitlistStore.nextEnd))
                - clock_timestamp())::float8
            """
        ).single()
        return (try row[0] as Double?).map { .seconds($0) }
    }
}
