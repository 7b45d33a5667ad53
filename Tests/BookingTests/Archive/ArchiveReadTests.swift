import Environment
import Postgres
import RPC
import Schema
import Telemetry
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    /// What is asked for is answered from the archive as it was before.
    @Suite(.serialized, .timeLimit(.minutes(2))) struct ArchiveReadTests {
        private func figures(
            _ fixture: Fixture, _ basis: BookingV1.DayBasis
        ) async throws -> [BookingV1.DailyFigures] {
            try PostgresClusterSQL.run(
                "update booking.analytics_refresh set as_of = as_of - interval '1 hour'",
                on: "booking_\(fixture.name)")
            let refresher = AnalyticsRefresher(
                pool: fixture.pool, loop: Fixture.loop,
                logger: Logger(label: "test", sink: LogCapture().sink))
            #expect(try await refresher.refresh())
            let now = Instant.now()
            var request = BookingV1.ListDailyRequest()
            request.from = String((now - .seconds(500 * 86_400)).rfc3339.prefix(10))
            request.to = String((now - .seconds(390 * 86_400)).rfc3339.prefix(10))
            request.basis = basis
            return try await AnalyticsService(pool: fixture.pool).listDaily(
                request, Fixture.admin(BookingV1.AnalyticsMethods.listDaily)
            ).figures
        }

        @Test("E-17: the figures of archived days are what they were, to the last rupiah")
        func analytics() async throws {
            let fixture = try await Fixture("archive_figures")
            let old = OldBookings(fixture: fixture)
            let past = try await old.slot(ended: 401)
            for (made, status) in [(450.0, "completed"), (450, "no_show"), (440, "completed")] {
                let id = try await old.add(status) {
                    ($0.made, $0.status, $0.payment, $0.slot) = (made, status, "paid", past)
                }
                try await old.charge(id, "completed", 70_000)
            }
            let back = try await old.add("cancelled") {
                ($0.status, $0.payment, $0.slot) = ("cancelled", "partially_refunded", past)
            }
            try await old.refund(old.charge(back), "completed")
            try await old.add("stays") { ($0.status, $0.slot) = ("confirmed", past) }
            let made = try await figures(fixture, .booking)
            let appointments = try await figures(fixture, .appointment)
            #expect(made.map(\.revenue) == [150_000, 70_000] && made.map(\.paid) == [3, 1])
            #expect(appointments.map(\.bookings) == [5])
            #expect(try await ArchiveTests.archiver(fixture).round() == 4)
            #expect(try await figures(fixture, .booking) == made)
            #expect(try await figures(fixture, .appointment) == appointments)
        }
    }
}
