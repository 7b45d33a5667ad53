public import Domain
public import Environment
import Schema

/// (state, command, now) → decision. The one table of legal moves; no I/O.
public enum BookingRules {
    /// - Throws: INVALID_TRANSITION, BOOKING_EXPIRED, PAYMENT_REQUIRED, OUTSIDE_BOOKING_WINDOW or
    ///   OVERRIDE_REASON_REQUIRED.
    public static func decide(
        _ booking: Booking, _ command: BookingCommand, now: Instant
    ) throws(DomainError) -> BookingDecision {
        let decision =
            switch command {
            case .confirm, .confirmAndAssign, .assign, .reject, .choose:
                try decideRequest(booking, command, now)
            case .cancel, .expire: try decideEnd(booking, command, now)
            case .paymentOpened, .paid, .paymentFailed, .refunded:
                try decidePayment(booking, command, now)
            case .checkIn, .complete, .noShow, .reschedule:
                try decideAppointment(booking, command, now)
            }
        let next = decision.booking
        guard BookingState.isLegal(booking.status, booking.paymentStatus),
            BookingState.isLegal(next.status, next.paymentStatus)
        else {
            throw DomainError(
                .invalidTransition,
                "a booking whose payment is \(booking.paymentStatus.rawValue) cannot become "
                    + next.status.rawValue)
        }
        return decision
    }

    /// Whether a pending request, or a booking that waits for its payment, has outlived its time,
    /// whatever the table says.
    public static func hasLapsed(_ booking: Booking, now: Instant) -> Bool {
        (booking.status == .pending || booking.status == .pendingPayment)
            && now >= booking.expiresAt
    }

    // MARK: Requests

    private static func decideRequest(
        _ booking: Booking, _ command: BookingCommand, _ now: Instant
    ) throws(DomainError) -> BookingDecision {
        switch command {
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
        case .choose(let first, let second):
            if booking.status == .pending { try require(booking, [.pending], "changed", now) }
            guard booking.kind == .request, booking.status == .pending || booking.needsSlot else {
                throw refusal(booking, "given other choices")
            }
            var chosen = booking
            (chosen.firstChoice, chosen.secondChoice) = (first, second)
            return next(chosen, "choices_changed")
        default:
            return next(try confirmed(booking, now), "confirmed")
        }
    }

