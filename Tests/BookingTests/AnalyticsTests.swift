import Domain
import Environment
import Loop
import Postgres
import Protobuf
import RPC
import Schema
import Telemetry
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct AnalyticsTests {
        private func refresher(_ fixture: Fixture) -> AnalyticsRefresher {
            AnalyticsRefresher(
                pool: fixture.pool, loop: Fixture.loop,
                logger: Logger(label: "test", sink: LogCapture().sink))
        }

        private func daily(
            _ fixture: Fixture, _ from: String, _ to: String,
            _ basis: BookingV1.DayBasis = .booking,
            _ change: (inout BookingV1.ListDailyRequest) -> Void = { _ in }
        ) async throws -> BookingV1.ListDailyResponse {
            var request = BookingV1.ListDailyRequest()
            request.from = from
            request.to = to
            request.basis = basis
            change(&request)
            return try await AnalyticsService(pool: fixture.pool).listDaily(
                request, Fixture.admin(BookingV1.AnalyticsMethods.listDaily))
        }

        /// A booking as it may stand in the table, with its history.
        @discardableResult
        private func book(
            _ fixture: Fixture, created: String, status: String = "confirmed",
            slot: SlotPlan? = nil, paid: Int = 0, back: Int = 0, notes: String = "",
            quantity: Int = 1
        ) async throws -> UUID {
            let id = UUID.random()
            let payment = UUID.random()
            let state = paid == 0 ? "not_required" : back > 0 ? "partially_refunded" : "paid"
            var statements: [SQL] = [
                """
                insert into booking (id, offering_id, applicant_key, status, payment_status,
                    confirmed_slot_id, assignment_basis, expires_at, created_at, notes, quantity)
                values (\(id), \(fixture.piano), \(id.description)::text::bytea, \(status), \(state),
                    \(nullable: slot?.id), \(nullable: slot.map { _ in "admin_override" }), now(),
                    \(created)::text::timestamptz, \(notes), \(quantity)::int)
                """,
                """
                insert into booking_history (booking_id, at, to_status, actor, action, version)
                values (\(id), now(), \(status), 'test', 'created', 1)
                """,
            ]
            if paid > 0 {
                statements.append(
                    """
                    insert into payment_record (id, booking_id, provider, amount, currency, status,
                        expires_at, paid_at, created_at, updated_at)
                    values (\(payment), \(id), 'manual', \(paid)::bigint, 'IDR', 'completed', now(),
                        now(), now(), now())
                    """)
            }
            if back > 0 {
                statements.append(
                    """
                    insert into refund (id, payment_id, amount, reason, actor, status,
                        idempotency_key, requested_at, completed_at)
                    values (\(UUID.random()), \(payment), \(back)::bigint, 'test', 'test',
                        'completed', 'k', now(), now())
                    """)
            }
            _ = try await fixture.pool.atomically(statements)
            return id
        }

        /// Another booking in place of one, at another slot.
        private func move(_ fixture: Fixture, _ id: UUID, to slot: SlotPlan) async throws -> UUID {
            let next = UUID.random()
            _ = try await fixture.pool.atomically([
                """
                insert into booking (id, offering_id, applicant_key, status, payment_status,
                    confirmed_slot_id, assignment_basis, expires_at, created_at, rescheduled_from)
                select \(next), offering_id, applicant_key, status, payment_status, \(slot.id),
                    'admin_override', expires_at, created_at + interval '1 day', id
                from booking where id = \(id)
                """,
                """
                insert into booking_history (booking_id, at, to_status, actor, action, version)
                values (\(next), now(), 'confirmed', 'test', 'created', 1)
                """,
                """
                insert into booking_history
                    (booking_id, at, from_status, to_status, actor, action, version)
                select id, now(), status, 'rescheduled', 'test', 'rescheduled', version + 1
                from booking where id = \(id)
                """,
                """
                update booking set status = 'rescheduled', rescheduled_to = \(next),
                    version = version + 1
                where id = \(id)
                """,
            ])
            return next
        }

        @Test(
            "X-108: by appointment, what a rescheduled booking was paid counts where it took place, in the archive too"
        )
        func rescheduled() async throws {
            let fixture = try await Fixture("analytics_moves")
            let slots = (1...4).map { SlotPlan(.random(), .random(), day: $0, capacity: 9) }
            try await fixture.publish(slots)
            let once = try await book(
                fixture, created: "2026-03-02T10:00:00Z", slot: slots[0], paid: 100_000)
            _ = try await move(fixture, once, to: slots[1])
            // Twice, and some of it goes back afterwards.
            let twice = try await book(
                fixture, created: "2026-03-02T10:00:00Z", slot: slots[0], paid: 70_000)
            _ = try await move(fixture, try await move(fixture, twice, to: slots[1]), to: slots[2])
            try await book(fixture, created: "2026-03-02T10:00:00Z", slot: slots[0], paid: 5000)
            let gone = try await move(
                fixture, try await book(fixture, created: "2026-03-02T10:00:00Z", slot: slots[0]),
                to: slots[3])
            func figures() async throws -> [[Int64]] {
                try PostgresClusterSQL.run(
                    "update booking.analytics_refresh set as_of = as_of - interval '1 hour'",
                    on: "booking_analytics_moves")
                #expect(try await refresher(fixture).refresh())
                let rows = try await fixture.pool.query(
                    """
                    select bookings, revenue, paid from analytics_daily
                    where basis = 'appointment' order by day
                    """)
                return try rows.map { [try $0[0], try $0[1], try $0[2]] }
            }
            #expect(
                try await figures() == [
                    [4, 5000, 1], [2, 100_000, 1], [1, 70_000, 1], [1, 0, 0],
                ])
            try await fixture.pool.execute(
                """
                insert into refund (id, payment_id, amount, reason, actor, status,
                    idempotency_key, requested_at, completed_at)
                select gen_random_uuid(), id, 20000, 'test', 'test', 'completed', 'later', now(),
                    now()
                from payment_record where booking_id = \(twice)
                """)
            #expect(try await figures()[2] == [1, 50_000, 1])
            let made = try await daily(fixture, "2026-03-02", "2026-03-04")
            #expect(made.figures.map(\.revenue) == [155_000, 0, 0], "where it was paid")
            let before = try await figures()
            _ = try await fixture.pool.atomically([
                "insert into booking_archive select now(), b.* from booking b",
                "insert into payment_record_archive select now(), p.* from payment_record p",
                "insert into refund_archive select now(), r.* from refund r",
                "delete from refund", "delete from payment_record", "delete from booking",
            ])
            #expect(try await figures() == before)
            #expect(
                try await fixture.number("select count(*) from booking where id = \(gone)") == 0)
        }

        @Test("X-108: local days, of the booking and of its slot; revenue is charges less refunds")
        func figures() async throws {
            let fixture = try await Fixture("analytics")
            let slot = SlotPlan(.random(), .random(), capacity: 9)
            try await fixture.publish([slot])
            // 06:30 in Jakarta: the day before in UTC.
            try await book(
                fixture, created: "2026-03-01T23:30:00Z", slot: slot, paid: 100_000, quantity: 3)
            try await book(
                fixture, created: "2026-03-02T10:00:00Z", status: "cancelled", slot: slot,
                paid: 50_000, back: 45_000)
            try await book(fixture, created: "2026-03-02T16:59:59Z", status: "rejected")
            try await book(fixture, created: "2026-03-02T17:00:00Z", status: "pending")
            #expect(try await daily(fixture, "2026-03-01", "2026-03-09").asOf == nil)
            let before = Instant.now()
            #expect(try await refresher(fixture).refresh())
            let made = try await daily(fixture, "2026-03-01", "2026-03-09")
            #expect(made.figures.map(\.day) == ["2026-03-02", "2026-03-03"])
            let day = try #require(made.figures.first)
            #expect(day.bookings == 3 && day.quantity == 5)
            #expect(day.confirmed == 1 && day.cancelled == 1 && day.rejected == 1)
            #expect(day.revenue == 105_000 && day.paid == 2 && day.average == 52_500)
            #expect(day.currency == "IDR" && day.offeringCode == "PIANO-101")
            #expect(made.figures.last?.pending == 1)
            #expect(Instant(try #require(made.asOf)) >= before - .seconds(1))
            let appointments = try await daily(
                fixture, String(slot.start.rfc3339.prefix(10)),
                String((slot.start + .seconds(86_400)).rfc3339.prefix(10)), .appointment)
            #expect(appointments.figures.map(\.bookings) == [2])
            #expect(appointments.figures.first?.revenue == 105_000)
            #expect(
                try await daily(fixture, "2026-03-01", "2026-03-09") {
                    $0.offeringId = fixture.choir.description
                }.figures.isEmpty)
        }

        @Test(
            "E-17: refreshed hourly and by one; readers go on meanwhile; what is new comes next time"
        )
        func refresh() async throws {
            let fixture = try await Fixture("analytics_refresh")
            try await book(fixture, created: "2026-03-02T10:00:00Z")
            let done = await allAtOnce(6) { _ in try await refresher(fixture).refresh() }
            #expect(done.compactMap(\.value).count { $0 } == 1)
            try await book(fixture, created: "2026-03-02T10:00:00Z")
            #expect(try await !refresher(fixture).refresh(), "not within the hour")
            #expect(
                try await daily(fixture, "2026-03-02", "2026-03-02").figures.first?.bookings == 1)
            try PostgresClusterSQL.run(
                "update booking.analytics_refresh set as_of = as_of - interval '1 hour'",
                on: "booking_analytics_refresh")
            #expect(try await refresher(fixture).refresh())
            #expect(
                try await daily(fixture, "2026-03-02", "2026-03-02").figures.first?.bookings == 2)
        }

        @Test("bad ranges are refused with the field's name")
        func badRange() async throws {
            let fixture = try await Fixture("analytics_bad")
            for (from, to) in [
                ("2026-03-02", "2026-03-01"), ("2026-01-01", "2027-01-02"), ("x", ""),
            ] {
                let error = await refusal { _ = try await daily(fixture, from, to) }
                #expect(error.code == .validationFailed)
            }
        }

        @Test("E-16: notes are found by other forms of their words, by an index, newest first")
        func search() async throws {
            let fixture = try await Fixture("analytics_search")
            try await book(
                fixture, created: "2026-03-01T10:00:00Z", notes: "Kucing takut pada anjing")
            try await book(
                fixture, created: "2026-03-02T10:00:00Z",
                notes: "Alergi obat; pengobatan dilanjutkan")
            try await book(fixture, created: "2026-03-03T10:00:00Z", notes: "minta obat cacing")
            func find(_ query: String) async throws -> [String] {
                var request = BookingV1.SearchNotesRequest()
                request.query = query
                return try await AnalyticsService(pool: fixture.pool).searchNotes(
                    request, Fixture.admin(BookingV1.AnalyticsMethods.searchNotes)
                ).bookings.compactMap {
                    $0.createdAt.map { String(Instant($0).rfc3339.prefix(10)) }
                }
            }
            #expect(try await find("obat") == ["2026-03-03", "2026-03-02"])
            #expect(try await find("obat -alergi") == ["2026-03-03"])
            #expect(try await find("\"takut pada\"") == ["2026-03-01"])
            #expect(try await find("'; drop table booking; --").isEmpty)
            let plan = try await fixture.pool.transaction { transaction in
                try await transaction.execute("set local enable_seqscan = off")
                return try await transaction.query(
                    """
                    explain select 1 from booking
                    where notes <> '' and note_words(notes) @@ note_query('obat')
                    """
                ).map { row -> String in try row[0] }.joined()
            }
            #expect(plan.contains("booking_by_notes"), "\(plan)")
        }
    }
}
