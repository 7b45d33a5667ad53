import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct FindSlotsTests {
        @Test("A-21, X-16: free slots only: not full, not blocked, not past, not in maintenance")
        func freeOnly() async throws {
            let fixture = try await Fixture("find_free")
            let (ani, room) = (UUID.random(), UUID.random())
            let full = SlotPlan(.random(), .random())
            let busy = SlotPlan(ani, room, hour: 12)
            let blockedByInstructor = SlotPlan(ani, .random(), hour: 12, minute: 30)
            let blockedByRoom = SlotPlan(.random(), room, hour: 11, minute: 30)
            let neighbour = SlotPlan(ani, room, hour: 13)
            let seats = SlotPlan(.random(), .random(), hour: 14, capacity: 2)
            let broken = SlotPlan(.random(), .random(), hour: 15)
            var past = SlotPlan(.random(), .random())
            past.start = Instant.now() + .seconds(-60)
            let wanted = SlotPlan(.random(), .random(), hour: 16)
            let all = [
                full, busy, blockedByInstructor, blockedByRoom, neighbour, seats, broken, past,
                wanted,
            ]
            try await fixture.publish(all)
            for slot in [full, busy, seats] {
                try await fixture.assign(try await fixture.confirmed(slot), slot)
            }
            try await fixture.pool.execute(
                "update slot set status = 'maintenance' where id = \(broken.id)")
            // A request takes nothing.
            _ = try await fixture.request("w@example.com", wanted)
            let found = try await fixture.find()
            #expect(found.slots.map(\.id) == [neighbour, seats, wanted].map(\.id.description))
            #expect(found.slots.map(\.slotsRemaining) == [1, 1, 1])
            #expect(found.slots.map(\.demand) == [0, 0, 1])
            #expect(found.slots.allSatisfy { $0.status == .available })
            #expect(found.nextPageToken.isEmpty)
            #expect(found.asOf != nil)
            let slot = try #require(found.slots.first)
            #expect(slot.courseCode == "PIANO-101")
            #expect(slot.timeZone == "Asia/Jakarta")
            #expect(slot.instructor?.name == "Instructor")
            // Everything that is told to be free can be assigned, and nothing else.
            for plan in all {
                let id = try await fixture.confirmed()
                let isFree = found.slots.contains { $0.id == plan.id.description }
                var assigned = true
                do {
                    try await fixture.assign(id, plan) { $0.reason = "try" }
                    try await fixture.cancel(id)
                } catch {
                    assigned = false
                }
                #expect(assigned == isFree)
            }
        }

        @Test(
            "A-22, E-18, X-16: filters by course (UUID or code), instructor, room, time and seats")
        func filters() async throws {
            let fixture = try await Fixture("find_filters")
            let (ani, room) = (UUID.random(), UUID.random())
            let slots = [
                SlotPlan(ani, .random(), hour: 9), SlotPlan(.random(), room, hour: 11),
                SlotPlan(ani, room, hour: 13, capacity: 4), SlotPlan(.random(), .random(), day: 3),
            ]
            try await fixture.publish(slots)
            let class1 = SlotPlan(.random(), .random(), hour: 20, capacity: 9)
            try await fixture.publish([class1], of: fixture.choir)
            func ids(_ change: (inout BookingV1.FindSlotsRequest) -> Void) async throws -> [Int] {
                try await fixture.find(change).slots.map { slot in
                    (slots + [class1]).firstIndex { $0.id.description == slot.id } ?? -1
                }
            }
            #expect(try await ids { _ in } == [0, 1, 2, 4, 3])
            #expect(try await ids { $0.courseId = "CHOIR-1" } == [4])
            #expect(try await ids { $0.courseId = fixture.choir.description.uppercased() } == [4])
            #expect(try await ids { $0.courseId = "NONE" } == [])
            #expect(try await ids { $0.instructorId = ani.description } == [0, 2])
            #expect(try await ids { $0.roomId = room.description } == [1, 2])
            #expect(try await ids { $0.minRemaining = 4 } == [2, 4])
            #expect(try await ids { $0.minRemaining = 5 } == [4])
            // From is inclusive, to is exclusive.
            #expect(
                try await ids {
                    $0.from = .init(slots[1].start)
                    $0.to = .init(slots[2].start)
                } == [1])
            #expect(
                try await ids {
                    $0.courseId = "PIANO-101"
                    $0.instructorId = ani.description
                    $0.roomId = room.description
                } == [2])
            var request = BookingV1.GetByInstructorRequest()
            request.instructorId = ani.description
            let own = try await fixture.availability.getByInstructor(
                request, ServerContext(method: BookingV1.AvailabilityMethods.getByInstructor))
            #expect(own.slots.map(\.id) == [slots[0], slots[2]].map(\.id.description))
        }

        @Test("X-16: pages by keyset are complete, ordered and without a slot twice")
        func pages() async throws {
            let fixture = try await Fixture("find_pages")
            // Many begin at the same time: the id decides between them.
            let slots = (0..<53).map { SlotPlan(.random(), .random(), hour: 9 + $0 / 20) }
            try await fixture.publish(slots)
            let expected = slots.sorted { ($0.start, $0.id) < ($1.start, $1.id) }
                .map(\.id.description)
            for size in [1, 7, 52, 53, 54] as [Int32] {
                var found: [String] = []
                var token = ""
                var count = 0
                repeat {
                    let page = try await fixture.find {
                        $0.pageSize = size
                        $0.pageToken = token
                    }
                    found += page.slots.map(\.id)
                    token = page.nextPageToken
                    count += 1
                } while !token.isEmpty && count < 100
                #expect(found == expected, "pages of \(size)")
                #expect(count == (53 + Int(size) - 1) / Int(size))
            }
        }

        @Test("a page begun is not disturbed by slots that come and go")
        func pagesDuringChanges() async throws {
            let fixture = try await Fixture("find_churn")
            let slots = (0..<10).map { SlotPlan(.random(), .random(), hour: 9 + $0) }
            try await fixture.publish(slots)
            let first = try await fixture.find { $0.pageSize = 5 }
            try await fixture.assign(try await fixture.confirmed(slots[0]), slots[0])
            try await fixture.publish([SlotPlan(.random(), .random(), hour: 8)])
            let rest = try await fixture.find {
                $0.pageSize = 5
                $0.pageToken = first.nextPageToken
            }
            #expect(
                (first.slots + rest.slots).map(\.id) == slots.map(\.id.description))
        }

        @Test(
            "bad parameters are refused by name, never an error of ours",
            arguments: BadParameter.table)
        func badParameters(_ bad: BadParameter) async throws {
            let fixture = try await BadParameter.fixture.value
            let error = await refusal { _ = try await fixture.find(bad.change) }
            #expect(error.code == .validationFailed)
            #expect(error.violations.map(\.field) == [bad.field])
        }
    }
}

