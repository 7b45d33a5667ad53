import Domain
import Environment
import Postgres
import RPC
import Schema
import TestKit
import Testing

@testable import Booking

// Mutations of bookings, each with what it needs: nothing that another one changes.
extension KeyedCall {
    private typealias Bookings = BookingV1.BookingsMethods
    private typealias Holds = BookingV1.HoldsMethods
    private typealias Visits = BookingV1.AppointmentsMethods
    private typealias Lines = BookingV1.WaitlistsMethods
    private typealias Payments = PaymentV1.PaymentsMethods

    private static let anybody: @Sendable (MethodDescriptor) -> ServerContext = {
        ServerContext(method: $0)
    }

    private static func history(_ booking: String, _ action: String) -> [(String, String)] {
        [
            (
                "select count(*) from booking_history"
                    + " where booking_id = '\(booking)' and action = '\(action)'", "1"
            )
        ]
    }

    static func requests(_ fixture: Fixture) async throws -> [KeyedCall] {
        let slots = (0..<3).map { SlotPlan(.random(), .random(), day: 9, hour: $0, capacity: 4) }
        try await fixture.publish(slots)
        var confirm = BookingV1.ConfirmRequest()
        confirm.bookingId = try await fixture.request().id
        var assign = BookingV1.AssignSlotRequest()
        (assign.bookingId, assign.scheduleId) = (
            try await fixture.confirmed(slots[0]), slots[0].id.description
        )
        var reject = BookingV1.RejectRequest()
        (reject.bookingId, reject.reason) = (try await fixture.request().id, "full")
        var cancel = BookingV1.CancelRequest()
        (cancel.bookingId, cancel.reason) = (try await fixture.request().id, "ill")
        let wish = try await fixture.register(
            form("wish@example.com", fixture.piano, slots[0].id, slots[1].id))
        var choose = BookingV1.ChangeChoicesByManageTokenRequest()
        (choose.token, choose.firstChoiceSlotId) = (wish.manageToken, slots[2].id.description)
        let appointments = AppointmentService(
            pool: fixture.pool, clock: .system, tokens: Fixture.tokens, committed: {})
        let bookings = fixture.bookings
        return [
            KeyedCall(
                Bookings.confirm, once: history(confirm.bookingId, "confirmed"), Fixture.admin,
                confirm, key: \.idempotencyKey, other: { $0.reason = "other" },
                bookings.confirm),
            KeyedCall(
                Bookings.assignSlot, once: history(assign.bookingId, "slot_assigned"),
                Fixture.admin, assign, key: \.idempotencyKey, other: { $0.reason = "other" },
                bookings.assignSlot),
            KeyedCall(
                Bookings.reject, once: history(reject.bookingId, "rejected"), Fixture.admin,
                reject, key: \.idempotencyKey, other: { $0.reason = "other" }, bookings.reject),
            KeyedCall(
                Bookings.cancel, once: history(cancel.bookingId, "cancelled"), Fixture.admin,
                cancel, key: \.idempotencyKey, other: { $0.reason = "other" }, bookings.cancel),
            KeyedCall(
                Visits.changeChoicesByManageToken, anybody, choose, key: \.idempotencyKey,
                other: { $0.secondChoiceSlotId = slots[1].id.description },
                appointments.changeChoicesByManageToken),
        ]
    }

