import Domain
import Schema

/// What a booking may be moved to without anybody paying for it (E-08): slots have their own prices,
/// and what was agreed stays the total wherever the booking goes. So customers move to slots of the
/// same price or a lower one; staff also to a dearer one, if they say why.
struct MovePrice: Sendable, Hashable {
    /// The highest price of one seat that is nobody's loss: what was agreed, or what a seat costs
    /// now where the booking is.
    let limit: Int64
    let currency: String

    /// - Parameter slot: where the booking is.
    init(_ booking: Booking, at slot: Slot?) {
        limit = max(booking.total / Int64(max(1, booking.quantity)), slot?.price ?? 0)
        currency = booking.currency
    }

    /// - Throws: PAYMENT_REQUIRED for a customer, OVERRIDE_REASON_REQUIRED for staff without a
    ///   reason.
    func check(_ slot: Slot, isStaff: Bool, reason: String) throws(DomainError) {
        guard slot.price > limit else { return }
        let prices =
            "a seat of this slot costs \(text(slot.price)), one of the booking \(text(limit))"
        guard isStaff else {
            throw DomainError(
                .paymentRequired, "\(prices): it can move to slots of that price or a lower one",
                violations: [DomainError.Violation("schedule_id", "costs more")])
        }
        guard !reason.contains(where: { !$0.isWhitespace }) else { return }
        throw DomainError(
            .overrideReasonRequired, "\(prices): a slot of a higher price needs a reason",
            violations: [DomainError.Violation("reason", "is required for this slot")])
    }

    private func text(_ amount: Int64) -> String {
        "\(MinorUnits.text(amount, currency)) \(currency)"
    }
}
