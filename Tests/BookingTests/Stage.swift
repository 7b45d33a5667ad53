import Domain
import Environment
import Kafka
import Loop
import Postgres
import RPC
import Schema
import Synchronization
import Telemetry
import TestKit
import Testing

@testable import Booking

/// A fixture with relay, broker and feed running, and a client that may watch.
final class Stage: Sendable {
    let fixture: Fixture
    let client: BookingV1.AvailabilityClient
    private let broker: KafkaBroker
    private let relay: OutboxRelay
    private let producer: KafkaProducer
    private let tasks: [Task<Void, any Error>]

    init(_ name: String) async throws {
        broker = try await KafkaBroker.start(.embedded)
        try await broker.createTopic(AvailabilityFeed.topic, partitions: 3, on: Fixture.loop)
        let poke = Poke()
        let fixture = try await Fixture(name, kafka: broker.address, committed: { poke() })
        self.fixture = fixture
        producer = try broker.producer(on: Fixture.loop)
        let relay = OutboxRelay(
            schema: "booking", pool: fixture.pool, producer: producer, loop: Fixture.loop,
            logger: Logger(label: "test", sink: .discarding), metrics: Metrics())
        self.relay = relay
        poke.relay = relay
        tasks = [
            Task(executorPreference: Fixture.loop) { try await relay.run() },
            Task(executorPreference: Fixture.loop) { try await fixture.feed.run() },
        ]
        let router = Router(logger: Logger(label: "test", sink: .discarding))
        router.register(fixture.availability)
        client = BookingV1.AvailabilityClient(
            InProcessChannel(router: router, loop: Fixture.loop))
        // A watcher gets another snapshot when the feed begins to follow the topic.
        let feed = fixture.feed
        let isReady = try await eventually { feed.isFollowing }
        try #require(isReady, "the broker is there")
    }

    /// Returns when everything that was committed so far has reached the feed.
    func settle() async throws {
        let isThere = try await eventually {
            try await self.fixture.number(
                "select count(*) from outbox where topic = \(AvailabilityFeed.topic)")
                == self.fixture.feed.position?.count
        }
        try #require(isThere, "the feed has seen each change")
    }

    func close() async {
        for task in tasks { task.cancel() }
        for task in tasks { _ = await task.result }
        await producer.close()
        await broker.stop()
    }
}

/// Wakes a relay that is made later than what wakes it.
private final class Poke: Sendable {
    private let target = Mutex<OutboxRelay?>(nil)

    var relay: OutboxRelay? {
        get { target.withLock { $0 } }
        set { target.withLock { $0 = newValue } }
    }

    func callAsFunction() { relay?.poke() }
}
