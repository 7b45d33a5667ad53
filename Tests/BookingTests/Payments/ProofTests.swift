import Domain
import Environment
import Postgres
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite("Payment proofs", .serialized, .timeLimit(.minutes(2))) struct ProofTests {
        private static let picture: [UInt8] =
            [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + Array("picture".utf8)

        private func upload(_ stage: PaymentStage, _ content: [UInt8]) async throws -> String {
            var request = PaymentV1.UploadProofRequest()
            request.file = GoogleApi.HttpBody()
            request.file?.contentType = "text/html"
            request.file?.data = content
            return try await stage.service.uploadProof(
                request, ServerContext(method: PaymentV1.PaymentsMethods.uploadProof)
            ).proofId
        }

        private func submit(
            _ stage: PaymentStage, _ booking: UUID, _ proof: String
        ) async throws -> PaymentV1.Payment {
            var request = PaymentV1.SubmitProofRequest()
            request.bookingId = booking.description
            request.manageToken = PaymentStage.tokens.manage(booking)
            request.proofId = proof
            let answer = try await stage.service.submitProof(
                request, ServerContext(method: PaymentV1.PaymentsMethods.submitProof))
            return try #require(answer.payment)
        }

        private func review(
            _ stage: PaymentStage, _ payment: String, approve: Bool, _ reason: String = ""
        ) async throws -> PaymentV1.Payment {
            var request = PaymentV1.ReviewProofRequest()
            request.paymentId = payment
            request.approve = approve
            request.reason = reason
            let answer = try await stage.service.reviewProof(
                request, Fixture.admin(PaymentV1.PaymentsMethods.reviewProof))
            return try #require(answer.payment)
        }

        @Test("A-32, X-13: upload, name, review: approved is paid; the file comes back as it was")
        func approved() async throws {
            let stage = try await PaymentStage("proof_approved")
            let booking = try await stage.booking()
            let proof = try await upload(stage, Self.picture)
            let payment = try await submit(stage, booking, proof)
            #expect(payment.provider == "manual" && payment.status == .pending)
            #expect(payment.proofId == proof)
            let open = try await stage.service.listOpen(
                PaymentV1.ListOpenRequest(), Fixture.admin(PaymentV1.PaymentsMethods.listOpen))
            #expect(open.proofs.map(\.id) == [payment.id])
            var get = PaymentV1.GetProofRequest()
            get.paymentId = payment.id
            let file = try await stage.service.getProof(
                get, Fixture.admin(PaymentV1.PaymentsMethods.getProof))
            #expect(file.data == Self.picture)
            #expect(file.contentType == "image/png", "what it is, not what was claimed")
            #expect(try await review(stage, payment.id, approve: true).status == .completed)
            #expect(try await stage.state(booking) == "confirmed paid")
            #expect(
                try await stage.fixture.text(
                    """
                    select actor from booking_history where booking_id = \(booking)
                    order by version desc limit 1
                    """) == "admin:7")
            let twice = await refusal { _ = try await review(stage, payment.id, approve: true) }
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
            let payment = try await submit(stage, booking, try await upload(stage, Self.picture))
            #expect(
                await refusal { _ = try await review(stage, payment.id, approve: false) }
                    .violations.map(\.field) == ["reason"])
            let failed = try await review(stage, payment.id, approve: false, "not readable")
            #expect(failed.status == .failed && failed.failure == "not readable")
            #expect(try await stage.state(booking) == "pending_payment failed")
            let second = try await submit(stage, booking, try await upload(stage, Self.picture))
            #expect(try await stage.state(booking) == "pending_payment pending")
            _ = try await review(stage, second.id, approve: true)
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
            let payment = try await submit(stage, booking, try await upload(stage, Self.picture))
            _ = try await review(stage, payment.id, approve: true)
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
                    await refusal { _ = try await upload(stage, content) }.code
                        == .unsupportedMediaType)
            }
            let large = Self.picture + [UInt8](repeating: 0, count: 5 << 20)
            #expect(await refusal { _ = try await upload(stage, large) }.code == .payloadTooLarge)
            let booking = try await stage.booking()
            let other = try await stage.booking()
            let proof = try await upload(stage, Self.picture)
            for id in [UUID.random().description, "https://evil.example/a.png", ""] {
                #expect(
                    await refusal { _ = try await submit(stage, booking, id) }
                        .violations.map(\.field) == ["proof_id"])
            }
            _ = try await submit(stage, booking, proof)
            #expect(
                await refusal { _ = try await submit(stage, other, proof) }.code
                    == .validationFailed)
            #expect(
                await refusal {
                    _ = try await submit(stage, booking, try await upload(stage, Self.picture))
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
