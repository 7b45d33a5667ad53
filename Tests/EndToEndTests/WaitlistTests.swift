import Foundation
import HTTP1
import Protobuf
import TestKit
import Testing

extension EndToEnd {
    @Suite("Waiting lists by JSON")
    struct WaitlistTests {
        typealias Mode = SystemUnderTest.Mode

        @Test(
            "a full slot: joined, offered by a cancellation, told live, claimed, booked",
            arguments: Mode.allCases)
        func story(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            try await stage.followed()
            let course = try await stage.course(
                [.init(hour: 1)], claimAt: "publish", more: [("policy", "clinic"), ("price", "0")])
            let slot = course.slots[0]
            let booked = try await book(stage, try await hold(stage, slot))
            let join = Self.joining(slot, "ayu@example.com")
            let joined = try await stage.visitor.post("/api/bookings/waitlist", join)
            try #require(joined.status == 201, "\(joined)")
            #expect(joined.data["entry"]?["place"]?.integer == 1)
            let token = try #require(joined.data["token"]?.string)
            let again = try await stage.visitor.post("/api/bookings/waitlist", join)
            #expect(again.data["token"]?.string == token, "the same key, the same entry")
            let full = try await stage.visitor.get(
                "/api/booking/availability/full-slots?course_id=\(course.code)")
            #expect(full.data["slots"]?.array?.count == 1)
            let socket = try await WebSocketClient.open(
                "/ws/availability", port: stage.system.port)
            socket.send(["type": "subscribe", "filters": ["course_id": .string(course.id)]])
            _ = try await socket.next("subscribed")
            let cancelled = try await stage.visitor.post(
                "/api/bookings/manage/\(booked)/cancel", ["reason": "ill"])
            try #require(cancelled.status == 200, "\(cancelled)")
            var news = try await socket.next("waitlist.updated")
            while news["action"]?.string != "offered" {
                news = try await socket.next("waitlist.updated")
            }
            #expect(news["entry_id"] == joined.data["entry"]?["id"])
            #expect(!"\(news)".contains("ayu"))
            socket.close()
            let entry = try await stage.visitor.get("/api/bookings/waitlist/\(token)")
            #expect(entry.data["entry"]?["status"]?.string == "offered")
            #expect(entry.data["hold_token"]?.string == nil)
            let street = try await stage.visitor.post("/api/bookings/holds", Self.holding(slot))
            #expect(street.code == "CAPACITY_EXCEEDED")
            let line = try await stage.admin.get("/api/slots/\(slot)/waitlist")
            #expect(line.data["people"]?.array?.first?["email"]?.string == "ayu@example.com")
            #expect(try await stage.visitor.get("/api/slots/\(slot)/waitlist").status == 401)
            let claimed = try await stage.visitor.post(
                "/api/bookings/waitlist/\(token)/claim", ["idempotency_key": "once"])
            try #require(claimed.status == 200, "\(claimed)")
            _ = try await book(
                stage,
                (
                    try claimed.data["hold"].id,
                    try #require(claimed.data["hold_token"]?.string)
                ))
            let wrong = try await stage.visitor.post("/api/bookings/waitlist/nobody/leave", [:])
            #expect(wrong.status == 404)
            #expect(wrong.code == "WAITLIST_ENTRY_NOT_FOUND")
            let late = try await stage.visitor.send(
                .delete, "/api/bookings/waitlist/\(token)", body: Array("{}".utf8))
            #expect(late.code == "INVALID_TRANSITION")
        }

        @Test(
            "X-24: who asked for a slot that another was given is told live, and sees what is near")
        func choices() async throws {
            let stage = try await Stage.shared(.oneProcess)
            try await stage.followed()
            let course = try await stage.course([.init(hour: 1), .init(hour: 3)])
            let answer = try await stage.visitor.post(
                Stage.registerPath,
                Stage.registration(course, first: course.slots[0]))
            let token = try #require(answer.data["manage_token"]?.string)
            let socket = try await WebSocketClient.open(
                "/ws/availability", port: stage.system.port)
            socket.send(["type": "subscribe", "filters": ["course_id": .string(course.id)]])
            _ = try await socket.next("subscribed")
            let winner = try await stage.confirmed(course, first: course.slots[0])
            #expect(try await stage.assign(winner, course.slots[0]).status == 200)
            let news = try await socket.next("booking.choices_lost")
            let id = try answer.data["booking"].id
            #expect(news["booking_ids"]?.array?.compactMap(\.string) == [id])
            let path = "/api/bookings/manage/\(token)"
            let view = try await stage.visitor.get(path).data
            #expect(view["choices_gone"] == .bool(true))
            #expect(view["rights"]?["can_change_choices"] == .bool(true))
            #expect(
                view["alternatives"]?.array?.compactMap { $0["id"]?.string } == [course.slots[1]])
            // He asks for it himself; whoever looks at the course sees the demand.
            let wish: JSONValue = [
                "first_choice_slot_id": .string(course.slots[1]), "idempotency_key": "once",
            ]
            let changed = try await stage.visitor.expect(200, "\(path)/choices", wish)
            #expect(changed["booking"]?["first_choice_slot_id"]?.string == course.slots[1])
            #expect(try await stage.visitor.expect(200, "\(path)/choices", wish) == changed)
            let seen = try await socket.next("booking.choices_changed")
            #expect(seen["booking"]?["id"]?.string == id)
            #expect(seen["demand"]?[course.slots[1]]?.integer == 1)
            socket.close()
            let wrong = try await stage.visitor.post(
                "\(path)/choices", ["first_choice_slot_id": .string(course.slots[0])])
            #expect(wrong.code == "SLOT_UNAVAILABLE")
        }

        private static func joining(_ slot: String, _ email: String) -> JSONValue {
            [
                "slot_id": .string(slot), "full_name": "Ayu", "email": .string(email),
                "consent": true, "idempotency_key": .string(UUID().uuidString),
            ]
        }

        private static func holding(_ slot: String) -> JSONValue {
            [
                "slot_id": .string(slot), "quantity": 1, "holder": .string(UUID().uuidString),
                "idempotency_key": .string(UUID().uuidString),
            ]
        }

        private func hold(
            _ stage: Stage, _ slot: String
        ) async throws -> (id: String, token: String) {
            let placed = try await stage.visitor.expect(
                201, "/api/bookings/holds", Self.holding(slot))
            return (try placed["hold"].id, try #require(placed["token"]?.string))
        }

        /// The manage token.
        private func book(
            _ stage: Stage, _ hold: (id: String, token: String)
        ) async throws -> String {
            let answer = try await stage.visitor.expect(
                201, "/api/bookings/holds/\(hold.id)/confirm",
                [
                    "token": .string(hold.token), "full_name": "Dewi", "consent": true,
                    "email": .string("\(UUID().uuidString)@example.com"),
                    "phone": "+6281234567890", "idempotency_key": .string(UUID().uuidString),
                ])
            #expect(answer["booking"]?["status"]?.string == "confirmed")
            return try #require(answer["manage_token"]?.string)
        }
    }
}
