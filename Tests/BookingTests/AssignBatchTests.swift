import Domain
import Environment
import Postgres
import Schema
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct AssignBatchTests {
        @Test("one order's failure is nobody else's, and leaves nothing behind")
        func isolation() async throws {
            let fixture = try await Fixture("assign_isolation")
            let instructor = UUID.random()
            let lesson = SlotPlan(instructor, .random())
            let rival = SlotPlan(instructor, .random(), minute: 30)
            let (large, blocked) = (
                SlotPlan(.random(), .random(), hour: 13, capacity: 40),
                SlotPlan(.random(), .random(), hour: 15)
            )
            try await fixture.publish([lesson, rival, large, blocked])
            var all: [String] = []
            for _ in 0..<40 { all.append(try await fixture.confirmed()) }
            let ids = all
            let other = SlotPlan(blocked.instructor, .random(), hour: 15, minute: 30)
            try await fixture.publish([other])
            try await fixture.assign(ids[0], other.id.description)
            try await fixture.assign(ids[1], large, key: "used")
            let outcomes = await allAtOnce(40) { index -> BookingV1.AssignSlotResponse? in
                guard index > 1 else { return nil }
                return switch index % 8 {
                case 0: try await fixture.assign(UUID.random().description, large)
                case 1: try await fixture.assign(ids[index], large, key: "used")
                case 2: try await fixture.assign(ids[index], blocked, key: "\(index)")
                case 3: try await fixture.assign(ids[index], lesson, key: "\(index)")
                case 4: try await fixture.assign(ids[index], rival, key: "\(index)")
                default: try await fixture.assign(ids[index], large, key: "\(index)")
                }
            }
            let codes = outcomes.compactMap(\.refusal).map(\.code)
            #expect(codes.count { $0 == .bookingNotFound } == 4)
            #expect(codes.count { $0 == .idempotencyKeyReused } == 4)
            // One of the lesson and its rival has a seat, the other none.
            #expect(codes.count { $0 == .capacityExceeded } == 4)
            #expect(codes.count { $0 == .scheduleConflict } == 5 + 5)
            #expect(outcomes.compactMap { $0.value ?? nil }.count == 15 + 1)
            #expect(try await fixture.taken(large) == 15 + 1)
            #expect(try await fixture.taken(lesson) + fixture.taken(rival) == 1)
            #expect(try await fixture.taken(blocked) == 0)
            try await fixture.check(KernelInvariants.all)
            #expect(
                try await fixture.number(
                    "select count(*) from booking_history where action = 'slot_assigned'") == 18)
            // Keys of the refused are free: only what was granted is known by one.
            #expect(
                try await fixture.number(
                    """
                    select count(*) from idempotency_key
                    where key ~ '^[0-9]+$' or key = 'used'
                    """) == 17)
        }

        @Test("a booking that is given two slots at once gets one of them")
        func twice() async throws {
            let fixture = try await Fixture("assign_twice")
            let slots = (0..<4).map { SlotPlan(.random(), .random(), hour: 9 + $0, capacity: 20) }
            try await fixture.publish(slots)
            var all: [String] = []
            for _ in 0..<12 { all.append(try await fixture.confirmed()) }
            let ids = all
            let outcomes = await allAtOnce(48) { index in
                try await fixture.assign(ids[index / 4], slots[index % 4]) { $0.reason = "test" }
            }
            #expect(outcomes.compactMap(\.value).count == 12)
            #expect(
                Set(outcomes.compactMap(\.refusal).map(\.code)).isSubset(of: [
                    .invalidTransition, .versionConflict,
                ]))
            #expect(try await fixture.number("select sum(taken)::int8 from slot") == 12)
            try await fixture.check(KernelInvariants.all)
        }
    }
}

extension Fixture {
    @discardableResult
    fileprivate func assign(
        _ id: String, _ slot: SlotPlan, key: String
    ) async throws -> BookingV1.AssignSlotResponse {
        try await assign(id, slot) { ($0.reason, $0.idempotencyKey) = ("test", key) }
    }
}
