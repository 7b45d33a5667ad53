public import Environment
public import Loop
public import Telemetry

/// Connections to one database, for use from any task.
///
/// Callers wait in order of arrival, in a queue of limited length, for a limited time. The pool
/// reconnects by itself. Every call has a deadline; when it passes, or the calling task is
/// cancelled, the caller is answered at once and the statement is cancelled on the server.
///
/// ```swift
/// let rows = try await pool.query("select id, name from room where id = any(\(ids))")
/// for row in rows { let (id, name): (UUID, String) = try (row[0], row[1]) }
///
/// let booking = try await pool.transaction { transaction in
///     let claimed = try await transaction.execute("insert into claim … on conflict do nothing")
///     guard claimed == 1 else { throw Conflict() }            // rolls back
///     try await transaction.commit(with: ["insert into outbox …"])   // 2 round trips in all
/// }
/// ```
public final class PostgresPool: Sendable {
    public let configuration: PostgresConfiguration
    public let loop: EventLoop
    let core: PoolCore

    public init(
        configuration: PostgresConfiguration, loop: EventLoop, logger: Logger,
        metrics: Metrics = Metrics()
    ) {
        self.configuration = configuration
        self.loop = loop
        core = PoolCore(
            configuration, loop, logger,
            PostgresMetrics(metrics, pool: configuration.applicationName))
    }

    /// Keeps the minimum of connections open until the task is cancelled, then closes the pool.
    public func run() async throws {
        loop.onLoop { self.core.keepMinimum() }
        // Far in the future on purpose: only the cancellation ends it.
        while !Task.isCancelled { try? await loop.sleep(for: .seconds(3600)) }
        await close()
    }

    /// Refuses new callers and closes the connections as they become free; those still busy after
    /// `grace` are closed with their work. Cancelling has no effect.
    public func close(grace: Duration = .seconds(5)) async {
        await withCheckedContinuation { continuation in
            loop.onLoop { self.core.close(grace: grace) { continuation.resume() } }
        }
    }

    /// Whether the database answers; for readiness.
    /// - Throws: ``PostgresError`` when it does not.
    public func check(deadline: Deadline = .after(.seconds(1))) async throws {
        _ = try await query("select 1", deadline: deadline)
    }

    /// Runs one statement in a transaction of its own and returns its rows. When it meets another
    /// transaction (40001, 40P01) it is tried again, as it has not taken effect.
    ///
    /// - Throws: ``PostgresError``; ambiguous when the connection was lost or the deadline passed
    ///   after the statement had been sent.
    public func query(_ sql: SQL, deadline: Deadline? = nil) async throws -> PostgresRows {
        let deadline = deadline ?? .after(configuration.defaultQueryTimeout)
        let results = try await retrying(deadline) { () async throws(PostgresError) in
            try await self.runOnce(Exchange([sql], deadline: deadline, commits: true))
        }
        return results[0]
    }

    /// Like ``query(_:deadline:)``; returns the number of rows that were changed.
    @discardableResult
    public func execute(_ sql: SQL, deadline: Deadline? = nil) async throws -> Int {
        try await query(sql, deadline: deadline).affectedRows
    }

    /// Runs all statements in one transaction and one round trip: `BEGIN`, they, and `COMMIT`
    /// travel together. Returns what each of them answered.
    public func atomically(
        _ statements: [SQL], options: TransactionOptions = TransactionOptions(),
        deadline: Deadline? = nil
    ) async throws -> [PostgresRows] {
        let deadline = deadline ?? .after(configuration.defaultQueryTimeout)
        let all = [options.begin] + statements + ["commit"]
        let results = try await retrying(deadline, attempts: options.maxAttempts) {
            () async throws(PostgresError) in
            try await self.runOnce(
                Exchange(all, deadline: deadline, commitIndex: all.count - 1))
        }
        return Array(results[1..<(all.count - 1)])
    }

    // MARK: Pieces

    /// One exchange on whichever connection is free; never returns to the caller's task between
    /// getting the connection and giving it back.
    private func runOnce(_ exchange: Exchange) async throws(PostgresError) -> [PostgresRows] {
        let job = PoolJob(core, exchange)
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                job.onAnswer = { continuation.resume(returning: $0) }
                loop.onLoop { job.start() }
            }
        } onCancel: {
            loop.execute { job.cancel() }
        }
        return try answer.get()
    }

    private func retrying(
        _ deadline: Deadline, attempts: Int = 5,
        _ body: () async throws(PostgresError) -> [PostgresRows]
    ) async throws -> [PostgresRows] {
        var attempt = 1
        while true {
            do {
                return try await body()
            } catch {
                guard error.isRetryable, attempt < attempts, !deadline.hasPassed else {
                    throw error
                }
                try await backOff(attempt)
                attempt += 1
            }
        }
    }

    /// Waits a random time that doubles, so that rivals do not meet again at once.
    func backOff(_ attempt: Int) async throws {
        let longest = Duration.milliseconds(5) * (1 << min(attempt - 1, 5))
        try await loop.sleep(for: longest * Double.random(in: 0.2...1))
    }
}

/// One exchange that still needs a connection. Loop only after `start`.
private final class PoolJob: @unchecked Sendable {
    private let core: PoolCore
    private let exchange: Exchange
    private var waiter: Waiter?
    private var connection: PostgresConnection?
    private var isCancelled = false
    var onAnswer: ((Exchange.Answer) -> Void)?

    init(_ core: PoolCore, _ exchange: Exchange) {
        self.core = core
        self.exchange = exchange
    }

    func start() {
        if isCancelled { return answer(.failure(.cancelled)) }
        let waiter = Waiter(deadline: exchange.deadline) { [self] outcome in
            switch outcome {
            case .failure(let error): answer(.failure(error))
            case .success(let connection): run(on: connection)
            }
        }
        self.waiter = waiter
        core.acquire(waiter)
    }

    private func run(on connection: PostgresConnection) {
        waiter = nil
        self.connection = connection
        exchange.onAnswer { [self] answer in
            self.answer(answer)
            core.release(connection)
        }
        connection.start(exchange)
    }

    private func answer(_ answer: Exchange.Answer) {
        core.metrics.observe(exchange, answer)
        if case .failure(let error) = answer, error.sqlState == .readOnlyTransaction {
            // The server has become a standby. Other such errors end the connection anyhow.
            core.leaveServer(error)
        }
        onAnswer?(answer)
        onAnswer = nil
    }

    func cancel() {
        isCancelled = true
        if let connection {
            connection.abandon(exchange, .cancelled)
        } else if let waiter {
            core.leave(waiter, .cancelled)
        }
    }
}
