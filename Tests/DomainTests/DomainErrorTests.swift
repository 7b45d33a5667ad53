import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Testing

@testable import Domain

/// The status and the HTTP status that requirements 1.7 gives a code.
struct CodeRow: Sendable {
    let reason: String
    let status: RPCError.Code
    let http: UInt64
}

struct DomainErrorTests {
    static let table: [CodeRow] = [
        CodeRow(reason: "DUPLICATE_REQUEST", status: .alreadyExists, http: 409),
        CodeRow(reason: "PENDING_BOOKING_EXISTS", status: .alreadyExists, http: 409),
        CodeRow(reason: "VALIDATION_FAILED", status: .invalidArgument, http: 400),
        CodeRow(reason: "CONSENT_REQUIRED", status: .invalidArgument, http: 400),
        CodeRow(reason: "INVALID_WA_NUMBER", status: .invalidArgument, http: 400),
        CodeRow(reason: "CAPTCHA_FAILED", status: .permissionDenied, http: 403),
        CodeRow(reason: "COURSE_NOT_FOUND", status: .notFound, http: 404),
        CodeRow(reason: "SLOT_NOT_FOUND", status: .notFound, http: 404),
        CodeRow(reason: "BOOKING_NOT_FOUND", status: .notFound, http: 404),
        CodeRow(reason: "SCHEDULE_CONFLICT", status: .failedPrecondition, http: 409),
        CodeRow(reason: "SLOT_UNAVAILABLE", status: .failedPrecondition, http: 409),
        CodeRow(reason: "CAPACITY_EXCEEDED", status: .failedPrecondition, http: 409),
        CodeRow(reason: "BOOKING_EXPIRED", status: .failedPrecondition, http: 410),
        CodeRow(reason: "VERSION_CONFLICT", status: .aborted, http: 412),
        CodeRow(reason: "INVALID_TRANSITION", status: .failedPrecondition, http: 409),
        CodeRow(reason: "IDEMPOTENCY_KEY_REUSED", status: .invalidArgument, http: 422),
        CodeRow(reason: "UNAUTHENTICATED", status: .unauthenticated, http: 401),
        CodeRow(reason: "FORBIDDEN", status: .permissionDenied, http: 403),
        CodeRow(reason: "RATE_LIMITED", status: .resourceExhausted, http: 429),
        CodeRow(reason: "UPSTREAM_UNAVAILABLE", status: .unavailable, http: 503),
        CodeRow(reason: "INTERNAL", status: .internalError, http: 500),
        CodeRow(reason: "INSTRUCTOR_NOT_FOUND", status: .notFound, http: 404),
        CodeRow(reason: "ROOM_NOT_FOUND", status: .notFound, http: 404),
        CodeRow(reason: "ALREADY_EXISTS", status: .alreadyExists, http: 409),
        CodeRow(reason: "OVERRIDE_REASON_REQUIRED", status: .invalidArgument, http: 400),
        CodeRow(reason: "REQUEST_IN_PROGRESS", status: .aborted, http: 409),
        CodeRow(reason: "HOLD_NOT_FOUND", status: .notFound, http: 404),
        CodeRow(reason: "HOLD_EXPIRED", status: .failedPrecondition, http: 410),
        CodeRow(reason: "HOLD_TOKEN_MISMATCH", status: .permissionDenied, http: 403),
        CodeRow(reason: "HOLD_LIMIT_REACHED", status: .resourceExhausted, http: 409),
        CodeRow(reason: "OUTSIDE_BOOKING_WINDOW", status: .failedPrecondition, http: 409),
        CodeRow(reason: "OUTSIDE_CANCELLATION_WINDOW", status: .failedPrecondition, http: 409),
        CodeRow(reason: "PAYMENT_REQUIRED", status: .failedPrecondition, http: 402),
        CodeRow(reason: "PAYMENT_FAILED", status: .failedPrecondition, http: 402),
        CodeRow(reason: "PAYMENT_NOT_FOUND", status: .notFound, http: 404),
        CodeRow(reason: "LOCATION_NOT_FOUND", status: .notFound, http: 404),
        CodeRow(reason: "RESOURCE_NOT_FOUND", status: .notFound, http: 404),
        CodeRow(reason: "POLICY_NOT_FOUND", status: .notFound, http: 404),
        CodeRow(reason: "SLOT_ALREADY_BOOKED_BY_USER", status: .failedPrecondition, http: 409),
        CodeRow(reason: "WAITLIST_ENTRY_NOT_FOUND", status: .notFound, http: 404),
        CodeRow(reason: "SEATS_AVAILABLE", status: .failedPrecondition, http: 409),
        CodeRow(reason: "ALREADY_WAITING", status: .alreadyExists, http: 409),
        CodeRow(reason: "WAITLIST_LIMIT_REACHED", status: .resourceExhausted, http: 409),
        CodeRow(reason: "OFFER_EXPIRED", status: .failedPrecondition, http: 410),
        CodeRow(reason: "ROUTE_NOT_FOUND", status: .unimplemented, http: 404),
        CodeRow(reason: "METHOD_NOT_ALLOWED", status: .unimplemented, http: 405),
        CodeRow(reason: "MALFORMED_REQUEST", status: .invalidArgument, http: 400),
        CodeRow(reason: "PAYLOAD_TOO_LARGE", status: .resourceExhausted, http: 413),
        CodeRow(reason: "UNSUPPORTED_MEDIA_TYPE", status: .invalidArgument, http: 415),
        CodeRow(reason: "DEADLINE_EXCEEDED", status: .deadlineExceeded, http: 504),
        CodeRow(reason: "UPGRADE_REQUIRED", status: .failedPrecondition, http: 426),
    ]

