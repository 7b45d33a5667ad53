import Kafka
import Protobuf
import Schema

/// Reads the envelope of B-17. Pure.
enum Envelope {
    private static let pool = EventsV1.eventFile.pool
    /// Newer producers may say more than this program knows.
    private static let options = ProtoJSON.ParseOptions(ignoreUnknownFields: true)

    /// Why a record is no event, in one sentence for the dead letter's header.
    struct Undecodable: Error {
        let reason: String
    }

    static func decode(
        _ value: [UInt8], at position: KafkaPosition
    ) throws(Undecodable) -> FeedItem {
        guard let topic = TopicSet(position.topic) else {
            throw Undecodable(reason: "the topic is not known")
        }
        let event: EventsV1.Event
        do throws(ProtobufError) {
            event = try ProtoJSON.parse(
                value, as: EventsV1.Event.schema, pool: pool, options: options
            ).typed()
        } catch {
            throw Undecodable(reason: error.message)
        }
        guard event.topic == position.topic else {
            throw Undecodable(reason: "the envelope names another topic")
        }
        guard event.payload != nil else { throw Undecodable(reason: "the envelope has no payload") }
        return FeedItem(event, topic: topic, position: position)
    }
}
