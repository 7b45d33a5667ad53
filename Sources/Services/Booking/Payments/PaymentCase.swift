public import Domain
public import Environment
import Schema

/// A booking with its money: every change of one, with what follows for the other. Pure; a desk
/// writes down what it says.
public struct PaymentCase: Sendable, Hashable {
    public private(set) var booking: Booking
    public private(set) var account: PaymentAccount

    public init(_ booking: Booking, _ account: PaymentAccount) {
        self.booking = booking
        self.account = account
    }

    /// What a change brings with it.
    public struct Consequences: Sendable, Hashable {
        /// Refunds that have become due.
        public var refunds: [Refund] = []
        /// The booking's move: at most one, so that the history gets one row.
        public var decision: BookingDecision?
    }

    // MARK: Charges

    /// A new charge; the booking waits for it.
    public mutating func add(
        _ payment: Payment, now: Instant
    ) throws(DomainError) -> Consequences {
        account.payments.append(payment)
        return Consequences(decision: try follow(now))
    }

    /// An open charge that another one takes the place of: the booking goes on waiting.
    public mutating func replace(_ payment: Payment) -> Payment {
        store(payment)
    }

    /// What a report or a review has made of a charge. Money that a booking cannot keep becomes
    /// due to go back in the same step.
    public mutating func change(
        _ payment: Payment, now: Instant
    ) throws(DomainError) -> Consequences {
        let payment = store(payment)
        var consequences = Consequences()
        if payment.status == .completed {
            consequences.refunds = request(
                PaymentRules.surplus(payment, booking, account),
                reason: PaymentRules.keepsMoney(booking.status)
                    ? "paid more than it costs"
                    : "paid after the booking was \(booking.status.rawValue)",
                key: "surplus:\(payment.id)", actor: "system", now: now)
        }
        consequences.decision = try follow(now)
        return consequences
    }

    @discardableResult
    private mutating func store(_ payment: Payment) -> Payment {
        guard let index = account.payments.firstIndex(where: { $0.id == payment.id }) else {
            preconditionFailure("a charge of another booking")
        }
        var payment = payment
        payment.version = account.payments[index].version + 1
        account.payments[index] = payment
        return payment
    }

    /// The charge of a refund, as it stands.
    public func charge(of refund: Refund) -> Payment? {
        account.payments.first { $0.id == refund.paymentID }
    }

    // MARK: Refunds

    /// Makes refunds due.
    public mutating func request(
        _ quote: CancellationQuote, reason: String, key: String, actor: String, now: Instant
    ) -> [Refund] {
        let refunds = quote.parts.map { part in
            var refund = Refund(
                id: .timeOrdered(now), paymentID: part.payment, amount: part.amount,
                reason: reason, actor: actor, key: key, requestedAt: now)
            // A person gives back what came by hand.
            refund.nextAttempt = charge(of: refund)?.isByHand == true ? nil : now
            return refund
        }
        for refund in refunds {
            if let payment = charge(of: refund) { store(payment) }
            account.refunds.append(refund)
        }
        return refunds
    }

    /// What the provider, or a person, has made of a refund.
    public mutating func change(
        _ refund: Refund, now: Instant
    ) throws(DomainError) -> Consequences {
        guard let index = account.refunds.firstIndex(where: { $0.id == refund.id }) else {
            throw DomainError(.paymentNotFound, "there is no such refund")
        }
        account.refunds[index] = refund
        if let payment = charge(of: refund) { store(payment) }
        return Consequences(decision: try follow(now))
    }

    // MARK: The end of the booking

    /// The booking is decided to end: by the policy's percentage when it is cancelled, entirely
    /// when it is rejected or expires, its money becomes due (E-24, X-84).
    public mutating func end(
        _ decision: BookingDecision, _ policy: CancellationPolicy, startsAt: Instant?,
        actor: String, reason: String, now: Instant
    ) -> [Refund] {
        let status = decision.booking.status
        let quote =
            status == .cancelled
            ? CancellationQuote(
                account, policy, price: booking.finalAmount, startsAt: startsAt, now: now)
            : CancellationQuote(everythingOf: account)
        let refunds = request(
            quote, reason: reason.isEmpty ? status.rawValue : reason, key: "end:\(booking.id)",
            actor: actor, now: now)
        booking = decision.booking
        return refunds
    }

    /// Brings the booking's payment status in line with its account.
    private mutating func follow(_ now: Instant) throws(DomainError) -> BookingDecision? {
        guard let command = PaymentRules.command(booking, account) else { return nil }
        let decision = try BookingRules.decide(booking, command, now: now)
        booking = decision.booking
        return decision
    }
}
