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
        var configuration = host.postgres
        configuration.poolSize = 1
        configuration.applicationName = "janji-migrate"
        let pool = PostgresPool(
            configuration: configuration, loop: host.loop, logger: host.logger,
            metrics: host.metrics)
        do {
            for (schema, migrations) in all {
                try await Migrator(pool, schema: schema, logger: host.logger).apply(migrations)
            }
        } catch {
            await pool.close()
            throw error
        }
        await pool.close()
    }
}
