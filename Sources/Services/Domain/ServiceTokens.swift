public import Crypto
public import Environment
public import RPC
import Synchronization

/// Makes the tokens by which one process calls another (D-21, X-26): signed with
/// SERVICE_JWT_SECRET, for one audience, valid for five minutes at most.
public final class ServiceTokens: Sendable {
    private let issuer: String
    private let key: JSONWebTokenKey
    private let clock: Clock
    private let cache = Mutex<[CacheKey: Entry]>([:])

    private struct CacheKey: Hashable {
        let audience: String
        let principal: Principal
    }

    private struct Entry {
        let token: String
        let renewAt: Instant
    }

    /// Tokens for different callers that are kept at most.
    static let cacheLimit = 1024
    static let lifetime = Duration.seconds(240)

    /// - Parameter issuer: the name of the process that calls.
    public init(issuer: String, key: JSONWebTokenKey, clock: Clock = .system) {
        self.issuer = issuer
        self.key = key
        self.clock = clock
    }

    /// A token to call `audience` (`booking` for `janji.booking.v1.…`) for `principal`.
    public func token(for audience: String, as principal: Principal) -> String {
        let now = clock.now()
        let wanted = CacheKey(audience: audience, principal: principal)
        if let entry = cache.withLock({ $0[wanted] }), now < entry.renewAt { return entry.token }
        let token = JSONWebToken.sign(claims(audience, principal, now), key: key)
        cache.withLock { cache in
            if cache.count >= Self.cacheLimit { cache.removeAll() }
            cache[wanted] = Entry(token: token, renewAt: now + Self.lifetime / 2)
        }
        return token
    }

    private func claims(
        _ audience: String, _ principal: Principal, _ now: Instant
    ) -> JSONWebToken.Claims {
        let (subject, role) =
            switch principal {
            case .anonymous: ("public", "public")
            case .admin(let id): (id, "admin")
            case .service(let name): (name, "service")
            }
        return JSONWebToken.Claims(
            issuer: issuer, subject: subject, audience: audience, issuedAt: now,
            expiresAt: now + Self.lifetime, extra: ["role": role, "scope": "internal"])
    }

    /// The audience of a method: the context in its package, and `channelz`.
    public static func audience(of service: String) -> String {
        let parts = service.split(separator: ".")
        let isOurs = parts.first == "janji" || service.hasPrefix("grpc.channelz.")
        return parts.count >= 3 && isOurs ? String(parts[1]) : service
    }
}

/// Puts a service token on every call; calls made for somebody carry that somebody.
public struct ServiceCredentials: ClientInterceptor {
    private let bearer: BearerCredentials

    public init(tokens: ServiceTokens, principal: Principal) {
        bearer = BearerCredentials { method in
            tokens.token(for: ServiceTokens.audience(of: method.service), as: principal)
        }
    }

    public func intercept(_ request: inout ClientRequest) async throws {
        try await bearer.intercept(&request)
        if let context = ServerContext.current {
            request.metadata.set(context.requestID, for: "x-request-id")
        }
    }
}