    static func payments(_ stage: PaymentStage) async throws -> [KeyedCall] {
        func proof(_ text: String) async throws -> String {
            var upload = PaymentV1.UploadProofRequest()
            upload.file = GoogleApi.HttpBody()
            upload.file?.data = Array("%PDF-\(text)".utf8)
            return try await stage.service.uploadProof(upload, anybody(Payments.uploadProof))
                .proofId
        }
        func submission(_ text: String) async throws -> PaymentV1.SubmitProofRequest {
            let booking = try await stage.booking()
            var submit = PaymentV1.SubmitProofRequest()
            submit.bookingId = booking.description
            submit.manageToken = PaymentStage.tokens.manage(booking)
            submit.proofId = try await proof(text)
            return submit
        }
        func review(_ text: String) async throws -> PaymentV1.ReviewProofRequest {
            let answer = try await stage.service.submitProof(
                try await submission(text), anybody(Payments.submitProof))
            var review = PaymentV1.ReviewProofRequest()
            (review.paymentId, review.approve) = (answer.payment?.id ?? "", true)
            return review
        }
        let submit = try await submission("submit")
        let reviewed = try await stage.service.reviewProof(
            try await review("settle"), Fixture.admin(Payments.reviewProof))
        let paid = try #require(reviewed.payment?.bookingId)
        var refund = PaymentV1.RefundRequest()
        (refund.bookingId, refund.amount, refund.reason) = (paid, 100, "goodwill")
        let due = try await stage.service.refund(refund, Fixture.admin(Payments.refund))
        var settle = PaymentV1.SettleRefundRequest()
        (settle.refundId, settle.completed) = (due.refunds.first?.id ?? "", true)
        refund.amount = 200
        let other = try await proof("other")
        var desk = PaymentV1.RecordPaymentRequest()
        desk.bookingId = try await stage.booking().description
        (desk.method, desk.amount) = (.cash, PaymentStage.price)
        return [
            KeyedCall(
                Payments.recordPayment,
                once: [
                    (
                        "select count(*) from payment_record"
                            + " where booking_id = '\(desk.bookingId)'", "1"
                    )
                ], Fixture.admin, desk, key: \.idempotencyKey, other: { $0.method = .card },
                stage.service.recordPayment),
            KeyedCall(
                Payments.submitProof,
                once: [
                    (
                        "select count(*) from payment_record"
                            + " where booking_id = '\(submit.bookingId)'", "1"
                    )
                ], anybody, submit, key: \.idempotencyKey, other: { $0.proofId = other },
                stage.service.submitProof),
            KeyedCall(
                Payments.reviewProof, Fixture.admin, try await review("review"),
                key: \.idempotencyKey, other: { ($0.approve, $0.reason) = (false, "blurred") },
                stage.service.reviewProof),
            KeyedCall(
                Payments.refund, once: [("select count(*) from refund where amount = 200", "1")],
                Fixture.admin, refund, key: \.idempotencyKey, other: { $0.amount = 300 },
                stage.service.refund),
            KeyedCall(
                Payments.settleRefund, Fixture.admin, settle, key: \.idempotencyKey,
                other: { ($0.completed, $0.reason) = (false, "no account") },
                stage.service.settleRefund),
        ]
    }

    static func holds(_ clinic: Clinic) async throws -> [KeyedCall] {
        let slot = try await clinic.slot(capacity: 20)
        var place = BookingV1.PlaceHoldRequest()
        (place.slotId, place.quantity, place.holder) = (slot.id.description, 1, "ani")
        let (one, two, three) = (
            try await clinic.place(slot), try await clinic.place(slot), try await clinic.place(slot)
        )
        var extend = BookingV1.ExtendHoldRequest()
        (extend.holdId, extend.token) = (one.hold?.id ?? "", one.token)
        var release = BookingV1.ReleaseHoldRequest()
        (release.holdId, release.token) = (two.hold?.id ?? "", two.token)
        var confirm = BookingV1.ConfirmHoldRequest()
        (confirm.holdId, confirm.token) = (three.hold?.id ?? "", three.token)
        (confirm.fullName, confirm.email) = ("Citra Lestari", "citra@example.com")
        (confirm.phone, confirm.consent) = ("+6281234567890", true)
        return [
            KeyedCall(
                Holds.placeHold,
                once: [("select taken from slot where id = '\(slot.id)'", "4")], anybody, place,
                key: \.idempotencyKey, other: { $0.quantity = 2 }, clinic.holds.placeHold),
            KeyedCall(
                Holds.extendHold, anybody, extend, key: \.idempotencyKey,
                other: { ($0.holdId, $0.token) = (three.hold?.id ?? "", three.token) },
                clinic.holds.extendHold),
            KeyedCall(
                Holds.releaseHold,
                once: [("select taken from slot where id = '\(slot.id)'", "3")], anybody, release,
                key: \.idempotencyKey,
                other: { ($0.holdId, $0.token) = (three.hold?.id ?? "", three.token) },
                clinic.holds.releaseHold),
            KeyedCall(
                Holds.confirmHold,
                once: [("select count(*) from contact where email = 'citra@example.com'", "1")],
                anybody, confirm, key: \.idempotencyKey, other: { $0.notes = "other" },
                clinic.holds.confirmHold),
        ]
    }

