import Booking
import Identity
import Postgres
import Schedule
import Telemetry

/// The schemas of all services, in the order in which they are brought up to date.
enum Migrations {
    static let all: [(schema: String, migrations: [Migration])] = [
        ("identity", IdentityMigrations.all),
        ("schedule", ScheduleMigrations.all),
        ("booking", BookingMigrations.all),
    ]

    /// Applies what is missing, with the login role of DATABASE_URL.
    static func apply(_ host: Host) async throws {
        try await withPool(host) { pool in
            for (schema, migrations) in all {
                try await Migrator(pool, schema: schema, logger: host.logger).apply(migrations)
            }
        }
    }

    /// What ``apply(_:)`` would do, a line for each migration and each lock.
    static func plan(_ host: Host) async throws -> [String] {
        var lines: [String] = []
        try await withPool(host) { pool in
            for (schema, migrations) in all {
                let planned = try await Migrator(pool, schema: schema, logger: host.logger)
                    .plan(migrations)
                if planned.isEmpty { lines.append("\(schema): up to date") }
                for step in planned {
                    lines.append(
                        "\(schema) \(step.migration.version) “\(step.migration.name)” "
                            + "sha256 \(step.checksum)")
                    lines += step.locks.map { "    \($0)" }
                }
            }
        }
        return lines
    }

    private static func withPool(
        _ host: Host, _ body: (PostgresPool) async throws -> Void
    ) async throws {
        var configuration = host.postgres
        configuration.poolSize = 1
        configuration.applicationName = "janji-migrate"
        let pool = PostgresPool(
            configuration: configuration, loop: host.loop, logger: host.logger,
            metrics: host.metrics)
        do {
            try await body(pool)
        } catch {
            await pool.close()
            throw error
        }
        await pool.close()
    }
}
