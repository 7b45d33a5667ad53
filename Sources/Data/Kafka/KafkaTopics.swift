import CRdkafka
import Environment
public import Loop
public import Telemetry

/// A topic as it should be.
public struct KafkaTopic: Sendable, Hashable {
    public var name: String
    public var partitions: Int
    /// -1 is the broker's default.
    public var replication: Int
    /// The topic's settings, for example `["cleanup.policy": "compact"]`.
    public var settings: [String: String]

    public init(
        _ name: String, partitions: Int, replication: Int = -1, settings: [String: String] = [:]
    ) {
        self.name = name
        self.partitions = partitions
        self.replication = replication
        self.settings = settings
    }
}

/// Creates the topics that are not there. An existing topic stays as it is.
public enum KafkaTopics {
    /// Waits for a broker up to `timeout`. The embedded broker cannot be told the number of
    /// partitions from outside: there, naming a topic creates it with four.
    /// - Throws: ``KafkaError``: of the first topic that a broker refuses, or when none answers.
    public static func ensure(
        _ topics: [KafkaTopic], configuration: KafkaConfiguration, loop: EventLoop,
        logger: Logger, timeout: Duration = .seconds(30)
    ) async throws(KafkaError) {
        guard !topics.isEmpty else { return }
        let creation = try TopicCreation(
            topics, configuration: configuration, loop: loop,
            logger: logger.labelled("kafka.topics"), deadline: .after(timeout))
        let outcome = await withCheckedContinuation { continuation in
            loop.execute { creation.start { continuation.resume(returning: $0) } }
        }
        try outcome.get()
    }
}

/// One run of ``KafkaTopics/ensure(_:configuration:loop:logger:timeout:)``. Loop only.
private final class TopicCreation: @unchecked Sendable {  // confined to `loop`
    private let topics: [KafkaTopic]
    private let loop: EventLoop
    private let logger: Logger
    private let client: KafkaClient
    private let deadline: Deadline
    private var done: ((Result<Void, KafkaError>) -> Void)?
    private static let attemptTimeout: Int32 = 3000

    init(
        _ topics: [KafkaTopic], configuration: KafkaConfiguration, loop: EventLoop,
        logger: Logger, deadline: Deadline
    ) throws(KafkaError) {
        self.topics = topics
        self.loop = loop
        self.logger = logger
        self.deadline = deadline
        client = try KafkaClient(
            RD_KAFKA_PRODUCER, configuration.producerSettings(), loop: loop, logger: logger)
    }

    func start(_ done: @escaping (Result<Void, KafkaError>) -> Void) {
        self.done = done
        client.watch { [weak self] in self?.drain() }
        attempt()
    }

    /// The mock cluster has no controller to ask.
    private func attempt() {
        client.blocking({ raw in Discovery.isMock(raw) }) { [weak self] isMock in
            guard let self else { return }
            switch isMock {
            case .none: self.retry(KafkaError(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN))
            case .some(true): self.nameTopics()
            case .some(false): self.create()
            }
        }
    }

    private func create() {
        let options = rd_kafka_AdminOptions_new(client.raw, RD_KAFKA_ADMIN_OP_CREATETOPICS)
        defer { rd_kafka_AdminOptions_destroy(options) }
        rd_kafka_AdminOptions_set_request_timeout(options, Self.attemptTimeout, nil, 0)
        var wanted: [OpaquePointer?] = []
        defer { for topic in wanted { rd_kafka_NewTopic_destroy(topic) } }
        for topic in topics {
            var text = [CChar](repeating: 0, count: 256)
            guard
                let new = rd_kafka_NewTopic_new(
                    topic.name, Int32(topic.partitions), Int32(topic.replication), &text,
                    text.count)
            else {
                return end(
                    .failure(KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, String(bytes: text))))
            }
            for (name, value) in topic.settings { rd_kafka_NewTopic_set_config(new, name, value) }
            wanted.append(new)
        }
        client.createTopics(&wanted, options)
    }

    private func drain() {
        while let event = client.nextEvent() {
            defer { rd_kafka_event_destroy(event) }
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT else { continue }
            answered(event)
        }
    }

    private func answered(_ event: OpaquePointer) {
        let code = rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let text = rd_kafka_event_error_string(event).map { String(cString: $0) }
            return retry(KafkaError(code, text))
        }
        var count = 0
        let list = rd_kafka_CreateTopics_result_topics(
            rd_kafka_event_CreateTopics_result(event), &count)
        for index in 0..<count {
            let code = rd_kafka_topic_result_error(list?[index])
            if code == RD_KAFKA_RESP_ERR_NO_ERROR
                || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS
            {
                continue
            }
            let name = rd_kafka_topic_result_name(list?[index]).map { String(cString: $0) } ?? ""
            let reason = rd_kafka_topic_result_error_string(list?[index])
            let text = reason.map { String(cString: $0) } ?? ""
            return retry(KafkaError(code, "topic \"\(name)\": \(text)"))
        }
        end(.success(()))
    }

    /// The mock cluster creates what a producer asks about.
    private func nameTopics() {
        let names = topics.map(\.name)
        client.blocking({ raw in Discovery.partitions(of: names, raw) }) { [weak self] found in
            guard let self else { return }
            if found.isComplete { return self.end(.success(())) }
            self.retry(
                KafkaError(
                    ours: RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
                    "the broker neither creates topics on request nor by being asked",
                    retriable: true, blame: .broker))
        }
    }

    private func retry(_ error: KafkaError) {
        guard error.isRetriable, !deadline.hasPassed else { return end(.failure(error)) }
        logger.debug("topics not created yet", ["error": .string(error.description)])
        _ = loop.schedule(after: .milliseconds(300)) { [weak self] in self?.attempt() }
    }

    private func end(_ result: Result<Void, KafkaError>) {
        guard let done else { return }
        self.done = nil
        let outcome = Outcome { done(result) }
        client.close { outcome.tell() }
    }

    private final class Outcome: @unchecked Sendable {  // made and used on the loop
        let tell: () -> Void
        init(_ tell: @escaping () -> Void) { self.tell = tell }
    }
}
