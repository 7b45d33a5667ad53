import Kafka
import Loop
import TestKit
import Testing

@Suite(.timeLimit(.minutes(3)))
struct EmbeddedBrokerTests {
    @Test("the broker listens on exactly the port that was asked for, and again after a close")
    func fixedPort() async throws {
        let probe = try EmbeddedBroker()
        let port = probe.port
        probe.close()
        for _ in 0..<3 {
            let broker = try EmbeddedBroker(port: port)
            #expect(broker.address == "127.0.0.1:\(port)")
            let harness = try await Harness("port", partitions: 0, own: true, kind: .embedded)
            try broker.createTopic(harness.topic, partitions: 2)
            let producer = try harness.broker.producer(
                on: harness.loop, KafkaConfiguration(brokers: "127.0.0.1:\(port)"))
            _ = try await producer.send(harness.record(1))
            await producer.close()
            broker.close()
            await harness.broker.stop()
        }
    }

    @Test("a taken port is a clear error")
    func takenPort() throws {
        let first = try EmbeddedBroker()
        let error = #expect(throws: KafkaError.self) { try EmbeddedBroker(port: first.port) }
        #expect(error?.message.contains("port \(first.port) of 127.0.0.1 is taken") == true)
        first.close()
        let second = try EmbeddedBroker(port: first.port)
        second.close()
    }

    @Test("only the mock's own socket gets the port: others bind as they like")
    func othersUntouched() async throws {
        let loop = EventLoop(name: "bind")
        let broker = try EmbeddedBroker()
        guard let any = SocketAddress(host: "127.0.0.1", port: 0) else { return }
        let listener = try await Listener.bind(any, on: loop) { socket in socket.close() }
        #expect(listener.address.port != broker.port)
        await listener.close()
        broker.close()
    }
}

@Suite(.timeLimit(.minutes(3)))
struct KafkaTopicsTests {
    @Test("topics come into being, twice is once")
    func ensure() async throws {
        let harness = try await Harness("ensure", partitions: 0)
        let topics = [
            KafkaTopic("\(harness.topic)-a", partitions: 3),
            KafkaTopic(
                "\(harness.topic)-b", partitions: 1, settings: ["cleanup.policy": "compact"]),
        ]
        for _ in 0..<2 {
            try await KafkaTopics.ensure(
                topics, configuration: harness.broker.configuration(), loop: harness.loop,
                logger: harness.broker.logger)
        }
        let consumer = try harness.broker.consumer(
            topics.map(\.name), .fanOut(from: .latest), on: harness.loop)
        try await consumer.ready
        await consumer.close()
    }

    @Test("without a broker it ends with an error in its time")
    func absent() async throws {
        let harness = try await Harness("absent", partitions: 0, own: true, kind: .embedded)
        await harness.broker.stop()
        await #expect(throws: KafkaError.self) {
            try await KafkaTopics.ensure(
                [KafkaTopic("x", partitions: 1)],
                configuration: harness.broker.configuration(), loop: harness.loop,
                logger: harness.broker.logger, timeout: .milliseconds(500))
        }
    }
}
