import Loop
import Protobuf
import Schema
import Telemetry
import Testing

@testable import Edge

@Suite struct LiveEventTests {
    static let slot: [String: JSONValue] = [
        "slot_id": "slot-1", "schedule_id": "slot-1", "course_id": "course-1",
        "course_code": "PIANO-101", "instructor_id": "i-1", "room_id": "room-1",
        "start_time": "2025-12-02T10:00:00Z", "end_time": "2025-12-02T11:00:00Z", "capacity": 3,
        "slots_remaining": 2, "demand": 1, "status": "available", "version": "5",
    ]
    static let booking: [String: JSONValue] = [
        "booking_id": "b-1", "bookingId": "b-1", "status": "pending", "course_id": "course-1",
        "course_code": "PIANO-101", "first_choice_slot_id": "slot-1", "demand": 2,
        "email": "leak@example.com",
    ]

    /// A socket that has greeted and subscribed.
    private static func listener(
        _ edge: EdgeFixture, _ subscribe: String, admin: Bool = false
    ) throws -> Plug {
        let plug = edge.plug()
        if admin { edge.services.signIn("boss") }
        let fields = admin ? [("Authorization", "Bearer boss")] : []
        _ = try plug.upgrade(admin ? "/ws" : "/ws/availability", fields)
        _ = try plug.message()
        plug.say(subscribe)
        #expect(try plug.message()["type"] == "subscribed")
        return plug
    }

    private static func ready(_ edge: EdgeFixture, streams: Int = 1) async throws {
        for _ in 0..<12_000
        where edge.services.subscriptions.count < streams
            || !edge.server.isFollowingEvents
        {
            try await edge.loop.sleep(for: .milliseconds(5))
        }
        #expect(edge.server.isFollowingEvents)
    }

