import Domain
import Environment
import Postgres
import RPC
import Schema
import Telemetry
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct QueueTests {
        private func list(
            _ fixture: Fixture, _ change: (inout BookingV1.ListPendingRequest) -> Void = { _ in }
        ) async throws -> BookingV1.ListPendingResponse {
            var request = BookingV1.ListPendingRequest()
            change(&request)
            return try await fixture.bookings.listPending(
                request, Fixture.admin(BookingV1.BookingsMethods.listPending))
        }

        @Test("A-14, X-24: pending requests with choices, their availability and who else asks")
        func pending() async throws {
            let fixture = try await Fixture("queue")
            let slots = [SlotPlan(.random(), .random()), SlotPlan(.random(), .random(), hour: 12)]
            try await fixture.publish(slots)
            let ani = try await fixture.request("ani@example.com", slots[0], slots[1])
            let budi = try await fixture.request("budi@example.com", slots[1], slots[0])
            let cici = try await fixture.request("cici@example.com", slots[0])
            try await fixture.confirm(cici.id) { $0.scheduleId = slots[0].id.description }
            let lapsed = try await fixture.request("dedi@example.com", slots[1])
            try await fixture.lapse(lapsed.id)
            let answer = try await list(fixture)
            #expect(answer.bookings.map { $0.booking?.id } == [ani.id, budi.id])
            #expect(answer.total == 2)
            let first = try #require(answer.bookings.first)
            #expect(first.applicant?.email == "ani@example.com")
            #expect(first.courseCode == "PIANO-101")
            #expect(first.firstChoice?.slot?.id == slots[0].id.description)
            #expect(first.firstChoice?.available == false)
            #expect(first.firstChoice?.others == 1)
            #expect(first.secondChoice?.available == true)
            #expect(first.secondChoice?.others == 1)
        }

        @Test("X-03: confirmed bookings without a slot have a queue of their own")
        func needsSlot() async throws {
            let fixture = try await Fixture("queue_slot")
            let slot = SlotPlan(.random(), .random())
            try await fixture.publish([slot])
            let waiting = try await fixture.confirmed(slot)
            try await fixture.assign(try await fixture.confirmed(slot), slot)
            _ = try await fixture.request()
            let answer = try await list(fixture) { $0.needsSlot = true }
            #expect(answer.bookings.map { $0.booking?.id } == [waiting])
            #expect(answer.bookings.first?.booking?.needsSlot == true)
            #expect(answer.bookings.first?.firstChoice?.others == 0)
        }

        @Test("X-03: who waits for a slot too long is counted, warned of, and marked in the queue")
        func alarm() async throws {
            let fixture = try await Fixture("queue_alarm")
            let (metrics, captured) = (Metrics(), LogCapture())
            let alarm = SlotAlarm(
                pool: fixture.pool, after: .seconds(2 * 3600), loop: Fixture.loop,
                logger: Logger(label: "test", sink: captured.sink), metrics: metrics)
            let bookings = BookingService(
                pool: fixture.pool, clock: .system, captcha: NoCaptcha(), tokens: Fixture.tokens,
                slotAlarm: .seconds(2 * 3600), committed: {})
            func overdue() async throws -> [String] {
                var request = BookingV1.ListPendingRequest()
                request.needsSlot = true
                return try await bookings.listPending(
                    request, Fixture.admin(BookingV1.BookingsMethods.listPending)
                ).bookings.filter(\.overdue).compactMap { $0.booking?.id }
            }
            func value(_ name: String) -> Double {
                metrics.render().split(separator: "\n").first { $0.hasPrefix("\(name) ") }
                    .flatMap { Double($0.split(separator: " ")[1]) } ?? -1
            }
            try await alarm.look()
            #expect(value("janji_bookings_without_slot") == 0)
            #expect(value("janji_bookings_without_slot_oldest_seconds") == 0)
            let old = try await fixture.confirmed()
            _ = try await fixture.confirmed()
            _ = try await fixture.request()
            try await alarm.look()
            #expect(value("janji_bookings_without_slot") == 2)
            #expect(value("janji_bookings_without_slot_overdue") == 0)
            #expect(captured.lines.isEmpty)
            #expect(try await overdue() == [])
            try await fixture.pool.execute(
                """
                update booking set confirmed_at = confirmed_at - interval '3 hours'
                where id = \(try #require(UUID(old)))
                """)
            try await alarm.look()
            #expect(value("janji_bookings_without_slot_overdue") == 1)
            #expect(value("janji_bookings_without_slot_oldest_seconds") >= 3 * 3600)
            #expect(captured.lines.count == 1)
            #expect(captured.lines.first?.contains("\"overdue\":1") == true)
            #expect(try await overdue() == [old])
            let slot = SlotPlan(.random(), .random())
            try await fixture.publish([slot])
            try await fixture.assign(old, slot.id.description)
            try await alarm.look()
            #expect(value("janji_bookings_without_slot_overdue") == 0)
        }

        @Test("A-14: pages are complete and in the order of arrival; a course can be chosen")
        func pages() async throws {
            let fixture = try await Fixture("queue_pages")
            var expected: [String] = []
            for _ in 0..<11 { expected.append(try await fixture.request().id) }
            let other = try await fixture.request("x@example.com", nil, nil, fixture.choir)
            var found: [String] = []
            var token = ""
            repeat {
                let page = try await list(fixture) {
                    $0.pageSize = 4
                    $0.pageToken = token
                }
                #expect(page.total == 12)
                found += page.bookings.compactMap { $0.booking?.id }
                token = page.nextPageToken
            } while !token.isEmpty && found.count < 50
            #expect(found == expected + [other.id])
            let choir = try await list(fixture) { $0.courseId = fixture.choir.description }
            #expect(choir.bookings.map { $0.booking?.id } == [other.id])
            #expect(choir.total == 1)
        }
    }

    @Suite(.serialized, .timeLimit(.minutes(2))) struct SweeperTests {
        @Test("X-05, A-31: the sweeper expires what has lapsed, tells it, and touches nothing else")
        func sweep() async throws {
            let fixture = try await Fixture("sweep")
            var lapsed: [String] = []
            for _ in 0..<5 { lapsed.append(try await fixture.request().id) }
            let fresh = try await fixture.request()
            let confirmed = try await fixture.confirmed()
            for id in lapsed + [confirmed] { try await fixture.lapse(id) }
            let seen = try await fixture.lastEvent()
            let pokes = Count()
            let sweeper = ExpirySweeper(
                pool: fixture.pool, loop: Fixture.loop,
                logger: Logger(label: "test", sink: .discarding), committed: { pokes.add() })
            #expect(try await sweeper.sweep() == 5)
            #expect(try await sweeper.sweep() == 0)
            #expect(pokes.value == 1)
            let events = try await fixture.events(after: seen).map { try Event($0.body) }
            #expect(events.map(\.topic) == [String](repeating: "booking.expired", count: 5))
            #expect(Set(events.map(\.id)) == Set(lapsed))
            #expect(
                try await fixture.text(
                    """
                    select string_agg(status || count, ',' order by status)
                    from (select status, count(*) from booking group by status) by_status
                    """) == "confirmed1,expired5,pending1")
            #expect(try await fixture.confirm(fresh.id).booking?.status == .confirmed)
        }

        @Test("X-05: racing sweepers and admins expire or decide each request once")
        func race() async throws {
            let fixture = try await Fixture("sweep_race", poolSize: 20)
            var ids: [String] = []
            for _ in 0..<30 { ids.append(try await fixture.request().id) }
            for id in ids { try await fixture.lapse(id) }
            let sweeper = ExpirySweeper(
                pool: fixture.pool, loop: Fixture.loop,
                logger: Logger(label: "test", sink: .discarding), committed: {})
            let outcomes = await allAtOnce(34) { [ids] index in
                if index < 4 {
                    _ = try await sweeper.sweep()
                } else {
                    try await fixture.confirm(ids[index - 4])
                }
            }
            let codes = outcomes.compactMap(\.refusal?.code)
            #expect(codes.count == 30)
            #expect(Set(codes) == [.bookingExpired], "the same answer, swept or not")
            #expect(
                try await fixture.number(
                    "select count(*) from booking_history where to_status = 'expired'") == 30)
        }

        @Test("the sweeper runs by itself until it is cancelled")
        func service() async throws {
            let fixture = try await Fixture("sweep_service")
            let sweeper = ExpirySweeper(
                pool: fixture.pool, loop: Fixture.loop, interval: .milliseconds(50),
                logger: Logger(label: "test", sink: .discarding), committed: {})
            let running = Task(executorPreference: Fixture.loop) { try await sweeper.run() }
            let booking = try await fixture.request()
            try await fixture.lapse(booking.id)
            #expect(
                try await eventually {
                    try await fixture.number(
                        "select count(*) from booking where status = 'expired'") == 1
                })
            running.cancel()
            _ = await running.result
        }
    }
}
