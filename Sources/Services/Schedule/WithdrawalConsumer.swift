import Domain
import Environment
public import Kafka
public import Lifecycle
public import Loop
public import Postgres
import Protobuf
public import Telemetry

/// Takes off the timetable what Inventory has withdrawn, and says so as `schedule.deleted` (B-16,
/// Each event has its effect once, however often it comes: the inbox, the class schedule and
/// the event of ours are of one transaction.
///
/// The members of the group share the work; a record counts as read once its effect is committed.
public struct WithdrawalConsumer: Service {
    /// Inventory says there what has become of a slot; its id is the class schedule's.
    static let topic = "schedule.updated"
    static let consumer = "timetable"

    private let pool: PostgresPool
    private let configuration: KafkaConfiguration
    private let group: String
    private let producer: KafkaProducer
    private let loop: EventLoop
    private let logger: Logger
    private let metrics: Metrics
    private let committed: @Sendable () -> Void

    /// - Parameters:
    ///   - group: the consumer group that all processes of the service join.
    ///   - producer: writes dead letters.
    ///   - committed: called after every commit with events: wakes the outbox relay.
    public init(
        pool: PostgresPool, kafka: KafkaConfiguration, group: String, producer: KafkaProducer,
        loop: EventLoop, logger: Logger, metrics: Metrics,
        committed: @escaping @Sendable () -> Void
    ) {
        self.pool = pool
        configuration = kafka
        self.group = group
        self.producer = producer
        self.loop = loop
        self.logger = logger
        self.metrics = metrics
        self.committed = committed
    }

    /// Reads until cancelled. After a failure it begins anew behind what it has committed.
    public func run() async throws {
        while !Task.isCancelled {
            do {
                try await read()
            } catch {
                if Task.isCancelled { break }
                logger.warning(
                    "withdrawals wait; beginning anew", ["error": LogValue(describing: error)])
                try await loop.sleep(for: .seconds(1))
            }
        }
    }

    /// One consumer's life.
    private func read() async throws {
        let consumer = try KafkaConsumer(
            topics: [Self.topic], mode: .group(id: group, start: .earliest),
            configuration: configuration, loop: loop, logger: logger, metrics: metrics)
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Closing ends the wait for a broker as well as the reading.
            group.addTask(executorPreference: loop) { [loop] in
                while (try? await loop.sleep(for: .seconds(3600))) != nil {}
                await consumer.close()
            }
            defer { group.cancelAll() }
            for try await record in consumer.records {
                try await take(record)
                consumer.store(record.position)
            }
        }
    }

    private func take(_ record: ConsumedRecord) async throws {
        // What is no event is kept by Notification, which reads every topic.
        guard let event = Withdrawal(record.value) else { return }
        do {
            if try await apply(event) { committed() }
        } catch let stale as Inbox.Stale {
            try await DeadLetters.bury(
                record, because: "\(stale)", through: producer, loop, logger)
        }
    }

    /// - Returns: whether it has had an effect now.
    func apply(_ event: Withdrawal) async throws -> Bool {
        try await pool.transaction { transaction in
            guard try await Inbox.take(event.id, by: Self.consumer, transaction) else {
                return false
            }
            let rows = try await transaction.query(
                """
                update class_schedules s set withdrawn_at = clock_timestamp() from courses c
                where s.id = \(event.slot) and s.withdrawn_at is null and c.id = s.course_id
                returning s.course_id, c.code, clock_timestamp()
                """)
            guard let row = rows.first else { return false }
            let deleted = ScheduleEvents.deleted(
                event.slot, course: try row[0], code: try row[1], at: try row[2])
            try await transaction.execute(Outbox.insert([deleted]))
            return true
        }
    }
}

/// What the envelope of a withdrawal says; nil for every other event.
struct Withdrawal: Sendable, Hashable {
    let id: UUID
    let slot: UUID

    init(id: UUID, slot: UUID) {
        self.id = id
        self.slot = slot
    }

    init?(_ envelope: [UInt8]) {
        guard let json = try? JSONValue.parse(envelope), let payload = json["payload"],
            payload["action"] == "withdrawn", let id = json["event_id"]?.string,
            let slot = payload["id"]?.string, let event = UUID(id), let schedule = UUID(slot)
        else { return nil }
        self.init(id: event, slot: schedule)
    }
}
