import Environment
import Protobuf
import Schema
import Testing

@testable import Domain

struct OutboxEventTests {
    private let event = OutboxEvent(
        topic: "booking.created", id: "b-1", action: "created", version: 3,
        data: [
            ("bookingId", .string("b-1")), ("userId", .null), ("count", .number("4")),
            ("flag", .bool(true)), ("text", .string("é \"quoted\" \\ \n")),
            ("list", .array([.string("x"), .number("1.5")])),
            ("object", .object([("slot", .number("2"))])),
        ], at: Instant(microseconds: 1_764_633_600_123_456))

    @Test("B-17: the envelope is strict ProtoJSON of janji.events.v1.Event")
    func envelope() throws {
        let pool = EventsV1.eventFile.pool
        let parsed = try ProtoJSON.parse(
            Array(event.envelope.utf8), as: EventsV1.Event.schema, pool: pool)
        let message: EventsV1.Event = try parsed.typed()
        #expect(message.topic == "booking.created")
        #expect(message.eventType == "booking.created")
        #expect(message.eventId == event.eventID.description)
        #expect(message.timestamp.map { Instant($0) } == event.at)
        let payload = try #require(message.payload)
        #expect(payload.id == "b-1")
        #expect(payload.action == "created")
        #expect(payload.version == 3)
        let fields = try #require(payload.data?.fields)
        #expect(Set(fields.keys) == Set(event.data.map(\.0)))
        #expect(fields["count"]?.kind == .numberValue(4))
        #expect(fields["text"]?.kind == .stringValue("é \"quoted\" \\ \n"))
        #expect(fields["flag"]?.kind == .boolValue(true))
    }

    @Test("B-17: printed again with the original names it says the same")
    func roundTrip() throws {
        let pool = EventsV1.eventFile.pool
        let parsed = try ProtoJSON.parse(
            Array(event.envelope.utf8), as: EventsV1.Event.schema, pool: pool)
        let printed = try ProtoJSON.print(
            parsed, pool: pool, options: ProtoJSON.PrintOptions(preserveProtoFieldNames: true))
        let again = try ProtoJSON.parse(printed, as: EventsV1.Event.schema, pool: pool)
        #expect(again == parsed)
        guard case .object(let members) = try JSONValue.parse(Array(event.envelope.utf8)),
            case .object(let printedMembers) = try JSONValue.parse(printed)
        else {
            Issue.record("no object")
            return
        }
        #expect(Set(members.map(\.0)) == Set(printedMembers.map(\.0)))
        #expect(
            Set(members.map(\.0)) == ["topic", "timestamp", "event_type", "payload", "event_id"])
    }

    @Test("event ids differ and grow, so that consumers recognise a repeated event")
    func ids() {
        let ids = (0..<100).map { _ in
            OutboxEvent(topic: "t", id: "1", action: "a", version: 1, data: [], at: .now()).eventID
        }
        #expect(Set(ids).count == 100)
    }
}
