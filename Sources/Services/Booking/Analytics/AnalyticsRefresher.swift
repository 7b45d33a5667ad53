import Environment
public import Lifecycle
public import Loop
public import Postgres
public import Telemetry

/// Brings the daily figures up to date every hour (E-17), without being in anybody's way: readers
/// see the old figures until the new ones are complete, and of all replicas one works.
public struct AnalyticsRefresher: Service {
    private let pool: PostgresPool
    private let interval: Duration
    private let recurrence: Recurrence

    public init(
        pool: PostgresPool, loop: EventLoop, interval: Duration = .seconds(3600), logger: Logger
    ) {
        self.pool = pool
        self.interval = interval
        // Twice in an interval, so that a replica that died is soon made up for.
        recurrence = Recurrence(on: loop, every: interval / 2, logger: logger)
    }

    public func run() async throws {
        try await recurrence.run("the daily figures stay old") {
            _ = try await refresh()
            return nil
        }
    }

    /// - Returns: whether this call has refreshed them.
    func refresh() async throws -> Bool {
        let seconds = Double(interval.components.seconds) * 0.9
        return try await pool.query(
            "select refresh_analytics(make_interval(secs => \(seconds)))",
            deadline: .after(.seconds(25))
        ).single()[0]
    }
}
