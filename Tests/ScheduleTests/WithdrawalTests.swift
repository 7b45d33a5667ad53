import Domain
import Environment
import Kafka
import Loop
import Postgres
import Protobuf
import RPC
import Schema
import Telemetry
import TestKit
import Testing

@testable import Schedule

/// What Inventory withdraws leaves the timetable, over a real broker.
@Suite("Withdrawals", .serialized, .timeLimit(.minutes(10))) struct WithdrawalTests {
    private func course(_ fixture: Fixture) async throws -> (id: String, schedules: [String]) {
        let made = try await fixture.client.createCourse(fixture.course())
        let id = try #require(made.course?.id)
        let request = fixture.schedules(id, try await fixture.staff(), count: 2)
        let list = try await fixture.client.createClassSchedules(request).schedules
        return (id, list.map(\.id))
    }

    private func listed(_ fixture: Fixture, _ course: String) async throws -> [String] {
        var request = ScheduleV1.ListClassSchedulesRequest()
        request.courseId = course
        return try await fixture.client.listClassSchedules(request).schedules.map(\.id)
    }

    private func deleted(_ fixture: Fixture) async throws -> [String] {
        try await fixture.pool.query(
            "select key from outbox where topic = 'schedule.deleted' order by id"
        ).map { try $0[0] }
    }

    private func event(
        _ slot: String, _ action: String = "withdrawn", id: UUID = .timeOrdered()
    ) -> OutboxEvent {
        OutboxEvent(
            topic: "schedule.updated", id: slot, action: action, version: 9,
            data: [("slot_id", .string(slot))], at: .now(), eventID: id)
    }

    @Test(
        "B-16, X-122: withdrawn is off the list and told as schedule.deleted, however often it comes"
    )
    func once() async throws {
        let fixture = try await Fixture("withdrawals")
        let (id, schedules) = try await course(fixture)
        let broker = try await KafkaBroker.shared()
        let producer = try broker.producer(on: Fixture.loop)
        let consumer = consumer(fixture, broker, producer, "direct")
        let slot = try #require(UUID(schedules[0]))
        let first = Withdrawal(id: .timeOrdered(), slot: slot)
        let outcomes = await withTaskGroup(of: Bool?.self) { group in
            for _ in 0..<10 { group.addTask { try? await consumer.apply(first) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        // Who found no connection in time has no outcome.
        #expect(outcomes.count { $0 == true } == 1)
        #expect(try await !consumer.apply(first))
        #expect(try await listed(fixture, id) == [schedules[1]])
        // Another event of the same slot, and one of a slot that nobody here knows.
        #expect(try await !consumer.apply(Withdrawal(id: .timeOrdered(), slot: slot)))
        #expect(try await !consumer.apply(Withdrawal(id: .timeOrdered(), slot: .random())))
        #expect(try await deleted(fixture) == [schedules[0]])
        await producer.close()
        await fixture.pool.close()
    }

    @Test("only withdrawals are looked at; what is no event is passed over")
    func reading() throws {
        let slot = UUID.random()
        let mine = event(slot.description)
        #expect(
            Withdrawal(Array(mine.envelope.utf8)) == Withdrawal(id: mine.eventID, slot: slot))
        for other in [
            event(slot.description, "created").envelope, event("no-uuid").envelope, "{", "", "[]",
            #"{"payload":{"action":"withdrawn"}}"#,
        ] {
            #expect(Withdrawal(Array(other.utf8)) == nil)
        }
    }

    @Test("a consumer that dies before it has said so reads again, without a second effect")
    func redelivered() async throws {
        let fixture = try await Fixture("withdrawals_kafka")
        // Others publish on the same topic.
        let broker = try await KafkaBroker.start()
        try await broker.createTopic("schedule.updated", partitions: 1, on: Fixture.loop)
        let (id, schedules) = try await course(fixture)
        let producer = try broker.producer(on: Fixture.loop)
        let old = UUID("00000000-0000-7000-8000-000000000000") ?? .random()
        var records = ["no event", event(schedules[1], "created").envelope]
        records += [event(schedules[0]).envelope, event(schedules[1], id: old).envelope]
        for record in records {
            _ = try await producer.send(
                KafkaRecord(
                    topic: "schedule.updated", key: Array("k".utf8), value: Array(record.utf8)))
        }
        // Two groups: the second reads everything again, as after a death before the commit.
        for group in ["first", "second"] {
            let last = event(UUID.random().description)
            _ = try await producer.send(
                KafkaRecord(
                    topic: "schedule.updated", key: Array("k".utf8),
                    value: Array(last.envelope.utf8)))
            let consumer = consumer(fixture, broker, producer, group)
            let running = Task { try? await consumer.run() }
            let isRead = try await eventually {
                try await fixture.pool.query(
                    "select 1 from inbox where event_id = \(last.eventID)"
                ).count == 1
            }
            #expect(isRead)
            running.cancel()
            await running.value
            #expect(try await listed(fixture, id) == [schedules[1]])
            #expect(try await deleted(fixture) == [schedules[0]])
        }
        let letters = try await DeadLetters(
            configuration: broker.configuration(), loop: Fixture.loop,
            logger: Logger(label: "test", sink: LogCapture().sink), metrics: Metrics()
        ).list(of: "schedule.updated")
        #expect(letters.count == 2, "the stale one, by each group")
        #expect(letters.allSatisfy { $0.reason.contains("older than the inbox remembers") })
        await producer.close()
        await broker.stop()
        await fixture.pool.close()
    }

    private func consumer(
        _ fixture: Fixture, _ broker: KafkaBroker, _ producer: KafkaProducer, _ group: String
    ) -> WithdrawalConsumer {
        WithdrawalConsumer(
            pool: fixture.pool, kafka: broker.configuration(), group: group,
            producer: producer, loop: Fixture.loop,
            logger: Logger(label: "test", sink: LogCapture().sink), metrics: Metrics(),
            committed: {})
    }
}
