import Foundation
import Protobuf
import RPC
import Schema
import TestKit
import Testing

extension EndToEnd {
    @Suite("Idempotency and racing duplicates")
    struct IdempotencyTests {
        typealias Mode = SystemUnderTest.Mode

        @Test(
            "X-09: the same key tells the original, with another body it is refused",
            arguments: Mode.allCases)
        func replay(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1)])
            let key = UUID().uuidString
            let body = Stage.registration(course, email: "rini@example.com", key: key)
            let first = try await stage.visitor.post(Stage.registerPath, body)
            #expect(first.status == 201, "\(first)")
            let id = try first.data["booking"].id
            let replay = try await stage.visitor.post(Stage.registerPath, body)
            #expect(replay.status == 409 && replay.code == "DUPLICATE_REQUEST", "\(replay)")
            #expect(replay.header("idempotency-replayed") == "true")
            let original = replay.details.compactMap { $0["booking"] }.first
            #expect(original?["id"]?.string == id)
            #expect(original?["status"]?.string == "pending")
            let other = try await stage.visitor.post(
                Stage.registerPath,
                Stage.registration(
                    course, email: "rini@example.com", key: key,
                    changes: [("school", "SDN 9")]))
            #expect(other.status == 422 && other.code == "IDEMPOTENCY_KEY_REUSED", "\(other)")
            #expect(try await count(stage, course) == 1)
        }

        @Test("X-09 over gRPC: ALREADY_EXISTS with the original booking", arguments: Mode.allCases)
        func replayOverGRPC(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1)])
            let client = BookingV1.BookingsClient(try stage.channel(.booking))
            let request = Calls.registration(course)
            let first = try await client.registerCourse(request)
            let error = await #expect(throws: RPCError.self) {
                _ = try await client.registerCourse(request)
            }
            #expect(error?.code == .alreadyExists)
            #expect(Calls.reason(error) == "DUPLICATE_REQUEST")
            let detail = Calls.detail(
                error, "janji.booking.v1.OriginalBooking", BookingV1.OriginalBooking.self)
            #expect(detail?.booking?.id == first.booking?.id)
            #expect(first.booking?.id.isEmpty == false)
        }

        @Test("X-09: an admin's answer that is repeated says so", arguments: Mode.allCases)
        func replayedHeader(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1)])
            let id = try Optional(try await stage.register(course)).id
            let body: JSONValue = ["idempotency_key": .string(UUID().uuidString)]
            let path = "/api/booking/\(id)/confirm"
            let first = try await stage.admin.post(path, body)
            #expect(first.status == 200 && first.header("idempotency-replayed") == nil)
            let again = try await stage.admin.post(path, body)
            #expect(again.status == 200 && again.header("idempotency-replayed") == "true")
            #expect(again.data == first.data)
        }

        @Test("A failed request does not use its key up", arguments: Mode.allCases)
        func failedKey(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1)])
            let key = UUID().uuidString
            let wrong = Stage.registration(course, key: key, changes: [("consent", false)])
            #expect(try await stage.visitor.post(Stage.registerPath, wrong).status == 400)
            let right = Stage.registration(course, key: key)
            #expect(try await stage.visitor.post(Stage.registerPath, right).status == 201)
        }

        @Test(
            "X-08: of 20 at once with one e-mail exactly one is pending", arguments: Mode.allCases)
        func sameEmail(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1)])
            let answers = try await parallel(20) { number in
                try await stage.visitor.post(
                    Stage.registerPath,
                    Stage.registration(
                        course,
                        email: number.isMultiple(of: 2) ? "tono@example.com" : "TONO@example.com"))
            }
            #expect(answers.count { $0.status == 201 } == 1, "\(answers.map(\.status))")
            let others = answers.filter { $0.status != 201 }
            #expect(
                others.allSatisfy { $0.status == 409 && $0.code == "PENDING_BOOKING_EXISTS" },
                "\(others.map(\.description))")
            #expect(try await count(stage, course) == 1)
            let events = try await stage.system.sql(
                "select count(*) from booking.outbox where body like '%\(course.id)%'"
                    + " and topic = 'booking.created'")
            #expect(events == "1")
        }

        @Test(
            "A-07: of 20 at once with one key exactly one books, the others learn of it",
            arguments: Mode.allCases)
        func sameKey(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1)])
            let body = Stage.registration(course)
            let answers = try await parallel(20) { _ in
                try await stage.visitor.post(Stage.registerPath, body)
            }
            let winners = answers.filter { $0.status == 201 }
            #expect(winners.count == 1, "\(answers.map(\.status))")
            let id = try winners.first?.data["booking"].id
            for answer in answers where answer.status != 201 {
                #expect(answer.status == 409 && answer.code == "DUPLICATE_REQUEST", "\(answer)")
                #expect(answer.details.compactMap { $0["booking"]?["id"]?.string } == [id])
            }
            #expect(try await count(stage, course) == 1)
        }

        private func count(_ stage: Stage, _ course: Stage.Course) async throws -> Int? {
            Int(
                try await stage.system.sql(
                    "select count(*) from booking.booking where offering_id = '\(course.id)'"))
        }
    }
}

/// Runs `body` for 0..<count, all at once.
func parallel<T: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (Int) async throws -> T
) async throws -> [T] {
    try await withThrowingTaskGroup(of: (Int, T).self) { group in
        for number in 0..<count {
            group.addTask { (number, try await body(number)) }
        }
        var results: [(Int, T)] = []
        for try await result in group { results.append(result) }
        return results.sorted { $0.0 < $1.0 }.map(\.1)
    }
}
