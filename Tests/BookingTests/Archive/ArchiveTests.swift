import Environment
import Lifecycle
import Loop
import Postgres
import Telemetry
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(2))) struct ArchiveTests {
        static func archiver(
            _ fixture: Fixture, _ metrics: Metrics = Metrics(), log: LogCapture = LogCapture()
        ) -> BookingArchiver {
            BookingArchiver(
                pool: fixture.pool, after: 400, loop: Fixture.loop, pause: .milliseconds(1),
                logger: Logger(label: "test", sink: log.sink), metrics: metrics)
        }

        @Test("what ended 400 days ago goes, with all that is its own; nothing else does")
        func whatGoes() async throws {
            let fixture = try await Fixture("archive_cases")
            let old = OldBookings(fixture: fixture)
            let past = try await old.slot(ended: 401)
            let recent = try await old.slot(ended: 399)
            try await goers(old, past)
            try await stayers(old, past, recent)
            let before = try await old.counts()
            let expected = try await old.names(in: "booking").filter { $0.hasPrefix("goes:") }
            #expect(expected.count == 11)
            #expect(try await Self.archiver(fixture).round() == expected.count)
            #expect(try await old.names(in: "booking_archive") == expected)
            #expect(try await old.names(in: "booking").filter { $0.hasPrefix("goes:") }.isEmpty)
            let after = try await old.counts()
            for (table, rows) in after {
                #expect(rows[0] + rows[1] == before[table]?[0], "\(table): nothing is lost")
            }
            #expect(after["registration"]?[1] == 11 && after["contact"]?[1] == 11)
            #expect(after["payment_record"]?[1] == 3 && after["payment_proof"]?[1] == 3)
            #expect(after["refund"]?[1] == 2)
            #expect(
                try await fixture.number("select count(distinct archived_at) from booking_archive")
                    == 1)
            try await fixture.check(KernelInvariants.all)
            #expect(try await Self.archiver(fixture).round() == 0, "and once only")
            #expect(try await old.counts() == after)
        }

        private func goers(_ old: OldBookings, _ past: UUID) async throws {
            try await old.add("goes: its slot ended") { $0.slot = past }
            try await old.add("goes: came by a hold") { ($0.slot, $0.hasHold) = (past, true) }
            try await old.add("goes: cancelled, never had a slot") {
                ($0.status, $0.cancelled) = ("cancelled", 401)
            }
            try await old.add("goes: rejected") { ($0.status, $0.changed) = ("rejected", 401) }
            try await old.add("goes: lapsed") {
                ($0.status, $0.payment, $0.expires, $0.changed) = ("expired", "pending", 401, 399)
            }
            let paid = try await old.add("goes: paid, and nobody came") {
                ($0.status, $0.payment, $0.slot) = ("no_show", "paid", past)
            }
            try await old.charge(paid)
            for status in ["completed", "failed"] {
                let back = try await old.add("goes: refund \(status)") {
                    ($0.status, $0.slot, $0.total) = ("cancelled", past, 100_000)
                    $0.payment = status == "completed" ? "partially_refunded" : "paid"
                }
                try await old.refund(old.charge(back), status)
            }
            let first = try await old.add("goes: rescheduled") {
                ($0.made, $0.status, $0.slot) = (460, "confirmed", past)
            }
            let second = try await old.add("goes: rescheduled again") {
                ($0.made, $0.status, $0.slot) = (455, "confirmed", past)
            }
            let third = try await old.add("goes: in place of both") { $0.slot = past }
            try await old.reschedule(first, to: second)
            try await old.reschedule(second, to: third)
        }

        private func stayers(_ old: OldBookings, _ past: UUID, _ recent: UUID) async throws {
            try await old.add("made long ago, ended lately") { ($0.made, $0.slot) = (500, recent) }
            try await old.add("cancelled lately") {
                ($0.made, $0.status, $0.cancelled) = (500, "cancelled", 399)
            }
            try await old.add("rejected lately") {
                ($0.made, $0.status, $0.changed) = (500, "rejected", 399)
            }
            try await old.add("lapsed lately") {
                ($0.made, $0.status, $0.expires) = (500, "expired", 399)
            }
            for status in ["pending", "confirmed", "in_progress"] {
                try await old.add(status) {
                    ($0.status, $0.slot) = (status, status == "pending" ? nil : past)
                }
            }
            try await old.add("unpaid") {
                ($0.status, $0.payment, $0.slot) = ("pending_payment", "pending", past)
            }
            let toCome = try await old.slot(ended: -10)
            try await old.add("its slot is still to come") {
                ($0.status, $0.slot, $0.cancelled) = ("cancelled", toCome, 410)
            }
            try await old.add("its choice is still to come") {
                ($0.status, $0.choice) = ("rejected", toCome)
            }
            try await old.add("owes the visit") { ($0.payment, $0.slot) = ("pending", past) }
            let open = try await old.add("proof under review") {
                ($0.status, $0.payment, $0.slot) = ("cancelled", "pending", past)
            }
            try await old.charge(open, "pending")
            let due = try await old.add("refund is due") {
                ($0.status, $0.payment, $0.slot, $0.total) = ("cancelled", "paid", past, 100_000)
            }
            try await old.refund(old.charge(due), "requested")
            let told = try await old.add("its callback is remembered") {
                ($0.payment, $0.slot) = ("paid", past)
            }
            try await old.fixture.pool.execute(
                """
                insert into payment_event (provider, digest, payment_id, said, outcome, received_at,
                    last_received_at)
                values ('manual', sha256('x'), \(old.charge(told)), 'paid', 'applied', now(), now())
                """)
            for (name, slot) in [("live", recent), ("lately", recent)] {
                let previous = try await old.add("rescheduled, and \(name)") {
                    ($0.made, $0.status, $0.slot) = (460, "confirmed", past)
                }
                let next = try await old.add("in place of one, and \(name)") {
                    ($0.status, $0.slot) = (name == "live" ? "confirmed" : "completed", slot)
                }
                try await old.reschedule(previous, to: next)
            }
        }

        @Test("killed in the middle, nothing has moved; the next one makes up for it")
        func killed() async throws {
            let fixture = try await Fixture("archive_killed")
            let old = OldBookings(fixture: fixture)
            let past = try await old.slot(ended: 401)
            for n in 0..<5 { try await old.charge(old.add("\(n)") { $0.slot = past }) }
            let before = try await old.counts()
            let database = "booking_\(fixture.name)"
            // The last table but the bookings themselves: its charges have moved by then.
            let first = try await fixture.pool.transaction { transaction in
                _ = try await transaction.execute("lock table contact_archive in exclusive mode")
                let archiver = Task(executorPreference: Fixture.loop) {
                    try await Self.archiver(fixture).round()
                }
                #expect(try await eventually { try fixture.sessionsThatWait == 1 })
                let killed = try PostgresClusterSQL.run(
                    """
                    select count(pg_terminate_backend(pid)) from pg_stat_activity
                    where datname = '\(database)' and wait_event_type = 'Lock'
                    """, on: database)
                #expect(killed.hasPrefix("1"))
                #expect(try await old.counts() == before)
                return archiver
            }
            // A transaction of which nothing was committed may have been tried again.
            let moved = (try? await first.value) ?? 0
            #expect(try await Self.archiver(fixture).round() + moved == 5)
            let after = try await old.counts()
            for (table, rows) in before { #expect(after[table] == rows.reversed(), "\(table)") }
        }

        @Test("several at once share the work; what somebody works on is passed over")
        func together() async throws {
            let fixture = try await Fixture("archive_together")
            let old = OldBookings(fixture: fixture)
            let past = try await old.slot(ended: 401)
            var ids: [UUID] = []
            for n in 0..<300 {
                ids.append(try await old.add("\(n)") { ($0.slot, $0.hasHold) = (past, true) })
            }
            let busy = ids[17]
            try await fixture.pool.transaction { transaction in
                _ = try await transaction.execute(
                    "set local idle_in_transaction_session_timeout = 0")
                _ = try await transaction.query(
                    "select id from booking where id = \(busy) for update")
                let done = await allAtOnce(4) { _ in try await Self.archiver(fixture).round() }
                #expect(done.compactMap(\.refusal).isEmpty)
                #expect(done.compactMap(\.value).reduce(0, +) == 299, "\(done)")
                #expect(
                    try await fixture.number("select count(*) from booking where id = \(busy)")
                        == 1)
            }
            _ = try await Self.archiver(fixture).round()
            #expect(try await fixture.number("select count(*) from booking") == 0)
            #expect(try await fixture.number("select count(*) from hold") == 0)
            #expect(try await fixture.number("select count(*) from booking_archive") == 300)
            #expect(
                try await fixture.number("select count(distinct id) from booking_archive") == 300)
            try await fixture.check(KernelInvariants.all)
        }

        @Test("money that is asked back between the look and the locks keeps its booking in use")
        func checkedAgain() async throws {
            let fixture = try await Fixture("archive_again")
            let old = OldBookings(fixture: fixture)
            let past = try await old.slot(ended: 401)
            let paid = try await old.add("paid") { ($0.payment, $0.slot) = ("paid", past) }
            let charge = try await old.charge(paid)
            let archiver = try await fixture.pool.transaction { transaction in
                _ = try await transaction.execute(OldBookings.refund(charge, "requested"))
                let archiver = Task(executorPreference: Fixture.loop) {
                    try await Self.archiver(fixture).round()
                }
                #expect(try await eventually { try fixture.sessionsThatWait == 1 })
                return archiver
            }
            #expect(try await archiver.value == 0)
            #expect(try await old.names(in: "booking") == ["paid"])
        }

        @Test("a booking that cannot be moved is said, and does not keep those behind it")
        func stuck() async throws {
            let fixture = try await Fixture("archive_stuck")
            let old = OldBookings(fixture: fixture)
            let past = try await old.slot(ended: 401)
            var ids: [UUID] = []
            for n in 0..<30 { ids.append(try await old.add("\(n)") { $0.slot = past }) }
            let stuck = ids[11].description
            try PostgresClusterSQL.run(
                """
                create function booking.stuck() returns trigger language plpgsql as $$ begin
                    if new.id = '\(stuck)' then raise exception 'stuck'; end if;
                    return new;
                end $$;
                create trigger stuck before insert on booking.booking_archive
                    for each row execute function booking.stuck();
                """, on: "booking_\(fixture.name)")
            let log = LogCapture()
            #expect(try await Self.archiver(fixture, log: log).round() == 29)
            #expect(
                try await fixture.number("select count(*) from booking where id = \(ids[11])") == 1)
            let lines = log.lines.filter { $0.contains("cannot be archived") }
            #expect(lines.count == 1 && lines[0].contains(stuck), "\(lines)")
        }

        @Test("large uploads go in several transactions")
        func large() async throws {
            let fixture = try await Fixture("archive_large")
            let old = OldBookings(fixture: fixture)
            let past = try await old.slot(ended: 401)
            for n in 0..<5 { try await old.charge(old.add("\(n)") { $0.slot = past }) }
            try await fixture.pool.execute(
                """
                update payment_proof set size = 5 << 20, content = (
                    select string_agg(sha256(n::text::bytea), ''::bytea)
                    from generate_series(1, 163840) n)
                """)
            #expect(try await Self.archiver(fixture).round() == 5)
            #expect(
                try await fixture.number("select count(distinct archived_at) from booking_archive")
                    == 2)
        }

        @Test("the service works until it is stopped, and counts")
        func service() async throws {
            let fixture = try await Fixture("archive_service")
            let old = OldBookings(fixture: fixture)
            let past = try await old.slot(ended: 401)
            try await old.add("goes") { $0.slot = past }
            try await old.add("owes") { ($0.payment, $0.slot) = ("pending", past) }
            let metrics = Metrics()
            let archiver = Self.archiver(fixture, metrics)
            let task = Task(executorPreference: Fixture.loop) { try await archiver.run() }
            let isDone = try await eventually {
                try await fixture.number("select count(*) from booking_archive") == 1
                    && metrics.render().contains("janji_bookings_archive_waiting 1")
            }
            #expect(isDone)
            #expect(metrics.render().contains("janji_bookings_archived_total 1"))
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }
}
