public import Environment
public import Kafka
public import Loop
public import Telemetry

/// Records that a consumer could not understand, copied to `<topic>.dlq` with the reason, and
/// sent back to their topic once somebody has mended what was wrong.
///
/// How far letters were sent back is written into the dead letters themselves: a mark that names
/// the last offset. Whoever is interrupted before the mark sends some of them twice.
public struct DeadLetters: Sendable {
    public static let reason = "dlq-reason"
    public static let position = "dlq-position"
    /// Of a mark: up to which offset letters have been sent back.
    static let redriven = "dlq-redriven-through"
    /// Of a record that was sent back: where it lay.
    static let source = "dlq-redriven-from"

    public struct Letter: Sendable {
        public let position: KafkaPosition
        public let at: Instant?
        public let reason: String
        /// Where the consumer met it.
        public let origin: String
        public let record: KafkaRecord
    }

    /// Where the letters of a topic lie.
    public static func topic(of topic: String) -> String { topic + ".dlq" }

    /// The copy of a record that could not be understood.
    public static func letter(_ record: ConsumedRecord, because reason: String) -> KafkaRecord {
        KafkaRecord(
            topic: topic(of: record.topic), key: record.key, value: record.value,
            headers: record.record.headers.filter { $0.0 != Self.reason && $0.0 != position } + [
                (Self.reason, Array(reason.utf8)),
                (position, Array(record.position.description.utf8)),
            ])
    }

    /// Copies a record to the dead letters, as often as it takes.
    public static func bury(
        _ record: ConsumedRecord, because reason: String, through producer: KafkaProducer,
        _ loop: EventLoop, _ logger: Logger
    ) async throws {
        let letter = letter(record, because: reason)
        while true {
            do throws(KafkaError) {
                _ = try await producer.send(letter)
                return
            } catch {
                logger.error(
                    "a dead letter was not written", ["error": LogValue(describing: error)])
                guard error.isRetriable else { return }
            }
            try await loop.sleep(for: .seconds(1))
        }
    }

    private let configuration: KafkaConfiguration
    private let loop: EventLoop
    private let logger: Logger
    private let metrics: Metrics

    public init(
        configuration: KafkaConfiguration, loop: EventLoop, logger: Logger, metrics: Metrics
    ) {
        self.configuration = configuration
        self.loop = loop
        self.logger = logger
        self.metrics = metrics
    }

    /// The letters of a topic that were not sent back yet, oldest first.
    /// - Throws: ``KafkaError``.
    public func list(of topic: String) async throws -> [Letter] {
        let dead = Self.topic(of: topic)
        let bounds = try await KafkaTopics.bounds(
            of: [dead], configuration: configuration, loop: loop, logger: logger
        ).filter { !$0.value.isEmpty }
        guard !bounds.isEmpty else { return [] }
        let consumer = try KafkaConsumer(
            topics: [dead],
            mode: .fanOut(from: .offsets(bounds.mapValues(\.lowerBound)), onLoss: .earliest),
            configuration: configuration, loop: loop, logger: logger, metrics: metrics)
        var through: [Int32: Int64] = [:]
        var letters: [Letter] = []
        var open = Set(bounds.keys)
        for try await record in consumer.records {
            let partition = KafkaPartition(topic: dead, index: record.position.partition)
            if let mark = record.header(Self.redriven).flatMap({
                Int64(String(decoding: $0, as: UTF8.self))
            }) {
                through[partition.index] = max(through[partition.index] ?? -1, mark)
            } else {
                letters.append(Self.read(record))
            }
            if let end = bounds[partition]?.upperBound, record.position.offset >= end - 1 {
                open.remove(partition)
            }
            if open.isEmpty { break }
        }
        await consumer.close()
        return letters.filter { $0.position.offset > through[$0.position.partition] ?? -1 }
    }

    /// Sends the oldest letters of a topic back to it.
    /// - Returns: the letters that were sent.
    /// - Throws: ``KafkaError`` when one could not be written; those before it are sent and marked.
    public func redrive(
        _ topic: String, limit: Int = .max, through producer: KafkaProducer
    ) async throws -> [Letter] {
        var sent: [Letter] = []
        var failure: (any Error)?
        for letter in try await list(of: topic).prefix(limit) {
            var record = letter.record
            record.topic = topic
            record.headers.removeAll { $0.0.hasPrefix("dlq-") }
            record.headers.append((Self.source, Array(letter.position.description.utf8)))
            do {
                _ = try await producer.send(record)
            } catch {
                failure = error
                break
            }
            sent.append(letter)
        }
        var last: [Int32: Int64] = [:]
        for letter in sent { last[letter.position.partition] = letter.position.offset }
        for (partition, offset) in last {
            _ = try await producer.send(
                KafkaRecord(
                    topic: Self.topic(of: topic), key: Array("mark-\(partition)".utf8), value: [],
                    headers: [(Self.redriven, Array(String(offset).utf8))]))
        }
        if let failure { throw failure }
        return sent
    }

    private static func read(_ record: ConsumedRecord) -> Letter {
        func text(_ name: String) -> String {
            String(decoding: record.header(name) ?? [], as: UTF8.self)
        }
        return Letter(
            position: record.position, at: record.timestamp, reason: text(reason),
            origin: text(position), record: record.record)
    }
}
