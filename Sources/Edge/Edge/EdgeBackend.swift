public import Environment
public import RPC

/// On whose behalf the edge calls a service.
public enum EdgePrincipal: Sendable, Hashable {
    case anonymous
    /// A signed-in member of staff, by user id.
    case admin(String)
    /// The edge itself.
    case service
}

/// Whom a session belongs to.
public struct EdgeSession: Sendable, Hashable {
    public let userID: String
    public let expiresAt: Instant

    public init(userID: String, expiresAt: Instant) {
        self.userID = userID
        self.expiresAt = expiresAt
    }
}

/// What the edge knows of the services behind it: how to reach them and who a session is.
public struct EdgeBackend: Sendable {
    /// The channel to a service (by full name) whose calls carry the principal's credentials; nil
    /// when the service is not known. Called on the edge's loop for every request: keep it cheap.
    public var channel: @Sendable (_ service: String, EdgePrincipal) -> (any Channel)?
    /// Whose session it is; nil when it is unknown, revoked or over. Throws when that cannot be
    /// found out (`RPCError`), which the client sees as 503.
    public var verifySession: @Sendable (_ sessionID: String) async throws -> EdgeSession?

    public init(
        channel: @escaping @Sendable (_ service: String, EdgePrincipal) -> (any Channel)?,
        verifySession: @escaping @Sendable (_ sessionID: String) async throws -> EdgeSession?
    ) {
        self.channel = channel
        self.verifySession = verifySession
    }
}
