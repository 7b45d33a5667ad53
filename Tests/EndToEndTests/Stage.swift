import Foundation
import Protobuf
import RPC
import RPCHTTP2
import Schema
import TestKit

/// A running system with an admin who is signed in, and what tests say to it.
struct Stage: Sendable {
    typealias Mode = SystemUnderTest.Mode

    let system: SystemUnderTest
    let visitor: HTTPClient
    let admin: HTTPClient

    init(_ system: SystemUnderTest) async throws {
        self.system = system
        visitor = HTTPClient(port: system.port)
        admin = HTTPClient(port: system.port)
        try await signIn()
    }

    /// On the system that all tests share.
    static func shared(_ mode: Mode) async throws -> Stage {
        try await Stage(try await SystemUnderTest.shared(mode))
    }

    /// Runs `body` on a system of its own, which is gone afterwards.
    static func own<T: Sendable>(
        _ mode: Mode, _ options: SystemUnderTest.Options = SystemUnderTest.Options(),
        _ body: (Stage) async throws -> T
    ) async throws -> T {
        let system = try await SystemUnderTest.start(mode, options)
        do {
            let result = try await body(try await Stage(system))
            await system.destroy()
            return result
        } catch {
            await system.destroy()
            throw error
        }
    }

    func signIn() async throws {
        let answer = try await admin.post(
            "/api/auth/session",
            ["email": .string(system.adminEmail), "password": .string(system.adminPassword)])
        guard answer.status == 201, admin.cookies["session_id"] != nil else {
            throw ClientError("cannot sign in: \(answer)")
        }
    }

    // MARK: Timetable

    /// A course of its own with instructors, rooms and slots.
    struct Course: Sendable {
        let id: String
        let code: String
        let instructors: [String]
        let rooms: [String]
        /// In the order of the request.
        let slots: [String]
    }

    /// One class: hours from the start of the fourth day from now, by index of people and rooms.
    struct Lesson: Sendable {
        var hour: Double
        var instructor = 0
        var room = 0
        var capacity = 1
        var hours = 1.0
    }

    /// - Parameter more: members of the course besides the usual ones.
    func course(
        _ lessons: [Lesson], claimAt: String = "assign", more: [(String, JSONValue)] = []
    ) async throws -> Course {
        let mark = UUID().uuidString.prefix(8)
        let code = "E2E-\(mark)"
        let members: [(String, JSONValue)] = [
            ("code", .string(code)), ("title", "End to end"), ("description", "of tests"),
            ("max_students", 1), ("claim_at", .string(claimAt)), ("time_zone", "Asia/Jakarta"),
        ]
        let created = try await admin.expect(201, "/api/courses", .object(members + more))
        let id = try created["course"].id
        var instructors: [String] = []
        for number in 0...(lessons.map(\.instructor).max() ?? 0) {
            instructors.append(
                try await admin.expect(
                    201, "/api/instructors", ["name": .string("Guru \(number) \(mark)")])[
                        "instructor"
                    ].id)
        }
        var rooms: [String] = []
        for number in 0...(lessons.map(\.room).max() ?? 0) {
            rooms.append(
                try await admin.expect(
                    201, "/api/rooms",
                    ["name": .string("Ruang \(number) \(mark)"), "capacity": 10])["room"].id)
        }
        let schedules: [JSONValue] = lessons.map { lesson in
            [
                "instructor_id": .string(instructors[lesson.instructor]),
                "room_id": .string(rooms[lesson.room]),
                "start_time": .string(Self.time(lesson.hour)),
                "end_time": .string(Self.time(lesson.hour + lesson.hours)),
                "capacity": .number(String(lesson.capacity)),
            ]
        }
        let answer = try await admin.expect(
            201, "/api/courses/\(id)/schedules", ["schedules": .array(schedules)])
        let slots = try (answer["schedules"]?.array ?? []).map { try Optional($0).id }
        guard slots.count == lessons.count else {
            throw ClientError("\(lessons.count) lessons made \(slots.count) slots")
        }
        return Course(
            id: id, code: code, instructors: instructors, rooms: rooms, slots: slots)
    }

    private static let start = (Date().timeIntervalSince1970 / 86_400).rounded(.down) * 86_400

    /// The second full hour from now, however long the tests have run and whatever day it is now.
    static var soon: Double {
        ((Date().timeIntervalSince1970 - start) / 3_600).rounded(.up) + 1 - 4 * 24
    }

