import Kafka
import TestKit
import Testing

@Suite(.timeLimit(.minutes(5)))
struct FanOutTests {
    @Test("X-47: every consumer sees every record written after its ready point, and no older one")
    func latest() async throws {
        let harness = try await Harness("latest")
        let producer = try harness.broker.producer(on: harness.loop)
        let old = await producer.send((0..<50).map { harness.record($0, key: "\($0)") })
        #expect(harness.numbers(of: old) == 50)
        let consumers = try (0..<2).map { _ in
            try harness.broker.consumer([harness.topic], .fanOut(from: .latest), on: harness.loop)
        }
        for consumer in consumers { try await consumer.ready }
        let new = await producer.send((50..<150).map { harness.record($0, key: "\($0)") })
        #expect(harness.numbers(of: new) == 100)
        for consumer in consumers {
            let read = try await harness.read(100, from: consumer).map(harness.number)
            #expect(read.sorted() == Array(50..<150))
            await consumer.close()
        }
        await producer.close()
    }

    @Test("resuming from offsets reads exactly what comes after them")
    func offsets() async throws {
        let harness = try await Harness("resume")
        let producer = try harness.broker.producer(on: harness.loop)
        let sent = await producer.send((0..<200).map { harness.record($0, key: "\($0 % 16)") })
        let positions = try sent.map { try $0.get() }
        let first = try harness.broker.consumer(
            [harness.topic], .fanOut(from: .earliest), on: harness.loop)
        let head = try await harness.read(120, from: first)
        await first.close()
        var next: [KafkaPartition: Int64] = [:]
        for record in head {
            let place = KafkaPartition(
                topic: record.position.topic, index: record.position.partition)
            next[place] = record.position.offset + 1
        }
        let second = try harness.broker.consumer(
            [harness.topic], .fanOut(from: .offsets(next)), on: harness.loop)
        let tail = try await harness.read(80, from: second)
        #expect(Set((head + tail).map(\.position)) == Set(positions))
        #expect((head + tail).count == positions.count)
        await second.close()
        await producer.close()
    }

    @Test("a topic that appears after the ready point is read from its beginning")
    func lateTopic() async throws {
        let harness = try await Harness("late", partitions: 0)
        let other = "\(harness.topic)-there"
        try await harness.broker.createTopic(other, partitions: 1, on: harness.loop)
        let consumer = try harness.broker.consumer(
            [other, harness.topic], .fanOut(from: .latest), on: harness.loop)
        try await consumer.ready
        try await harness.broker.createTopic(harness.topic, partitions: 2, on: harness.loop)
        let producer = try harness.broker.producer(on: harness.loop)
        let sent = await producer.send((0..<20).map { harness.record($0, key: "\($0)") })
        #expect(harness.numbers(of: sent) == 20)
        let read = try await harness.read(20, from: consumer).map(harness.number)
        #expect(read.sorted() == Array(0..<20))
        await consumer.close()
        await producer.close()
    }

    @Test("an offset beyond the log goes on from the earliest record, and says so", arguments: [1])
    func lostOffset(partition: Int) async throws {
        let harness = try await Harness("lost", partitions: 1, own: true)
        let producer = try harness.broker.producer(on: harness.loop)
        _ = await producer.send((0..<5).map { harness.record($0) })
        let place = KafkaPartition(topic: harness.topic, index: 0)
        let consumer = try harness.broker.consumer(
            [harness.topic], .fanOut(from: .offsets([place: 1000])), on: harness.loop)
        let read = try await harness.read(5, from: consumer).map(harness.number)
        #expect(read == Array(0..<5))
        let warnings = harness.broker.logLines.filter { $0.contains("going on by policy") }
        #expect(warnings.count == 1)
        let strict = try harness.broker.consumer(
            [harness.topic], .fanOut(from: .offsets([place: 1000]), onLoss: .fail),
            on: harness.loop)
        await #expect(throws: KafkaError.self) {
            _ = try await harness.read(1, from: strict)
        }
        await strict.close()
        await consumer.close()
        await producer.close()
        await harness.broker.stop()
    }

    @Test("a cancelled reader ends, and the next one goes on behind it")
    func cancelledReader() async throws {
        let harness = try await Harness("cancel", partitions: 1)
        let producer = try harness.broker.producer(on: harness.loop)
        let consumer = try harness.broker.consumer(
            [harness.topic], .fanOut(from: .latest), on: harness.loop)
        try await consumer.ready
        let reader = Task { try await harness.read(1, from: consumer) }
        try await Task.sleep(for: .milliseconds(50))
        reader.cancel()
        _ = try? await reader.value
        _ = try await producer.send(harness.record(1))
        #expect(try await harness.read(1, from: consumer).map(harness.number) == [1])
        await consumer.close()
        #expect(try await harness.read(1, from: consumer).isEmpty)
        await producer.close()
    }
}
