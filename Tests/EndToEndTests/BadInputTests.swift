import HTTP1
import Protobuf
import RPC
import Schema
import TestKit
import Testing

/// One wrong request and what must come back for it.
struct BadRequestRow: Sendable, CustomTestStringConvertible {
    let name: String
    /// Replaces or removes members of a valid registration.
    var changes: [(String, JSONValue?)] = []
    /// Instead of a changed registration.
    var body: String?
    let status: Int
    let code: String
    /// What `error.details` must mention: a field path or an offset.
    var mentions = ""

    var testDescription: String { name }

    static let rows: [BadRequestRow] = [
        .init(
            name: "malformed JSON tells its byte offset", body: #"{"full_name": }"#, status: 400,
            code: "MALFORMED_REQUEST", mentions: #""offset":14"#),
        .init(
            name: "cut JSON", body: #"{"full_name": "Si"#, status: 400, code: "MALFORMED_REQUEST"),
        .init(
            name: "unknown field", changes: [("favourite_colour", "blue")], status: 400,
            code: "MALFORMED_REQUEST", mentions: "favourite_colour"),
        .init(
            name: "duplicate key", body: #"{"email":"a@b.co","email":"c@d.co"}"#, status: 400,
            code: "MALFORMED_REQUEST", mentions: "email"),
        .init(
            name: "wrong type tells the field path",
            changes: [("preferred_time_range", ["start": 15, "end": "18:00"])], status: 400,
            code: "MALFORMED_REQUEST", mentions: "preferred_time_range.start"),
        .init(
            name: "an array where an object belongs", body: "[]", status: 400,
            code: "MALFORMED_REQUEST"),
        .init(
            name: "nothing", body: "", status: 400, code: "VALIDATION_FAILED", mentions: "full_name"
        ),
        .init(
            name: "A-03 bad e-mail", changes: [("email", "siti.example.com")], status: 400,
            code: "VALIDATION_FAILED", mentions: "email"),
        .init(
            name: "A-04 WA number without +62", changes: [("guardian_wa_number", "081234567890")],
            status: 400, code: "INVALID_WA_NUMBER", mentions: "guardian_wa_number"),
        .init(
            name: "A-05 consent false", changes: [("consent", false)], status: 400,
            code: "CONSENT_REQUIRED", mentions: "consent"),
        .init(
            name: "A-06 course id is no UUID", changes: [("course_id", "PIANO-101")], status: 400,
            code: "VALIDATION_FAILED", mentions: "course_id"),
        .init(
            name: "A-06 unknown course",
            changes: [("course_id", "00000000-0000-4000-8000-000000000000")], status: 404,
            code: "COURSE_NOT_FOUND"),
        .init(
            name: "X-10 unknown slot",
            changes: [("first_choice_slot_id", "00000000-0000-4000-8000-000000000000")],
            status: 404, code: "SLOT_NOT_FOUND"),
        .init(
            name: "missing idempotency key", changes: [("idempotency_key", nil)], status: 400,
            code: "VALIDATION_FAILED", mentions: "idempotency_key"),
        .init(
            name: "two faults are told together",
            changes: [("email", "x"), ("birth_date", "17-05-2014")], status: 400,
            code: "VALIDATION_FAILED", mentions: "birth_date"),
    ]
}

extension EndToEnd {
    @Suite("Bad input")
    struct BadInputTests {
        typealias Mode = SystemUnderTest.Mode

        @Test("over JSON", arguments: Mode.allCases, BadRequestRow.rows)
        func overJSON(_ mode: Mode, _ row: BadRequestRow) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await Courses.plain(stage)
            let before = try await stage.system.sql("select count(*) from booking.booking")
            let body =
                row.body.map { Array($0.utf8) }
                ?? Stage.registration(course, changes: row.changes).encoded()
            let answer = try await stage.visitor.send(.post, Stage.registerPath, body: body)
            #expect(answer.status == row.status, "\(answer)")
            #expect(answer.code == row.code, "\(answer)")
            #expect(answer.json["success"]?.bool == false)
            #expect(answer.json["error"]?["message"]?.string?.isEmpty == false)
            #expect(answer.json["meta"]?["timestamp"]?.string?.hasSuffix("Z") == true)
            if !row.mentions.isEmpty {
                #expect(JSONValue.array(answer.details).text.contains(row.mentions), "\(answer)")
            }
            #expect(try await stage.system.sql("select count(*) from booking.booking") == before)
        }

        @Test("X-10: equal, foreign and past choices", arguments: Mode.allCases)
        func choices(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await Courses.plain(stage)
            let foreign = try await stage.course([.init(hour: 1)])
            let past = try await stage.course([.init(hour: 20)])
            // The only way to a past slot is that time goes by.
            try await stage.system.sql(
                """
                update booking.slot set starts_at = now() - interval '2 hours',
                    ends_at = now() - interval '1 hour',
                    occupies = tstzrange(now() - interval '2 hours', now() - interval '1 hour'),
                    local_date = ((now() - interval '2 hours') at time zone time_zone)::date
                where id = '\(past.slots[0])'
                """)
            let rows: [(Stage.Course, String, String?, String)] = [
                (course, course.slots[0], course.slots[0], "second_choice_slot_id"),
                (course, foreign.slots[0], nil, "first_choice_slot_id"),
                (past, past.slots[0], nil, "first_choice_slot_id"),
            ]
            for (course, first, second, field) in rows {
                let answer = try await stage.visitor.post(
                    Stage.registerPath, Stage.registration(course, first: first, second: second))
                #expect(answer.status == 400 && answer.code == "VALIDATION_FAILED", "\(answer)")
                #expect(JSONValue.array(answer.details).text.contains(field), "\(answer)")
            }
        }

        @Test("A body over the limit is refused", arguments: Mode.allCases)
        func oversize(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let body = Array(
                "{\"full_name\":\"\(String(repeating: "x", count: 2_000_000))\"}".utf8)
            let answer = try await stage.visitor.exchange(
                Array(
                    """
                    POST \(Stage.registerPath) HTTP/1.1\r\nhost: 127.0.0.1:\(stage.system.port)\r
                    content-type: application/json\r\ncontent-length: \(body.count)\r\n\r\n
                    """.utf8), .post)
            #expect(answer.status == 413, "\(answer)")
            #expect(answer.code == "PAYLOAD_TOO_LARGE")
        }

        @Test("A-08, X-08: one pending request per course and e-mail", arguments: Mode.allCases)
        func pendingExists(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1)])
            let body = Stage.registration(course, email: "Wati@Example.com")
            #expect(try await stage.visitor.post(Stage.registerPath, body).status == 201)
            let again = try await stage.visitor.post(
                Stage.registerPath, Stage.registration(course, email: "wati@example.COM"))
            #expect(again.status == 409 && again.code == "PENDING_BOOKING_EXISTS", "\(again)")
        }

        @Test("Confirm and assign twice, or out of order", arguments: Mode.allCases)
        func transitions(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1), .init(hour: 4)])
            let id = try Optional(try await stage.register(course)).id
            let early = try await stage.assign(id, course.slots[0])
            #expect(early.status == 409 && early.code == "INVALID_TRANSITION", "\(early)")
            _ = try await stage.admin.expect(200, "/api/booking/\(id)/confirm")
            let twice = try await stage.admin.post("/api/booking/\(id)/confirm")
            #expect(twice.status == 409 && twice.code == "INVALID_TRANSITION", "\(twice)")
            #expect(try await stage.assign(id, course.slots[0]).status == 200)
            let again = try await stage.assign(id, course.slots[0])
            #expect(again.status == 409 && again.code == "INVALID_TRANSITION", "\(again)")
            let nobody = try await stage.admin.post(
                "/api/booking/00000000-0000-4000-8000-000000000000/confirm")
            #expect(nobody.status == 404 && nobody.code == "BOOKING_NOT_FOUND", "\(nobody)")
            let invalid = try await stage.admin.post("/api/booking/not-a-uuid/confirm")
            #expect(invalid.status == 400 && invalid.code == "VALIDATION_FAILED", "\(invalid)")
            let stale = try await stage.admin.post(
                "/api/booking/\(id)/cancel", ["if_version": 1])
            #expect(stale.status == 412 && stale.code == "VERSION_CONFLICT", "\(stale)")
        }

        @Test("B-10, X-30: no session, a wrong one, an expired one", arguments: Mode.allCases)
        func sessions(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let path = "/api/booking/admin/bookings/pending"
            let none = try await stage.visitor.get(path)
            #expect(none.status == 401 && none.code == "UNAUTHENTICATED", "\(none)")
            let wrong = HTTPClient(port: stage.system.port)
            wrong.cookies = ["session_id": "nonsense"]
            #expect(try await wrong.get(path).status == 401)
            let expired = try await Stage(stage.system).admin
            try await stage.system.sql(
                "update identity.sessions set created_at = now() - interval '1 hour',"
                    + " expires_at = now() - interval '1 second'"
                    + " where created_at = (select max(created_at) from identity.sessions)")
            #expect(try await expired.get(path).status == 401)
            let password = try await HTTPClient(port: stage.system.port).post(
                "/api/auth/session",
                ["email": .string(stage.system.adminEmail), "password": "guess"])
            #expect(password.status == 401, "\(password)")
            let leaver = try await Stage(stage.system).admin
            #expect(try await leaver.get("/api/auth/me").status == 200)
            let session = leaver.cookies
            #expect(try await leaver.send(.delete, "/api/auth/session").status == 200)
            #expect(leaver.cookies.isEmpty)
            leaver.cookies = session
            #expect(try await leaver.get("/api/auth/me").status == 401, "the session is over")
        }

        @Test("Unknown routes and methods; a foreign origin", arguments: Mode.allCases)
        func routes(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let unknown = try await stage.visitor.get("/api/nothing/here")
            #expect(unknown.status == 404 && unknown.code == "ROUTE_NOT_FOUND", "\(unknown)")
            let method = try await stage.visitor.send(.delete, Stage.registerPath)
            #expect(method.status == 405 && method.code == "METHOD_NOT_ALLOWED", "\(method)")
            #expect(method.header("allow")?.contains("POST") == true)
            let foreign = try await stage.visitor.post(
                Stage.registerPath, headers: [("origin", "https://evil.example")])
            #expect(foreign.status == 403 && foreign.code == "FORBIDDEN", "\(foreign)")
            let type = try await stage.visitor.send(
                .post, Stage.registerPath, body: Array("a=b".utf8),
                headers: [("content-type", "application/x-www-form-urlencoded")])
            #expect(type.status == 415 && type.code == "UNSUPPORTED_MEDIA_TYPE", "\(type)")
        }
    }
}

/// A course that tests share which change nothing.
enum Courses {
    private static let cache = AsyncCache<SystemUnderTest.Mode, Stage.Course>()

    static func plain(_ stage: Stage) async throws -> Stage.Course {
        try await cache.value(stage.system.mode) {
            try await stage.course([.init(hour: 1), .init(hour: 3)])
        }
    }
}

/// Makes each value once.
actor AsyncCache<Key: Hashable & Sendable, Value: Sendable> {
    private var values: [Key: Value] = [:]

    func value(_ key: Key, _ make: @Sendable () async throws -> Value) async throws -> Value {
        if let value = values[key] { return value }
        let value = try await make()
        values[key] = value
        return value
    }
}
