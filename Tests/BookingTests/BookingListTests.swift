import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite("All bookings", .serialized, .timeLimit(.minutes(2))) struct BookingListTests {
        private func list(
            _ fixture: Fixture, _ change: (inout BookingV1.ListBookingsRequest) -> Void = { _ in }
        ) async throws -> BookingV1.ListBookingsResponse {
            var request = BookingV1.ListBookingsRequest()
            change(&request)
            return try await fixture.bookings.listBookings(
                request, Fixture.admin(BookingV1.BookingsMethods.listBookings))
        }

        @Test("E-07: by status, course, slot and time, the newest first, page by page")
        func filters() async throws {
            let fixture = try await Fixture("list_filters")
            let slot = SlotPlan(.random(), .random(), capacity: 3)
            try await fixture.publish([slot])
            var made: [String] = []
            for _ in 0..<5 { made.append(try await fixture.request().id) }
            let choir = try await fixture.request("x@example.com", nil, nil, fixture.choir).id
            try await fixture.confirm(made[0])
            try await fixture.assign(made[0], slot.id.description)
            try await fixture.reject(made[1])
            var ids: [String] = []
            var token = ""
            repeat {
                let page = try await list(fixture) { ($0.pageSize, $0.pageToken) = (4, token) }
                ids += page.bookings.map(\.id)
                token = page.nextPageToken
            } while !token.isEmpty
            #expect(ids == (made + [choir]).reversed())
            let ended = try await list(fixture) { $0.statuses = [.rejected, .confirmed] }
            #expect(ended.bookings.map(\.id) == [made[1], made[0]])
            #expect(
                try await list(fixture) { $0.slotId = slot.id.description }.bookings.map(\.id)
                    == [made[0]])
            let course = try await list(fixture) { $0.courseId = fixture.choir.description }
            #expect(course.bookings.map(\.id) == [choir])
            let place = try await list(fixture) { $0.locationId = UUID.random().description }
            #expect(place.bookings.isEmpty && place.nextPageToken.isEmpty)
            let later = try await list(fixture) { $0.from = .init(.now() + .seconds(3600)) }
            #expect(later.bookings.isEmpty)
            let earlier = try await list(fixture) { $0.to = .init(.now() + .seconds(3600)) }
            #expect(earlier.bookings.count == 6)
            await fixture.pool.close()
        }

        @Test("what cannot be meant is refused by name")
        func bad() async throws {
            let fixture = try await Fixture("list_bad")
            let error = await refusal {
                _ = try await list(fixture) {
                    ($0.pageSize, $0.pageToken, $0.slotId) = (201, "?", "x")
                    $0.statuses = [.confirmed, .unspecified]
                }
            }
            #expect(
                error.violations.map(\.field) == [
                    "page_size", "page_token", "statuses[1]", "slot_id",
                ])
            await fixture.pool.close()
        }

        @Test("E-14: the history of a booking alone")
        func history() async throws {
            let fixture = try await Fixture("list_history")
            let booking = try await fixture.request()
            try await fixture.confirm(booking.id)
            var request = BookingV1.GetHistoryRequest()
            request.bookingId = booking.id
            let context = Fixture.admin(BookingV1.BookingsMethods.getHistory)
            let history = try await fixture.bookings.getHistory(request, context).history
            #expect(history.map(\.action) == ["created", "confirmed"])
            #expect(history.map(\.actor) == ["public", "admin:7"])
            request.bookingId = UUID.random().description
            let error = await refusal {
                _ = try await fixture.bookings.getHistory(request, context)
            }
            #expect(error.code == .bookingNotFound)
            await fixture.pool.close()
        }
    }
}
