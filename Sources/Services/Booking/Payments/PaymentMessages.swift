import Domain
import Environment
import Protobuf
import Schema

// Values of the domain as messages of `janji.payment.v1`.

extension PaymentV1.Payment {
    init(_ payment: Payment) {
        self.init()
        id = payment.id.description
        bookingId = payment.bookingID.description
        provider = payment.provider
        method = payment.method
        amount = payment.amount
        currency = payment.currency
        status =
            switch payment.status {
            case .pending: .pending
            case .completed: .completed
            case .failed: .failed
            case .expired: .expired
            }
        paymentUrl = payment.url
        expiresAt = GoogleProtobuf.Timestamp(payment.expiresAt)
        paidAt = payment.paidAt.map { GoogleProtobuf.Timestamp($0) }
        fee = payment.fee
        failure = payment.failure
        createdAt = GoogleProtobuf.Timestamp(payment.createdAt)
        proofId = payment.proofID?.description
        reference = payment.reference
    }
}

extension PaymentV1.Refund {
    init(_ refund: Refund, of payment: Payment) {
        self.init()
        id = refund.id.description
        paymentId = refund.paymentID.description
        bookingId = payment.bookingID.description
        provider = payment.provider
        amount = refund.amount
        currency = payment.currency
        reason = refund.reason
        status =
            switch refund.status {
            case .requested: .requested
            case .completed: .completed
            case .failed: .failed
            }
        requestedAt = GoogleProtobuf.Timestamp(refund.requestedAt)
        completedAt = refund.completedAt.map { GoogleProtobuf.Timestamp($0) }
        failure = refund.failure
    }
}

extension PaymentV1.QuoteCancellationResponse {
    init(_ quote: CancellationQuote, _ booking: Booking) {
        self.init()
        paid = quote.paid
        refund = quote.refund
        kept = quote.kept
        currency = booking.currency
        refundPercent = Int32(quote.percent)
        policy = quote.policy
        canCancel = [.pending, .pendingPayment, .confirmed].contains(booking.status)
    }
}
