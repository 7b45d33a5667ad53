import Domain
import Environment
import FakeProvider
import Loop
import Postgres
import RPC
import Schema
import Telemetry
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    @Suite("Payments at the desk", .serialized, .timeLimit(.minutes(3))) struct DeskPaymentTests {
        @Test("before, during and after the visit: paid at once, with its history and its event")
        func recorded() async throws {
            let stage = try await PaymentStage("desk")
            let visits: [(PaymentV1.DeskMethod, String, [BookingCommand])] = [
                (.cash, "confirmed paid", []),
                (.card, "in_progress paid", [Self.checkIn]),
                (.transfer, "completed paid", [Self.checkIn, .complete]),
                (.cash, "no_show paid", [.noShow(startsAt: .now() - .seconds(60), grace: .zero)]),
            ]
            for (method, end, moves) in visits {
                let booking = try await stage.booking(status: "confirmed")
                for command in moves { try await stage.move(booking, command) }
                let mark = try await stage.fixture.lastEvent()
                let payment = try await stage.record(booking, key: "\(booking)") {
                    $0.method = method
                    $0.reference = "No. 0815"
                }
                #expect(payment.provider == "desk" && payment.status == .completed)
                #expect(payment.paidAt != nil && payment.paymentUrl == nil)
                #expect(try await stage.state(booking) == end)
                #expect(try await stage.history(booking).hasSuffix(",paid"))
                let kept = try #require(try await stage.ledger(booking).payments.first)
                #expect(kept == payment)
                #expect(kept.reference == "No. 0815" && kept.amount == PaymentStage.price)
                #expect(
                    try await stage.fixture.text(
                        """
                        select actor || ': ' || reason from booking_history
                        where booking_id = \(booking) and action = 'paid'
                        """) == "admin:7: \(kept.method), No. 0815")
                let event = try #require(
                    try await stage.fixture.events(after: mark).first {
                        $0.topic == "payment.updated"
                    })
                #expect(event.body.contains("completed") && !event.body.contains("0815"))
                let again = try await stage.record(booking, key: "\(booking)") {
                    $0.method = method
                    $0.reference = "No. 0815"
                }
                #expect(again == payment, "a retry")
                #expect(
                    await refusal { try await stage.record(booking) }.code == .invalidTransition,
                    "there is nothing to pay any more")
            }
            try await stage.checkInvariants()
            await stage.close()
        }

        private static let checkIn = BookingCommand.checkIn(
            startsAt: .now(), endsAt: .now() + .seconds(3600), lead: .seconds(3600),
            until: .now() + .seconds(3600))

        @Test("what waits for its payment is confirmed; what needed none may be paid too")
        func confirms() async throws {
            let stage = try await PaymentStage("desk_confirms")
            let waiting = try await stage.booking()
            let mark = try await stage.fixture.lastEvent()
            try await stage.record(waiting)
            #expect(try await stage.state(waiting) == "confirmed paid")
            #expect(
                try await stage.fixture.events(after: mark).map(\.topic).contains(
                    "booking.confirmed"))
            let course = try await stage.booking(status: "pending")
            try await stage.fixture.pool.execute(
                "update booking set payment_status = 'not_required' where id = \(course)")
            try await stage.record(course)
            #expect(try await stage.state(course) == "pending paid")
            #expect(try await stage.history(course) == "created,paid")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("another amount, another method, ended and lapsed ones are refused; nothing is kept")
        func refusals() async throws {
            let stage = try await PaymentStage("desk_refusals")
            let booking = try await stage.booking(status: "confirmed")
            let wrong: [(String, (inout PaymentV1.RecordPaymentRequest) -> Void)] = [
                ("amount", { $0.amount = PaymentStage.price - 1 }),
                ("amount", { $0.amount = PaymentStage.price + 1 }),
                ("amount", { $0.amount = 0 }), ("amount", { $0.amount = -1 }),
                ("method", { $0.method = .unspecified }),
                ("method", { $0.method = .init(rawValue: 9) }),
                ("reference", { $0.reference = String(repeating: "x", count: 201) }),
                ("booking_id", { $0.bookingId = "x" }),
            ]
            for (field, change) in wrong {
                let error = await refusal { try await stage.record(booking, change) }
                #expect(error.code == .validationFailed && error.violations.map(\.field) == [field])
            }
            #expect(try await stage.ledger(booking).payments.isEmpty)
            #expect(try await stage.state(booking) == "confirmed pending")
            #expect(await refusal { try await stage.record(.random()) }.code == .bookingNotFound)
            let free = try await stage.booking(status: "confirmed", price: 0)
            #expect(await refusal { try await stage.record(free) }.code == .invalidTransition)
            let lapsed = try await stage.booking(seconds: -1)
            #expect(await refusal { try await stage.record(lapsed) }.code == .bookingExpired)
            try await stage.expire(lapsed)
            #expect(await refusal { try await stage.record(lapsed) }.code == .bookingExpired)
            try await stage.fixture.cancel(booking.description)
            #expect(await refusal { try await stage.record(booking) }.code == .invalidTransition)
            let paid = try await stage.booking(status: "confirmed")
            try await stage.record(paid)
            let refund = try #require(try await stage.refund(paid, 1000).first)
            try await stage.settle(refund.id, completed: true)
            #expect(
                await refusal { try await stage.record(paid) { $0.amount = 1000 } }.code
                    == .invalidTransition, "what goes back is not owed again")
            let withdrawn = try await stage.booking(status: "confirmed")
            try await stage.fixture.pool.execute(
                "update slot set withdrawn_at = now(), status = 'unavailable'")
            #expect(
                await refusal { try await stage.record(withdrawn) }.code == .slotUnavailable)
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("an open page or proof is closed by it; money that still comes goes back")
        func closes() async throws {
            let stage = try await PaymentStage("desk_closes")
            for name in ["midtrans", "xendit"] {
                let booking = try await stage.booking()
                let open = try await stage.create(booking) { $0.provider = name }
                try await stage.record(booking)
                #expect(try await stage.state(booking) == "confirmed paid")
                #expect(
                    try await stage.ledger(booking).payments.map(\.status) == [
                        .expired, .completed,
                    ])
                #expect(try await stage.pay(open) == "applied")
                #expect(try await stage.ledger(booking).refundDue == PaymentStage.price)
                try await stage.sweep()
                let ledger = try await stage.ledger(booking)
                #expect(ledger.charged - ledger.refunded == PaymentStage.price)
                #expect(ledger.refundDue == 0 && ledger.refunds.map(\.paymentId) == [open.id])
                #expect(try await stage.state(booking) == "confirmed paid")
            }
            let shown = try await stage.booking(status: "confirmed")
            let proof = try await stage.submitProof(shown)
            try await stage.record(shown)
            #expect(
                await refusal { try await stage.review(proof.id, approve: true) }.code
                    == .invalidTransition)
            let open = try await stage.service.listOpen(
                PaymentV1.ListOpenRequest(), Fixture.admin(PaymentV1.PaymentsMethods.listOpen))
            #expect(open.proofs.isEmpty && open.refunds.isEmpty)
            #expect(
                try await stage.ledger(shown).payments.first?.failure == "paid at the desk")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("paid at the desk and by its page, and cancelled, at the same time, 20 times")
        func race() async throws {
            let stage = try await PaymentStage("desk_race")
            for round in 0..<20 {
                let booking = try await stage.booking()
                let payment = try await stage.create(booking)
                stage.provider.change(payment.id, to: .paid)
                let callback = try #require(stage.provider.kept.last)
                let outcomes = await allAtOnce(7) { index in
                    switch index {
                    case 0, 1: try await stage.record(booking)
                    case 2: try await stage.record(booking, key: "same")
                    case 3: try await stage.deliver(callback)
                    case 4: try await stage.create(booking)
                    case 5: _ = try await stage.sweeper.sweep()
                    default:
                        if round % 2 == 0 { try await stage.fixture.cancel(booking.description) }
                    }
                }
                #expect(outcomes.allSatisfy { $0.value != nil || $0.refusal != nil })
                try await stage.sweep()
                let ledger = try await stage.ledger(booking)
                let kept = ledger.charged - ledger.refunded - ledger.refundDue
                let isCancelled = try await stage.state(booking).hasPrefix("cancelled")
                #expect(kept == PaymentStage.price || isCancelled && [0, 10_001].contains(kept))
            }
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("what was paid at the desk goes back by hand")
        func refunded() async throws {
            let stage = try await PaymentStage("desk_refunded")
            let booking = try await stage.booking(status: "confirmed")
            try await stage.record(booking)
            try await stage.fixture.cancel(booking.description)
            try await stage.sweep()
            let open = try await stage.service.listOpen(
                PaymentV1.ListOpenRequest(), Fixture.admin(PaymentV1.PaymentsMethods.listOpen))
            let refund = try #require(open.refunds.first)
            #expect(refund.provider == "desk" && refund.amount == 90_000)
            #expect(refund.failure.isEmpty, "no provider was asked")
            #expect(try await stage.settle(refund.id, completed: true) == .completed)
            #expect(try await stage.state(booking) == "cancelled partially_refunded")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("it is revenue, and the visit can go to the archive with it")
        func revenue() async throws {
            let stage = try await PaymentStage("desk_revenue")
            let old = OldBookings(fixture: stage.fixture)
            let past = try await old.slot(ended: 401)
            let visit = try await old.add("visit") {
                ($0.payment, $0.slot, $0.total) = ("pending", past, 70_000)
            }
            let archiver = ArchiveTests.archiver(stage.fixture)
            #expect(try await archiver.round() == 0, "it is owed")
            try await stage.record(visit) {
                $0.amount = 70_000
                $0.reference = "late"
            }
            let refresher = AnalyticsRefresher(
                pool: stage.fixture.pool, loop: Fixture.loop,
                logger: Logger(label: "test", sink: .discarding))
            #expect(try await refresher.refresh())
            #expect(
                try await stage.fixture.number(
                    """
                    select sum(revenue)::bigint from analytics_daily where basis = 'appointment'
                    """) == 70_000)
            #expect(try await archiver.round() == 1)
            let kept = try #require(try await stage.ledger(visit).payments.first)
            #expect(kept.method == "cash" && kept.reference == "late")
            await stage.close()
        }
    }
}
