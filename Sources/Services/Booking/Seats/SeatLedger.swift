import Domain
import Environment
import Schema

/// What one transaction does to the seats of the slots that it has locked, before it writes it.
/// What had lapsed there is already counted as free.
struct SeatLedger: Sendable {
    struct Entry: Sendable {
        /// As it was read under the lock.
        var slot: Slot
        /// What its next change is called.
        let version: Int64
        var taken: Int
        /// Nobody in line is known to need fewer seats; nil when nobody waits.
        let least: Int?

        var isChanged: Bool { taken != slot.taken }

        /// As it will be.
        var next: Slot {
            var next = slot
            next.taken = taken
            next.lapsed = 0
            if isChanged { next.version = version }
            return next
        }
    }

    private(set) var entries: [UUID: Entry]
    /// Bookings of these slots whose time to pay is over, locked: they expire with the transaction.
    let lapsed: [Booking]
    /// The time by the database's clock.
    let at: Instant
    /// What becomes of those who wait for seats, the offers among it.
    var moves: [WaitlistMove] = []
    /// Whether free seats are offered to those who wait.
    var servesLine = true

    /// - Parameter freed: seats of the holds that were found dead, by slot.
    init(
        _ slots: [Slot], versions: [Int64], freed: [UUID: Int], lapsed: [Booking], at: Instant
    ) {
        self.lapsed = lapsed
        self.at = at
        entries = Dictionary(
            zip(slots, versions).map {
                (
                    $0.id,
                    Entry(
                        slot: $0, version: $1, taken: $0.taken - freed[$0.id, default: 0],
                        least: $0.waiting)
                )
            }, uniquingKeysWith: { first, _ in first })
        for booking in lapsed {
            if let slot = booking.confirmedSlot { release(booking.quantity, of: slot) }
        }
    }

    /// Takes seats, if the slot is open for it; whether its resources are free is found out when
    /// the ledger is written.
    mutating func take(_ seats: Int, of id: UUID) throws {
        guard let entry = entries[id] else {
            throw DomainError(.slotNotFound, "there is no such slot")
        }
        try entry.slot.requireBookingTime(at)
        guard entry.slot.status == .available else {
            throw SeatLost(slot: entry.slot, code: .slotUnavailable)
        }
        guard entry.taken + seats <= entry.slot.capacity || PlantedBug.capacityUnchecked.isPlanted
        else {
            throw SeatLost(slot: entry.slot, code: .capacityExceeded)
        }
        entries[id]?.taken += seats
    }

    mutating func release(_ seats: Int, of id: UUID) {
        entries[id]?.taken -= seats
    }

    /// Seats that are kept for one who waits.
    mutating func take(offered seats: Int, of id: UUID) {
        entries[id]?.taken += seats
    }

    /// What an admin makes of a slot.
    mutating func change(_ id: UUID, _ change: (inout Slot) -> Void) {
        guard var entry = entries[id] else { return }
        change(&entry.slot)
        entries[id] = entry
    }

    /// Ascending by id, as they are locked.
    var changed: [Entry] {
        entries.values.filter(\.isChanged).sorted { $0.slot.id < $1.slot.id }
    }
}
