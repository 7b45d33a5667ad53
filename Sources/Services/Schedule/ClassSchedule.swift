import Domain
import Environment
import Schema

/// One class in time: the offer that Inventory knows as a slot of the same id.
struct ClassSchedule: Sendable, Hashable {
    let id: UUID
    let courseID: UUID
    let instructorID: UUID?
    let roomID: UUID?
    /// Others that it occupies, ascending.
    var resourceIDs: [UUID] = []
    let startsAt: Instant
    let endsAt: Instant
    let capacity: Int
    /// The course's when nil.
    var price: Int64?
    var seriesID: UUID?
}

/// A request for class schedules that looks right by itself.
struct NewClassSchedules: Sendable {
    /// One of them; the capacity is the course's when nil.
    struct Entry: Sendable {
        let id: UUID
        let staff: Staff
        let startsAt: Instant
        let endsAt: Instant
        let capacity: Int?
        let price: Int64?
    }

    static let limit = 1000
    static let longest = Duration.seconds(24 * 3600)

    let course: CourseKey
    let entries: [Entry]

    /// - Parameter newID: what the ids of those without one follow from.
    /// - Throws: VALIDATION_FAILED with every violation, or COURSE_NOT_FOUND.
    init(
        _ request: ScheduleV1.CreateClassSchedulesRequest, otherwise newID: UUID? = nil
    ) throws(DomainError) {
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
            let newID = newID.map { UUID.named("\($0) \(path)") } ?? .timeOrdered()
            guard let entry = Self.entry(schedule, path, newID, &rules) else { continue }
            if !ids.insert(entry.id).inserted { rules.refuse("\(path).id", "occurs twice") }
            entries.append(entry)
        }
        try rules.check()
        self.entries = entries
        course = try CourseKey(request.courseId)
    }

    private static func entry(
        _ schedule: ScheduleV1.NewClassSchedule, _ path: String, _ newID: UUID,
        _ rules: inout FieldRules
    ) -> Entry? {
        let before = rules.violations.count
        let id = rules.optionalUUID(schedule.id, "\(path).id")
        let staff = Staff(
            instructor: schedule.instructorId, room: schedule.roomId,
            resources: schedule.resourceIds, "\(path).", &rules)
        rules.price(schedule.price, "\(path).price")
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
        guard rules.violations.count == before else { return nil }
        return Entry(
            id: id ?? newID, staff: staff, startsAt: start, endsAt: end,
            capacity: schedule.capacity == 0 ? nil : Int(schedule.capacity),
            price: schedule.price)
    }

    /// The class schedules themselves, once the course is known.
    func schedules(of course: Course) -> [ClassSchedule] {
        entries.map { entry in
            ClassSchedule(
                id: entry.id, courseID: course.id, instructorID: entry.staff.instructor,
                roomID: entry.staff.room, resourceIDs: entry.staff.resources,
                startsAt: entry.startsAt, endsAt: entry.endsAt,
                capacity: entry.capacity ?? course.maxStudents, price: entry.price)
        }
    }
}

/// Who and what a class schedule occupies: instructor and room, or resources of any kind.
struct Staff: Sendable, Hashable {
    let instructor: UUID?
    let room: UUID?
    /// Ascending, each once.
    let resources: [UUID]

    static let resourceLimit = 18

    init(
        instructor: String, room: String, resources: [String], _ path: String,
        _ rules: inout FieldRules
    ) {
        // A lesson needs somebody and somewhere, unless it says by resources what it needs.
        self.instructor =
            instructor.isEmpty && !resources.isEmpty
            ? nil : rules.uuid(instructor, "\(path)instructor_id")
        self.room =
            room.isEmpty && !resources.isEmpty ? nil : rules.uuid(room, "\(path)room_id")
        if resources.count > Self.resourceLimit {
            rules.refuse("\(path)resource_ids", "holds more than \(Self.resourceLimit)")
        }
        let ids = resources.prefix(Self.resourceLimit).enumerated().compactMap {
            rules.uuid($1, "\(path)resource_ids[\($0)]")
        }
        self.resources = Set(ids).sorted()
    }
}