    /// RFC 3339, this many hours after the start of the fourth day from now.
    static func time(_ hour: Double) -> String {
        ISO8601DateFormatter().string(
            from: Date(timeIntervalSince1970: start + 4 * 86_400 + hour * 3_600))
    }

    // MARK: Registration

    /// A complete, valid body; what is in `changes` replaces or, when null, removes a member.
    static func registration(
        _ course: Course, first: String? = nil, second: String? = nil, email: String? = nil,
        key: String = UUID().uuidString, changes: [(String, JSONValue?)] = []
    ) -> JSONValue {
        let mark = UUID().uuidString.prefix(8).lowercased()
        var members: [(key: String, value: JSONValue)] = [
            ("full_name", "Siti Rahma"), ("email", .string(email ?? "siti.\(mark)@example.com")),
            ("course_id", .string(course.id)), ("address", "Jl. Melati 5, Bandung"),
            ("birth_place", "Bandung"), ("birth_date", "2014-05-17"), ("school", "SDN 1"),
            ("class", 5), ("guardian_name", "Budi Rahma"),
            ("guardian_wa_number", "+6281234567890"), ("consent", true),
            ("captcha_token", "test"), ("idempotency_key", .string(key)),
            ("experience_level", "beginner"), ("preferred_days", ["monday", "wednesday"]),
            ("preferred_time_range", ["start": "15:00", "end": "18:00"]),
            ("first_choice_slot_id", .string(first ?? course.slots[0])),
        ]
        let second = second ?? (first == nil && course.slots.count > 1 ? course.slots[1] : nil)
        if let second { members.append(("second_choice_slot_id", .string(second))) }
        for (name, value) in changes {
            members.removeAll { $0.key == name }
            if let value { members.append((name, value)) }
        }
        return .object(members)
    }

    static let registerPath = "/api/booking/register-course"

    /// Registers and returns the booking of the answer.
    @discardableResult
    func register(
        _ course: Course, first: String? = nil, second: String? = nil, email: String? = nil
    ) async throws -> JSONValue {
        let answer = try await visitor.post(
            Self.registerPath,
            Self.registration(course, first: first, second: second, email: email))
        guard answer.status == 201, let booking = answer.data["booking"] else {
            throw ClientError("not registered: \(answer)")
        }
        return booking
    }

    /// Registers and confirms; the booking's id.
    func confirmed(_ course: Course, first: String? = nil) async throws -> String {
        let id = try Optional(try await register(course, first: first)).id
        _ = try await admin.expect(200, "/api/booking/\(id)/confirm")
        return id
    }

    /// - Parameter key: makes it safe to ask again where many ask at once.
    func assign(
        _ booking: String, _ slot: String, reason: String = "", key: String? = nil
    ) async throws -> Answer {
        var members: [(String, JSONValue)] = [
            ("schedule_id", .string(slot)), ("reason", .string(reason)),
        ]
        if let key { members.append(("idempotency_key", .string("\(booking) \(key)"))) }
        return try await admin.post(
            "/api/booking/admin/bookings/\(booking)/assign-slot", .object(members))
    }

    /// The ids that find-slots offers for a course.
    func offered(_ course: Course) async throws -> [String] {
        let answer = try await visitor.get(
            "/api/booking/availability/find-slots?course_id=\(course.id)")
        return (answer.data["slots"]?.array ?? []).compactMap { $0["id"]?.string }
    }

    // MARK: gRPC

    func channel(_ role: SystemUnderTest.Role) throws -> HTTP2Channel {
        try HTTP2Channel(target: system.target(role), loop: .clients)
    }

    /// Metadata of an admin's call.
    func credentials(_ role: SystemUnderTest.Role) async throws -> Metadata {
        Metadata(["authorization": "Bearer \(try await system.token(for: role))"])
    }
}

extension HTTPClient {
    /// POSTs and returns `data`; throws when the status is another.
    func expect(
        _ status: Int, _ path: String, _ body: JSONValue = .object([])
    ) async throws -> JSONValue {
        let answer = try await post(path, body)
        guard answer.status == status else {
            throw ClientError("POST \(path): \(answer), wanted \(status)")
        }
        return answer.data
    }
}

extension Optional where Wrapped == JSONValue {
    /// The member `id`, which must be there.
    var id: String {
        get throws {
            guard let id = self?["id"]?.string else {
                throw ClientError("no id in \(String(describing: self))")
            }
            return id
        }
    }
}

extension JSONValue {
    /// An integer, written as a number or as ProtoJSON's string.
    var int: Int64? { integer ?? string.flatMap { Int64($0) } }
    var text: String { String(decoding: encoded(), as: UTF8.self) }
}
