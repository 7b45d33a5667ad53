import Domain
import Environment
import Postgres
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct TransitionTests {
        @Test("A-15: confirm once; twice is INVALID_TRANSITION")
        func confirmTwice() async throws {
            let fixture = try await Fixture("confirm_twice")
            let booking = try await fixture.request()
            let answer = try await fixture.confirm(booking.id)
            #expect(answer.booking?.status == .confirmed)
            #expect(answer.booking?.confirmedAt != nil)
            #expect(answer.booking?.confirmedSlotId == nil)
            #expect(answer.booking?.needsSlot == true)
            #expect(answer.booking?.version == 2)
            let error = await refusal { try await fixture.confirm(booking.id) }
            #expect(error.code == .invalidTransition)
        }

        @Test("20 racing confirmations: one wins")
        func confirmRace() async throws {
            let fixture = try await Fixture("confirm_race")
            let booking = try await fixture.request()
            let outcomes = await allAtOnce(20) { _ in try await fixture.confirm(booking.id) }
            #expect(outcomes.compactMap(\.value).count == 1)
            #expect(Set(outcomes.compactMap(\.refusal?.code)) == [.invalidTransition])
            #expect(try await fixture.number("select count(*) from booking_history") == 2)
        }

        @Test("A-16: assign once; twice, and to a pending request, is INVALID_TRANSITION")
        func assign() async throws {
            let fixture = try await Fixture("assign")
            let slots = [SlotPlan(.random(), .random()), SlotPlan(.random(), .random())]
            try await fixture.publish(slots)
            let booking = try await fixture.request("a@example.com", slots[0], slots[1])
            let early = await refusal { try await fixture.assign(booking.id, slots[0]) }
            #expect(early.code == .invalidTransition)
            try await fixture.confirm(booking.id)
            let answer = try await fixture.assign(booking.id, slots[1])
            #expect(answer.booking?.confirmedSlotId == slots[1].id.description)
            #expect(answer.booking?.assignmentBasis == .secondChoice)
            #expect(answer.booking?.needsSlot == false)
            #expect(answer.slot?.slotsRemaining == 0)
            #expect(answer.slot?.status == .booked)
            #expect(try await fixture.taken(slots[1]) == 1)
            #expect(try await fixture.claims(slots[1]) == 2)
            for slot in slots {
                let twice = await refusal { try await fixture.assign(booking.id, slot) }
                #expect(twice.code == .invalidTransition)
            }
            #expect(try await fixture.taken(slots[0]) == 0)
            #expect(try await fixture.claims(slots[0]) == 0)
        }

        @Test("X-03: confirm with a schedule_id confirms and assigns, both or neither")
        func confirmAndAssign() async throws {
            let fixture = try await Fixture("confirm_assign")
            let slot = SlotPlan(.random(), .random())
            try await fixture.publish([slot])
            let winner = try await fixture.request("a@example.com", slot)
            let loser = try await fixture.request("b@example.com", slot)
            let answer = try await fixture.confirm(winner.id) {
                $0.scheduleId = slot.id.description
            }
            #expect(answer.booking?.status == .confirmed)
            #expect(answer.booking?.assignmentBasis == .firstChoice)
            #expect(answer.slot?.id == slot.id.description)
            let error = await refusal {
                try await fixture.confirm(loser.id) { $0.scheduleId = slot.id.description }
            }
            #expect(error.code == .capacityExceeded)
            #expect(
                try await fixture.text(
                    "select status from booking where id = \(unescaped: "'\(loser.id)'")")
                    == "pending")
            #expect(try await fixture.taken(slot) == 1)
        }

        @Test("A-13, A-18, X-01: a third slot needs a reason, which the history keeps")
        func override() async throws {
            let fixture = try await Fixture("override")
            let slots = (0..<3).map { SlotPlan(.random(), .random(), hour: 9 + $0) }
            try await fixture.publish(slots)
            let id = try await fixture.confirmed(slots[0], slots[1])
            let error = await refusal { try await fixture.assign(id, slots[2]) }
            #expect(error.code == .overrideReasonRequired)
            #expect(try await fixture.taken(slots[2]) == 0)
            let answer = try await fixture.assign(id, slots[2]) { $0.reason = "teacher is ill" }
            #expect(answer.booking?.assignmentBasis == .adminOverride)
            #expect(
                try await fixture.text(
                    """
                    select concat_ws('|', actor, action, reason) from booking_history
                    order by id desc limit 1
                    """) == "admin:7|slot_assigned|teacher is ill")
        }

        @Test("A-17: reject ends a pending request only")
        func reject() async throws {
            let fixture = try await Fixture("reject")
            let booking = try await fixture.request()
            #expect(try await fixture.reject(booking.id).booking?.status == .rejected)
            #expect(
                await refusal { try await fixture.reject(booking.id) }.code == .invalidTransition)
            #expect(
                await refusal { try await fixture.confirm(booking.id) }.code == .invalidTransition)
            let confirmed = try await fixture.confirmed()
            #expect(
                await refusal { try await fixture.reject(confirmed) }.code == .invalidTransition)
        }

        @Test("A-17: cancel gives the seat back and frees instructor and room")
        func cancel() async throws {
            let fixture = try await Fixture("cancel")
            let (ani, room) = (UUID.random(), UUID.random())
            let slot = SlotPlan(ani, room)
            let overlapping = SlotPlan(ani, room, minute: 30)
            try await fixture.publish([slot, overlapping])
            let id = try await fixture.confirmed(slot)
            try await fixture.assign(id, slot)
            let next = try await fixture.confirmed(overlapping)
            #expect(
                await refusal { try await fixture.assign(next, overlapping) }.code
                    == .scheduleConflict)
            #expect(try await fixture.cancel(id).booking?.status == .cancelled)
            #expect(try await fixture.taken(slot) == 0)
            #expect(try await fixture.claims(slot) == 0)
            try await fixture.assign(next, overlapping)
            #expect(await refusal { try await fixture.cancel(id) }.code == .invalidTransition)
            #expect(try await fixture.taken(slot) == 0, "X-86: no seat is given back twice")
        }

        @Test("A-17: cancelling works without a slot and for pending requests")
        func cancelWithoutSlot() async throws {
            let fixture = try await Fixture("cancel_plain")
            let pending = try await fixture.request()
            #expect(try await fixture.cancel(pending.id).booking?.status == .cancelled)
            let confirmed = try await fixture.confirmed()
            #expect(try await fixture.cancel(confirmed).booking?.status == .cancelled)
        }

        @Test("E-26: if_version: another version is VERSION_CONFLICT and changes nothing")
        func ifVersion() async throws {
            let fixture = try await Fixture("if_version")
            let booking = try await fixture.request()
            let error = await refusal { try await fixture.confirm(booking.id) { $0.ifVersion = 2 } }
            #expect(error.code == .versionConflict)
            try await fixture.confirm(booking.id) { $0.ifVersion = 1 }
            let late = await refusal { try await fixture.cancel(booking.id) { $0.ifVersion = 1 } }
            #expect(late.code == .versionConflict)
            try await fixture.cancel(booking.id) { $0.ifVersion = 2 }
        }

        @Test("unknown ids are named: booking, slot, slot of another course; bad ids are refused")
        func unknown() async throws {
            let fixture = try await Fixture("unknown")
            let foreign = SlotPlan(.random(), .random())
            try await fixture.publish([foreign], of: fixture.choir)
            let id = try await fixture.confirmed()
            let unknown = SlotPlan(.random(), .random())
            let missing = UUID.random().description
            #expect(await refusal { try await fixture.confirm(missing) }.code == .bookingNotFound)
            #expect(await refusal { try await fixture.cancel(missing) }.code == .bookingNotFound)
            #expect(await refusal { try await fixture.assign(id, unknown) }.code == .slotNotFound)
            #expect(await refusal { try await fixture.assign(id, foreign) }.code == .slotNotFound)
            #expect(await refusal { try await fixture.confirm("7") }.code == .validationFailed)
            let bad = await refusal {
                try await fixture.assign(id, unknown) { $0.scheduleId = "PIANO" }
            }
            #expect(bad.violations.map(\.field) == ["schedule_id"])
        }

        @Test("X-05: a lapsed request is BOOKING_EXPIRED and is written down as expired")
        func lapsed() async throws {
            let fixture = try await Fixture("lapsed")
            for action in 0..<3 {
                let booking = try await fixture.request()
                try await fixture.lapse(booking.id)
                let error = await refusal {
                    switch action {
                    case 0: try await fixture.confirm(booking.id) { $0.reason = "fine" }
                    case 1: try await fixture.reject(booking.id)
                    default: try await fixture.cancel(booking.id)
                    }
                }
                #expect(error.code == .bookingExpired)
            }
            #expect(
                try await fixture.number("select count(*) from booking where status = 'expired'")
                    == 3)
            #expect(
                try await fixture.text(
                    """
                    select string_agg(distinct concat_ws('|', actor, action, reason), ',')
                    from booking_history where to_status = 'expired'
                    """) == "system|expired|", "nobody decided it")
        }

        @Test("a slot that has begun or is in maintenance is SLOT_UNAVAILABLE")
        func unavailable() async throws {
            let fixture = try await Fixture("unavailable")
            let broken = SlotPlan(.random(), .random())
            var past = SlotPlan(.random(), .random())
            past.start = Instant.now() + .seconds(-60)
            try await fixture.publish([broken, past])
            try await fixture.pool.execute(
                "update slot set status = 'maintenance' where id = \(broken.id)")
            let id = try await fixture.confirmed(broken)
            #expect(await refusal { try await fixture.assign(id, broken) }.code == .slotUnavailable)
            let late = await refusal { try await fixture.assign(id, past) { $0.reason = "x" } }
            #expect(late.code == .slotUnavailable)
            try await fixture.cancel(id)
            #expect(
                try await fixture.text("select status from slot where id = \(broken.id)")
                    == "maintenance", "X-102")
        }

        @Test("X-85: exactly one history row for each transition, versions without a hole")
        func history() async throws {
            let fixture = try await Fixture("history")
            let slot = SlotPlan(.random(), .random())
            try await fixture.publish([slot])
            let id = try await fixture.confirmed(slot)
            try await fixture.assign(id, slot)
            try await fixture.cancel(id)
            _ = await refusal { try await fixture.cancel(id) }
            #expect(
                try await fixture.text(
                    """
                    select string_agg(concat_ws('|', coalesce(from_status, '-'), to_status, action,
                        version), ',' order by id) from booking_history
                    """)
                        == """
                        -|pending|created|1,pending|confirmed|confirmed|2,\
                        confirmed|confirmed|slot_assigned|3,confirmed|cancelled|cancelled|4
                        """)
            var request = BookingV1.GetBookingRequest()
            request.bookingId = id
            let found = try await fixture.bookings.getBooking(
                request, Fixture.admin(BookingV1.BookingsMethods.getBooking))
            #expect(
                found.history.map(\.action) == [
                    "created", "confirmed", "slot_assigned", "cancelled",
                ])
            #expect(found.history.map(\.actor) == ["public", "admin:7", "admin:7", "admin:7"])
            #expect(found.history.first?.from == nil)
            #expect(found.applicant?.fullName == "Ani Wijaya")
            #expect(found.applicant?.preferredTimeRange?.end == "17:30")
        }
    }
}
