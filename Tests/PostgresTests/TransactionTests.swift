import Environment
import Loop
import Postgres
import Telemetry
import TestKit
import Testing

extension ServerTests {
    @Suite struct TransactionTests {
        struct Refused: Error {}

        private func counters(_ name: String) async throws -> PostgresPool {
            let pool = try Fixture(name).pool
            _ = try await pool.atomically([
                "create table counter (id int primary key, n int not null)",
                "insert into counter values (1, 0), (2, 0)",
            ])
            return pool
        }

        @Test func commitsAndRollsBack() async throws {
            let pool = try await counters("commits")
            let value = try await pool.transaction { transaction in
                try await transaction.execute("update counter set n = 5 where id = 1")
                return try await transaction.query("select n from counter where id = 1").single()[0]
                    as Int
            }
            #expect(value == 5)
            await #expect(throws: Refused.self) {
                try await pool.transaction { transaction in
                    try await transaction.execute("update counter set n = 9 where id = 1")
                    throw Refused()
                }
            }
            #expect(try await pool.query("select n from counter where id = 1").single()[0] == 5)
            await pool.close()
        }

        @Test func aBatchIsOneRoundTripWithAllAnswers() async throws {
            let pool = try await counters("batches")
            let counts = try await pool.transaction { transaction in
                let first = try await transaction.batch([
                    "update counter set n = n + 1", "select id from counter order by id",
                    "insert into counter values (\(3), \(7))",
                ])
                let last = try await transaction.commit(with: ["delete from counter where id = 3"])
                return first.map(\.affectedRows) + last.map(\.affectedRows)
            }
            #expect(counts == [2, 2, 1, 1])
            #expect(try await pool.query("select sum(n) from counter").single()[0] == 2)
            await pool.close()
        }