/// One query parameter that cannot be meant.
struct BadParameter: Sendable, CustomTestStringConvertible {
    let field: String
    let change: @Sendable (inout BookingV1.FindSlotsRequest) -> Void

    var testDescription: String { field }

    init(
        _ field: String, _ change: @escaping @Sendable (inout BookingV1.FindSlotsRequest) -> Void
    ) {
        self.field = field
        self.change = change
    }

    /// One database for the whole table.
    static let fixture = Task { try await Fixture("find_bad") }

    static let table = [
        BadParameter("instructor_id") { $0.instructorId = "x" },
        BadParameter("room_id") { $0.roomId = "x" },
        BadParameter("min_remaining") { $0.minRemaining = -1 },
        BadParameter("page_size") { $0.pageSize = 501 },
        BadParameter("page_size") { $0.pageSize = -1 },
        BadParameter("page_token") { $0.pageToken = "x" },
        BadParameter("page_token") { $0.pageToken = token(.max) },
        BadParameter("page_token") { $0.pageToken = token(.min) },
        BadParameter("course_id") { $0.courseId = String(repeating: "x", count: 41) },
        BadParameter("from") { $0.from = .seconds(.max) },
        BadParameter("from") { $0.from = .seconds(253_402_300_800) },
        BadParameter("to") { $0.to = .seconds(.min) },
    ]

    private static func token(_ microseconds: Int64) -> String {
        PageToken(at: Instant(microseconds: microseconds), id: .random()).text
    }
}

extension GoogleProtobuf.Timestamp {
    static func seconds(_ seconds: Int64) -> GoogleProtobuf.Timestamp {
        var timestamp = GoogleProtobuf.Timestamp()
        timestamp.seconds = seconds
        return timestamp
    }
}