    private static func confirmed(_ booking: Booking, _ now: Instant) throws(DomainError)
        -> Booking
    {
        if booking.status == .pendingPayment {
            throw hasLapsed(booking, now: now)
                ? expired(booking)
                : DomainError(.paymentRequired, "the booking waits for its payment")
        }
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

    // MARK: Ends

    private static func decideEnd(
        _ booking: Booking, _ command: BookingCommand, _ now: Instant
    ) throws(DomainError) -> BookingDecision {
        var next: Booking
        if command == .expire {
            guard hasLapsed(booking, now: now) else { throw refusal(booking, "expired") }
            next = moved(booking, to: .expired)
        } else {
            try require(booking, [.pending, .pendingPayment, .confirmed], "cancelled", now)
            next = moved(booking, to: .cancelled)
            next.cancelledAt = now
        }
        var decision = Self.next(next, next.status.rawValue)
        decision.releases = booking.confirmedSlot
        return decision
    }

    // MARK: Money

    private static func decidePayment(
        _ booking: Booking, _ command: BookingCommand, _ now: Instant
    ) throws(DomainError) -> BookingDecision {
        var next = booking
        switch (command, booking.paymentStatus) {
        case (.paymentOpened, .notRequired), (.paymentOpened, .failed):
            try require(
                booking, [.pending, .pendingPayment, .confirmed, .inProgress], "paid", now)
            next.paymentStatus = .pending
        case (.paid, .notRequired), (.paid, .pending), (.paid, .failed):
            // Money that comes late is not refused: the seat is still there, or a refund is due.
            guard booking.status != .rescheduled else { throw refusal(booking, "paid") }
            next.paymentStatus = .paid
            if booking.status == .pendingPayment {
                next.status = .confirmed
                next.confirmedAt = now
            }
        case (.paymentFailed, .pending):
            guard booking.status != .rescheduled else { throw refusal(booking, "paid") }
            next.paymentStatus = .failed
        case (.refunded(let entire), .paid), (.refunded(let entire), .partiallyRefunded):
            guard booking.status != .rescheduled else { throw refusal(booking, "refunded") }
            next.paymentStatus = entire ? .refunded : .partiallyRefunded
        default:
            throw DomainError(
                .invalidTransition,
                "the payment is \(booking.paymentStatus.rawValue): nothing to do")
        }
        return Self.next(next, action(of: command))
    }

    private static func action(of command: BookingCommand) -> String {
        switch command {
        case .paymentOpened: "payment_opened"
        case .paid: "paid"
        case .paymentFailed: "payment_failed"
        default: "refunded"
        }
    }

    // MARK: Appointments

    private static func decideAppointment(
        _ booking: Booking, _ command: BookingCommand, _ now: Instant
    ) throws(DomainError) -> BookingDecision {
        switch command {
        case .checkIn(let startsAt, let endsAt, let lead, let until):
            guard now < until else {
                throw DomainError(.outsideBookingWindow, "the code has expired")
            }
            try requireAppointment(booking, "checked in")
            guard booking.paymentStatus != .failed else {
                throw DomainError(.paymentRequired, "the payment has failed")
            }
            guard now >= startsAt - lead, now < endsAt else {
                throw DomainError(
                    .outsideBookingWindow, "check-in is from \(lead) before the start to the end")
            }
            var next = moved(booking, to: .inProgress)
            next.checkedInAt = now
            return Self.next(next, "checked_in")
        case .noShow(let startsAt, let grace):
            try requireAppointment(booking, "a no-show")
            guard now >= startsAt + grace else {
                throw DomainError(
                    .outsideBookingWindow, "the customer still has time: \(grace) from the start")
            }
            var next = moved(booking, to: .noShow)
            // What could not be paid online is still owed.
            if next.paymentStatus == .failed { next.paymentStatus = .pending }
            return Self.next(next, "no_show")
        case .reschedule(let successor):
            try requireAppointment(booking, "rescheduled")
            guard booking.paymentStatus != .failed else {
                throw DomainError(.paymentRequired, "the payment has failed")
            }
            var next = moved(booking, to: .rescheduled)
            next.rescheduledTo = successor
            var decision = Self.next(next, "rescheduled")
            decision.releases = booking.confirmedSlot
            return decision
        default:
            guard booking.status == .inProgress else { throw refusal(booking, "completed") }
            var next = moved(booking, to: .completed)
            next.completedAt = now
            return Self.next(next, "completed")
        }
    }

    private static func requireAppointment(
        _ booking: Booking, _ what: String
    ) throws(DomainError) {
        guard booking.status == .confirmed else { throw refusal(booking, what) }
        guard booking.confirmedSlot != nil else {
            throw DomainError(
                .invalidTransition, "a booking without a slot cannot be \(what)")
        }
    }

    // MARK: Pieces

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
        if hasLapsed(booking, now: now), allowed.contains(booking.status) {
            throw expired(booking)
        }
        guard allowed.contains(booking.status) else { throw refusal(booking, what) }
    }

    static func expired(_ booking: Booking) -> DomainError {
        DomainError(
            .bookingExpired,
            booking.kind == .request
                ? "the request has expired" : "the time to pay for the booking has passed")
    }

    private static func refusal(_ booking: Booking, _ what: String) -> DomainError {
        // The same answer whether the sweeper has come by or not.
        if booking.status == .expired { return expired(booking) }
        let state =
            booking.confirmedSlot != nil && booking.status == .confirmed
            ? "confirmed with a slot" : booking.status.rawValue
        return DomainError(.invalidTransition, "a booking that is \(state) cannot be \(what)")
    }
}
