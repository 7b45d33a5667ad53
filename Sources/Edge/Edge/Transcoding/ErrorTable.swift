import HTTP1
import Protobuf
import RPC

/// Turns the status of a call into an answer: code and HTTP status from `ErrorInfo.reason` and the
/// options of `janji.common.v1.ErrorCode`, else from the table of gRPC codes.
struct ErrorTable: Sendable {
    private let statusOfReason: [String: HTTPStatus]
    private let pool: DescriptorPool
    private let printer: MessagePrinter

    static let prefix = "ERROR_CODE_"

    init(_ pool: DescriptorPool, _ printer: MessagePrinter) {
        self.pool = pool
        self.printer = printer
        var statuses: [String: HTTPStatus] = [:]
        for value in pool.enumeration("janji.common.v1.ErrorCode")?.values ?? [] {
            guard let status = value.options.varint(extension: ContractOptions.httpStatus),
                (400...599).contains(status), value.name.hasPrefix(Self.prefix)
            else { continue }
            statuses[String(value.name.dropFirst(Self.prefix.count))] = HTTPStatus(
                rawValue: Int(status))
        }
        statusOfReason = statuses
    }

    func failure(_ error: RPCError) -> EdgeFailure {
        var reason: String?
        var retryAfter: Int?
        var details: [[UInt8]] = []
        for detail in error.details {
            switch Self.typeName(detail) {
            case "google.rpc.ErrorInfo":
                let info = try? GoogleRpc.ErrorInfo(decoding: detail.value)
                if reason == nil { reason = info?.reason }
            case "google.rpc.RetryInfo":
                let info = try? GoogleRpc.RetryInfo(decoding: detail.value)
                if let delay = info?.retryDelay {
                    retryAfter = max(1, Int(clamping: delay.seconds) + (delay.nanos > 0 ? 1 : 0))
                }
            case "google.rpc.DebugInfo": continue  // For those who run the server only.
            default: break
            }
            details.append(json(detail))
        }
        var failure: EdgeFailure
        if let reason, let status = statusOfReason[reason] {
            failure = EdgeFailure(status, reason, error.message)
            if reason == "DUPLICATE_REQUEST" {
                failure.fields = [("idempotency-replayed", "true")]
            }
        } else {
            failure = Self.plain(error)
        }
        if failure.status == .internalServerError {
            // Whatever the text says, it was not meant for the caller.
            failure = Self.internalError
        } else {
            failure.details = details
        }
        failure.retryAfter = retryAfter ?? failure.retryAfter
        failure.cause = error.description
        return failure
    }

    /// The table of google.rpc.Code with our names. Text of our own defects stays inside.
    private static func plain(_ error: RPCError) -> EdgeFailure {
        switch error.code {
        case .cancelled:
            return EdgeFailure(.clientClosedRequest, "CANCELLED", "the request was cancelled")
        case .invalidArgument, .outOfRange:
            return EdgeFailure(.badRequest, "VALIDATION_FAILED", error.message)
        case .failedPrecondition:
            return EdgeFailure(.conflict, "INVALID_TRANSITION", error.message)
        case .deadlineExceeded:
            return EdgeFailure(
                .gatewayTimeout, "DEADLINE_EXCEEDED", "no answer in time; it may still happen")
        case .notFound: return EdgeFailure(.notFound, "NOT_FOUND", error.message)
        case .alreadyExists: return EdgeFailure(.conflict, "ALREADY_EXISTS", error.message)
        case .aborted: return EdgeFailure(.conflict, "VERSION_CONFLICT", error.message)
        case .permissionDenied: return EdgeFailure(.forbidden, "FORBIDDEN", error.message)
        case .resourceExhausted:
            var failure = EdgeFailure(.tooManyRequests, "RATE_LIMITED", error.message)
            failure.retryAfter = 1
            return failure
        case .unauthenticated: return .unauthenticated
        case .unavailable: return .upstreamUnavailable
        case .unimplemented:
            return EdgeFailure(.notImplemented, "NOT_IMPLEMENTED", "this is not served here")
        default: return internalError
        }
    }

    private static let internalError = EdgeFailure(
        .internalServerError, "INTERNAL", "something went wrong here; it is logged")

    private static func typeName(_ detail: RPCError.Detail) -> String {
        String(detail.typeName)
    }

    /// The detail as ProtoJSON with `@type`; only its type when the pool does not know it.
    private func json(_ detail: RPCError.Detail) -> [UInt8] {
        let name = Self.typeName(detail)
        let type = JSONValue.string(detail.typeURL).encoded()
        var out = Array(#"{"@type":"#.utf8) + type
        if let schema = pool.message(name),
            let message = try? DynamicMessage(decoding: detail.value, schema: schema),
            let printed = try? printer.print(message)
        {
            if printed.first == UInt8(ascii: "{"), !name.hasPrefix("google.protobuf.") {
                if printed.count > 2 { out.append(UInt8(ascii: ",")) }
                out += printed.dropFirst()
                return out
            }
            out += Array(#","value":"#.utf8) + printed
        }
        out.append(UInt8(ascii: "}"))
        return out
    }
}
