import Domain
import Environment
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct RequestChoicesTests {
        @Test("X-24: who asked for a slot that another was given is told, and offered what is near")
        func alternatives() async throws {
            let fixture = try await Fixture("request_choices")
            let clinic = AppointmentService(
                pool: fixture.pool, clock: .system, tokens: Fixture.tokens, committed: {})
            let (ani, room) = (UUID.random(), UUID.random())
            let first = SlotPlan(ani, room, day: 3, hour: 9)
            let second = SlotPlan(.random(), .random(), day: 3, hour: 10)
            let near = SlotPlan(ani, room, day: 3, hour: 12)
            let far = SlotPlan(ani, room, day: 6, hour: 9)
            let overlapping = SlotPlan(ani, .random(), day: 3, hour: 9)
            try await fixture.publish([first, second, near, far, overlapping])
            let answer = try await fixture.register(
                form("rival@example.com", fixture.piano, first.id, second.id))
            let rival = try #require(answer.booking)
            func view() async throws -> BookingV1.GetByManageTokenResponse {
                var request = BookingV1.GetByManageTokenRequest()
                request.token = answer.manageToken
                return try await clinic.getByManageToken(
                    request, ServerContext(method: BookingV1.AppointmentsMethods.getByManageToken))
            }
            func pending() async throws -> BookingV1.PendingBooking? {
                try await fixture.bookings.listPending(
                    BookingV1.ListPendingRequest(),
                    Fixture.admin(BookingV1.BookingsMethods.listPending)
                ).bookings.first { $0.booking?.id == rival.id }
            }
            var seen = try await view()
            #expect(seen.booking?.id == rival.id)
            #expect(seen.firstChoice?.available == true)
            #expect(!seen.choicesGone && seen.alternatives.isEmpty)
            try await fixture.assign(try await fixture.confirmed(first), first)
            seen = try await view()
            #expect(seen.firstChoice?.available == false)
            #expect(!seen.choicesGone, "the second choice is free")
            try await fixture.assign(try await fixture.confirmed(second), second)
            seen = try await view()
            #expect(seen.choicesGone)
            let expected = [near.id.description, far.id.description]
            #expect(seen.alternatives.map(\.id) == expected, "what overlaps is no alternative")
            let row = try await pending()
            #expect(row?.choicesGone == true)
            #expect(row?.alternatives.map(\.id) == expected)
            #expect(row?.firstChoice?.available == false)
            // Given one of them, there is nothing to offer any more.
            try await fixture.confirm(rival.id)
            try await fixture.assign(rival.id, near) { $0.reason = "the family agreed" }
            seen = try await view()
            #expect(!seen.choicesGone && seen.alternatives.isEmpty)
            #expect(seen.slot?.id == near.id.description)
        }
    }
}
