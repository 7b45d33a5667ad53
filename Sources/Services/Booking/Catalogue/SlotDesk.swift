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
    func update(_ change: Change) async throws -> Slot {
        try await pool.transaction { transaction in
            let (slot, isWithdrawn) = try await lock(change.slot, transaction)
            if let version = change.ifVersion, version != slot.version {
                throw DomainError(
                    .versionConflict, "the slot is at version \(slot.version), not \(version)")
            }
            guard !isWithdrawn else {
                throw DomainError(.invalidTransition, "the slot has been withdrawn")
            }
            if let capacity = change.capacity, capacity < slot.taken {
                throw DomainError(.capacityExceeded, "\(slot.taken) seats are taken")
            }
            return try await apply(
                """
                update slot set status = coalesce(\(nullable: change.status?.rawValue), status),
                    capacity = coalesce(\(nullable: change.capacity)::int, capacity),
                    price = coalesce(\(nullable: change.price)::bigint, price),
                    version = nextval('slot_version')
                where id = \(slot.id)
                """, to: slot, "updated", transaction)
        }
    }

    /// Takes a slot off for good and frees its resources.
    /// - Returns: the slot and the bookings that have a seat in it.
    /// - Throws: SLOT_NOT_FOUND; INVALID_TRANSITION while seats are taken, unless forced.
    func withdraw(
        _ id: UUID, force: Bool
    ) async throws -> (slot: Slot, bookings: [UUID]) {
        try await pool.transaction { transaction in
            let (slot, isWithdrawn) = try await lock(id, transaction)
            let bookings = try await transaction.query(
                """
                select id from booking where confirmed_slot_id = \(id)
                  and status in ('confirmed', 'pending_payment', 'in_progress')
                order by created_at, id
                """
            ).map { row in try row[0] as UUID }
            if isWithdrawn { return (slot, bookings) }
            guard slot.taken == 0 || force else {
                throw DomainError(
                    .invalidTransition, "\(slot.taken) seats of the slot are taken")
            }
            let results = try await transaction.batch([
                """
                update slot set status = 'unavailable', withdrawn_at = \(clock.now()),
                    version = nextval('slot_version')
                where id = \(id)
                """,
                "delete from claim where slot_id = \(id)",
            ])
            let after = try await tell(
                slot, "withdrawn", freed: results[1].affectedRows > 0, bookings, transaction)
            return (after, bookings)
        }
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

    private func lock(
        _ id: UUID, _ transaction: PostgresTransaction
    ) async throws -> (Slot, isWithdrawn: Bool) {
        let results = try await transaction.batch([
            "select withdrawn_at is not null from slot where id = \(id) for no key update",
            "select \(SlotRow.columns) from \(SlotRow.tables) where s.id = \(id)",
        ])
        guard let row = results[1].first else {
            throw DomainError(.slotNotFound, "there is no such slot")
        }
        return (try SlotRow.read(row), try results[0].single()[0])
    }

    private func apply(
        _ change: SQL, to slot: Slot, _ action: String, _ transaction: PostgresTransaction
    ) async throws -> Slot {
        try await transaction.execute(change)
        return try await tell(slot, action, freed: false, [], transaction)
    }

    private func tell(
        _ before: Slot, _ action: String, freed: Bool, _ bookings: [UUID],
        _ transaction: PostgresTransaction
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
            events += try await transaction.query(SlotNeighbours.select(of: slot)).map { row in
                let other = try SlotRow.read(row)
                return BookingEvents.availability(other, version: other.version, at: now)
            }
        }
        try await transaction.commit(with: [Outbox.insert(events)])
        return slot
    }
}