    /// `janji.common.v1.http_status`.
    static let httpStatusOption: Int32 = 50021

    @Test("1.7: every error code has its name, its gRPC status and its HTTP status")
    func codes() throws {
        let values = CommonV1.ErrorCode.schema.values.filter { $0.number != 0 }
        let expected = Dictionary(uniqueKeysWithValues: Self.table.map { ($0.reason, $0) })
        #expect(Set(values.map { $0.name.dropFirst(11) }) == Set(expected.keys.map { $0[...] }))
        for value in values {
            let code = CommonV1.ErrorCode(rawValue: value.number)
            let row = try #require(expected[code.reason], "\(value.name)")
            #expect(code.status == row.status, "\(value.name)")
            #expect(value.options.varint(extension: Self.httpStatusOption) == row.http)
        }
    }

    @Test("an unknown code is an error of ours, not a crash")
    func unknownCode() {
        let code = CommonV1.ErrorCode(rawValue: 9999)
        #expect(code.reason == "ERROR_9999")
        #expect(code.status == .internalError)
    }

    @Test("ErrorInfo comes first, then BadRequest, RetryInfo and the details of the case")
    func details() throws {
        var original = BookingV1.OriginalBooking()
        original.booking = BookingV1.Booking()
        let error = DomainError(
            .validationFailed, "no", violations: [.init("a.b", "is bad"), .init("c", "is worse")],
            retryAfter: .milliseconds(1500), cause: "secret"
        ).with(original).rpcError
        #expect(
            error.details.map { $0.typeURL.split(separator: "/").last }
                == [
                    "google.rpc.ErrorInfo", "google.rpc.BadRequest", "google.rpc.RetryInfo",
                    "janji.booking.v1.OriginalBooking",
                ])
        let info = try #require(error.detail(GoogleRpc.ErrorInfo.self))
        #expect(info.reason == "VALIDATION_FAILED")
        #expect(info.domain == "janji")
        let request = try #require(error.detail(GoogleRpc.BadRequest.self))
        #expect(request.fieldViolations.map(\.field) == ["a.b", "c"])
        #expect(request.fieldViolations.map(\.description) == ["is bad", "is worse"])
        let retry = try #require(error.detail(GoogleRpc.RetryInfo.self))
        #expect(retry.retryDelay?.seconds == 1)
        #expect(retry.retryDelay?.nanos == 500_000_000)
        #expect(error.message == "no")
        #expect(error.cause == "secret")
    }

    @Test("only ErrorInfo when there is nothing else to say")
    func plain() {
        let error = DomainError(.slotNotFound, "there is no such slot").rpcError
        #expect(error.details.count == 1)
        #expect(error.code == .notFound)
        #expect(error.blame == .caller)
    }

    @Test("X-27: a database that is away is 503 with RetryInfo; its words stay in the log")
    func outage() throws {
        let away = DomainError(
            PostgresError(code: .connectFailed, message: "canary host", blame: .database)
        ).rpcError
        #expect(away.code == .unavailable)
        #expect(away.detail(GoogleRpc.RetryInfo.self) != nil)
        #expect(away.detail(GoogleRpc.ErrorInfo.self)?.reason == "UPSTREAM_UNAVAILABLE")
        #expect(!away.message.contains("canary"))
        let bug = DomainError(
            PostgresError(code: .server(.uniqueViolation), message: "canary", blame: .caller)
        ).rpcError
        #expect(bug.code == .internalError)
        #expect(bug.blame == .us)
        #expect(!bug.message.contains("canary"))
    }

    @Test("mapping passes domain errors on as they are")
    func mapping() async {
        await #expect(throws: DomainError.self) {
            try await DomainError.mapping { throw DomainError(.slotNotFound, "x") }
        }
        let error = await #expect(throws: DomainError.self) {
            try await DomainError.mapping {
                throw PostgresError(code: .connectionLost, message: "", blame: .database)
            }
        }
        #expect(error?.code == .upstreamUnavailable)
    }
}
