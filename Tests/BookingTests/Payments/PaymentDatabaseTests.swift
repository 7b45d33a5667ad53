import Domain
import Environment
import FakeProvider
import Postgres
import RPC
import Schema
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    @Suite("Payments in the database", .serialized, .timeLimit(.minutes(5)))
    struct PaymentDatabaseTests {
        @Test("the tables alone refuse: status back, more back than came, two open, other amounts")
        func constraints() async throws {
            let stage = try await PaymentStage("constraints")
            let booking = try await stage.booking()
            let payment = try await stage.create(booking)
            try await stage.pay(payment)
            let id = try #require(UUID(payment.id))
            let wrong: [SQL] = [
                "update payment_record set status = 'pending', paid_at = null where id = \(id)",
                "update payment_record set amount = 1 where id = \(id)",
                """
                insert into refund (id, payment_id, amount, reason, actor, idempotency_key,
                    requested_at)
                values (gen_random_uuid(), \(id), 100002, 'x', 'x', 'x', clock_timestamp())
                """,
                "delete from booking where id = \(booking)",
                "update payment_record set provider = 'paypal' where id = \(id)",
            ]
            for sql in wrong {
                await #expect(throws: PostgresError.self, "\(sql)") {
                    try await stage.fixture.pool.execute(sql)
                }
            }
            let open = try await stage.booking()
            try await stage.create(open)
            await #expect(throws: PostgresError.self) {
                try await stage.fixture.pool.execute(
                    """
                    insert into payment_record (id, booking_id, provider, amount, currency,
                        expires_at, created_at, updated_at)
                    values (gen_random_uuid(), \(open), 'manual', 1, 'IDR', clock_timestamp(),
                        clock_timestamp(), clock_timestamp())
                    """)
            }
            await stage.close()
        }

        @Test("400 seeded stories over PostgreSQL end as the pure ones; the ledger agrees")
        func interleavings() async throws {
            let stage = try await PaymentStage("stories", capacity: 5000)
            let seed = UInt64.random(in: 0 ... .max)
            var random = SplitMix(seed: seed)
            for round in 0..<400 {
                // One that waits for its payment, or one that is owed.
                let isOwed = round % 4 > 1
                let booking = try await stage.booking(
                    status: isOwed ? "confirmed" : "pending_payment")
                let provider = round % 2 == 0 ? "midtrans" : "xendit"
                var payments = [try await stage.create(booking) { $0.provider = provider }]
                for _ in 0..<5 {
                    let step = Int.random(in: 0..<10, using: &random)
                    try await Self.take(step, booking, provider, &payments, stage)
                }
                let state = try await stage.state(booking)
                let ledger = try await stage.ledger(booking)
                let kept = ledger.charged - ledger.refunded - ledger.refundDue
                switch state.split(separator: " ").first {
                case "pending_payment": #expect(ledger.charged == 0, "seed \(seed): \(state)")
                case "confirmed", "in_progress", "completed":
                    let isPaid = state.hasSuffix(" paid")
                    #expect(isPaid || isOwed, "seed \(seed): \(state)")
                    #expect(kept == (isPaid ? PaymentStage.price : 0), "seed \(seed): \(state)")
                case "cancelled": #expect([0, 10_001].contains(kept), "seed \(seed): \(state)")
                case "expired": #expect(kept == 0, "seed \(seed): \(state)")
                default: Issue.record("seed \(seed): \(state)")
                }
            }
            try await stage.checkInvariants()
            await stage.close()
        }

        /// One of the ten steps; refusals are fine.
        private static func take(
            _ step: Int, _ booking: UUID, _ provider: String,
            _ payments: inout [PaymentV1.Payment], _ stage: PaymentStage
        ) async throws {
            do {
                switch step {
                case 0: try await stage.pay(payments[0])
                case 1: if payments.count > 1 { try await stage.pay(payments[1]) }
                case 2:
                    guard stage.provider.charge(payments[0].id)?.status != .paid else { return }
                    let outcome = try await stage.fail(payments[0])
                    #expect(["applied", "repeated"].contains(outcome))
                case 3:
                    let payment = try await stage.create(booking) { $0.provider = provider }
                    if !payments.contains(where: { $0.id == payment.id }) {
                        payments.append(payment)
                    }
                case 4: try await stage.fixture.cancel(booking.description)
                case 5: try await stage.expire(booking)
                case 6: try await stage.checkIn(booking)
                case 7: try await stage.move(booking, .complete)
                case 8: try await stage.record(booking)
                default: while try await stage.sweeper.sweep() {}
                }
            } catch is DomainError {}
        }

        @Test("pay, cancel, expire and refund of one booking at the same time, 40 times")
        func race() async throws {
            let stage = try await PaymentStage("race")
            for _ in 0..<40 {
                let booking = try await stage.booking()
                let payment = try await stage.create(booking)
                stage.provider.change(payment.id, to: .paid)
                let callback = try #require(stage.provider.kept.last)
                try await stage.fixture.lapse(booking.description)
                _ = await allAtOnce(6) { index in
                    switch index {
                    case 0, 1: _ = try await stage.deliver(callback)
                    case 2: _ = try await stage.fixture.cancel(booking.description)
                    case 3: try await stage.expire(booking)
                    case 4: _ = try await stage.refund(booking, nil)
                    default: _ = try await stage.sweeper.sweep()
                    }
                }
            }
            try await stage.sweep()
            try await stage.checkInvariants()
            #expect(
                try await stage.fixture.number(
                    "select count(*) from booking where status = 'pending_payment'") == 0)
            await stage.close()
        }
    }
}
