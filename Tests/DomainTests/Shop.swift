import Environment
import Kafka
import Postgres
import Protobuf
import Synchronization
import Telemetry
import TestKit

@testable import Domain

/// A service with an outbox, a topic of its own, and somebody who listens to it.
final class Shop: Sendable {
    let url: String
    let topic: String
    let pool: PostgresPool
    let broker: KafkaBroker
    let heard = Heard()
    private let consumer: KafkaConsumer
    private let listening: Task<Void, any Error>

    static let migrations = [
        Migration(version: 1, name: "outbox", sql: Outbox.tables),
        Migration(version: 2, name: "inbox", sql: Partitions.functions + Inbox.tables),
    ]

    init(_ name: String, broker: KafkaBroker? = nil) async throws {
        url = try await PostgresCluster.sharedDatabase(name)
        topic = "test.\(name)"
        let logger = Logger(label: "test", sink: LogCapture().sink)
        let owner = PostgresPool(
            configuration: .patient(url), loop: Bench.loop, logger: logger)
        try await Migrator(owner, schema: "shop", logger: logger).apply(Self.migrations)
        await owner.close()
        pool = Bench.pool(url)
        if let broker {
            self.broker = broker
        } else {
            self.broker = try await KafkaBroker.shared()
        }
        try await self.broker.createTopic(topic, partitions: 3, on: Bench.loop)
        consumer = try self.broker.consumer([topic], .fanOut(from: .earliest), on: Bench.loop)
        try await consumer.ready
        listening = Task { [consumer, heard] in
            for try await record in consumer.records { heard.add(record) }
        }
    }

    func event(_ key: String, _ version: Int) -> OutboxEvent {
        OutboxEvent(
            topic: topic, id: key, action: "sold", version: Int64(version),
            data: [("n", .number("\(version)"))], at: .now())
    }

    func commit(key: String, version: Int) async throws {
        try await pool.execute(Outbox.insert([event(key, version)]))
    }

    func number(_ sql: SQL) async throws -> Int { try await pool.query(sql).single()[0] }

    func unpublished() async throws -> Int {
        try await number("select count(*) from outbox where published_at is null")
    }

    /// A running relay, as another process would have one.
    func relay(deliveryTimeout: Duration = .seconds(300)) throws -> RunningRelay {
        var configuration = broker.configuration()
        configuration.deliveryTimeout = deliveryTimeout
        return RunningRelay(
            pool: Bench.pool(url), producer: try broker.producer(on: Bench.loop, configuration))
    }

    func close() async {
        listening.cancel()
        await consumer.close()
        await pool.close()
    }
}

/// A relay in a task, with its own connections and producer.
final class RunningRelay: Sendable {
    let relay: OutboxRelay
    private let pool: PostgresPool
    private let producer: KafkaProducer
    private let metrics = Metrics()
    private let task: Task<Void, any Error>

    init(pool: PostgresPool, producer: KafkaProducer) {
        self.pool = pool
        self.producer = producer
        let relay = OutboxRelay(
            schema: "shop", pool: pool, producer: producer, loop: Bench.loop,
            logger: Logger(label: "test", sink: LogCapture().sink), metrics: metrics)
        self.relay = relay
        task = Task(executorPreference: Bench.loop) { try await relay.run() }
    }

    /// Events delivered, from the relay's own counter.
    var published: Int { count("janji_outbox_published_total") }
    /// Rounds that have failed.
    var failures: Int { count("janji_outbox_failures_total") }

    private func count(_ name: String) -> Int {
        let line = metrics.render().split(separator: "\n").first { $0.hasPrefix(name + "{") }
        return line?.split(separator: " ").last.flatMap { Double($0) }.map { Int($0) } ?? -1
    }

    func stop() async {
        task.cancel()
        _ = await task.result
        await producer.close()
        await pool.close()
    }
}

/// What came out of the broker.
final class Heard: Sendable {
    private struct Item: Sendable {
        let key: String
        let version: Int
        let id: String
    }

    private let items = Mutex<[Item]>([])

    func add(_ record: ConsumedRecord) {
        guard
            case .object(let members)? = try? JSONValue.parse(record.value),
            case .string(let id)? = members.first(where: { $0.0 == "event_id" })?.1,
            case .object(let payload)? = members.first(where: { $0.0 == "payload" })?.1,
            case .string(let version)? = payload.first(where: { $0.0 == "version" })?.1
        else { return }
        let key = String(decoding: record.key ?? [], as: UTF8.self)
        items.withLock { $0.append(Item(key: key, version: Int(version) ?? -1, id: id)) }
    }

    var count: Int { items.withLock { $0.count } }
    var keys: [String] { items.withLock { $0.map(\.key) } }
    var ids: Set<String> { Set(items.withLock { $0.map(\.id) }) }

    func versions(of key: String) -> [Int] {
        items.withLock { $0.filter { $0.key == key }.map(\.version) }
    }

    /// The versions of a key in the order in which each was heard first.
    func firstHearing(of key: String) -> [Int] {
        var seen: Set<Int> = []
        return versions(of: key).filter { seen.insert($0).inserted }
    }
}
