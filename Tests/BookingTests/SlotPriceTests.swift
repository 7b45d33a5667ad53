import Domain
import Environment
import Postgres
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    /// Slots have their own prices (E-08): what a booking costs that moves between them, or gets one.
    @Suite("Prices of slots", .serialized, .timeLimit(.minutes(2))) struct SlotPriceTests {
        @Test("customers move to the same price or a lower one, staff say why; the total stays")
        func moves() async throws {
            let clinic = try await Clinic("price_moves", payment: "at_desk")
            let slot = try await clinic.slot(capacity: 9)
            let same = try await clinic.slot(capacity: 9, hour: 11)
            let dear = try await clinic.slot(capacity: 9, hour: 12)
            let cheap = try await clinic.slot(capacity: 9, hour: 13)
            _ = try await clinic.fixture.update(dear) { $0.price = 200_000 }
            _ = try await clinic.fixture.update(cheap) { $0.price = 20_000 }
            let made = try await clinic.confirm(try await clinic.place(slot, 2))
            var token = made.manageToken
            #expect(try await clinic.managed(token).rights?.reschedulePriceLimit == 50_000)
            let refused = await refusal { _ = try await clinic.reschedule(link: token, dear) }
            #expect(refused.code == .paymentRequired)
            #expect(refused.message.contains("200000 IDR") && refused.message.contains("50000 IDR"))
            #expect(refused.violations.map(\.field) == ["schedule_id"])
            #expect(try await clinic.fixture.taken(slot) == 2)
            for next in [same, cheap, same] {
                let moved = try await clinic.reschedule(link: token, next)
                #expect(moved.booking?.total == 100_000, "as agreed")
                token = moved.manageToken
            }
            let id = try #require(try await clinic.managed(token).booking?.id)
            let why = await refusal { _ = try await clinic.reschedule(id, dear, reason: " ") }
            #expect(why.code == .overrideReasonRequired)
            let moved = try await clinic.reschedule(id, dear, reason: "the doctor is ill")
            #expect(moved.booking?.total == 100_000)
            #expect(
                try await clinic.managed(token).rights?.reschedulePriceLimit == 200_000,
                "what the seat is worth where it is")
            try await clinic.sweep()
        }

        @Test("who cannot have a slot to move to is offered none that is dearer")
        func alternatives() async throws {
            let clinic = try await Clinic("price_offers", payment: "at_desk")
            let slot = try await clinic.slot(capacity: 1)
            let full = try await clinic.slot(capacity: 1, hour: 12)
            let dear = try await clinic.slot(capacity: 9, hour: 13)
            let same = try await clinic.slot(capacity: 9, hour: 18)
            _ = try await clinic.fixture.update(dear) { $0.price = 200_000 }
            _ = try await clinic.place(full)
            let made = try await clinic.booked(slot)
            let refused = await refusal {
                _ = try await clinic.reschedule(link: made.manageToken, full)
            }
            #expect(refused.code == .capacityExceeded)
            let offers = try #require(try refused.detail(BookingV1.ConflictDetails.self))
            #expect(offers.alternatives.map(\.id) == [same.id.description])
            // Whoever holds anew pays what it costs.
            let other = await refusal { _ = try await clinic.place(full) }
            let all = try #require(try other.detail(BookingV1.ConflictDetails.self))
            #expect(all.alternatives.map(\.id).contains(dear.id.description))
        }

        @Test(
            "E-08, X-103: an unpaid request costs what the slot that it named costs, never more by an override",
            arguments: [false, true])
        func assigned(isConfirmed: Bool) async throws {
            let fixture = try await Fixture("price_assigned_\(isConfirmed)")
            try await fixture.pool.execute("update offering set price = 50000")
            let slots = (0..<5).map { SlotPlan(.random(), .random(), hour: 9 + $0, capacity: 9) }
            try await fixture.publish(slots)
            let prices: [Int64?] = [200_000, 20_000, nil, 0, 90_000]
            for (slot, price) in zip(slots, prices) where price != nil {
                _ = try await fixture.update(slot) { $0.price = price }
            }
            /// What it costs in the slot of that number, when the first two were named.
            func cost(_ slot: Int, _ first: Int = 0, _ second: Int = 1) async throws -> Int64? {
                let id = try await fixture.request(
                    "\(UUID.random())@example.com", slots[first], slots[second]
                ).id
                // Meanwhile the course has become dearer for others.
                try await fixture.pool.execute("update offering set price = 60000")
                if isConfirmed {
                    try await fixture.confirm(id)
                    return try await fixture.assign(id, slots[slot]) { $0.reason = "test" }
                        .booking?.total
                }
                return try await fixture.confirm(id) {
                    $0.scheduleId = slots[slot].id.description
                    $0.reason = "test"
                }.booking?.total
            }
            func reset() async throws {
                try await fixture.pool.execute("update offering set price = 50000")
            }
            for (slot, total) in [(0, 200_000), (1, 20_000), (2, 50_000), (3, 0), (4, 50_000)] {
                try await reset()
                #expect(try await cost(slot) == Int64(total), "slot \(slot)")
            }
            #expect(
                try await fixture.number(
                    "select count(*) from booking where total = 200000 and final_amount = 200000")
                    == 1)
        }

        @Test("what is charged stays the total; a dearer slot for it needs a reason")
        func charged() async throws {
            let fixture = try await Fixture("price_charged")
            try await fixture.pool.execute("update offering set price = 50000")
            let dear = SlotPlan(.random(), .random(), capacity: 9)
            try await fixture.publish([dear])
            _ = try await fixture.update(dear) { $0.price = 200_000 }
            let id = try await fixture.request("ani@example.com", dear).id
            try await fixture.confirm(id)
            try await fixture.pool.execute(
                "update booking set payment_status = 'pending' where id = \(try #require(UUID(id)))"
            )
            let refused = await refusal { try await fixture.assign(id, dear) }
            #expect(refused.code == .overrideReasonRequired)
            #expect(refused.message.contains("200000 IDR") && refused.message.contains("50000 IDR"))
            let given = try await fixture.assign(id, dear) { $0.reason = "agreed by phone" }
            #expect(given.booking?.total == 50_000)
        }
    }
}
