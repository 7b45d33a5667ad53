import Environment
import Loop
import Postgres
import Telemetry
import TestKit
import Testing

extension ServerTests {
    @Suite struct MigratorTests {
        private let logger = Logger(label: "test", sink: .discarding)
        private let first = Migration(
            version: 1, name: "rooms",
            sql: """
                create table room (id int primary key, name text);
                insert into room values (1, 'it''s; one');
                """)
        private let second = Migration(
            version: 2, name: "beds", sql: "alter table room add beds int not null default 1")

        private func migrator(_ pool: PostgresPool, _ schema: String) -> Migrator {
            Migrator(pool, schema: schema, logger: logger)
        }

        @Test func appliesOnceInOrder() async throws {
            let fixture = try Fixture("migrate")
            let pool = fixture.pool
            #expect(try await migrator(pool, "m_booking").apply([first]) == [1])
            #expect(try await migrator(pool, "m_booking").apply([first, second]) == [2])
            #expect(try await migrator(pool, "m_booking").apply([first, second]) == [])
            let row = try await pool.query("select name, beds from m_booking.room").single()
            #expect(try row[0] == "it's; one")
            #expect(try row[1] == 1)
            await pool.close()
        }

        @Test func aChangedOrUnknownMigrationIsRefused() async throws {
            let fixture = try Fixture("migrate_changed")
            let pool = fixture.pool
            try await migrator(pool, "m_changed").apply([first, second])
            let changed = Migration(version: 1, name: "rooms", sql: first.sql + " ")
            let error = await failure {
                try await migrator(pool, "m_changed").apply([changed, second])
            }
            #expect(error.code == .migrationRefused)
            #expect("\(error)".contains("migration 1 of schema m_changed has been changed"))
            let newer = await failure { try await migrator(pool, "m_changed").apply([first]) }
            #expect(newer.code == .migrationRefused)
            #expect("\(newer)".contains("at version 2"))
            await pool.close()
        }

        @Test func aPlanNamesWhatWouldRunAndItsLocksAndChangesNothing() async throws {
            let fixture = try Fixture("migrate_plan")
            let pool = fixture.pool
            let busy = Migration(
                version: 3, name: "busy",
                sql: """
                    create table shelf (id int); create index on shelf (id);
                    alter table shelf add note text default '; drop table room';
                    create index room_name on room (name); -- drop table room
                    update room set beds = 2; drop table bed;
                    do $$ begin perform 1; end $$;
                    """)
            let all = [first, second, busy]
            let plan = try await migrator(pool, "m_plan").plan(all)
            #expect(plan.map(\.migration) == all)
            #expect(plan[1].checksum.count == 64)
            #expect(plan[0].locks.isEmpty, "its own table is nobody's yet")
            #expect(plan[1].locks == ["ACCESS EXCLUSIVE: " + second.sql])
            #expect(
                plan[2].locks == [
                    "SHARE: create index room_name on room (name)",
                    "rows: update room set beds = 2", "ACCESS EXCLUSIVE: drop table bed",
                    "as its code says: do $$…$$",
                ])
            #expect(
                try await pool.query("select to_regnamespace('m_plan') is null").single()[0] == true
            )
            try await migrator(pool, "m_plan").apply([first])
            #expect(
                try await migrator(pool, "m_plan").plan([first, second]).map(\.migration) == [
                    second
                ])
            let changed = Migration(version: 1, name: "rooms", sql: first.sql + " ")
            let error = await failure { _ = try await migrator(pool, "m_plan").plan([changed]) }
            #expect(error.code == .migrationRefused)
            await pool.close()
        }

        @Test func aFailedMigrationLeavesNothing() async throws {
            let fixture = try Fixture("migrate_failed")
            let pool = fixture.pool
            let bad = Migration(
                version: 2, name: "bad", sql: "create table x (); select 1/0; create table y ()")
            let error = await failure { try await migrator(pool, "m_failed").apply([first, bad]) }
            #expect(error.sqlState?.rawValue == "22012")
            let ending = Migration(version: 2, name: "ending", sql: "create table z (); commit")
            let ended = await failure {
                try await migrator(pool, "m_failed").apply([first, ending])
            }
            #expect(ended.code == .migrationRefused)
            let tables: Int = try await pool.query(
                "select count(*) from pg_tables where schemaname = 'm_failed' and tablename in ('x', 'y')"
            ).single()[0]
            #expect(tables == 0)
            await pool.close()
        }

        @Test func concurrentStartsApplyEachOnce() async throws {
            let fixture = try Fixture("migrate_many")
            let steps = (1...5).map {
                Migration(version: $0, name: "step", sql: "create table t\($0) (n int)")
            }
            let pool = fixture.pool
            let applied = try await withThrowingTaskGroup(of: [Int].self) { group in
                for _ in 0..<6 {
                    group.addTask { [migrator] in try await migrator(pool, "m_many").apply(steps) }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(applied.sorted() == [1, 2, 3, 4, 5])
            await pool.close()
        }

        @Test func promise23AMigrationGivesWayToLiveTraffic() async throws {
            let fixture = try Fixture("migrate_lock")
            let pool = fixture.pool
            try await migrator(pool, "m_lock").apply([first])
            let isReading = Signal<Bool>()
            let traffic = Task {
                try await pool.transaction { transaction in
                    _ = try await transaction.query("select * from m_lock.room")
                    await isReading.set(true)
                    try await Fixture.loop.sleep(for: .milliseconds(700))
                }
            }
            _ = try await isReading.wait()
            let patient = Migrator(
                pool, schema: "m_lock", lockTimeout: .milliseconds(100), logger: logger)
            #expect(try await patient.apply([first, second]) == [2])
            try await traffic.value
            await pool.close()
        }

        @Test func oneRoleForEachSchema() async throws {
            let fixture = try Fixture("roles")
            let owner = fixture.pool
            try await migrator(owner, "r_booking").apply([first])
            try await migrator(owner, "r_identity").apply([first])
            let booking = Fixture.pool(fixture.url) { $0 = $0.forService("r_booking") }
            #expect(try await booking.query("select current_user").single()[0] == "r_booking")
            #expect(try await booking.execute("update room set name = 'mine'") == 1)
            for sql: SQL in [
                "select * from r_identity.room", "update r_identity.room set name = 'x'",
                "create table r_booking.own (n int)", "create table public.own (n int)",
                "delete from r_booking.schema_migrations", "drop table room",
            ] {
                let error = await failure { try await booking.execute(sql) }
                #expect(error.sqlState == .insufficientPrivilege, "\(sql)")
            }
            await booking.close()
            await owner.close()
        }

        @Test func namesThatAreNotPlainAreRefused() async throws {
            let fixture = try Fixture("names")
            for name in ["a b", "x;drop", "", "Ünsafe", "1a", "a\"b"] {
                let error = await failure { try await migrator(fixture.pool, name).apply([]) }
                #expect(error.code == .invalidUse, "\(name)")
            }
            await fixture.pool.close()
        }
    }
}
