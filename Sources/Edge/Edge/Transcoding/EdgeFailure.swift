import HTTP1
import Protobuf

/// An answer other than success, before it is written: what the error envelope needs.
struct EdgeFailure: Error, Sendable {
    let status: HTTPStatus
    /// A value of `janji.common.v1.ErrorCode` without its prefix.
    let code: String
    /// One sentence for whoever called; never holds their bytes.
    let message: String
    /// JSON objects.
    var details: [[UInt8]] = []
    /// Seconds.
    var retryAfter: Int?
    var fields: [(name: String, value: String)] = []
    /// For the log only.
    var cause: String?

    init(_ status: HTTPStatus, _ code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    static let routeNotFound = EdgeFailure(.notFound, "ROUTE_NOT_FOUND", "there is no such path")
    static let unauthenticated = EdgeFailure(
        .unauthorized, "UNAUTHENTICATED", "sign in first: the session is missing or over")
    static let foreignOrigin = EdgeFailure(
        .forbidden, "FORBIDDEN", "requests from this origin are not allowed")
    static let upstreamUnavailable = unavailable("a service is not reachable; try again soon")

    static func unavailable(_ message: String) -> EdgeFailure {
        var failure = EdgeFailure(.serviceUnavailable, "UPSTREAM_UNAVAILABLE", message)
        failure.retryAfter = 1
        return failure
    }

    static func rateLimited(retryAfter: Int) -> EdgeFailure {
        var failure = EdgeFailure(
            .tooManyRequests, "RATE_LIMITED", "too many requests from this address")
        failure.retryAfter = retryAfter
        return failure
    }

    static func methodNotAllowed(_ allowed: [HTTPMethod]) -> EdgeFailure {
        var failure = EdgeFailure(
            .methodNotAllowed, "METHOD_NOT_ALLOWED", "this path has other methods")
        failure.fields = [("allow", allowed.map(\.rawValue).joined(separator: ", "))]
        return failure
    }

    /// A request that is no HTTP, or that breaks a limit.
    init(_ error: HTTPError) {
        let code =
            switch error.status {
            case .contentTooLarge: "PAYLOAD_TOO_LARGE"
            case .internalServerError: "INTERNAL"
            default: "MALFORMED_REQUEST"
            }
        self.init(error.status, code, error.message)
    }

    /// A body, query or path that does not fit the request message: byte offset and field path
    /// are in the details, and the field again as `google.rpc.BadRequest` for forms.
    init(malformed error: ProtobufError) {
        self.init(.badRequest, "MALFORMED_REQUEST", error.description)
        var place: [(key: String, value: JSONValue)] = []
        if let offset = error.offset { place.append(("offset", .number(String(offset)))) }
        if let path = error.path, !path.isEmpty { place.append(("field", .string(path))) }
        place.append(("description", .string(error.message)))
        details = [JSONValue.object(place).encoded()]
        guard let path = error.path, !path.isEmpty else { return }
        let violation: JSONValue = [
            "field": .string(path), "description": .string(error.message),
        ]
        let bad: JSONValue = [
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "field_violations": .array([violation]),
        ]
        details.append(bad.encoded())
    }
}
