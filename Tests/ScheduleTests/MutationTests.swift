import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Synchronization
import TestKit
import Testing

@testable import Schedule

@Suite("Mutations under keys", .timeLimit(.minutes(5)))
struct MutationTests {
    private typealias Methods = ScheduleV1.ScheduleMethods
    private static let away = RPCError(.unavailable, "away")

    private static func admin(_ method: MethodDescriptor) -> ServerContext {
        let context = ServerContext(method: method)
        context[PrincipalKey.self] = .admin(id: "7")
        return context
    }

    /// Of a group class or of requests; without an id.
    private func series(
        _ fixture: Fixture, _ course: String = "PIANO-101"
    ) async throws -> ScheduleV1.GenerateSeriesRequest {
        let staff = try await fixture.staff()
        var request = ScheduleV1.GenerateSeriesRequest()
        request.courseId = course
        var rule = ScheduleV1.WeeklyRule()
        (rule.days, rule.times, rule.minutes) = (["tuesday", "friday"], ["10:00"], 45)
        request.rules = [rule]
        (request.fromDate, request.count) = ("2026-03-24", 4)
        (request.instructorId, request.roomId) = (staff.instructor, staff.room)
        request.idempotencyKey = "k"
        return request
    }

    private func generate(
        _ request: ScheduleV1.GenerateSeriesRequest, _ fixture: Fixture
    ) async throws -> ScheduleV1.GenerateSeriesResponse {
        try await fixture.service.generateSeries(request, Self.admin(Methods.generateSeries))
    }

    @Test("X-09: each is done once, and answered the same to twins and whoever comes again")
    func all() async throws {
        let fixture = try await Fixture("mutations")
        _ = try await fixture.client.createCourse(fixture.course { $0.claimAt = .assign })
        let calls =
            try await staff(fixture) + courses(fixture) + schedules(fixture)
        #expect(Set(calls.map(\.name)) == Mutations.ofSchedule)
        for call in calls {
            for problem in try await call.problems(schema: "schedule", in: fixture.database) {
                Issue.record("\(problem)")
            }
        }
        #expect(fixture.inventory.state.withLock { $0.slots.count } == 6)
    }

    private func staff(_ fixture: Fixture) async throws -> [KeyedCall] {
        var instructor = ScheduleV1.CreateInstructorRequest()
        instructor.name = "Pak Dedi"
        var room = ScheduleV1.CreateRoomRequest()
        (room.name, room.capacity) = ("Ruang 9", 3)
        return [
            KeyedCall(
                Methods.createInstructor,
                once: [("select count(*) from instructors where name = 'Pak Dedi'", "1")],
                Self.admin, instructor, key: \.idempotencyKey, other: { $0.name = "Bu Ani" },
                fixture.service.createInstructor),
            KeyedCall(
                Methods.createRoom,
                once: [("select count(*) from rooms where name = 'Ruang 9'", "1")],
                Self.admin, room, key: \.idempotencyKey, other: { $0.capacity = 4 },
                fixture.service.createRoom),
        ]
    }

    private func courses(_ fixture: Fixture) async throws -> [KeyedCall] {
        var update = ScheduleV1.UpdateCourseRequest()
        (update.courseId, update.title, update.maxStudents) = ("PIANO-101", "Piano", 9)
        return [
            KeyedCall(
                Methods.createCourse,
                once: [("select count(*) from courses where published_at is not null", "2")],
                Self.admin, fixture.course("DRUM-1"), key: \.idempotencyKey,
                other: { $0.code = "DRUM-2" }, fixture.service.createCourse),
            KeyedCall(
                Methods.updateCourse,
                once: [("select max_students from courses where code = 'PIANO-101'", "9")],
                Self.admin, update, key: \.idempotencyKey, other: { $0.maxStudents = 8 },
                fixture.service.updateCourse),
        ]
    }

    private func schedules(_ fixture: Fixture) async throws -> [KeyedCall] {
        var create = fixture.schedules("PIANO-101", try await fixture.staff(), count: 2)
        for index in create.schedules.indices { create.schedules[index].id = nil }
        return [
            KeyedCall(
                Methods.createClassSchedules,
                once: [
                    ("select count(*) from class_schedules where series_id is null", "2"),
                    ("select count(*) from outbox", "2"),
                ], Self.admin, create, key: \.idempotencyKey,
                other: { $0.schedules[0].capacity = 2 }, fixture.service.createClassSchedules),
            KeyedCall(
                Methods.generateSeries,
                once: [
                    ("select count(*) from class_schedules where series_id is not null", "4"),
                    ("select count(*) from outbox", "6"),
                ], Self.admin, try await series(fixture), key: \.idempotencyKey,
                other: { $0.count = 3 }, fixture.service.generateSeries),
        ]
    }

