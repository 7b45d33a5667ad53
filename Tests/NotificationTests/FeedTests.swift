import Domain
import Environment
import Kafka
import Loop
import Protobuf
import RPC
import Schema
import Telemetry
import TestKit
import Testing

@testable import Notification

/// The whole service: Kafka, feed, hub, RPC.
@Suite(.timeLimit(.minutes(5)), .serialized)
struct FeedTests {
    private static let loop = EventLoop(name: "notification-tests")

    /// Runs `body` against a feed that is up, with a client and a producer.
    private func withFeed(
        _ body: (NotificationV1.NotificationClient, KafkaProducer, KafkaBroker, EventHub)
            async throws -> Void
    ) async throws {
        let broker = try await KafkaBroker.shared()
        try await KafkaTopics.ensure(
            NotificationTopics.topics(partitions: 4), configuration: broker.configuration(),
            loop: Self.loop, logger: broker.logger)
        let producer = try broker.producer(on: Self.loop)
        let hub = EventHub(metrics: Metrics())
        let feed = EventFeed(
            configuration: broker.configuration(), producer: producer, hub: hub, loop: Self.loop,
            logger: broker.logger, metrics: Metrics())
        let running = Task(executorPreference: Self.loop) { try await feed.run() }
        let router = Router(interceptors: [ByHeader()], logger: broker.logger)
        router.register(NotificationService(hub: hub))
        let client = NotificationV1.NotificationClient(
            InProcessChannel(router: router, loop: Self.loop))
        do {
            try await body(client, producer, broker, hub)
        } catch {
            Issue.record(error)
        }
        running.cancel()
        _ = await running.result
        await producer.close()
    }

    private func record(
        _ topic: String = "booking.created", key: String, number: Int,
        data: [(String, JSONValue)] = []
    ) -> KafkaRecord {
        let event = OutboxEvent(
            topic: topic, id: key, action: "created", version: Int64(number),
            data: data + [("number", .number(String(number)))], at: .now())
        return KafkaRecord(
            topic: topic, key: Array(key.utf8), value: Array(event.envelope.utf8))
    }

    private func deliveries(
        _ stream: ResponseStream<NotificationV1.SubscribeResponse>, count: Int
    ) async throws -> [NotificationV1.SubscribeResponse.Delivery] {
        var found: [NotificationV1.SubscribeResponse.Delivery] = []
        for try await response in stream {
            if case .delivery(let delivery)? = response.kind { found.append(delivery) }
            if found.count == count { break }
        }
        return found
    }

    @Test("B-02, B-17, X-47: every subscriber gets every event once, in the order of its key")
    func fanOut() async throws {
        try await withFeed { client, producer, _, _ in
            var streams: [ResponseStream<NotificationV1.SubscribeResponse>] = []
            for _ in 0..<3 {
                let stream = try await client.subscribe(NotificationV1.SubscribeRequest())
                var iterator = stream.makeAsyncIterator()
                #expect(try await iterator.next()?.kind == .ready(.init()))
                streams.append(stream)
            }
            let sent = (0..<200).map { record(key: "k\($0 % 7)", number: $0 / 7) }
            for result in await producer.send(sent) { _ = try result.get() }
            for stream in streams {
                let found = try await deliveries(stream, count: 200)
                #expect(Set(found.compactMap { $0.event?.eventId }).count == 200)
                for key in 0..<7 {
                    let versions = found.compactMap(\.event?.payload)
                        .filter { $0.id == "k\(key)" }.map(\.version)
                    #expect(versions == versions.sorted() && versions.count >= 28)
                }
            }
        }
    }

    @Test("X-48: a subscriber goes on behind its last position")
    func resume() async throws {
        try await withFeed { client, producer, _, _ in
            let first = try await client.subscribe(NotificationV1.SubscribeRequest())
            var iterator = first.makeAsyncIterator()
            _ = try await iterator.next()
            for number in 0..<6 { _ = try await producer.send(record(key: "one", number: number)) }
            let known = try await deliveries(first, count: 3)
            first.cancel()
            var request = NotificationV1.SubscribeRequest()
            request.topics = ["booking.created"]
            request.resume = known.last.flatMap(\.position).map { [$0] } ?? []
            let again = try await client.subscribe(request)
            let rest = try await deliveries(again, count: 3)
            #expect(rest.compactMap(\.event?.payload?.version) == [3, 4, 5])
        }
    }

