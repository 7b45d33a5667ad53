import Protobuf
import TestKit
import Testing

extension EndToEnd {
    @Suite("The story over JSON and WebSocket")
    struct StoryTests {
        typealias Mode = SystemUnderTest.Mode

        @Test(
            "A-01…A-25, B-03…B-19: registered, counted, confirmed, assigned, seen by all who watch",
            arguments: Mode.allCases)
        func wholeStory(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            try await stage.followed()
            let course = try await stage.course([
                .init(hour: 2), .init(hour: 2.5, room: 1), .init(hour: 5),
            ])
            let (public_, topic, staff) = try await watchers(stage, course)

            let rival = try await stage.register(
                course, first: course.slots[0], second: course.slots[2])
            let booking = try await stage.register(
                course, first: course.slots[0], second: course.slots[1])
            let id = try Optional(booking).id
            #expect(booking["status"]?.string == "pending")
            #expect(booking["first_choice_slot_id"]?.string == course.slots[0])
            #expect(booking["second_choice_slot_id"]?.string == course.slots[1])
            #expect(booking["confirmed_slot_id"]?.isNull == true)
            #expect(booking["expires_at"]?.string?.hasSuffix("Z") == true)

            try await arrived("booking.created", id, at: [public_, staff])
            _ = try await topic.next { message in
                message["type"]?.string == "broadcast" && message["topic"]?.string == "availability"
                    && message.text.contains(id)
            }
            try await checkPending(stage, course, id, rival: try Optional(rival).id)
            try await assignAndCheck(stage, course, id, public_, staff)
            for socket in [public_, topic] {
                for text in socket.all.map(\.text) {
                    #expect(
                        !text.contains("Siti") && !text.contains("@example.com"), "X-53: \(text)")
                }
            }
            for socket in [public_, topic, staff] { socket.close() }
            #expect(try await public_.waitForClose() == 1000)
        }

        private func watchers(
            _ stage: Stage, _ course: Stage.Course
        ) async throws -> (WebSocketClient, WebSocketClient, WebSocketClient) {
            let port = stage.system.port
            let public_ = try await WebSocketClient.open("/ws/availability", port: port)
            #expect(try await public_.next()["clientId"]?.string?.isEmpty == false)
            public_.send(["type": "subscribe", "filters": ["course_id": .string(course.code)]])
            let subscribed = try await public_.next("subscribed")
            #expect(subscribed["filters"]?["course_id"]?.string == course.code)

            let topic = try await WebSocketClient.open("/ws/availability", port: port)
            _ = try await topic.next("connected")
            topic.send(["type": "subscribe", "topic": "availability"])
            _ = try await topic.next("subscribed")

            let staff = try await WebSocketClient.open(
                "/ws", port: port, cookies: stage.admin.cookieField)
            #expect(try await staff.next("connected")["role"]?.string == "admin")
            staff.send(["type": "subscribe", "scope": "all"])
            #expect(try await staff.next("subscribed")["scope"]?.string == "all")
            return (public_, topic, staff)
        }

        private func arrived(
            _ type: String, _ booking: String, at sockets: [WebSocketClient]
        ) async throws {
            for socket in sockets {
                let message = try await socket.next {
                    $0["type"]?.string == type && $0.text.contains(booking)
                }
                #expect(message["timestamp"]?.string?.hasSuffix("Z") == true)
            }
        }

        private func checkPending(
            _ stage: Stage, _ course: Stage.Course, _ id: String, rival: String
        ) async throws {
            let answer = try await stage.admin.get(
                "/api/booking/admin/bookings/pending?course_id=\(course.id)")
            #expect(answer.status == 200)
            let list = answer.data["bookings"]?.array ?? []
            #expect(Set(list.compactMap { $0["booking"]?["id"]?.string }) == [id, rival])
            #expect(answer.data["total"]?.int == 2)
            let mine = try #require(list.first { $0["booking"]?["id"]?.string == id })
            #expect(mine["applicant"]?["full_name"]?.string == "Siti Rahma")
            #expect(mine["course_code"]?.string == course.code)
            #expect(mine["first_choice"]?["slot"]?["id"]?.string == course.slots[0])
            #expect(mine["first_choice"]?["others"]?.int == 1, "X-24: the rival wants it too")
            #expect(mine["second_choice"]?["others"]?.int == 0)
            #expect(mine["first_choice"]?["available"]?.bool == true)
        }

