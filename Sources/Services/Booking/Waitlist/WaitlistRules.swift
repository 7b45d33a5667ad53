import Domain
import Environment
import Schema

/// The rules of the line. Pure.
enum WaitlistRules {
    /// Lines that one person may stand in at the same time.
    static let liveLimit = 5

    /// (state, action) → state. The one table of legal moves.
    /// - Throws: OFFER_EXPIRED, INVALID_TRANSITION.
    static func decide(
        _ entry: WaitlistEntry, _ action: WaitlistAction
    ) throws(DomainError) -> WaitlistEntry {
        let status: WaitlistEntry.Status
        switch (entry.status, action) {
        case (.waiting, .offered): status = .offered
        case (.offered, .claimed): status = .claimed
        case (.offered, .lapsed): status = .lapsed
        case (.waiting, .left), (.offered, .left): status = .left
        case (.waiting, .ended), (.offered, .ended): status = .ended
        case (.lapsed, .claimed): throw expired
        case (.waiting, .claimed):
            throw DomainError(.invalidTransition, "no seats are offered yet")
        default:
            throw DomainError(
                .invalidTransition, "who has \(entry.status.rawValue) cannot be \(action.rawValue)")
        }
        var next = entry
        next.status = status
        next.version += 1
        return next
    }

    static let expired = DomainError(.offerExpired, "the time of the offer is over")

    /// Who is offered seats: in the order of the line everybody whose number of seats is left. A
    /// party that is too large is passed over and keeps its place: the seats are worth something
    /// only while somebody can still come, and its own number may never be free at once.
    static func served<Party>(
        _ line: [Party], free: Int, quantity: (Party) -> Int
    ) -> [Party] {
        var left = free
        let line = PlantedBug.lineReversed.isPlanted ? line.reversed() : line
        return line.filter { party in
            guard quantity(party) <= left else { return false }
            left -= quantity(party)
            return true
        }
    }

    /// Whether the line of a slot is over: nobody can book it any more.
    static func isOver(_ slot: Slot, now: Instant) -> Bool {
        slot.startsAt <= now || now > slot.bookingTimes.closes
    }

    /// Whether seats of a slot can be offered now. One that has to occupy its resources first
    /// waits while they are occupied.
    static func isServed(_ slot: Slot, now: Instant) -> Bool {
        let needsClaims = slot.offering.claimAt == .assign && slot.taken == 0
        return slot.status == .available && slot.startsAt > now && slot.bookingTimes.contains(now)
            && !(needsClaims && slot.isBlocked)
    }

    /// Whether somebody in line may fit in what is free now.
    static func isDue(_ slot: Slot, now: Instant) -> Bool {
        guard let least = slot.waiting else { return false }
        return slot.capacity - slot.taken >= least && isServed(slot, now: now)
    }

    /// What a line is like for somebody who wants to join.
    struct Line: Sendable, Hashable {
        var entry: PolicyTerms.Entry
        var quantityLimit: Int
        /// Who may wait for one slot.
        var limit: Int
        /// Live entries of the slot.
        var length: Int
        /// Live entries of the person, in all lines.
        var own: Int
        var isIn: Bool
        /// Whether the person has a booking of the slot.
        var hasBooking: Bool
    }

    /// - Parameter free: seats of the slot that nobody has and nobody is offered.
    /// - Throws: SLOT_UNAVAILABLE, OUTSIDE_BOOKING_WINDOW, VALIDATION_FAILED, SEATS_AVAILABLE,
    ///   SLOT_ALREADY_BOOKED_BY_USER, ALREADY_WAITING, WAITLIST_LIMIT_REACHED.
    static func checkJoin(
        _ quantity: Int, _ slot: Slot, free: Int, _ line: Line, now: Instant
    ) throws(DomainError) {
        guard line.entry == .hold, line.limit > 0 else {
            throw DomainError(.slotUnavailable, "this slot has no waiting list")
        }
        guard slot.status == .available else {
            throw DomainError(.slotUnavailable, "the slot cannot be booked")
        }
        try slot.requireBookingTime(now)
        let most = min(line.quantityLimit, slot.capacity)
        guard quantity <= most else {
            throw DomainError(
                .validationFailed, "more seats than can ever be offered",
                violations: [DomainError.Violation("quantity", "is more than \(most)")])
        }
        guard !line.hasBooking else {
            throw DomainError(
                .slotAlreadyBookedByUser,
                "there is a booking of this slot for this e-mail already")
        }
        guard !line.isIn else {
            throw DomainError(.alreadyWaiting, "this e-mail waits for the slot already")
        }
        guard free < quantity || slot.isBlocked else {
            throw DomainError(
                .seatsAvailable, "\(free) seats are free: nobody has to wait for them")
        }
        guard line.length < line.limit else {
            throw DomainError(
                .waitlistLimitReached, "\(line.length) wait for the slot already")
        }
        guard line.own < liveLimit else {
            throw DomainError(
                .waitlistLimitReached, "this e-mail waits for \(line.own) slots already")
        }
    }
}
