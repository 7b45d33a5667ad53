import Domain
import Environment
import Postgres
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite("Payment proofs", .serialized, .timeLimit(.minutes(2))) struct ProofTests {
        @Test("A-32, X-13: upload, name, review: approved is paid; the file comes back as it was")
        func approved() async throws {
            let stage = try await PaymentStage("proof_approved")
            let booking = try await stage.booking()
            let proof = try await stage.upload(PaymentStage.picture)
            let payment = try await stage.submit(booking, proof)
            #expect(payment.provider == "manual" && payment.status == .pending)
            #expect(payment.proofId == proof)
            let open = try await stage.service.listOpen(
                PaymentV1.ListOpenRequest(), Fixture.admin(PaymentV1.PaymentsMethods.listOpen))
            #expect(open.proofs.map(\.id) == [payment.id])
            var get = PaymentV1.GetProofRequest()
            get.paymentId = payment.id
            let file = try await stage.service.getProof(
                get, Fixture.admin(PaymentV1.PaymentsMethods.getProof))
            #expect(file.data == PaymentStage.picture)
            #expect(file.contentType == "image/png", "what it is, not what was claimed")
            #expect(try await stage.review(payment.id, approve: true).status == .completed)
            #expect(try await stage.state(booking) == "confirmed paid")
            #expect(
                try await stage.fixture.text(
                    """
                    select actor from booking_history where booking_id = \(booking)
                    order by version desc limit 1
                    """) == "admin:7")
            let twice = await refusal { _ = try await stage.review(payment.id, approve: true) }
            #expect(twice.code == .invalidTransition)
            try await stage.fixture.cancel(booking.description)
            try await stage.sweep()
            let refunds = try await stage.service.listOpen(
                PaymentV1.ListOpenRequest(), Fixture.admin(PaymentV1.PaymentsMethods.listOpen)
            ).refunds
            #expect(refunds.map(\.amount) == [90_000], "a person gives it back")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("rejected is failed, with its reason; another proof may follow")
        func rejected() async throws {
            let stage = try await PaymentStage("proof_rejected")
            let booking = try await stage.booking()
            let payment = try await stage.submit(
                booking, try await stage.upload(PaymentStage.picture))
            #expect(
                await refusal { _ = try await stage.review(payment.id, approve: false) }
                    .violations.map(\.field) == ["reason"])
            let failed = try await stage.review(payment.id, approve: false, "not readable")
            #expect(failed.status == .failed && failed.failure == "not readable")
            #expect(try await stage.state(booking) == "pending_payment failed")
            let second = try await stage.submit(
                booking, try await stage.upload(PaymentStage.picture))
            #expect(try await stage.state(booking) == "pending_payment pending")
            _ = try await stage.review(second.id, approve: true)
            #expect(try await stage.state(booking) == "confirmed paid")
            #expect(
                try await stage.history(booking)
                    == "created,payment_failed,payment_opened,paid")
            await stage.close()
        }

        @Test("a request of the school is paid before it is confirmed, and afterwards")
        func request() async throws {
            let stage = try await PaymentStage("proof_request")
            let booking = try await stage.booking(status: "pending")
            let payment = try await stage.submit(
                booking, try await stage.upload(PaymentStage.picture))
            _ = try await stage.review(payment.id, approve: true)
            #expect(try await stage.state(booking) == "pending paid")
            try await stage.fixture.reject(booking.description)
            #expect(try await stage.state(booking) == "rejected paid")
            #expect(try await stage.ledger(booking).refundDue == PaymentStage.price, "all of it")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("what is no picture or PDF, too large, foreign or used is refused")
        func refused() async throws {
            let stage = try await PaymentStage("proof_refused")
            for content in [[], Array("<script>".utf8), Array("GIF89a".utf8)] {
                #expect(
                    await refusal { _ = try await stage.upload(content) }.code
                        == .unsupportedMediaType)
            }
            let large = PaymentStage.picture + [UInt8](repeating: 0, count: 5 << 20)
            #expect(await refusal { _ = try await stage.upload(large) }.code == .payloadTooLarge)
            let booking = try await stage.booking()
            let other = try await stage.booking()
            let proof = try await stage.upload(PaymentStage.picture)
            for id in [UUID.random().description, "https://evil.example/a.png", ""] {
                #expect(
                    await refusal { _ = try await stage.submit(booking, id) }
                        .violations.map(\.field) == ["proof_id"])
            }
            _ = try await stage.submit(booking, proof)
            #expect(
                await refusal { _ = try await stage.submit(other, proof) }.code
                    == .validationFailed)
            #expect(
                await refusal {
                    _ = try await stage.submit(
                        booking, try await stage.upload(PaymentStage.picture))
                }.code == .invalidTransition)
            try await stage.fixture.pool.execute(
                "update payment_proof set created_at = created_at - interval '2 days'")
            try await stage.sweep()
            #expect(
                try await stage.fixture.number("select count(*) from payment_proof") == 1,
                "what nobody named is gone")
            await stage.close()
        }
    }
}
