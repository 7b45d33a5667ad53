import Domain
import Environment
import FakeProvider
import Postgres
import Protobuf
import RPC
import Schema
import Telemetry
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    @Suite("Payments", .serialized, .timeLimit(.minutes(3))) struct PaymentTests {
        @Test("paid at both providers: the seat is confirmed, one row of history, fee and method")
        func paid() async throws {
            let stage = try await PaymentStage("paid")
            for name in ["midtrans", "xendit"] {
                let booking = try await stage.booking()
                let payment = try await stage.create(booking) { $0.provider = name }
                #expect(payment.status == .pending)
                #expect(payment.amount == PaymentStage.price)
                #expect(payment.paymentUrl?.hasPrefix(stage.provider.url) == true)
                #expect(try await stage.create(booking) { $0.provider = name }.id == payment.id)
                #expect(try await stage.pay(payment) == "applied")
                #expect(try await stage.state(booking) == "confirmed paid")
                #expect(try await stage.history(booking) == "created,paid")
                let ledger = try await stage.ledger(booking)
                #expect(ledger.charged == PaymentStage.price)
                #expect(ledger.payments.map(\.status) == [.completed])
                #expect(ledger.payments.first?.paidAt != nil)
                #expect(ledger.payments.first?.method.isEmpty == false)
                #expect(
                    await refusal { try await stage.create(booking) }.code == .invalidTransition,
                    "there is nothing to pay")
            }
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("callbacks twice, late, out of order and at once change what they say once")
        func disorder() async throws {
            let stage = try await PaymentStage("disorder")
            for name in ["midtrans", "xendit"] {
                let booking = try await stage.booking()
                let payment = try await stage.create(booking) { $0.provider = name }
                stage.provider.change(payment.id, to: .pending)
                let early = try #require(stage.provider.kept.last)
                stage.provider.change(payment.id, to: .paid)
                let paid = try #require(stage.provider.kept.last)
                let outcomes = await allAtOnce(8) { _ in try await stage.deliver(paid) }
                #expect(outcomes.allSatisfy { ["applied", "repeated"].contains($0.value) })
                #expect(outcomes.count { $0.value == "applied" } == 1)
                #expect(try await stage.deliver(early) == "repeated")
                #expect(try await stage.deliver(paid) == "repeated")
                #expect(try await stage.state(booking) == "confirmed paid")
                #expect(try await stage.history(booking) == "created,paid")
            }
            #expect(
                try await stage.fixture.number("select max(times) from payment_event") >= 2,
                "every call is counted")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("unknown charges, other amounts and currencies are recorded and refused")
        func mismatch() async throws {
            let stage = try await PaymentStage("mismatch")
            let booking = try await stage.booking()
            let payment = try await stage.create(booking)
            stage.provider.change(payment.id, to: .paid)
            func signed(_ id: String, _ amount: String, _ currency: String) -> [UInt8] {
                let signature = Midtrans.signature(
                    order: id, status: "200", amount: amount,
                    serverKey: stage.provider.keys.midtransServerKey)
                let json: JSONValue = [
                    "order_id": .string(id), "status_code": "200",
                    "gross_amount": .string(amount), "currency": .string(currency),
                    "transaction_status": "settlement", "signature_key": .string(signature),
                ]
                return json.encoded()
            }
            let unknown = await refusal {
                try await stage.deliver(
                    "midtrans", signed(UUID.random().description, "100001.00", "IDR"), "")
            }
            #expect(unknown.code == .paymentNotFound)
            let amount = await refusal {
                try await stage.deliver("midtrans", signed(payment.id, "1.00", "IDR"), "")
            }
            #expect(amount.code == .validationFailed)
            let currency = await refusal {
                try await stage.deliver("midtrans", signed(payment.id, "100001.00", "USD"), "")
            }
            #expect(currency.code == .validationFailed)
            let other = await refusal {
                try await stage.deliver(
                    "xendit",
                    JSONValue.object([
                        ("external_id", .string(payment.id)), ("status", "PAID"),
                        ("amount", 100_001), ("currency", "IDR"),
                    ]).encoded(), stage.provider.keys.xenditCallbackToken)
            }
            #expect(other.code == .paymentNotFound, "a charge of another provider")
            let nobody = await refusal { try await stage.deliver("paypal", [], "") }
            #expect(nobody.code == .paymentNotFound)
            #expect(try await stage.state(booking) == "pending_payment pending")
            #expect(
                try await stage.fixture.text(
                    "select string_agg(outcome, ',' order by id) from payment_event")
                    == "unknown_payment,wrong_amount,wrong_currency,unknown_payment")
            await stage.close()
        }

        @Test("“paid” is not believed before the provider says so when asked")
        func unconfirmed() async throws {
            let stage = try await PaymentStage("unconfirmed")
            for name in ["midtrans", "xendit"] {
                let booking = try await stage.booking()
                let payment = try await stage.create(booking) { $0.provider = name }
                stage.provider.change(payment.id, to: .paid)
                let paid = try #require(stage.provider.kept.last)
                stage.provider.change(payment.id, to: .pending)
                #expect(try await stage.deliver(paid) == "unconfirmed")
                #expect(try await stage.state(booking) == "pending_payment pending")
                stage.provider.setDown(true)
                #expect(
                    await refusal { try await stage.deliver(paid) }.code == .upstreamUnavailable)
                stage.provider.setDown(false)
                stage.provider.change(payment.id, to: .paid)
                #expect(try await stage.deliver(paid) == "applied", "the same bytes, later")
                #expect(try await stage.state(booking) == "confirmed paid")
            }
            await stage.close()
        }

        @Test("a callback that the provider did not sign is refused, though it tells the truth")
        func forged() async throws {
            let stage = try await PaymentStage("forged")
            let payment = try await stage.create(try await stage.booking()) {
                $0.provider = "midtrans"
            }
            stage.provider.change(payment.id, to: .paid)
            let callback = try #require(stage.provider.kept.last)
            let text = String(decoding: callback.body, as: UTF8.self)
            let signature = try #require(
                try JSONValue.parse(callback.body)["signature_key"]?.string)
            for other in [String(signature.reversed()), String(signature.dropLast()), ""] {
                let body = Array(text.replacing(signature, with: other).utf8)
                let error = await refusal { try await stage.deliver("midtrans", body, "") }
                #expect(error.code == .forbidden)
            }
            #expect(try await stage.deliver(callback) == "applied")
            await stage.close()
        }

        @Test("10,000 mutations of valid callbacks: none changes anything")
        func mutations() async throws {
            let stage = try await PaymentStage("mutations")
            var charges: [(payment: PaymentV1.Payment, callback: FakeProvider.Callback)] = []
            for name in ["midtrans", "xendit"] {
                let booking = try await stage.booking()
                let payment = try await stage.create(booking) { $0.provider = name }
                stage.provider.change(payment.id, to: .paid)
                charges.append((payment, try #require(stage.provider.kept.last)))
                // The money is not there: whoever believes a callback is wrong.
                stage.provider.change(payment.id, to: .pending)
            }
            let seed = UInt64.random(in: 0 ... .max)
            var random = SplitMix(seed: seed)
            var accepted = 0
            for round in 0..<10_000 {
                let (_, callback) = charges[round % 2]
                var (body, token) = (callback.body, Array(callback.token.utf8))
                for _ in 0...Int.random(in: 0...2, using: &random) {
                    if !token.isEmpty, body.isEmpty || Bool.random(using: &random) {
                        token[Int.random(in: 0..<token.count, using: &random)] ^=
                            UInt8.random(in: 1...127, using: &random)
                    } else {
                        Self.mutate(&body, &random)
                    }
                }
                do {
                    let outcome = try await stage.deliver(
                        callback.dialect.rawValue, body, String(decoding: token, as: UTF8.self))
                    if outcome == "applied" { accepted += 1 }
                } catch is DomainError {}
            }
            #expect(accepted == 0, "seed \(seed)")
            #expect(
                try await stage.fixture.number(
                    "select count(*) from payment_record where status <> 'pending'") == 0,
                "seed \(seed)")
            #expect(try await stage.fixture.number("select max(version) from booking") == 1)
            await stage.close()
        }

        private static func mutate(_ body: inout [UInt8], _ random: inout SplitMix) {
            guard body.count > 1 else { return body = [] }
            let at = Int.random(in: 0..<body.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: body[at] ^= UInt8.random(in: 1...255, using: &random)
            case 1: body.remove(at: at)
            case 2: body.insert(UInt8.random(in: 32...126, using: &random), at: at)
            default: body = Array(body[..<max(1, at)])
            }
        }

        @Test("paid after the booking expired or was cancelled: all of it goes back by itself")
        func late() async throws {
            let stage = try await PaymentStage("late")
            for name in ["midtrans", "xendit"] {
                let expired = try await stage.booking()
                let first = try await stage.create(expired) { $0.provider = name }
                try await stage.expire(expired)
                #expect(try await stage.pay(first) == "applied")
                #expect(try await stage.state(expired) == "expired paid")
                #expect(try await stage.ledger(expired).refundDue == PaymentStage.price)
                let cancelled = try await stage.booking()
                let second = try await stage.create(cancelled) { $0.provider = name }
                try await stage.fixture.cancel(cancelled.description)
                #expect(try await stage.pay(second) == "applied")
                #expect(try await stage.ledger(cancelled).refundDue == PaymentStage.price)
                try await stage.sweep()
                for booking in [expired, cancelled] {
                    let ledger = try await stage.ledger(booking)
                    #expect(ledger.refunded == PaymentStage.price && ledger.refundDue == 0)
                    #expect(try await stage.state(booking).hasSuffix(" refunded"))
                }
                #expect(stage.provider.charge(first.id)?.refunds.count == 1)
            }
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("E-24, X-84…X-86: cancelling a paid booking frees the seat and owes 90 %, once")
        func cancel() async throws {
            let stage = try await PaymentStage("cancel")
            let booking = try await stage.booking()
            try await stage.pay(try await stage.create(booking))
            #expect(try await stage.fixture.taken(stage.slot) == 1)
            var question = PaymentV1.QuoteCancellationRequest()
            question.bookingId = booking.description
            question.manageToken = PaymentStage.tokens.manage(booking)
            let quote = try await stage.service.quoteCancellation(
                question, ServerContext(method: PaymentV1.PaymentsMethods.quoteCancellation))
            #expect(quote.refund == 90_000 && quote.kept == 10_001 && quote.refundPercent == 90)
            #expect(quote.policy == "standard" && quote.canCancel)
            let outcomes = await allAtOnce(8) { _ in
                try await stage.fixture.cancel(booking.description)
            }
            #expect(outcomes.compactMap(\.value).count == 1, "twice is once")
            #expect(try await stage.fixture.taken(stage.slot) == 0)
            #expect(try await stage.state(booking) == "cancelled paid")
            #expect(try await stage.history(booking) == "created,paid,cancelled")
            let due = try await stage.ledger(booking)
            #expect(due.refundDue == 90_000 && due.refunds.count == 1)
            #expect(due.refunds.first?.reason == "moved away")
            try await stage.sweep()
            try await stage.sweep()
            #expect(try await stage.state(booking) == "cancelled partially_refunded")
            #expect(try await stage.history(booking) == "created,paid,cancelled,refunded")
            #expect(try await stage.ledger(booking).refunded == 90_000)
            #expect(
                try await stage.fixture.text(
                    """
                    select string_agg(kind || ' ' || amount, ',' order by amount desc)
                    from payment_ledger where booking_id = \(booking)
                    """) == "charge 100001,refund -90000")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("the policy that was kept with the booking counts, not today's")
        func snapshot() async throws {
            let stage = try await PaymentStage("snapshot")
            let booking = try await stage.booking()
            try await stage.pay(try await stage.create(booking))
            try await stage.fixture.pool.execute(
                """
                update booking set policy = '{"cancellation": {"code": "half", "tiers":
                    [{"notice_seconds": 0, "refund_percent": 50}]}}' where id = \(booking)
                """)
            try await stage.fixture.cancel(booking.description)
            #expect(try await stage.ledger(booking).refundDue == 50_000)
            await stage.close()
        }

        @Test("partial refunds: in parts, never more than is left, the whole only by cancelling")
        func partialRefunds() async throws {
            let stage = try await PaymentStage("partial")
            let booking = try await stage.booking()
            #expect(
                await refusal { _ = try await stage.refund(booking, 1) }.code == .invalidTransition,
                "nothing was paid")
            try await stage.pay(try await stage.create(booking))
            let first = try await stage.refund(booking, 20_000, key: "k")
            #expect(try await stage.refund(booking, 20_000, key: "k").map(\.id) == first.map(\.id))
            #expect(
                await refusal { _ = try await stage.refund(booking, 30_000, key: "k") }.code
                    == .idempotencyKeyReused)
            try await stage.sweep()
            #expect(try await stage.state(booking) == "confirmed partially_refunded")
            for amount in [80_001, 80_002, nil] as [Int64?] {
                #expect(
                    await refusal { _ = try await stage.refund(booking, amount) }.code
                        == .invalidTransition)
            }
            let racing = await allAtOnce(8) { _ in try await stage.refund(booking, 30_000) }
            #expect(racing.compactMap(\.value).count == 2, "20,000 + 2 × 30,000 < 100,001")
            try await stage.fixture.cancel(booking.description)
            #expect(try await stage.ledger(booking).refundDue == 70_000, "90 % in all")
            try await stage.sweep()
            #expect(try await stage.ledger(booking).refunded == 90_000)
            #expect(try await stage.refund(booking, nil).map(\.amount) == [10_001])
            try await stage.sweep()
            #expect(try await stage.state(booking) == "cancelled refunded")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("a refund that its booking cannot follow is refused before the provider is asked")
        func refundTooEarly() async throws {
            let stage = try await PaymentStage("too_early")
            let booking = try await stage.booking(status: "pending")
            let payment = try await stage.create(booking)
            try await stage.pay(payment)
            #expect(try await stage.state(booking) == "pending paid")
            for amount in [1, 50_000, nil] as [Int64?] {
                let error = await refusal { _ = try await stage.refund(booking, amount) }
                #expect(error.code == .invalidTransition)
                #expect(error.message.contains("rejected"), "what can be done instead")
            }
            try await stage.sweep()
            #expect(stage.provider.charge(payment.id)?.refunds.isEmpty == true)
            try await stage.fixture.confirm(booking.description)
            try await stage.refund(booking, 50_000)
            try await stage.sweep()
            #expect(try await stage.state(booking) == "confirmed partially_refunded")
            #expect(stage.provider.charge(payment.id)?.refunds.count == 1)
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test(
            "promise 8: the clock of the process does not matter, two days ahead or behind",
            arguments: [-172_800, 172_800])
        func skewed(seconds: Int) async throws {
            let stage = try await PaymentStage(
                "skewed", clock: Clock { .now() + .seconds(seconds) })
            for name in ["midtrans", "xendit"] {
                let booking = try await stage.booking()
                let payment = try await stage.create(booking) { $0.provider = name }
                let left = try #require(stage.provider.charge(payment.id)?.seconds)
                #expect((3000...3660).contains(left), "as long as the seat is kept")
                #expect(try await stage.create(booking) { $0.provider = name }.id == payment.id)
                // Nobody has paid, and there is time.
                try await stage.sweep()
                #expect(try await stage.state(booking) == "pending_payment pending")
                try await stage.pay(payment)
                #expect(try await stage.state(booking) == "confirmed paid")
                // Its slot begins tomorrow.
                var question = PaymentV1.QuoteCancellationRequest()
                question.bookingId = booking.description
                let quote = try await stage.service.quoteCancellationForAdmin(
                    question,
                    Fixture.admin(PaymentV1.PaymentsMethods.quoteCancellationForAdmin))
                #expect(quote.refund == 90_000)
                let lapsed = try await stage.booking(seconds: -1)
                #expect(await refusal { try await stage.create(lapsed) }.code == .bookingExpired)
            }
            let shown = try await stage.booking()
            try await stage.review(
                try await stage.submitProof(shown).id, approve: true)
            #expect(try await stage.state(shown) == "confirmed paid")
            let desk = try await stage.booking()
            try await stage.record(desk)
            #expect(try await stage.state(desk) == "confirmed paid")
            #expect(
                try await stage.fixture.number(
                    """
                    select count(*) from payment_record where abs(extract(epoch from
                        clock_timestamp() - created_at)) > 600
                        or updated_at > clock_timestamp() or paid_at > clock_timestamp()
                    """) == 0)
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("a key of a refund is its caller's own, and may be used again once it is forgotten")
        func refundKeys() async throws {
            let stage = try await PaymentStage("refund_keys")
            let booking = try await stage.booking()
            let payment = try await stage.create(booking)
            try await stage.pay(payment)
            let first = try await stage.refund(booking, 10_000, key: "k")
            #expect(try await stage.refund(booking, 10_000, key: "k") == first, "a retry")
            let other = try await stage.refund(booking, 20_000, key: "k", by: "8")
            #expect(other.map(\.id) != first.map(\.id))
            try await stage.fixture.pool.execute("delete from idempotency_key")
            try await stage.refund(booking, 30_000, key: "k")
            #expect(try await stage.ledger(booking).refundDue == 60_000)
            // Its provider is asked again under the same name, until the answer has come.
            try await stage.sweep()
            try await stage.fixture.pool.execute(
                """
                update refund set status = 'requested', completed_at = null,
                    next_attempt_at = clock_timestamp()
                """)
            try await stage.sweep()
            let made = try #require(stage.provider.charge(payment.id)).refunds
            #expect(made.values.sorted() == ["10000", "20000", "30000"])
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("a lost callback: the provider is asked; a charge that nobody paid expires")
        func poll() async throws {
            let stage = try await PaymentStage("poll")
            for name in ["midtrans", "xendit"] {
                let paid = try await stage.booking()
                let lost = try await stage.create(paid) { $0.provider = name }
                stage.provider.change(lost.id, to: .paid)
                let open = try await stage.booking()
                try await stage.create(open) { $0.provider = name }
                stage.provider.setDown(true)
                try await stage.sweep()
                #expect(try await stage.state(paid) == "pending_payment pending")
                stage.provider.setDown(false)
                try await stage.sweep()
                #expect(try await stage.state(paid) == "confirmed paid")
                #expect(try await stage.state(open) == "pending_payment pending")
                try await stage.fixture.pool.execute(
                    """
                    update payment_record set expires_at = clock_timestamp() - interval '1 second'
                    where booking_id = \(open)
                    """)
                try await stage.sweep()
                #expect(try await stage.state(open) == "pending_payment failed")
                #expect(try await stage.ledger(open).payments.map(\.status) == [.expired])
                let again = try await stage.create(open) { $0.provider = name }
                #expect(try await stage.state(open) == "pending_payment pending")
                #expect(try await stage.pay(again) == "applied")
                #expect(try await stage.state(open) == "confirmed paid")
            }
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("paid twice by two charges: what exceeds the price goes back")
        func twice() async throws {
            let stage = try await PaymentStage("twice")
            let booking = try await stage.booking()
            let first = try await stage.create(booking)
            stage.provider.change(first.id, to: .failed)
            try await stage.deliver(try #require(stage.provider.kept.last))
            #expect(try await stage.state(booking) == "pending_payment failed")
            let second = try await stage.create(booking)
            #expect(second.id != first.id)
            try await stage.pay(second)
            try await stage.pay(first)
            #expect(try await stage.state(booking) == "confirmed paid")
            let ledger = try await stage.ledger(booking)
            #expect(ledger.charged == 2 * PaymentStage.price)
            #expect(ledger.refundDue == PaymentStage.price)
            #expect(ledger.refunds.map(\.paymentId) == [first.id])
            try await stage.sweep()
            #expect(try await stage.state(booking) == "confirmed paid")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("a charge that fails once the visit has begun: it is still owed, and can be paid")
        func failedDuringTheVisit() async throws {
            let stage = try await PaymentStage("visit")
            for name in ["midtrans", "xendit"] {
                let booking = try await stage.booking(status: "confirmed")
                let payment = try await stage.create(booking) { $0.provider = name }
                try await stage.checkIn(booking)
                #expect(try await stage.fail(payment) == "applied")
                #expect(try await stage.state(booking) == "in_progress pending")
                #expect(try await stage.ledger(booking).payments.map(\.status) == [.failed])
                let proof = try await stage.submitProof(booking)
                try await stage.move(booking, .complete)
                #expect(
                    try await stage.review(proof.id, approve: false, "blurred").status == .failed)
                #expect(try await stage.state(booking) == "completed pending")
                let open = try await stage.service.listOpen(
                    PaymentV1.ListOpenRequest(),
                    Fixture.admin(PaymentV1.PaymentsMethods.listOpen))
                #expect(open.proofs.isEmpty)
                let another = try await stage.submitProof(booking)
                #expect(try await stage.review(another.id, approve: true).status == .completed)
                #expect(try await stage.state(booking) == "completed paid")
                #expect(
                    try await stage.history(booking) == "created,checked_in,completed,paid")
            }
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("one case that cannot be written down does not keep the others of its round")
        func sweepGoesOn() async throws {
            let stage = try await PaymentStage("goes_on")
            let (stuck, other) = (try await stage.booking(), try await stage.booking())
            stage.provider.change(try await stage.create(stuck).id, to: .paid)
            try await stage.pay(try await stage.create(other))
            try await stage.fixture.cancel(other.description)
            try PostgresClusterSQL.run(
                """
                set search_path = booking, public;
                create function refuse() returns trigger language plpgsql as
                    $$ begin raise exception 'no' using errcode = '23514'; end $$;
                create trigger refuse before update of status on payment_record for each row
                    when (new.booking_id = '\(stuck)' and new.status <> old.status)
                    execute function refuse();
                """, on: "booking_\(stage.fixture.name)")
            // Refunds come after charges.
            try await stage.sweep()
            #expect(try await stage.state(stuck) == "pending_payment pending")
            #expect(try await stage.state(other) == "cancelled partially_refunded")
            await stage.close()
        }

        @Test("a refund that the provider cannot make waits for a person, who settles it")
        func byHand() async throws {
            let stage = try await PaymentStage("by_hand")
            let booking = try await stage.booking()
            try await stage.pay(try await stage.create(booking))
            stage.provider.setRefunds(arePossible: false)
            try await stage.fixture.cancel(booking.description)
            try await stage.sweep()
            let open = try await stage.service.listOpen(
                PaymentV1.ListOpenRequest(), Fixture.admin(PaymentV1.PaymentsMethods.listOpen))
            let refund = try #require(open.refunds.first)
            #expect(refund.status == .requested && refund.amount == 90_000)
            #expect(refund.failure.contains("Midtrans refuses"))
            #expect(try await stage.settle(refund.id, completed: true) == .completed)
            #expect(try await stage.state(booking) == "cancelled partially_refunded")
            #expect(
                await refusal { try await stage.settle(refund.id, completed: true) }.code
                    == .invalidTransition)
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("while the provider is asked for a refund nobody settles it: it goes back once")
        func settledWhileAsked() async throws {
            let stage = try await PaymentStage("while_asked")
            for name in ["midtrans", "xendit"] {
                let booking = try await stage.booking()
                let payment = try await stage.create(booking) { $0.provider = name }
                try await stage.pay(payment)
                let refund = try #require(try await stage.refund(booking, 60_000).first)
                stage.provider.setDown(true)
                try await stage.sweep()
                for completed in [true, false] {
                    let error = await refusal {
                        try await stage.settle(refund.id, completed: completed)
                    }
                    #expect(error.code == .invalidTransition)
                    #expect(error.message.contains(name))
                }
                stage.provider.setDown(false)
                _ = await allAtOnce(6) { index in
                    switch index {
                    case 0, 1: try await stage.sweep()
                    case 2, 3: try await stage.settle(refund.id, completed: false)
                    default: try await stage.refund(booking, 60_000)
                    }
                }
                try await stage.sweep()
                #expect(try await stage.ledger(booking).refunded == 60_000)
                #expect(stage.provider.charge(payment.id)?.refunds.count == 1)
            }
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("a refund that was settled by hand and made by the provider after all is told")
        func unexpectedRefund() async throws {
            let stage = try await PaymentStage("unexpected")
            func settled(completed: Bool) async throws -> (UUID, Refund, Payment) {
                let booking = try await stage.booking()
                try await stage.pay(try await stage.create(booking))
                stage.provider.setRefunds(arePossible: false)
                try await stage.refund(booking, 60_000)
                try await stage.sweep()
                stage.provider.setRefunds(arePossible: true)
                let account = try await PaymentStore(pool: stage.fixture.pool).account(of: booking)
                let refund = try #require(account.refunds.first)
                try await stage.settle(refund.id.description, completed: completed)
                return (booking, refund, try #require(account.payments.first))
            }
            func unexpected() async throws -> Int {
                #expect(stage.metrics.render().contains("janji_refunds_unexpected_total"))
                return try await stage.fixture.number(
                    "select count(*) from payment_event where outcome = 'unexpected_refund'")
            }
            let report = RefundReport.completed(providerRefundID: "late")
            // Written off: the ledger learns what is so.
            let (first, late, charge) = try await settled(completed: false)
            try await stage.sweeper.settle(late, of: charge, report)
            #expect(try await unexpected() == 1)
            #expect(try await stage.ledger(first).refunded == 60_000)
            #expect(try await stage.state(first) == "confirmed partially_refunded")
            #expect(
                await refusal { _ = try await stage.refund(first, 60_000) }.code
                    == .invalidTransition, "it is gone")
            // Another one who asked at the same time is told the same.
            try await stage.sweeper.settle(late, of: charge, report)
            #expect(try await unexpected() == 1)
            // Written off, and asked for again; and made by hand: twice.
            let (second, again, other) = try await settled(completed: false)
            try await stage.refund(second, 60_000)
            try await stage.sweeper.settle(again, of: other, report)
            #expect(try await unexpected() == 2)
            try await stage.sweep()
            #expect(try await stage.ledger(second).refunded == 60_000)
            let (third, done, last) = try await settled(completed: true)
            try await stage.sweeper.settle(done, of: last, report)
            #expect(try await unexpected() == 3)
            #expect(try await stage.ledger(third).refunded == 60_000)
            #expect(
                stage.metrics.render().contains("janji_refunds_unexpected_total 3"),
                "counted, for the alarm")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("who may: the manage token of the booking; ended, lapsed and free ones are refused")
        func refusals() async throws {
            let stage = try await PaymentStage("refusals")
            let booking = try await stage.booking()
            for token in ["", PaymentStage.tokens.manage(.random())] {
                let error = await refusal {
                    try await stage.create(booking) { $0.manageToken = token }
                }
                #expect(error.code == .forbidden)
            }
            #expect(
                await refusal { try await stage.create(booking) { $0.provider = "paypal" } }.code
                    == .validationFailed)
            for path in ["https://evil.example", "//evil.example", "x"] {
                let error = await refusal {
                    try await stage.create(booking) { $0.returnPath = path }
                }
                #expect(error.violations.map(\.field) == ["return_path"])
            }
            let lapsed = try await stage.booking(seconds: -1)
            #expect(await refusal { try await stage.create(lapsed) }.code == .bookingExpired)
            let free = try await stage.booking(status: "confirmed", price: 0)
            #expect(await refusal { try await stage.create(free) }.code == .invalidTransition)
            try await stage.fixture.cancel(free.description)
            #expect(try await stage.state(free) == "cancelled not_required")
            #expect(await refusal { try await stage.create(free) }.code == .invalidTransition)
            #expect(await refusal { try await stage.create(.random()) }.code == .bookingNotFound)
            stage.provider.setDown(true)
            #expect(await refusal { try await stage.create(booking) }.code == .upstreamUnavailable)
            stage.provider.setDown(false)
            let key = "once"
            let first = try await stage.create(booking) {
                $0.idempotencyKey = key
                $0.returnPath = "/thanks"
            }
            #expect(
                stage.provider.charge(first.id)?.returnURL == "https://school.example/thanks")
            try await stage.pay(first)
            let replay = try await stage.create(booking) {
                $0.idempotencyKey = key
                $0.returnPath = "/thanks"
            }
            #expect(replay == first, "the same answer, though there is nothing to pay any more")
            await stage.close()
        }
    }
}
