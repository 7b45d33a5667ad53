import Kafka
import Loop
import TestKit
import Testing

/// One loop, one topic of its own and a broker, for one test.
struct Harness {
    let loop = EventLoop(name: "test")
    let broker: KafkaBroker
    let topic: String

    /// - Parameter own: A broker of this kind of its own, to be taken down.
    init(
        _ name: String, partitions: Int = 4, own: Bool = false,
        kind: KafkaBroker.Kind = KafkaBroker.preferred
    ) async throws {
        broker =
            own ? try await KafkaBroker.start(kind) : try await KafkaBroker.shared()
        topic = "\(name)-\(UInt32.random(in: 0 ... .max))"
        if partitions > 0 {
            try await broker.createTopic(topic, partitions: partitions, on: loop)
        }
    }

    func record(_ number: Int, key: String = "k", bytes: Int = 0) -> KafkaRecord {
        let text = "\(number)"
        let padding = [UInt8](repeating: 32, count: max(0, bytes - text.utf8.count))
        return KafkaRecord(topic: topic, key: Array(key.utf8), value: Array(text.utf8) + padding)
    }

    func number(_ record: ConsumedRecord) -> Int {
        Int(String(decoding: record.value.prefix { $0 != 32 }, as: UTF8.self)) ?? -1
    }

    /// Reads until `count` records came or the time is over.
    func read(
        _ count: Int, from consumer: KafkaConsumer, within time: Duration = .seconds(90)
    ) async throws -> [ConsumedRecord] {
        try await withDeadline(time) {
            var records: [ConsumedRecord] = []
            guard count > 0 else { return records }
            for try await record in consumer.records {
                records.append(record)
                if records.count == count { break }
            }
            return records
        }
    }

    /// Runs `body` and cancels it when the time is over.
    func withDeadline<T: Sendable>(
        _ time: Duration, _ body: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: time)
                return nil
            }
            if let first = try await group.next(), let result = first {
                group.cancelAll()
                return result
            }
            group.cancelAll()
            guard let late = try await group.next(), let result = late else {
                throw KafkaTestTimeout()
            }
            return result
        }
    }

    func numbers(of outcomes: [Result<KafkaPosition, KafkaError>]) -> Int {
        outcomes.count { if case .success = $0 { true } else { false } }
    }
}

struct KafkaTestTimeout: Error {}
