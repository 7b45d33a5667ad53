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
    private let loop: EventLoop
    private let interval: Duration
    private let logger: Logger
    private let committed: @Sendable () -> Void

    /// - Parameter interval: the longest time between two looks.
    public init(
        pool: PostgresPool, loop: EventLoop, interval: Duration = .seconds(15), logger: Logger,
        committed: @escaping @Sendable () -> Void
    ) {
        sweep = SeatSweep(store: BookingStore(pool: pool))
        self.loop = loop
        self.interval = interval
        self.logger = logger
        self.committed = committed
    }

    static let batch = 100
    /// Many that lapse one after the other are taken together.
    static let shortest = Duration.milliseconds(200)

    public func run() async throws {
        while true {
            var pause = interval
            do {
                while try await round() == Self.batch {}
                if let next = try await sweep.next() {
                    pause = min(interval, max(next, Self.shortest))
                }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.warning("the sweep of holds waits", ["error": LogValue(describing: error)])
            }
            try await loop.sleep(for: pause)
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
