import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Synchronization
import Testing

@testable import Schedule

@Suite(.timeLimit(.minutes(5)))
struct TimetableTests {
    @Test("D-06: a created course is published as an offering, listed and found by id and code")
    func course() async throws {
        let fixture = try await Fixture("schedule_course")
        let course = try #require(
            try await fixture.client.createCourse(fixture.course()).course)
        #expect(course.timeZone == "Asia/Jakarta")
        let offering = fixture.inventory.state.withLock { $0.offerings[course.id] }
        #expect(offering?.code == "PIANO-101")
        #expect(offering?.claimAt == .publish)
        for key in [course.id, course.code] {
            var request = ScheduleV1.GetCourseRequest()
            request.courseId = key
            #expect(try await fixture.client.getCourse(request).course == course)
        }
        var unknown = ScheduleV1.GetCourseRequest()
        unknown.courseId = "VIOLIN-1"
        let error = await refusal { _ = try await fixture.client.getCourse(unknown) }
        #expect(error.code == .notFound)
    }

    @Test(
        "D-06: a search finds courses that hold every word, in any case and taken literally",
        arguments: [
            ("", 2), ("piano", 1), ("DASAR piano", 1), ("dasar", 2), ("100%", 2), ("1%0", 0),
            ("piano vokal", 0), ("_", 0),
        ])
    func search(query: String, count: Int) async throws {
        let fixture = try await Fixture("schedule_search")
        _ = try await fixture.client.createCourse(fixture.course())
        _ = try await fixture.client.createCourse(
            fixture.course("VOCAL-1") { $0.title = "Vokal Dasar" })
        var request = ScheduleV1.ListCoursesRequest()
        request.query = query
        #expect(try await fixture.client.listCourses(request).courses.count == count)
    }

    @Test("the same id and content is the same course; anything else exists already")
    func idempotentCourse() async throws {
        let fixture = try await Fixture("schedule_idempotent")
        let request = fixture.course(id: .random())
        let first = try await fixture.client.createCourse(request)
        #expect(try await fixture.client.createCourse(request) == first)
        for other in [
            fixture.course(id: .random()), fixture.course("VOCAL-1", id: UUID(request.id ?? "")),
            fixture.course(),
        ] {
            let error = await refusal { _ = try await fixture.client.createCourse(other) }
            #expect(error.code == .alreadyExists)
        }
        #expect(try await fixture.count("select count(*) from courses") == 1)
    }

    @Test("a zone that looks right and does not exist is refused")
    func unknownZone() async throws {
        let fixture = try await Fixture("schedule_zone")
        let error = await refusal {
            _ = try await fixture.client.createCourse(
                fixture.course { $0.timeZone = "Asia/Atlantis" })
        }
        #expect(error.code == .invalidArgument)
        #expect(try await fixture.count("select count(*) from courses") == 0)
    }

    @Test("instructors and rooms: idempotent by id, listed by name")
    func staff() async throws {
        let fixture = try await Fixture("schedule_staff")
        var instructor = ScheduleV1.CreateInstructorRequest()
        instructor.id = UUID.random().description
        instructor.name = "Sari"
        let first = try await fixture.client.createInstructor(instructor)
        #expect(try await fixture.client.createInstructor(instructor) == first)
        instructor.name = "Budi"
        let other = await refusal { _ = try await fixture.client.createInstructor(instructor) }
        #expect(other.code == .alreadyExists)
        var room = ScheduleV1.CreateRoomRequest()
        room.id = UUID.random().description
        room.name = "Ruang 1"
        room.capacity = 2
        _ = try await fixture.client.createRoom(room)
        room.capacity = 3
        let bigger = await refusal { _ = try await fixture.client.createRoom(room) }
        #expect(bigger.code == .alreadyExists)
        let instructors = try await fixture.client.listInstructors(.init()).instructors
        #expect(instructors.map(\.name) == ["Sari"])
        #expect(try await fixture.client.listRooms(.init()).rooms.map(\.capacity) == [2])
    }

    @Test("X-15, X-23, X-120: class schedules become slots of the same ids, and events")
    func schedules() async throws {
        let fixture = try await Fixture("schedule_slots")
        let staff = try await fixture.staff()
        let course = try await fixture.client.createCourse(fixture.course()).course
        var request = fixture.schedules("PIANO-101", staff, count: 3)
        request.schedules[2].capacity = 2
        let made = try await fixture.client.createClassSchedules(request).schedules
        #expect(made.map(\.id) == request.schedules.map { $0.id ?? "" })
        #expect(made.map(\.capacity) == [4, 4, 2])
        let slots = fixture.inventory.state.withLock { $0.slots }
        #expect(Set(slots.keys) == Set(made.map(\.id)))
        #expect(slots[made[0].id]?.instructor?.name == "Ibu Sari")
        #expect(slots[made[2].id]?.capacity == 2)
        #expect(try await fixture.list("PIANO-101") == made)
        #expect(try await fixture.list(course?.id ?? "") == made)
        // with the admin, once for each.
        let bodies: [String] = try await fixture.pool.query("select body from outbox order by id")
            .map { try $0[0] }
        #expect(bodies.count == 3)
        #expect(bodies.allSatisfy { $0.contains("\"actor\":\"admin:7\"") })
        // The same again changes nothing.
        #expect(try await fixture.client.createClassSchedules(request).schedules == made)
        #expect(try await fixture.count("select count(*) from outbox") == 3)
    }

    @Test("the time window of a list touches what lies across its edges")
    func window() async throws {
        let fixture = try await Fixture("schedule_window")
        _ = try await fixture.client.createCourse(fixture.course())
        let request = fixture.schedules("PIANO-101", try await fixture.staff(), count: 4)
        let made = try await fixture.client.createClassSchedules(request).schedules
        var list = ScheduleV1.ListClassSchedulesRequest()
        list.courseId = "PIANO-101"
        list.from = GoogleProtobuf.Timestamp(Fixture.start + .seconds(5400))
        list.to = GoogleProtobuf.Timestamp(Fixture.start + .seconds(7201))
        let found = try await fixture.client.listClassSchedules(list).schedules
        #expect(found == Array(made[1...2]))
        list.to = list.from
        let error = await refusal { _ = try await fixture.client.listClassSchedules(list) }
        #expect(error.code == .invalidArgument)
    }

    @Test("an id that stands for something else refuses all of them")
    func otherContent() async throws {
        let fixture = try await Fixture("schedule_other")
        let staff = try await fixture.staff()
        _ = try await fixture.client.createCourse(fixture.course())
        var request = fixture.schedules("PIANO-101", staff)
        _ = try await fixture.client.createClassSchedules(request)
        request.schedules[0].capacity = 3
        request.schedules.append(fixture.schedules("PIANO-101", staff).schedules[0])
        let error = await refusal { _ = try await fixture.client.createClassSchedules(request) }
        #expect(error.code == .alreadyExists)
        #expect(try await fixture.count("select count(*) from class_schedules") == 1)
        #expect(fixture.inventory.state.withLock { $0.slots.count } == 1)
    }

    @Test(
        "unknown course, instructor and room have codes of their own",
        arguments: ["COURSE_NOT_FOUND", "INSTRUCTOR_NOT_FOUND", "ROOM_NOT_FOUND"])
    func unknown(reason: String) async throws {
        let fixture = try await Fixture("schedule_unknown")
        var staff = try await fixture.staff()
        _ = try await fixture.client.createCourse(fixture.course())
        if reason == "INSTRUCTOR_NOT_FOUND" { staff.instructor = UUID.random().description }
        if reason == "ROOM_NOT_FOUND" { staff.room = UUID.random().description }
        let code = reason == "COURSE_NOT_FOUND" ? "VIOLIN-1" : "PIANO-101"
        let error = await refusal {
            _ = try await fixture.client.createClassSchedules(fixture.schedules(code, staff))
        }
        #expect(error.code == .notFound)
        let info = try GoogleRpc.ErrorInfo(decoding: error.details.first?.value ?? [])
        #expect(info.reason == reason)
    }

    @Test("a thousand class schedules at once")
    func thousand() async throws {
        let fixture = try await Fixture("schedule_thousand")
        _ = try await fixture.client.createCourse(fixture.course())
        let request = fixture.schedules("PIANO-101", try await fixture.staff(), count: 1000)
        _ = try await fixture.client.createClassSchedules(request)
        #expect(try await fixture.list("PIANO-101").count == 1000)
        #expect(fixture.inventory.state.withLock { $0.slots.count } == 1000)
    }
}
