import Domain
import Environment
import Postgres
import Schema

/// Publishes slots of one offering in one transaction: all or none, or all that are in no conflict.
struct SlotPublisher: Sendable {
    let store: InventoryStore
    let clock: Clock

    struct Outcome: Sendable {
        var created = 0
        var skipped: [UUID] = []
        var conflicts: [Conflict] = []
    }

    /// Conflicts that are explained at most.
    static let explained = 20

    /// What is published, and how.
    struct Order: Sendable {
        let slots: [SlotPublication]
        let course: UUID
        var skipConflicts = false
        var isDryRun = false
    }

    private struct Occupied: Error {}

    /// Ends a transaction that must leave nothing behind.
    private struct DryRun: Error {
        let outcome: Outcome
    }

    /// - Parameter use: of no account for a dry run, which has nothing to repeat.
    /// - Throws: COURSE_NOT_FOUND, RESOURCE_NOT_FOUND, ALREADY_EXISTS when an id stands for
    ///   something else, SCHEDULE_CONFLICT with what is in the way.
    func publish(
        _ order: Order, _ use: IdempotencyTable.Use?
    ) async throws -> BookingV1.PublishSlotsResponse {
        let use = order.isDryRun ? nil : use
        // Names are written before the key is.
        if let answer: BookingV1.PublishSlotsResponse = try await IdempotencyTable.answered(
            use, on: store.pool)
        {
            return answer
        }
        guard !order.slots.isEmpty else {
            return try await IdempotencyTable.perform(use, on: store.pool) { _, _ in .init() }
        }
        guard let terms = try await store.terms(of: order.course) else {
            throw DomainError(.courseNotFound, "there is no such course")
        }
        // Names first and by themselves: their row locks must not be held while claims wait.
        let names = store.insertResources(order.slots)
        if let names, !order.isDryRun { try await store.pool.execute(names) }
        do {
            return try await IdempotencyTable.perform(use, on: store.pool) { transaction, last in
                let outcome = try await insert(order, terms, transaction, &last)
                return order.response(try await explained(outcome, order, terms, transaction))
            }
        } catch let dryRun as DryRun {
            return order.response(try await explained(dryRun.outcome, order, terms))
        } catch is Occupied {
            var details = BookingV1.ConflictDetails()
            details.conflicts = try await conflicts(order.slots, terms).map {
                BookingV1.Conflict($0)
            }
            throw DomainError(
                .scheduleConflict, "a resource is occupied at one of the times"
            ).with(details)
        }
    }

    private func explained(
        _ outcome: Outcome, _ order: Order, _ terms: InventoryStore.Terms,
        _ transaction: PostgresTransaction? = nil
    ) async throws -> Outcome {
        guard !outcome.skipped.isEmpty else { return outcome }
        var outcome = outcome
        let skipped = Set(outcome.skipped)
        outcome.conflicts = try await conflicts(
            order.slots.filter { skipped.contains($0.id) }, terms, transaction)
        return outcome
    }

    private func insert(
        _ order: Order, _ terms: InventoryStore.Terms, _ transaction: PostgresTransaction,
        _ last: inout [SQL]
    ) async throws -> Outcome {
        if order.isDryRun, let names = store.insertResources(order.slots) {
            try await transaction.execute(names)
        }
        var new = try await store.insertSlots(order.slots, of: terms, transaction)
        let differing = try await store.differing(order.slots, of: terms.offering.id, transaction)
        guard differing.isEmpty else {
            throw DomainError(.alreadyExists, "a slot with this id says something else")
        }
        guard !new.isEmpty else { return Outcome() }
        let claims = terms.offering.claimAt == .publish
        let missing = claims ? try await store.claim(new, transaction) : 0
        if missing > 0, !order.skipConflicts { throw Occupied() }
        var outcome = Outcome()
        if order.skipConflicts, missing > 0 || !claims {
            outcome.skipped = try await store.conflicting(new, claimed: claims, transaction)
            if !outcome.skipped.isEmpty {
                try await store.remove(outcome.skipped, transaction)
                let skipped = Set(outcome.skipped)
                new.removeAll { skipped.contains($0) }
            }
        }
        outcome.created = new.count
        if order.isDryRun { throw DryRun(outcome: outcome) }
        guard !new.isEmpty else { return outcome }
        if claims {
            let resources = try await store.resources(of: new, transaction)
            _ = try await transaction.batch(SlotNeighbours.touch(resources))
        }
        let now = clock.now()
        let rows = try await transaction.query(
            claims
                ? SlotNeighbours.withNeighbours(new)
                : "select \(SlotRow.columns) from \(SlotRow.tables) where s.id = any(\(new))")
        let events = try rows.map { row in
            let slot = try SlotRow.read(row)
            return BookingEvents.availability(slot, version: slot.version, at: now)
        }
        last.append(Outbox.insert(events))
        return outcome
    }

    /// What occupies the first slots that could not be published.
    private func conflicts(
        _ slots: [SlotPublication], _ terms: InventoryStore.Terms,
        _ transaction: PostgresTransaction? = nil
    ) async throws -> [Conflict] {
        var found: [Conflict] = []
        let query = ConflictQuery(pool: store.pool)
        for slot in slots where found.count < Self.explained {
            found += try await query.find(
                slot.resources.map(\.id), from: slot.startsAt - terms.before,
                to: slot.endsAt + terms.after, transaction
            ).filter { $0.slotID != slot.id }
        }
        return found
    }
}

extension SlotPublisher.Order {
    fileprivate func response(_ outcome: SlotPublisher.Outcome) -> BookingV1.PublishSlotsResponse {
        var response = BookingV1.PublishSlotsResponse()
        response.created = Int32(clamping: outcome.created)
        response.unchanged = Int32(
            clamping: slots.count - outcome.created - outcome.skipped.count)
        response.skippedSlotIds = outcome.skipped.map(\.description)
        response.conflicts = outcome.conflicts.map { BookingV1.Conflict($0) }
        return response
    }
}
