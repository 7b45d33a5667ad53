import Domain
import Environment
import Postgres
import Schema

/// A request whose customer wishes for other slots than before. Pure.
struct ChangedChoices: Sendable {
    let before: Booking
    let after: Booking
    /// What was and is wished for.
    let slots: [UUID: Slot]
    /// How often the customer has changed them already.
    let changes: Int

    /// Changes of one request.
    static let limit = 10

    /// - Throws: SLOT_NOT_FOUND, SLOT_UNAVAILABLE for what is not open now and was no choice
    ///   before, INVALID_TRANSITION beyond ``limit``.
    func check(at now: Instant) throws(DomainError) {
        guard changes < Self.limit else {
            throw DomainError(
                .invalidTransition,
                "the choices have been changed \(changes) times, as often as they may")
        }
        for choice in after.choices {
            guard let slot = slots[choice], slot.offering.id == after.offeringID else {
                throw DomainError(.slotNotFound, "there is no such slot of this course")
            }
            guard before.choices.contains(choice) || slot.isAvailable(at: now) else {
                throw DomainError(.slotUnavailable, "the slot is not open any more")
            }
        }
    }

    /// A confirmed request is in nobody's demand any more.
    func event(at now: Instant) -> OutboxEvent {
        let demand = slots.mapValues { slot in
            guard before.status == .pending else { return slot.demand }
            return slot.demand - (before.choices.contains(slot.id) ? 1 : 0)
                + (after.choices.contains(slot.id) ? 1 : 0)
        }
        return BookingEvents.choicesChanged(after, demand: demand, at: now)
    }
}

extension BookingStore {
    /// What a change of choices is judged by, behind the lock of the booking.
    func changed(
        _ before: Booking, _ after: Booking, _ transaction: PostgresTransaction
    ) async throws -> ChangedChoices {
        let named = Array(Set(before.choices + after.choices)).sorted()
        let results = try await transaction.batch([
            "select \(SlotRow.columns) from \(SlotRow.tables) where s.id = any(\(named))",
            """
            select count(*) from booking_history
            where booking_id = \(before.id) and action = 'choices_changed'
            """,
        ])
        return ChangedChoices(
            before: before, after: after,
            slots: Dictionary(
                try results[0].map(SlotRow.read).map { ($0.id, $0) },
                uniquingKeysWith: { first, _ in first }),
            changes: try results[1].single()[0])
    }
}
