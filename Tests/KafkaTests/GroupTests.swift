import Kafka
import TestKit
import Testing

@Suite(.timeLimit(.minutes(5)))
struct GroupTests {
    @Test("a group goes on after the last stored record, not after the last one read")
    func restart() async throws {
        let harness = try await Harness("group")
        let producer = try harness.broker.producer(on: harness.loop)
        let sent = await producer.send((0..<100).map { harness.record($0) })
        #expect(harness.numbers(of: sent) == 100)
        let mode = KafkaConsumer.Mode.group(id: harness.topic, start: .earliest)
        let first = try harness.broker.consumer([harness.topic], mode, on: harness.loop)
        let read = try await harness.read(60, from: first)
        #expect(read.map(harness.number) == Array(0..<60))
        for record in read.prefix(40) { first.store(record.position) }
        await first.close()
        let second = try harness.broker.consumer([harness.topic], mode, on: harness.loop)
        let rest = try await harness.read(60, from: second)
        #expect(rest.map(harness.number) == Array(40..<100))
        await second.close()
        await producer.close()
    }

    @Test("X-47: two members share the records; what leaves with one, the other gets")
    func sharing() async throws {
        let harness = try await Harness("share")
        let producer = try harness.broker.producer(on: harness.loop)
        let mode = KafkaConsumer.Mode.group(id: harness.topic, start: .earliest)
        let members = try (0..<2).map { _ in
            try harness.broker.consumer([harness.topic], mode, on: harness.loop)
        }
        for member in members { try await member.ready }
        _ = await producer.send((0..<400).map { harness.record($0, key: "\($0)") })
        let seen = Seen()
        try await harness.withDeadline(.seconds(120)) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, member) in members.enumerated() {
                    group.addTask {
                        for try await record in member.records {
                            await seen.add(harness.number(record), by: index)
                            member.store(record.position)
                        }
                    }
                }
                group.addTask {
                    while await seen.numbers.count < 400 {
                        try await Task.sleep(for: .milliseconds(20))
                    }
                    await members[0].close()
                    let more = (400..<500).map { harness.record($0, key: "\($0)") }
                    _ = await producer.send(more)
                    while await seen.numbers.count < 500 {
                        try await Task.sleep(for: .milliseconds(20))
                    }
                    await members[1].close()
                }
                try await group.waitForAll()
            }
        }
        let isWhole = await seen.numbers == Set(0..<500)
        #expect(isWhole)
        #expect(await seen.readers == [0, 1])
        await producer.close()
    }

    @Test("a committed offset beyond the log goes on by policy, the other partitions go on")
    func lostOffset() async throws {
        let harness = try await Harness("grouplost", partitions: 3)
        let producer = try harness.broker.producer(on: harness.loop)
        let sent = await producer.send((0..<90).map { harness.record($0, key: "\($0)") })
        let ends = try sent.map { try $0.get() }.reduce(into: [Int32: Int64]()) {
            $0[$1.partition] = max($0[$1.partition] ?? 0, $1.offset + 1)
        }
        let mode = KafkaConsumer.Mode.group(id: harness.topic, start: .earliest)
        let first = try harness.broker.consumer([harness.topic], mode, on: harness.loop)
        _ = try await harness.read(90, from: first)
        for (partition, end) in ends {
            let offset = partition < 2 ? 5000 : end - 1
            first.store(
                KafkaPosition(topic: harness.topic, partition: partition, offset: offset))
        }
        await first.close()
        let second = try harness.broker.consumer([harness.topic], mode, on: harness.loop)
        let again = Int((ends[0] ?? 0) + (ends[1] ?? 0))
        let read = try await harness.read(again, from: second)
        #expect(read.count == again)
        #expect(Set(read.map(\.position.partition)) == [0, 1])
        _ = await producer.send((90..<120).map { harness.record($0, key: "\($0)") })
        let more = try await harness.read(30, from: second).map(harness.number)
        #expect(Set(more) == Set(90..<120))
        await second.close()
        await producer.close()
    }

    @Test("a group without an offset and without a policy fails instead of jumping")
    func strict() async throws {
        let harness = try await Harness("strict")
        let producer = try harness.broker.producer(on: harness.loop)
        _ = try await producer.send(harness.record(1))
        let consumer = try harness.broker.consumer(
            [harness.topic], .group(id: harness.topic, start: .fail), on: harness.loop)
        await #expect(throws: KafkaError.self) {
            _ = try await harness.read(1, from: consumer)
        }
        await consumer.close()
        await producer.close()
    }
}

private actor Seen {
    var numbers: Set<Int> = []
    var readers: Set<Int> = []

    func add(_ number: Int, by reader: Int) {
        numbers.insert(number)
        readers.insert(reader)
    }
}
