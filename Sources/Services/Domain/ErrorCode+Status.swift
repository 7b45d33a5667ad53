import Protobuf
public import RPC
public import Schema

extension CommonV1.ErrorCode {
    /// The name without its prefix, for example `DUPLICATE_REQUEST`: what clients compare with.
    public var reason: String { Self.reasons[rawValue] ?? "ERROR_\(rawValue)" }

    private static let reasons: [Int32: String] = {
        let schema = CommonV1.ErrorCode.schema
        let prefix = "ERROR_CODE_"
        return Dictionary(
            schema.values.map { value in
                let name = value.name
                return (
                    value.number,
                    name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
                )
            }, uniquingKeysWith: { first, _ in first })
    }()

    /// The gRPC status of the code (requirements 1.7).
    public var status: RPCError.Code {
        switch self {
        case .duplicateRequest, .pendingBookingExists, .alreadyExists, .alreadyWaiting:
            .alreadyExists
        case .validationFailed, .consentRequired, .invalidWaNumber, .idempotencyKeyReused,
            .overrideReasonRequired, .malformedRequest, .unsupportedMediaType:
            .invalidArgument
        case .captchaFailed, .forbidden, .holdTokenMismatch: .permissionDenied
        case .courseNotFound, .slotNotFound, .bookingNotFound, .instructorNotFound, .roomNotFound,
            .holdNotFound, .paymentNotFound, .locationNotFound, .resourceNotFound, .policyNotFound,
            .waitlistEntryNotFound:
            .notFound
        case .scheduleConflict, .slotUnavailable, .capacityExceeded, .bookingExpired,
            .invalidTransition, .upgradeRequired, .holdExpired, .outsideBookingWindow,
            .outsideCancellationWindow, .paymentRequired, .paymentFailed,
            .slotAlreadyBookedByUser, .seatsAvailable, .offerExpired:
            .failedPrecondition
        case .versionConflict, .requestInProgress: .aborted
        case .unauthenticated: .unauthenticated
        case .rateLimited, .payloadTooLarge, .holdLimitReached, .waitlistLimitReached:
            .resourceExhausted
        case .routeNotFound, .methodNotAllowed: .unimplemented
        case .deadlineExceeded: .deadlineExceeded
        case .upstreamUnavailable: .unavailable
        default: .internalError
        }
    }
}
