import Domain
import Environment
import Loop
import Postgres
import RPC
import Schema
import Telemetry
import TestKit

@testable import Booking

/// A database at an older version that customers register in while it is migrated.
struct RegistrationLoad {
    let pool: PostgresPool
    let migrator: Migrator
    private let owner: PostgresPool
    private let bookings: BookingService
    private let course = UUID.random()

    init(_ name: String, at migrations: [Migration]) async throws {
        let url = try PostgresCluster.shared().database(named: name)
        let logger = Logger(label: "test", sink: LogCapture().sink)
        owner = PostgresPool(
            configuration: PostgresConfiguration(url: url), loop: Fixture.loop, logger: logger)
        migrator = Migrator(owner, schema: "booking", logger: logger)
        try await migrator.apply(migrations)
        var configuration = PostgresConfiguration(url: url).forService("booking")
        configuration.acquireTimeout = .seconds(60)
        configuration.defaultQueryTimeout = .seconds(60)
        pool = PostgresPool(configuration: configuration, loop: Fixture.loop, logger: logger)
        try await pool.execute(
            """
            insert into offering (id, code, title, claim_at, time_zone)
            values (\(course), 'C', 'C', 'assign', 'UTC')
            """)
        bookings = BookingService(
            pool: pool, clock: .system, captcha: NoCaptcha(), tokens: Fixture.tokens,
            committed: {})
    }

    func register(_ name: String) async throws {
        _ = try await bookings.registerCourse(
            form("\(name)@example.com", course),
            ServerContext(method: BookingV1.BookingsMethods.registerCourse))
    }

    /// Eight register again and again before `migrate` runs, meanwhile, and for a while afterwards:
    /// on the new tables.
    /// - Returns: how often each has.
    func during(_ migrate: () async throws -> Void) async throws -> [Result<Int, any Error>] {
        let isMigrated = Count()
        let all = Count()
        let writers = Task {
            await allAtOnce(8) { writer -> Int in
                var (done, more) = (0, 20)
                while more > 0 {
                    try await register("w\(writer)-\(done)")
                    done += 1
                    all.add()
                    if isMigrated.value > 0 { more -= 1 }
                }
                return done
            }
        }
        do {
            // Also when it fails: they end.
            defer { isMigrated.add() }
            _ = try await eventually { all.value > 8 }
            try await migrate()
        }
        return await writers.value
    }

    func close() async {
        await pool.close()
        await owner.close()
    }
}
