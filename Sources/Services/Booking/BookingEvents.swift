import Domain
import Environment
import Protobuf

/// What the booking service publishes. Ids and numbers only: no event holds a person.
enum BookingEvents {
    /// the five camelCase fields of the document beside the canonical ones.
    static func created(_ booking: Booking, _ offering: Offering, demand: [UUID: Int])
        -> OutboxEvent
    {
        event(
            "booking.created", booking, "created",
            [
                ("course_id", .string(offering.id.description)),
                ("course_code", .string(offering.code)),
                ("first_choice_slot_id", id(booking.firstChoice)),
                ("second_choice_slot_id", id(booking.secondChoice)),
                ("demand", numbers(demand)),
                ("userId", .null), ("courseId", .string(offering.id.description)),
                ("timestamp", .string(booking.createdAt.rfc3339)),
            ], at: booking.createdAt)
    }

    /// A booking that has come of a hold, confirmed at once or not.
    static func appointment(_ booking: Booking, _ slot: Slot, at: Instant) -> [OutboxEvent] {
        let created = event(
            "booking.created", booking, "created",
            [
                ("course_id", .string(booking.offeringID.description)),
                ("course_code", .string(booking.offeringCode)),
                ("slot_id", id(booking.confirmedSlot)),
                ("quantity", number(booking.quantity)),
                ("payment_status", .string(booking.paymentStatus.rawValue)),
                ("start_time", .string(slot.startsAt.rfc3339)),
            ], at: at)
        guard booking.status == .confirmed else { return [created] }
        let decision = BookingDecision(booking: booking, action: "confirmed")
        return [created, confirmed(decision, at: at)]
    }

    /// What a decision makes known: where the booking has gone, and what became of its payment.
    static func of(
        _ decision: BookingDecision, from before: Booking, by actor: String, at: Instant
    ) -> [OutboxEvent] {
        var events: [OutboxEvent] = []
        if decision.booking.status != before.status || decision.takes != nil {
            let moved: OutboxEvent =
                switch decision.booking.status {
                case .rejected, .cancelled, .expired: ended(decision, by: actor, at: at)
                case .rescheduled: rescheduled(decision, at: at)
                default: confirmed(decision, at: at)
                }
            events.append(moved)
        }
        if decision.booking.paymentStatus != before.paymentStatus {
            events.append(payment(decision.booking, decision.action, at: at))
        }
        return events
    }

    /// Where the money of a booking stands.
    static func payment(_ booking: Booking, _ action: String, at: Instant) -> OutboxEvent {
        event(
            "payment.updated", booking, action,
            [
                ("payment_status", .string(booking.paymentStatus.rawValue)),
                ("final_amount", .string(String(booking.finalAmount))),
                ("currency", .string(booking.currency)),
            ], at: at)
    }

    /// - Parameter demand: of the slots that are wished for, and of those that no longer are.
    static func choicesChanged(_ booking: Booking, demand: [UUID: Int], at: Instant) -> OutboxEvent
    {
        event(
            "booking.choices_changed", booking, "choices_changed",
            [
                ("course_id", .string(booking.offeringID.description)),
                ("course_code", .string(booking.offeringCode)),
                ("first_choice_slot_id", id(booking.firstChoice)),
                ("second_choice_slot_id", id(booking.secondChoice)),
                ("demand", numbers(demand)),
            ], at: at)
    }

    static func rescheduled(_ decision: BookingDecision, at: Instant) -> OutboxEvent {
        let booking = decision.booking
        return event(
            "booking.rescheduled", booking, decision.action,
            [
                ("course_id", .string(booking.offeringID.description)),
                ("course_code", .string(booking.offeringCode)),
                ("slot_id", id(decision.releases)),
                ("rescheduled_to", id(booking.rescheduledTo)),
            ], at: at)
    }

    /// Confirmed, given a slot, checked in, completed or missed: the action says which.
    static func confirmed(_ decision: BookingDecision, at: Instant) -> OutboxEvent {
        let booking = decision.booking
        return event(
            "booking.confirmed", booking, decision.action,
            [
                ("course_id", .string(booking.offeringID.description)),
                ("course_code", .string(booking.offeringCode)),
                ("slot_id", id(booking.confirmedSlot)),
                ("assignment_basis", booking.basis.map { .string($0.rawValue) } ?? .null),
                ("needs_slot", .bool(booking.needsSlot)),
                ("confirmedAt", .string((booking.confirmedAt ?? at).rfc3339)),
            ], at: at)
    }

    /// Rejected, cancelled and expired requests: nobody waits for them any more.
    static func ended(_ decision: BookingDecision, by actor: String, at: Instant) -> OutboxEvent {
        let booking = decision.booking
        let topic = booking.status == .expired ? "booking.expired" : "booking.cancelled"
        return event(
            topic, booking, decision.action,
            [
                ("course_id", .string(booking.offeringID.description)),
                ("course_code", .string(booking.offeringCode)),
                ("slot_id", id(decision.releases)),
                ("first_choice_slot_id", id(booking.firstChoice)),
                ("second_choice_slot_id", id(booking.secondChoice)),
                ("cancelledBy", .string(actor)),
            ], at: at)
    }

