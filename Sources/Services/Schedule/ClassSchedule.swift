import Domain
import Environment
import Schema

/// One class in time: the offer that Inventory knows as a slot of the same id.
struct ClassSchedule: Sendable, Hashable {
    let id: UUID
    let courseID: UUID
    let instructorID: UUID
    let roomID: UUID
    let startsAt: Instant
    let endsAt: Instant
    let capacity: Int
}

/// A request for class schedules that looks right by itself.
struct NewClassSchedules: Sendable {
    /// One of them; the capacity is the course's when nil.
    struct Entry: Sendable {
        let id: UUID
        let instructorID: UUID
        let roomID: UUID
        let startsAt: Instant
        let endsAt: Instant
        let capacity: Int?
    }

    static let limit = 1000
    static let longest = Duration.seconds(24 * 3600)

    let course: CourseKey
    let entries: [Entry]

    /// - Throws: VALIDATION_FAILED with every violation, or COURSE_NOT_FOUND.
    init(_ request: ScheduleV1.CreateClassSchedulesRequest) throws(DomainError) {
        var rules = FieldRules()
        if request.schedules.isEmpty {
            rules.refuse("schedules", "is required")
        } else if request.schedules.count > Self.limit {
            rules.refuse("schedules", "holds more than \(Self.limit)")
        }
        var entries: [Entry] = []
        var ids: Set<UUID> = []
        for (index, schedule) in request.schedules.prefix(Self.limit).enumerated() {
            let path = "schedules[\(index)]"
            guard let entry = Self.entry(schedule, path, &rules) else { continue }
            if !ids.insert(entry.id).inserted { rules.refuse("\(path).id", "occurs twice") }
            entries.append(entry)
        }
        try rules.check()
        self.entries = entries
        course = try CourseKey(request.courseId)
    }

    private static func entry(
        _ schedule: ScheduleV1.NewClassSchedule, _ path: String, _ rules: inout FieldRules
    ) -> Entry? {
        let before = rules.violations.count
        let id = rules.optionalUUID(schedule.id, "\(path).id")
        let instructor = rules.uuid(schedule.instructorId, "\(path).instructor_id")
        let room = rules.uuid(schedule.roomId, "\(path).room_id")
        if schedule.capacity != 0 {
            CourseRules.checkSeats(schedule.capacity, "\(path).capacity", &rules)
        }
        let start = rules.instant(schedule.startTime, "\(path).start_time")
        let end = rules.instant(schedule.endTime, "\(path).end_time")
        if schedule.startTime == nil { rules.refuse("\(path).start_time", "is required") }
        if schedule.endTime == nil { rules.refuse("\(path).end_time", "is required") }
        guard let start, let end else { return nil }
        if end <= start {
            rules.refuse("\(path).end_time", "is not after start_time")
        } else if start.duration(to: end) > longest {
            rules.refuse("\(path).end_time", "is more than 24 hours after start_time")
        }
        guard rules.violations.count == before, let instructor, let room else { return nil }
        return Entry(
            id: id ?? .timeOrdered(), instructorID: instructor, roomID: room, startsAt: start,
            endsAt: end, capacity: schedule.capacity == 0 ? nil : Int(schedule.capacity))
    }

    /// The class schedules themselves, once the course is known.
    func schedules(of course: Course) -> [ClassSchedule] {
        entries.map { entry in
            ClassSchedule(
                id: entry.id, courseID: course.id, instructorID: entry.instructorID,
                roomID: entry.roomID, startsAt: entry.startsAt, endsAt: entry.endsAt,
                capacity: entry.capacity ?? course.maxStudents)
        }
    }
}
