import Booking
import Domain
import Environment
import FakeProvider
import Identity
import Kafka
import Lifecycle
import Loop
import Notification
import Postgres
import RPC
import Schedule
import Telemetry

/// What a role adds to its process: things that run, in the order in which they start.
typealias Part = (name: String, service: any Service)

/// Builds the roles: the only place that knows every service.
struct RoleParts {
    let host: Host
    let router: Router
    let neighbours: Neighbours
    /// Of `up`, while no real one is configured.
    var fakeProvider: FakeProvider?

    func parts(of role: Role) throws -> [Part] {
        switch role {
        case .gateway: []
        case .auth: auth().parts
        case .schedule: try schedule()
        case .booking: try booking()
        case .notification: try notification()
        }
    }

    /// The identity service too, for whoever makes the first admin.
    func auth() -> (parts: [Part], service: IdentityService) {
        let pool = host.pool(for: "identity")
        let service = IdentityService(pool: pool, clock: host.clock, loop: host.loop)
        router.register(service)
        return (
            [
                ("postgres-identity", PoolService(pool)),
                (
                    "session-sweeper",
                    SessionSweeper(
                        pool: pool, clock: host.clock, loop: host.loop, logger: host.logger)
                ),
            ], service
        )
    }

    private func booking() throws -> [Part] {
        let pool = host.pool(for: "booking")
        let relay = relay("booking", pool)
        let feed = AvailabilityFeed(
            pool: pool, kafka: host.kafka, loop: host.loop, logger: host.logger,
            metrics: host.metrics)
        let committed: @Sendable () -> Void = { relay.poke() }
        let payments = try Payments(host, fake: fakeProvider)
        try registerBooking(pool, feed, payments, committed)
        return [
            ("postgres-booking", PoolService(pool)), ("outbox-booking", relay),
            ("availability-feed", feed),
            (
                "analytics-refresher",
                AnalyticsRefresher(pool: pool, loop: host.loop, logger: host.logger)
            ),
            (
                "partition-keeper",
                PartitionKeeper(
                    schema: "booking", pool: pool, loop: host.loop, logger: host.logger,
                    metrics: host.metrics)
            ),
            (
                "seat-sweeper",
                SeatSweeper(
                    pool: pool, loop: host.loop, logger: host.logger, committed: committed)
            ),
            (
                "no-show-sweeper",
                NoShowSweeper(
                    pool: pool, loop: host.loop, logger: host.logger,
                    committed: committed)
            ),
            (
                "payment-sweeper",
                PaymentSweeper(
                    pool: pool, providers: payments.providers, loop: host.loop,
                    logger: host.logger, metrics: host.metrics, committed: committed)
            ),
            (
                "slot-alarm",
                SlotAlarm(
                    pool: pool, after: try slotAlarm(), loop: host.loop, logger: host.logger,
                    metrics: host.metrics)
            ),
            (
                "expiry-sweeper",
                ExpirySweeper(
                    pool: pool, loop: host.loop, logger: host.logger,
                    committed: committed)
            ),
            ("key-sweeper", KeySweeper(pool: pool, loop: host.loop, logger: host.logger)),
        ] + (try archiver(pool))
    }

    private func slotAlarm() throws -> Duration {
        .seconds(try host.configuration.number(.slotAlarm, in: 1...8760) * 3600)
    }

    private func archiver(_ pool: PostgresPool) throws -> [Part] {
        let days = try host.configuration.number(.archiveDays, in: 0...36_500)
        guard days > 0 else { return [] }
        // As long as callbacks are remembered: late money finds its booking in use.
        guard days >= 180 else {
            throw ConfigurationError("\(Setting.archiveDays.name) is \(days): 0, or 180 and more")
        }
        return [
            (
                "booking-archiver",
                BookingArchiver(
                    pool: pool, after: days, loop: host.loop, logger: host.logger,
                    metrics: host.metrics)
            )
        ]
    }