    /// B-13 with absolute numbers and a version.
    static func availability(_ slot: Slot, version: Int64, at: Instant) -> OutboxEvent {
        let status =
            slot.status != .available
            ? slot.status.rawValue
            : slot.isBlocked ? "unavailable" : slot.remaining <= 0 ? "booked" : "available"
        return OutboxEvent(
            topic: "availability.updated", id: slot.id.description, action: "updated",
            version: version,
            data: [
                ("slot_id", .string(slot.id.description)),
                ("schedule_id", .string(slot.id.description)),
                ("course_id", .string(slot.offering.id.description)),
                ("course_code", .string(slot.offering.code)),
                ("instructor_id", id(slot.instructor?.id)),
                ("room_id", id(slot.room?.id)),
                ("resource_ids", .array(slot.resources.map { .string($0.id.description) })),
                ("start_time", .string(slot.startsAt.rfc3339)),
                ("end_time", .string(slot.endsAt.rfc3339)),
                ("capacity", number(slot.capacity)),
                ("slots_remaining", number(max(0, slot.remaining))),
                ("demand", number(slot.demand)),
                ("status", .string(status)),
                ("version", .string(String(version))),
            ], at: at)
    }

    /// B-09: which schedule, instructor and room an assignment touched.
    static func schedule(_ slot: Slot, action: String, version: Int64, at: Instant) -> OutboxEvent {
        OutboxEvent(
            topic: "schedule.updated", id: slot.id.description, action: action, version: version,
            data: [
                ("schedule_id", .string(slot.id.description)),
                ("course_id", .string(slot.offering.id.description)),
                ("course_code", .string(slot.offering.code)),
                ("instructor_id", id(slot.instructor?.id)),
                ("room_id", id(slot.room?.id)),
                ("resource_ids", .array(slot.resources.map { .string($0.id.description) })),
                ("action", .string(action)),
            ], at: at)
    }

    /// Others asked for a slot that is now full: they should be offered another. Staff are
    /// told, and whoever watches such a request.
    /// - Parameter winners: those who have taken its seats.
    static func choicesLost(
        _ slot: Slot, _ requests: [UUID: [UUID]], by winners: Set<UUID>, at: Instant
    ) -> [OutboxEvent] {
        let others = requests[slot.id, default: []].filter { !winners.contains($0) }
        guard !others.isEmpty else { return [] }
        return [
            OutboxEvent(
                topic: "admin.notifications", id: slot.id.description, action: "choices_lost",
                version: slot.version,
                data: [
                    ("kind", .string("choices_lost")), ("slot_id", .string(slot.id.description)),
                    ("booking_ids", .array(others.map { .string($0.description) })),
                ], at: at),
            OutboxEvent(
                topic: "booking.choices_lost", id: slot.id.description, action: "choices_lost",
                version: slot.version,
                data: [
                    ("slot_id", .string(slot.id.description)),
                    ("course_id", .string(slot.offering.id.description)),
                    ("course_code", .string(slot.offering.code)),
                    ("booking_ids", .array(others.map { .string($0.description) })),
                ], at: at),
        ]
    }

    /// Bookings have a seat in a slot that will not take place: they need another.
    static func withdrawn(_ slot: Slot, _ bookings: [UUID], version: Int64, at: Instant)
        -> OutboxEvent
    {
        OutboxEvent(
            topic: "admin.notifications", id: slot.id.description, action: "slot_withdrawn",
            version: version,
            data: [
                ("kind", .string("slot_withdrawn")), ("slot_id", .string(slot.id.description)),
                ("booking_ids", .array(bookings.map { .string($0.description) })),
            ], at: at)
    }

    private static func event(
        _ topic: String, _ booking: Booking, _ action: String, _ data: [(String, JSONValue)],
        at: Instant
    ) -> OutboxEvent {
        let common: [(String, JSONValue)] = [
            ("booking_id", .string(booking.id.description)),
            ("bookingId", .string(booking.id.description)),
            ("status", .string(booking.status.rawValue)),
        ]
        return OutboxEvent(
            topic: topic, id: booking.id.description, action: action, version: booking.version,
            data: common + data, at: at)
    }

    private static func id(_ id: UUID?) -> JSONValue { id.map { .string($0.description) } ?? .null }

    private static func numbers(_ values: [UUID: Int]) -> JSONValue {
        .object(values.sorted { $0.key < $1.key }.map { ($0.key.description, number($0.value)) })
    }

    private static func number(_ value: Int) -> JSONValue { .number(String(value)) }
}
