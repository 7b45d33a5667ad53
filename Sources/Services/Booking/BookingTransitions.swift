import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema

/// One guarded move of a booking in one transaction: locks, rules, seats, history, events and the
/// idempotency key commit together or not at all.
struct BookingTransitions: Sendable {
    let store: BookingStore

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
        /// What a customer may do; staff may do all that the rules allow.
        var rights: CustomerRights?

        /// Of the slots that are offered instead of one that cannot be had.
        fileprivate var priceLimit: Int64? {
            if case .reschedule = command { rights?.price.limit } else { nil }
        }
    }

    struct Outcome: Sendable {
        var booking: Booking
        var slot: Slot?
        /// The booking that `booking` took the place of.
        var previous: Booking?
    }

    private struct Lapsed: Error {
        let refusal: DomainError
    }

    /// - Parameter respond: what the caller is told; a retry with the same key is told the same.
    /// - Throws: `DomainError`; on a conflict with what is in the way and three alternatives.
    func run<Response: Message>(
        _ order: Order, _ respond: (Outcome) -> Response
    ) async throws -> Response {
        var mayClear = true
        while true {
            do {
                return try await IdempotencyTable.perform(order.idempotency, on: store.pool) {
                    respond(try await attempt(order, $0, &$1))
                }
            } catch let lost as SeatLost {
                let reasons = try await store.reasons(
                    for: [lost], excluding: order.booking, upTo: order.priceLimit)
                // Claims of dead holds give way.
                guard mayClear, !reasons.lapsed.isEmpty,
                    try await SeatSweep(store: store).clear(reasons.lapsed)
                else { throw reasons.error(lost, toStaff: order.rights == nil) }
                mayClear = false
            } catch let lapsed as Lapsed {
                try await expire(order.booking)
                throw lapsed.refusal
            }
        }
    }

    /// Writes down that a request or an unpaid booking has lapsed, unless somebody has decided it
    /// meanwhile. Nobody asked for it: its history names the system, and no key remembers it.
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
        var (booking, ledger) = try await locked(order, transaction)
        if let version = order.ifVersion, version != booking.version {
            throw DomainError(
                .versionConflict, "the booking is at version \(booking.version), not \(version)")
        }
        try order.rights?.check(booking, order.command, now: ledger.at)
        let decision = try priced(
            try decide(booking, order.command, ledger.at), of: booking, order, ledger)
        if !PaymentRules.keepsMoney(decision.booking.status) {
            try await PaymentDesk(pool: store.pool).requestAtEnd(
                booking, decision, actor: order.actor, reason: order.reason, ledger.at,
                transaction, &last)
        }
        if let slot = decision.releases, !PlantedBug.seatsNotReleased.isPlanted {
            ledger.release(booking.quantity, of: slot)
        }
        let taken = decision.takes ?? decision.successorSlot(order)
        if let slot = taken { try ledger.take(booking.quantity, of: slot) }
        let settlement = try await store.settle(ledger, transaction, &last)
        var events = BookingEvents.of(decision, from: booking, by: order.actor, at: ledger.at)
        if case .choose = order.command {
            let wishes = try await store.changed(booking, decision.booking, transaction)
            try wishes.check(at: ledger.at)
            events.append(wishes.event(at: ledger.at))
        }
        var outcome = Outcome(booking: decision.booking)
        last += moves(decision, from: booking, order, ledger.at, &outcome, &events)
        outcome.slot = (taken ?? decision.releases).flatMap { settlement.slots[$0] }
        events += settlement.changes
        for (slot, action) in [(decision.releases, "slot_released"), (taken, "slot_assigned")] {
            guard let slot = slot.flatMap({ settlement.slots[$0] }) else { continue }
            events.append(
                BookingEvents.schedule(
                    slot, action: action, version: slot.version, at: ledger.at))
        }
        events += settlement.further
        if let slot = outcome.slot, taken != nil, slot.remaining == 0 {
            let others = try BookingStore.requests(
                try await transaction.query(store.requests(for: [slot.id])))
            events += BookingEvents.choicesLost(slot, others, by: [booking.id], at: ledger.at)
        }
        last.append(Outbox.insert(events))
        return outcome
    }

    /// The decision with what the slot that it takes costs; what moves may have to stay cheap.
    private func priced(
        _ decision: BookingDecision, of booking: Booking, _ order: Order, _ ledger: SeatLedger
    ) throws -> BookingDecision {
        if let slot = decision.takes.flatMap({ ledger.entries[$0]?.slot }) {
            return try decision.priced(by: slot, reason: order.reason)
        }
        if let slot = decision.successorSlot(order).flatMap({ ledger.entries[$0]?.slot }) {
            let present = booking.confirmedSlot.flatMap { ledger.entries[$0]?.slot }
            try MovePrice(booking, at: present).check(
                slot, isStaff: order.rights == nil, reason: order.reason)
        }
        return decision
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

    /// Locks the slots that are taken or given back, then the booking. The time of the ledger is
    /// the database's: what lapses does so by one clock.
    private func locked(
        _ order: Order, _ transaction: PostgresTransaction
    ) async throws -> (Booking, SeatLedger) {
        let mayRelease = order.command.mayRelease
        let held =
            mayRelease ? try await store.confirmedSlot(of: order.booking, transaction) : nil
        let (ledger, _, answers) = try await store.open(
            [order.slot, held].compactMap { $0 }, excluding: order.booking,
            after: [
                "select \(BookingRow.columns) from booking b where b.id = \(order.booking) for update"
            ], transaction)
        guard let booking = try answers[0].first.map(BookingRow.read) else {
            throw try await store.missing(order.booking, transaction)
        }
        if let wanted = order.slot {
            guard let slot = ledger.entries[wanted]?.slot else {
                throw DomainError(.slotNotFound, "there is no such slot")
            }
            guard slot.offering.id == booking.offeringID else {
                throw DomainError(.slotNotFound, "the slot belongs to another course")
            }
        }
        if mayRelease, booking.confirmedSlot != held {
            throw DomainError(
                .versionConflict, "the booking was changed at the same time; try again")
        }
        return (booking, ledger)
    }

    /// The rows of a decision. Were the booking to have changed its version under the row lock, its
    /// history would have a row of that version, and the whole transaction would fail.
    private func moves(
        _ decision: BookingDecision, from booking: Booking, _ order: Order, _ now: Instant,
        _ outcome: inout Outcome, _ events: inout [OutboxEvent]
    ) -> [SQL] {
        var rows = [
            store.update(decision, choices: decision.booking.choices != booking.choices),
            store.history(
                decision, from: booking.status, actor: order.actor, reason: order.reason, at: now),
        ]
        if let successor = decision.successor(of: booking, order, at: now) {
            rows = store.insert(successor, inPlaceOf: booking.id, actor: order.actor) + rows
            events.append(
                BookingEvents.confirmed(
                    BookingDecision(booking: successor, action: "rescheduled"), at: now))
            outcome.previous = decision.booking
            outcome.booking = successor
        }
        return rows
    }
}
