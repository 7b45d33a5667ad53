import Domain
import Environment
import Schema

/// Decides orders one after the other, by what one transaction has read under its locks. Pure.
///
/// An order that needs a resource of an earlier one at the same time has lost: the earlier one's
/// claims commit with this transaction, or nothing does.
struct AssignDecisions {
    enum Verdict {
        /// As its key has been answered.
        case answered([UInt8])
        case given(BookingDecision)
        case lost(SeatLost)
        case refused(any Error)
        /// Its key or booking is an earlier order's, or something has to be written down first, or
        /// it has to be found out why there is no booking.
        case alone
    }

    private(set) var ledger: SeatLedger
    private let bookings: [UUID: Booking]
    private let answers: IdempotencyTable.Answers
    /// Keys and bookings of the orders before.
    private var keys: Set<String> = []
    private var decided: Set<UUID> = []
    /// Slots whose resources become occupied.
    private var filled: [Slot] = []

    init(_ ledger: SeatLedger, _ bookings: [Booking], _ answers: IdempotencyTable.Answers) {
        self.ledger = ledger
        self.bookings = Dictionary(
            bookings.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        self.answers = answers
    }

    func booking(of order: BookingTransitions.Order) -> Booking? { bookings[order.booking] }

    mutating func decide(_ order: BookingTransitions.Order) -> Verdict {
        do {
            if let use = order.idempotency {
                if let answered = try answers.answer(to: use) { return .answered(answered) }
                if !keys.insert("\(use.scope) \(use.key)").inserted { return .alone }
            }
            if !decided.insert(order.booking).inserted { return .alone }
            return try take(order)
        } catch let lost as SeatLost {
            return .lost(lost)
        } catch {
            if PlantedBug.refusedKeepsSeat.isPlanted, let slot = order.slot {
                ledger.take(offered: 1, of: slot)
            }
            return .refused(error)
        }
    }

    /// In the order of ``BookingTransitions``.
    private mutating func take(_ order: BookingTransitions.Order) throws -> Verdict {
        guard let booking = bookings[order.booking] else { return .alone }
        guard let id = order.slot, let slot = ledger.entries[id]?.slot else {
            throw DomainError(.slotNotFound, "there is no such slot")
        }
        guard slot.offering.id == booking.offeringID else {
            throw DomainError(.slotNotFound, "the slot belongs to another course")
        }
        if let version = order.ifVersion, version != booking.version {
            throw DomainError(
                .versionConflict, "the booking is at version \(booking.version), not \(version)")
        }
        if BookingRules.hasLapsed(booking, now: ledger.at) { return .alone }
        let decision = try BookingRules.decide(booking, order.command, now: ledger.at)
            .priced(by: slot, reason: order.reason)
        let isFirst = slot.offering.claimAt == .assign && ledger.entries[id]?.taken == 0
        try ledger.take(booking.quantity, of: id)
        if isFirst {
            if isOccupied(slot) {
                ledger.release(booking.quantity, of: id)
                throw SeatLost(slot: slot, code: .scheduleConflict)
            }
            filled.append(slot)
        }
        return .given(decision)
    }

    private func isOccupied(_ slot: Slot) -> Bool {
        if PlantedBug.occupiedTakenForFree.isPlanted { return false }
        return slot.isBlocked || filled.contains { $0.meets(slot) }
    }
}
