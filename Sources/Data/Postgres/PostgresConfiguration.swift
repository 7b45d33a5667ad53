/// How to reach a database and how to behave towards it.
public struct PostgresConfiguration: Sendable {
    /// A libpq connection URI. Several hosts and `target_session_attrs=read-write` are understood.
    public var url: String
    /// The most connections that are open at once.
    public var poolSize: Int
    /// Connections that ``PostgresPool/run()`` keeps open.
    public var minimumConnections: Int
    /// For one attempt, with name resolution, TLS and authentication.
    public var connectTimeout: Duration
    /// Callers that may wait for a connection; the next one is refused at once.
    public var queueLimit: Int
    /// How long a caller waits for a connection at most, if its own deadline is not earlier.
    public var acquireTimeout: Duration
    /// The deadline of a query or a whole transaction when the caller gives none.
    public var defaultQueryTimeout: Duration
    /// How long a cancelled statement may take to end before its connection is closed.
    public var cancelGrace: Duration
    /// Prepared statements kept by each connection.
    public var statementCacheSize: Int
    /// Shown in `pg_stat_activity`, and the `pool` label of the metrics.
    public var applicationName: String
    /// The role to become on connect (`SET ROLE`): one for each service. Nil: the login role.
    public var role: String?
    /// The schemas that names are looked up in, pinned for the session.
    public var searchPath: [String]
    /// The server's limit for a wait for one lock; zero switches it off.
    public var lockTimeout: Duration
    /// The server ends sessions that leave a transaction open for longer.
    public var idleInTransactionTimeout: Duration
    /// A second guard on the server behind our own deadlines; zero switches it off.
    public var statementTimeout: Duration

    public init(
        url: String, poolSize: Int = 8, minimumConnections: Int = 1,
        connectTimeout: Duration = .seconds(2), queueLimit: Int = 1024,
        acquireTimeout: Duration = .seconds(1), defaultQueryTimeout: Duration = .seconds(5),
        cancelGrace: Duration = .seconds(2), statementCacheSize: Int = 256,
        applicationName: String = "janji", role: String? = nil, searchPath: [String] = ["public"],
        lockTimeout: Duration = .seconds(4), idleInTransactionTimeout: Duration = .seconds(10),
        statementTimeout: Duration = .seconds(30)
    ) {
        self.url = url
        self.poolSize = max(poolSize, 1)
        self.minimumConnections = min(max(minimumConnections, 0), max(poolSize, 1))
        self.connectTimeout = connectTimeout
        self.queueLimit = max(queueLimit, 0)
        self.acquireTimeout = acquireTimeout
        self.defaultQueryTimeout = defaultQueryTimeout
        self.cancelGrace = cancelGrace
        self.statementCacheSize = statementCacheSize
        self.applicationName = applicationName
        self.role = role
        self.searchPath = searchPath
        self.lockTimeout = lockTimeout
        self.idleInTransactionTimeout = idleInTransactionTimeout
        self.statementTimeout = statementTimeout
    }

    /// For a service that owns `schema` and works as the role of the same name.
    public func forService(_ schema: String) -> PostgresConfiguration {
        var copy = self
        copy.role = schema
        copy.searchPath = [schema, "public"]
        copy.applicationName = "janji-\(schema)"
        return copy
    }

    /// The libpq parameters. The session's settings travel with the start-up packet and cost no
    /// round trip.
    /// - Throws: ``PostgresError/Code/invalidUse`` for a role or schema that is no plain name.
    func parameters() throws(PostgresError) -> [(String, String)] {
        var settings = [
            ("timezone", "UTC"), ("datestyle", "ISO"), ("intervalstyle", "iso_8601"),
            ("bytea_output", "hex"), ("extra_float_digits", "1"),
            ("lock_timeout", "\(lockTimeout.wholeMilliseconds)"),
            ("statement_timeout", "\(statementTimeout.wholeMilliseconds)"),
            (
                "idle_in_transaction_session_timeout",
                "\(idleInTransactionTimeout.wholeMilliseconds)"
            ),
        ]
        if !searchPath.isEmpty {
            for schema in searchPath { try Identifier.check(schema) }
            settings.append(("search_path", searchPath.joined(separator: ",")))
        }
        if let role {
            try Identifier.check(role)
            settings.append(("role", role))
        }
        let options = settings.map { "-c \($0.0)=\($0.1)" }.joined(separator: " ")
        return [
            ("dbname", url), ("options", options), ("application_name", applicationName),
            ("client_encoding", "UTF8"), ("fallback_application_name", "janji"),
            ("keepalives_idle", "10"), ("keepalives_interval", "3"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "10000"),
        ]
    }
}

extension Duration {
    fileprivate var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}

/// Names of schemas and roles. They cannot be bound as values, so only plain ones are allowed.
enum Identifier {
    static func check(_ name: String) throws(PostgresError) {
        let isPlain = name.utf8.allSatisfy { byte in
            switch byte {
            case 0x61...0x7A, 0x30...0x39, 0x5F: true
            default: false
            }
        }
        guard isPlain, let first = name.utf8.first, !(0x30...0x39).contains(first),
            name.utf8.count <= 63
        else { throw .invalidUse("\(name) is not a plain lower-case name") }
    }
}