    private func registerBooking(
        _ pool: PostgresPool, _ feed: AvailabilityFeed, _ payments: Payments,
        _ committed: @escaping @Sendable () -> Void
    ) throws {
        let captcha = try Captcha(host.configuration).verifier(on: host.loop)
        let site = try Payments.site(host.configuration, isPretended: fakeProvider != nil)
        router.register(
            BookingService(
                pool: pool, clock: host.clock, captcha: captcha, tokens: host.bookingTokens,
                proofs: ProofAddress(site: site), slotAlarm: try slotAlarm(),
                committed: committed))
        router.register(OfferingService(pool: pool))
        router.register(
            PaymentService(
                pool: pool, clock: host.clock, providers: payments.providers,
                tokens: host.bookingTokens,
                captcha: captcha, site: site, committed: committed))
        router.register(DeskService(pool: pool, clock: host.clock))
        router.register(AnalyticsService(pool: pool))
        router.register(InventoryService(pool: pool, clock: host.clock, committed: committed))
        router.register(CatalogueService(pool: pool, clock: host.clock, committed: committed))
        router.register(AvailabilityService(pool: pool, feed: feed, clock: host.clock))
        router.register(
            HoldService(
                pool: pool, clock: host.clock, tokens: host.bookingTokens, committed: committed))
        router.register(
            WaitlistService(
                pool: pool, clock: host.clock, tokens: host.bookingTokens, committed: committed))
        router.register(
            AppointmentService(
                pool: pool, clock: host.clock, tokens: host.bookingTokens, committed: committed))
    }

    private func schedule() throws -> [Part] {
        let pool = host.pool(for: "schedule")
        let relay = relay("schedule", pool)
        let inventory = neighbours.channel(
            from: .schedule, to: .booking, as: .service(name: "schedule"))
        let committed: @Sendable () -> Void = { relay.poke() }
        router.register(
            ScheduleService(
                pool: pool, inventory: inventory, clock: host.clock,
                defaultTimeZone: try host.configuration.required(.defaultZone),
                committed: committed))
        return [
            ("postgres-schedule", PoolService(pool)), ("outbox-schedule", relay),
            (
                "partition-keeper-schedule",
                PartitionKeeper(
                    schema: "schedule", pool: pool, loop: host.loop, logger: host.logger,
                    metrics: host.metrics)
            ),
            (
                "key-sweeper-schedule",
                KeySweeper(pool: pool, loop: host.loop, logger: host.logger)
            ),
            (
                "withdrawals",
                WithdrawalConsumer(
                    pool: pool, kafka: host.kafka, group: "\(host.kafka.clientID)-schedule",
                    producer: host.producer, loop: host.loop, logger: host.logger,
                    metrics: host.metrics, committed: committed)
            ),
            (
                "schedule-publisher",
                SchedulePublisher(
                    pool: pool, inventory: inventory, clock: host.clock, loop: host.loop,
                    logger: host.logger, committed: committed)
            ),
        ]
    }

    private func notification() throws -> [Part] {
        let hub = EventHub(metrics: host.metrics)
        let feed = EventFeed(
            configuration: host.kafka, producer: host.producer, hub: hub, loop: host.loop,
            logger: host.logger, metrics: host.metrics)
        router.register(NotificationService(hub: hub))
        return [("event-feed", feed)]
    }

    private func relay(_ schema: String, _ pool: PostgresPool) -> OutboxRelay {
        OutboxRelay(
            schema: schema, pool: pool, producer: host.producer, loop: host.loop,
            logger: host.logger, metrics: host.metrics)
    }
}

/// A pool keeps its connections while it runs and closes them when everything else has stopped.
struct PoolService: Service {
    let pool: PostgresPool

    init(_ pool: PostgresPool) { self.pool = pool }

    func run() async throws {
        do {
            try await pool.run()
        } catch {
            await pool.close()
            throw error
        }
        await pool.close()
    }
}
