import HTTP1
import Protobuf
import Testing

@testable import Edge

@Suite struct ErrorTests {
    @Test(
        "A status without a reason follows Google's table, with our names and no inner text",
        arguments: [
            ("INVALID_ARGUMENT", 400, "VALIDATION_FAILED"),
            ("OUT_OF_RANGE", 400, "VALIDATION_FAILED"),
            ("UNAUTHENTICATED", 401, "UNAUTHENTICATED"), ("PERMISSION_DENIED", 403, "FORBIDDEN"),
            ("NOT_FOUND", 404, "NOT_FOUND"), ("ALREADY_EXISTS", 409, "ALREADY_EXISTS"),
            ("ABORTED", 409, "VERSION_CONFLICT"),
            ("FAILED_PRECONDITION", 409, "INVALID_TRANSITION"),
            ("RESOURCE_EXHAUSTED", 429, "RATE_LIMITED"), ("INTERNAL", 500, "INTERNAL"),
            ("UNKNOWN", 500, "INTERNAL"), ("DATA_LOSS", 500, "INTERNAL"),
            ("UNIMPLEMENTED", 501, "NOT_IMPLEMENTED"),
            ("UNAVAILABLE", 503, "UPSTREAM_UNAVAILABLE"),
            ("DEADLINE_EXCEEDED", 504, "DEADLINE_EXCEEDED"),
        ])
    func codes(_ name: String, _ status: Int, _ code: String) async throws {
        try await EdgeFixture.with { edge in
            let answer = try edge.ask("POST", "/v1/things", body: #"{"name":"code:\#(name)"}"#)
            #expect(answer.status == status)
            #expect(answer.code == code)
            if status >= 500 { #expect(!answer.text.contains("secret text")) }
            #expect((answer.headers.first("retry-after") != nil) == [429, 503].contains(status))
        }
    }

    @Test(
        "A reason of janji.common.v1.ErrorCode has its own HTTP status",
        arguments: [
            ("DUPLICATE_REQUEST", 409), ("PENDING_BOOKING_EXISTS", 409), ("COURSE_NOT_FOUND", 404),
            ("IDEMPOTENCY_KEY_REUSED", 422), ("BOOKING_EXPIRED", 410), ("VERSION_CONFLICT", 412),
            ("CAPTCHA_FAILED", 403), ("CONSENT_REQUIRED", 400),
        ])
    func reasons(_ reason: String, _ status: Int) async throws {
        try await EdgeFixture.with { edge in
            let answer = try edge.ask("POST", "/v1/things", body: #"{"name":"reason:\#(reason)"}"#)
            #expect(answer.status == status)
            #expect(answer.code == reason)
            #expect(answer.json["error"]?["message"] == "what went wrong")
            #expect(answer.headers.first("retry-after") == "7")
            #expect(
                (answer.headers.first("idempotency-replayed") == "true")
                    == (reason == "DUPLICATE_REQUEST"))
            let details = answer.json["error"]?["details"]?.array ?? []
            #expect(details.count == 4)
            #expect(details.first?["@type"] == "type.googleapis.com/google.rpc.ErrorInfo")
            let original = details.first { $0["booking"] != nil }
            #expect(original?["booking"]?["status"] == "pending")
            #expect(details.last?["@type"] == "type.googleapis.com/no.such.Type")
        }
    }

    @Test("A reason that the contract does not know falls back to the status of the call")
    func unknownReason() async throws {
        try await EdgeFixture.with { edge in
            let answer = try edge.ask("POST", "/v1/things", body: #"{"name":"reason:NEWER"}"#)
            #expect(answer.status == 409)
            #expect(answer.code == "ALREADY_EXISTS")
        }
    }

    @Test("A service that does not answer in time is 504, and its call is cancelled")
    func timeout() async throws {
        try await EdgeFixture.with({ $0.requestTimeout = .milliseconds(150) }) { edge in
            let answer = try edge.ask("POST", "/v1/things", body: #"{"name":"slow"}"#)
            #expect(answer.status == 504)
            #expect(answer.code == "DEADLINE_EXCEEDED")
        }
    }
}
