import Domain
import Environment
import Postgres
import Schema

/// What became of the slots that requests named, and what there is instead.
struct RequestChoices: Sendable {
    private let slots: [UUID: Slot]
    private let reasons: SeatReasons
    private let now: Instant

    static func read(
        of bookings: [Booking], _ store: BookingStore, now: Instant
    ) async throws -> RequestChoices {
        let wanted = Array(Set(bookings.flatMap(\.choices))).sorted()
        guard !wanted.isEmpty else { return RequestChoices(slots: [:], reasons: .none, now: now) }
        let rows = try await store.pool.query(
            "select \(SlotRow.columns) from \(SlotRow.tables) where s.id = any(\(wanted))")
        let slots = Dictionary(
            try rows.map(SlotRow.read).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let choices = RequestChoices(slots: slots, reasons: .none, now: now)
        let lost = bookings.filter(choices.areGone).compactMap(\.choices.first)
            .compactMap { slots[$0] }
        return RequestChoices(
            slots: slots,
            reasons: try await store.reasons(
                for: lost.map { SeatLost(slot: $0, code: .capacityExceeded) }),
            now: now)
    }

    /// Whether a booking still waits for a slot, and cannot have any that it named.
    func areGone(_ booking: Booking) -> Bool {
        let named = booking.choices
        return (booking.status == .pending || booking.needsSlot) && !named.isEmpty
            && !named.contains { slots[$0]?.isAvailable(at: now) == true }
    }

    /// Open slots near the one that was wanted most; empty while there is a choice.
    func alternatives(to booking: Booking) -> [Slot] {
        guard areGone(booking), let first = booking.choices.first else { return [] }
        return reasons.alternatives(to: first)
    }

    func message(_ id: UUID?, of booking: Booking) -> BookingV1.Choice? {
        guard let id, let slot = slots[id] else { return nil }
        var choice = BookingV1.Choice()
        choice.slot = BookingV1.Slot(slot)
        let own = booking.status == .pending ? 1 : 0
        choice.others = Int32(clamping: max(0, slot.demand - own))
        choice.available = slot.isAvailable(at: now)
        return choice
    }
}
