import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema

/// One guarded move of a booking in one transaction: locks, rules, seat, history, events and the
/// idempotency key commit together or not at all.
struct BookingTransitions: Sendable {
    let store: BookingStore
    let clock: Clock

    /// What is asked, by whom, and under which key.
    struct Order: Sendable {
        let booking: UUID
        /// The slot to take.
        var slot: UUID?
        let command: BookingCommand
        let actor: String
        var reason = ""
        var ifVersion: Int64?
        var idempotency: IdempotencyTable.Use?
    }

    struct Outcome: Sendable {
        var booking: Booking
        var slot: Slot?
    }

    private struct Lapsed: Error {}

    /// - Throws: `DomainError`; on a conflict with what is in the way and three alternatives.
    func run(_ order: Order) async throws -> Outcome {
        do {
            return try await store.pool.transaction { transaction in
                try await attempt(order, transaction)
            }
        } catch let lost as SeatLost {
            throw try await explain(lost, order)
        } catch is Lapsed {
            try await expire(order.booking)
            throw DomainError(.bookingExpired, "the request has expired")
        }
    }

    /// Writes down that a request has lapsed, unless somebody has decided it meanwhile. Nobody
    /// asked for it: its history names the system, and no key remembers it.
    /// - Returns: whether it was this call that did it.
    @discardableResult
    func expire(_ booking: UUID) async throws -> Bool {
        do {
            _ = try await run(Order(booking: booking, command: .expire, actor: "system"))
            return true
        } catch let error as DomainError
            where error.code == .bookingExpired || error.code == .invalidTransition
        {
            return false
        }
    }

    private func attempt(
        _ order: Order, _ transaction: PostgresTransaction
    ) async throws -> Outcome {
        if let use = order.idempotency,
            try await !IdempotencyTable.begin(use, transaction)
        {
            return try await replayed(order, transaction)
        }
        let (booking, slot) = try await locked(order, transaction)
        let now = clock.now()
        if BookingRules.hasLapsed(booking, now: now), order.command != .expire {
            throw Lapsed()
        }
        if let version = order.ifVersion, version != booking.version {
            throw DomainError(
                .versionConflict, "the booking is at version \(booking.version), not \(version)")
        }
        let decision = try BookingRules.decide(booking, order.command, now: now)
        return try await apply(decision, from: booking, order, slot, now, transaction)
    }

    private func locked(
        _ order: Order, _ transaction: PostgresTransaction
    ) async throws -> (Booking, Slot?) {
        var wanted = order.slot
        if wanted == nil, case .cancel = order.command {
            wanted = try await store.confirmedSlot(of: order.booking, transaction)
        }
        let (booking, slot) = try await store.lock(
            booking: order.booking, slot: wanted, transaction)
        guard let booking else {
            throw DomainError(.bookingNotFound, "there is no such booking")
        }
        if order.slot != nil {
            guard let slot else { throw DomainError(.slotNotFound, "there is no such slot") }
            guard slot.offering.id == booking.offeringID else {
                throw DomainError(.slotNotFound, "the slot belongs to another course")
            }
        } else if booking.confirmedSlot != wanted, case .cancel = order.command {
            throw DomainError(
                .versionConflict, "the booking was changed at the same time; try again")
        }
        return (booking, slot)
    }

    /// The seat, the neighbours whose availability changes with it, and the rows of the decision.
    private func apply(
        _ decision: BookingDecision, from booking: Booking, _ order: Order, _ slot: Slot?,
        _ now: Instant, _ transaction: PostgresTransaction
    ) async throws -> Outcome {
        guard let slot, decision.takes ?? decision.releases != nil else {
            try await write(decision, from: booking, order, nil, [], now, transaction)
            return Outcome(booking: decision.booking)
        }
        let takes = decision.takes != nil
        let occupies =
            slot.offering.claimAt == .assign && (takes ? slot.taken == 0 : slot.taken == 1)
        if takes { try await take(slot, occupies, now, transaction) }
        var seat = [store.seat(slot.id, change: takes ? 1 : -1)]
        if !takes, occupies { seat.append(store.releaseClaims(slot.id)) }
        if occupies { seat.append(store.touchResources(of: slot)) }
        guard try await transaction.batch(seat)[0].affectedRows == 1 else {
            throw SeatLost(slot: slot, code: .capacityExceeded)
        }
        let events = try await seatEvents(slot, takes, occupies, decision, now, transaction)
        let after = try await store.slot(slot.id, transaction)
        try await write(decision, from: booking, order, after, events, now, transaction)
        return Outcome(booking: decision.booking, slot: after)
    }

