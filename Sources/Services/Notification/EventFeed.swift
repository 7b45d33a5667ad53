import Domain
public import Kafka
public import Lifecycle
public import Loop
import Synchronization
public import Telemetry

/// Reads every event of every topic into the hub: each instance sees all of them.
///
/// A record that is no event is copied to `<topic>.dlq` with its reason, counted and passed over
/// . When reading fails, subscribers are told of a gap and reading begins anew.
public final class EventFeed: Service {
    private let configuration: KafkaConfiguration
    private let producer: KafkaProducer
    private let hub: EventHub
    private let topics: [String]
    private let loop: EventLoop
    private let logger: Logger
    private let metrics: Metrics
    private let deadLetters: Counter

    /// - Parameters:
    ///   - configuration: of the consumer; it joins no group.
    ///   - producer: writes dead letters.
    public convenience init(
        configuration: KafkaConfiguration, producer: KafkaProducer, hub: EventHub,
        loop: EventLoop, logger: Logger, metrics: Metrics
    ) {
        self.init(
            configuration: configuration, producer: producer, hub: hub,
            topics: NotificationTopics.all, loop: loop, logger: logger, metrics: metrics)
    }

    init(
        configuration: KafkaConfiguration, producer: KafkaProducer, hub: EventHub,
        topics: [String], loop: EventLoop, logger: Logger, metrics: Metrics
    ) {
        self.configuration = configuration
        self.producer = producer
        self.hub = hub
        self.topics = topics
        self.loop = loop
        self.logger = logger
        self.metrics = metrics
        deadLetters = metrics.counter(
            "janji_notification_dead_letters_total", help: "Records that were no events.")
    }

    /// Reads until cancelled; then every subscription ends.
    public func run() async throws {
        defer { hub.close() }
        while !Task.isCancelled {
            do {
                try await read()
            } catch is CancellationError {
                break
            } catch {
                hub.interrupt()
                logger.error(
                    "reading the events was interrupted; beginning anew",
                    ["error": LogValue(describing: error)])
                try await loop.sleep(for: .seconds(1))
            }
        }
    }

    /// One consumer's life.
    private func read() async throws {
        // A lost offset must not be skipped silently: it fails, and subscribers get a gap.
        let consumer = try KafkaConsumer(
            topics: topics, mode: .fanOut(from: .latest, onLoss: .fail),
            configuration: configuration, loop: loop, logger: logger, metrics: metrics)
        let failure = await withTaskGroup(of: Void.self) { group in
            // Closing ends the wait for a broker as well as the reading.
            group.addTask(executorPreference: loop) { [loop] in
                while (try? await loop.sleep(for: .seconds(3600))) != nil {}
                await consumer.close()
            }
            var failure: (any Error)?
            do {
                try await consumer.ready
                hub.becomeReady()
                logger.info("reading the events")
                for try await record in consumer.records { try await take(record) }
            } catch {
                failure = error
            }
            group.cancelAll()
            return failure
        }
        if Task.isCancelled { throw CancellationError() }
        if let failure { throw failure }
    }

    private func take(_ record: ConsumedRecord) async throws {
        let item: FeedItem
        do throws(Envelope.Undecodable) {
            item = try Envelope.decode(record.value, at: record.position)
        } catch {
            deadLetters.add()
            hub.skip(record.position)
            if PlantedBug.skipPoison.isPlanted { return }
            logger.warning(
                "a record is no event",
                [
                    "position": LogValue(describing: record.position),
                    "reason": .string(error.reason),
                ])
            return try await DeadLetters.bury(
                record, because: error.reason, through: producer, loop, logger)
        }
        hub.publish(item)
    }
}
