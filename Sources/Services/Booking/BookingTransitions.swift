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

    private struct Lapsed: Error {
        let refusal: DomainError
    }

    /// - Parameter respond: what the caller is told; a retry with the same key is told the same.
    /// - Throws: `DomainError`; on a conflict with what is in the way and three alternatives.
    func run<Response: Message>(
        _ order: Order, _ respond: (Outcome) -> Response
    ) async throws -> Response {
        do {
            return try await IdempotencyTable.perform(order.idempotency, on: store.pool) {
                respond(try await attempt(order, $0, &$1))
            }
        } catch let lost as SeatLost {
            throw try await explain(lost, order)
        } catch let lapsed as Lapsed {
            try await expire(order.booking)
            throw lapsed.refusal
        }
    }

    /// Writes down that a request has lapsed, unless somebody has decided it meanwhile. Nobody
    /// asked for it: its history names the system, and no key remembers it.
    /// - Returns: whether it was this call that did it.
    @discardableResult
    func expire(_ booking: UUID) async throws -> Bool {
        do {
            _ = try await run(Order(booking: booking, command: .expire, actor: "system")) {
                BookingV1.Booking($0.booking)
            }
            return true
        } catch let error as DomainError
            where error.code == .bookingExpired || error.code == .invalidTransition
        {
            return false
        }
    }

    private func attempt(
        _ order: Order, _ transaction: PostgresTransaction, _ last: inout [SQL]
    ) async throws -> Outcome {
        let (booking, slot) = try await locked(order, transaction)
        let now = clock.now()
        if let version = order.ifVersion, version != booking.version {
            throw DomainError(
                .versionConflict, "the booking is at version \(booking.version), not \(version)")
        }
        let decision = try decide(booking, order.command, now)
        return try await apply(decision, from: booking, order, slot, now, transaction, &last)
    }

    /// What has lapsed is written down as that before the caller is told.
    private func decide(
        _ booking: Booking, _ command: BookingCommand, _ now: Instant
    ) throws -> BookingDecision {
        let result = Result { () throws(DomainError) in
            try BookingRules.decide(booking, command, now: now)
        }
        if case .failure(let error) = result, error.code == .bookingExpired,
            booking.status != .expired
        {
            throw Lapsed(refusal: error)
        }
        return try result.get()
    }

    private func locked(
        _ order: Order, _ transaction: PostgresTransaction
    ) async throws -> (Booking, Slot?) {
        var wanted = order.slot
        let mayRelease = order.command.mayRelease
        if wanted == nil, mayRelease {
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
        } else if booking.confirmedSlot != wanted, mayRelease {
            throw DomainError(
                .versionConflict, "the booking was changed at the same time; try again")
        }
        return (booking, slot)
    }

    /// The seat, the neighbours whose availability changes with it, and the rows of the decision.
    private func apply(
        _ decision: BookingDecision, from booking: Booking, _ order: Order, _ slot: Slot?,
        _ now: Instant, _ transaction: PostgresTransaction, _ last: inout [SQL]
    ) async throws -> Outcome {
        guard let slot, decision.takes ?? decision.releases != nil else {
            last += writes(decision, from: booking, order, [], now)
            return Outcome(booking: decision.booking)
        }
        let takes = decision.takes != nil
        let seats = booking.quantity
        let occupies =
            slot.offering.claimAt == .assign && slot.taken == (takes ? 0 : seats)
        if takes { try await take(seats, of: slot, occupies, now, transaction) }
        var seat = [store.seat(slot.id, change: takes ? seats : -seats)]
        if !takes, occupies { seat.append(store.releaseClaims(slot.id)) }
        if occupies { seat.append(store.touchResources(of: slot)) }
        guard try await transaction.batch(seat)[0].affectedRows == 1 else {
            throw SeatLost(slot: slot, code: .capacityExceeded)
        }
        let events = try await seatEvents(slot, takes, occupies, decision, now, transaction)
        let after = try await store.slot(slot.id, transaction)
        last += writes(decision, from: booking, order, events, now)
        return Outcome(booking: decision.booking, slot: after)
    }

    private func take(
        _ seats: Int, of slot: Slot, _ occupies: Bool, _ now: Instant,
        _ transaction: PostgresTransaction
    ) async throws {
        try slot.requireBookingTime(now)
        guard slot.status == .available else { throw SeatLost(slot: slot, code: .slotUnavailable) }
        guard slot.taken + seats <= slot.capacity else {
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

    /// The rows of a decision. Were the booking to have changed its version under the row lock, its
    /// history would have a row of that version, and the whole transaction would fail.
    private func writes(
        _ decision: BookingDecision, from booking: Booking, _ order: Order,
        _ events: [OutboxEvent], _ now: Instant
    ) -> [SQL] {
        let own = BookingEvents.of(decision, from: booking, by: order.actor, at: now)
        return [
            store.update(decision),
            store.history(
                decision, from: booking.status, actor: order.actor, reason: order.reason, at: now),
            Outbox.insert(own + events),
        ]
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
            case .scheduleConflict: "a resource of the slot is occupied at that time"
            case .capacityExceeded: "every seat of the slot is taken"
            default: "the slot cannot be booked"
            }
        return DomainError(lost.code, why).with(details)
    }
}
