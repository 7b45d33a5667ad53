import Domain

extension BookingDecision {
    /// The decision to give a slot, with what the booking costs there.
    ///
    /// A request is made at the price of its course, and the own price of a slot, if it has one, is
    /// copied when the slot is given (E-08, X-103): as long as nothing is charged, so that nobody's
    /// payment is about another amount. A slot that the customer named costs what it costs; one that staff
    /// chose instead never more than was agreed. What is charged, open or paid, stays the
    /// total, and staff who give a dearer slot for it say why, as when they move a booking there
    /// (``MovePrice``).
    ///
    /// - Throws: OVERRIDE_REASON_REQUIRED.
    func priced(by slot: Slot, reason: String) throws(DomainError) -> BookingDecision {
        guard let own = slot.ownPrice else { return self }
        guard booking.paymentStatus == .notRequired || booking.paymentStatus == .failed else {
            try MovePrice(booking, at: nil).check(slot, isStaff: true, reason: reason)
            return self
        }
        let price = Money.times(own, booking.quantity)
        var next = booking
        next.total = max(
            next.discount, next.basis == .adminOverride ? min(next.total, price) : price)
        // Nothing is left that could be paid after all.
        if next.total == 0 { next.paymentStatus = .notRequired }
        return BookingDecision(
            booking: next, action: action, takes: takes, releases: releases)
    }
}
