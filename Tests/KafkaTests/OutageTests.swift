import Loop
import TestKit
import Testing

@testable import Kafka

@Suite(.serialized, .timeLimit(.minutes(5)))
struct OutageTests {
    @Test(
        "sends wait while the broker is down and then succeed; none is lost, one log line each way")
    func downAndBack() async throws {
        let harness = try await Harness("outage", own: true)
        let broker = harness.broker
        let producer = try broker.producer(on: harness.loop)
        let consumer = try broker.consumer(
            [harness.topic], .fanOut(from: .latest), on: harness.loop)
        try await consumer.ready
        _ = try await producer.send(harness.record(0))
        await broker.down()
        let sending = Task {
            await producer.send((1...1000).map { harness.record($0, key: "\($0 % 5)") })
        }
        try await Self.wait(for: 2, "is not reachable", in: broker)
        try await broker.up()
        let outcomes = try await harness.withDeadline(.seconds(120)) { await sending.value }
        #expect(harness.numbers(of: outcomes) == 1000)
        let read = try await harness.read(1001, from: consumer)
        let isWhole = Set(read.map(harness.number)) == Set(0...1000)
        #expect(isWhole)
        #expect(read.count == 1001)
        try await Self.wait(for: 2, "is reachable again", in: broker)
        #expect(Self.count("is not reachable", in: broker) == 2)
        #expect(Self.count("is reachable again", in: broker) == 2)
        await consumer.close()
        await producer.close()
        await broker.stop()
    }

    private static func count(_ text: String, in broker: KafkaBroker) -> Int {
        broker.logLines.filter { $0.contains(text) }.count
    }

    /// Both clients notice in their own time; on a busy machine that takes a while.
    private static func wait(for count: Int, _ text: String, in broker: KafkaBroker) async throws {
        for _ in 0..<600 where Self.count(text, in: broker) < count {
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    @Test("a send fails with a retriable error after the delivery timeout")
    func timeout() async throws {
        let harness = try await Harness("timeout", own: true)
        var configuration = harness.broker.configuration()
        configuration.deliveryTimeout = .seconds(5)
        let producer = try harness.broker.producer(on: harness.loop, configuration)
        _ = try await producer.send(harness.record(0))
        await harness.broker.down()
        let error = await #expect(throws: KafkaError.self) {
            try await producer.send(harness.record(1))
        }
        #expect(error?.name == "_MSG_TIMED_OUT")
        #expect(error?.isRetriable == true)
        await producer.close(timeout: .milliseconds(100))
        await harness.broker.stop()
    }

    @Test("closing while the broker is away ends in time and fails what waits")
    func closeWhileDown() async throws {
        let harness = try await Harness("closedown", own: true)
        let producer = try harness.broker.producer(on: harness.loop)
        let consumer = try harness.broker.consumer(
            [harness.topic], .group(id: "g", start: .earliest), on: harness.loop)
        await harness.broker.down()
        let sending = Task { await producer.send((0..<100).map { harness.record($0) }) }
        try await Task.sleep(for: .milliseconds(200))
        try await harness.withDeadline(.seconds(60)) {
            await producer.close(timeout: .milliseconds(200))
            await consumer.close()
        }
        let outcomes = await sending.value
        #expect(harness.numbers(of: outcomes) == 0)
        await harness.broker.stop()
    }

    @Test("a cancelled send returns at once")
    func cancelledSend() async throws {
        let harness = try await Harness("cancelsend", own: true)
        let producer = try harness.broker.producer(on: harness.loop)
        await harness.broker.down()
        let sending = Task { try await producer.send(harness.record(0)) }
        try await Task.sleep(for: .milliseconds(100))
        sending.cancel()
        let result = try await harness.withDeadline(.seconds(30)) { await sending.result }
        #expect(throws: KafkaError.self) { try result.get() }
        await producer.close(timeout: .milliseconds(50))
        await harness.broker.stop()
    }

    @Test("a fatal producer error fails what is under way as retriable, and the next send works")
    func fatal() async throws {
        let harness = try await Harness("fatal", own: true)
        let producer = try harness.broker.producer(on: harness.loop)
        await harness.broker.down()
        let sending = Task { await producer.send((0..<10).map { harness.record($0) }) }
        try await Task.sleep(for: .milliseconds(200))
        await producer.injectFatalError()
        let outcomes = try await harness.withDeadline(.seconds(60)) { await sending.value }
        #expect(outcomes.count == 10)
        for outcome in outcomes {
            guard case .failure(let error) = outcome else {
                Issue.record("delivered without a broker")
                continue
            }
            #expect(error.isRetriable)
            #expect(error.isFatal)
        }
        try await harness.broker.up()
        let position = try await producer.send(harness.record(11))
        #expect(position.topic == harness.topic)
        await producer.close()
        await harness.broker.stop()
    }

    @Test("errors that the broker may answer with are retried until the record is written")
    func transientErrors() async throws {
        let harness = try await Harness("transient", own: true, kind: .embedded)
        let producer = try harness.broker.producer(on: harness.loop)
        // REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND
        for code: Int32 in [7, 19, 20] { harness.broker.failProduce(code: code, count: 2) }
        let outcomes = await producer.send((0..<100).map { harness.record($0) })
        #expect(harness.numbers(of: outcomes) == 100)
        await producer.close()
        await harness.broker.stop()
    }

    @Test("a consumer that starts before its broker begins when it is there")
    func lateBroker() async throws {
        let harness = try await Harness("latebroker", own: true)
        await harness.broker.down()
        let consumer = try harness.broker.consumer(
            [harness.topic], .fanOut(from: .latest), on: harness.loop)
        let producer = try harness.broker.producer(on: harness.loop)
        try await Task.sleep(for: .milliseconds(1500))
        try await harness.broker.up()
        try await harness.withDeadline(.seconds(60)) { try await consumer.ready }
        _ = try await producer.send(harness.record(5))
        #expect(try await harness.read(1, from: consumer).map(harness.number) == [5])
        await consumer.close()
        await producer.close()
        await harness.broker.stop()
    }
}
