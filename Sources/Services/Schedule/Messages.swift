import Domain
import Environment
import Protobuf
import Schema

// The one place where values of the domain become messages of the contracts.

extension BookingV1.ClaimPolicy {
    init(_ policy: Course.ClaimPolicy) {
        self = policy == .publish ? .publish : .assign
    }
}

extension ScheduleV1.Course {
    init(_ course: Course) {
        self.init()
        id = course.id.description
        code = course.code
        title = course.title
        description = course.description
        maxStudents = Int32(clamping: course.maxStudents)
        claimAt = BookingV1.ClaimPolicy(course.claimAt)
        timeZone = course.timeZone
        locationId = course.locationID?.description
        policy = course.policy
        price = course.price
        currency = course.currency
        kind = course.kind
    }
}

extension ScheduleV1.Instructor {
    init(_ instructor: Instructor) {
        self.init()
        id = instructor.id.description
        name = instructor.name
    }
}

extension ScheduleV1.Room {
    init(_ room: Room) {
        self.init()
        id = room.id.description
        name = room.name
        capacity = Int32(clamping: room.capacity)
    }
}

extension ScheduleV1.ClassSchedule {
    init(_ schedule: ClassSchedule) {
        self.init()
        id = schedule.id.description
        courseId = schedule.courseID.description
        instructorId = schedule.instructorID?.description ?? ""
        roomId = schedule.roomID?.description ?? ""
        resourceIds = schedule.resourceIDs.map(\.description)
        price = schedule.price
        seriesId = schedule.seriesID?.description
        startTime = GoogleProtobuf.Timestamp(schedule.startsAt)
        endTime = GoogleProtobuf.Timestamp(schedule.endsAt)
        capacity = Int32(clamping: schedule.capacity)
    }
}

extension BookingV1.Offering {
    init(_ course: Course) {
        self.init()
        id = course.id.description
        code = course.code
        title = course.title
        claimAt = BookingV1.ClaimPolicy(course.claimAt)
        timeZone = course.timeZone
        locationId = course.locationID?.description
        policy = course.policy
        price = course.price
        currency = course.currency
        kind = course.kind
    }
}

extension BookingV1.SlotPublication {
    init(_ item: UnpublishedSchedule) {
        self.init()
        let schedule = item.schedule
        id = schedule.id.description
        instructor = item.instructor
        room = item.room
        resources = schedule.resourceIDs.map { id in
            var resource = BookingV1.NamedResource()
            resource.id = id.description
            return resource
        }
        price = schedule.price
        startTime = GoogleProtobuf.Timestamp(schedule.startsAt)
        endTime = GoogleProtobuf.Timestamp(schedule.endsAt)
        capacity = Int32(clamping: schedule.capacity)
    }
}
