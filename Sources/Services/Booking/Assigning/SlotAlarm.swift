import Environment
public import Lifecycle
public import Loop
public import Postgres
public import Telemetry

/// Watches the requests that are confirmed and that nobody has given a slot: how many there
/// are and for how long, in the metrics, and a warning in each round in which one has waited too
/// long. Several may run: each tells the same.
public struct SlotAlarm: Service {
    private let pool: PostgresPool
    private let after: Duration
    private let logger: Logger
    private let recurrence: Recurrence
    private let waiting: Gauge
    private let overdue: Gauge
    private let oldest: Gauge

    /// So long a confirmed request may wait for its slot when nobody says otherwise.
    public static let patience = Duration.seconds(24 * 3600)

    /// - Parameter after: since the confirmation.
    public init(
        pool: PostgresPool, after: Duration = patience, loop: EventLoop,
        interval: Duration = .seconds(300), logger: Logger, metrics: Metrics
    ) {
        self.pool = pool
        self.after = after
        self.logger = logger
        recurrence = Recurrence(on: loop, every: interval, logger: logger)
        waiting = metrics.gauge(
            "janji_bookings_without_slot", help: "Confirmed requests that wait for a slot.")
        overdue = metrics.gauge(
            "janji_bookings_without_slot_overdue", help: "Of these, longer than the alarm allows.")
        oldest = metrics.gauge(
            "janji_bookings_without_slot_oldest_seconds",
            help: "Since the confirmation of the one that waits longest; 0 when none does.")
    }

    public func run() async throws {
        try await recurrence.run("the watch of bookings without a slot waits") {
            try await look()
            return nil
        }
    }

    /// One round.
    func look() async throws {
        let row = try await pool.query(
            """
            select count(*), count(*) filter (where w.age > \(after.secondsValue)::float8),
                greatest(coalesce(max(w.age), 0), 0)
            from (select extract(epoch from clock_timestamp()
                    - coalesce(b.confirmed_at, b.created_at))::float8 as age
                from booking b
                where b.status = 'confirmed' and b.confirmed_slot_id is null) w
            """
        ).single()
        let (count, late, age): (Int, Int, Double) = (try row[0], try row[1], try row[2])
        waiting.set(count)
        overdue.set(late)
        oldest.set(age)
        guard late > 0 else { return }
        logger.warning(
            "confirmed bookings wait for a slot",
            [
                "overdue": .int(Int64(late)), "waiting": .int(Int64(count)),
                "oldest_hours": .int(Int64(age / 3600)),
                "allowed_hours": .int(after.components.seconds / 3600),
            ])
    }
}
