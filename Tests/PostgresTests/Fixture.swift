import Environment
import Loop
import Postgres
import Telemetry
import TestKit
import Testing

/// Everything that needs a server, one test at a time: several of them measure time.
@Suite(.serialized) enum ServerTests {}

/// A pool on a database of its own, and what a test needs around it.
struct Fixture {
    static let loop = EventLoop(name: "postgres-tests")
    static let log = LogCapture()

    let url: String
    let pool: PostgresPool
    let metrics: Metrics

    /// - Parameter name: of the database, one for each test.
    init(
        _ name: String, cluster: PostgresCluster? = nil,
        _ change: (inout PostgresConfiguration) -> Void = { _ in }
    ) throws {
        url = try (cluster ?? .shared()).database(named: name)
        metrics = Metrics()
        pool = Self.pool(url, metrics, change)
    }

    /// Returns when as many callers wait for a connection.
    func waiting(_ count: Int) async throws {
        let isSo = try await eventually {
            metrics.render().contains("postgres_pool_waiting{pool=\"janji\"} \(count)\n")
        }
        #expect(isSo, "\(count) wait")
    }

    static func pool(
        _ url: String, _ metrics: Metrics = Metrics(),
        _ change: (inout PostgresConfiguration) -> Void = { _ in }
    ) -> PostgresPool {
        var configuration = PostgresConfiguration(url: url)
        change(&configuration)
        return PostgresPool(
            configuration: configuration, loop: loop,
            logger: Logger(label: "test", sink: log.sink), metrics: metrics)
    }
}

/// A connection of the pool that is in use until ``end()``.
struct Busy {
    private let free = Signal<Bool>()
    private let task: Task<Void, any Error>

    /// Returns when the connection is taken.
    init(_ pool: PostgresPool) async throws {
        let (free, taken) = (free, Signal<Bool>())
        task = Task {
            try await pool.transaction { transaction in
                try await transaction.execute("set local idle_in_transaction_session_timeout = 0")
                await taken.set(true)
                _ = try await free.wait()
            }
        }
        _ = try await taken.wait()
    }

    func end() async throws {
        await free.set(true)
        try await task.value
    }
}

/// The error of a call that must fail.
func failure(
    of body: () async throws -> Void, _ location: SourceLocation = #_sourceLocation
) async -> PostgresError {
    do {
        try await body()
    } catch let error as PostgresError {
        return error
    } catch {
        Issue.record("\(error) is not a PostgresError", sourceLocation: location)
        return PostgresError(code: .closed, message: "", blame: .us)
    }
    Issue.record("nothing was thrown", sourceLocation: location)
    return PostgresError(code: .closed, message: "", blame: .us)
}

/// The error of a call that must fail, and how long that took. Measured on the loop, because the
/// threads of the tests may be busy with other tests.
func timed(
    _ body: @escaping @Sendable () async throws -> Void
) async throws -> (PostgresError, Duration) {
    try await Fixture.loop.run {
        let start = Deadline.now()
        let error = await failure(of: body)
        return (error, start.duration(to: .now()))
    }
}
