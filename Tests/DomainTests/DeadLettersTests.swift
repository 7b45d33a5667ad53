import Telemetry
import TestKit
import Testing

@testable import Domain
@testable import Kafka

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(5))) struct DeadLettersTests {
        @Test("X-52: letters are listed with reason and origin, sent back once, oldest first")
        func redrive() async throws {
            let broker = try await KafkaBroker.shared()
            let topic = "test.letters"
            try await broker.createTopic(topic, partitions: 1, on: Bench.loop)
            try await broker.createTopic(
                DeadLetters.topic(of: topic), partitions: 1, on: Bench.loop)
            let producer = try broker.producer(on: Bench.loop)
            let letters = DeadLetters(
                configuration: broker.configuration(), loop: Bench.loop,
                logger: Logger(label: "test", sink: LogCapture().sink), metrics: Metrics())
            #expect(try await letters.list(of: topic).isEmpty)
            for n in 1...3 {
                let record = ConsumedRecord(
                    record: KafkaRecord(
                        topic: topic, key: Array("k".utf8), value: Array("bad \(n)".utf8),
                        headers: [("trace", [7])]),
                    position: KafkaPosition(topic: topic, partition: 0, offset: Int64(n)))
                _ = try await producer.send(DeadLetters.letter(record, because: "reason \(n)"))
            }
            let listed = try await letters.list(of: topic)
            #expect(listed.map(\.reason) == ["reason 1", "reason 2", "reason 3"])
            #expect(listed.first?.origin == "test.letters[0]@1")
            let back = try broker.consumer([topic], .fanOut(from: .earliest), on: Bench.loop)
            let sent = try await letters.redrive(topic, limit: 2, through: producer)
            #expect(sent.map(\.reason) == ["reason 1", "reason 2"])
            #expect(try await letters.list(of: topic).map(\.reason) == ["reason 3"])
            #expect(try await letters.redrive(topic, through: producer).count == 1)
            #expect(try await letters.redrive(topic, through: producer).isEmpty)
            var heard: [ConsumedRecord] = []
            for try await record in back.records {
                heard.append(record)
                if heard.count == 3 { break }
            }
            #expect(
                heard.map { String(decoding: $0.value, as: UTF8.self) } == [
                    "bad 1", "bad 2", "bad 3",
                ])
            #expect(
                heard.allSatisfy { $0.header("dlq-reason") == nil && $0.header("trace") == [7] })
            #expect(heard.allSatisfy { $0.header(DeadLetters.source) != nil })
            await back.close()
            await producer.close()
        }
    }
}
