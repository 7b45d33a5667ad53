import Domain
import Environment
import Loop
import Postgres
import Schema
import Telemetry
import TestKit
import Testing

@testable import Booking
@testable import Domain

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct UpkeepTests {
        private func keeper(_ fixture: Fixture, _ metrics: Metrics = Metrics()) -> PartitionKeeper {
            PartitionKeeper(
                schema: "booking", pool: fixture.pool, loop: Fixture.loop,
                logger: Logger(label: "test", sink: LogCapture().sink), metrics: metrics)
        }

        private func partitions(_ fixture: Fixture, of table: String) throws -> [String] {
            try PostgresClusterSQL.run(
                """
                select inhrelid::regclass from pg_inherits
                where inhparent = 'booking.\(table)'::regclass
                """, on: "booking_\(fixture.name)"
            ).split(separator: "\n").map { String($0.dropFirst("booking.\(table)_".count)) }
                .sorted()
        }

        /// As the owner of the tables, at another time.
        private func keep(_ fixture: Fixture, at: String) throws -> [String] {
            try PostgresClusterSQL.run(
                """
                set search_path = booking, public; set timezone = 'Asia/Jakarta';
                select parent, made, dropped, strays from keep_partitions_at('\(at)')
                """, on: "booking_\(fixture.name)"
            ).split(separator: "\n").map(String.init)
        }

        @Test(
            "what came to nothing long ago is forgotten: holds after 30 days, callbacks after 180")
        func forgotten() async throws {
            let clinic = try await Clinic("upkeep_forgotten")
            let slot = try await clinic.slot(capacity: 9)
            let old = try await clinic.place(slot)
            try await clinic.release(old)
            let young = try await clinic.place(slot)
            try await clinic.release(young)
            _ = try await clinic.booked(slot)
            _ = try await clinic.place(slot)
            let pool = clinic.fixture.pool
            try await pool.execute(
                """
                update hold set created_at = created_at - interval '31 days'
                where id <> \(try #require(UUID(young.hold?.id ?? "")))
                """)
            try await pool.execute(
                """
                insert into payment_event
                    (provider, digest, said, outcome, received_at, last_received_at)
                select 'midtrans', sha256(d::text::bytea), 'paid', 'applied',
                    clock_timestamp() - d * interval '1 day', clock_timestamp()
                from unnest(array[1, 179, 181, 400]) d
                """)
            let sweeper = ExpirySweeper(
                pool: pool, loop: Fixture.loop,
                logger: Logger(label: "test", sink: .discarding), committed: {})
            #expect(try await sweeper.forgetHolds() == 1)
            #expect(
                try await clinic.fixture.text(
                    "select string_agg(status, ',' order by status) from hold")
                    == "confirmed,pending,released", "what is live, or became a booking, stays")
            let payments = PaymentStore(pool: pool)
            #expect(try await payments.forgetEvents(limit: 1) == 1)
            #expect(try await payments.forgetEvents(limit: 10) == 1)
            #expect(try await clinic.fixture.number("select count(*) from payment_event") == 2)
            await pool.close()
        }

        @Test("E-15: this month and three more are there from the start, and a default beside them")
        func ahead() async throws {
            let fixture = try await Fixture("upkeep_ahead")
            for table in ["outbox", "inbox", "booking_history"] {
                let months = try partitions(fixture, of: table)
                #expect(months.count == 5, "\(months)")
                #expect(months.last == "default")
            }
            let metrics = Metrics()
            let reports = try await keeper(fixture, metrics).keep()
            let tables = ["booking_history", "inbox", "outbox"]
            #expect(
                Set(reports.map(\.table))
                    == Set(tables + ArchiveMigration.tables.map { "\($0)_archive" }))
            #expect(reports.allSatisfy { $0.made == 0 && $0.dropped == 0 && $0.strays == 0 })
            #expect(metrics.render().contains(#"janji_partitions_ahead{schema="booking""#))
        }

        @Test("X-107: bounds are months of UTC, whatever the session's time zone; none overlaps")
        func bounds() async throws {
            let fixture = try await Fixture("upkeep_bounds")
            _ = try keep(fixture, at: "2027-02-28 23:30+00")
            let bounds = try PostgresClusterSQL.run(
                """
                set timezone = 'UTC';
                select pg_get_expr(relpartbound, oid) from pg_class
                where relname = 'outbox_202703' or relname = 'inbox_202703' order by relname
                """, on: "booking_\(fixture.name)")
            #expect(
                bounds.contains("FROM ('2027-03-01 00:00:00+00') TO ('2027-04-01 00:00:00+00')"))
            let first = UUID.timeOrdered(try #require(Instant(rfc3339: "2027-03-01T00:00:00Z")))
            #expect(bounds.contains("FROM ('\(first.description.prefix(13))"), "\(bounds)")
        }

        @Test("nothing is lost when the job was away: rows of the default move into their month")
        func strays() async throws {
            let fixture = try await Fixture("upkeep_strays")
            try await fixture.pool.execute(
                """
                insert into outbox (topic, key, event_id, body, created_at)
                select 't', 'k', gen_random_uuid(), '{}', '2031-05-10 12:00+00'
                from generate_series(1, 3)
                """)
            let metrics = Metrics()
            let found = try await keeper(fixture, metrics).keep()
            #expect(found.first { $0.table == "outbox" }?.strays == 3, "an alarm")
            #expect(
                metrics.render().contains(
                    #"janji_partition_strays{schema="booking",table="outbox"} 3"#))
            let rounds = try keep(fixture, at: "2031-05-20 00:00+00")
            #expect(
                rounds.contains { $0.hasPrefix("outbox|4|") && $0.hasSuffix("|0") }, "\(rounds)")
            #expect(try await fixture.number("select count(*) from outbox where key = 'k'") == 3)
        }

        @Test("old months go, whole; not those with rows that are still to be published")
        func retention() async throws {
            let fixture = try await Fixture("upkeep_retention")
            _ = try keep(fixture, at: "2027-06-15 00:00+00")
            try await fixture.pool.execute(
                """
                insert into outbox (topic, key, event_id, body, created_at, published_at)
                values ('t', 'done', gen_random_uuid(), '{}', '2027-06-02', '2027-06-02'),
                       ('t', 'waits', gen_random_uuid(), '{}', '2027-07-02', null)
                """)
            try await fixture.pool.execute(
                "update outbox set published_at = created_at where key <> 'waits'")
            let early = try keep(fixture, at: "2027-07-30 23:59+00")
            #expect(
                early.contains {
                    $0.hasPrefix("outbox|") && $0.contains("|1|") || $0.contains("|0|")
                })
            #expect(try await fixture.number("select count(*) from outbox where key = 'done'") == 1)
            _ = try keep(fixture, at: "2027-12-15 00:00+00")
            #expect(try await fixture.number("select count(*) from outbox where key = 'done'") == 0)
            #expect(
                try await fixture.number("select count(*) from outbox where key = 'waits'") == 1)
            let months = try partitions(fixture, of: "outbox")
            #expect(!months.contains("202706") && months.contains("202707"), "\(months)")
            #expect(months.contains("202803"))
            #expect(try partitions(fixture, of: "booking_history").contains("202706"), "five years")
        }

        @Test("the service's role keeps partitions only through the function, and not at any time")
        func rights() async throws {
            let fixture = try await Fixture("upkeep_rights")
            for sql: SQL in [
                "select * from keep_partitions_at('2099-01-01')", "drop table outbox_default",
                "alter table outbox detach partition outbox_default",
                "select make_partition(r, clock_timestamp()) from partition_rule r",
            ] {
                do {
                    try await fixture.pool.execute(sql)
                    Issue.record("allowed: \(sql)")
                } catch let error as PostgresError {
                    #expect(error.sqlState?.rawValue == "42501", "\(error.message)")
                }
            }
        }

        @Test("one keeper at a time: who comes second does nothing")
        func oneAtATime() async throws {
            let fixture = try await Fixture("upkeep_lock")
            try await fixture.pool.transaction { transaction in
                _ = try await transaction.query(
                    "select pg_advisory_xact_lock(hashtextextended('partitions', 0))")
                #expect(try await keeper(fixture).keep().isEmpty)
            }
            #expect(try await keeper(fixture).keep().count == 3 + ArchiveMigration.tables.count)
        }

        @Test("E-25: a status that changes without its history row is refused at commit")
        func guarded() async throws {
            let fixture = try await Fixture("upkeep_guard")
            let booking = try await fixture.request()
            func constraint(_ sql: SQL) async -> String? {
                do {
                    try await fixture.pool.execute(sql)
                    return nil
                } catch {
                    return (error as? PostgresError)?.constraint ?? "\(error)"
                }
            }
            let id = try #require(UUID(booking.id))
            #expect(
                await constraint(
                    "update booking set status = 'cancelled', version = version + 1 where id = \(id)"
                )
                    == "booking_needs_history")
            #expect(
                await constraint("update booking set status = 'cancelled' where id = \(id)")
                    == "booking_needs_history")
            #expect(
                await constraint(
                    """
                    with moved as (update booking set status = 'cancelled', version = 2
                        where id = \(id) returning id)
                    insert into booking_history (booking_id, at, to_status, actor, action, version)
                    select id, now(), 'cancelled', 'test', 'cancelled', v from moved, unnest(array[2, 2]) v
                    """) != nil, "two rows are one too many")
            #expect(
                await constraint(
                    """
                    insert into booking (id, offering_id, applicant_key, status, expires_at, created_at)
                    values (\(UUID.random()), \(fixture.piano), '\\x00'::bytea, 'pending', now(), now())
                    """) == "booking_needs_history", "X-96: creation too")
            #expect(await constraint("update booking set notes = 'x' where id = \(id)") == nil)
            try await fixture.cancel(booking.id)
        }

        @Test("X-99: updated_at follows every change")
        func touched() async throws {
            let fixture = try await Fixture("upkeep_touch")
            try await fixture.pool.execute("update offering set updated_at = '2020-01-01'")
            #expect(
                try await fixture.number(
                    "select count(*) from offering where updated_at > now() - interval '1 minute'")
                    == 2)
        }

        @Test("tables from before are taken over with their rows; new ids go on after the old")
        func adoption() async throws {
            let url = try PostgresCluster.shared().database(named: "booking_upkeep_adopt")
            let logger = Logger(label: "test", sink: LogCapture().sink)
            let owner = PostgresPool(
                configuration: PostgresConfiguration(url: url), loop: Fixture.loop, logger: logger)
            let migrator = Migrator(owner, schema: "booking", logger: logger)
            try await migrator.apply(BookingMigrations.all.filter { $0.version < 11 })
            try await owner.execute(
                """
                insert into booking.outbox (topic, key, event_id, body, created_at)
                select 't', n::text, gen_random_uuid(), '{}', now() - n * interval '10 days'
                from generate_series(1, 40) n
                """)
            try await migrator.apply(BookingMigrations.all)
            let counts: [Int] = try await owner.query(
                """
                insert into booking.outbox (topic, key, event_id, body)
                values ('t', 'new', gen_random_uuid(), '{}') returning id
                """
            ).map { try $0[0] }
            #expect(counts == [41])
            let all: Int = try await owner.query("select count(*) from booking.outbox").single()[0]
            #expect(all == 41)
            await owner.close()
        }

        @Test("X-105: the schema is migrated under load, and no request fails")
        func migrationUnderLoad() async throws {
            // The partitions come last: the code that makes the load needs the columns of today.
            let before =
                BookingMigrations.all.filter { $0.version < 11 } + [
                    Migration(version: 11, name: "columns", sql: WaitlistMigration.sql)
                ]
            let load = try await RegistrationLoad("booking_upkeep_load", at: before)
            let pool = load.pool
            let outcomes = try await load.during {
                try await load.migrator.apply(
                    before + [Migration(version: 12, name: "upkeep", sql: UpkeepMigration.sql)])
            }
            let failures = outcomes.compactMap(\.refusal)
            #expect(failures.isEmpty, "\(failures)")
            let done = outcomes.compactMap(\.value).reduce(0, +)
            #expect(done > 160)
            let kept: [Int] = try await [
                "select count(*) from booking", "select count(*) from outbox",
                "select count(*) from booking_history where version = 1",
            ].asyncMap { try await pool.query($0).single()[0] }
            #expect(kept == [done, done, done])
            await load.close()
        }
    }
}

extension Array<SQL> {
    fileprivate func asyncMap<T>(_ body: (SQL) async throws -> T) async throws -> [T] {
        var result: [T] = []
        for element in self { result.append(try await body(element)) }
        return result
    }
}
