import Domain
import Environment
import Schema

/// What a customer may do with his booking by the policy it was made under; staff are exempt.
struct CustomerRights: Sendable, Hashable {
    let terms: PolicyTerms
    /// Of the appointment; nil while there is none.
    let startsAt: Instant?
    /// What it can move to.
    let price: MovePrice

    /// The last moment for it; nil when there is no appointment that it could be too late for.
    var cancelUntil: Instant? { startsAt.map { $0 - terms.cancelNotice } }

    var rescheduleUntil: Instant? { startsAt.map { $0 - terms.rescheduleNotice } }

    func reschedulesLeft(_ booking: Booking) -> Int {
        max(0, terms.rescheduleLimit - booking.reschedules)
    }

    /// - Throws: OUTSIDE_CANCELLATION_WINDOW, INVALID_TRANSITION when it was rescheduled too often.
    func check(
        _ booking: Booking, _ command: BookingCommand, now: Instant
    ) throws(DomainError) {
        switch command {
        case .cancel:
            if booking.status == .confirmed, let until = cancelUntil, now > until {
                throw DomainError(
                    .outsideCancellationWindow, "it could be cancelled until \(until.rfc3339)")
            }
        case .reschedule:
            if let until = rescheduleUntil, now > until {
                throw DomainError(
                    .outsideCancellationWindow, "it could be rescheduled until \(until.rfc3339)")
            }
            guard reschedulesLeft(booking) > 0 else {
                throw DomainError(
                    .invalidTransition,
                    "it has been rescheduled \(booking.reschedules) times, as often as it may")
            }
        default: break
        }
    }

    /// Whether the command would be allowed now.
    func allows(_ booking: Booking, _ command: BookingCommand, now: Instant) -> Bool {
        do {
            try check(booking, command, now: now)
            _ = try BookingRules.decide(booking, command, now: now)
            return true
        } catch {
            return false
        }
    }
}
