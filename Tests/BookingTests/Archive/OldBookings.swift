import Environment
import Postgres
import Testing

@testable import Booking

/// Bookings as they stand in the tables after years. Ages are in days.
struct OldBookings {
    let fixture: Fixture

    struct Plan {
        var status = "completed"
        var payment = "not_required"
        var made = 450.0
        var slot: UUID?
        var choice: UUID?
        var cancelled: Double?
        var expires = 440.0
        /// The last entry of the history.
        var changed = 430.0
        var hasHold = false
        var total: Int64 = 0
    }

    /// - Parameter ended: negative for one that is still to come.
    func slot(ended: Double) async throws -> UUID {
        let id = UUID.random()
        let end = Instant.now() - .seconds(ended * 86_400)
        let start = end - .seconds(3600)
        try await fixture.pool.execute(
            """
            insert into slot (id, offering_id, starts_at, ends_at, capacity, time_zone, local_date,
                occupies)
            values (\(id), \(fixture.piano), \(start), \(end), 1000, 'Asia/Jakarta',
                (\(start)::timestamptz at time zone 'Asia/Jakarta')::date,
                tstzrange(\(start), \(end)))
            """)
        return id
    }

    /// A booking with its person, its contact and its history.
    @discardableResult
    func add(_ name: String, _ change: (inout Plan) -> Void = { _ in }) async throws -> UUID {
        var plan = Plan()
        change(&plan)
        let now = Instant.now()
        let id = UUID.timeOrdered(now - .seconds(plan.made * 86_400))
        _ = try await fixture.pool.atomically(rows(name, id, plan, now))
        return id
    }

    private func rows(_ name: String, _ id: UUID, _ plan: Plan, _ now: Instant) -> [SQL] {
        func ago(_ days: Double) -> Instant { now - .seconds(days * 86_400) }
        let hold = plan.hasHold ? UUID.random() : nil
        let seated = ["confirmed", "pending_payment", "in_progress", "completed", "no_show"]
        var rows: [SQL] = []
        if let hold, let slot = plan.slot {
            rows.append(
                """
                insert into hold (id, slot_id, quantity, status, token_hash, holder_key, expires_at,
                    created_at)
                values (\(hold), \(slot), 1, 'confirmed', sha256('t'), 'h'::bytea,
                    \(ago(plan.made)), \(ago(plan.made)))
                """)
        }
        if let slot = plan.slot, seated.contains(plan.status) {
            rows.append("update slot set taken = taken + 1 where id = \(slot)")
        }
        rows += [
            """
            insert into booking (id, offering_id, applicant_key, status, payment_status,
                confirmed_slot_id, assignment_basis, first_choice_slot_id, hold_id, expires_at,
                created_at, cancelled_at, total, notes)
            values (\(id), \(fixture.piano), sha256(\(id.description)::text::bytea),
                \(plan.status), \(plan.payment), \(nullable: plan.slot),
                \(nullable: plan.slot.map { _ in "admin_override" }), \(nullable: plan.choice),
                \(nullable: hold), \(ago(plan.expires)), \(ago(plan.made)),
                \(nullable: plan.cancelled.map(ago)), \(plan.total), \(name))
            """,
            """
            insert into registration values (\(id), \(name), 'a@example.com', 'Jalan 1', 'Bandung',
                '2012-05-17', 'SD 1', 6, 'Budi', '+6281234567890', \(ago(plan.made)), 'beginner',
                '{monday}', '15:00', '17:00', null)
            """,
            "insert into contact values (\(id), \(name), 'a@example.com', '+62812', 'Mochi', 'cat')",
            """
            insert into booking_history (booking_id, at, to_status, actor, action, version)
            values (\(id), \(ago(plan.changed)), \(plan.status), 'test', 'made', 1)
            """,
        ]
        return rows
    }

    /// Lets `next` take the place of `previous`.
    func reschedule(_ previous: UUID, to next: UUID) async throws {
        _ = try await fixture.pool.atomically([
            "update booking set rescheduled_from = \(previous) where id = \(next)",
            """
            update slot set taken = taken - 1
            where id = (select confirmed_slot_id from booking where id = \(previous))
            """,
            """
            update booking set status = 'rescheduled', rescheduled_to = \(next), version = 2
            where id = \(previous)
            """,
            """
            insert into booking_history (booking_id, at, to_status, actor, action, version)
            values (\(previous), now() - interval '431 days', 'rescheduled', 'test', 'made', 2)
            """,
        ])
    }

    /// A charge of a booking, with its proof.
    @discardableResult
    func charge(
        _ booking: UUID, _ status: String = "completed", _ amount: Int64 = 100_000
    ) async throws -> UUID {
        let id = UUID.random()
        let paid = status == "completed" ? Instant.now() - .seconds(440 * 86_400) : nil
        _ = try await fixture.pool.atomically([
            """
            insert into payment_record (id, booking_id, provider, amount, currency, status,
                expires_at, paid_at, created_at, updated_at)
            values (\(id), \(booking), 'manual', \(amount), 'IDR', \(status), now(),
                \(nullable: paid), now(), now())
            """,
            """
            insert into payment_proof (id, payment_id, booking_id, content_type, size, digest,
                content, created_at)
            values (\(UUID.random()), \(id), \(booking), 'image/png', 3, sha256('png'), 'png', now())
            """,
        ])
        return id
    }

    func refund(_ charge: UUID, _ status: String, _ amount: Int64 = 90_000) async throws {
        try await fixture.pool.execute(Self.refund(charge, status, amount))
    }

    static func refund(_ charge: UUID, _ status: String, _ amount: Int64 = 90_000) -> SQL {
        let done = status == "completed" ? Instant.now() : nil
        return """
            insert into refund (id, payment_id, amount, reason, actor, status, idempotency_key,
                requested_at, completed_at)
            values (\(UUID.random()), \(charge), \(amount), 'test', 'test', \(status), 'k', now(),
                \(nullable: done))
            """
    }

    /// Rows of all tables that move: in use and in the archive.
    func counts() async throws -> [String: [Int]] {
        var counts: [String: [Int]] = [:]
        for table in ArchiveMigration.tables {
            let row = try await fixture.pool.query(
                """
                select (select count(*) from \(unescaped: table)),
                    (select count(*) from \(unescaped: table)_archive)
                """
            ).single()
            counts[table] = [try row[0], try row[1]]
        }
        return counts
    }

    /// The names of bookings.
    func names(in table: String) async throws -> Set<String> {
        try Set(
            await fixture.pool.query("select notes from \(unescaped: table)").map { row in
                try row[0] as String
            })
    }
}
