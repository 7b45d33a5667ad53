import Environment
public import Protobuf
public import RPC
public import Schema

/// Why a service refused: one of the codes that clients, the edge and dashboards share
/// (`janji.common.v1.ErrorCode`), with what explains it.
///
/// Over gRPC it is a status with `google.rpc.ErrorInfo` first in its details; at the edge the
/// code's own HTTP status (requirements 1.7).
public struct DomainError: Error, Sendable, RPCErrorConvertible, CustomStringConvertible {
    public typealias Code = CommonV1.ErrorCode

    /// One field that broke a rule.
    public struct Violation: Sendable, Hashable {
        /// The path in the request, for example `preferred_time_range.start`.
        public let field: String
        /// What is wrong, in a sentence that never repeats the value.
        public let description: String

        public init(_ field: String, _ description: String) {
            self.field = field
            self.description = description
        }
    }

    public var code: Code
    public var message: String
    public var violations: [Violation] = []
    /// Further details, already encoded.
    public var details: [RPCError.Detail] = []
    /// When trying again can help.
    public var retryAfter: Duration?
    public var blame: RPCError.Blame
    /// For the log only.
    public var cause: String?

    public init(
        _ code: Code, _ message: String, violations: [Violation] = [],
        retryAfter: Duration? = nil, blame: RPCError.Blame = .caller, cause: String? = nil
    ) {
        self.code = code
        self.message = message
        self.violations = violations
        self.retryAfter = retryAfter
        self.blame = blame
        self.cause = cause
    }

    /// The same error with one more detail message.
    public func with(_ detail: some Message) -> DomainError {
        var copy = self
        copy.details.append(RPCError.Detail(packing: detail))
        return copy
    }

    public var description: String { "\(code.reason): \(message)" }

    public var rpcError: RPCError {
        let info = GoogleRpc.ErrorInfo(code.reason, in: "janji")
        var all = [RPCError.Detail(packing: info)]
        if !violations.isEmpty {
            var request = GoogleRpc.BadRequest()
            for violation in violations { request.add(violation.field, violation.description) }
            all.append(RPCError.Detail(packing: request))
        }
        if let retryAfter {
            all.append(RPCError.Detail(packing: GoogleRpc.RetryInfo(after: retryAfter)))
        }
        return RPCError(code.status, message, details: all + details, blame: blame, cause: cause)
    }
}
