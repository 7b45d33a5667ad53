public import RPC

/// On whose behalf a call is made.
public enum Principal: Sendable, Hashable {
    /// Nobody in particular.
    case anonymous
    /// A signed-in member of staff, by user id.
    case admin(id: String)
    /// Another service, by name.
    case service(name: String)

    /// How the history names the actor.
    public var actor: String {
        switch self {
        case .anonymous: "public"
        case .admin(let id): "admin:\(id)"
        case .service(let name): "service:\(name)"
        }
    }

    public var isAdmin: Bool {
        if case .admin = self { true } else { false }
    }
}

/// Where ``Authentication`` leaves the caller for the handler.
public enum PrincipalKey: ServerContextKey {
    public typealias Value = Principal
}

extension ServerContext {
    /// The authenticated caller.
    public var principal: Principal { self[PrincipalKey.self] ?? .anonymous }
}
