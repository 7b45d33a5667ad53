import Environment
import Glibc
import Loop
import Postgres
import Synchronization
import Telemetry
import TestKit
import Testing

extension ServerTests {
    /// Tests that stop servers: a cluster of their own.
    @Suite struct OutageTests {
        private static let cluster = Mutex<PostgresCluster?>(nil)

        private func cluster() throws -> PostgresCluster {
            try Self.cluster.withLock { cluster in
                if let cluster { return cluster }
                let new = try PostgresCluster()
                try new.start()
                cluster = new
                return new
            }
        }

        @Test(arguments: ["fast", "immediate", "kill9"])
        func promise16TheServerGoesAndComesBack(_ how: String) async throws {
            let cluster = try cluster()
            let fixture = try Fixture("outage_\(how)", cluster: cluster) {
                $0.acquireTimeout = .seconds(2)
            }
            let pool = fixture.pool
            try await pool.execute("create table t (n int primary key)")
            let busy = Task { _ = try await pool.query("select pg_sleep(60)") }
            let isBusy =
                "select count(*) from pg_stat_activity where state = 'active' and wait_event = 'PgSleep'"
            #expect(try await eventually { try cluster.psql(isBusy) == "1" })
            switch how {
            case "fast": try cluster.stop(.fast)
            case "immediate": try cluster.stop(.immediate)
            default: cluster.kill9()
            }
            let lost = await failure { try await busy.value }
            #expect(lost.isUnavailable)
            // It waits at first, in the hope that the server is back soon, and later says so at once.
            for _ in 0..<3 {
                let error = await failure { try await pool.execute("insert into t values (1)") }
                #expect(error.isUnavailable)
            }
            let (quick, took) = try await timed {
                try await pool.execute("insert into t values (1)")
            }
            #expect(quick.code == .connectFailed)
            #expect(took < .seconds(2), "it does not wait")
            try cluster.start()
            #expect(
                try await eventually { (try? await pool.execute("insert into t values (1)")) == 1 })
            await pool.close()
        }

        @Test func aTerminatedBackendIsReplaced() async throws {
            let cluster = try cluster()
            let fixture = try Fixture("terminated", cluster: cluster)
            let pool = fixture.pool
            let id: Int = try await pool.query("select pg_backend_pid()").single()[0]
            try cluster.psql("select pg_terminate_backend(\(id))")
            let remains = "select count(*) from pg_stat_activity where pid = \(id)"
            #expect(try await eventually { try cluster.psql(remains) == "0" })
            // A turn of the loop, in which it sees the end of the connection.
            try await Fixture.loop.sleep(for: .milliseconds(50))
            let next: Int = try await pool.query("select pg_backend_pid()").single()[0]
            #expect(next != id)
            let error = await failure {
                try await pool.transaction { transaction in
                    let id: Int = try await transaction.query("select pg_backend_pid()").single()[0]
                    try cluster.psql("select pg_terminate_backend(\(id))")
                    try await transaction.execute("select 1")
                }
            }
            #expect(error.isUnavailable && !error.isAmbiguous)
            #expect(try await pool.query("select 1").count == 1)
            await pool.close()
        }

        /// A trigger that waits at COMMIT holds the answer back, while the server is killed.
        @Test func promise7ALostCommitIsAmbiguousAndALostStatementIsNot() async throws {
            let cluster = try cluster()
            let fixture = try Fixture("ambiguous", cluster: cluster)
            let pool = fixture.pool
            _ = try await pool.atomically([
                "create table t (n int)",
                """
                create function slow() returns trigger language plpgsql as
                $$ begin perform pg_sleep(30); return null; end $$
                """,
                """
                create constraint trigger slow after insert on t initially deferred
                for each row execute function slow()
                """,
            ])
            let commit = Task {
                try await pool.transaction { _ = try await $0.execute("insert into t values (1)") }
            }
            let batch = Task { _ = try await pool.atomically(["insert into t values (1)"]) }
            let single = Task { _ = try await pool.execute("insert into t values (1)") }
            let statement = Task {
                try await pool.transaction { _ = try await $0.execute("select pg_sleep(30)") }
            }
            #expect(
                try await eventually {
                    try cluster.psql(
                        "select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "4"
                })
            cluster.kill9()
            for task in [commit, batch, single] {
                let error = await failure { try await task.value }
                #expect(error.isAmbiguous)
                #expect(error.code == .commitUnknown)
                #expect(!error.isRetryable)
            }
            let error = await failure { try await statement.value }
            #expect(error.isUnavailable && !error.isAmbiguous)
            try cluster.start()
            #expect(
                try await eventually {
                    (try? await pool.query("select count(*) from t").single()[0] == 0) == true
                })
            await pool.close()
        }

        @Test func promise7ADeadlineDuringCommitIsAmbiguous() async throws {
            let cluster = try cluster()
            let fixture = try Fixture("ambiguous_deadline", cluster: cluster)
            let pool = fixture.pool
            _ = try await pool.atomically([
                "create table t (n int)",
                """
                create function slow() returns trigger language plpgsql as
                $$ begin perform pg_sleep(30); return null; end $$
                """,
                """
                create constraint trigger slow after insert on t initially deferred
                for each row execute function slow()
                """,
            ])
            let error = await failure {
                try await pool.transaction(deadline: .after(.milliseconds(300))) {
                    _ = try await $0.execute("insert into t values (1)")
                }
            }
            #expect(error.code == .deadlineExceeded)
            #expect(error.isAmbiguous)
            #expect(try await pool.query("select count(*) from t").single()[0] == 0)
            await pool.close()
        }

        @Test func promise19AStandbyIsLeft() async throws {
            let cluster = try cluster()
            let fixture = try Fixture("standby", cluster: cluster) { $0.poolSize = 2 }
            let pool = fixture.pool
            try await pool.execute("create table t (n int)")
            let id: Int = try await pool.query("select pg_backend_pid()").single()[0]
            // What a demoted primary answers: 25006.
            let error = await failure {
                try await pool.execute(
                    "do $$ begin raise exception 'x' using errcode = '25006'; end $$")
            }
            #expect(error.sqlState == .readOnlyTransaction)
            #expect(error.isUnavailable)
            let next: Int = try await pool.query("select pg_backend_pid()").single()[0]
            #expect(next != id)
            await pool.close()
        }
    }
}
