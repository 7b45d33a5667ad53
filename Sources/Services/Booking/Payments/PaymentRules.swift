import Domain
public import Environment

/// The rules of money: (charge, report) → charge, and (booking, account) → what the booking's
/// payment status must be and what must go back. No I/O.
public enum PaymentRules {
    /// What a report does to a charge.
    public enum Verdict: Sendable, Hashable {
        case changed(Payment)
        /// It says what is known already, or what a later report has overtaken.
        case unchanged
        /// It is about other money than the charge.
        case refused(Mismatch)
    }

    public enum Mismatch: String, Sendable, Hashable {
        case amount = "wrong_amount"
        case currency = "wrong_currency"
        case payment = "other_payment"
    }

    /// Why a report is about other money than the charge.
    public static func mismatch(_ report: PaymentReport, _ payment: Payment) -> Mismatch? {
        guard report.payment == payment.id else { return .payment }
        guard report.currency == payment.currency else { return .currency }
        return report.amount == payment.amount ? nil : .amount
    }

    /// Reports come twice, late and in any order: only a higher rank counts.
    public static func apply(_ report: PaymentReport, to payment: Payment, now: Instant) -> Verdict
    {
        if let mismatch = mismatch(report, payment) { return .refused(mismatch) }
        guard report.status.rank > payment.status.rank || PlantedBug.statusRegress.isPlanted
        else { return .unchanged }
        var next = payment
        next.status = report.status
        if !report.providerPaymentID.isEmpty { next.providerPaymentID = report.providerPaymentID }
        if !report.method.isEmpty { next.method = report.method }
        next.fee = max(0, report.fee)
        switch report.status {
        case .completed:
            next.paidAt = report.paidAt ?? now
            next.failure = ""
        case .failed: next.failure = report.said
        case .expired, .pending: break
        }
        return .changed(next)
    }

    /// What a provider's word on a refund does to it.
    public enum RefundVerdict: Sendable, Hashable {
        case changed(Refund)
        /// It says what is known already, or nothing yet.
        case unchanged
        /// The provider has made what a person had settled. The refund as it is, where the charge
        /// still has that much; nil where more has gone back than came.
        case unexpected(Refund?)
    }

    public static func apply(
        _ report: RefundReport, to refund: Refund, in account: PaymentAccount, now: Instant
    ) -> RefundVerdict {
        var next = refund
        next.nextAttempt = nil
        switch report {
        case .waiting: return .unchanged
        case .impossible(let why):
            guard refund.status == .requested else { return .unchanged }
            // It stays due, for a person to do.
            next.failure = why
            return .changed(next)
        case .completed(let id):
            // Two that ask at the same time are told the same.
            if refund.status == .completed, refund.providerRefundID != nil { return .unchanged }
            (next.status, next.completedAt, next.failure) = (.completed, now, "")
            next.providerRefundID = id
            switch refund.status {
            case .requested: return .changed(next)
            case .completed: return .unexpected(nil)
            case .failed:
                let charge = account.payments.first { $0.id == refund.paymentID }
                let hasRoom = charge.map { account.refundable($0) >= refund.amount } ?? false
                return .unexpected(hasRoom ? next : nil)
            }
        }
    }

    /// Whether a booking of this status may keep its customer's money: the others give it back.
    public static func keepsMoney(_ status: Booking.Status) -> Bool {
        switch status {
        case .pending, .pendingPayment, .confirmed, .inProgress, .completed, .noShow, .rescheduled:
            true
        case .cancelled, .rejected, .expired: false
        }
    }

    /// What must go back of a charge because it was completed: all of it where the booking has
    /// ended meanwhile, and what exceeds the price where it was paid twice.
    public static func surplus(
        _ payment: Payment, _ booking: Booking, _ account: PaymentAccount
    ) -> CancellationQuote {
        let excess =
            keepsMoney(booking.status) || PlantedBug.lateMoneyKept.isPlanted
            ? account.kept - booking.finalAmount : payment.amount
        return CancellationQuote(excess, of: payment, in: account)
    }

    /// The command that brings a booking's payment status in line with its account; nil when it
    /// is, or when the booking is too far for it: what was reported is a fact all the same. Of a
    /// visit that has begun, the debt stays.
    public static func command(_ booking: Booking, _ account: PaymentAccount) -> BookingCommand? {
        guard let command = wanted(booking, account) else { return nil }
        let next: Booking.PaymentStatus? =
            switch command {
            case .paymentFailed: .failed
            case .refunded(let entire): entire ? .refunded : .partiallyRefunded
            default: nil
            }
        if let next, !BookingState.isLegal(booking.status, next) { return nil }
        return command
    }

    private static func wanted(_ booking: Booking, _ account: PaymentAccount) -> BookingCommand? {
        let net = account.charged - account.refunded
        switch booking.paymentStatus {
        case .notRequired:
            if account.charged > 0 { return .paid }
            return account.open == nil ? nil : .paymentOpened
        case .pending, .failed:
            if account.charged > 0 { return .paid }
            if booking.paymentStatus == .failed {
                return account.open == nil ? nil : .paymentOpened
            }
            guard account.open == nil, let last = account.payments.last,
                last.status == .failed || last.status == .expired
            else { return nil }
            return .paymentFailed
        case .paid, .partiallyRefunded:
            if net == 0 { return .refunded(entire: true) }
            if net < booking.finalAmount, account.refunded > 0, booking.paymentStatus == .paid {
                return .refunded(entire: false)
            }
            return nil
        case .refunded: return nil
        }
    }
}
