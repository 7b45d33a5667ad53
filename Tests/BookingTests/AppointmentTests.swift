import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Telemetry
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(3))) struct AppointmentTests {
        typealias Methods = BookingV1.AppointmentsMethods

        @Test("X-114: the QR code checks in once, for its booking only, and the visit is completed")
        func checkIn() async throws {
            let clinic = try await Clinic("appointment_check_in", payment: "at_desk")
            let slot = try await clinic.slot(capacity: 2, day: 0, hour: 2)
            let answer = try await clinic.booked(slot)
            let other = try await clinic.booked(slot)
            let id = try #require(answer.booking?.id)
            let qr = try #require(answer.qrToken)
            let foreign = await refusal {
                _ = try await clinic.checkIn(qr, booking: other.booking?.id)
            }
            #expect(foreign.code == .forbidden)
            for forged in [answer.manageToken, String(qr.reversed()), "", "x"] {
                let error = await refusal { _ = try await clinic.checkIn(forged) }
                #expect([.forbidden, .validationFailed].contains(error.code))
            }
            let outcomes = await allAtOnce(10) { _ in try await clinic.checkIn(qr, booking: id) }
            #expect(outcomes.compactMap(\.value).map(\.status) == [.inProgress])
            #expect(Set(outcomes.compactMap(\.refusal).map(\.code)) == [.invalidTransition])
            let completed = try await clinic.complete(id)
            #expect(completed.status == .completed)
            #expect(completed.completedAt != nil && completed.checkedInAt != nil)
            #expect(await refusal { _ = try await clinic.complete(id) }.code == .invalidTransition)
            #expect(try await clinic.fixture.taken(slot) == 2)
            try await clinic.sweep()
        }

        @Test("X-114: no check-in days before, none by a code whose slot has ended")
        func checkInTimes() async throws {
            let clinic = try await Clinic("appointment_times", payment: "at_desk")
            let slot = try await clinic.slot(capacity: 2, day: 3)
            let qr = try #require(try await clinic.booked(slot).qrToken)
            #expect(
                await refusal { _ = try await clinic.checkIn(qr) }.code == .outsideBookingWindow)
            let id = try #require(try await clinic.booked(slot).booking.flatMap { UUID($0.id) })
            let old = clinic.tokens.checkIn(id, until: .now() - .seconds(1))
            #expect(
                await refusal { _ = try await clinic.checkIn(old) }.message
                    == "the code has expired")
        }

        @Test("X-09: a check-in that is tried again after the slot's end gets its first answer")
        func checkInAgain() async throws {
            let clinic = try await Clinic("appointment_again", payment: "at_desk")
            let slot = try await clinic.slot(capacity: 2, day: 0, hour: 2)
            let answer = try await clinic.booked(slot)
            let id = try #require(answer.booking.flatMap { UUID($0.id) })
            let first = try await clinic.checkIn(try #require(answer.qrToken), key: "again")
            // The first code as if it had ended meanwhile.
            let ended = clinic.tokens.checkIn(id, until: .now() - .seconds(1))
            var request = BookingV1.CheckInRequest()
            (request.token, request.idempotencyKey) = (ended, "again")
            let use = IdempotencyTable.Use(
                "again", for: request, Fixture.admin(Methods.checkIn), at: .now())
            try await clinic.fixture.pool.execute(
                """
                update idempotency_key set request_hash = \(use.requestHash) where key = 'again'
                """)
            #expect(try await clinic.checkIn(ended, key: "again") == first)
            let late = await refusal { _ = try await clinic.checkIn(ended, key: "other") }
            #expect(late.code == .outsideBookingWindow)
        }

        @Test("1.8: the customer sees the history of the whole line, without names and reasons")
        func history() async throws {
            let clinic = try await Clinic("appointment_history", payment: "at_desk")
            let slot = try await clinic.slot(capacity: 2)
            let next = try await clinic.slot(capacity: 2, hour: 11)
            let made = try await clinic.booked(slot)
            let id = try #require(made.booking?.id)
            let moved = try await clinic.reschedule(id, next, reason: "canary reason")
            _ = try await clinic.cancel(link: made.manageToken)
            for token in [
                made.manageToken,
                clinic.tokens.manage(try #require(moved.booking.flatMap { UUID($0.id) })),
            ] {
                let told = try await clinic.history(token)
                #expect(told.history.map(\.action) == ["created", "rescheduled", "cancelled"])
                #expect(told.history.map(\.to) == [.confirmed, .rescheduled, .cancelled])
                #expect(told.history.map(\.by) == [.customer, .staff, .customer])
                #expect(told.history.first?.from == nil && told.history.last?.from == .confirmed)
                #expect(told.history.allSatisfy { $0.at != nil })
                let text = String(decoding: told.encoded(), as: UTF8.self)
                #expect(!text.contains("canary") && !text.contains("admin"))
            }
            #expect(await refusal { _ = try await clinic.history("x") }.code == .bookingNotFound)
        }

        @Test("X-114: a no-show after the grace only, by staff or, by policy, by the job")
        func noShow() async throws {
            let clinic = try await Clinic("appointment_no_show", payment: "at_desk")
            let slot = try await clinic.slot(capacity: 3)
            let ids = [
                try #require(try await clinic.booked(slot).booking?.id),
                try #require(try await clinic.booked(slot).booking?.id),
            ]
            #expect(
                await refusal { _ = try await clinic.noShow(ids[0]) }.code == .outsideBookingWindow)
            try await clinic.moveBack(slot, days: 3)
            #expect(try await clinic.noShow(ids[0]).status == .noShow)
            let sweeper = NoShowSweeper(
                pool: clinic.fixture.pool, loop: Fixture.loop,
                logger: .init(label: "test"), committed: {})
            #expect(try await sweeper.sweep() == 0, "the policy did not say so")
            try await clinic.fixture.pool.execute(
                "update booking set policy = policy || '{\"no_show_auto\": true}'")
            #expect(try await sweeper.sweep() == 1)
            #expect(
                try await clinic.fixture.text(
                    """
                    select string_agg(b.status || ' ' || h.actor, ',' order by h.actor)
                    from booking b join booking_history h on h.booking_id = b.id
                    where h.action = 'no_show'
                    """) == "no_show admin:7,no_show system")
            try await clinic.sweep()
        }

        @Test("E-03: rescheduling moves seats, person, policy and money to a linked booking")
        func reschedule() async throws {
            let clinic = try await Clinic("appointment_reschedule", payment: "at_desk")
            let slot = try await clinic.slot(capacity: 3)
            let next = try await clinic.slot(capacity: 2, hour: 11)
            let placed = try await clinic.place(slot, 2)
            let old = try #require(try await clinic.confirm(placed).booking?.id)
            let answer = try await clinic.reschedule(old, next)
            let new = try #require(answer.booking)
            #expect(new.status == .confirmed && new.paymentStatus == .pending)
            #expect(new.quantity == 2 && new.total == 100_000 && new.rescheduledFrom == old)
            #expect(new.confirmedSlotId == next.id.description)
            #expect(answer.previous?.status == .rescheduled)
            #expect(answer.previous?.rescheduledTo == new.id)
            #expect(answer.slot?.slotsRemaining == 0)
            #expect(try await clinic.fixture.taken(slot) == 0)
            #expect(try await clinic.fixture.taken(next) == 2)
            #expect(
                try await clinic.fixture.number(
                    """
                    select count(*) from booking a join booking b on b.id = a.rescheduled_to
                        join contact p on p.booking_id = a.id join contact q on q.booking_id = b.id
                    where a.policy = b.policy and a.applicant_key = b.applicant_key
                        and p.full_name = q.full_name and b.reschedules = 1
                    """) == 1)
            let topics = try await clinic.fixture.events().map(\.topic)
            #expect(topics.suffix(6).contains("booking.rescheduled"))
            let again = await refusal { _ = try await clinic.reschedule(old, next) }
            #expect(again.code == .invalidTransition)
            try await clinic.sweep()
        }

        @Test("E-03: when the new slot cannot be had, the old seat stays")
        func rescheduleRefused() async throws {
            let clinic = try await Clinic("appointment_refused", payment: "at_desk")
            let slot = try await clinic.slot(capacity: 1)
            let full = try await clinic.slot(capacity: 1, hour: 11)
            _ = try await clinic.place(full)
            let id = try #require(try await clinic.booked(slot).booking?.id)
            let error = await refusal { _ = try await clinic.reschedule(id, full) }
            #expect(error.code == .capacityExceeded)
            #expect(try error.detail(BookingV1.ConflictDetails.self) != nil)
            let missing = await refusal {
                _ = try await clinic.reschedule(id, SlotPlan(.random(), .random()))
            }
            #expect(missing.code == .slotNotFound)
            #expect(
                try await clinic.fixture.text("select status || version from booking")
                    == "confirmed1")
            #expect(try await clinic.fixture.taken(slot) == 1)
            try await clinic.sweep()
        }

        @Test("E-03: 20 rescheduled at once into two seats: two move, the others keep their places")
        func rescheduleRace() async throws {
            let clinic = try await Clinic(
                "appointment_reschedule_race", poolSize: 16, payment: "at_desk")
            let slot = try await clinic.slot(capacity: 20)
            let next = try await clinic.slot(capacity: 2, hour: 11)
            var ids: [String] = []
            for _ in 0..<20 {
                ids.append(try #require(try await clinic.booked(slot).booking?.id))
            }
            let outcomes = await allAtOnce(20) { [ids] index in
                try await clinic.reschedule(ids[index], next)
            }
            #expect(outcomes.count { $0.value != nil } == 2)
            #expect(Set(outcomes.compactMap(\.refusal).map(\.code)) == [.capacityExceeded])
            #expect(try await clinic.fixture.taken(slot) == 18)
            try await clinic.sweep()
        }

        @Test("X-15: a lesson moves half an hour: its own claim is not in its way")
        func overlap() async throws {
            let clinic = try await Clinic("appointment_overlap", payment: "at_desk")
            let lesson = SlotPlan(.random(), .random())
            let later = SlotPlan(lesson.instructor, lesson.room, minute: 30)
            try await clinic.fixture.publish([lesson, later])
            let id = try #require(try await clinic.booked(lesson).booking?.id)
            let answer = try await clinic.reschedule(id, later)
            #expect(answer.booking?.confirmedSlotId == later.id.description)
            #expect(try await clinic.fixture.claims(lesson) == 0)
            #expect(try await clinic.fixture.claims(later) == 2)
            try await clinic.sweep()
        }

        @Test("X-124: the manage link shows, cancels and reschedules, and follows its booking")
        func manage() async throws {
            let clinic = try await Clinic("appointment_manage", payment: "at_desk")
            let slot = try await clinic.slot(capacity: 2)
            let next = try await clinic.slot(capacity: 2, hour: 11)
            let answer = try await clinic.booked(slot)
            let token = answer.manageToken
            let seen = try await clinic.managed(token)
            #expect(seen.booking == answer.booking && seen.qrToken == answer.qrToken)
            #expect(seen.subjectName == "Mochi")
            #expect(seen.rights?.canCancel == true && seen.rights?.canReschedule == true)
            #expect(seen.rights?.reschedulesLeft == 3)
            let bytes = seen.encoded()
            #expect(!String(decoding: bytes, as: UTF8.self).contains("Citra"))
            let moved = try await clinic.reschedule(link: token, next)
            #expect(moved.booking?.rescheduledFrom == answer.booking?.id)
            #expect(try await clinic.managed(token).booking == moved.booking, "the old link")
            #expect(try await clinic.managed(moved.manageToken).booking == moved.booking)
            #expect(try await clinic.cancel(link: token).status == .cancelled)
            #expect(try await clinic.fixture.taken(next) == 0)
            let after = try await clinic.managed(token)
            #expect(after.rights?.canCancel == false && after.qrToken == nil)
            for forged in ["", "x", String(token.reversed()), answer.qrToken ?? ""] {
                #expect(
                    await refusal { _ = try await clinic.managed(forged) }.code == .bookingNotFound)
            }
            try await clinic.sweep()
        }

        @Test(
            "X-124: the link keeps the notice and the number of times of the policy; staff do not")
        func manageLimits() async throws {
            let clinic = try await Clinic("appointment_limits", payment: "at_desk")
            try await clinic.fixture.pool.execute(
                """
                update policy set cancel_notice_seconds = 10 * 86400, reschedule_limit = 1
                where code = 'clinic'
                """)
            let slots = [
                try await clinic.slot(capacity: 1), try await clinic.slot(capacity: 1, hour: 11),
                try await clinic.slot(capacity: 1, hour: 13),
            ]
            let token = try await clinic.booked(slots[0]).manageToken
            let late = await refusal { _ = try await clinic.cancel(link: token) }
            #expect(late.code == .outsideCancellationWindow)
            #expect(try await clinic.managed(token).rights?.canCancel == false)
            let moved = try await clinic.reschedule(link: token, slots[1])
            let twice = await refusal { _ = try await clinic.reschedule(link: token, slots[2]) }
            #expect(twice.code == .invalidTransition)
            let id = try #require(moved.booking?.id)
            let byStaff = try await clinic.reschedule(id, slots[2])
            #expect(byStaff.booking?.assignmentBasis == .adminOverride)
            _ = try await clinic.fixture.cancel(try #require(byStaff.booking?.id))
            try await clinic.sweep()
        }

        @Test("E-14: the calendar object of a link: the same UID, a growing SEQUENCE, CANCEL")
        func calendar() async throws {
            let clinic = try await Clinic("appointment_ics", payment: "at_desk")
            let slot = try await clinic.slot(capacity: 1)
            let next = try await clinic.slot(capacity: 1, hour: 11)
            let token = try await clinic.booked(slot).manageToken
            let first = try await clinic.calendar(token)
            #expect(first["METHOD"] == "PUBLISH" && first["STATUS"] == "CONFIRMED")
            #expect(first["DTSTART"] == CalendarObject.utc(slot.start))
            #expect(first["DTEND"] == CalendarObject.utc(slot.end))
            #expect(first["SUMMARY"] == "Course CHOIR-1")
            _ = try await clinic.reschedule(link: token, next)
            let second = try await clinic.calendar(token)
            #expect(second["UID"] == first["UID"])
            #expect(second["DTSTART"] == CalendarObject.utc(next.start))
            _ = try await clinic.cancel(link: token)
            let third = try await clinic.calendar(token)
            #expect(third["METHOD"] == "CANCEL" && third["STATUS"] == "CANCELLED")
            let sequences = [first, second, third].compactMap { Int($0["SEQUENCE"] ?? "") }
            #expect(sequences.count == 3 && sequences == sequences.sorted())
            #expect(Set(sequences).count == 3)
            let anonymous = await refusal {
                var request = BookingV1.ExportIcsRequest()
                request.bookingId = UUID.random().description
                _ = try await clinic.appointments.exportIcs(
                    request, ServerContext(method: Methods.exportIcs))
            }
            #expect(anonymous.code == .unauthenticated)
        }
    }
}

