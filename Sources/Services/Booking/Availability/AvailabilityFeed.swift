import Environment
public import Kafka
public import Lifecycle
public import Loop
public import Postgres
import Protobuf
import Synchronization
public import Telemetry

/// Tells the watchers of this process which slots have changed, whichever process changed them:
/// it follows the topic `availability.updated` and reads each slot once for all watchers.
public final class AvailabilityFeed: Service {
    public static let topic = "availability.updated"

    private let store: AvailabilityStore
    private let configuration: KafkaConfiguration
    private let loop: EventLoop
    private let logger: Logger
    private let metrics: Metrics
    /// Nil while the topic is not followed.
    private let changes = Mutex<SlotChanges?>(nil)
    private let subscriptions = Mutex<[ObjectIdentifier: SlotSubscription]>([:])

    public init(
        pool: PostgresPool, kafka: KafkaConfiguration, loop: EventLoop, logger: Logger,
        metrics: Metrics
    ) {
        store = AvailabilityStore(pool: pool)
        configuration = kafka
        self.loop = loop
        self.logger = logger
        self.metrics = metrics
    }

    /// Follows the topic until cancelled.
    public func run() async throws {
        while !Task.isCancelled {
            do {
                try await follow()
            } catch {
                if Task.isCancelled { break }
                logger.warning(
                    "following the availability was interrupted; beginning anew",
                    ["error": LogValue(describing: error)])
                try await loop.sleep(for: .seconds(1))
            }
        }
    }

    /// One consumer's life. What was missed before it, watchers learn from a new snapshot.
    private func follow() async throws {
        let consumer = try KafkaConsumer(
            topics: [Self.topic], mode: .fanOut(from: .latest, onLoss: .fail),
            configuration: configuration, loop: loop, logger: logger, metrics: metrics)
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Closing ends the wait for a broker as well as the reading.
            group.addTask(executorPreference: loop) { [loop] in
                while (try? await loop.sleep(for: .seconds(3600))) != nil {}
                await consumer.close()
            }
            defer {
                changes.withLock { $0 = nil }
                group.cancelAll()
            }
            try await consumer.ready
            changes.withLock { $0 = SlotChanges(life: .random()) }
            overflowAll()
            for try await record in consumer.records { await deliver(record) }
        }
    }

    private func deliver(_ record: ConsumedRecord) async {
        guard let key = record.key, let id = UUID(String(decoding: key, as: UTF8.self)) else {
            return
        }
        let position = changes.withLock { changes in
            changes?.append(id)
            return changes?.position
        }
        let watchers = subscriptions.withLock { Array($0.values) }
        guard !watchers.isEmpty else { return }
        do {
            guard let slot = try await store.slot(id) else { return }
            for watcher in watchers where watcher.matches(slot) { watcher.push(slot, position) }
        } catch {
            logger.warning("a slot could not be read", ["error": LogValue(describing: error)])
            overflowAll()
        }
    }

    /// Sends every watcher a new snapshot.
    func overflowAll() {
        for watcher in subscriptions.withLock({ Array($0.values) }) { watcher.overflow() }
    }

    /// Whether changes reach the watchers as they happen.
    var isFollowing: Bool { position != nil }

    /// Everything up to it is in the database by now; nil while the topic is not followed.
    var position: SlotChanges.Position? { changes.withLock { $0?.position } }

    /// What has changed since, with the position up to which that is all; nil when unknown.
    func changes(
        since position: SlotChanges.Position
    ) -> (slots: [UUID], position: SlotChanges.Position)? {
        changes.withLock { changes in
            guard let changes, let slots = changes.since(position) else { return nil }
            return (slots, changes.position)
        }
    }

    var watcherCount: Int { subscriptions.withLock { $0.count } }

    func subscribe(_ filter: SlotFilter) -> SlotSubscription {
        let subscription = SlotSubscription(filter)
        subscriptions.withLock { $0[ObjectIdentifier(subscription)] = subscription }
        return subscription
    }

    func unsubscribe(_ subscription: SlotSubscription) {
        _ = subscriptions.withLock { $0.removeValue(forKey: ObjectIdentifier(subscription)) }
    }
}
