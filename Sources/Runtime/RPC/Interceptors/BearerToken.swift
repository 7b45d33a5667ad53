import Crypto

/// What `authorization` says (RFC 6750).
public enum BearerToken: Sendable, Hashable {
    case absent
    /// Another scheme, or none.
    case malformed
    case token(String)

    public init(_ metadata: Metadata) {
        guard let header = metadata.first("authorization") else {
            self = .absent
            return
        }
        let scheme = header.prefix(7)
        let token = header.dropFirst(7)
        // The scheme's name has no case (RFC 9110, 11.1).
        guard scheme.lowercased() == "bearer ", !token.isEmpty else {
            self = .malformed
            return
        }
        self = .token(String(token))
    }
}

/// Puts a token on every call that has no `authorization` yet.
public struct BearerCredentials: ClientInterceptor {
    private let token: @Sendable (MethodDescriptor) async throws -> String

    /// - Parameter token: asked before every call: keep what is expensive to make.
    public init(_ token: @escaping @Sendable (MethodDescriptor) async throws -> String) {
        self.token = token
    }

    /// One token for ever.
    public init(token: String) {
        self.init { _ in token }
    }

    public func intercept(_ request: inout ClientRequest) async throws {
        guard request.metadata.first("authorization") == nil else { return }
        request.metadata.set("Bearer \(try await token(request.method))", for: "authorization")
    }
}

/// Lets a call through when its token is known, and leaves the caller's name in the context
/// (`context.caller`); everything else is UNAUTHENTICATED, without saying what was wrong.
public struct BearerAuthentication: ServerInterceptor {
    private let verify: @Sendable (String, ServerContext) async throws -> String?

    /// - Parameter verify: the caller's name, or nil when the token is not good.
    public init(
        _ verify:
            @escaping @Sendable (_ token: String, _ context: ServerContext) async throws ->
            String?
    ) {
        self.verify = verify
    }

    /// Fixed tokens by the name of the service that has them. Comparing takes the same time
    /// whichever it is and wherever a wrong one differs.
    public init(tokens: [String: String]) {
        let known = tokens.map { (name: $0.key, digest: SHA256.hash(Array($0.value.utf8))) }
        self.init { token, _ in
            let digest = SHA256.hash(Array(token.utf8))
            var caller: String?
            for (name, expected) in known where constantTimeEqual(digest, expected) {
                caller = name
            }
            return caller
        }
    }

    public func intercept(
        _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
    ) async throws {
        guard case .token(let token) = BearerToken(call.context.metadata),
            let caller = try await verify(token, call.context)
        else {
            throw RPCError(.unauthenticated, "this call needs a valid bearer token")
        }
        call.context[CallerKey.self] = caller
        try await next(call)
    }
}

private enum CallerKey: ServerContextKey {
    typealias Value = String
}

extension ServerContext {
    /// Who `BearerAuthentication` found behind the call.
    public var caller: String? { self[CallerKey.self] }
}
