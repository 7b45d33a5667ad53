import Environment
import Kafka
import Protobuf
import Schema

/// An event on its way to subscribers: encoded once, shared by all of them.
final class FeedItem: Sendable {
    let topic: TopicSet
    let position: KafkaPosition
    let eventID: UUID?
    /// What filters match: ids and code in lower case.
    let courses: [String]
    let rooms: [String]
    /// `SubscribeResponse`s with the delivery: for staff, and for the public.
    let full: [UInt8]
    let view: [UInt8]

    init(_ event: EventsV1.Event, topic: TopicSet, position: KafkaPosition) {
        self.topic = topic
        self.position = position
        eventID = UUID(event.eventId)
        let data = event.payload?.data
        courses = Self.texts(data, ["course_id", "course_code"])
        rooms = Self.texts(data, ["room_id"])
        full = Self.encode(event, position)
        view = topic.isSubset(of: .public) ? Self.encode(PublicView.of(event), position) : []
    }

    var byteCount: Int { full.count + view.count }

    private static func texts(_ data: GoogleProtobuf.Struct?, _ names: [String]) -> [String] {
        names.compactMap { name in
            guard case .stringValue(let text)? = data?.fields[name]?.kind else { return nil }
            return text.lowercased()
        }
    }

    private static func encode(_ event: EventsV1.Event, _ position: KafkaPosition) -> [UInt8] {
        var place = NotificationV1.Position()
        place.topic = position.topic
        place.partition = position.partition
        place.offset = position.offset
        var delivery = NotificationV1.SubscribeResponse.Delivery()
        delivery.event = event
        delivery.position = place
        return Frames.encode(.delivery(delivery))
    }
}

/// The encoded answers that belong to no event.
enum Frames {
    static let ready = encode(.ready(NotificationV1.SubscribeResponse.Ready()))

    static func gap(_ reason: String) -> [UInt8] {
        var gap = NotificationV1.SubscribeResponse.Gap()
        gap.reason = reason
        return encode(.gap(gap))
    }

    static func encode(_ kind: NotificationV1.SubscribeResponse.OneOfKind) -> [UInt8] {
        var response = NotificationV1.SubscribeResponse()
        response.kind = kind
        return response.encoded()
    }
}
