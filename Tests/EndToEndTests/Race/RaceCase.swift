import FakeProvider
import Foundation
import Protobuf
import Schema
import TestKit

/// A booking of the clinic from its making to its end: paid in time, too late, twice, never;
/// rescheduled, cancelled, refunded, shown at the desk.
struct RaceCase {
    let race: Race
    let number: Int
    private var random: SplitMix
    private let id: String
    private let link: String
    private let expiresAt: Double
    private let course: Stage.Course

    init(
        _ race: Race, _ number: Int, _ random: SplitMix, _ course: Stage.Course,
        _ booked: BookingV1.ConfirmHoldResponse
    ) {
        self.course = course
        self.race = race
        self.number = number
        self.random = random
        id = booked.booking?.id ?? ""
        link = booked.manageToken
        expiresAt = Double(booked.booking?.expiresAt?.seconds ?? 0)
    }

    /// - Parameter mayStay: whether it may keep its seat to the end of the race.
    mutating func goOn(mayStay: Bool) async {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<12: return
        case 12..<22:
            await cancel()
            return
        default: break
        }
        guard let payment = await open(random.chance(50) ? "midtrans" : "xendit") else { return }
        await pay(payment)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30: await reschedule()
        case 30..<50 where mayStay:
            await checkIn()
            return
        case 50..<60: await refund()
        default: break
        }
        if !mayStay || random.chance(70) { await cancel() }
    }

    // MARK: Money

    private func open(_ provider: String) async -> PaymentV1.Payment? {
        var request = PaymentV1.CreateRequest()
        (request.bookingId, request.manageToken, request.provider) = (id, link, provider)
        request.idempotencyKey = race.key()
        let answer: PaymentV1.CreateResponse? = await race.caller.send(
            "open", by: number, key: request.idempotencyKey ?? "", about: id,
            PaymentV1.PaymentsMethods.create, request
        ) { $0.payment?.id ?? "" }
        return answer?.payment
    }

    private mutating func pay(_ payment: PaymentV1.Payment) async {
        let way = Int.random(in: 0..<100, using: &random)
        switch way {
        case 0..<15:
            race.world.provider.change(payment.id, to: .failed)
            await call(payment.id)
            guard let other = await open(payment.provider), other.id != payment.id else { return }
            await paid(other.id, copies: 1)
        case 15..<40:
            // At the moment when the time to pay is over.
            let left = expiresAt - Date().timeIntervalSince1970
            if (0...4).contains(left) {
                let early = Double(Int.random(in: -100..<300, using: &random)) / 1000
                try? await Task.sleep(for: .seconds(max(0, left - early)))
            }
            await paid(payment.id, copies: 2)
        case 40..<60:
            // Paid and cancelled at the same time.
            async let cancelled: Void = cancel()
            await paid(payment.id, copies: 2)
            await cancelled
        case 60..<68:
            // The callback is lost: the provider is asked, or calls again much later.
            race.world.provider.change(payment.id, to: .paid)
            race.lose(payment.id)
        default: await paid(payment.id, copies: way < 80 ? 2 : 1)
        }
    }

    /// The provider has the money, and says so as often as told, at the same time.
    private func paid(_ payment: String, copies: Int) async {
        race.world.provider.change(payment, to: .paid)
        await withTaskGroup(of: Void.self) { group in
            for copy in 0..<copies {
                group.addTask { await call(payment, overEdge: copy == 0) }
            }
        }
    }

    private func call(_ payment: String, overEdge: Bool = false) async {
        await race.deliver(payment, by: number, overEdge: overEdge)
    }

    private mutating func refund() async {
        var request = PaymentV1.RefundRequest()
        (request.bookingId, request.reason, request.idempotencyKey) = (id, "goodwill", race.key())
        request.amount = Int64.random(in: 1...RaceWorld.price / 2, using: &random)
        let _: PaymentV1.RefundResponse? = await race.caller.send(
            "refund", by: number, key: request.idempotencyKey ?? "", about: id,
            PaymentV1.PaymentsMethods.refund, request, asStaff: true)
    }

    // MARK: The appointment

    private func cancel() async {
        var request = BookingV1.CancelByManageTokenRequest()
        (request.token, request.reason, request.idempotencyKey) = (link, "race", race.key())
        let _: BookingV1.CancelByManageTokenResponse? = await race.caller.send(
            "cancel_link", by: number, key: request.idempotencyKey ?? "", about: id,
            BookingV1.AppointmentsMethods.cancelByManageToken, request)
    }

    private mutating func reschedule() async {
        var request = BookingV1.RescheduleByManageTokenRequest()
        (request.token, request.reason, request.idempotencyKey) = (link, "race", race.key())
        // Of another offering there is no such slot.
        let course = random.chance(5) ? race.world.school : course
        request.scheduleId = course.slots.randomElement(using: &random) ?? ""
        let _: BookingV1.RescheduleByManageTokenResponse? = await race.caller.send(
            "reschedule", by: number, key: request.idempotencyKey ?? "", about: id,
            BookingV1.AppointmentsMethods.rescheduleByManageToken, request
        ) { $0.booking?.id ?? "" }
    }

    /// Shown at the desk, twice at the same time; then completed.
    private func checkIn() async {
        var show = BookingV1.GetByManageTokenRequest()
        show.token = link
        let shown: BookingV1.GetByManageTokenResponse? = await race.caller.read(
            BookingV1.AppointmentsMethods.getByManageToken, show)
        guard let code = shown?.qrToken, let booking = shown?.booking?.id else { return }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    var request = BookingV1.CheckInRequest()
                    (request.token, request.idempotencyKey) = (code, race.key())
                    let _: BookingV1.CheckInResponse? = await race.caller.send(
                        "check_in", by: number, key: request.idempotencyKey ?? "", about: booking,
                        BookingV1.AppointmentsMethods.checkIn, request, asStaff: true)
                }
            }
        }
        var request = BookingV1.CompleteRequest()
        (request.bookingId, request.idempotencyKey) = (booking, race.key())
        let _: BookingV1.CompleteResponse? = await race.caller.send(
            "complete", by: number, key: request.idempotencyKey ?? "", about: booking,
            BookingV1.AppointmentsMethods.complete, request, asStaff: true)
    }
}