    @Test("X-53: the public does not get what is for staff, nor the actor's id")
    func audience() async throws {
        try await withFeed { client, producer, _, _ in
            var refused = NotificationV1.SubscribeRequest()
            refused.topics = ["admin.notifications"]
            var denied = try await client.subscribe(refused).makeAsyncIterator()
            let error = await #expect(throws: RPCError.self) { _ = try await denied.next() }
            #expect(error?.code == .unauthenticated)
            let open = try await client.subscribe(NotificationV1.SubscribeRequest())
            var metadata = Metadata()
            metadata.set("7", for: "x-test-admin")
            let staff = try await client.subscribe(
                NotificationV1.SubscribeRequest(), metadata: metadata)
            for stream in [open, staff] {
                var iterator = stream.makeAsyncIterator()
                _ = try await iterator.next()
            }
            _ = try await producer.send(
                record("admin.notifications", key: "a", number: 1))
            _ = try await producer.send(
                record(
                    "booking.cancelled", key: "b", number: 2,
                    data: [("cancelledBy", "admin:7"), ("email", "x@y.id")]))
            let public_ = try await deliveries(open, count: 1)[0].event
            #expect(public_?.topic == "booking.cancelled")
            #expect(public_?.payload?.data?.fields.keys.sorted() == ["cancelledBy"])
            #expect(
                public_?.payload?.data?.fields["cancelledBy"]?.kind == .stringValue("admin"))
            let all = try await deliveries(staff, count: 2).compactMap { $0.event?.topic }
            #expect(all.sorted() == ["admin.notifications", "booking.cancelled"])
        }
    }

    @Test("X-52: what is no event goes to the dead letters with its reason, and the feed goes on")
    func deadLetters() async throws {
        try await withFeed { client, producer, broker, _ in
            let letters = try broker.consumer(
                ["booking.created.dlq"], .fanOut(from: .latest), on: Self.loop)
            try await letters.ready
            let stream = try await client.subscribe(NotificationV1.SubscribeRequest())
            var iterator = stream.makeAsyncIterator()
            _ = try await iterator.next()
            let garbage = [UInt8]("{\"topic\": oops".utf8)
            _ = try await producer.send(
                KafkaRecord(
                    topic: "booking.created", key: Array("z".utf8), value: garbage,
                    headers: [("schema", [1])]))
            _ = try await producer.send(record(key: "z", number: 4))
            let found = try await deliveries(stream, count: 1)
            #expect(found[0].event?.payload?.version == 4)
            for try await letter in letters.records {
                #expect(letter.value == garbage)
                #expect(letter.header("schema") == [1])
                #expect(letter.header("dlq-reason")?.isEmpty == false)
                break
            }
            await letters.close()
        }
    }

    @Test(
        "X-52: what an envelope must have",
        arguments: [
            ("{}", false), ("[]", false), ("", false), ("{\"topic\":\"booking.created\"}", false),
            ("{\"topic\":\"booking.cancelled\",\"payload\":{}}", false),
            ("{\"topic\":\"booking.created\",\"payload\":{\"id\":1}}", false),
            ("{\"topic\":\"booking.created\",\"payload\":{\"id\":\"1\"},\"newer\":[1]}", true),
            (
                """
                {"topic":"booking.created","timestamp":"2025-12-02T10:00:00Z",\
                "event_type":"booking.created","payload":{"id":"1","action":"created",\
                "data":{"course_id":"PIANO-101","n":1,"o":{"a":null}},"version":"3"}}
                """, true
            ),
        ])
    func envelope(text: String, isEvent: Bool) {
        let position = KafkaPosition(topic: "booking.created", partition: 0, offset: 0)
        let item = try? Envelope.decode(Array(text.utf8), at: position)
        #expect((item != nil) == isEvent)
    }

    @Test("a cancelled feed ends while no broker can be reached")
    func noBroker() async throws {
        let loop = Self.loop
        let configuration = KafkaConfiguration(brokers: "127.0.0.1:1")
        let logger = Logger(label: "test", sink: LogCapture().sink)
        let producer = try KafkaProducer(
            configuration: configuration, loop: loop, logger: logger, metrics: Metrics())
        let feed = EventFeed(
            configuration: configuration, producer: producer, hub: EventHub(metrics: Metrics()),
            loop: loop, logger: logger, metrics: Metrics())
        let running = Task(executorPreference: loop) { try await feed.run() }
        try await Task.sleep(for: .milliseconds(200))
        running.cancel()
        _ = await running.result
        await producer.close()
    }
}

/// `x-test-admin` names the admin.
private struct ByHeader: ServerInterceptor {
    func intercept(
        _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
    ) async throws {
        if let id = call.context.metadata.first("x-test-admin") {
            call.context[PrincipalKey.self] = .admin(id: id)
        }
        try await next(call)
    }
}
