import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct RegisterTests {
        @Test("A-10, A-11: booking, person, history, event and key are stored in one go")
        func happyPath() async throws {
            let fixture = try await Fixture("register")
            let slots = [SlotPlan(.random(), .random()), SlotPlan(.random(), .random(), hour: 11)]
            try await fixture.publish(slots)
            let published = try await fixture.lastEvent()
            let request = form("Ani@Example.com", fixture.piano, slots[0].id, slots[1].id)
            let before = Instant.now()
            let response = try await fixture.register(request)
            let booking = try #require(response.booking)
            #expect(response.warnings.isEmpty)
            #expect(booking.status == .pending)
            #expect(booking.courseId == fixture.piano.description)
            #expect(booking.firstChoiceSlotId == slots[0].id.description)
            #expect(booking.secondChoiceSlotId == slots[1].id.description)
            #expect(booking.confirmedSlotId == nil)
            #expect(booking.version == 1)
            let expires = Instant(try #require(booking.expiresAt))
            #expect(expires >= before + .seconds(259_200))
            #expect(expires <= Instant.now() + .seconds(259_200))
            #expect(try await fixture.number("select count(*) from booking") == 1)
            #expect(
                try await fixture.text("select email || '|' || birth_date from registration")
                    == "Ani@Example.com|2012-05-17")
            #expect(
                try await fixture.text(
                    """
                    select string_agg(concat_ws('|', from_status, to_status, actor, action, version), ',')
                    from booking_history
                    """) == "pending|public|created|1")
            #expect(
                try await fixture.number(
                    """
                    select count(*) from idempotency_key
                    where scope = 'RegisterCourse public' and key = \(request.idempotencyKey)
                    """) == 1)
            // One transaction: every row carries the same xmin.
            #expect(
                try await fixture.number(
                    """
                    select count(distinct x) from (
                        select xmin::text as x from booking union all
                        select xmin::text from registration union all
                        select xmin::text from booking_history union all
                        select xmin::text from idempotency_key union all
                        select xmin::text from outbox where id > \(published)) all_rows
                    """) == 1)
            #expect(fixture.pokes.value == 2)
        }

        @Test(
            "X-05: a request waits by the database's clock, whatever the process's is",
            arguments: [-172_800, 172_800])
        func skewed(seconds: Int) async throws {
            let fixture = try await Fixture(
                "register_skewed", clock: Clock { .now() + .seconds(seconds) })
            let slot = SlotPlan(.random(), .random())
            try await fixture.publish([slot])
            let response = try await fixture.register(
                form("a@example.com", fixture.piano, slot.id))
            #expect(response.warnings.isEmpty)
            let left = try await fixture.number(
                "select extract(epoch from expires_at - clock_timestamp())::bigint from booking")
            #expect((259_080...259_200).contains(left))
            // Pending for a second one, too.
            let again = await refusal {
                _ = try await fixture.register(form("a@example.com", fixture.piano, slot.id))
            }
            #expect(again.code == .pendingBookingExists)
        }

        @Test("A-11, X-50, X-51: booking.created names the course and the demand of its choices")
        func event() async throws {
            let fixture = try await Fixture("register_event")
            let slot = SlotPlan(.random(), .random())
            try await fixture.publish([slot])
            _ = try await fixture.request("first@example.com", slot)
            let seen = try await fixture.lastEvent()
            let booking = try await fixture.request("second@example.com", slot)
            let events = try await fixture.events(after: seen)
            #expect(events.map(\.topic) == ["booking.created"])
            let event = try Event(try #require(events.first).body)
            #expect(event.id == booking.id)
            #expect(event.action == "created")
            #expect(event["bookingId"] == .string(booking.id))
            #expect(event["userId"] == .null)
            #expect(event["courseId"] == .string(fixture.piano.description))
            #expect(event["course_code"] == .string("PIANO-101"))
            #expect(event["status"] == .string("pending"))
            #expect(event["timestamp"] != nil)
            #expect(event["demand"] == .object([(slot.id.description, .number("2"))]))
        }

        @Test("A-09, X-10: availability is not checked; a taken choice is only a warning")
        func noAvailabilityCheck() async throws {
            let fixture = try await Fixture("register_warning")
            let (ani, room) = (UUID.random(), UUID.random())
            let slot = SlotPlan(ani, room)
            let overlapping = SlotPlan(ani, .random(), minute: 30)
            try await fixture.publish([slot, overlapping])
            let winner = try await fixture.confirmed(slot)
            try await fixture.assign(winner, slot)
            let response = try await fixture.register(
                form("late@example.com", fixture.piano, slot.id, overlapping.id))
            #expect(response.booking?.status == .pending)
            #expect(response.warnings.count == 2)
            #expect(response.warnings.first?.contains("first") == true)
        }

        @Test("A-06, X-10: unknown course; unknown, foreign and past slots")
        func badChoices() async throws {
            let fixture = try await Fixture("register_choices")
            let foreign = SlotPlan(.random(), .random())
            var past = SlotPlan(.random(), .random())
            past.start = Instant.now() + .seconds(-3600)
            let good = SlotPlan(.random(), .random(), hour: 12)
            try await fixture.publish([foreign], of: fixture.choir)
            try await fixture.publish([past, good])
            let rows: [(UUID, UUID?, UUID?, CommonV1.ErrorCode, [String])] = [
                (.random(), nil, nil, .courseNotFound, []),
                (fixture.piano, .random(), nil, .slotNotFound, ["first_choice_slot_id"]),
                (fixture.piano, good.id, .random(), .slotNotFound, ["second_choice_slot_id"]),
                (fixture.piano, foreign.id, nil, .validationFailed, ["first_choice_slot_id"]),
                (fixture.piano, past.id, nil, .validationFailed, ["first_choice_slot_id"]),
                (
                    fixture.piano, past.id, foreign.id, .validationFailed,
                    ["first_choice_slot_id", "second_choice_slot_id"]
                ),
            ]
            for (course, first, second, code, fields) in rows {
                let error = await refusal {
                    try await fixture.register(form("x@example.com", course, first, second))
                }
                #expect(error.code == code)
                #expect(error.violations.map(\.field) == fields)
            }
            for table in ["booking", "registration", "booking_history", "idempotency_key"] {
                #expect(
                    try await fixture.number("select count(*) from \(unescaped: table)") == 0,
                    "a refusal leaves nothing in \(table)")
            }
            // The key was not used up by the refusals.
            #expect(try await fixture.request("x@example.com", good).status == .pending)
        }

        @Test("X-12: the captcha is asked before anything but the key is judged, and fails closed")
        func captcha() async throws {
            struct Closed: CaptchaVerifier {
                func verify(_ token: String) async throws {
                    throw DomainError(.captchaFailed, "no")
                }
            }
            let fixture = try await Fixture("register_captcha", captcha: Closed())
            let error = await refusal { try await fixture.register(form("x@example.com")) }
            #expect(error.code == .captchaFailed)
        }

        @Test("reliability 11: a captcha's token is good once; the retry is answered all the same")
        func captchaOnce() async throws {
            final class Once: CaptchaVerifier {
                let asked = Count()
                func verify(_ token: String) async throws {
                    if asked.next() > 0 { throw DomainError(.captchaFailed, "used") }
                }
            }
            let fixture = try await Fixture("register_captcha_once", captcha: Once())
            let request = form("ani@example.com", fixture.piano)
            try await fixture.register(request)
            let error = await refusal { try await fixture.register(request) }
            #expect(error.code == .duplicateRequest)
        }

        @Test("A-08, X-07: one pending request for each person and course")
        func pendingExists() async throws {
            let fixture = try await Fixture("register_pending")
            let first = try await fixture.request("Ani@example.com")
            let error = await refusal { _ = try await fixture.request("aNi@EXAMPLE.com") }
            #expect(error.code == .pendingBookingExists)
            _ = try await fixture.request("ani@example.com", nil, nil, fixture.choir)
            _ = try await fixture.request("budi@example.com")
            // Decided requests are out of the way.
            try await fixture.reject(first.id)
            _ = try await fixture.request("ani@example.com")
            #expect(try await fixture.number("select count(*) from booking") == 4)
        }

        @Test("X-08: 20 racing requests of one person make exactly one booking")
        func racingDuplicates() async throws {
            let fixture = try await Fixture("register_race")
            let outcomes = await allAtOnce(20) { index in
                try await fixture.request(index % 2 == 0 ? "ani@example.com" : "ANI@example.com")
            }
            #expect(outcomes.compactMap(\.value).count == 1)
            #expect(
                outcomes.compactMap(\.refusal?.code)
                    == [CommonV1.ErrorCode](repeating: .pendingBookingExists, count: 19))
            for table in ["booking", "registration", "booking_history", "idempotency_key"] {
                #expect(try await fixture.number("select count(*) from \(unescaped: table)") == 1)
            }
            #expect(
                try await fixture.number(
                    "select count(*) from outbox where topic = 'booking.created'") == 1)
        }

        @Test("X-05: a lapsed request does not block a new one, swept or not")
        func lapsed() async throws {
            let fixture = try await Fixture("register_lapsed")
            let old = try await fixture.request("ani@example.com")
            try await fixture.lapse(old.id)
            let new = try await fixture.request("ani@example.com")
            #expect(new.id != old.id)
            #expect(
                try await fixture.text(
                    "select string_agg(status, ',' order by created_at) from booking")
                    == "expired,pending")
            #expect(
                try await fixture.number(
                    "select count(*) from outbox where topic = 'booking.expired'") == 1)
        }

        @Test("X-05, X-08: 20 racing requests after a lapsed one still make exactly one")
        func lapsedRace() async throws {
            let fixture = try await Fixture("register_lapsed_race")
            let old = try await fixture.request("ani@example.com")
            try await fixture.lapse(old.id)
            let outcomes = await allAtOnce(20) { _ in try await fixture.request("ani@example.com") }
            #expect(outcomes.compactMap(\.value).count == 1)
            let others = outcomes.compactMap(\.refusal?.code)
            #expect(Set(others) == [.pendingBookingExists])
            #expect(others.count == 19)
            #expect(
                try await fixture.text(
                    "select string_agg(status, ',' order by created_at) from booking")
                    == "expired,pending")
        }
    }
}
