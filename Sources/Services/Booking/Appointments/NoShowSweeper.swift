import Domain
import Environment
public import Lifecycle
public import Loop
public import Postgres
import Schema
public import Telemetry

/// Marks who has not come, where the policy says so.
public struct NoShowSweeper: Service {
    private let store: AppointmentStore
    private let transitions: BookingTransitions
    private let recurrence: Recurrence
    private let committed: @Sendable () -> Void

    public init(
        pool: PostgresPool, loop: EventLoop, interval: Duration = .seconds(60),
        logger: Logger, committed: @escaping @Sendable () -> Void
    ) {
        store = AppointmentStore(pool: pool)
        transitions = BookingTransitions(store: BookingStore(pool: pool))
        recurrence = Recurrence(on: loop, every: interval, logger: logger)
        self.committed = committed
    }

    static let batch = 100

    public func run() async throws {
        try await recurrence.run("the sweep of no-shows waits") {
            while try await sweep() == Self.batch {}
            return nil
        }
    }

    /// Marks at most one batch and returns how many it marked.
    func sweep() async throws -> Int {
        var marked = 0
        for missed in try await store.missed(limit: Self.batch) {
            let order = BookingTransitions.Order(
                booking: missed.booking,
                command: .noShow(startsAt: missed.startsAt, grace: missed.grace), actor: "system")
            do {
                _ = try await transitions.run(order) { BookingV1.Booking($0.booking) }
                marked += 1
            } catch let error as DomainError where error.code == .invalidTransition {
                // Somebody else has decided meanwhile.
            }
        }
        if marked > 0 { committed() }
        return marked
    }
}
