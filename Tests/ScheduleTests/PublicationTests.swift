import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Synchronization
import Testing

@testable import Schedule

/// Own commit, publish, mark: what happens when one of the steps does not.
@Suite(.timeLimit(.minutes(5)))
struct PublicationTests {
    private static let away = RPCError(.unavailable, "away")

    @Test("a refused course is taken back in the same request")
    func refusedCourse() async throws {
        let fixture = try await Fixture("publication_refused_course")
        fixture.inventory.fail(with: DomainError(.alreadyExists, "taken"))
        let error = await refusal { _ = try await fixture.client.createCourse(fixture.course()) }
        #expect(error.code == .alreadyExists)
        #expect(try await fixture.count("select count(*) from courses") == 0)
        fixture.inventory.fail(with: nil)
        _ = try await fixture.client.createCourse(fixture.course())
    }

    @Test("D-07: a conflict in Inventory passes through with its details, and nothing is left")
    func conflict() async throws {
        let fixture = try await Fixture("publication_conflict")
        _ = try await fixture.client.createCourse(fixture.course())
        let request = fixture.schedules("PIANO-101", try await fixture.staff(), count: 2)
        var details = BookingV1.ConflictDetails()
        details.conflicts = [BookingV1.Conflict()]
        fixture.inventory.fail(
            with: DomainError(.scheduleConflict, "the room is occupied").with(details))
        let error = await refusal { _ = try await fixture.client.createClassSchedules(request) }
        #expect(error.code == .failedPrecondition)
        #expect(error.message == "the room is occupied")
        let info = try GoogleRpc.ErrorInfo(decoding: error.details.first?.value ?? [])
        #expect(info.reason == "SCHEDULE_CONFLICT")
        #expect(
            try BookingV1.ConflictDetails(decoding: error.details.last?.value ?? []) == details)
        #expect(try await fixture.count("select count(*) from class_schedules") == 0)
        #expect(try await fixture.count("select count(*) from outbox") == 0)
    }

    @Test("while Inventory is away the rows wait unseen; the publisher ends it, with one event")
    func healed() async throws {
        let fixture = try await Fixture("publication_healed")
        _ = try await fixture.client.createCourse(fixture.course())
        let request = fixture.schedules("PIANO-101", try await fixture.staff(), count: 2)
        fixture.inventory.fail(with: Self.away)
        let error = await refusal { _ = try await fixture.client.createClassSchedules(request) }
        #expect(error.code == .unavailable)
        #expect(try await fixture.list("PIANO-101").isEmpty)
        await #expect(throws: DomainError.self) { try await fixture.publisher.publishRest() }
        fixture.inventory.fail(with: nil)
        try await fixture.publisher.publishRest()
        #expect(try await fixture.list("PIANO-101").count == 2)
        #expect(fixture.inventory.state.withLock { $0.slots.count } == 2)
        #expect(try await fixture.count("select count(*) from outbox") == 2)
        let calls = fixture.inventory.state.withLock { $0.calls }
        try await fixture.publisher.publishRest()
        #expect(fixture.inventory.state.withLock { $0.calls } == calls)
    }

    @Test("an answer that was lost is settled by sending the same again")
    func lostAnswer() async throws {
        let fixture = try await Fixture("publication_lost")
        let course = fixture.course(id: .random())
        fixture.inventory.fail(with: Self.away, afterwards: true)
        let first = await refusal { _ = try await fixture.client.createCourse(course) }
        #expect(first.code == .unavailable)
        fixture.inventory.fail(with: nil)
        _ = try await fixture.client.createCourse(course)
        #expect(try await fixture.client.listCourses(.init()).courses.count == 1)
    }

    @Test("a course and its schedules that were left half done are both published, in this order")
    func courseFirst() async throws {
        let fixture = try await Fixture("publication_order")
        let course = fixture.course(id: .random())
        fixture.inventory.fail(with: Self.away)
        _ = await refusal { _ = try await fixture.client.createCourse(course) }
        fixture.inventory.fail(with: nil)
        let request = fixture.schedules("PIANO-101", try await fixture.staff())
        _ = try await fixture.client.createClassSchedules(request)
        #expect(fixture.inventory.state.withLock { $0.offerings.count } == 1)
        #expect(try await fixture.list("PIANO-101").count == 1)
    }

    @Test("what is refused afterwards is taken back by the publisher, and does not stop the rest")
    func refusedAfterwards() async throws {
        let fixture = try await Fixture("publication_refused")
        _ = try await fixture.client.createCourse(fixture.course())
        let staff = try await fixture.staff()
        fixture.inventory.fail(with: Self.away)
        for _ in 0..<2 {
            _ = await refusal {
                _ = try await fixture.client.createClassSchedules(
                    fixture.schedules("PIANO-101", staff))
            }
        }
        fixture.inventory.fail(with: DomainError(.scheduleConflict, "occupied"))
        try await fixture.publisher.publishRest()
        #expect(try await fixture.count("select count(*) from class_schedules") == 0)
    }

    @Test(
        "only a real refusal is definitive",
        arguments: [
            (RPCError.Code.unavailable, false), (.deadlineExceeded, false), (.cancelled, false),
            (.internalError, false), (.unknown, false), (.unauthenticated, false),
            (.permissionDenied, false), (.resourceExhausted, false), (.aborted, false),
            (.failedPrecondition, true), (.alreadyExists, true), (.invalidArgument, true),
            (.notFound, true),
        ])
    func definitive(code: RPCError.Code, isDefinitive: Bool) {
        #expect(Publication.isDefinitive(RPCError(code, "")) == isDefinitive)
    }
}
