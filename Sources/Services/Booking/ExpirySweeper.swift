import Domain
import Environment
public import Lifecycle
public import Loop
public import Postgres
import Schema
public import Telemetry

/// Writes down what has lapsed, so that everybody is told. Nothing depends on it being on time:
/// every statement that cares compares the time itself (X-05, design.md §4 rule 4).
public struct ExpirySweeper: Service {
    private let transitions: BookingTransitions
    private let recurrence: Recurrence
    private let committed: @Sendable () -> Void

    public init(
        pool: PostgresPool, loop: EventLoop, interval: Duration = .seconds(60),
        logger: Logger, committed: @escaping @Sendable () -> Void
    ) {
        transitions = BookingTransitions(store: BookingStore(pool: pool))
        recurrence = Recurrence(on: loop, every: interval, logger: logger)
        self.committed = committed
    }

    public func run() async throws {
        try await recurrence.run("the expiry sweep waits") {
            while try await sweep() == Self.batch {}
            while try await forgetHolds() == Self.holdBatch {}
            while try await forgetEntries() == Self.entryBatch {}
            return nil
        }
    }

    static let batch = 100
    static let holdBatch = 1000
    static let entryBatch = 1000

    func forgetHolds() async throws -> Int {
        try await HoldStore(seats: transitions.store).forget(limit: Self.holdBatch)
    }

    func forgetEntries() async throws -> Int {
        try await WaitlistStore(seats: transitions.store).forget(limit: Self.entryBatch)
    }

    /// Expires at most one batch and returns how many it expired.
    func sweep() async throws -> Int {
        let store = transitions.store
        let lapsed = try await store.pool.transaction { transaction in
            try await store.lapsed(limit: Self.batch, transaction)
        }
        var expired = 0
        for booking in lapsed where try await transitions.expire(booking.id) { expired += 1 }
        if expired > 0 { committed() }
        // What was not expired may lie behind a clock that runs ahead of ours: no hurry.
        return expired
    }
}
