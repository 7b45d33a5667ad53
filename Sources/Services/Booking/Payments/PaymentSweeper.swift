import Domain
public import Environment
public import Lifecycle
public import Loop
public import Postgres
public import Telemetry

/// Asks providers about charges whose callback has not come, hands due refunds to them, and
/// deletes uploads that nobody named and callbacks of long ago. Nothing depends on it being on time; several may run.
public struct PaymentSweeper: Service {
    private let desk: PaymentDesk
    private let callbacks: CallbackDesk
    private let providers: PaymentProviders
    private let recurrence: Recurrence
    private let committed: @Sendable () -> Void

    public init(
        pool: PostgresPool, providers: PaymentProviders, clock: Clock, loop: EventLoop,
        interval: Duration = .seconds(10), logger: Logger,
        committed: @escaping @Sendable () -> Void
    ) {
        desk = PaymentDesk(pool: pool, clock: clock)
        callbacks = CallbackDesk(desk: desk, providers: providers)
        self.providers = providers
        recurrence = Recurrence(on: loop, every: interval, logger: logger)
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
        for payment in payments {
            try await attempt("a payment", payment.id) { try await callbacks.inquire(payment) }
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
        guard let provider = providers[payment.provider] else {
            try await settle(refund, of: payment, nil, "the provider is not configured any more")
            return true
        }
        switch try await provider.refund(refund, of: payment) {
        case .completed(let id): try await settle(refund, of: payment, id, nil)
        case .waiting: return false
        case .impossible(let why): try await settle(refund, of: payment, nil, why)
        }
        return true
    }

    /// What the provider cannot do stays due, for a person to do.
    private func settle(
        _ refund: Refund, of payment: Payment, _ providerRefundID: String?, _ failure: String?
    ) async throws {
        try await desk.store.pool.transaction { transaction in
            var subject = try await desk.lock(payment.bookingID, transaction)
            let now = desk.clock.now()
            guard var next = subject.account.refunds.first(where: { $0.id == refund.id }),
                next.status == .requested
            else { return }
            if let failure {
                next.failure = failure
            } else {
                next.status = .completed
                next.completedAt = now
                next.failure = ""
            }
            var last: [SQL] = []
            try await desk.change(
                next, of: &subject, providerRefundID: providerRefundID, nextAttempt: nil,
                actor: "provider:\(payment.provider)", now, transaction, &last)
            try await transaction.commit(with: last)
        }
    }
}
