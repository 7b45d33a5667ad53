import Domain
import Environment
import FakeProvider
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

        private func get(_ fixture: Fixture, _ id: UUID) async throws
            -> BookingV1.GetBookingResponse
        {
            var request = BookingV1.GetBookingRequest()
            request.bookingId = id.description
            return try await fixture.bookings.getBooking(
                request, Fixture.admin(BookingV1.BookingsMethods.getBooking))
        }

        private func history(_ fixture: Fixture, _ id: UUID) async throws
            -> BookingV1.GetHistoryResponse
        {
            var request = BookingV1.GetHistoryRequest()
            request.bookingId = id.description
            return try await fixture.bookings.getHistory(
                request, Fixture.admin(BookingV1.BookingsMethods.getHistory))
        }

        private func day(_ fixture: Fixture) async throws -> BookingV1.ListDayResponse {
            var request = BookingV1.ListDayRequest()
            request.date = try await fixture.text("select min(local_date)::text from slot")
            return try await DeskService(pool: fixture.pool, clock: .system).listDay(
                request, Fixture.admin(BookingV1.DeskMethods.listDay))
        }

        private func link(_ fixture: Fixture, _ id: UUID) async throws
            -> BookingV1.GetByManageTokenResponse
        {
            var request = BookingV1.GetByManageTokenRequest()
            request.token = Fixture.tokens.manage(id)
            return try await appointments(fixture).getByManageToken(
                request, ServerContext(method: BookingV1.AppointmentsMethods.getByManageToken))
        }

        private func appointments(_ fixture: Fixture) -> AppointmentService {
            AppointmentService(
                pool: fixture.pool, clock: .system, tokens: Fixture.tokens, committed: {})
        }

        @Test("by its id, its link, its day, with history, money and proof: all as before")
        func reads() async throws {
            let stage = try await PaymentStage("archive_reads")
            let fixture = stage.fixture
            let old = OldBookings(fixture: fixture)
            let past = try await old.slot(ended: 401)
            let first = try await old.add("first") {
                ($0.made, $0.status, $0.slot) = (460, "confirmed", past)
            }
            let last = try await old.add("last") {
                ($0.status, $0.payment, $0.slot) = ("no_show", "partially_refunded", past)
            }
            let charge = try await old.charge(first)
            try await old.refund(charge, "completed", 40_000)
            try await old.reschedule(first, to: last)
            func proof() async throws -> [UInt8] {
                var request = PaymentV1.GetProofRequest()
                request.paymentId = charge.description
                return try await stage.service.getProof(
                    request, Fixture.admin(PaymentV1.PaymentsMethods.getProof)
                ).data
            }
            let before = (
                try await get(fixture, first), try await get(fixture, last),
                try await link(fixture, first), try await day(fixture),
                try await history(fixture, first), try await stage.ledger(last)
            )
            #expect(before.3.slots.first?.bookings.count == 2)
            #expect(before.5.charged == 100_000 && before.5.refunded == 40_000)
            #expect(try await ArchiveTests.archiver(fixture).round() == 2)
            #expect(try await fixture.number("select count(*) from booking") == 0)
            var now = (try await get(fixture, first), try await get(fixture, last))
            var linked = try await link(fixture, first)
            for booking in [now.0.booking, now.1.booking, linked.booking] {
                let at = Instant(try #require(booking?.archivedAt))
                #expect(at > Instant.now() - .seconds(120), "it says that it is archived")
            }
            now.0.booking?.archivedAt = nil
            now.1.booking?.archivedAt = nil
            linked.booking?.archivedAt = nil
            #expect(now.0 == before.0)
            #expect(now.1 == before.1)
            #expect(linked == before.2)
            #expect(linked.booking?.id == last.description, "a link leads to the end of the line")
            #expect(try await day(fixture).slots == before.3.slots)
            #expect(try await history(fixture, first) == before.4)
            #expect(try await stage.ledger(last) == before.5)
            #expect(try await proof() == Array("png".utf8))
            await stage.close()
        }

        @Test("what is archived is not changed any more, and says so")
        func refusals() async throws {
            let stage = try await PaymentStage("archive_refusals")
            let fixture = stage.fixture
            let old = OldBookings(fixture: fixture)
            let past = try await old.slot(ended: 401)
            let id = try await old.add("gone") {
                ($0.status, $0.payment, $0.slot) = ("no_show", "paid", past)
            }
            try await old.charge(id)
            #expect(try await ArchiveTests.archiver(fixture).round() == 1)
            let slot = stage.slot
            let calls: [(String, () async throws -> Void)] = [
                ("cancel", { try await fixture.cancel(id.description) }),
                ("assign", { try await fixture.assign(id.description, slot) { $0.reason = "x" } }),
                ("refund", { _ = try await stage.refund(id, nil) }),
                ("pay", { try await stage.create(id) }),
                (
                    "cancel by link",
                    {
                        var request = BookingV1.CancelByManageTokenRequest()
                        request.token = Fixture.tokens.manage(id)
                        _ = try await self.appointments(fixture).cancelByManageToken(
                            request,
                            ServerContext(
                                method: BookingV1.AppointmentsMethods.cancelByManageToken))
                    }
                ),
            ]
            for (what, call) in calls {
                let error = await refusal(of: call)
                #expect(error.code == .invalidTransition, "\(what): \(error)")
                #expect(error.message.contains("was archived on 20"), "\(what): \(error.message)")
            }
            let never = await refusal { try await fixture.cancel(UUID.random().description) }
            #expect(never.code == .bookingNotFound)
            await stage.close()
        }

        @Test("a late callback is not taken for one of an archived charge, and is remembered")
        func callback() async throws {
            let stage = try await PaymentStage("archive_callback")
            let fixture = stage.fixture
            let id = UUID.timeOrdered(Instant.now() - .seconds(450 * 86_400))
            let past = try await OldBookings(fixture: fixture).slot(ended: 401)
            let booking = try await stage.booking()
            let payment = try await stage.create(booking)
            #expect(try await stage.pay(payment) == "applied")
            let late = try #require(stage.provider.kept.last)
            // As it would stand there after years.
            try PostgresClusterSQL.run(
                """
                set search_path = booking; set session_replication_role = replica;
                update booking set id = '\(id)', status = 'no_show', confirmed_slot_id = '\(past)';
                update payment_record set booking_id = '\(id)';
                update booking_history set booking_id = '\(id)';
                """, on: "booking_\(fixture.name)")
            #expect(
                try await ArchiveTests.archiver(fixture).round() == 0, "it is still remembered")
            try await fixture.pool.execute("delete from payment_event")
            #expect(try await ArchiveTests.archiver(fixture).round() == 1)
            let error = await refusal { try await stage.deliver(late) }
            #expect(error.code == .paymentNotFound)
            #expect(
                try await fixture.text("select outcome from payment_event") == "unknown_payment")
            #expect(try await stage.ledger(id).charged == PaymentStage.price)
            await stage.close()
        }

        @Test("while they move, each is found by whoever asks")
        func meanwhile() async throws {
            let fixture = try await Fixture("archive_meanwhile")
            let old = OldBookings(fixture: fixture)
            let past = try await old.slot(ended: 401)
            var ids: [UUID] = []
            for n in 0..<240 { ids.append(try await old.add("\(n)") { $0.slot = past }) }
            let wanted = ids
            let (reads, isDone) = (Count(), Count())
            let readers = Task {
                await allAtOnce(4) { reader -> Int in
                    var found = 0
                    while isDone.value == 0 || found < 60 {
                        let id = wanted[(reader * 60 + found) % wanted.count]
                        let answer = try await get(fixture, id)
                        #expect(answer.booking?.id == id.description)
                        #expect(answer.slot?.id == past.description)
                        found += 1
                        reads.add()
                    }
                    return found
                }
            }
            #expect(try await eventually { reads.value > 4 })
            #expect(try await ArchiveTests.archiver(fixture).round() == 240)
            isDone.add()
            let outcomes = await readers.value
            #expect(outcomes.compactMap(\.refusal).isEmpty, "\(outcomes)")
            #expect(outcomes.compactMap(\.value).count == 4)
        }
    }
}
