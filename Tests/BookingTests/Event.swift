import Protobuf
import Schema

/// An event's body as the tests look at it; must be the envelope of B-17.
struct Event {
    let topic: String
    let id: String
    let action: String
    private let data: [(String, JSONValue)]

    struct Malformed: Error {}

    init(_ body: String) throws {
        let parsed: EventsV1.Event = try ProtoJSON.parse(
            Array(body.utf8), as: EventsV1.Event.schema, pool: EventsV1.eventFile.pool
        ).typed()
        topic = parsed.topic
        guard let payload = parsed.payload,
            case .object(let members) = try JSONValue.parse(Array(body.utf8)),
            case .object(let inner)? = members.first(where: { $0.0 == "payload" })?.1,
            case .object(let data)? = inner.first(where: { $0.0 == "data" })?.1
        else { throw Malformed() }
        id = payload.id
        action = payload.action
        self.data = data
    }

    subscript(_ name: String) -> JSONValue? { data.first { $0.0 == name }?.1 }
}