        private func assignAndCheck(
            _ stage: Stage, _ course: Stage.Course, _ id: String, _ public_: WebSocketClient,
            _ staff: WebSocketClient
        ) async throws {
            let early = try await stage.assign(id, course.slots[0])
            #expect(early.status == 409 && early.code == "INVALID_TRANSITION", "not confirmed yet")

            let confirmed = try await stage.admin.expect(200, "/api/booking/\(id)/confirm")
            #expect(confirmed["booking"]?["status"]?.string == "confirmed")
            #expect(confirmed["booking"]?["confirmed_slot_id"]?.isNull == true, "A-15")
            #expect(confirmed["booking"]?["needs_slot"]?.bool == true, "X-03")
            try await arrived("booking.confirmed", id, at: [public_, staff])

            #expect(try await stage.offered(course).contains(course.slots[0]))
            let assigned = try await stage.assign(id, course.slots[0])
            #expect(assigned.status == 200, "\(assigned)")
            #expect(assigned.data["booking"]?["confirmed_slot_id"]?.string == course.slots[0])
            #expect(assigned.data["booking"]?["assignment_basis"]?.string == "first_choice")
            #expect(assigned.data["slot"]?["slots_remaining"]?.int == 0)
            let seat = try await public_.next {
                $0["type"]?.string == "availability.updated"
                    && $0["slot_id"]?.string == course.slots[0]
                    && $0["slots_remaining"]?.int == 0
            }
            #expect((seat["version"]?.int ?? 0) > 0, "X-49")
            #expect(seat["course_code"]?.string == course.code)
            _ = try await staff.next {
                $0["type"]?.string == "schedule.updated" && $0.text.contains(course.slots[0])
            }
            // The second slot overlaps for the same instructor, so it is gone as well.
            #expect(try await stage.offered(course) == [course.slots[2]])
            let byInstructor = try await stage.visitor.get(
                "/api/booking/availability/instructor/\(course.instructors[0])")
            #expect(
                (byInstructor.data["slots"]?.array ?? []).compactMap { $0["id"]?.string }
                    == [course.slots[2]])
            let again = try await stage.assign(id, course.slots[2])
            #expect(again.status == 409 && again.code == "INVALID_TRANSITION", "one slot only")
        }

        @Test(
            "A-19, X-17: a conflict names what is in the way and at most three alternatives",
            arguments: Mode.allCases)
        func conflict(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([
                .init(hour: 2), .init(hour: 2.5, room: 1), .init(hour: 4), .init(hour: 6),
                .init(hour: 8), .init(hour: 30),
            ])
            let winner = try await stage.confirmed(course, first: course.slots[0])
            let loser = try await stage.confirmed(course, first: course.slots[1])
            #expect(try await stage.assign(winner, course.slots[0]).status == 200)
            let answer = try await stage.assign(loser, course.slots[1])
            #expect(answer.status == 409)
            #expect(answer.code == "SCHEDULE_CONFLICT")
            let detail = try #require(answer.details.first { $0["conflicts"] != nil })
            let conflicts = detail["conflicts"]?.array ?? []
            #expect(conflicts.count == 1)
            #expect(conflicts.first?["resource"]?["id"]?.string == course.instructors[0])
            #expect(conflicts.first?["booking_id"]?.string == winner)
            let alternatives = (detail["alternatives"]?.array ?? []).compactMap { $0["id"]?.string }
            #expect(alternatives == Array(course.slots[2...4]), "the nearest first")

            let taken = try await stage.confirmed(course, first: course.slots[0])
            let full = try await stage.assign(taken, course.slots[0])
            #expect(full.status == 409 && full.code == "CAPACITY_EXCEEDED", "\(full)")
            let noReason = try await stage.assign(taken, course.slots[5])
            #expect(noReason.status == 400 && noReason.code == "OVERRIDE_REASON_REQUIRED")
            let other = try await stage.assign(taken, course.slots[5], reason: "the family asked")
            #expect(other.status == 200, "X-01: any other slot with a reason; \(other)")
            #expect(other.data["booking"]?["assignment_basis"]?.string == "admin_override")
        }

        @Test("A slot with several seats counts down", arguments: Mode.allCases)
        func capacity(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 3, capacity: 2)])
            var remaining: [Int64?] = []
            for _ in 0..<2 {
                let id = try await stage.confirmed(course)
                let answer = try await stage.assign(id, course.slots[0])
                remaining.append(answer.data["slot"]?["slots_remaining"]?.int)
            }
            #expect(remaining == [1, 0])
            let third = try await stage.confirmed(course)
            #expect(try await stage.assign(third, course.slots[0]).code == "CAPACITY_EXCEEDED")
        }

        @Test("The demo data offer PIANO-101 and others", arguments: [Mode.oneProcess])
        func demo(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let courses = try await stage.visitor.get("/api/courses").data["courses"]?.array ?? []
            #expect(courses.contains { $0["code"]?.string == "PIANO-101" })
            #expect(courses.count >= 3)
            let slots =
                try await stage.visitor.get(
                    "/api/booking/availability/find-slots?course_id=PIANO-101&page_size=500"
                ).data["slots"]?.array ?? []
            #expect(slots.count >= 10)
            let capacities = Set(
                try await stage.visitor.get(
                    "/api/booking/availability/find-slots?page_size=500"
                ).data["slots"]?.array?.compactMap { $0["capacity"]?.int } ?? [])
            #expect(capacities.contains(1) && capacities.contains { $0 > 1 })
        }

        @Test(
            "Reject and cancel end a request; a cancelled seat is free again",
            arguments: Mode.allCases)
        func ends(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 3)])
            let rejected = try Optional(try await stage.register(course)).id
            let reject = try await stage.admin.expect(
                200, "/api/booking/\(rejected)/reject", ["reason": "incomplete"])
            #expect(reject["booking"]?["status"]?.string == "rejected")
            let id = try await stage.confirmed(course)
            #expect(try await stage.assign(id, course.slots[0]).status == 200)
            #expect(try await stage.offered(course).isEmpty)
            _ = try await stage.admin.expect(
                200, "/api/booking/\(id)/cancel", ["reason": "moved away"])
            #expect(try await stage.offered(course) == course.slots)
            let history = try await stage.admin.get("/api/booking/admin/bookings/\(id)")
            let steps = (history.data["history"]?.array ?? []).compactMap { $0["action"]?.string }
            #expect(steps == ["created", "confirmed", "slot_assigned", "cancelled"])
        }
    }
}
