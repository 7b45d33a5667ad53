public import Postgres

/// The tables that belong to the identity service alone (schema `identity`).
public enum IdentityMigrations {
    public static let all: [Migration] = [
        Migration(version: 1, name: "staff", sql: staff)
    ]

    /// Passwords are kept as scrypt keys with their parameters, sessions by the hash of their
    /// secret: neither can be used by who reads the tables.
    private static let staff = """
        create table users (
            id uuid primary key,
            email text not null unique check (email = lower(email)),
            name text not null,
            role text not null check (role in ('admin')),
            password_salt bytea not null,
            password_key bytea not null,
            scrypt_cost int not null,
            scrypt_block_size int not null,
            scrypt_parallelism int not null,
            created_at timestamptz not null default clock_timestamp(),
            updated_at timestamptz not null default clock_timestamp()
        );
        create table sessions (
            secret_hash bytea primary key check (length(secret_hash) = 32),
            user_id uuid not null references users on delete cascade,
            created_at timestamptz not null,
            expires_at timestamptz not null,
            check (created_at < expires_at)
        );
        create index sessions_by_user on sessions (user_id);
        create index sessions_by_expiry on sessions (expires_at);
        """
}
