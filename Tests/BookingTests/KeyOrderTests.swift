import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Synchronization
import Telemetry
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    /// Two processes, each with its own pool and batches. The server looks for deadlocks long
    /// before anybody's patience ends, so that none goes uncounted.
    @Suite("One lock order: the key first", .serialized, .timeLimit(.minutes(4)))
    struct KeyOrderTests {
        private struct Two {
            let fixture: Fixture
            let pool: PostgresPool
            let other: PostgresPool
            /// Sees what everybody waits for.
            let owner: PostgresPool

            var here: BookingTransitions { transitions(pool) }
            var there: BookingTransitions { transitions(other) }

            private func transitions(_ pool: PostgresPool) -> BookingTransitions {
                BookingTransitions(store: BookingStore(pool: pool))
            }

            init(_ name: String) async throws {
                let fixture = try await Fixture(name)
                self.fixture = fixture
                // Of sessions that begin from now on.
                try PostgresClusterSQL.run(
                    "alter database booking_\(name) set deadlock_timeout = '20ms'",
                    on: "postgres")
                func open(_ configuration: PostgresConfiguration) -> PostgresPool {
                    var configuration = configuration
                    configuration.poolSize = 24
                    configuration.acquireTimeout = .seconds(20)
                    configuration.defaultQueryTimeout = .seconds(30)
                    return PostgresPool(
                        configuration: configuration, loop: Fixture.loop,
                        logger: Logger(label: "test", sink: LogCapture().sink))
                }
                let plain = PostgresConfiguration(url: fixture.url)
                pool = open(plain.forService("booking"))
                other = open(plain.forService("booking"))
                owner = open(plain)
                let set: String = try await pool.query("select current_setting('deadlock_timeout')")
                    .single()[0]
                #expect(set == "20ms")
            }

            /// Runs the bodies in their order, each when the one before waits for a lock, and all
            /// while `row` is locked by another.
            func behind(
                _ row: SQL, _ bodies: [@Sendable () async -> Void]
            ) async throws {
                try await withThrowingTaskGroup { group in
                    let (tasks, release) = AsyncStream<Void>.makeStream()
                    let (locked, announce) = AsyncStream<Void>.makeStream()
                    group.addTask {
                        try await other.transaction { transaction in
                            _ = try await transaction.query(row)
                            announce.finish()
                            for await _ in tasks {}
                        }
                    }
                    for await _ in locked {}
                    for (index, body) in bodies.enumerated() {
                        group.addTask { await body() }
                        let waits = try await eventually(every: .milliseconds(2)) {
                            try await waiting() == index + 1
                        }
                        #expect(waits, "nobody waits")
                    }
                    release.finish()
                    try await group.waitForAll()
                }
            }

            private func waiting() async throws -> Int {
                try await owner.query(
                    """
                    select count(*) from pg_stat_activity
                    where datname = current_database() and wait_event_type = 'Lock'
                    """
                ).single()[0]
            }

            /// Sessions tell what they have counted when they end.
            func expectNoDeadlock(_ location: SourceLocation = #_sourceLocation) async throws {
                for pool in [owner, other, pool, fixture.pool] { await pool.close() }
                let database = "booking_\(fixture.name)"
                let gone = try await eventually {
                    try PostgresClusterSQL.run(
                        "select count(*) from pg_stat_activity where datname = '\(database)'",
                        on: "postgres"
                    ).filter(\.isNumber) == "0"
                }
                #expect(gone)
                let text = try PostgresClusterSQL.run(
                    "select deadlocks from pg_stat_database where datname = '\(database)'",
                    on: "postgres")
                #expect(Int(text.filter(\.isNumber)) == 0, sourceLocation: location)
            }
        }

        /// Outcomes of any task, in the order in which they came.
        private final class Collected<Answer: Sendable>: Sendable {
            private let outcomes = Mutex<[Result<Answer, any Error>]>([])

            var all: [Result<Answer, any Error>] { outcomes.withLock { $0 } }

            func add(_ outcome: Result<Answer, any Error>) {
                outcomes.withLock { $0.append(outcome) }
            }
        }

        private func use(_ key: String, _ method: String = "assign") -> IdempotencyTable.Use {
            IdempotencyTable.Use(
                scope: "\(method) admin:7", key: key, requestHash: [UInt8](repeating: 1, count: 32),
                at: .now())
        }

        private func order(
            _ booking: String, _ slot: SlotPlan, _ key: String
        ) throws -> BookingTransitions.Order {
            BookingTransitions.Order(
                booking: try #require(UUID(booking)), slot: slot.id,
                command: .assign(slot: slot.id, reason: "test"), actor: "admin:7", reason: "test",
                idempotency: use(key))
        }

        @Test("assign: the twin that runs alone waits for the key, not for the slot")
        func assignTwins() async throws {
            let two = try await Two("key_assign")
            let slot = SlotPlan(.random(), .random(), capacity: 5)
            try await two.fixture.publish([slot])
            let order = try order(try await two.fixture.confirmed(slot), slot, "k")
            let answers = Collected<BookingV1.AssignSlotResponse>()
            try await two.behind(
                "select from slot where id = \(slot.id) for update",
                [
                    {
                        let outcomes = await AssignDesk(transitions: two.here).settled([order])
                        answers.add(outcomes[0])
                    },
                    {
                        let outcomes = await SharedTransaction.apart([order]) {
                            try await two.there.run($0, AssignDesk.response)
                        }
                        answers.add(outcomes[0])
                    },
                ])
            let told = try answers.all.map { try $0.get() }
            #expect(told.count == 2 && told[0] == told[1])
            #expect(try await two.fixture.taken(slot) == 1)
            try await two.expectNoDeadlock()
        }

        @Test("assign: the same keys in batches of one process and alone in the other")
        func assignRace() async throws {
            let two = try await Two("key_race")
            let slots = (0..<4).map {
                SlotPlan(.random(), .random(), day: 1 + $0, capacity: 100)
            }
            try await two.fixture.publish(slots)
            for round in 0..<12 {
                var made: [BookingTransitions.Order] = []
                for index in 0..<6 {
                    let slot = slots[(round + index) % 4]
                    made.append(
                        try order(
                            try await two.fixture.confirmed(slot), slot, "\(round) \(index)"))
                }
                let orders = made
                async let batched = [
                    AssignDesk(transitions: two.here).settled(Array(orders[..<3])),
                    AssignDesk(transitions: two.here).settled(Array(orders[3...])),
                ]
                async let alone = SharedTransaction.apart(orders) {
                    try await two.there.run($0, AssignDesk.response)
                }
                let answers = try await batched.flatMap { try $0.map { try $0.get() } }
                #expect(try await alone.map { try $0.get() } == answers)
            }
            #expect(try await two.fixture.number("select sum(taken) from slot") == 72)
            try await two.expectNoDeadlock()
        }

        private func insertion(
            _ key: String, _ email: String, _ fixture: Fixture
        ) async throws -> Insertion {
            let store = RegistrationStore(pool: fixture.pool)
            let registration = try Registration(
                form(email, fixture.piano), today: Instant.now().date,
                proofs: ProofAddress(site: ""))
            let use = use(key, "register")
            let look = try await store.look(registration, use)
            let filing = try Filing(registration, try #require(look.course), look)
            return Insertion(
                use: use, order: email,
                statement: store.insertion(
                    registration, filing.booking, policy: filing.offering.policy, use,
                    response: filing.response.encoded(), event: filing.event))
        }

        @Test("registering: a batch has all its keys before any person's place")
        func registration() async throws {
            let two = try await Two("key_register")
            let fixture = two.fixture
            let blocker = use("b", "register")
            let outcomes = Collected<Bool>()
            // The third key of the batch is another's, who wants the first person's place.
            let batch = [
                try await insertion("a", "1@example.com", fixture),
                try await insertion("b", "2@example.com", fixture),
                try await insertion("c", "3@example.com", fixture),
            ]
            let alone = try await insertion("c", "1@example.com", fixture)
            try await two.behind(
                """
                insert into idempotency_key (scope, key, request_hash, response, created_at)
                values (\(blocker.scope), \(blocker.key), \(blocker.requestHash), ''::bytea,
                    \(blocker.at)) returning 1
                """,
                [
                    {
                        for outcome in await Insertion.run(batch, two.pool) {
                            outcomes.add(outcome)
                        }
                    },
                    { outcomes.add(await Insertion.run([alone], two.other)[0]) },
                ])
            #expect(outcomes.all.count == 4)
            try await two.expectNoDeadlock()
        }

        @Test("holds: keys that are used for other slots by other holders at the same time")
        func holds() async throws {
            let two = try await Two("key_holds")
            let slots = (0..<6).map {
                SlotPlan(.random(), .random(), day: 1 + $0, capacity: 500)
            }
            try await two.fixture.publish(slots, of: two.fixture.choir)
            try await two.fixture.pool.execute("update offering set policy = 'clinic'")
            let services = [two.pool, two.other].map {
                HoldService(
                    pool: $0, clock: .system, tokens: Fixture.tokens, committed: {})
            }
            for round in 0..<10 {
                let outcomes = await allAtOnce(24) { index in
                    var request = BookingV1.PlaceHoldRequest()
                    let slot = slots[(index * 5 + index / 12) % 6]
                    (request.slotId, request.quantity) = (slot.id.description, 1)
                    request.holder = "\(round) \(index)"
                    request.idempotencyKey = "\(round) \(index % 12)"
                    return try await services[index / 12].placeHold(
                        request, ServerContext(method: BookingV1.HoldsMethods.placeHold))
                }
                #expect(outcomes.count { $0.value != nil } == 12)
                #expect(
                    outcomes.compactMap(\.refusal).allSatisfy { $0.code == .idempotencyKeyReused })
            }
            try await two.expectNoDeadlock()
        }
    }
}

extension AssignDesk {
    /// Together, and alone who must be: as the service asks.
    fileprivate func settled(_ orders: [Order]) async -> [Result<Answer, any Error>] {
        var answers: [Result<Answer, any Error>] = []
        for (order, outcome) in zip(orders, await assign(orders)) {
            switch outcome {
            case .success(let answer?): answers.append(.success(answer))
            case .success(nil):
                answers += await SharedTransaction.apart([order]) { try await alone($0) }
            case .failure(let error): answers.append(.failure(error))
            }
        }
        return answers
    }
}