extension Clinic {
    typealias Methods = BookingV1.AppointmentsMethods

    func checkIn(
        _ token: String, booking: String? = nil, key: String? = nil
    ) async throws -> BookingV1.Booking {
        var request = BookingV1.CheckInRequest()
        (request.token, request.idempotencyKey) = (token, key)
        request.bookingId = booking
        return try #require(
            try await appointments.checkIn(request, Fixture.admin(Methods.checkIn)).booking)
    }

    func complete(_ id: String) async throws -> BookingV1.Booking {
        var request = BookingV1.CompleteRequest()
        request.bookingId = id
        return try #require(
            try await appointments.complete(request, Fixture.admin(Methods.complete)).booking)
    }

    func noShow(_ id: String) async throws -> BookingV1.Booking {
        var request = BookingV1.MarkNoShowRequest()
        request.bookingId = id
        return try #require(
            try await appointments.markNoShow(request, Fixture.admin(Methods.markNoShow)).booking)
    }

    func reschedule(
        _ id: String, _ slot: SlotPlan, reason: String = ""
    ) async throws -> BookingV1.RescheduleResponse {
        var request = BookingV1.RescheduleRequest()
        request.reason = reason
        request.bookingId = id
        request.scheduleId = slot.id.description
        return try await appointments.reschedule(request, Fixture.admin(Methods.reschedule))
    }

    func managed(_ token: String) async throws -> BookingV1.GetByManageTokenResponse {
        var request = BookingV1.GetByManageTokenRequest()
        request.token = token
        return try await appointments.getByManageToken(
            request, ServerContext(method: Methods.getByManageToken))
    }

    func history(_ token: String) async throws -> BookingV1.GetHistoryByManageTokenResponse {
        var request = BookingV1.GetHistoryByManageTokenRequest()
        request.token = token
        return try await appointments.getHistoryByManageToken(
            request, ServerContext(method: Methods.getHistoryByManageToken))
    }

    func cancel(link token: String) async throws -> BookingV1.Booking {
        var request = BookingV1.CancelByManageTokenRequest()
        request.token = token
        return try #require(
            try await appointments.cancelByManageToken(
                request, ServerContext(method: Methods.cancelByManageToken)
            ).booking)
    }

    func reschedule(link token: String, _ slot: SlotPlan) async throws
        -> BookingV1.RescheduleByManageTokenResponse
    {
        var request = BookingV1.RescheduleByManageTokenRequest()
        request.token = token
        request.scheduleId = slot.id.description
        return try await appointments.rescheduleByManageToken(
            request, ServerContext(method: Methods.rescheduleByManageToken))
    }

    /// The properties of the object, unfolded, by name.
    func calendar(_ token: String) async throws -> [String: String] {
        var request = BookingV1.ExportIcsRequest()
        request.token = token
        let body = try await appointments.exportIcs(
            request, ServerContext(method: Methods.exportIcs))
        #expect(body.contentType.hasPrefix("text/calendar"))
        var properties: [String: String] = [:]
        let text = String(decoding: body.data, as: UTF8.self)
        for line in text.split(separator: "\r\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            properties[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
        }
        return properties
    }

    /// Lets a slot have been days ago.
    func moveBack(_ slot: SlotPlan, days: Int) async throws {
        try await fixture.pool.execute(
            """
            update slot set starts_at = starts_at - n.back, ends_at = ends_at - n.back,
                occupies = tstzrange(lower(occupies) - n.back, upper(occupies) - n.back, '[)'),
                local_date = ((starts_at - n.back) at time zone time_zone)::date
            from (select make_interval(days => \(days)::int) as back) n where id = \(slot.id)
            """)
    }
}
