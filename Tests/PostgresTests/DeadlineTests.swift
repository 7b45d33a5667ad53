import Environment
import Glibc
import Loop
import Postgres
import Telemetry
import TestKit
import Testing

extension ServerTests {
    @Suite struct DeadlineTests {
        private func backend(_ pool: PostgresPool) async throws -> Int {
            try await pool.query("select pg_backend_pid()").single()[0]
        }

        private func sleepers(_ database: String) throws -> String {
            try PostgresCluster.shared().psql(
                "select count(*) from pg_stat_activity where datname = '\(database)' and state = 'active'"
            )
        }

        @Test func promise17DeadlineAnswersInTimeAndStopsTheBackend() async throws {
            let fixture = try Fixture("deadline") { $0.poolSize = 1 }
            let pool = fixture.pool
            let before = try await backend(pool)
            let (error, took) = try await timed {
                _ = try await pool.query(
                    "select pg_sleep(30)", deadline: .after(.milliseconds(200)))
            }
            #expect(error.code == .deadlineExceeded)
            #expect(took >= .milliseconds(200) && took < .seconds(20))
            // The same connection serves the next caller, so the sleep has really ended.
            #expect(try await backend(pool) == before)
            #expect(try sleepers("deadline") == "0")
            await pool.close()
        }

        @Test func aDeadlineInsideATransactionRollsBackAndReuses() async throws {
            let fixture = try Fixture("deadline_tx") { $0.poolSize = 1 }
            let pool = fixture.pool
            try await pool.execute("create table t (n int)")
            let before = try await backend(pool)
            let error = await failure {
                try await pool.transaction(deadline: .after(.milliseconds(300))) { transaction in
                    try await transaction.execute("insert into t values (1)")
                    try await transaction.execute("select pg_sleep(30)")
                }
            }
            #expect(error.code == .deadlineExceeded)
            #expect(!error.isAmbiguous)
            #expect(try await pool.query("select count(*) from t").single()[0] == 0)
            #expect(try await backend(pool) == before)
            await pool.close()
        }

        @Test func cancellingTheTaskCancelsTheStatement() async throws {
            let fixture = try Fixture("cancel") { $0.poolSize = 1 }
            let pool = fixture.pool
            let before = try await backend(pool)
            let task = Task { _ = try await pool.query("select pg_sleep(30)") }
            #expect(try await eventually { try sleepers("cancel") == "1" })
            task.cancel()
            let error = await failure { try await task.value }
            #expect(error.code == .cancelled)
            #expect(try await backend(pool) == before)
            await pool.close()
        }

        @Test func aTaskCancelledBeforeSendsNothing() async throws {
            let fixture = try Fixture("cancel_before")
            let pool = fixture.pool
            try await pool.execute("create table t (n int)")
            let task = Task {
                try? await Fixture.loop.sleep(for: .seconds(30))
                try await pool.execute("insert into t values (1)")
            }
            task.cancel()
            let error = await failure { try await task.value }
            #expect(error.code == .cancelled)
            #expect(try await pool.query("select count(*) from t").single()[0] == 0)
            await pool.close()
        }

        @Test func aTaskCancelledInATransactionRollsBack() async throws {
            let fixture = try Fixture("cancel_tx") { $0.poolSize = 1 }
            let pool = fixture.pool
            try await pool.execute("create table t (n int)")
            let before = try await backend(pool)
            let isInside = Signal<Bool>()
            let task = Task {
                try await pool.transaction { transaction in
                    try await transaction.execute("insert into t values (1)")
                    await isInside.set(true)
                    try? await Fixture.loop.sleep(for: .seconds(30))
                    try await transaction.execute("insert into t values (2)")
                }
            }
            _ = try await isInside.wait()
            task.cancel()
            let error = await failure { try await task.value }
            #expect(error.code == .cancelled)
            #expect(try await pool.query("select count(*) from t").single()[0] == 0)
            #expect(try await backend(pool) == before)
            await pool.close()
        }

        @Test func manyCancellationsNeverHitTheNextStatement() async throws {
            let fixture = try Fixture("cancel_storm") { $0.poolSize = 2 }
            let pool = fixture.pool
            for round in 0..<60 {
                let limit = Duration.microseconds(200 * (round % 20) + 100)
                _ = try? await pool.query("select pg_sleep(0.002)", deadline: .after(limit))
                // Would fail with 57014 if a late cancellation hit it.
                #expect(try await pool.query("select \(round)::int").single()[0] == round)
            }
            await pool.close()
        }

        @Test func promise17AStoppedBackendDoesNotHangUs() async throws {
            let fixture = try Fixture("sigstop") {
                $0.poolSize = 1
                $0.cancelGrace = .milliseconds(300)
            }
            let pool = fixture.pool
            let id = pid_t(try await backend(pool))
            kill(id, SIGSTOP)
            defer { kill(id, SIGCONT) }
            let (error, took) = try await timed {
                _ = try await pool.query("select 1", deadline: .after(.milliseconds(200)))
            }
            #expect(error.code == .deadlineExceeded)
            #expect(took < .seconds(20))
            // The hung connection is given up and replaced.
            #expect(
                try await eventually { (try? await backend(pool)).map { pid_t($0) != id } ?? false }
            )
            await pool.close()
        }
    }
}
