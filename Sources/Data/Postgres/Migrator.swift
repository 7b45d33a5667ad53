public import Environment
import Loop
public import Telemetry

/// Brings the schema of one service up to date, forward only, and gives the service a role of its
/// own that can use this schema and no other one.
///
/// Safe when several processes start at once: an advisory lock lets one work at a time. Each
/// migration is one transaction with its row in `<schema>.schema_migrations`. Waiting for a lock
/// is limited, so that a migration never blocks live traffic for long; it then tries again.
///
/// ```swift
/// try await Migrator(pool, schema: "booking", logger: logger).apply(bookingMigrations)
/// let own = PostgresPool(configuration: configuration.forService("booking"), …)
/// ```
public struct Migrator: Sendable {
    private static let lockKey: Int64 = 0x6A61_6E6A_6901
    private static let maxAttempts = 100

    private let pool: PostgresPool
    private let schema: String
    private let role: String
    private let roleCanLogin: Bool
    private let lockTimeout: Duration
    private let logger: Logger

    /// - Parameters:
    ///   - pool: logged in as a user that may create schemas and roles; it will own the tables.
    ///   - role: the role of the service; the name of the schema when nil. Created when absent.
    ///   - lockTimeout: the longest wait for one lock on a table, in which all who come after queue
    ///     behind it; shorter than they wait for a connection.
    public init(
        _ pool: PostgresPool, schema: String, role: String? = nil, roleCanLogin: Bool = false,
        lockTimeout: Duration = .milliseconds(500), logger: Logger
    ) {
        self.pool = pool
        self.schema = schema
        self.role = role ?? schema
        self.roleCanLogin = roleCanLogin
        self.lockTimeout = lockTimeout
        self.logger = logger
    }

    /// Applies what is missing; returns the versions that this call has applied.
    ///
    /// - Throws: ``PostgresError``; ``PostgresError/Code/migrationRefused`` when an applied
    ///   migration was changed or is unknown here (the database is newer than the program).
    @discardableResult
    public func apply(
        _ migrations: [Migration], deadline: Deadline = .after(.seconds(120))
    ) async throws -> [Int] {
        try Identifier.check(schema)
        try Identifier.check(role)
        try MigrationPlan.checkOrder(migrations)
        _ = try await patiently(deadline) { connection throws(PostgresError) in
            try await run(Exchange(script: prepareScript, deadline: deadline), connection)
        }
        var applied: [Int] = []
        while true {
            let next = try await patiently(deadline) { connection throws(PostgresError) in
                try await applyNext(migrations, connection, deadline)
            }
            guard let next else { return applied }
            logger.info(
                "migration applied",
                [
                    "schema": .string(schema), "version": LogValue(next.version),
                    "name": .string(next.name),
                ])
            applied.append(next.version)
        }
    }

    /// A migration that ``apply(_:deadline:)`` would run.
    public struct Step: Sendable, Hashable {
        public let migration: Migration
        /// SHA-256 of its text, as it will be kept.
        public let checksum: String
        /// The statements that take locks which live traffic can meet, with the locks.
        public let locks: [String]
    }

    /// What ``apply(_:deadline:)`` would run; changes nothing.
    /// - Throws: as it does.
    public func plan(
        _ migrations: [Migration], deadline: Deadline = .after(.seconds(10))
    ) async throws -> [Step] {
        try Identifier.check(schema)
        try MigrationPlan.checkOrder(migrations)
        let checksums: [String] = try await pool.query(
            """
            select encode(sha256(convert_to(text, 'UTF8')), 'hex')
            from unnest(\(migrations.map(\.sql))) with ordinality as known(text, position)
            order by position
            """, deadline: deadline
        ).map { try $0[0] }
        let isNew: Bool = try await pool.query(
            "select to_regclass(\("\(schema).schema_migrations")) is null", deadline: deadline
        ).single()[0]
        let applied =
            isNew
            ? []
            : try await pool.query(
                """
                select version, checksum from \(unescaped: schema).schema_migrations
                order by version
                """, deadline: deadline
            ).map { AppliedMigration(version: try $0[0], checksum: try $0[1]) }
        let pending = try MigrationPlan.pending(
            migrations, checksums: checksums, applied: applied, schema: schema)
        return zip(migrations, checksums).filter { pending.contains($0.0) }.map {
            Step(migration: $0, checksum: $1, locks: MigrationLocks.of($0.sql))
        }
    }

