import Environment
public import Lifecycle
public import Loop
public import Postgres
public import Telemetry

/// Moves bookings that ended long ago out of the tables in use, a few at a time and with
/// pauses: traffic goes first. Nothing depends on its being on time; several may run.
///
/// A booking has ended with its slot, or, when it never had one, with what became of it. One that
/// is not over, one whose money is not settled, and all that took its place or whose place it took,
/// stay. The archive is read where a booking is asked for by its id; lists and searches do without.
public struct BookingArchiver: Service {
    private let store: ArchiveStore
    private let days: Int
    private let pause: Duration
    private let recurrence: Recurrence
    private let archived: Counter
    private let waiting: Gauge

    /// - Parameters:
    ///   - days: since a booking's end; above zero.
    ///   - pause: between two batches.
    public init(
        pool: PostgresPool, after days: Int, loop: EventLoop,
        interval: Duration = .seconds(6 * 3600), pause: Duration = .milliseconds(200),
        logger: Logger, metrics: Metrics
    ) {
        precondition(days > 0, "bookings of today are in use")
        store = ArchiveStore(pool: pool)
        self.days = days
        self.pause = pause
        recurrence = Recurrence(on: loop, every: interval, logger: logger)
        archived = metrics.counter(
            "janji_bookings_archived_total", help: "Bookings that were moved to the archive.")
        waiting = metrics.gauge(
            "janji_bookings_archive_waiting",
            help: "Ended as long ago, and could not go in the last round: money, or a slot to come."
        )
    }

    /// Bookings that one transaction looks at.
    static let batch = 200

    public func run() async throws {
        try await recurrence.run(
            "the archive waits", afterFailure: min(recurrence.interval, .seconds(60))
        ) {
            _ = try await round()
            return nil
        }
    }

    /// Looks at all of that age once.
    /// - Returns: how many were moved.
    func round() async throws -> Int {
        var (moved, left) = (0, 0)
        var next: UUID?
        repeat {
            let batch = try await batch(after: next)
            archived.add(batch.archived)
            moved += batch.archived
            left += batch.waiting
            next = batch.next
            if next != nil { try await recurrence.loop.sleep(for: pause) }
        } while next != nil
        waiting.set(left)
        if moved > 0 {
            recurrence.logger.info(
                "bookings were archived",
                ["moved": LogValue(moved), "waiting": LogValue(left), "days": LogValue(days)])
        }
        return moved
    }

    /// The next batch, smaller while it fails: one booking that cannot be moved does not keep those
    /// behind it.
    private func batch(after next: UUID?) async throws -> ArchiveStore.Batch {
        var limit = Self.batch
        while true {
            do {
                return try await store.move(after: next, days: days, limit: limit)
            } catch let error as PostgresError
                where !error.isUnavailable && !Task.isCancelled
            {
                if limit > 1 {
                    limit = max(1, limit / 10)
                    continue
                }
                let booking = try await store.following(next, days: days)
                recurrence.logger.error(
                    "a booking cannot be archived",
                    [
                        "booking": .string(booking?.description ?? ""),
                        "error": LogValue(describing: error),
                    ])
                return ArchiveStore.Batch(next: booking, waiting: 1)
            }
        }
    }
}
