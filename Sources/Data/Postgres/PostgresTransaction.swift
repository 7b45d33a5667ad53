public import Environment
import Synchronization

/// One open transaction. `BEGIN` travels with the first statement.
///
/// Statements of concurrent child tasks run one after the other. After ``commit(with:)``, or when
/// the body has returned, no statement is accepted.
public final class PostgresTransaction: Sendable {
    private struct State {
        var hasBegun = false
        var hasEnded = false
        var firstError: PostgresError?
        /// The COMMIT failed, whatever the body made of it.
        var commitError: PostgresError?
        var effects: [Effect] = []
    }

    /// What follows a commit.
    typealias Effect = @Sendable () async -> Void

    /// When the whole transaction must be over.
    public let deadline: Deadline
    private let connection: PostgresConnection
    private let options: TransactionOptions
    private let metrics: PostgresMetrics
    private let state = Mutex(State())

    init(
        _ connection: PostgresConnection, _ options: TransactionOptions, deadline: Deadline,
        metrics: PostgresMetrics
    ) {
        self.connection = connection
        self.options = options
        self.deadline = deadline
        self.metrics = metrics
    }

    /// Runs one statement.
    /// - Throws: ``PostgresError``. After an error of the server only a rollback is possible.
    public func query(_ sql: SQL) async throws -> PostgresRows {
        try await batch([sql])[0]
    }

    /// Runs one statement; returns the number of rows that were changed.
    @discardableResult
    public func execute(_ sql: SQL) async throws -> Int {
        try await query(sql).affectedRows
    }

    /// Runs the statements in one round trip. After the first that fails, the rest is skipped.
    public func batch(_ statements: [SQL]) async throws -> [PostgresRows] {
        let begin = try beginIfNeeded(ending: false)
        let exchange = Exchange(
            begin + statements, deadline: deadline, needsTransaction: begin.isEmpty)
        return Array(try await run(exchange).dropFirst(begin.count))
    }

    /// Runs the last statements and `COMMIT` in one round trip; returns what each answered.
    ///
    /// If one fails, nothing is committed. Nothing may follow: return from the body.
    @discardableResult
    public func commit(with statements: [SQL] = []) async throws -> [PostgresRows] {
        let begin = try beginIfNeeded(ending: true)
        let all = begin + statements + ["commit"]
        let exchange = Exchange(
            all, deadline: deadline, commitIndex: all.count - 1, needsTransaction: begin.isEmpty)
        // A COMMIT on its way is not called back: the caller would not know what happened.
        let isOnlyCommit = begin.isEmpty && statements.isEmpty
        do {
            let results = try await run(exchange, isCancellable: !isOnlyCommit)
            return Array(results.dropFirst(begin.count).dropLast())
        } catch {
            state.withLock { $0.commitError = error }
            throw error
        }
    }

    /// Runs `effect` when this transaction is known to have been committed, before the pool's
    /// caller goes on, and with the connection given back. It is lost when the answer to the COMMIT
    /// is, or the process ends: only for what is made good otherwise.
    public func afterCommit(_ effect: @escaping @Sendable () async -> Void) {
        state.withLock { $0.effects.append(effect) }
    }

    // MARK: For the pool

    /// The first conflict that any statement met, even if the body has hidden it.
    var isRetryable: Bool { state.withLock { $0.firstError?.isRetryable == true } }

    var firstError: PostgresError? { state.withLock { $0.firstError } }

    /// Commits unless there is nothing to commit.
    /// - Returns: what follows.
    func finish() async throws -> [Effect] {
        let (isOpen, effects) = try state.withLock { state in
            if let error = state.commitError { throw error }
            defer { if !state.hasBegun { state.hasEnded = true } }
            return (state.hasBegun && !state.hasEnded, state.effects)
        }
        if isOpen { try await commit() }
        return effects
    }

    /// Ends the transaction without effect; a server that does not answer in time loses the
    /// connection instead.
    func rollBack() async {
        let hasBegun = state.withLock { state in
            state.hasEnded = true
            return state.hasBegun
        }
        guard hasBegun, !deadline.hasPassed, !Task.isCancelled else { return }
        let exchange = Exchange(["rollback"], deadline: deadline)
        _ = await connection.perform(exchange, isCancellable: false)
    }

    private func beginIfNeeded(ending: Bool) throws -> [SQL] {
        let isFirst = try state.withLock { state in
            guard !state.hasEnded else {
                throw PostgresError.invalidUse("the transaction has ended already")
            }
            state.hasEnded = ending
            defer { state.hasBegun = true }
            return !state.hasBegun
        }
        return isFirst ? [options.begin] : []
    }

    private func run(
        _ exchange: Exchange, isCancellable: Bool = true
    ) async throws(PostgresError) -> [PostgresRows] {
        let answer = await connection.perform(exchange, isCancellable: isCancellable)
        metrics.observe(exchange, answer)
        if case .failure(let error) = answer {
            state.withLock { $0.firstError = $0.firstError ?? error }
        }
        return try answer.get()
    }
}
