import Environment
import Kafka
import Protobuf
import RPC
import Schema
import Testing

@testable import Notification

/// Events to publish.
enum Samples {
    static let course = "0193a1b2-0000-7000-8000-00000000000a"

    static func event(
        _ topic: String = "booking.created", id: String = UUID.random().description,
        data: [String: String] = ["course_id": course]
    ) -> EventsV1.Event {
        var event = EventsV1.Event()
        event.topic = topic
        event.eventType = topic
        event.eventId = id
        var payload = EventsV1.Payload()
        payload.id = "b-1"
        payload.action = "created"
        payload.version = 1
        var fields = GoogleProtobuf.Struct()
        for (name, text) in data {
            var value = GoogleProtobuf.Value()
            value.kind = .stringValue(text)
            fields.fields[name] = value
        }
        payload.data = fields
        event.payload = payload
        return event
    }

    static func item(
        _ topic: String = "booking.created", partition: Int32 = 0, offset: Int64,
        id: String = UUID.random().description, data: [String: String] = ["course_id": course]
    ) -> FeedItem {
        FeedItem(
            event(topic, id: id, data: data), topic: TopicSet(topic) ?? [],
            position: KafkaPosition(topic: topic, partition: partition, offset: offset))
    }

    /// An answer, in a word: `ready`, `gap`, or topic, partition and offset.
    static func word(_ bytes: [UInt8]) throws -> String {
        switch try NotificationV1.SubscribeResponse(decoding: bytes).kind {
        case .ready?: return "ready"
        case .gap?: return "gap"
        case .delivery(let delivery)?:
            let position = delivery.position ?? NotificationV1.Position()
            return "\(position.topic)[\(position.partition)]@\(position.offset)"
        case nil: return "nothing"
        }
    }

    static func position(_ topic: String, _ partition: Int32, _ offset: Int64)
        -> NotificationV1.Position
    {
        var position = NotificationV1.Position()
        position.topic = topic
        position.partition = partition
        position.offset = offset
        return position
    }
}

extension Subscriber {
    /// The next answers, in words.
    func words(_ count: Int) async throws -> [String] {
        var words: [String] = []
        for _ in 0..<count { words.append(try Samples.word(try await next())) }
        return words
    }
}
