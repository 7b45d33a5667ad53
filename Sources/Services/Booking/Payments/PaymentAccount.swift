import Domain

/// All charges and refunds of one booking, and of those whose place it has taken: what a
/// customer's money is. A pure value; every sum is derived.
public struct PaymentAccount: Sendable, Hashable {
    public var payments: [Payment]
    public var refunds: [Refund]

    public init(payments: [Payment] = [], refunds: [Refund] = []) {
        self.payments = payments
        self.refunds = refunds
    }

    /// What has come.
    public var charged: Int64 {
        payments.reduce(0) { $1.status == .completed ? Money.sum($0, $1.amount) : $0 }
    }

    /// What has gone back.
    public var refunded: Int64 { sum(.completed) }

    /// What is to go back.
    public var due: Int64 { sum(.requested) }

    /// What is left for us once all that is due has gone back.
    public var kept: Int64 { charged - Money.sum(refunded, due) }

    private func sum(_ status: Refund.Status) -> Int64 {
        refunds.reduce(0) { $1.status == status ? Money.sum($0, $1.amount) : $0 }
    }

    /// What can still go back of one charge.
    public func refundable(_ payment: Payment) -> Int64 {
        guard payment.status == .completed else { return 0 }
        return refunds.reduce(payment.amount) {
            $1.paymentID == payment.id && $1.status != .failed ? $0 - $1.amount : $0
        }
    }

    /// Proofs of one booking that may be rejected: each keeps the seat while somebody looks at it. 5.
    static let rejectedProofLimit = 5

    /// Proofs that showed no payment.
    var rejectedProofs: Int {
        payments.count { $0.isByProof && $0.status == .failed }
    }

    /// The open charge.
    public var open: Payment? { payments.first { $0.status == .pending } }
}
