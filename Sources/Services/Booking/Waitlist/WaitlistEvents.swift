import Domain
import Environment
import Protobuf

/// What the line makes known: one topic, so that the events of one entry keep their order. Ids and
/// numbers only: whoever sends mail looks the address up.
enum WaitlistEvents {
    static let topic = "waitlist.updated"

    static func moved(_ move: WaitlistMove, _ slot: Slot?, at: Instant) -> OutboxEvent {
        let entry = move.entry
        return OutboxEvent(
            topic: topic, id: entry.id.description, action: move.action.rawValue,
            version: entry.version,
            data: [
                ("entry_id", .string(entry.id.description)),
                ("slot_id", .string(entry.slot.description)),
                ("course_id", slot.map { .string($0.offering.id.description) } ?? .null),
                ("course_code", slot.map { .string($0.offering.code) } ?? .null),
                ("status", .string(entry.status.rawValue)),
                ("quantity", .number(String(entry.quantity))),
                ("offer_expires_at", move.until.map { .string($0.rfc3339) } ?? .null),
            ], at: at)
    }
}
