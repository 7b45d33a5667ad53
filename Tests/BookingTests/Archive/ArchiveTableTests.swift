import Domain
import Environment
import Postgres
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct ArchiveTableTests {
        /// As the owner of the tables, at another time.
        private func keep(_ fixture: Fixture, in days: Int) throws -> [String] {
            try PostgresClusterSQL.run(
                """
                set search_path = booking, public;
                select parent, dropped, strays from
                    keep_partitions_at(clock_timestamp() + interval '\(days) days')
                where parent like '%_archive'
                """, on: "booking_\(fixture.name)"
            ).split(separator: "\n").map(String.init)
        }

        @Test("the archive has the columns of the tables in use, in their order")
        func columns() async throws {
            let fixture = try await Fixture("archive_columns")
            for table in ArchiveMigration.tables {
                func columns(_ name: String) async throws -> String {
                    try await fixture.text(
                        """
                        select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', '
                            order by attnum)
                        from pg_attribute where attrelid = \(name)::text::regclass
                            and attnum > 0 and not attisdropped
                        """)
                }
                let first = "archived_at timestamp with time zone, "
                #expect(
                    try await columns("\(table)_archive") == first + columns(table), "\(table)")
            }
        }

        @Test("months are there ahead, and nothing lies in the default")
        func ahead() async throws {
            let fixture = try await Fixture("archive_ahead")
            let old = OldBookings(fixture: fixture)
            let past = try await old.slot(ended: 401)
            try await old.charge(old.add("goes") { $0.slot = past })
            #expect(try await ArchiveTests.archiver(fixture).round() == 1)
            for table in ArchiveMigration.tables {
                #expect(
                    try await fixture.number(
                        """
                        select count(*) from pg_inherits
                        where inhparent = \(table + "_archive")::text::regclass
                        """) == 5, "\(table): this month, three more, the default")
            }
            let months = try keep(fixture, in: 40)
            #expect(months.count == ArchiveMigration.tables.count, "\(months)")
            #expect(months.allSatisfy { $0.hasSuffix("|0|0") }, "\(months)")
        }

        @Test("seven years later the month goes, whole")
        func retention() async throws {
            let fixture = try await Fixture("archive_retention")
            let old = OldBookings(fixture: fixture)
            let past = try await old.slot(ended: 401)
            try await old.charge(old.add("goes") { $0.slot = past })
            #expect(try await ArchiveTests.archiver(fixture).round() == 1)
            let kept = try await old.counts()
            _ = try keep(fixture, in: ArchiveMigration.keepDays - 1)
            #expect(try await old.counts() == kept)
            let dropped = try keep(fixture, in: ArchiveMigration.keepDays + 32)
            #expect(dropped.allSatisfy { $0.contains("|1|") || $0.contains("|2|") }, "\(dropped)")
            for (table, rows) in try await old.counts() { #expect(rows == [0, 0], "\(table)") }
        }

        @Test("bookings of that age are found in their primary key, from where the last look ended")
        func plan() async throws {
            let fixture = try await Fixture("archive_plan")
            let plan = try await fixture.pool.transaction { transaction in
                _ = try await transaction.execute("set local enable_seqscan = off")
                _ = try await transaction.execute("set local enable_bitmapscan = off")
                let query = ArchiveStore.made(after: .random(), days: 400, limit: 200)
                return try await transaction.query("explain \(query)").map { row -> String in
                    try row[0]
                }.joined(separator: " ")
            }
            #expect(plan.contains("Index Scan using booking_pkey") && !plan.contains("Sort"))
            let condition = plan.split(separator: "Index Cond:").last ?? ""
            #expect(condition.contains("id <") && condition.contains("id >"), "\(plan)")
        }

        @Test("the checkers see what is in both places, and what belongs to nothing")
        func checkers() async throws {
            let fixture = try await Fixture("archive_checkers")
            let old = OldBookings(fixture: fixture)
            let past = try await old.slot(ended: 401)
            try await old.add("both") { $0.slot = past }
            func wrong() async throws -> [Int] {
                var counts: [Int] = []
                for (_, sql) in KernelInvariants.archive {
                    counts.append(try await fixture.number("\(unescaped: sql)"))
                }
                return counts
            }
            #expect(try await wrong() == [0, 0])
            try await fixture.pool.execute(
                "insert into booking_archive select now(), b.* from booking b")
            #expect(try await wrong() == [1, 0])
            _ = try await fixture.pool.atomically([
                "delete from booking_archive",
                "insert into contact_archive select now(), c.* from contact c",
                "delete from registration", "delete from contact", "delete from booking",
            ])
            #expect(try await wrong() == [0, 2], "its history, and its contact")
        }

        @Test(
            "the archive is made under load, and no request fails; the figures are those of before")
        func migrationUnderLoad() async throws {
            let load = try await RegistrationLoad(
                "booking_archive_load", at: BookingMigrations.all.filter { $0.version < 20 })
            let pool = load.pool
            try await load.register("first")
            _ = try await pool.query("select refresh_analytics(interval '1 hour')")
            let outcomes = try await load.during {
                try await load.migrator.apply(BookingMigrations.all)
            }
            #expect(outcomes.compactMap(\.refusal).isEmpty)
            let done = outcomes.compactMap(\.value).reduce(1, +)
            #expect(done > 160)
            let all: Int = try await pool.query("select count(*) from booking").single()[0]
            #expect(all == done)
            let shown: Int = try await pool.query(
                "select bookings from analytics_daily where basis = 'booking'"
            ).single()[0]
            #expect((1...done).contains(shown), "filled, and readable by the service")
            await load.close()
        }
    }
}
