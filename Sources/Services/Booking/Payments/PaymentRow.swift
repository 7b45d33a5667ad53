import Environment
import Postgres

/// How a charge is read.
enum PaymentRow {
    /// The columns, for a query whose charge is called `p`.
    static let columns = columns(.inUse)

    static func columns(_ tables: BookingTables) -> SQL {
        """
        p.id, p.booking_id, p.provider, p.amount, p.currency, p.status, p.expires_at,
        p.created_at, p.provider_payment_id, p.method, p.payment_url, p.paid_at, p.fee, p.failure,
        p.version, coalesce(p.metadata ->> 'reference', ''),
        (select f.id from payment_proof\(tables.suffix) f where f.payment_id = p.id)
        """
    }

    static let count = 17

    static func read(_ row: PostgresRow) throws -> Payment { try read(row, from: 0) }

    static func read(_ row: PostgresRow, from first: Int) throws -> Payment {
        let status: String = try row[first + 5]
        var payment = Payment(
            id: try row[first], bookingID: try row[first + 1], provider: try row[first + 2],
            amount: try row[first + 3], currency: try row[first + 4],
            status: Payment.Status(rawValue: status) ?? .pending, expiresAt: try row[first + 6],
            createdAt: try row[first + 7])
        payment.providerPaymentID = try row[first + 8]
        payment.method = try row[first + 9]
        payment.url = try row[first + 10]
        payment.paidAt = try row[first + 11]
        payment.fee = try row[first + 12]
        payment.failure = try row[first + 13]
        payment.version = try row[first + 14]
        payment.reference = try row[first + 15]
        payment.proofID = try row[first + 16]
        return payment
    }
}

/// How a refund is read.
enum RefundRow {
    /// The columns, for a query whose refund is called `r`.
    static let columns: SQL = """
        r.id, r.payment_id, r.amount, r.reason, r.actor, r.idempotency_key, r.status,
        r.requested_at, r.completed_at, r.failure, r.provider_refund_id, r.next_attempt_at
        """

    static let count = 12

    static func read(_ row: PostgresRow) throws -> Refund {
        let status: String = try row[6]
        var refund = Refund(
            id: try row[0], paymentID: try row[1], amount: try row[2], reason: try row[3],
            actor: try row[4], key: try row[5],
            status: Refund.Status(rawValue: status) ?? .requested, requestedAt: try row[7])
        refund.completedAt = try row[8]
        refund.failure = try row[9]
        refund.providerRefundID = try row[10]
        refund.nextAttempt = try row[11]
        return refund
    }
}
