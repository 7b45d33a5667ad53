import Foundation
public import Kafka
public import Loop
import Synchronization
public import Telemetry

/// A Kafka broker for tests: a real one when KAFKA_HOME names a distribution, else the embedded
/// one. Says once which.
public final class KafkaBroker: Sendable {
    public enum Kind: String, Sendable { case real, embedded }

    public let kind: Kind
    /// `127.0.0.1:port`; the same after ``up()``.
    public let address: String

    /// What the clients made here log, and their numbers.
    public let metrics = Metrics()
    private let log = LogCapture()
    private let embedded: EmbeddedBroker?
    private let server: KafkaServer?

    /// Whether ``start(_:)`` starts a real broker.
    public static var preferred: Kind { KafkaServer.home == nil ? .embedded : .real }

    /// A broker of one's own; ``stop()`` ends it, and the end of the process does.
    public static func start(_ kind: Kind = preferred) async throws -> KafkaBroker {
        let broker = try await KafkaBroker(kind)
        announced.withLock { announced in
            guard announced.insert(kind).inserted else { return }
            let what = kind == .real ? "a real broker from KAFKA_HOME" : "the embedded broker"
            FileHandle.standardError.write(Data("Kafka tests use \(what)\n".utf8))
        }
        return broker
    }

    private static let announced = Mutex<Set<Kind>>([])

    /// The broker that the tests of a process share. Not to be stopped nor taken down: use topics
    /// of one's own.
    public static func shared() async throws -> KafkaBroker {
        let task = sharedStart.withLock { start in
            let task = start ?? Task { try await KafkaBroker.start() }
            start = task
            return task
        }
        return try await task.value
    }

    private static let sharedStart = Mutex<Task<KafkaBroker, any Error>?>(nil)

    private init(_ kind: Kind) async throws {
        self.kind = kind
        switch kind {
        case .embedded:
            let broker = try EmbeddedBroker()
            embedded = broker
            server = nil
            address = broker.address
        case .real:
            let server = try KafkaServer()
            try await server.start()
            self.server = server
            embedded = nil
            address = server.address
        }
    }

    /// How to reach this broker, quick to notice what tests wait for.
    public func configuration(clientID: String = "test") -> KafkaConfiguration {
        var configuration = KafkaConfiguration(brokers: address, clientID: clientID)
        configuration.commitInterval = .milliseconds(100)
        configuration.discoveryInterval = .milliseconds(300)
        return configuration
    }

    public func createTopic(_ name: String, partitions: Int, on loop: EventLoop) async throws {
        if let embedded { return try embedded.createTopic(name, partitions: partitions) }
        try await KafkaTopics.ensure(
            [KafkaTopic(name, partitions: partitions)], configuration: configuration(),
            loop: loop, logger: logger)
    }

    /// Every line that the clients made here have logged, as JSON.
    public var logLines: [String] { log.lines }
    public var logger: Logger { Logger(label: "test", level: .debug, sink: log.sink) }

    /// A producer for this broker.
    public func producer(
        on loop: EventLoop, _ configuration: KafkaConfiguration? = nil
    ) throws -> KafkaProducer {
        try KafkaProducer(
            configuration: configuration ?? self.configuration(), loop: loop, logger: logger,
            metrics: metrics)
    }

    /// A consumer for this broker.
    public func consumer(
        _ topics: [String], _ mode: KafkaConsumer.Mode, on loop: EventLoop,
        _ configuration: KafkaConfiguration? = nil
    ) throws -> KafkaConsumer {
        try KafkaConsumer(
            topics: topics, mode: mode, configuration: configuration ?? self.configuration(),
            loop: loop, logger: logger, metrics: metrics)
    }

    /// Tests of failures; the embedded broker only. Codes are those of the Kafka protocol.
    public func failProduce(code: Int32, count: Int) {
        embedded?.failProduce(code: code, count: count)
    }

    /// Makes it unreachable without warning: `kill -9`, or the mock's way. Nothing is lost.
    public func down() async {
        embedded?.down()
        await server?.kill()
    }

    /// Brings it back with what it had.
    public func up() async throws {
        embedded?.up()
        try await server?.start()
    }

    /// Ends it for good.
    public func stop() async {
        embedded?.close()
        await server?.stop()
    }
}
