import Environment
import Loop
import Postgres
import Telemetry
import TestKit
import Testing

extension ServerTests {
    @Suite struct PoolTests {
        @Test func aThousandQueriesFromManyTasks() async throws {
            let fixture = try Fixture("thousand") { $0.acquireTimeout = .seconds(60) }
            let pool = fixture.pool
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for n in 0..<1000 {
                    group.addTask { try await pool.query("select \(n)::int").single()[0] }
                }
                return try await group.reduce(0, +)
            }
            #expect(sum == 499_500)
            let backends: Int = try await pool.query(
                "select count(*) from pg_stat_activity where datname = current_database()"
            ).single()[0]
            #expect(backends <= 8)
            #expect(
                try await eventually {
                    fixture.metrics.render().contains("postgres_pool_connections{pool=\"janji\"} 8")
                })
            let text = fixture.metrics.render()
            #expect(text.contains("postgres_query_seconds_count{pool=\"janji\"} 1001"))
            await pool.close()
            #expect(
                fixture.metrics.render().contains("postgres_pool_connections{pool=\"janji\"} 0"))
        }

        @Test func aThousandTransactionsOnTheLoop() async throws {
            let fixture = try Fixture("thousand_tx") {
                $0.acquireTimeout = .seconds(60); $0.defaultQueryTimeout = .seconds(60)
            }
            let pool = fixture.pool
            try await pool.execute("create table t (n int)")
            try await Fixture.loop.run {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for n in 0..<1000 {
                        group.addTask {
                            try await pool.transaction { transaction in
                                try await transaction.execute("insert into t values (\(n))")
                                try await transaction.commit(with: ["insert into t values (\(n))"])
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(try await pool.query("select count(*) from t").single()[0] == 2000)
            await pool.close()
        }

        @Test func aFullQueueRefusesAtOnceAndWaitingEnds() async throws {
            let fixture = try Fixture("queue") {
                $0.poolSize = 1
                $0.queueLimit = 2
                $0.acquireTimeout = .seconds(4)
            }
            let pool = fixture.pool
            let busy = try await Busy(pool)
            let waiting = (0..<2).map { _ in Task { try await pool.query("select 1").count } }
            try await fixture.waiting(2)
            let refused = await failure { _ = try await pool.query("select 1") }
            #expect(refused.code == .queueFull, "at once: who waits is told something else")
            #expect(refused.isUnavailable)
            for task in waiting {
                let error = await failure { _ = try await task.value }
                #expect(error.code == .acquireTimedOut)
            }
            try await busy.end()
            #expect(try await pool.query("select 1").count == 1)
            await pool.close()
        }

        @Test func aWaitingCallerCanLeave() async throws {
            let fixture = try Fixture("leave") {
                $0.poolSize = 1
                $0.acquireTimeout = .seconds(60)
            }
            let pool = fixture.pool
            let busy = try await Busy(pool)
            let waiting = Task { try await pool.query("select 1").count }
            try await fixture.waiting(1)
            waiting.cancel()
            let error = await failure { _ = try await waiting.value }
            #expect(error.code == .cancelled)
            #expect(!error.isAmbiguous)
            let short = await failure {
                _ = try await pool.query("select 1", deadline: .after(.milliseconds(50)))
            }
            #expect(short.code == .deadlineExceeded)
            #expect(!short.isAmbiguous)
            try await busy.end()
            #expect(try await pool.query("select 1").count == 1)
            await pool.close()
        }

        @Test func sessionSettingsArePinned() async throws {
            let fixture = try Fixture("settings") {
                $0.lockTimeout = .milliseconds(1234)
                $0.applicationName = "janji-test"
                $0.searchPath = ["pg_catalog", "public"]
            }
            let row = try await fixture.pool.query(
                """
                select current_setting('TimeZone'), current_setting('lock_timeout'),
                    current_setting('application_name'), current_setting('search_path'),
                    current_setting('idle_in_transaction_session_timeout')
                """
            ).single()
            let values: [String] = try (0..<5).map { try row[$0] }
            #expect(values == ["UTC", "1234ms", "janji-test", "pg_catalog,public", "10s"])
            await fixture.pool.close()
        }

        @Test func aPoolOverTheUnixSocket() async throws {
            let cluster = try PostgresCluster.shared()
            let pool = Fixture.pool(cluster.socketURL())
            #expect(try await pool.query("select inet_client_addr() is null").single()[0] == true)
            await pool.close()
        }

        @Test func closingRefusesNewCallersAndFinishesOldOnes() async throws {
            let fixture = try Fixture("closing")
            let pool = fixture.pool
            let busy = Task { try await pool.query("select pg_sleep(4)").count }
            let isBusy =
                "select count(*) from pg_stat_activity where query like '%sleep(4)%' and state = 'active' and datname = 'closing'"
            #expect(try await eventually { try PostgresCluster.shared().psql(isBusy) == "1" })
            await pool.close()
            #expect(try await busy.value == 1)
            let error = await failure { _ = try await pool.query("select 1") }
            #expect(error.code == .closed)
        }

        @Test func runKeepsTheMinimumAndClosesAtTheEnd() async throws {
            let fixture = try Fixture("minimum") { $0.minimumConnections = 3 }
            let pool = fixture.pool
            let task = Task { try await pool.run() }
            #expect(
                try await eventually {
                    fixture.metrics.render().contains("postgres_pool_connections{pool=\"janji\"} 3")
                })
            task.cancel()
            try await task.value
            let error = await failure { try await pool.check() }
            #expect(error.code == .closed)
        }

        @Test func aWrongPasswordOrDatabaseIsAClearError() async throws {
            let cluster = try PostgresCluster.shared()
            let pool = Fixture.pool(cluster.url(database: "no_such_database")) {
                $0.acquireTimeout = .milliseconds(300)
            }
            let error = await failure { _ = try await pool.query("select 1") }
            #expect(error.code == .connectFailed)
            #expect(error.isUnavailable)
            #expect(error.message.contains("no_such_database"))
            await pool.close()
        }
    }
}
