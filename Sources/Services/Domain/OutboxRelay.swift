import Environment
public import Kafka
public import Lifecycle
public import Loop
public import Postgres
import Synchronization
public import Telemetry

/// Publishes a service's outbox to Kafka: the only producer of its events.
///
/// One relay of all replicas holds the lease. It is woken by ``poke()`` after a commit in its own
/// process and looks by itself four times a second for what other processes wrote. A row is
/// marked only after its delivery report; a relay that dies in between sends it again, and
/// consumers recognise it by `event_id`. Rows stay for replay.
public final class OutboxRelay: Service {
    private let pool: PostgresPool
    private let producer: KafkaProducer
    private let loop: EventLoop
    private let logger: Logger
    private let owner = UUID.random()
    private let wakeup = Wakeup()
    private let published: Counter
    private let failures: Counter

    static let batchLimit = 500
    static let idle = Duration.milliseconds(250)
    static let leaseSeconds = 10
    /// The lease is looked after so often; every reading asks whether it is still held.
    static let leaseCare = Duration.seconds(2)

    public init(
        schema: String, pool: PostgresPool, producer: KafkaProducer, loop: EventLoop,
        logger: Logger, metrics: Metrics
    ) {
        self.pool = pool
        self.producer = producer
        self.loop = loop
        self.logger = logger
        published = metrics.counter(
            "janji_outbox_published_total", help: "Events delivered to Kafka.",
            labels: [("schema", schema)])
        failures = metrics.counter(
            "janji_outbox_failures_total", help: "Publishing rounds that failed.",
            labels: [("schema", schema)])
    }

    /// There is something new. Any thread; cheap.
    public func poke() { wakeup.signal() }

    /// Publishes until cancelled.
    public func run() async throws {
        var failed = 0
        var leaseDue = Deadline.now()
        while !Task.isCancelled {
            do {
                let outcome = try await publishOnce(&leaseDue)
                if failed > 0 { logger.info("the outbox is being published again") }
                failed = 0
                switch outcome {
                case .more: continue
                case .empty: await wakeup.wait(upTo: Self.idle, on: loop)
                }
            } catch {
                if Task.isCancelled { break }
                failures.add()
                failed += 1
                if failed == 1 {
                    logger.warning(
                        "the outbox waits; events arrive late, none is lost",
                        ["error": LogValue(describing: error)])
                }
                try? await loop.sleep(for: .milliseconds(100 * min(failed, 20)))
            }
        }
        await releaseLease()
    }

    private enum Outcome {
        case more, empty
    }

    private struct Row {
        let id: Int64
        let topic: String
        let key: String
        let body: String
        let createdAt: Instant
    }

    private func publishOnce(_ leaseDue: inout Deadline) async throws -> Outcome {
        if leaseDue.hasPassed {
            guard try await holdLease() else { return .empty }
            leaseDue = .after(Self.leaseCare)
        }
        let rows = try await pending()
        guard !rows.isEmpty else { return .empty }
        let records = rows.map { row in
            KafkaRecord(topic: row.topic, key: Array(row.key.utf8), value: Array(row.body.utf8))
        }
        if PlantedBug.markBeforeDelivery.isPlanted { try await mark(rows) }
        var delivered: [Row] = []
        var firstFailure: KafkaError?
        var failedKeys: Set<String> = []
        for (row, result) in zip(rows, await producer.send(records)) {
            switch result {
            // What came after a failure of the same key goes again with it, so that order holds.
            case .success: if !failedKeys.contains(row.key) { delivered.append(row) }
            case .failure(let error):
                failedKeys.insert(row.key)
                firstFailure = firstFailure ?? error
            }
        }
        try await mark(delivered)
        published.add(delivered.count)
        if let firstFailure { throw firstFailure }
        return rows.count == Self.batchLimit ? .more : .empty
    }

    private func holdLease() async throws -> Bool {
        let rows = try await pool.query(
            """
            with renewed as (
                insert into outbox_lease (owner, expires_at)
                select \(owner), clock_timestamp() + interval '\(unescaped: String(Self.leaseSeconds)) seconds'
                where not exists (
                    select from outbox_lease
                    where (owner = \(owner) and expires_at > clock_timestamp() + interval '5 seconds')
                       or (owner <> \(owner) and expires_at > clock_timestamp()))
                on conflict (only_row) do update
                    set owner = excluded.owner, expires_at = excluded.expires_at
                    where outbox_lease.owner = excluded.owner
                       or outbox_lease.expires_at <= clock_timestamp()
                returning 1)
            select exists (select from renewed)
                or exists (select from outbox_lease
                    where owner = \(owner) and expires_at > clock_timestamp() + interval '5 seconds')
            """)
        return try rows.single()[0]
    }

    /// In the order of ids: a change writes its event while it has its aggregate locked, so ids
    /// follow the commits of one aggregate. Transaction ids do not: they are given at the first
    /// write, which comes before the wait for that lock. Nothing is passed over either way, as
    /// every row has its own mark.
    private func pending() async throws -> [Row] {
        let rows = try await pool.query(
            """
            select id, topic, key, body, created_at from outbox where published_at is null
              and exists (select from outbox_lease
                where owner = \(owner) and expires_at > clock_timestamp())
              \(unescaped: horizon)
            order by \(unescaped: PlantedBug.relayByTransaction.isPlanted ? "xid, id" : "id")
            limit \(unescaped: String(Self.batchLimit))
            """)
        return try rows.map { row in
            Row(
                id: try row[0], topic: try row[1], key: try row[2], body: try row[3],
                createdAt: try row[4])
        }
    }

    private var horizon: String {
        PlantedBug.relayByCursor.isPlanted
            ? "and id > (select coalesce(max(id), 0) from outbox where published_at is not null)"
            : ""
    }

    /// The times tell which months the rows are in.
    private func mark(_ rows: [Row]) async throws {
        let times = rows.map(\.createdAt)
        guard let first = times.min(), let last = times.max() else { return }
        _ = try await pool.execute(
            """
            update outbox set published_at = clock_timestamp()
            where id = any(\(rows.map(\.id))) and created_at between \(first) and \(last)
            """)
    }

    /// Lets another replica go on at once after a drain.
    private func releaseLease() async {
        // A task of its own: this one is cancelled, and so would its query be.
        let release = Task(executorPreference: loop) { [pool, owner] in
            _ = try? await pool.execute("delete from outbox_lease where owner = \(owner)")
        }
        await release.value
    }
}
