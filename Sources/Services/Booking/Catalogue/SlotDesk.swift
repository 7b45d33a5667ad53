import Domain
import Environment
import Postgres
import Schema

/// Changes published slots. Locks the slot first, like everybody who takes a seat in it.
struct SlotDesk: Sendable {
    let pool: PostgresPool
    let clock: Clock

    static let listLimit = 5000

    struct Change: Sendable {
        let slot: UUID
        var status: Slot.Status?
        var capacity: Int?
        var price: Int64?
        var ifVersion: Int64?
    }

    /// - Throws: SLOT_NOT_FOUND, VERSION_CONFLICT, CAPACITY_EXCEEDED when more seats are taken,
    ///   INVALID_TRANSITION for a withdrawn slot.
    func update(
        _ change: Change, _ use: IdempotencyTable.Use?
    ) async throws -> BookingV1.UpdateSlotResponse {
        func attempt(servesLine: Bool) async throws -> BookingV1.UpdateSlotResponse {
            try await IdempotencyTable.perform(use, on: pool) { transaction, last in
                var response = BookingV1.UpdateSlotResponse()
                response.slot = BookingV1.Slot(
                    try await update(change, servesLine: servesLine, transaction, &last))
                return response
            }
        }
        do {
            return try await attempt(servesLine: true)
        } catch is SeatLost {
            // A resource was occupied while seats were offered: the line waits on.
            return try await attempt(servesLine: false)
        }
    }

    private func update(
        _ change: Change, servesLine: Bool, _ transaction: PostgresTransaction,
        _ told: inout [SQL]
    ) async throws -> Slot {
        var (ledger, isWithdrawn) = try await open(change.slot, servesLine, transaction)
        guard let entry = ledger.entries[change.slot] else { throw Self.notFound }
        if let version = change.ifVersion, version != entry.slot.version {
            throw DomainError(
                .versionConflict,
                "the slot is at version \(entry.slot.version), not \(version)")
        }
        guard !isWithdrawn else {
            throw DomainError(.invalidTransition, "the slot has been withdrawn")
        }
        if let capacity = change.capacity, capacity < entry.taken {
            throw DomainError(.capacityExceeded, "\(entry.taken) seats are taken")
        }
        ledger.change(change.slot) {
            $0.status = change.status ?? $0.status
            $0.capacity = change.capacity ?? $0.capacity
        }
        var last: [SQL] = [
            """
            update slot set status = coalesce(\(nullable: change.status?.rawValue), status),
                capacity = coalesce(\(nullable: change.capacity)::int, capacity),
                price = coalesce(\(nullable: change.price)::bigint, price),
                version = \(entry.version)
            where id = \(change.slot)
            """
        ]
        // Seats that are given back come first: fewer are allowed then.
        if entry.taken < entry.slot.taken {
            last.insert("update slot set taken = \(entry.taken) where id = \(change.slot)", at: 0)
        }
        _ = try await transaction.batch(last)
        last = []
        let settlement = try await BookingStore(pool: pool).settle(ledger, transaction, &last)
        if !last.isEmpty { _ = try await transaction.batch(last) }
        return try await tell(
            entry.slot, "updated", freed: false, [], settlement.further, transaction, &told)
    }

