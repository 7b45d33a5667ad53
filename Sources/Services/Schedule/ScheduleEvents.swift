import Domain
import Environment
import Protobuf

/// What the schedule service publishes: ids and times only.
enum ScheduleEvents {
    /// B-09, with the admin who did it.
    static func created(_ item: UnpublishedSchedule, at: Instant) -> OutboxEvent {
        let schedule = item.schedule
        return OutboxEvent(
            topic: "schedule.updated", id: schedule.id.description, action: "created", version: 1,
            data: [
                ("schedule_id", .string(schedule.id.description)),
                ("course_id", .string(schedule.courseID.description)),
                ("course_code", .string(item.courseCode)),
                ("instructor_id", schedule.instructorID.map { .string($0.description) } ?? .null),
                ("room_id", schedule.roomID.map { .string($0.description) } ?? .null),
                ("start_time", .string(schedule.startsAt.rfc3339)),
                ("end_time", .string(schedule.endsAt.rfc3339)),
                ("capacity", .number(String(schedule.capacity))),
                ("action", .string("created")),
                ("actor", .string(item.createdBy)),
            ], at: at)
    }

    /// The class does not take place: Inventory has withdrawn its slot.
    static func deleted(_ schedule: UUID, course: UUID, code: String, at: Instant) -> OutboxEvent {
        OutboxEvent(
            topic: "schedule.deleted", id: schedule.description, action: "deleted", version: 2,
            data: [
                ("schedule_id", .string(schedule.description)),
                ("course_id", .string(course.description)), ("course_code", .string(code)),
                ("action", .string("deleted")),
            ], at: at)
    }
}
