import Domain
public import Environment

/// What a cancellation gives back. Pure.
public struct CancellationQuote: Sendable, Hashable {
    /// Charged, less what has gone back or is about to.
    public let paid: Int64
    /// What goes back now.
    public let refund: Int64
    public let percent: Int
    /// The policy's code.
    public let policy: String
    /// Of which charges, newest first.
    public let parts: [Part]

    public struct Part: Sendable, Hashable {
        public let payment: UUID
        public let amount: Int64
    }

    public var kept: Int64 { paid - refund }

    /// The customer is entitled to the percentage of the price as far as it was paid, rounded down
    /// to a whole minor unit, and to all that was paid beyond it; what has gone back already counts
    /// as part of that.
    ///
    /// - Parameter price: of the booking.
    public init(
        _ account: PaymentAccount, _ policy: CancellationPolicy, price: Int64,
        startsAt: Instant?, now: Instant
    ) {
        let percent = policy.percent(startsAt: startsAt, now: now)
        let base = min(price, account.charged)
        let entitled = Self.share(percent, of: base) + (account.charged - base)
        let gone = Money.sum(account.refunded, account.due)
        self.init(
            account, refund: min(max(0, entitled - gone), account.kept), percent: percent,
            policy: policy.code)
    }

    /// Everything that is left: no service was given.
    public init(everythingOf account: PaymentAccount) {
        self.init(account, refund: max(0, account.kept), percent: 100, policy: "")
    }

    /// An amount of one charge, as far as it is left there.
    public init(_ amount: Int64, of payment: Payment, in account: PaymentAccount) {
        let refund = min(max(0, amount), account.refundable(payment))
        self.init(
            paid: account.kept, refund: refund, percent: 100, policy: "",
            parts: refund > 0 ? [Part(payment: payment.id, amount: refund)] : [])
    }

    /// A chosen amount; nil when less is left.
    public init?(_ amount: Int64, of account: PaymentAccount) {
        guard amount > 0, amount <= account.kept else { return nil }
        self.init(account, refund: amount, percent: 0, policy: "")
    }

    private init(_ account: PaymentAccount, refund: Int64, percent: Int, policy: String) {
        self.init(
            paid: account.kept, refund: refund, percent: percent, policy: policy,
            parts: Self.parts(of: refund, account))
    }

    private init(paid: Int64, refund: Int64, percent: Int, policy: String, parts: [Part]) {
        self.paid = paid
        self.refund = refund
        self.percent = percent
        self.policy = policy
        self.parts = parts
    }

    private static func parts(of refund: Int64, _ account: PaymentAccount) -> [Part] {
        var left = refund
        var parts: [Part] = []
        for payment in account.payments.sorted(by: { $0.createdAt > $1.createdAt }) where left > 0 {
            let amount = min(left, account.refundable(payment))
            if amount > 0 { parts.append(Part(payment: payment.id, amount: amount)) }
            left -= amount
        }
        return parts
    }

    /// Exact without overflow: percent of the hundreds and of the rest, rounded down.
    static func share(_ percent: Int, of amount: Int64) -> Int64 {
        let percent = Int64(percent)
        return amount / 100 * percent + amount % 100 * percent / 100
    }
}
