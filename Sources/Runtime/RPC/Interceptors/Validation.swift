public import Protobuf

/// A request with rules. Declare it on generated messages:
///
/// ```swift
/// extension ShopV1.Order: Validated {
///     func validate(_ problems: inout GoogleRpc.BadRequest) {
///         if sku.isEmpty { problems.add("sku", "is required") }
///     }
/// }
/// ```
public protocol Validated: Message {
    /// Adds every rule that is broken, by the path of the field; never repeats a value.
    func validate(_ problems: inout GoogleRpc.BadRequest)
}

/// Refuses requests whose own rules are broken, before the handler sees them: INVALID_ARGUMENT
/// with `google.rpc.BadRequest`. Requests without rules pass.
public struct Validation: ServerInterceptor {
    public init() {}

    public func intercept(
        _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
    ) async throws {
        call.onDecodedRequest { message in
            guard let request = message as? any Validated else { return }
            var problems = GoogleRpc.BadRequest()
            request.validate(&problems)
            guard !problems.fieldViolations.isEmpty else { return }
            let fields = problems.fieldViolations.map(\.field).joined(separator: ", ")
            throw RPCError(.invalidArgument, "these fields are not valid: \(fields)")
                .with(problems)
        }
        try await next(call)
    }
}
