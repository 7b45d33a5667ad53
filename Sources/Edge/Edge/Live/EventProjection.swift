import Environment
import Protobuf
import Schema

/// What each kind of reader may see of an event (B-08…B-19, X-42, X-53, X-55). The public views
/// are built field by field, so that nothing new leaks by itself.
struct EventProjection {
    let topic: String
    let keys: Set<FilterKey>
    private let action: String
    private let data: [String: GoogleProtobuf.Value]
    private let timestamp: JSONValue
    private let position: JSONValue

    typealias Members = [(key: String, value: JSONValue)]

    init?(_ delivery: NotificationV1.SubscribeResponse.Delivery) {
        guard let event = delivery.event, let payload = event.payload, !event.topic.isEmpty else {
            return nil
        }
        topic = event.topic
        action = payload.action
        data = payload.data?.fields ?? [:]
        let time = event.timestamp.map {
            Instant(secondsSinceEpoch: $0.seconds) + .nanoseconds(Int64($0.nanos))
        }
        timestamp = .string((time ?? .now()).rfc3339)
        let at = delivery.position
        position = at.map { .string("\($0.topic):\($0.partition):\($0.offset)") } ?? .null
        keys = Self.keys(data)
    }

    private static func keys(_ data: [String: GoogleProtobuf.Value]) -> Set<FilterKey> {
        let names: [(FilterDimension, [String])] = [
            (.course, ["course_id", "course_code"]), (.room, ["room_id"]),
            (
                .session,
                [
                    "slot_id", "schedule_id", "first_choice_slot_id", "second_choice_slot_id",
                ]
            ),
        ]
        var keys: Set<FilterKey> = []
        for (dimension, fields) in names {
            for field in fields {
                if case .stringValue(let text)? = data[field]?.kind, !text.isEmpty {
                    keys.insert(FilterKey(dimension, text))
                }
            }
        }
        return keys
    }

    // MARK: Views

    /// The typed message of filter subscriptions; nil for what the public does not see.
    var typed: JSONValue? { typedMembers.map { finished(topic, $0) } }

    private var typedMembers: Members? {
        switch topic {
        case "availability.updated": availability
        case "booking.created", "booking.choices_changed":
            fields(["course_id", "course_code"])
                + [("booking", .object(booking)), ("demand", value("demand"))]
        case "booking.confirmed", "booking.cancelled", "booking.expired", "booking.rescheduled":
            fields(["course_id"]) + [("action", .string(action)), ("booking", .object(booking))]
        case "waitlist.updated":
            fields(["course_id", "course_code", "slot_id", "entry_id", "status"])
                + [("action", .string(action))]
        case "booking.choices_lost": fields(["course_id", "course_code", "slot_id", "booking_ids"])
        default: nil
        }
    }

    private var availability: Members {
        let slot = fields([
            "slot_id", "course_id", "course_code", "instructor_id", "room_id", "start_time",
            "end_time", "capacity", "slots_remaining", "demand", "status", "version",
        ])
        return fields(["course_id", "course_code", "slot_id", "slots_remaining", "version"])
            + [("slots", .array([.object([("id", value("slot_id"))] + slot)]))]
    }

    /// A booking without its person.
    private var booking: Members {
        var members: Members = [("id", value("booking_id"))]
        members += fields(["course_id", "course_code", "status"])
        switch topic {
        case "booking.created", "booking.choices_changed":
            members += fields(["first_choice_slot_id", "second_choice_slot_id"])
        case "booking.confirmed":
            members += [("confirmed_slot_id", value("slot_id"))]
            members += fields(["needs_slot"]) + [("confirmed_at", value("confirmedAt"))]
        default:
            // Who it was stays inside; that it was staff does not.
            let actor = text("cancelledBy")?.split(separator: ":").first.map(String.init)
            members += fields(["slot_id"]) + [("cancelled_by", actor.map { .string($0) } ?? .null)]
        }
        return members
    }

    /// What room subscribers get besides, and all they get of timetable changes (B-09).
    var roomSummary: JSONValue? {
        guard text("room_id") != nil else { return nil }
        switch topic {
        case "availability.updated":
            let summary = fields([
                "room_id", "slot_id", "course_id", "slots_remaining", "status", "version",
            ])
            return finished("availability.changed", [("summary", .object(summary))])
        case "schedule.updated", "schedule.deleted":
            let summary =
                fields(["room_id", "schedule_id", "course_id"]) + [("action", .string(action))]
            return finished("availability.changed", [("summary", .object(summary))])
        default: return nil
        }
    }

    /// The broadcast of topic subscribers.
    var broadcast: JSONValue? {
        guard let typed = typedMembers else { return nil }
        return finished(
            "broadcast",
            [
                ("topic", "availability"),
                ("data", .object([("type", .string(topic))] + typed)),
            ])
    }

    /// Everything that the event says, for staff (B-09, B-12).
    var admin: JSONValue? {
        let details = Self.json(data)
        switch topic {
        case "schedule.updated", "schedule.deleted":
            return finished(
                topic, [("action", .string(action)), ("full_details", details)])
        case "admin.notifications":
            return finished(
                "admin.notification", [("action", .string(action)), ("payload", details)])
        default:
            var members = typedMembers ?? []
            if !members.contains(where: { $0.key == "action" }) {
                members.append(("action", .string(action)))
            }
            members.append(("payload", .object([("action", .string(action)), ("data", details)])))
            return finished(topic, members)
        }
    }

    private func finished(_ type: String, _ members: Members) -> JSONValue {
        .object(
            [("type", .string(type))] + members
                + [("timestamp", timestamp), ("position", position)])
    }

    // MARK: Data

    func text(_ name: String) -> String? {
        if case .stringValue(let text)? = data[name]?.kind { text } else { nil }
    }

    private func value(_ name: String) -> JSONValue { data[name].map(Self.json) ?? .null }

    private func fields(_ names: [String]) -> Members { names.map { ($0, value($0)) } }

    private static func json(_ fields: [String: GoogleProtobuf.Value]) -> JSONValue {
        .object(fields.sorted { $0.key < $1.key }.map { ($0.key, json($0.value)) })
    }

    private static func json(_ value: GoogleProtobuf.Value) -> JSONValue {
        switch value.kind {
        case .numberValue(let number)?:
            if let whole = Int64(exactly: number) { return .number(String(whole)) }
            return number.isFinite ? .number(number.description) : .null
        case .stringValue(let text)?: return .string(text)
        case .boolValue(let flag)?: return .bool(flag)
        case .structValue(let inner)?: return json(inner.fields)
        case .listValue(let list)?: return .array(list.values.map(json))
        case .nullValue?, nil: return .null
        }
    }
}