    @Test("B-13, X-41, X-42, X-49: each dialect gets its shape, others get nothing")
    func availability() async throws {
        try await EdgeFixture.with(following: true) { edge in
            try await Self.ready(edge)
            let byCode = try Self.listener(
                edge, #"{"type":"subscribe","filters":{"course_id":"piano-101"}}"#)
            let byRoom = try Self.listener(
                edge, #"{"type":"subscribe","filters":{"room_id":["room-1","x"]}}"#)
            let bySession = try Self.listener(
                edge, #"{"type":"subscribe","filters":{"session_id":"slot-1"}}"#)
            let byTopic = try Self.listener(
                edge, #"{"type":"subscribe","topic":"availability"}"#)
            let mismatch = try Self.listener(
                edge, #"{"type":"subscribe","filters":{"course_id":"course-1","room_id":"x"}}"#)
            edge.services.publish(FakeServices.event("availability.updated", offset: 42, Self.slot))

            let typed = try byCode.message()
            #expect(typed["type"] == "availability.updated")
            #expect(typed["course_id"] == "course-1")
            #expect(typed["course_code"] == "PIANO-101")
            #expect(typed["slot_id"] == "slot-1")
            #expect(typed["slots_remaining"] == 2)
            #expect(typed["version"] == "5")
            #expect(typed["slots"]?.array?.first?["id"] == "slot-1")
            #expect(typed["slots"]?.array?.first?["demand"] == 1)
            #expect(typed["timestamp"] == "2025-12-02T10:00:00Z")
            #expect(typed["position"] == "availability.updated:3:42")

            #expect(try byRoom.message()["type"] == "availability.updated")
            let summary = try byRoom.message()
            #expect(summary["type"] == "availability.changed")
            #expect(summary["summary"]?["room_id"] == "room-1")
            #expect(summary["position"] == "availability.updated:3:42")
            #expect(try bySession.message()["type"] == "availability.updated")
            let broadcast = try byTopic.message()
            #expect(broadcast["type"] == "broadcast")
            #expect(broadcast["topic"] == "availability")
            #expect(broadcast["data"]?["slots_remaining"] == 2)
            mismatch.say(#"{"type":"ping"}"#)
            #expect(try mismatch.message()["type"] == "pong")
        }
    }

    @Test("B-08, B-19, X-50, X-53: bookings reach the public without a person, with the demand")
    func bookings() async throws {
        try await EdgeFixture.with(following: true) { edge in
            try await Self.ready(edge)
            let plug = try Self.listener(
                edge, #"{"type":"subscribe","filters":{"course_id":"course-1"}}"#)
            edge.services.publish(
                FakeServices.event("booking.created", action: "created", offset: 1, Self.booking))
            let created = try plug.message()
            #expect(created["type"] == "booking.created")
            #expect(created["booking"]?["id"] == "b-1")
            #expect(created["booking"]?["status"] == "pending")
            #expect(created["booking"]?["first_choice_slot_id"] == "slot-1")
            #expect(created["demand"] == 2)
            #expect(created["position"] == "booking.created:3:1")
            #expect(!String(decoding: created.encoded(), as: UTF8.self).contains("leak"))
            edge.services.publish(
                FakeServices.event(
                    "booking.cancelled", action: "cancelled", offset: 1,
                    [
                        "booking_id": "b-1", "course_id": "course-1", "status": "cancelled",
                        "cancelledBy": "admin:user-7",
                    ]))
            let cancelled = try plug.message()
            #expect(cancelled["type"] == "booking.cancelled")
            #expect(cancelled["booking"]?["cancelled_by"] == "admin")
            // Timetable and staff events are not for the public.
            edge.services.publish(
                FakeServices.event("admin.notifications", offset: 1, ["course_id": "course-1"]))
            edge.services.publish(
                FakeServices.event("schedule.updated", offset: 1, ["course_id": "course-1"]))
            edge.services.publish(
                FakeServices.event("booking.expired", offset: 1, ["course_id": "course-1"]))
            #expect(try plug.message()["type"] == "booking.expired")
        }
    }

    @Test("B-09, B-12, X-55: staff gets everything in full, rooms get a summary")
    func admin() async throws {
        try await EdgeFixture.with(following: true) { edge in
            try await Self.ready(edge)
            let staff = try Self.listener(edge, #"{"type":"subscribe","scope":"all"}"#, admin: true)
            let room = try Self.listener(
                edge, #"{"type":"subscribe","filters":{"room_id":"room-1"}}"#)
            edge.services.publish(
                FakeServices.event(
                    "schedule.updated", action: "moved", offset: 9,
                    ["schedule_id": "slot-1", "room_id": "room-1", "instructor_id": "i-1"]))
            let full = try staff.message()
            #expect(full["type"] == "schedule.updated")
            #expect(full["full_details"]?["instructor_id"] == "i-1")
            let summary = try room.message()
            #expect(summary["type"] == "availability.changed")
            #expect(summary["summary"]?["action"] == "moved")
            #expect(summary["summary"]?["instructor_id"] == nil)
            for (topic, type) in [
                ("schedule.deleted", "schedule.deleted"),
                ("admin.notifications", "admin.notification"),
                ("assessment.submitted", "assessment.submitted"),
                ("booking.created", "booking.created"),
                ("availability.updated", "availability.updated"),
            ] {
                edge.services.publish(FakeServices.event(topic, offset: 11, Self.booking))
                #expect(try staff.message()["type"]?.string == type)
            }
        }
    }

    @Test("X-48: after a break everyone is told to fetch anew, and the stream resumes")
    func resync() async throws {
        try await EdgeFixture.with(following: true) { edge in
            try await Self.ready(edge)
            let plug = try Self.listener(
                edge, #"{"type":"subscribe","filters":{"course_id":"course-1"}}"#)
            edge.services.publish(FakeServices.event("availability.updated", offset: 7, Self.slot))
            #expect(try plug.message()["type"] == "availability.updated")
            edge.services.endEvents()
            #expect(try plug.message(skipping: [])["type"] == "resync")
            try await Self.ready(edge, streams: 2)
            let resume = try #require(edge.services.subscriptions.last?.resume.first)
            #expect(resume.topic == "availability.updated")
            #expect(resume.partition == 3)
            #expect(resume.offset == 7)
            // What was seen before is not shown twice.
            edge.services.publish(FakeServices.event("availability.updated", offset: 7, Self.slot))
            edge.services.publish(FakeServices.event("availability.updated", offset: 8, Self.slot))
            #expect(try plug.message()["position"] == "availability.updated:3:8")
            var gap = FakeServices.Event()
            gap.kind = .gap(.init())
            edge.services.publish(gap)
            #expect(try plug.message(skipping: [])["type"] == "resync")
        }
    }

    @Test("X-54: a socket that does not read is closed with 4008 while others go on")
    func slowReader() async throws {
        try await EdgeFixture.with(following: true, { $0.maxSocketQueueBytes = 32 * 1024 }) {
            edge in
            try await Self.ready(edge)
            let slow = Plug(edge.port, receiveBuffer: 4096)
            _ = try slow.upgrade("/ws/availability")
            _ = try slow.message()
            slow.say(#"{"type":"subscribe","topic":"availability"}"#)
            _ = try slow.message()
            let quick = try Self.listener(
                edge, #"{"type":"subscribe","filters":{"course_id":"course-1"}}"#)
            var data = Self.booking
            data["course_code"] = .string(String(repeating: "x", count: 4000))
            var received = 0
            for offset in 1...2000 {
                edge.services.publish(
                    FakeServices.event("booking.created", offset: Int64(offset), data))
                _ = try quick.message()
                received += 1
                if edge.server.gateway.metrics.slowSockets.value > 0 { break }
            }
            #expect(received > 0)
            #expect(edge.server.gateway.metrics.slowSockets.value == 1)
            var last = try slow.hear()
            while case .message = last { last = try slow.hear() }
            #expect(last == .closed(4008))
        }
    }

    @Test("X-54: waiting availability of one slot is replaced by the newest")
    func coalescing() {
        var queue = OutboundQueue()
        queue.push([1], key: "slot-1")
        queue.push([9, 9])
        queue.push([2], key: "slot-2")
        queue.push([3, 3, 3], key: "slot-1")
        #expect(queue.bytes == 6)
        #expect(queue.take() == [[3, 3, 3], [9, 9], [2]])
        #expect(queue.isEmpty)
        queue.push([4], key: "slot-1")
        #expect(queue.take() == [[4]])
    }

    @Test("One frame of a view is encoded once for all sockets")
    func sharedFrames() throws {
        guard
            case .delivery(let delivery)? =
                FakeServices.event("availability.updated", offset: 1, Self.slot).kind
        else { return }
        let event = try #require(LiveEvent(delivery))
        let first = try #require(event.frame(.filtered))
        let second = try #require(event.frame(.filtered))
        let addresses = [first, second].map {
            $0.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        }
        #expect(addresses[0] == addresses[1])
        #expect(event.frame(.broadcast) != first)
    }
}