        @Test func anErrorInABatchSkipsTheRestAndTheCommit() async throws {
            let pool = try await counters("errors")
            let statements: [SQL] = [
                "update counter set n = 1", "select 1/0", "update counter set n = 2",
            ]
            for _ in 0..<3 {
                let one = await failure {
                    try await pool.transaction { _ = try await $0.commit(with: statements) }
                }
                #expect(one.sqlState?.rawValue == "22012")
                #expect(!one.isAmbiguous)
                let two = await failure { _ = try await pool.atomically(statements) }
                #expect(two.sqlState?.rawValue == "22012")
                // A statement whose preparation failed was not prepared.
                let three = await failure {
                    try await pool.transaction { _ = try await $0.batch(["selec nonsense"]) }
                }
                #expect(three.sqlState == .syntaxError)
            }
            #expect(try await pool.query("select sum(n) from counter").single()[0] == 0)
            // The pool rolls back behind the caller's back where a round trip can be saved.
            #expect(
                try await eventually {
                    let open = try await pool.query(
                        """
                        select count(*) from pg_stat_activity
                        where state like 'idle in%' and datname = current_database()
                        """)
                    return try open.single()[0] == 0
                })
            await pool.close()
        }

        @Test func aHiddenErrorCannotBecomeACommit() async throws {
            let pool = try await counters("hidden")
            let error = await failure {
                try await pool.transaction { transaction in
                    try await transaction.execute("update counter set n = 1")
                    _ = try? await transaction.query("select 1/0")
                }
            }
            #expect(error.code == .commitRefused)
            #expect(try await pool.query("select sum(n) from counter").single()[0] == 0)
            await pool.close()
        }

        @Test func aHiddenCommitErrorIsThrown() async throws {
            let pool = try await counters("hidden_commit")
            let error = await failure {
                try await pool.transaction { transaction in
                    try await transaction.execute("update counter set n = 1")
                    _ = try? await transaction.commit(with: ["select 1/0"])
                }
            }
            #expect(error.sqlState?.rawValue == "22012")
            #expect(try await pool.query("select sum(n) from counter").single()[0] == 0)
            await pool.close()
        }

        @Test func nothingRunsOutsideOfATransactionThatCouldNotBegin() async throws {
            let pool = try await counters("never_begun")
            let error = await failure {
                try await pool.transaction { transaction in
                    _ = try? await transaction.query("select \("a\0b")")
                    _ = try? await transaction.execute("update counter set n = 1")
                }
            }
            #expect(error.code == .invalidUse)
            #expect(try await pool.query("select sum(n) from counter").single()[0] == 0)
            await pool.close()
        }

        @Test func deferredConstraintsFailAtCommitWithoutAmbiguity() async throws {
            let pool = try await counters("deferred")
            try await pool.execute(
                "create table d (n int constraint once unique deferrable initially deferred)")
            let insert: SQL = "insert into d values (1), (1)"
            for error in [
                await failure { try await pool.execute(insert) },
                await failure { _ = try await pool.atomically([insert]) },
                await failure { try await pool.transaction { _ = try await $0.execute(insert) } },
            ] {
                #expect(error.sqlState == .uniqueViolation)
                #expect(!error.isAmbiguous)
            }
            #expect(try await pool.query("select count(*) from d").single()[0] == 0)
            await pool.close()
        }

        @Test func nothingIsAcceptedAfterTheCommit() async throws {
            let pool = try await counters("ended")
            let error = await failure {
                try await pool.transaction { transaction in
                    try await transaction.commit(with: ["select 1"])
                    _ = try await transaction.query("select 1")
                }
            }
            #expect(error.code == .invalidUse)
            await pool.close()
        }

        @Test func serializationFailuresRunTheWholeBodyAgain() async throws {
            let pool = try await counters("serialization")
            let attempts = Count()
            let reads = Count()
            // Each adds what it has read: without the retry one of the updates would be lost or fail.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await pool.transaction(
                            TransactionOptions(isolation: .serializable, maxAttempts: 50)
                        ) { transaction in
                            attempts.add()
                            let n: Int = try await transaction.query(
                                "select n from counter where id = 1"
                            ).single()[0]
                            reads.add()
                            _ = try await eventually(every: .milliseconds(2)) { reads.value > 1 }
                            try await transaction.execute(
                                "update counter set n = \(n + 1) where id = 1")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await pool.query("select n from counter where id = 1").single()[0] == 8)
            #expect(attempts.value > 8)
            await pool.close()
        }

        @Test func retriesEnd() async throws {
            let pool = try await counters("retries")
            let attempts = Count()
            let error = await failure {
                try await pool.transaction { transaction in
                    attempts.add()
                    try await transaction.execute(
                        "do $$ begin raise exception 'x' using errcode = '40001'; end $$")
                }
            }
            #expect(error.sqlState == .serializationFailure)
            #expect(error.isRetryable)
            #expect(attempts.value == 5)
            await pool.close()
        }

        @Test func whatFollowsACommitFollowsNothingElse() async throws {
            // One connection: it has been given back by then.
            let pool = try Fixture("effects") { $0.poolSize = 1 }.pool
            _ = try await pool.atomically([
                "create table counter (id int primary key, n int not null)",
                "insert into counter values (1, 0)",
            ])
            let seen = Count()
            let attempts = Count()
            try await pool.transaction { transaction in
                try await transaction.execute("update counter set n = n + 1")
                transaction.afterCommit {
                    let rows = try? await pool.query("select n from counter")
                    if (try? rows?.single()[0] as Int?) == 1 { seen.add() }
                }
                attempts.add()
                if attempts.value == 1 {
                    try await transaction.execute(
                        "do $$ begin raise exception using errcode = '40001'; end $$")
                }
            }
            #expect(attempts.value == 2)
            #expect(seen.value == 1, "of the attempt that was committed, when it was")
            await #expect(throws: Refused.self) {
                try await pool.transaction { transaction in
                    try await transaction.execute("update counter set n = 1")
                    transaction.afterCommit { seen.add() }
                    throw Refused()
                }
            }
            #expect(seen.value == 1)
            await pool.close()
        }

        @Test func deadlocksAreSolved() async throws {
            let pool = try await counters("deadlocks")
            let attempts = Count()
            let locked = Count()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for pair in [(1, 2), (2, 1)] {
                    group.addTask {
                        try await pool.transaction { transaction in
                            attempts.add()
                            try await transaction.execute(
                                "update counter set n = n + 1 where id = \(pair.0)")
                            locked.add()
                            _ = try await eventually(every: .milliseconds(2)) { locked.value > 1 }
                            try await transaction.execute(
                                "update counter set n = n + 1 where id = \(pair.1)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await pool.query("select sum(n) from counter").single()[0] == 4)
            #expect(attempts.value > 2)
            await pool.close()
        }

        @Test func aChangedTableIsPreparedAnew() async throws {
            let fixture = try Fixture("stale") { $0.poolSize = 1 }
            let pool = fixture.pool
            try await pool.execute("create table t (a int)")
            #expect(try await pool.query("select * from t").columnNames == ["a"])
            try await pool.execute("alter table t add b text")
            #expect(try await pool.query("select * from t").columnNames == ["a", "b"])
            try await pool.execute("alter table t add c text")
            let names = try await pool.transaction {
                try await $0.query("select * from t").columnNames
            }
            #expect(names == ["a", "b", "c"])
            await pool.close()
        }

        @Test func theStatementCacheIsBounded() async throws {
            let fixture = try Fixture("cache") {
                $0.poolSize = 1
                $0.statementCacheSize = 4
            }
            let pool = fixture.pool
            for round in 0..<30 {
                let number = "\(round % 10)"
                let n: Int = try await pool.query("select \(unescaped: number)::int").single()[0]
                #expect(n == round % 10)
                if round % 3 == 0 {
                    _ = try? await pool.transaction { try await $0.batch(["select 1/0"]) }
                }
            }
            let held: Int = try await pool.query("select count(*) from pg_prepared_statements")
                .single()[0]
            #expect(held <= 6)
            await pool.close()
        }
    }
}
