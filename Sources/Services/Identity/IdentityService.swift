public import Crypto
import Domain
public import Environment
public import Loop
public import Postgres
import Protobuf
public import RPC
public import Schema

/// The RPCs of `janji.identity.v1.Auth`: who works here, and their sessions.
///
/// A session lasts an absolute time, whatever is done with it. What a wrong login says, and how
/// long it takes, does not tell whether the address is known.
public struct IdentityService: IdentityV1.AuthService {
    private let store: IdentityStore
    private let clock: Clock
    private let sessionLifetime: Duration
    private let hasher: PasswordHasher
    private let limiter: LoginLimiter

    /// The shortest password that ``ensureAdmin(email:name:password:)`` takes.
    public static let shortestPassword = 8
    static let longestPassword = 1024

    /// - Parameters:
    ///   - loop: whose thread pool derives passwords.
    ///   - passwordCost: of new passwords; those stored keep their own.
    public init(
        pool: PostgresPool, clock: Clock = .system, loop: EventLoop,
        sessionLifetime: Duration = .seconds(12 * 3600),
        passwordCost: Scrypt.Parameters = PasswordCost.standard
    ) {
        store = IdentityStore(pool: pool)
        self.clock = clock
        self.sessionLifetime = sessionLifetime
        hasher = PasswordHasher(loop: loop, parameters: passwordCost)
        limiter = LoginLimiter()
    }

    public func createSession(
        _ request: IdentityV1.CreateSessionRequest, _ context: ServerContext
    ) async throws -> IdentityV1.CreateSessionResponse {
        var rules = FieldRules()
        rules.email(request.email, "email")
        if request.password.isEmpty { rules.refuse("password", "is required") }
        if request.password.utf8.count > Self.longestPassword {
            rules.refuse("password", "is longer than \(Self.longestPassword) bytes")
        }
        try rules.check()
        let email = request.email.lowercased()
        if let wait = limiter.attempt(email, at: clock.now()) {
            throw DomainError(
                .rateLimited, "too many failed attempts for this address; wait before the next",
                retryAfter: wait)
        }
        do {
            let user = try await DomainError.mapping {
                try await authenticate(email, request.password)
            }
            let response = try await open(user)
            limiter.forgive(email, at: clock.now())
            return response
        } catch let error as DomainError where error.code == .unauthenticated {
            throw error
        } catch {
            // Not the fault of who signs in.
            limiter.forgive(email, at: clock.now())
            throw error
        }
    }

    private func authenticate(_ email: String, _ password: String) async throws -> User {
        let known = try await store.credentials(email: email)
        let hash = known?.hash ?? .nobody(hasher.parameters)
        let isRight = try await hasher.matches(password, hash)
        guard let known, isRight else {
            throw DomainError(.unauthenticated, "the e-mail address or the password is wrong")
        }
        return known.user
    }

    private func open(_ user: User) async throws -> IdentityV1.CreateSessionResponse {
        let secret = SessionSecret.random()
        let now = clock.now()
        let expiresAt = now + sessionLifetime
        try await DomainError.mapping {
            try await store.insert(secret, of: user.id, at: now, expiresAt: expiresAt)
        }
        var response = IdentityV1.CreateSessionResponse()
        response.sessionId = secret.text
        response.user = IdentityV1.User(user)
        response.expiresAt = GoogleProtobuf.Timestamp(expiresAt)
        return response
    }

    public func verifySession(
        _ request: IdentityV1.VerifySessionRequest, _ context: ServerContext
    ) async throws -> IdentityV1.VerifySessionResponse {
        guard let secret = SessionSecret(request.sessionId) else { throw Self.noSession }
        let found = try await DomainError.mapping {
            try await store.session(secret, at: clock.now())
        }
        guard let found else { throw Self.noSession }
        var response = IdentityV1.VerifySessionResponse()
        response.user = IdentityV1.User(found.user)
        response.expiresAt = GoogleProtobuf.Timestamp(found.expiresAt)
        return response
    }

    public func revokeSession(
        _ request: IdentityV1.RevokeSessionRequest, _ context: ServerContext
    ) async throws -> IdentityV1.RevokeSessionResponse {
        guard let secret = SessionSecret(request.sessionId) else {
            var rules = FieldRules()
            rules.refuse("session_id", "is not a session")
            try rules.check()
            throw Self.noSession
        }
        try await DomainError.mapping { try await store.revoke(secret) }
        return IdentityV1.RevokeSessionResponse()
    }

    public func getMe(
        _ request: IdentityV1.GetMeRequest, _ context: ServerContext
    ) async throws -> IdentityV1.GetMeResponse {
        guard case .admin(let text) = context.principal, let id = UUID(text) else {
            throw Self.noSession
        }
        let user = try await DomainError.mapping { try await store.user(id) }
        guard let user else { throw Self.noSession }
        var response = IdentityV1.GetMeResponse()
        response.user = IdentityV1.User(user)
        return response
    }

    private static let noSession = DomainError(
        .unauthenticated, "the session is unknown, revoked or over")

    // MARK: Bootstrapping

    /// Makes sure that this admin can sign in with this password: for the first start. When the
    /// address is known with another name or password, both are replaced and the address's
    /// sessions end; otherwise nothing changes.
    /// - Throws: VALIDATION_FAILED, UPSTREAM_UNAVAILABLE.
    public func ensureAdmin(email: String, name: String, password: String) async throws {
        var rules = FieldRules()
        rules.email(email, "email")
        rules.text(name, "name", limit: 200)
        if !(Self.shortestPassword...Self.longestPassword).contains(password.utf8.count) {
            rules.refuse(
                "password",
                "is not between \(Self.shortestPassword) and \(Self.longestPassword) bytes")
        }
        try rules.check()
        let email = email.lowercased()
        try await DomainError.mapping {
            if let known = try await store.credentials(email: email), known.user.name == name,
                try await hasher.matches(password, known.hash)
            {
                return
            }
            let user = User(id: .timeOrdered(), name: name, email: email, role: .admin)
            try await store.put(user, try await hasher.hash(password))
        }
    }
}
