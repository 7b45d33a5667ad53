import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema

/// Opens charges: the row first, so that a callback always finds it, then the provider's page,
/// then the answer with its key. Each step can be repeated.
struct PaymentOpening: Sendable {
    let desk: PaymentDesk
    let providers: PaymentProviders

    /// How long a charge of a booking without a payment window stays open.
    static let lifetime = Duration.seconds(24 * 3600)

    func create(
        _ booking: UUID, provider name: String, returnURL: String?, actor: String,
        _ use: IdempotencyTable.Use?
    ) async throws -> PaymentV1.CreateResponse {
        if let use, let answer = try await answered(use) {
            return try PaymentV1.CreateResponse(decoding: answer)
        }
        guard let provider = providers.chosen(name) else {
            throw DomainError(
                .validationFailed, "payments by this provider are not configured",
                violations: [DomainError.Violation("provider", "is not configured")])
        }
        var (payment, now) = try await row(booking, provider.code, actor)
        if payment.url == nil {
            let page = try await Self.mapping {
                try await provider.open(
                    payment, for: now.duration(to: payment.expiresAt), returnURL: returnURL)
            }
            payment.url = page.url
            payment.providerPaymentID = page.providerPaymentID ?? payment.providerPaymentID
            let id = payment.id
            try await desk.store.pool.transaction { transaction in
                _ = try await transaction.execute(desk.store.setPage(page, of: id))
            }
        }
        var response = PaymentV1.CreateResponse()
        response.payment = PaymentV1.Payment(payment)
        let answer = response
        return try await IdempotencyTable.perform(use, on: desk.store.pool) { _, _ in answer }
    }

    /// The answer of the key's first use, without taking the key.
    private func answered(_ use: IdempotencyTable.Use) async throws -> [UInt8]? {
        struct Unused: Error {}
        do {
            return try await desk.store.pool.transaction { transaction in
                guard let answer = try await IdempotencyTable.begin(use, transaction) else {
                    throw Unused()
                }
                return answer
            }
        } catch is Unused {
            return nil
        }
    }

    /// The open charge of the booking, or a new one of what it still costs, and the time.
    private func row(
        _ booking: UUID, _ provider: String, _ actor: String
    ) async throws -> (Payment, Instant) {
        try await desk.store.pool.transaction { transaction in
            var (subject, now) = try await desk.lock(booking, transaction)
            try await desk.requireSlot(of: subject.booking, transaction)
            if let open = subject.account.open {
                guard open.provider == provider else {
                    throw DomainError(
                        .invalidTransition, "a payment by \(open.provider) is open already")
                }
                if open.expiresAt > now { return (open, now) }
                // The old page is of no use; money that still comes by it goes back.
                var old = open
                old.status = .expired
                var last: [SQL] = []
                try await desk.replace(old, in: &subject, now, transaction, &last)
                _ = try await transaction.batch(last)
            }
            let payment = try Self.charge(subject, provider, now)
            var last: [SQL] = []
            try await desk.add(
                payment, to: &subject, nextQuestion: now + .seconds(60), actor: actor, now,
                transaction, &last)
            try await transaction.commit(with: last)
            return (payment, now)
        }
    }

    /// What the booking still costs, as a new charge.
    static func charge(
        _ subject: PaymentCase, _ provider: String, _ now: Instant
    ) throws(DomainError) -> Payment {
        let booking = subject.booking
        // What is paid for a booking that was moved is paid for the one in its place.
        guard PaymentRules.keepsMoney(booking.status), booking.status != .rescheduled else {
            throw booking.status == .expired
                ? BookingRules.expired(booking)
                : DomainError(
                    .invalidTransition,
                    "a booking that is \(booking.status.rawValue) cannot be paid")
        }
        if BookingRules.hasLapsed(booking, now: now) { throw BookingRules.expired(booking) }
        let amount = booking.finalAmount - subject.account.kept
        // What has gone back is not owed again.
        let isOwed = [.notRequired, .pending, .failed].contains(booking.paymentStatus)
        guard amount > 0, isOwed else {
            throw DomainError(.invalidTransition, "there is nothing to pay")
        }
        return Payment(
            id: .timeOrdered(now), bookingID: booking.id, provider: provider, amount: amount,
            currency: booking.currency,
            expiresAt: booking.status == .pendingPayment
                ? booking.expiresAt : now + Self.lifetime,
            createdAt: now)
    }

    /// What a proof says that was paid, as a new charge for staff to look at.
    static func proof(_ subject: PaymentCase, _ now: Instant) throws(DomainError) -> Payment {
        var payment = try charge(subject, Payment.manual, now)
        payment.method = Payment.proof
        return payment
    }

    /// What a provider could not do, in the words of our errors.
    static func mapping<T>(
        _ body: nonisolated(nonsending) () async throws -> T
    ) async throws -> T {
        do {
            return try await body()
        } catch let error as PaymentProviderError {
            switch error.code {
            case .unavailable:
                throw DomainError(
                    .upstreamUnavailable, "the payment provider does not answer; try again",
                    retryAfter: .seconds(5), blame: .us, cause: "\(error)")
            case .refused, .malformed, .forged:
                throw DomainError(
                    .paymentFailed, "the payment provider refuses this payment", blame: .us,
                    cause: "\(error)")
            }
        }
    }
}

/// The providers that are configured, best first.
public struct PaymentProviders: Sendable {
    public let all: [any PaymentProvider]

    public init(_ all: [any PaymentProvider]) { self.all = all }

    subscript(code: String) -> (any PaymentProvider)? { all.first { $0.code == code } }

    /// The one that is named; the first when none is.
    func chosen(_ name: String) -> (any PaymentProvider)? { name.isEmpty ? all.first : self[name] }
}
