import Foundation
import HTTP1
import Protobuf
import TestKit
import Testing

extension EndToEnd {
    @Suite("The surface: routes, pages, health, metrics")
    struct SurfaceTests {
        typealias Mode = SystemUnderTest.Mode

        @Test(
            "X-18, X-19: every alias answers as the canonical path does", arguments: Mode.allCases)
        func aliases(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1, capacity: 20)])
            let query = "?course_id=\(course.code)"
            for path in [
                "/api/booking/availability/find-slots", "/booking/availability/find-slots",
                "/availability/find-slots", "/api/availability/find-slots",
            ] {
                let answer = try await stage.visitor.get(path + query)
                #expect(
                    answer.data["slots"]?.array?.first?["id"]?.string == course.slots[0],
                    "\(path): \(answer)")
            }
            for path in [
                "/api/booking/availability/instructor/", "/booking/availability/instructor/",
                "/availability/instructor/", "/api/availability/instructor/",
            ] {
                let answer = try await stage.visitor.get(path + course.instructors[0])
                #expect(answer.data["slots"]?.array?.count == 1, "\(path): \(answer)")
            }
            for path in [
                "/api/booking/admin/bookings/pending", "/booking/admin/bookings/pending",
            ] {
                #expect(try await stage.admin.get(path).status == 200, "\(path)")
                #expect(try await stage.visitor.get(path).status == 401, "\(path)")
            }
            try await mutations(stage, course)
        }

        private func mutations(_ stage: Stage, _ course: Stage.Course) async throws {
            for path in [Stage.registerPath, "/booking/register-course"] {
                let answer = try await stage.visitor.post(path, Stage.registration(course))
                #expect(answer.status == 201, "\(path): \(answer)")
            }
            let confirms: [(String, String)] = [
                ("/api/booking/", "/confirm"), ("/booking/", "/confirm"),
                ("/api/booking/admin/bookings/", "/confirm"),
            ]
            var ids: [String] = []
            for (before, after) in confirms {
                let id = try Optional(try await stage.register(course)).id
                #expect(try await stage.visitor.post(before + id + after).status == 401)
                _ = try await stage.admin.expect(200, before + id + after)
                ids.append(id)
            }
            for (id, path) in zip(
                ids, ["/api/booking/admin/bookings/", "/booking/admin/bookings/", "/api/booking/"])
            {
                _ = try await stage.admin.expect(
                    200, path + id + "/assign-slot", ["schedule_id": .string(course.slots[0])])
            }
        }

        @Test("A-12: the envelope of success, null for what is not set", arguments: Mode.allCases)
        func envelope(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await Courses.plain(stage)
            let answer = try await stage.visitor.post(
                Stage.registerPath,
                Stage.registration(course, first: course.slots[0]),
                headers: [("x-request-id", "e2e-request-1")])
            #expect(answer.status == 201)
            #expect(answer.header("content-type")?.hasPrefix("application/json") == true)
            guard case .object(let members) = answer.json else {
                Issue.record("no object: \(answer)")
                return
            }
            #expect(members.map(\.key) == ["success", "data", "meta"])
            #expect(answer.json["success"]?.bool == true)
            #expect(answer.json["meta"]?["request_id"]?.string == "e2e-request-1")
            guard case .object(let booking)? = answer.data["booking"] else {
                Issue.record("no booking: \(answer)")
                return
            }
            let keys = Set(booking.map(\.key))
            #expect(
                keys.isSuperset(of: [
                    "id", "status", "first_choice_slot_id", "second_choice_slot_id",
                    "confirmed_slot_id", "expires_at",
                ]))
            #expect(answer.data["booking"]?["second_choice_slot_id"]?.isNull == true)
        }

        @Test("/health and /metrics", arguments: Mode.allCases)
        func health(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            for role in SystemUnderTest.Role.allCases {
                let client = HTTPClient(port: stage.system.ports[role] ?? 0)
                let health = try await client.get("/health")
                #expect(health.status == 200, "\(role): \(health)")
                #expect(health.json["status"]?.string == "healthy", "\(role): \(health)")
                let metrics = try await client.get("/metrics")
                #expect(metrics.status == 200, "\(role): \(metrics)")
                #expect(
                    metrics.header("content-type")?.hasPrefix("text/plain") == true)
                #expect(metrics.text.contains("# TYPE "), "\(role)")
            }
            let metrics = try await stage.visitor.get("/metrics").text
            #expect(metrics.contains("janji_edge_requests_total"))
        }

        @Test("Pages and their parts are served", arguments: Mode.allCases)
        func pages(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            for path in ["/", "/admin", "/assets/register.js", "/assets/style.css"] {
                let answer = try await stage.visitor.get(path)
                #expect(answer.status == 200, "\(path): \(answer.status)")
                let etag = try #require(answer.header("etag"))
                let again = try await stage.visitor.get(path, headers: [("if-none-match", etag)])
                #expect(again.status == 304, "\(path)")
                let head = try await stage.visitor.send(.head, path)
                #expect(head.status == 200 && head.body.isEmpty)
            }
            #expect(try await stage.visitor.get("/").header("content-security-policy") != nil)
            #expect(try await stage.visitor.get("/assets/../Package.swift").status >= 400)
        }

        @Test("X-25: a public address that asks too often gets 429 with Retry-After")
        func rateLimit() async throws {
            var options = SystemUnderTest.Options()
            options.environment["JANJI_RATE_LIMIT"] = "on"
            try await Stage.own(.oneProcess, options) { stage in
                let answers = try await parallel(150) { _ in
                    try await stage.visitor.post(Stage.registerPath)
                }
                let limited = answers.filter { $0.status == 429 }
                #expect(!limited.isEmpty, "\(answers.map(\.status))")
                for answer in limited {
                    #expect(answer.code == "RATE_LIMITED")
                    #expect(Int(answer.header("retry-after") ?? "") ?? 0 > 0)
                    #expect(answer.header("x-ratelimit-remaining") == "0")
                }
            }
        }

        @Test("A taken port, an unknown and a malformed variable stop the start with a sentence")
        func wrongStart() async throws {
            let system = try await SystemUnderTest.shared(.oneProcess)
            let rows: [([String: String], String)] = [
                (["JANJI_PORT": String(system.port)], String(system.port)),
                (["JANJI_PROT": "3000"], "JANJI_PROT"), (["JANJI_PORT": "many"], "JANJI_PORT"),
                (["JANJI_RATE_LIMIT": "perhaps"], "JANJI_RATE_LIMIT"),
            ]
            for (variables, mention) in rows {
                var environment = variables
                environment["PATH"] = "/usr/bin:/bin"
                environment["JANJI_DATA"] = system.folder.appendingPathComponent("wrong").path
                environment["JANJI_KAFKA_PORT"] = String(try LocalPort.find())
                let result = try await BackgroundProcess.run(
                    Executables.janji, ["up"], environment: environment)
                #expect(result.status != 0, "\(variables)")
                let text = result.errors + result.output
                #expect(text.contains(mention), "\(variables): \(text)")
                #expect(!text.contains("Fatal error"), "\(text)")
            }
            let help = try await BackgroundProcess.run(Executables.janji, ["--help"])
            #expect(help.status == 0 && help.output.contains("SERVICE_JWT_SECRET"))
        }
    }
}
