import Environment
import RPC
import Schema
import Testing

@testable import Booking

extension PaymentStage {
    static let picture: [UInt8] =
        [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + Array("picture".utf8)

    func upload(_ content: [UInt8]) async throws -> String {
        var request = PaymentV1.UploadProofRequest()
        request.file = GoogleApi.HttpBody()
        request.file?.contentType = "text/html"
        request.file?.data = content
        return try await service.uploadProof(
            request, ServerContext(method: PaymentV1.PaymentsMethods.uploadProof)
        ).proofId
    }

    func submit(_ booking: UUID, _ proof: String) async throws -> PaymentV1.Payment {
        try await submit(booking, proof, to: service)
    }

    func submit(
        _ booking: UUID, _ proof: String, to service: PaymentService
    ) async throws -> PaymentV1.Payment {
        var request = PaymentV1.SubmitProofRequest()
        request.bookingId = booking.description
        request.manageToken = PaymentStage.tokens.manage(booking)
        request.proofId = proof
        let answer = try await service.submitProof(
            request, ServerContext(method: PaymentV1.PaymentsMethods.submitProof))
        return try #require(answer.payment)
    }

    @discardableResult
    func review(
        _ payment: String, approve: Bool, _ reason: String = ""
    ) async throws -> PaymentV1.Payment {
        var request = PaymentV1.ReviewProofRequest()
        request.paymentId = payment
        request.approve = approve
        request.reason = reason
        let answer = try await service.reviewProof(
            request, Fixture.admin(PaymentV1.PaymentsMethods.reviewProof))
        return try #require(answer.payment)
    }
}
