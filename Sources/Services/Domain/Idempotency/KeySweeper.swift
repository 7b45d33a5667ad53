public import Lifecycle
public import Loop
public import Postgres
public import Telemetry

/// Forgets the keys of one service that nobody may come back with any more. Nothing depends on its
/// being on time; several may run.
public struct KeySweeper: Service {
    private let pool: PostgresPool
    private let recurrence: Recurrence

    static let batch = 1000

    public init(
        pool: PostgresPool, loop: EventLoop, interval: Duration = .seconds(60), logger: Logger
    ) {
        self.pool = pool
        recurrence = Recurrence(on: loop, every: interval, logger: logger)
    }

    public func run() async throws {
        try await recurrence.run("old idempotency keys wait") {
            while try await IdempotencyTable.forget(limit: Self.batch, on: pool) == Self.batch {}
            return nil
        }
    }
}
