import Domain
import Environment
import Kafka
import RPC
import Schema
import Telemetry
import Testing

@testable import Notification

@Suite(.timeLimit(.minutes(5)))
struct HubTests {
    private func hub(queue: Int = 1024, ring: Int = 100) -> EventHub {
        let hub = EventHub(
            metrics: Metrics(), ring: .init(events: ring, bytes: 1 << 20),
            queue: .init(answers: queue, bytes: 1 << 20))
        hub.becomeReady()
        return hub
    }

    private func subscription(
        resume: [NotificationV1.Position] = [], _ principal: Principal = .anonymous
    ) throws -> Subscription {
        var request = NotificationV1.SubscribeRequest()
        request.resume = resume
        return try Subscription(request, principal)
    }

    @Test("ready comes first, then every event once and in order")
    func order() async throws {
        let hub = hub()
        hub.publish(Samples.item(offset: 0))
        let subscriber = hub.join(try subscription())
        for offset in Int64(1)...3 { hub.publish(Samples.item(offset: offset)) }
        #expect(
            try await subscriber.words(4)
                == [
                    "ready", "booking.created[0]@1", "booking.created[0]@2", "booking.created[0]@3",
                ])
    }

    @Test("ready is not told before the feed is")
    func held() async throws {
        let hub = EventHub(metrics: Metrics())
        let subscriber = hub.join(try subscription())
        let first = Task { try Samples.word(try await subscriber.next()) }
        try await Task.sleep(for: .milliseconds(30))
        hub.publish(Samples.item(offset: 1))
        hub.becomeReady()
        #expect(try await first.value == "ready")
        #expect(try await subscriber.words(1) == ["booking.created[0]@1"])
    }

    @Test("an event sent twice, by offset or by id, is delivered once")
    func once() async throws {
        let hub = hub()
        let subscriber = hub.join(try subscription())
        let id = UUID.random().description
        hub.publish(Samples.item(offset: 1, id: id))
        hub.publish(Samples.item(offset: 1, id: id))
        hub.publish(Samples.item(offset: 2, id: id))
        hub.publish(Samples.item(offset: 3))
        #expect(
            try await subscriber.words(3)
                == ["ready", "booking.created[0]@1", "booking.created[0]@3"])
    }

    @Test("X-48: who comes back gets what it missed, and goes on without a seam")
    func resume() async throws {
        let hub = hub()
        for offset in Int64(1)...5 { hub.publish(Samples.item(offset: offset)) }
        let subscriber = hub.join(
            try subscription(resume: [Samples.position("booking.created", 0, 3)]))
        hub.publish(Samples.item(offset: 6))
        #expect(
            try await subscriber.words(4)
                == [
                    "ready", "booking.created[0]@4", "booking.created[0]@5", "booking.created[0]@6",
                ])
    }

    @Test(
        "X-48: what is not kept any more, or never was, is told as a gap",
        arguments: [
            ("booking.created", 0, 1), ("booking.created", 3, 1), ("schedule.updated", 0, 9),
        ]
            as [(String, Int32, Int64)])
    func gap(topic: String, partition: Int32, offset: Int64) async throws {
        let hub = hub(ring: 2)
        for offset in Int64(1)...5 { hub.publish(Samples.item(offset: offset)) }
        let subscriber = hub.join(
            try subscription(resume: [Samples.position(topic, partition, offset)]))
        #expect(try await subscriber.words(2) == ["ready", "gap"])
    }

    @Test("who falls behind gets a gap in place of the queue, never silence; others get all")
    func behind() async throws {
        let hub = hub(queue: 3)
        let slow = hub.join(try subscription())
        let fast = hub.join(try subscription())
        #expect(try await slow.words(1) == ["ready"])
        #expect(try await fast.words(1) == ["ready"])
        for offset in Int64(1)...5 {
            hub.publish(Samples.item(offset: offset))
            #expect(try await fast.words(1) == ["booking.created[0]@\(offset)"])
        }
        #expect(
            try await slow.words(3) == ["gap", "booking.created[0]@4", "booking.created[0]@5"])
        hub.publish(Samples.item(offset: 6))
        #expect(try await slow.words(1) == ["booking.created[0]@6"])
    }

    @Test("what was replayed is not held against the reader")
    func replayIsFree() async throws {
        let hub = hub(queue: 3)
        for offset in Int64(1)...20 { hub.publish(Samples.item(offset: offset)) }
        let subscriber = hub.join(
            try subscription(resume: [Samples.position("booking.created", 0, 1)]))
        for offset in Int64(21)...23 { hub.publish(Samples.item(offset: offset)) }
        let words = try await subscriber.words(23)
        #expect(words == ["ready"] + (2...23).map { "booking.created[0]@\($0)" })
    }

    @Test("an interruption is told once reading goes on, and only to those it struck")
    func interruption() async throws {
        let hub = hub()
        let early = hub.join(try subscription())
        hub.interrupt()
        let late = hub.join(try subscription())
        hub.becomeReady()
        hub.publish(Samples.item(offset: 9))
        #expect(try await early.words(3) == ["ready", "gap", "booking.created[0]@9"])
        #expect(try await late.words(2) == ["ready", "booking.created[0]@9"])
    }

    @Test("a cancelled reader leaves, a closed hub ends everybody")
    func ends() async throws {
        let hub = hub()
        let subscriber = hub.join(try subscription())
        _ = try await subscriber.next()
        let reader = Task { try await subscriber.next() }
        try await Task.sleep(for: .milliseconds(20))
        reader.cancel()
        await #expect(throws: CancellationError.self) { try await reader.value }
        hub.close()
        await #expect(throws: DomainError.self) { try await subscriber.next() }
        let late = hub.join(try subscription())
        #expect(try await late.words(1) == ["ready"])
        await #expect(throws: DomainError.self) { try await late.next() }
    }
}
