import Protobuf
import Schema

/// What the public sees of an event: the fields named here and no other, so that a producer that
/// one day puts a person into an event does not publish it. Pure.
enum PublicView {
    private static let fields: Set<String> = [
        "booking_id", "bookingId", "course_id", "courseId", "course_code", "status",
        "first_choice_slot_id", "second_choice_slot_id", "slot_id", "schedule_id",
        "instructor_id", "room_id", "start_time", "end_time", "capacity", "slots_remaining",
        "demand", "version", "action", "needs_slot", "assignment_basis", "confirmedAt",
        "timestamp", "entry_id", "offer_expires_at", "booking_ids",
    ]

    /// `admin:<id>` is told as `admin`.
    private static let actors: Set<String> = ["cancelledBy", "actor"]

    static func of(_ event: EventsV1.Event) -> EventsV1.Event {
        var event = event
        event.unknownFields = UnknownFields()
        guard var payload = event.payload else { return event }
        payload.unknownFields = UnknownFields()
        if let data = payload.data { payload.data = view(data) }
        event.payload = payload
        return event
    }

    private static func view(_ data: GoogleProtobuf.Struct) -> GoogleProtobuf.Struct {
        var view = GoogleProtobuf.Struct()
        for (name, value) in data.fields {
            if fields.contains(name) {
                view.fields[name] = value
            } else if actors.contains(name), case .stringValue(let actor)? = value.kind {
                var role = GoogleProtobuf.Value()
                role.kind = .stringValue(String(actor.prefix { $0 != ":" }))
                view.fields[name] = role
            }
        }
        return view
    }
}
