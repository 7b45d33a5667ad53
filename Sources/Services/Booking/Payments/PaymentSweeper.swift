import Crypto
import Domain
import Environment
public import Lifecycle
public import Loop
public import Postgres
import Schema
public import Telemetry

/// Asks providers about charges whose callback has not come, hands due refunds to them, and
/// deletes uploads that nobody named and callbacks of long ago. Nothing depends on it being on time; several may run.
public struct PaymentSweeper: Service {
    private let desk: PaymentDesk
    private let callbacks: CallbackDesk
    private let providers: PaymentProviders
    private let recurrence: Recurrence
    private let unexpected: Counter
    private let committed: @Sendable () -> Void

    public init(
        pool: PostgresPool, providers: PaymentProviders, loop: EventLoop,
        interval: Duration = .seconds(10), logger: Logger, metrics: Metrics,
        committed: @escaping @Sendable () -> Void
    ) {
        desk = PaymentDesk(pool: pool)
        callbacks = CallbackDesk(desk: desk, providers: providers)
        self.providers = providers
        recurrence = Recurrence(on: loop, every: interval, logger: logger)
        unexpected = metrics.counter(
            "janji_refunds_unexpected_total",
            help: "Refunds that a provider has made after they were settled by hand.")
        self.committed = committed
    }

    static let batch = 20
    static let proofBatch = 100
    static let eventBatch = 1000

    public func run() async throws {
        try await recurrence.run("the payment sweep waits") {
            while try await sweep() {}
            return nil
        }
    }

    /// - Returns: whether there may be more to do at once.
    func sweep() async throws -> Bool {
        let payments = try await desk.store.questions(limit: Self.batch)
        for (payment, isOver) in payments {
            try await attempt("a payment", payment.id) {
                try await callbacks.inquire(payment, isOver: isOver)
            }
        }
        let refunds = try await desk.store.refundsToMake(limit: Self.batch)
        for (refund, payment) in refunds {
            try await attempt("a refund", refund.id) { try await make(refund, of: payment) }
        }
        let proofs = try await ProofStore(pool: desk.store.pool).forget(limit: Self.proofBatch)
        let events = try await desk.store.forgetEvents(limit: Self.eventBatch)
        if !payments.isEmpty || !refunds.isEmpty { committed() }
        return payments.count == Self.batch || refunds.count == Self.batch
            || proofs == Self.proofBatch || events == Self.eventBatch
    }

    /// One provider that does not answer, or one case that cannot be written down, must not keep
    /// the others' turn: theirs comes a minute later at the earliest, once they were chosen.
    private func attempt(
        _ what: String, _ id: UUID, _ body: () async throws -> Bool
    ) async throws {
        do {
            _ = try await body()
        } catch let error as PaymentProviderError {
            recurrence.logger.warning(
                "\(what) is asked about again later",
                ["id": .string("\(id)"), "error": LogValue(describing: error)])
        } catch let error as DomainError {
            complain(what, id, error)
        } catch let error as PostgresError where error.sqlState != nil {
            complain(what, id, error)
        }
    }

    private func complain(_ what: String, _ id: UUID, _ error: any Error) {
        recurrence.logger.error(
            "\(what) cannot be brought up to date",
            ["id": .string("\(id)"), "error": LogValue(describing: error)])
    }

    private func make(_ refund: Refund, of payment: Payment) async throws -> Bool {
        let report =
            try await providers[payment.provider]?.refund(refund, of: payment)
            ?? .impossible("the provider is not configured any more")
        if report == .waiting { return false }
        try await settle(refund, of: payment, report)
        return true
    }

    /// Writes down what became of a refund at its provider. What nobody expects any more is kept
    /// beside the callbacks, told to the operators, and counted: a person has to see to it.
    func settle(_ refund: Refund, of payment: Payment, _ report: RefundReport) async throws {
        let isExpected = try await desk.store.pool.transaction { transaction in
            var (subject, now) = try await desk.lock(payment.bookingID, transaction)
            guard let current = subject.account.refunds.first(where: { $0.id == refund.id }) else {
                throw DomainError(.paymentNotFound, "there is no such refund")
            }
            let verdict = PaymentRules.apply(report, to: current, in: subject.account, now: now)
            var last: [SQL] = []
            let (next, isExpected): (Refund?, Bool) =
                switch verdict {
                case .changed(let next): (next, true)
                case .unchanged: (nil, true)
                case .unexpected(let next): (next, false)
                }
            if let next {
                try await desk.change(
                    next, of: &subject, actor: "provider:\(payment.provider)", now, transaction,
                    &last)
            }
            if !isExpected {
                let event = PaymentEvent(
                    provider: payment.provider,
                    digest: SHA256.hash(Array("refund \(refund.id)".utf8)), payment: payment.id,
                    said: "refunded", outcome: .unexpectedRefund)
                last.append(desk.store.record(event))
            }
            try await transaction.commit(with: last)
            return isExpected
        }
        guard !isExpected else { return }
        unexpected.add()
        recurrence.logger.error(
            "the provider has made a refund that was settled by hand: money may have gone back twice",
            ["refund": .string("\(refund.id)"), "payment": .string("\(payment.id)")])
    }
}
