import TestKit
import Testing

@testable import Kafka

@Suite(.timeLimit(.minutes(5)))
struct RoundTripTests {
    @Test("a record comes back with key, value, headers, position and time")
    func roundTrip() async throws {
        let harness = try await Harness("round")
        let producer = try harness.broker.producer(on: harness.loop)
        let consumer = try harness.broker.consumer(
            [harness.topic], .fanOut(from: .earliest), on: harness.loop)
        let headers: [(String, [UInt8])] = [
            ("event_id", Array("abc".utf8)), ("empty", []), ("event_id", [0, 255]),
        ]
        let sent: [KafkaRecord] = [
            KafkaRecord(
                topic: harness.topic, key: Array("same".utf8), value: [1, 0, 2], headers: headers),
            KafkaRecord(topic: harness.topic, key: Array("same".utf8), value: []),
        ]
        for record in sent {
            let position = try await producer.send(record)
            let read = try await harness.read(1, from: consumer)
            #expect(read.map(\.position) == [position])
            #expect(read[0].key == record.key)
            #expect(read[0].value == record.value)
            #expect(read[0].record.headers.map(\.0) == record.headers.map(\.0))
            #expect(read[0].record.headers.map(\.1) == record.headers.map(\.1))
            #expect(read[0].timestamp != nil)
        }
        let keyless = KafkaRecord(topic: harness.topic, key: nil, value: [7])
        _ = try await producer.send(keyless)
        #expect(try await harness.read(1, from: consumer)[0].key == nil)
        await consumer.close()
        await producer.close()
    }

    @Test("10,000 records of two producers arrive once, in order per key")
    func orderPerKey() async throws {
        let harness = try await Harness("order")
        let consumer = try harness.broker.consumer(
            [harness.topic], .fanOut(from: .latest), on: harness.loop)
        try await consumer.ready
        let producers = [
            try harness.broker.producer(on: harness.loop),
            try harness.broker.producer(on: harness.loop),
        ]
        let each = 5000
        async let delivered = withTaskGroup(of: Int.self) { group in
            for (index, producer) in producers.enumerated() {
                group.addTask {
                    let records = (0..<each).map {
                        harness.record($0, key: "\(index)-\($0 % 7)", bytes: 100)
                    }
                    return harness.numbers(of: await producer.send(records))
                }
            }
            return await group.reduce(0, +)
        }
        let records = try await harness.read(2 * each, from: consumer)
        #expect(await delivered == 2 * each)
        #expect(records.count == 2 * each)
        var last: [[UInt8]: Int] = [:]
        var inversions = 0
        for record in records {
            let key = record.key ?? []
            if let previous = last[key], previous + 7 != harness.number(record) { inversions += 1 }
            last[key] = harness.number(record)
        }
        #expect(inversions == 0)
        #expect(last.count == 14)
        #expect(Set(records.map(\.position)).count == 2 * each)
        await consumer.close()
        for producer in producers { await producer.close() }
    }

    @Test("a slow reader bounds what is fetched, and gets all of it")
    func backPressure() async throws {
        let harness = try await Harness("slow", partitions: 1)
        let producer = try harness.broker.producer(on: harness.loop)
        // 3 MB: the mock cluster keeps 5 MiB of a partition.
        let count = 3000
        let sent = await producer.send((0..<count).map { harness.record($0, bytes: 1000) })
        #expect(harness.numbers(of: sent) == count)
        var configuration = harness.broker.configuration(clientID: "slow-\(harness.topic)")
        configuration.prefetchRecords = 50
        configuration.prefetchBytes = 200_000
        let consumer = try harness.broker.consumer(
            [harness.topic], .fanOut(from: .earliest), on: harness.loop, configuration)
        let first = try await harness.read(1, from: consumer)
        try await Task.sleep(for: .milliseconds(500))
        // One was read, fifty wait for the reader: nothing more was taken from librdkafka.
        #expect(consumer.fetched <= 52)
        let rest = try await harness.read(count - 1, from: consumer)
        #expect(rest.count == count - 1)
        let inOrder = (first + rest).map(harness.number) == Array(0..<count)
        #expect(inOrder)
        await consumer.close()
        await producer.close()
    }

    @Test("a send waits while as much as allowed is in flight")
    func sendBackPressure() async throws {
        let harness = try await Harness("flight")
        var configuration = harness.broker.configuration()
        configuration.maximumInFlight = 10
        let producer = try harness.broker.producer(on: harness.loop, configuration)
        let sent = await producer.send((0..<500).map { harness.record($0) })
        #expect(harness.numbers(of: sent) == 500)
        await producer.close()
    }

    @Test("a record too large is the caller's error and does not disturb the others")
    func tooLarge() async throws {
        let harness = try await Harness("large")
        let producer = try harness.broker.producer(on: harness.loop)
        let outcomes = await producer.send([
            harness.record(1), harness.record(2, bytes: 2_000_000), harness.record(3),
        ])
        #expect(harness.numbers(of: outcomes) == 2)
        guard case .failure(let error) = outcomes[1] else {
            Issue.record("a record of 2 MB was accepted")
            return
        }
        #expect(error.name == "MSG_SIZE_TOO_LARGE")
        #expect(!error.isRetriable)
        #expect(error.blame == .caller)
        await producer.close()
    }

    @Test("a setting that librdkafka refuses is named")
    func badSetting() async throws {
        let harness = try await Harness("setting", partitions: 0)
        var configuration = harness.broker.configuration()
        configuration.settings["no.such.setting"] = "1"
        let error = #expect(throws: KafkaError.self) {
            try harness.broker.producer(on: harness.loop, configuration)
        }
        #expect(error?.message.contains("no.such.setting") == true)
        #expect(error?.isRetriable == false)
    }

    @Test("close while sending settles every send")
    func closeWhileSending() async throws {
        let harness = try await Harness("close")
        let producer = try harness.broker.producer(on: harness.loop)
        let outcomes = try await harness.withDeadline(.seconds(60)) {
            await withTaskGroup(of: [Result<KafkaPosition, KafkaError>].self) { group in
                for round in 0..<20 {
                    group.addTask {
                        await producer.send((0..<500).map { harness.record($0, key: "\(round)") })
                    }
                }
                group.addTask {
                    await producer.close()
                    return []
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
        }
        #expect(outcomes.count == 10_000)
        for outcome in outcomes {
            if case .failure(let error) = outcome { #expect(error.isRetriable) }
        }
        await #expect(throws: KafkaError.self) { try await producer.send(harness.record(1)) }
    }
}
