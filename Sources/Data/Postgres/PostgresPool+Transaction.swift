public import Environment
import Loop

extension PostgresPool {
    /// Runs `body` in one transaction and commits when it returns; rolls back when it throws.
    ///
    /// When any of its statements or the COMMIT meets another transaction (40001, 40P01), the
    /// whole body runs again after a short random time, at most `options.maxAttempts` times: so it
    /// must have no effects of its own outside of the database.
    ///
    /// - Parameter deadline: for everything, with waiting for a connection and all attempts.
    /// - Throws: what `body` throws, or ``PostgresError``. When `isAmbiguous` is true the COMMIT was
    ///   sent and its answer lost.
    public func transaction<T>(
        _ options: TransactionOptions = TransactionOptions(), deadline: Deadline? = nil,
        _ body: (PostgresTransaction) async throws -> T
    ) async throws -> T {
        let deadline = deadline ?? .after(configuration.defaultQueryTimeout)
        var attempt = 1
        while true {
            let connection = try await lease(deadline)
            let transaction = PostgresTransaction(
                connection, options, deadline: deadline, metrics: core.metrics)
            do {
                let value = try await body(transaction)
                let effects = try await transaction.finish()
                giveBack(connection)
                for effect in effects { await effect() }
                return value
            } catch {
                await transaction.rollBack()
                giveBack(connection)
                let mayRetry =
                    transaction.isRetryable && attempt < options.maxAttempts
                    && !deadline.hasPassed && !Task.isCancelled
                guard mayRetry else {
                    if !options.isReadOnly { leaveStandby(transaction.firstError) }
                    throw error
                }
            }
            try await backOff(attempt)
            attempt += 1
        }
    }

    /// Lends a connection to `body`; whatever is open on it afterwards is rolled back.
    func withLease<T>(
        deadline: Deadline, _ body: (PostgresConnection) async throws(PostgresError) -> T
    ) async throws(PostgresError) -> T {
        let connection = try await lease(deadline)
        defer { giveBack(connection) }
        return try await body(connection)
    }

    private func lease(_ deadline: Deadline) async throws(PostgresError) -> PostgresConnection {
        let ticket = LeaseTicket(deadline)
        let outcome: Waiter.Outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                loop.onLoop { [self] in
                    ticket.start(core) { continuation.resume(returning: $0) }
                }
            }
        } onCancel: {
            loop.execute { ticket.cancel() }
        }
        return try outcome.get()
    }

    private func giveBack(_ connection: PostgresConnection) {
        loop.onLoop { self.core.release(connection) }
    }

    /// The server has become a standby: no connection to it is of use.
    private func leaveStandby(_ error: PostgresError?) {
        guard let error, error.sqlState == .readOnlyTransaction else { return }
        loop.onLoop { self.core.leaveServer(error) }
    }
}

/// A caller that wants a connection for itself. Loop only.
private final class LeaseTicket: @unchecked Sendable {
    private let deadline: Deadline
    private var core: PoolCore?
    private var waiter: Waiter?
    private var isCancelled = false

    init(_ deadline: Deadline) { self.deadline = deadline }

    func start(_ core: PoolCore, _ completion: @escaping (Waiter.Outcome) -> Void) {
        if isCancelled { return completion(.failure(.cancelled)) }
        self.core = core
        let waiter = Waiter(deadline: deadline, completion)
        self.waiter = waiter
        core.acquire(waiter)
    }

    /// Without effect once the connection has been handed over: the caller gives it back.
    func cancel() {
        isCancelled = true
        if let waiter { core?.leave(waiter, .cancelled) }
    }
}