    /// Takes a slot off for good, frees its resources, ends its line and releases the holds that
    /// are left: nothing alive is in it afterwards but the bookings that are told.
    /// - Returns: the slot and the bookings that have a seat in it.
    /// - Throws: SLOT_NOT_FOUND; INVALID_TRANSITION while seats are held or booked, unless forced.
    func withdraw(
        _ id: UUID, force: Bool, _ use: IdempotencyTable.Use?
    ) async throws -> BookingV1.WithdrawSlotResponse {
        try await IdempotencyTable.perform(use, on: pool) { transaction, told in
            var (ledger, isWithdrawn) = try await open(id, false, transaction)
            guard let slot = ledger.entries[id]?.slot else { throw Self.notFound }
            let results = try await transaction.batch([
                """
                select id from booking where confirmed_slot_id = \(id)
                  and status in ('confirmed', 'pending_payment', 'in_progress')
                order by created_at, id
                """,
                """
                select \(WaitlistEntry.columns) from waitlist_entry e
                where e.slot_id = \(id) and e.status in ('waiting', 'offered')
                order by e.position
                """,
                // An offer's is given back with its entry.
                """
                select h.id, h.quantity from hold h
                where h.slot_id = \(id) and h.status = 'pending' and not exists (
                    select from waitlist_entry e where e.id = h.entry_id and e.status = 'offered')
                """,
            ])
            let lapsed = Set(ledger.lapsed.map(\.id))
            let bookings = try results[0].map { row in try row[0] as UUID }
                .filter { !lapsed.contains($0) }
            if isWithdrawn { return Self.withdrawn(slot, bookings) }
            for entry in try results[1].map(WaitlistEntry.read) { try ledger.end(entry) }
            let taken = ledger.entries[id]?.taken ?? 0
            guard taken == 0 || force else {
                throw DomainError(.invalidTransition, "\(taken) seats of the slot are taken")
            }
            var last: [SQL] = []
            let store = HoldStore(seats: BookingStore(pool: pool))
            for row in results[2] {
                ledger.release(try row[1], of: id)
                last.append(store.release(try row[0]))
            }
            let settlement = try await store.seats.settle(ledger, transaction, &last)
            let changes = try await transaction.batch(
                last + [
                    """
                    update slot set status = 'unavailable', withdrawn_at = \(ledger.at),
                        version = nextval('slot_version')
                    where id = \(id)
                    """,
                    "delete from claim where slot_id = \(id)",
                ])
            let after = try await tell(
                slot, "withdrawn", freed: changes.last?.affectedRows ?? 0 > 0, bookings,
                settlement.further, transaction, &told)
            return Self.withdrawn(after, bookings)
        }
    }

    private static func withdrawn(
        _ slot: Slot, _ bookings: [UUID]
    ) -> BookingV1.WithdrawSlotResponse {
        var response = BookingV1.WithdrawSlotResponse()
        response.slot = BookingV1.Slot(slot)
        response.bookingIds = bookings.map(\.description)
        return response
    }

    /// Slots of some days in their own zones, withdrawn ones left out.
    func list(location: UUID?, from: LocalDate, to: LocalDate) async throws -> [Slot] {
        try await pool.query(Self.calendar(location: location, from: from, to: to))
            .map(SlotRow.read)
    }

    static func calendar(location: UUID?, from: LocalDate, to: LocalDate) -> SQL {
        let place: SQL =
            location.map { "s.location_id = \($0)" } ?? "s.location_id is null"
        return """
            select \(SlotRow.columns) from \(SlotRow.tables)
            where \(place) and s.local_date between \(from) and \(to) and s.withdrawn_at is null
            order by s.starts_at, s.id limit \(listLimit)::int
            """
    }

    // MARK: Pieces

    private func open(
        _ id: UUID, _ servesLine: Bool, _ transaction: PostgresTransaction
    ) async throws -> (SeatLedger, isWithdrawn: Bool) {
        let (ledger, _, rows) = try await BookingStore(pool: pool).open(
            [id], after: ["select withdrawn_at is not null from slot where id = \(id)"],
            servesLine: servesLine, transaction)
        guard let row = rows[0].first else { throw Self.notFound }
        return (ledger, try row[0])
    }

    private static let notFound = DomainError(.slotNotFound, "there is no such slot")

    private func tell(
        _ before: Slot, _ action: String, freed: Bool, _ bookings: [UUID],
        _ further: [OutboxEvent], _ transaction: PostgresTransaction, _ told: inout [SQL]
    ) async throws -> Slot {
        if freed {
            _ = try await transaction.batch(SlotNeighbours.touch(before.resources.map(\.id)))
        }
        let slot = try SlotRow.read(
            try await transaction.query(
                "select \(SlotRow.columns) from \(SlotRow.tables) where s.id = \(before.id)"
            ).single())
        let now = clock.now()
        var events = [
            BookingEvents.availability(slot, version: slot.version, at: now),
            BookingEvents.schedule(slot, action: action, version: slot.version, at: now),
        ]
        if !bookings.isEmpty {
            events.append(
                BookingEvents.withdrawn(slot, bookings, version: slot.version, at: now))
        }
        if freed {
            let others = try await transaction.query(SlotNeighbours.select(of: slot))
                .map(SlotRow.read)
            events += others.map {
                BookingEvents.availability($0, version: $0.version, at: now)
            }
            BookingStore(pool: pool).serveLines(of: others, at: now, after: transaction)
        }
        told.append(Outbox.insert(events + further))
        return slot
    }
}
