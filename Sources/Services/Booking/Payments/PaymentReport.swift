public import Environment

/// What a provider says about a charge, in our words.
public struct PaymentReport: Sendable, Hashable {
    /// Our name for the charge, as the provider repeats it.
    public var payment: UUID
    public var status: Payment.Status
    public var amount: Int64
    public var currency: String
    public var providerPaymentID = ""
    public var method = ""
    public var paidAt: Instant?
    public var fee: Int64 = 0
    /// The provider's own word for the status, for the record.
    public var said = ""
    /// What has gone back by the provider's own account.
    public var refunded: Int64 = 0

    public init(payment: UUID, status: Payment.Status, amount: Int64, currency: String) {
        self.payment = payment
        self.status = status
        self.amount = amount
        self.currency = currency
    }
}
