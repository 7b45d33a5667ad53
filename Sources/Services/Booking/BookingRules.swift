public import Domain
public import Environment
import Schema

/// What is asked of a booking.
public enum BookingCommand: Sendable, Hashable {
    case confirm
    /// Confirms if needed, and gives the slot.
    case confirmAndAssign(slot: UUID, reason: String)
    case assign(slot: UUID, reason: String)
    case reject
    case cancel
    case expire
}

/// What the rules decided: the booking as it will be, and how it is called in the history.
public struct BookingDecision: Sendable, Hashable {
    public let booking: Booking
    public let action: String
    /// The seat that the decision takes.
    public var takes: UUID?
    /// The seat that the decision gives back.
    public var releases: UUID?
}

/// (state, command, now) → decision. The one table of legal moves; no I/O.
public enum BookingRules {
    /// How long a request waits for an admin.
    public static let requestLifetime = Duration.seconds(3 * 24 * 3600)

    /// - Throws: INVALID_TRANSITION, BOOKING_EXPIRED or OVERRIDE_REASON_REQUIRED.
    public static func decide(
        _ booking: Booking, _ command: BookingCommand, now: Instant
    ) throws(DomainError) -> BookingDecision {
        switch command {
        case .confirm:
            return next(try confirmed(booking, now), "confirmed")
        case .confirmAndAssign(let slot, let reason):
            var decision = next(
                try assigned(try confirmed(booking, now), slot, reason), "confirmed")
            decision.takes = slot
            return decision
        case .assign(let slot, let reason):
            var decision = next(try assigned(booking, slot, reason), "slot_assigned")
            decision.takes = slot
            return decision
        case .reject:
            try require(booking, [.pending], "rejected", now)
            return next(moved(booking, to: .rejected), "rejected")
        case .cancel:
            try require(booking, [.pending, .confirmed], "cancelled", now)
            var decision = next(moved(booking, to: .cancelled), "cancelled")
            decision.releases = booking.confirmedSlot
            return decision
        case .expire:
            guard booking.status == .pending, now >= booking.expiresAt else {
                throw refusal(booking, "expired")
            }
            return next(moved(booking, to: .expired), "expired")
        }
    }

    /// Whether a pending request has outlived its time, whatever the table says.
    public static func hasLapsed(_ booking: Booking, now: Instant) -> Bool {
        booking.status == .pending && now >= booking.expiresAt
    }

    private static func confirmed(_ booking: Booking, _ now: Instant) throws(DomainError)
        -> Booking
    {
        try require(booking, [.pending], "confirmed", now)
        var next = moved(booking, to: .confirmed)
        next.confirmedAt = now
        return next
    }

    private static func assigned(
        _ booking: Booking, _ slot: UUID, _ reason: String
    ) throws(DomainError) -> Booking {
        guard booking.status == .confirmed, booking.confirmedSlot == nil else {
            throw refusal(booking, "given a slot")
        }
        var next = booking
        next.confirmedSlot = slot
        next.basis =
            switch slot {
            case booking.firstChoice: .firstChoice
            case booking.secondChoice: .secondChoice
            default: .adminOverride
            }
        if next.basis == .adminOverride, !reason.contains(where: { !$0.isWhitespace }) {
            throw DomainError(
                .overrideReasonRequired,
                "a slot that is neither choice needs a reason",
                violations: [DomainError.Violation("reason", "is required for this slot")])
        }
        return next
    }

    private static func moved(_ booking: Booking, to status: Booking.Status) -> Booking {
        var next = booking
        next.status = status
        return next
    }

    private static func next(_ booking: Booking, _ action: String) -> BookingDecision {
        var booking = booking
        booking.version += 1
        return BookingDecision(booking: booking, action: action)
    }

    private static func require(
        _ booking: Booking, _ allowed: Set<Booking.Status>, _ what: String, _ now: Instant
    ) throws(DomainError) {
        if hasLapsed(booking, now: now), allowed.contains(.pending) {
            throw DomainError(.bookingExpired, "the request has expired")
        }
        guard allowed.contains(booking.status) else { throw refusal(booking, what) }
    }

    private static func refusal(_ booking: Booking, _ what: String) -> DomainError {
        // The same answer whether the sweeper has come by or not.
        if booking.status == .expired {
            return DomainError(.bookingExpired, "the request has expired")
        }
        let state =
            booking.confirmedSlot != nil && booking.status == .confirmed
            ? "confirmed with a slot" : booking.status.rawValue
        return DomainError(.invalidTransition, "a booking that is \(state) cannot be \(what)")
    }
}