    static func visits(_ clinic: Clinic) async throws -> [KeyedCall] {
        let (today, past) = (
            try await clinic.slot(capacity: 5, day: 0, hour: 2), try await clinic.slot(capacity: 5)
        )
        let (here, also, there) = (
            try await clinic.booked(today), try await clinic.booked(today),
            try await clinic.booked(today)
        )
        _ = try await clinic.checkIn(there.qrToken ?? "")
        let absent = try await clinic.booked(past)
        try await clinic.moveBack(past, days: 3)
        var checkIn = BookingV1.CheckInRequest()
        checkIn.token = here.qrToken ?? ""
        var complete = BookingV1.CompleteRequest()
        complete.bookingId = there.booking?.id ?? ""
        var noShow = BookingV1.MarkNoShowRequest()
        noShow.bookingId = absent.booking?.id ?? ""
        let (visits, other) = (clinic.appointments, also.qrToken ?? "")
        return [
            KeyedCall(
                Visits.checkIn, once: history(here.booking?.id ?? "", "checked_in"),
                Fixture.admin, checkIn, key: \.idempotencyKey, other: { $0.token = other },
                visits.checkIn),
            KeyedCall(
                Visits.complete, once: history(complete.bookingId, "completed"), Fixture.admin,
                complete, key: \.idempotencyKey, other: { $0.reason = "other" },
                visits.complete),
            KeyedCall(
                Visits.markNoShow, once: history(noShow.bookingId, "no_show"), Fixture.admin,
                noShow, key: \.idempotencyKey, other: { $0.reason = "other" },
                visits.markNoShow),
        ]
    }

    static func manageLinks(_ clinic: Clinic) async throws -> [KeyedCall] {
        let (slot, next) = (
            try await clinic.slot(capacity: 5, day: 5), try await clinic.slot(capacity: 5, day: 6)
        )
        var move = BookingV1.RescheduleRequest()
        move.bookingId = try await clinic.booked(slot).booking?.id ?? ""
        move.scheduleId = next.id.description
        var moveLink = BookingV1.RescheduleByManageTokenRequest()
        moveLink.token = try await clinic.booked(slot).manageToken
        moveLink.scheduleId = next.id.description
        var cancel = BookingV1.CancelByManageTokenRequest()
        cancel.token = try await clinic.booked(slot).manageToken
        let visits = clinic.appointments
        func taken(_ seats: Int) -> [(String, String)] {
            [("select taken from slot where id = '\(next.id)'", "\(seats)")]
        }
        return [
            KeyedCall(
                Visits.reschedule, once: taken(1), Fixture.admin, move, key: \.idempotencyKey,
                other: { $0.reason = "other" }, visits.reschedule),
            KeyedCall(
                Visits.rescheduleByManageToken, once: taken(2), anybody, moveLink,
                key: \.idempotencyKey, other: { $0.reason = "other" },
                visits.rescheduleByManageToken),
            KeyedCall(
                Visits.cancelByManageToken,
                once: [("select taken from slot where id = '\(slot.id)'", "0")], anybody, cancel,
                key: \.idempotencyKey, other: { $0.reason = "other" },
                visits.cancelByManageToken),
        ]
    }

    static func waitlists(_ line: Line) async throws -> [KeyedCall] {
        let (full, freed) = (
            try await line.clinic.slot(capacity: 1, day: 7),
            try await line.clinic.slot(capacity: 1, day: 8)
        )
        _ = try await line.clinic.place(full)
        let placed = try await line.clinic.place(freed)
        var join = BookingV1.JoinWaitlistRequest()
        (join.slotId, join.quantity) = (full.id.description, 1)
        (join.fullName, join.email, join.consent) = ("Dewi", "dewi@example.com", true)
        var leave = BookingV1.LeaveWaitlistRequest()
        leave.token = try await line.join(full).token
        let waiting = try await line.join(full).token
        var claim = BookingV1.ClaimOfferRequest()
        claim.token = try await line.join(freed).token
        try await line.clinic.release(placed)
        return [
            KeyedCall(
                Lines.joinWaitlist,
                once: [
                    ("select count(*) from waitlist_entry where slot_id = '\(full.id)'", "3")
                ],
                anybody, join, key: \.idempotencyKey, other: { $0.fullName = "Dewi L" },
                line.waitlists.joinWaitlist),
            KeyedCall(
                Lines.leaveWaitlist, anybody, leave, key: \.idempotencyKey,
                other: { $0.token = waiting }, line.waitlists.leaveWaitlist),
            KeyedCall(
                Lines.claimOffer, anybody, claim, key: \.idempotencyKey,
                other: { $0.token = waiting }, line.waitlists.claimOffer),
        ]
    }
}
