import Protobuf
import RPC

/// A status as Connect writes it: an HTTP status code and a JSON object (connectrpc.com,
/// "Connect Protocol Reference", Error Codes).
enum ConnectError {
    static func httpStatus(_ code: RPCError.Code) -> Int {
        switch code {
        case .cancelled: 499
        case .invalidArgument, .failedPrecondition, .outOfRange: 400
        case .deadlineExceeded: 504
        case .notFound: 404
        case .alreadyExists, .aborted: 409
        case .permissionDenied: 403
        case .resourceExhausted: 429
        case .unimplemented: 501
        case .unavailable: 503
        case .unauthenticated: 401
        default: 500
        }
    }

    static func json(_ error: RPCError) -> JSONValue {
        var members: [(key: String, value: JSONValue)] = [("code", .string(name(error.code)))]
        if !error.message.isEmpty { members.append(("message", .string(error.message))) }
        if !error.details.isEmpty {
            members.append(
                (
                    "details",
                    .array(
                        error.details.map { json($0) })
                ))
        }
        return .object(members)
    }

    /// With `debug`, for who reads it, when the type is one of google.rpc.
    private static func json(_ detail: RPCError.Detail) -> JSONValue {
        let value = MetadataBase64.encode(detail.value)
        var members: [(key: String, value: JSONValue)] = [
            ("type", .string(String(detail.typeName))),
            ("value", .string(String(decoding: value, as: UTF8.self))),
        ]
        if let json = detail.json, let debug = try? JSONValue.parse(json) {
            members.append(("debug", debug))
        }
        return .object(members)
    }

    /// Connect spells CANCELLED as HTTP does. Codes outside gRPC's seventeen are unknown.
    private static func name(_ code: RPCError.Code) -> String {
        if code == .cancelled { return "canceled" }
        return code.rawValue > 0 && code.rawValue < 17 ? code.name.lowercased() : "unknown"
    }
}
