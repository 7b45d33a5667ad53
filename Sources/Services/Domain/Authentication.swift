public import Crypto
public import Environment
public import RPC
import Schema
import Synchronization

/// Lets a call through when the contract allows its caller, and leaves the caller in the context.
public final class Authentication: ServerInterceptor {
    private let policy: AccessPolicy
    private let keys: [JSONWebTokenKey]
    private let clock: Clock
    private let verified = Mutex<[String: Verified]>([:])

    private struct Verified {
        let principal: Principal
        let expiresAt: Instant
    }

    static let cacheLimit = 1024

    public init(policy: AccessPolicy, keys: [JSONWebTokenKey], clock: Clock = .system) {
        self.policy = policy
        self.keys = keys
        self.clock = clock
    }

    /// Health and reflection are for everybody; tools send them the token of the call they are
    /// preparing, which names another audience.
    public func applies(to method: MethodDescriptor) -> Bool {
        AccessPolicy.governs(method.path)
    }

    public func intercept(
        _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
    ) async throws {
        let method = call.context.method
        let principal = try identify(call.context)
        switch policy.access(to: method.path) {
        case .public: break
        case .admin where principal.isAdmin: break
        case .service: try Self.requireService(principal)
        default: throw Self.refusal(principal)
        }
        call.context[PrincipalKey.self] = principal
        try await next(call)
    }

    private static func requireService(_ principal: Principal) throws {
        if case .service = principal { return }
        throw refusal(principal)
    }

    private static func refusal(_ principal: Principal) -> DomainError {
        principal == .anonymous
            ? DomainError(.unauthenticated, "this call needs credentials")
            : DomainError(.forbidden, "these credentials do not allow this call")
    }

    private func identify(_ context: ServerContext) throws -> Principal {
        let token: String
        switch BearerToken(context.metadata) {
        case .absent: return .anonymous
        case .malformed:
            throw DomainError(.unauthenticated, "the authorization is not a bearer token")
        case .token(let text): token = text
        }
        let audience = ServiceTokens.audience(of: context.method.service)
        let cacheKey = "\(audience) \(token)"
        let now = clock.now()
        if let known = verified.withLock({ $0[cacheKey] }), now < known.expiresAt {
            return known.principal
        }
        let entry = try verify(token, audience: audience, now)
        verified.withLock { verified in
            if verified.count >= Self.cacheLimit { verified.removeAll() }
            verified[cacheKey] = entry
        }
        return entry.principal
    }

    private func verify(_ token: String, audience: String, _ now: Instant) throws -> Verified {
        do {
            let claims = try JSONWebTokenVerifier.service(keys: keys, audience: audience)
                .verify(token, at: now)
            let principal: Principal =
                switch claims.extra["role"] {
                case "admin": .admin(id: claims.subject)
                case "service": .service(name: claims.subject)
                default: .anonymous
                }
            return Verified(principal: principal, expiresAt: claims.expiresAt)
        } catch {
            throw DomainError(
                .unauthenticated, "the token is not valid: \(error.message)", cause: "\(error)")
        }
    }
}
