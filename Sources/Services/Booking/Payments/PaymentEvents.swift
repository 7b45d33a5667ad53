import Domain
import Environment
import Protobuf

/// What is told of money, to staff only: ids, amounts and states.
enum PaymentEvents {
    static func payment(_ payment: Payment, _ booking: Booking, at: Instant) -> OutboxEvent {
        event(
            payment, booking, action: payment.status.rawValue,
            [("status", .string(payment.status.rawValue))], at: at)
    }

    static func refund(_ refund: Refund, of payment: Payment, _ booking: Booking, at: Instant)
        -> OutboxEvent
    {
        event(
            payment, booking, action: "refund_\(refund.status.rawValue)",
            [
                ("refund_id", .string(refund.id.description)),
                ("refund_amount", .number(String(refund.amount))),
                ("status", .string(payment.status.rawValue)),
            ], at: at)
    }

    private static func event(
        _ payment: Payment, _ booking: Booking, action: String, _ more: [(String, JSONValue)],
        at: Instant
    ) -> OutboxEvent {
        OutboxEvent(
            topic: "payment.updated", id: payment.id.description, action: action,
            version: payment.version,
            data: [
                ("payment_id", .string(payment.id.description)),
                ("booking_id", .string(booking.id.description)),
                ("provider", .string(payment.provider)),
                ("amount", .number(String(payment.amount))),
                ("currency", .string(payment.currency)),
            ] + more, at: at)
    }
}
