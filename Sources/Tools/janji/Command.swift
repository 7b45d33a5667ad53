/// What the command line asks for.
enum Command: Sendable, Hashable {
    case up
    case serve([Role])
    case migrate(isPlan: Bool)
    case events(EventsRequest)
    case token(audience: String, admin: String)
    case help(topic: String?)

    /// - Throws: ``ConfigurationError`` with what to do instead.
    init(_ arguments: [String]) throws(ConfigurationError) {
        guard let verb = arguments.first else {
            self = .help(topic: nil)
            return
        }
        let rest = Array(arguments.dropFirst())
        if ["--help", "-h", "help"].contains(verb) {
            self = .help(topic: rest.first)
            return
        }
        if rest.contains("--help") || rest.contains("-h") {
            self = .help(topic: verb)
            return
        }
        switch verb {
        case "up": self = try Self.alone(.up, rest)
        case "migrate":
            self = .migrate(isPlan: rest.first == "--plan")
            _ = try Self.alone(self, rest.first == "--plan" ? Array(rest.dropFirst()) : rest)
        case "events": self = .events(try EventsRequest(rest))
        case "serve": self = .serve(try Self.roles(rest))
        case "token": self = try Self.token(rest)
        default:
            throw ConfigurationError("`\(verb)` is not a command; `janji --help` lists them")
        }
    }

    private static func alone(
        _ command: Command, _ rest: [String]
    ) throws(ConfigurationError) -> Command {
        if let extra = rest.first {
            throw ConfigurationError("`\(extra)` is too much; this command takes no arguments")
        }
        return command
    }

    private static func roles(_ names: [String]) throws(ConfigurationError) -> [Role] {
        guard !names.isEmpty else {
            throw ConfigurationError("name at least one role: \(Role.names)")
        }
        var roles: [Role] = []
        for name in names {
            guard let role = Role(name: name) else {
                throw ConfigurationError("`\(name)` is not a role; there are \(Role.names)")
            }
            if !roles.contains(role) { roles.append(role) }
        }
        return roles
    }

    private static func token(_ rest: [String]) throws(ConfigurationError) -> Command {
        guard let audience = rest.first, rest.count <= 2 else {
            throw ConfigurationError("usage: janji token AUDIENCE [ADMIN]; see janji token --help")
        }
        return .token(audience: audience, admin: rest.count > 1 ? rest[1] : "operator")
    }
}

extension Role {
    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