    @Test("a series without an id, whose answer was lost, is published once; its key is taken")
    func lostAnswer() async throws {
        let fixture = try await Fixture("mutations_lost")
        _ = try await fixture.client.createCourse(fixture.course { $0.claimAt = .assign })
        var request = try await series(fixture)
        fixture.inventory.fail(with: Self.away, afterwards: true)
        let lost = await refusal { _ = try await generate(request, fixture) }
        #expect(lost.code == .unavailable)
        request.count = 3
        let other = await refusal { _ = try await generate(request, fixture) }
        #expect(other.message == IdempotencyTable.reused.message)
        request.count = 4
        fixture.inventory.fail(with: nil)
        let made = try await generate(request, fixture)
        #expect(try await generate(request, fixture) == made)
        #expect(try await fixture.list("PIANO-101") == made.schedules)
        #expect(made.schedules.count == 4)
        #expect(fixture.inventory.state.withLock { $0.slots.count } == 4)
        #expect(try await fixture.count("select count(*) from outbox") == 4)
    }

    @Test("what Inventory refuses leaves its key unused, for the same and for another request")
    func refused() async throws {
        let fixture = try await Fixture("mutations_refused")
        fixture.inventory.fail(with: DomainError(.policyNotFound, "no such policy"))
        var course = fixture.course()
        course.idempotencyKey = "k"
        let asked = course
        let first = await refusal { _ = try await fixture.client.createCourse(asked) }
        #expect(first.code == .notFound)
        fixture.inventory.fail(with: nil)
        course.title = "Other"
        let made = try await fixture.client.createCourse(course)
        #expect(try await fixture.client.createCourse(course) == made)
        fixture.inventory.fail(with: DomainError(.scheduleConflict, "occupied"))
        let request = try await series(fixture)
        for _ in 0..<2 {
            let error = await refusal { _ = try await generate(request, fixture) }
            #expect(error.code == .failedPrecondition)
        }
        #expect(try await fixture.count("select count(*) from class_schedules") == 0)
        fixture.inventory.fail(with: nil)
        #expect(try await generate(request, fixture).schedules.count == 4)
        #expect(
            try await fixture.count("select count(*) from idempotency_key where response = ''")
                == 0)
    }

    @Test("what was in conflict at first stays left out of the answer, whatever is free since")
    func leftOut() async throws {
        let fixture = try await Fixture("mutations_left_out")
        _ = try await fixture.client.createCourse(fixture.course())
        let busy = try #require(Instant(rfc3339: "2026-03-31T03:00:00Z"))
        var request = try await series(fixture)
        request.skipConflicts = true
        fixture.inventory.state.withLock { $0.busy = [busy] }
        let made = try await generate(request, fixture)
        #expect(made.skipped.map(\.date) == ["2026-03-31"])
        fixture.inventory.state.withLock { $0.busy = [] }
        #expect(try await generate(request, fixture) == made)
        #expect(try await fixture.list("PIANO-101") == made.schedules)
        // Its first try broken off, the publisher did it; the answer is the same as ever.
        request.idempotencyKey = "broken off"
        request.fromDate = "2026-05-01"
        fixture.inventory.fail(with: Self.away)
        let asked = request
        _ = await refusal { _ = try await generate(asked, fixture) }
        fixture.inventory.fail(with: nil)
        let later = try #require(Instant(rfc3339: "2026-05-05T03:00:00Z"))
        fixture.inventory.state.withLock { $0.busy = [later] }
        try await fixture.publisher.publishRest()
        fixture.inventory.state.withLock { $0.busy = [] }
        let ended = try await generate(request, fixture)
        #expect(ended.skipped.map(\.date) == ["2026-05-05"] && ended.schedules.count == 3)
        #expect(try await generate(request, fixture) == ended)
    }

    @Test("what the publisher has taken back is asked for anew under the same key")
    func takenBack() async throws {
        let fixture = try await Fixture("mutations_taken_back")
        _ = try await fixture.client.createCourse(fixture.course())
        let request = try await series(fixture)
        fixture.inventory.fail(with: Self.away)
        _ = await refusal { _ = try await generate(request, fixture) }
        fixture.inventory.fail(with: DomainError(.scheduleConflict, "occupied"))
        try await fixture.publisher.publishRest()
        #expect(try await fixture.count("select count(*) from class_schedules") == 0)
        fixture.inventory.fail(with: nil)
        #expect(try await generate(request, fixture).schedules.count == 4)
        #expect(try await fixture.list("PIANO-101").count == 4)
    }
}
