public import Environment
public import Lifecycle
public import Loop
public import Postgres
public import Telemetry

/// Forgets sessions that are over. Only tidies: a session that is over is refused without it.
public struct SessionSweeper: Service {
    private let store: IdentityStore
    private let clock: Clock
    private let recurrence: Recurrence

    public init(
        pool: PostgresPool, clock: Clock = .system, loop: EventLoop,
        interval: Duration = .seconds(600), logger: Logger
    ) {
        store = IdentityStore(pool: pool)
        self.clock = clock
        recurrence = Recurrence(on: loop, every: interval, logger: logger)
    }

    /// Tidies until cancelled.
    public func run() async throws {
        try await recurrence.run("the session sweep waits") {
            _ = try await sweep()
            return nil
        }
    }

    /// One round. - Returns: how many sessions were forgotten.
    func sweep() async throws -> Int { try await store.tidy(before: clock.now()) }
}