    private func take(
        _ slot: Slot, _ occupies: Bool, _ now: Instant, _ transaction: PostgresTransaction
    ) async throws {
        guard slot.startsAt > now else {
            throw DomainError(.slotUnavailable, "the slot has already begun")
        }
        guard slot.status == .available else { throw SeatLost(slot: slot, code: .slotUnavailable) }
        guard slot.taken < slot.capacity else {
            throw SeatLost(slot: slot, code: .capacityExceeded)
        }
        if occupies, try await !store.claim(slot, transaction) {
            throw SeatLost(slot: slot, code: .scheduleConflict)
        }
    }

    private func seatEvents(
        _ before: Slot, _ takes: Bool, _ occupies: Bool, _ decision: BookingDecision,
        _ now: Instant, _ transaction: PostgresTransaction
    ) async throws -> [OutboxEvent] {
        guard let slot = try await store.slot(before.id, transaction) else { return [] }
        var events = [
            BookingEvents.availability(slot, version: slot.version, at: now),
            BookingEvents.schedule(
                slot, action: takes ? "slot_assigned" : "slot_released", version: slot.version,
                at: now),
        ]
        if occupies {
            for neighbour in try await store.neighbours(of: slot, transaction) {
                events.append(
                    BookingEvents.availability(neighbour, version: neighbour.version, at: now))
            }
        }
        if takes, slot.remaining == 0 {
            let others = try await store.otherRequests(
                for: slot.id, than: decision.booking.id, transaction)
            if !others.isEmpty {
                events.append(
                    BookingEvents.choicesLost(slot, others, version: slot.version, at: now))
            }
        }
        return events
    }

    private func write(
        _ decision: BookingDecision, from booking: Booking, _ order: Order, _ slot: Slot?,
        _ events: [OutboxEvent], _ now: Instant, _ transaction: PostgresTransaction
    ) async throws {
        let ended: Set<Booking.Status> = [.rejected, .cancelled, .expired]
        let own =
            ended.contains(decision.booking.status)
            ? BookingEvents.ended(decision, by: order.actor, at: now)
            : BookingEvents.confirmed(decision, at: now)
        let statements: [SQL] = [
            store.update(decision),
            store.history(
                decision, from: booking.status, actor: order.actor, reason: order.reason, at: now),
            Outbox.insert([own] + events),
        ]
        let results = try await transaction.commit(with: statements)
        // Cannot happen under the row lock; were it to, the commit above would have to be undone.
        precondition(results[0].affectedRows == 1, "a locked booking changed its version")
    }

    /// What a key's first use made, as it stands now.
    private func replayed(
        _ order: Order, _ transaction: PostgresTransaction
    ) async throws -> Outcome {
        let (booking, slot) = try await store.lock(
            booking: order.booking, slot: order.slot, transaction)
        guard let booking else {
            throw DomainError(.bookingNotFound, "there is no such booking")
        }
        return Outcome(booking: booking, slot: slot)
    }

    // MARK: Explaining a lost seat

    private struct SeatLost: Error {
        let slot: Slot
        let code: DomainError.Code
    }

    private func explain(_ lost: SeatLost, _ order: Order) async throws -> DomainError {
        var details = BookingV1.ConflictDetails()
        details.conflicts = try await store.conflicts(with: lost.slot, excluding: order.booking)
            .map { BookingV1.Conflict($0) }
        details.alternatives = try await store.alternatives(to: lost.slot)
            .map { BookingV1.Slot($0) }
        let why =
            switch lost.code {
            case .scheduleConflict: "the instructor or the room is occupied at that time"
            case .capacityExceeded: "every seat of the slot is taken"
            default: "the slot cannot be booked"
            }
        return DomainError(lost.code, why).with(details)
    }
}
