import Domain
import Environment
import Postgres
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct DeskTests {
        private func day(
            _ fixture: Fixture, _ date: String, location: String = ""
        ) async throws -> BookingV1.ListDayResponse {
            var request = BookingV1.ListDayRequest()
            request.date = date
            request.locationId = location
            return try await DeskService(pool: fixture.pool, clock: .system).listDay(
                request, Fixture.admin(BookingV1.DeskMethods.listDay))
        }

        @Test("a day: its slots with live holds and bookings, in order; nothing of other days")
        func listsDay() async throws {
            let fixture = try await Fixture("desk")
            var slots = [SlotPlan(.random(), .random()), SlotPlan(.random(), .random())]
            // Of one day in Jakarta, whatever time it is.
            let date = Int64(SlotPlan.origin.date.daysSinceEpoch) + 2
            let midnight = Instant(secondsSinceEpoch: date * 86_400 - 7 * 3600)
            slots[0].start = midnight + .seconds(9 * 3600)
            slots[1].start = midnight + .seconds(12 * 3600)
            try await fixture.publish(slots)
            let booked = try await fixture.confirmed(slots[0])
            try await fixture.assign(booked, slots[0])
            try await fixture.pool.execute(
                """
                insert into contact (booking_id, full_name, email, phone, subject_name)
                values (\(UUID(booked) ?? .random()), 'Sari', 'sari@example.com', '+62811', 'Momo')
                """)
            for (seconds, token) in [(600, "a"), (-1, "b")] {
                try await fixture.pool.execute(
                    """
                    insert into hold (id, slot_id, quantity, token_hash, holder_key, expires_at,
                        created_at)
                    values (\(UUID.random()), \(slots[1].id), 1, sha256(\(token)::text::bytea), '\\x01',
                        clock_timestamp() + \(seconds)::int * interval '1 second',
                        clock_timestamp())
                    """)
            }
            let dates = try await fixture.pool.query(
                "select local_date::text from slot order by starts_at"
            ).map { try $0[0] as String }
            let answer = try await day(fixture, dates[0])
            #expect(dates[0] == dates[1])
            #expect(answer.slots.map { $0.slot?.id } == slots.map(\.id.description))
            #expect(answer.slots[0].bookings.map { $0.booking?.id } == [booked])
            #expect(answer.slots[0].bookings.first?.contact?.subjectName == "Momo")
            #expect(answer.slots[0].holds.isEmpty)
            #expect(answer.slots[1].holds.count == 1, "the lapsed one is not shown")
            #expect(try await day(fixture, "2001-01-01").slots.isEmpty)
            #expect(
                try await day(fixture, dates[0], location: UUID.random().description).slots.isEmpty)
        }

        @Test("a booking with its contact, its slot and its history")
        func getsBooking() async throws {
            let fixture = try await Fixture("desk_case")
            let slot = SlotPlan(.random(), .random())
            try await fixture.publish([slot])
            let booked = try await fixture.confirmed(slot)
            try await fixture.assign(booked, slot)
            var request = BookingV1.GetBookingRequest()
            request.bookingId = booked
            let answer = try await fixture.bookings.getBooking(
                request, Fixture.admin(BookingV1.BookingsMethods.getBooking))
            #expect(answer.applicant != nil)
            #expect(answer.contact == nil)
            #expect(answer.slot?.id == slot.id.description)
            #expect(answer.history.map(\.action) == ["created", "confirmed", "slot_assigned"])
            #expect(answer.history.last?.paymentStatus != nil)
        }

        @Test(
            "what is no day or no location is refused",
            arguments: [("", ""), ("2026-02-30", ""), ("2026-02-20", "x")])
        func refuses(date: String, location: String) async throws {
            let fixture = try await Fixture("desk_bad")
            await #expect(throws: DomainError.self) {
                try await day(fixture, date, location: location)
            }
        }
    }
}
