import Domain
import Environment
import Postgres
import RPC
import Schema
import Testing

@testable import Booking

extension ServerTests {
    @Suite("Proofs of registrations", .serialized, .timeLimit(.minutes(2)))
    struct RegistrationProofTests {
        private static let picture: [UInt8] = [0xFF, 0xD8, 0xFF, 0xE0] + Array("receipt".utf8)

        private func upload(_ stage: PaymentStage) async throws -> PaymentV1.UploadProofResponse {
            var request = PaymentV1.UploadProofRequest()
            request.file = GoogleApi.HttpBody()
            request.file?.data = Self.picture
            return try await stage.service.uploadProof(
                request, ServerContext(method: PaymentV1.PaymentsMethods.uploadProof))
        }

        private func request(
            _ stage: PaymentStage, _ proof: String, email: String = "\(UUID.random())@example.com"
        ) -> BookingV1.RegisterCourseRequest {
            var request = form(email, stage.fixture.piano)
            request.paymentProof = proof
            return request
        }

        private func setPrice(_ stage: PaymentStage) async throws {
            try await stage.fixture.pool.execute("update offering set price = 250000")
        }

        @Test("A-32, X-13: a proof of a course with a price is a manual payment to review")
        func priced() async throws {
            let stage = try await PaymentStage("proof_priced")
            try await setPrice(stage)
            let proof = try await upload(stage)
            let answer = try await stage.fixture.register(request(stage, proof.proofId))
            let booking = try #require(answer.booking)
            #expect(booking.status == .pending && booking.paymentStatus == .pending)
            #expect(booking.total == 250_000 && booking.version == 2)
            let id = try #require(UUID(booking.id))
            let payment = try #require(try await stage.ledger(id).payments.first)
            #expect(payment.provider == "manual" && payment.amount == 250_000)
            #expect(payment.proofId == proof.proofId && payment.method == "proof")
            #expect(try await stage.history(id) == "created,payment_opened")
            let events = try await stage.fixture.events().map(\.topic)
            #expect(events.contains("payment.updated"))
            #expect(
                try await stage.fixture.text(
                    "select policy -> 'cancellation' ->> 'code' from booking where id = \(id)")
                    == "standard")
            var review = PaymentV1.ReviewProofRequest()
            (review.paymentId, review.approve) = (payment.id, true)
            _ = try await stage.service.reviewProof(
                review, Fixture.admin(PaymentV1.PaymentsMethods.reviewProof))
            #expect(try await stage.state(id) == "pending paid")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("A-32: a proof of a course without a price stays with the booking; staff sees it")
        func free() async throws {
            let stage = try await PaymentStage("proof_free")
            let proof = try await upload(stage)
            #expect(
                proof.url == "https://school.example/api/booking/payment-proofs/\(proof.proofId)")
            let answer = try await stage.fixture.register(request(stage, proof.proofId))
            let booking = try #require(answer.booking)
            #expect(booking.paymentStatus == .notRequired && booking.version == 1)
            #expect(
                try await stage.fixture.number("select count(*) from payment_record") == 0)
            try await stage.fixture.pool.execute(
                "update payment_proof set created_at = created_at - interval '2 days'")
            try await stage.sweep()
            var get = BookingV1.GetBookingRequest()
            get.bookingId = booking.id
            let shown = try await stage.fixture.bookings.getBooking(
                get, Fixture.admin(BookingV1.BookingsMethods.getBooking))
            #expect(
                shown.applicant?.paymentProof
                    == "/api/booking/payment-proofs/\(proof.proofId)")
            var file = PaymentV1.GetProofRequest()
            file.proofId = proof.proofId
            let body = try await stage.service.getProof(
                file, Fixture.admin(PaymentV1.PaymentsMethods.getProof))
            #expect(body.data == Self.picture && body.contentType == "image/jpeg")
            await stage.close()
        }

        @Test("X-13: wrong, foreign, expired and oversized names leave nothing, not even a key")
        func refused() async throws {
            let stage = try await PaymentStage("proof_names")
            try await setPrice(stage)
            let used = try await upload(stage).proofId
            try await stage.fixture.register(request(stage, used))
            let submitted = try await upload(stage).proofId
            let paying = try await stage.booking()
            var submit = PaymentV1.SubmitProofRequest()
            (submit.bookingId, submit.proofId) = (paying.description, submitted)
            submit.manageToken = PaymentStage.tokens.manage(paying)
            _ = try await stage.service.submitProof(
                submit, ServerContext(method: PaymentV1.PaymentsMethods.submitProof))
            let old = try await upload(stage).proofId
            try await stage.fixture.pool.execute(
                """
                update payment_proof set created_at = clock_timestamp() - interval '25 hours'
                where id = \(try #require(UUID(old)))
                """)
            let good = try await upload(stage).proofId
            let bookings = try await stage.fixture.number("select count(*) from booking")
            for name in [
                UUID.random().description, used, submitted, old, "", "receipt.png",
                "https://evil.example/\(good)", "http://169.254.169.254/latest/meta-data",
                "https://evil.example/api/booking/payment-proofs/\(good)",
                "/api/booking/payment-proofs/\(good)/..", "\(good)?x=1",
                String(repeating: "x", count: 501), String(repeating: "🎹", count: 400),
            ] {
                var request = request(stage, name)
                let error = await refusal { try await stage.fixture.register(request) }
                #expect(error.code == .validationFailed, "\(name)")
                #expect(error.violations.map(\.field) == ["payment_proof"], "\(name)")
                #expect(!error.message.contains("evil"))
                request.paymentProof = nil
                request.email = ""
                let key = try await stage.fixture.number(
                    "select count(*) from idempotency_key where key = \(request.idempotencyKey)")
                #expect(key == 0)
            }
            #expect(try await stage.fixture.number("select count(*) from booking") == bookings)
            // The good one was named wrongly above, and is free still; by its address as well.
            try await stage.fixture.register(
                request(stage, "/api/booking/payment-proofs/\(good)"))
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("X-13: of ten who name one upload at once one has it; the others leave nothing")
        func race() async throws {
            let stage = try await PaymentStage("proof_race")
            try await setPrice(stage)
            let proof = try await upload(stage).proofId
            let outcomes = await allAtOnce(10) { _ in
                try await stage.fixture.register(request(stage, proof))
            }
            #expect(outcomes.count { $0.value != nil } == 1)
            #expect(Set(outcomes.compactMap(\.refusal).map(\.code)) == [.validationFailed])
            #expect(try await stage.fixture.number("select count(*) from booking") == 1)
            #expect(try await stage.fixture.number("select count(*) from payment_record") == 1)
            #expect(try await stage.fixture.number("select count(*) from idempotency_key") == 1)
            await stage.close()
        }

        @Test("X-09: the retry of a registration with a proof is told of the first, link included")
        func retry() async throws {
            let stage = try await PaymentStage("proof_retry")
            try await setPrice(stage)
            let request = request(stage, try await upload(stage).proofId)
            let first = try await stage.fixture.register(request)
            let error = await refusal { try await stage.fixture.register(request) }
            #expect(error.code == .duplicateRequest)
            let told = try #require(try error.detail(BookingV1.OriginalBooking.self))
            #expect(told.booking == first.booking)
            #expect(told.manageToken == first.manageToken && !told.manageToken.isEmpty)
            await stage.close()
        }

        @Test("X-124: the link of a request opens it for its student, who may cancel it")
        func manageLink() async throws {
            let stage = try await PaymentStage("proof_link")
            let made = try await stage.fixture.register(
                form("ani@example.com", stage.fixture.piano, stage.slot.id))
            let appointments = AppointmentService(
                pool: stage.fixture.pool, clock: .system, tokens: Fixture.tokens, committed: {})
            var look = BookingV1.GetByManageTokenRequest()
            look.token = made.manageToken
            let seen = try await appointments.getByManageToken(
                look, ServerContext(method: BookingV1.AppointmentsMethods.getByManageToken))
            #expect(seen.booking == made.booking)
            #expect(seen.rights?.canCancel == true && seen.rights?.canReschedule == false)
            var cancel = BookingV1.CancelByManageTokenRequest()
            cancel.token = made.manageToken
            let ended = try await appointments.cancelByManageToken(
                cancel, ServerContext(method: BookingV1.AppointmentsMethods.cancelByManageToken))
            #expect(ended.booking?.status == .cancelled)
            #expect(
                try await stage.fixture.text(
                    "select actor from booking_history where action = 'cancelled'") == "customer")
            await stage.close()
        }
    }
}
