import Crypto
import Environment
import Postgres

/// The SQL of staff and sessions.
struct IdentityStore: Sendable {
    let pool: PostgresPool

    private static let userColumns: SQL = "u.id, u.name, u.email, u.role"

    private static func user(_ row: PostgresRow) throws -> User {
        User(
            id: try row[0], name: try row[1], email: try row[2],
            role: User.Role(rawValue: try row[3]) ?? .admin)
    }

    func credentials(email: String) async throws -> (user: User, hash: PasswordHash)? {
        try await pool.query(
            """
            select \(Self.userColumns), u.password_salt, u.password_key, u.scrypt_cost,
                u.scrypt_block_size, u.scrypt_parallelism
            from users u where u.email = \(email)
            """
        ).first.map { row in
            (
                try Self.user(row),
                PasswordHash(
                    salt: try row[4], key: try row[5],
                    parameters: Scrypt.Parameters(
                        cost: try row[6], blockSize: try row[7], parallelism: try row[8]))
            )
        }
    }

    func user(_ id: UUID) async throws -> User? {
        try await pool.query("select \(Self.userColumns) from users u where u.id = \(id)")
            .first.map(Self.user)
    }

    /// Stores a user under this address. Another name or password replaces the old one and ends
    /// the sessions that were made with it.
    func put(_ user: User, _ hash: PasswordHash) async throws {
        let parameters = hash.parameters
        _ = try await pool.atomically([
            """
            insert into users (id, email, name, role, password_salt, password_key, scrypt_cost,
                scrypt_block_size, scrypt_parallelism)
            values (\(user.id), \(user.email), \(user.name), \(user.role.rawValue), \(hash.salt),
                \(hash.key), \(parameters.cost)::int, \(parameters.blockSize)::int,
                \(parameters.parallelism)::int)
            on conflict (email) do update set name = excluded.name, role = excluded.role,
                password_salt = excluded.password_salt, password_key = excluded.password_key,
                scrypt_cost = excluded.scrypt_cost,
                scrypt_block_size = excluded.scrypt_block_size,
                scrypt_parallelism = excluded.scrypt_parallelism,
                updated_at = clock_timestamp()
            """,
            """
            delete from sessions s using users u
            where u.id = s.user_id and u.email = \(user.email)
            """,
        ])
    }

    func insert(
        _ secret: SessionSecret, of user: UUID, at now: Instant, expiresAt: Instant
    ) async throws {
        try await pool.execute(
            """
            insert into sessions (secret_hash, user_id, created_at, expires_at)
            values (\(secret.hash), \(user), \(now), \(expiresAt))
            """)
    }

    /// Who a session belongs to and until when, if it is not over.
    func session(
        _ secret: SessionSecret, at now: Instant
    ) async throws -> (user: User, expiresAt: Instant)? {
        try await pool.query(
            """
            select \(Self.userColumns), s.expires_at
            from sessions s join users u on u.id = s.user_id
            where s.secret_hash = \(secret.hash) and s.expires_at > \(now)
            """
        ).first.map { row in (try Self.user(row), try row[4]) }
    }

    func revoke(_ secret: SessionSecret) async throws {
        try await pool.execute("delete from sessions where secret_hash = \(secret.hash)")
    }

    /// Forgets sessions that are over. - Returns: how many.
    func tidy(before now: Instant) async throws -> Int {
        try await pool.execute("delete from sessions where expires_at <= \(now)")
    }
}