    /// One transaction: lock, compare, run the next migration, write it down.
    private func applyNext(
        _ migrations: [Migration], _ connection: PostgresConnection, _ deadline: Deadline
    ) async throws(PostgresError) -> Migration? {
        let answers = try await run(
            Exchange(
                [
                    "begin", "set local statement_timeout = 0", "set local lock_timeout = '60s'",
                    "select pg_advisory_xact_lock(\(Self.lockKey)::bigint)",
                    """
                    select version, checksum from \(unescaped: schema).schema_migrations
                    order by version
                    """,
                    """
                    select encode(sha256(convert_to(text, 'UTF8')), 'hex')
                    from unnest(\(migrations.map(\.sql))) with ordinality as known(text, position)
                    order by position
                    """,
                ], deadline: deadline), connection)
        var applied: [AppliedMigration] = []
        for row in answers[4] {
            applied.append(AppliedMigration(version: try row[0], checksum: try row[1]))
        }
        var checksums: [String] = []
        for row in answers[5] { checksums.append(try row[0]) }
        let pending = try MigrationPlan.pending(
            migrations, checksums: checksums, applied: applied, schema: schema)
        guard let next = pending.first else {
            try await run(Exchange(["commit"], deadline: deadline, commitIndex: 0), connection)
            return nil
        }
        let settings = """
            set local lock_timeout = \(lockTimeout.milliseconds);
            set local search_path = \(schema), public;
            """
        try await run(Exchange(script: settings + next.sql, deadline: deadline), connection)
        guard connection.isInTransaction else {
            throw PostgresError(
                code: .migrationRefused,
                message: "migration \(next.version) of schema \(schema) ends its transaction",
                blame: .us)
        }
        try await run(
            Exchange(
                [
                    """
                    insert into \(unescaped: schema).schema_migrations (version, name, checksum)
                    values (\(next.version), \(next.name),
                        encode(sha256(convert_to(\(next.sql), 'UTF8')), 'hex'))
                    """,
                    "commit",
                ], deadline: deadline, commitIndex: 1), connection)
        return next
    }

    /// The schema, the role and what the role may do. Roles belong to all databases of a server,
    /// and the advisory lock only to one, so another database may create the role meanwhile.
    private var prepareScript: String {
        """
        begin;
        set local statement_timeout = 0;
        set local lock_timeout = '60s';
        select pg_advisory_xact_lock(\(Self.lockKey));
        do $$
        begin
            if not exists (select from pg_roles where rolname = '\(role)') then
                create role \(role) \(roleCanLogin ? "login" : "nologin");
            end if;
        exception when duplicate_object or unique_violation then null;
        end $$;
        do $$
        begin
            if not pg_has_role(current_user, '\(role)', 'member') then
                execute format('grant \(role) to %I', current_user);
            end if;
        end $$;
        create schema if not exists \(schema);
        revoke all on schema \(schema) from public;
        grant usage on schema \(schema) to \(role);
        alter default privileges in schema \(schema)
            grant select, insert, update, delete on tables to \(role);
        alter default privileges in schema \(schema) grant usage, select on sequences to \(role);
        create table if not exists \(schema).schema_migrations (
            version int primary key check (version > 0),
            name text not null,
            checksum text not null,
            applied_at timestamptz not null default now());
        revoke insert, update, delete on \(schema).schema_migrations from \(role);
        commit;
        """
    }

    @discardableResult
    private func run(
        _ exchange: Exchange, _ connection: PostgresConnection
    ) async throws(PostgresError) -> [PostgresRows] {
        try await connection.perform(exchange).get()
    }

    /// Repeats `body` when it could not get a lock in time or met another migrator. Every attempt
    /// takes a connection and leaves it to the pool, which rolls back what is open.
    private func patiently<T>(
        _ deadline: Deadline, _ body: (PostgresConnection) async throws(PostgresError) -> T
    ) async throws -> T {
        var attempt = 1
        while true {
            do {
                return try await pool.withLease(deadline: deadline, body)
            } catch {
                guard Self.mayRetry(error), attempt < Self.maxAttempts, !deadline.hasPassed else {
                    throw error
                }
                logger.warning(
                    "migration waits",
                    ["schema": .string(schema), "reason": .string(error.description)])
            }
            try await pool.loop.sleep(for: .milliseconds(50) * min(attempt, 10))
            attempt += 1
        }
    }

    private static func mayRetry(_ error: PostgresError) -> Bool {
        // XX000 is "tuple concurrently updated": two databases change the same role.
        error.isRetryable || error.sqlState == .lockNotAvailable
            || error.sqlState == SQLState(rawValue: "XX000")
    }
}
