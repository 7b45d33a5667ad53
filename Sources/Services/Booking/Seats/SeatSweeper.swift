import Domain
public import Lifecycle
public import Loop
public import Postgres
import Schema
public import Telemetry

/// Writes down what has lapsed in the slots, soon after it has: so that everybody is told. Nothing
/// depends on it: whoever asks for a seat frees it himself (X-93, reliability promise 8).
public struct SeatSweeper: Service {
    private let sweep: SeatSweep
    private let recurrence: Recurrence
    private let committed: @Sendable () -> Void

    /// - Parameter interval: the longest time between two looks.
    public init(
        pool: PostgresPool, loop: EventLoop, interval: Duration = .seconds(15), logger: Logger,
        committed: @escaping @Sendable () -> Void
    ) {
        sweep = SeatSweep(store: BookingStore(pool: pool))
        recurrence = Recurrence(on: loop, every: interval, logger: logger)
        self.committed = committed
    }

    static let batch = 100
    /// Many that lapse one after the other are taken together.
    static let shortest = Duration.milliseconds(200)

    public func run() async throws {
        try await recurrence.run("the sweep of holds waits") {
            while try await round() == Self.batch {}
            return try await sweep.next().map {
                min(recurrence.interval, max($0, Self.shortest))
            }
        }
    }

    /// Settles at most one batch of slots and returns how many it looked at.
    func round() async throws -> Int {
        let slots = try await sweep.lapsed(limit: Self.batch)
        var isFreed = false
        for slot in slots where try await sweep.settle(slot) { isFreed = true }
        if isFreed { committed() }
        return isFreed ? slots.count : 0
    }
}
