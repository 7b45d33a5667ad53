public import Environment
public import Lifecycle
public import Loop
public import Postgres
public import Telemetry

/// Forgets sessions that are over. Only tidies: a session that is over is refused without it.
public struct SessionSweeper: Service {
    private let store: IdentityStore
    private let clock: Clock
    private let loop: EventLoop
    private let interval: Duration
    private let logger: Logger

    public init(
        pool: PostgresPool, clock: Clock = .system, loop: EventLoop,
        interval: Duration = .seconds(600), logger: Logger
    ) {
        store = IdentityStore(pool: pool)
        self.clock = clock
        self.loop = loop
        self.interval = interval
        self.logger = logger
    }

    /// Tidies until cancelled.
    public func run() async throws {
        while true {
            do {
                _ = try await sweep()
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.warning("the session sweep waits", ["error": LogValue(describing: error)])
            }
            try await loop.sleep(for: interval)
        }
    }

    /// One round. - Returns: how many sessions were forgotten.
    func sweep() async throws -> Int { try await store.tidy(before: clock.now()) }
}
