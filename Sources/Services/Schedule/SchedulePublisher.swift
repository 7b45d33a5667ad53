public import Environment
public import Lifecycle
public import Loop
public import Postgres
public import RPC
import Schema
public import Telemetry

/// Ends what a crash or an unreachable Inventory has left half done: publishes stored courses and
/// class schedules that are not marked as published.
public struct SchedulePublisher: Service {
    private let publication: Publication
    private let loop: EventLoop
    private let interval: Duration
    private let grace: Duration
    private let logger: Logger

    static let batchLimit = 50

    /// - Parameters:
    ///   - inventory: where `janji.booking.v1.Inventory` is; calls need a service's credentials.
    ///   - grace: how old a row must be: a younger one's own request is still at it.
    ///   - committed: called after every commit with events: wakes the outbox relay.
    public init(
        pool: PostgresPool, inventory: any Channel, clock: Clock = .system, loop: EventLoop,
        interval: Duration = .seconds(3), grace: Duration = .seconds(15), logger: Logger,
        committed: @escaping @Sendable () -> Void
    ) {
        publication = Publication(
            inventory: BookingV1.InventoryClient(inventory),
            catalogue: BookingV1.CatalogueClient(inventory), courses: CourseStore(pool: pool),
            schedules: ClassScheduleStore(pool: pool), clock: clock, committed: committed)
        self.loop = loop
        self.interval = interval
        self.grace = grace
        self.logger = logger
    }

    /// Publishes until cancelled.
    public func run() async throws {
        var isWaiting = false
        while true {
            do {
                try await publishRest()
                isWaiting = false
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                if !isWaiting {
                    logger.warning(
                        "publishing waits; the timetable is kept",
                        ["error": LogValue(describing: error)])
                }
                isWaiting = true
            }
            try await loop.sleep(for: interval)
        }
    }

    /// One round: courses first, since slots need their offering.
    func publishRest() async throws {
        let before = publication.clock.now() - grace
        for course in try await publication.courses.unpublished(
            before: before, limit: Self.batchLimit)
        {
            try await attempt("course", course.id) { try await publication.publish(course) }
        }
        for batch in try await publication.schedules.unpublishedBatches(
            before: before, limit: Self.batchLimit)
        {
            try await attempt("class schedules", batch) {
                let items = try await publication.schedules.unpublished(in: batch)
                try await publication.publish(items)
            }
        }
    }

    /// A refusal is the end of that one; everything else stops the round.
    private func attempt(
        _ what: String, _ id: UUID, _ body: nonisolated(nonsending) () async throws -> Void
    ) async throws {
        do {
            try await body()
            logger.info(
                "published afterwards", ["what": .string(what), "id": LogValue(describing: id)])
        } catch let refusal as RPCError {
            logger.error(
                "refused afterwards and taken back",
                [
                    "what": .string(what), "id": LogValue(describing: id),
                    "error": LogValue(describing: refusal),
                ])
        }
    }
}
