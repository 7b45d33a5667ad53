import HTTP1
import Loop
import Protobuf
import RPC
import RPCHTTP2
import Schema
import TestKit
import Testing
import WebSocket

extension EndToEnd {
    @Suite("Bad input over gRPC and WebSocket")
    struct BadCallTests {
        typealias Mode = SystemUnderTest.Mode

        private func request(
            _ course: Stage.Course, _ change: (inout BookingV1.RegisterCourseRequest) -> Void
        ) -> BookingV1.RegisterCourseRequest {
            var request = Calls.registration(course)
            change(&request)
            return request
        }

        @Test("Statuses and google.rpc details over gRPC", arguments: Mode.allCases)
        func overGRPC(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await Courses.plain(stage)
            let client = BookingV1.BookingsClient(try stage.channel(.booking))
            let rows: [(BookingV1.RegisterCourseRequest, RPCError.Code, String)] = [
                (request(course) { $0.email = "nobody" }, .invalidArgument, "VALIDATION_FAILED"),
                (
                    request(course) { $0.guardianWaNumber = "0812" }, .invalidArgument,
                    "INVALID_WA_NUMBER"
                ),
                (request(course) { $0.consent = false }, .invalidArgument, "CONSENT_REQUIRED"),
                (
                    request(course) { $0.secondChoiceSlotId = $0.firstChoiceSlotId },
                    .invalidArgument, "VALIDATION_FAILED"
                ),
                (
                    request(course) { $0.courseId = "00000000-0000-4000-8000-000000000000" },
                    .notFound, "COURSE_NOT_FOUND"
                ),
                (request(course) { $0.idempotencyKey = "" }, .invalidArgument, "VALIDATION_FAILED"),
            ]
            for (request, code, reason) in rows {
                let error = await #expect(throws: RPCError.self) {
                    _ = try await client.registerCourse(request)
                }
                #expect(error?.code == code)
                #expect(Calls.reason(error) == reason, "\(String(describing: error))")
            }
            var broken = request(course) { $0.email = "nobody" }
            broken.fullName = ""
            let error = await #expect(throws: RPCError.self) {
                _ = try await client.registerCourse(broken)
            }
            #expect(Set(Calls.violations(error)).isSuperset(of: ["email", "full_name"]))
        }

        @Test(
            "X-19: an RPC for staff without, with a wrong and with a foreign token",
            arguments: Mode.allCases)
        func tokens(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let client = BookingV1.BookingsClient(try stage.channel(.booking))
            for token in [
                "", "Bearer nonsense", "Bearer \(try await stage.system.token(for: .schedule))",
            ] {
                var metadata = Metadata()
                if !token.isEmpty { metadata.add(token, for: "authorization") }
                let error = await #expect(throws: RPCError.self) {
                    _ = try await client.listPending(
                        BookingV1.ListPendingRequest(), metadata: metadata)
                }
                #expect(error?.code == .unauthenticated, "\(token): \(String(describing: error))")
            }
            let good = try await stage.credentials(.booking)
            _ = try await client.listPending(BookingV1.ListPendingRequest(), metadata: good)
        }

        @Test("A message over 6 MiB and an unknown method", arguments: Mode.allCases)
        func limits(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await Courses.plain(stage)
            let channel = try stage.channel(.booking)
            let large = request(course) {
                $0.address = String(repeating: "x", count: 7 << 20)
            }
            let error = await #expect(throws: RPCError.self) {
                _ = try await BookingV1.BookingsClient(channel).registerCourse(large)
            }
            #expect(error?.code == .resourceExhausted, "\(String(describing: error))")
            let unknown = MethodDescriptor(
                service: "janji.booking.v1.Bookings", name: "Vanish", kind: .unary,
                idempotency: .unknown)
            let missing = await #expect(throws: RPCError.self) {
                _ = try await channel.unary(
                    unknown, [], metadata: Metadata(), options: CallOptions())
            }
            #expect(missing?.code == .unimplemented, "\(String(describing: missing))")
            // The channel is still good.
            _ = try await BookingV1.AvailabilityClient(channel).findSlots(.init())
        }

        @Test("A deadline that passes, and one that has passed", arguments: Mode.allCases)
        func deadlines(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1)])
            let id = try Optional(try await stage.register(course)).id
            let client = BookingV1.BookingsClient(try stage.channel(.booking))
            let metadata = try await stage.credentials(.booking)
            var confirm = BookingV1.ConfirmRequest()
            confirm.bookingId = id
            let request = confirm
            let passed = await #expect(throws: RPCError.self) {
                _ = try await client.confirm(
                    request, metadata: metadata, options: .timeout(.zero))
            }
            #expect(passed?.code == .deadlineExceeded)
            try await stage.whileLocked(booking: id) {
                // Later than the call begins to wait, and sooner than the wait for a lock ends.
                var hasWaited = false
                for _ in 0..<10 where !hasWaited {
                    let late = Task {
                        do {
                            _ = try await client.confirm(
                                request, metadata: metadata,
                                options: .timeout(.milliseconds(1500)))
                            return RPCError.Code.ok
                        } catch {
                            return RPCError(wrapping: error).code
                        }
                    }
                    hasWaited = try await eventually(within: .seconds(1)) {
                        try await stage.waitsForLock()
                    }
                    #expect(await late.value == .deadlineExceeded)
                }
                #expect(hasWaited)
                #expect(try await eventually { try await !stage.waitsForLock() })
            }
            // The late call was cancelled in the database, too: the booking is untouched.
            #expect(try await stage.status(of: id) == "pending")
            #expect(
                try await client.confirm(request, metadata: metadata).booking?.status == .confirmed)
        }

        @Test("A client that leaves in mid-call leaves nothing behind", arguments: Mode.allCases)
        func clientGone(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1)])
            let id = try Optional(try await stage.register(course)).id
            let channel = try stage.channel(.booking)
            let metadata = try await stage.credentials(.booking)
            try await stage.whileLocked(booking: id) {
                let call = Task {
                    var request = BookingV1.ConfirmRequest()
                    request.bookingId = id
                    return try await BookingV1.BookingsClient(channel).confirm(
                        request, metadata: metadata)
                }
                _ = try await eventually(within: .seconds(5)) { try await stage.waitsForLock() }
                channel.close()
                await #expect(throws: RPCError.self) { _ = try await call.value }
                // The row is free again only when nobody wants it any more.
                #expect(try await eventually { try await !stage.waitsForLock() })
            }
            #expect(try await stage.status(of: id) == "pending")
            #expect(try await stage.visitor.get("/health").status == 200)
        }

        @Test(
            "B-06, B-21: WebSocket garbage is answered and the socket kept, broken frames end it",
            arguments: Mode.allCases)
        func webSocketGarbage(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let socket = try await WebSocketClient.open("/ws/availability", port: stage.system.port)
            _ = try await socket.next("connected")
            for garbage in ["", "{", "[]", "{\"type\":\"dance\"}", "{\"type\":\"subscribe\"}"] {
                socket.send(text: garbage)
                let error = try await socket.next("error")
                #expect(error["message"]?.string == "Invalid format", "\(garbage)")
                #expect(error["code"]?.string == "INVALID_FORMAT", "X-43")
            }
            socket.send(["type": "ping"])
            _ = try await socket.next("pong")
            socket.send(["type": "subscribe", "topic": "availability"])
            _ = try await socket.next("subscribed")
            socket.send(["type": "unsubscribe", "topic": "availability"])
            _ = try await socket.next("unsubscribed")
            socket.sendFrame([0x81, 0x02, 0x68, 0x69])  // Not masked: RFC 6455 §5.1.
            #expect(try await socket.waitForClose() == 1002)
        }

        @Test(
            "B-03, B-10: origin and session are checked before the upgrade",
            arguments: Mode.allCases)
        func admission(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let port = stage.system.port
            let rows: [(path: String, cookies: String?, origin: String?, status: Int)] = [
                ("/ws/availability", nil, "https://evil.example", 403),
                ("/ws", stage.admin.cookieField, "https://evil.example", 403),
                ("/ws", nil, nil, 401),
                ("/ws", "session_id=nonsense", nil, 401),
                ("/ws", stage.admin.cookieField, nil, 403),
            ]
            for row in rows {
                let refused = await #expect(throws: WebSocketClient.Refused.self) {
                    _ = try await WebSocketClient.open(
                        row.path, port: port, cookies: row.cookies, origin: row.origin)
                }
                #expect(
                    refused?.answer.status == row.status, "\(row): \(String(describing: refused))")
            }
            for origin in ["https://school.example", "http://127.0.0.1:\(port)"] {
                let socket = try await WebSocketClient.open(
                    "/ws/availability", port: port, origin: origin)
                _ = try await socket.next("connected")
                socket.close()
            }
            let plain = try await stage.visitor.get("/ws/availability")
            #expect(plain.status == 426, "\(plain)")
        }
    }
}
