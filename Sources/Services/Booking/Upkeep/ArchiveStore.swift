import Domain
import Environment
import Postgres

/// The SQL that moves bookings which ended long ago, with all that is theirs, into the archive.
///
/// What moves is a line: a booking with those that took its place. It moves as a whole or not at
/// all, in one transaction. Lock order as everywhere: hold, booking, payment; slots are not touched.
struct ArchiveStore: Sendable {
    let pool: PostgresPool

    /// What a look at some bookings has come to.
    struct Batch: Sendable {
        /// Go on after it; nil when there are no more.
        var next: UUID?
        var archived = 0
        /// Lines that ended as long ago and had to stay.
        var waiting = 0
    }

    /// Uploads that one transaction moves, bytes; more only when one line has more.
    static let byteLimit = 16 << 20

    /// Below the session's `statement_timeout`: another batch is smaller.
    static let patience = Duration.seconds(25)

    private struct Line {
        let root: UUID
        let bookings: [UUID]
        let holds: [UUID]
        let isOld: Bool
        let mayGo: Bool
        /// Of its uploads.
        let bytes: Int
    }

    private static let ended: SQL = """
        ('completed', 'cancelled', 'rejected', 'expired', 'no_show', 'rescheduled')
        """

    /// Looks at the next `limit` bookings that were made more than `days` ago, by id, which is the
    /// order of their making, and moves those that ended as long ago. Passes over what others work on.
    func move(after: UUID?, days: Int, limit: Int) async throws -> Batch {
        try await pool.transaction(deadline: .after(Self.patience)) { transaction in
            let seen = try await transaction.query(
                Self.made(after: after, days: days, limit: limit))
            let roots = try seen.filter { try $0[1] }.map { row -> UUID in try row[0] }
            var batch = Batch()
            if seen.count == limit { batch.next = try seen.last?[0] }
            let (found, last) = Self.cut(try await lines(roots, days, transaction))
            batch.next = last ?? batch.next
            let old = try await locked(found.filter(\.mayGo), days, transaction)
            batch.archived = old.reduce(0) { $0 + $1.bookings.count }
            batch.waiting = found.count { $0.isOld && !$0.mayGo }
            if !old.isEmpty {
                try await transaction.commit(
                    with: Self.moves(old.flatMap(\.bookings), holds: old.flatMap(\.holds)))
            }
            return batch
        }
    }

    /// The booking to go on after when the one behind `after` cannot be dealt with.
    func following(_ after: UUID?, days: Int) async throws -> UUID? {
        try await pool.query(Self.made(after: after, days: days, limit: 1)).first?[0]
    }

    /// As many lines as go together, and the last of them when others have to wait for the next
    /// batch.
    private static func cut(_ lines: [Line]) -> ([Line], last: UUID?) {
        var bytes = 0
        for (index, line) in lines.enumerated() where line.mayGo {
            bytes += line.bytes
            if bytes > byteLimit, index > 0 {
                return (Array(lines[..<index]), lines[index - 1].root)
            }
        }
        return (lines, nil)
    }

    /// The next bookings by id, and whether each is the first of a line and has ended.
    static func made(after: UUID?, days: Int, limit: Int) -> SQL {
        let start: SQL = after.map { "and id > \($0)" } ?? ""
        return """
            select id, rescheduled_from is null and status in \(ended) from booking
            where id < partition_bound('uuid', \(Self.limit(days)))::uuid \(start)
            order by id limit \(limit)::int
            """
    }

    /// By the database's clock, the same throughout a statement, so that an index can be searched.
    private static func limit(_ days: Int) -> SQL {
        "(statement_timestamp() - make_interval(days => \(days)::int))"
    }

    // MARK: Which

    private func lines(
        _ roots: [UUID], _ days: Int, _ transaction: PostgresTransaction
    ) async throws -> [Line] {
        guard !roots.isEmpty else { return [] }
        return try await transaction.query(
            """
            with recursive line as (
                select id as root, id from unnest(\(roots)) id
                union all
                select l.root, b.id from line l join booking b on b.rescheduled_from = l.id)
            select l.root, array_agg(b.id),
                coalesce(array_agg(b.hold_id) filter (where b.hold_id is not null), '{}'),
                bool_and(b.status in \(Self.ended) and \(Self.end) < \(Self.limit(days))),
                bool_and(not \(Self.isToCome) and not \(Self.isUnsettled)),
                coalesce(sum((select sum(p.size) from payment_proof p
                    where p.booking_id = b.id)), 0)::bigint
            from line l join booking b on b.id = l.id
            left join slot s on s.id = b.confirmed_slot_id
            group by l.root order by l.root
            """
        ).map { row in
            let (isOld, isFree): (Bool, Bool) = (try row[3], try row[4])
            return Line(
                root: try row[0], bookings: try row[1], holds: try row[2], isOld: isOld,
                mayGo: isOld && isFree, bytes: try row[5])
        }
    }

    /// When it was over: its slot, or what became of a booking that never had one. The history may
    /// be gone by then.
    private static let end: SQL = """
        coalesce(s.ends_at, b.cancelled_at, case when b.status = 'expired' then b.expires_at end,
            (select max(h.at) from booking_history h where h.booking_id = b.id), b.expires_at)
        """

    /// A slot that it once asked for.
    private static let isToCome: SQL = """
        exists (select from slot c where c.ends_at > statement_timestamp()
            and c.id in (b.first_choice_slot_id, b.second_choice_slot_id))
        """

    /// Somebody owes something, or may yet report it: a charge that is open or under review, a
    /// refund that is due, a visit that was not paid, a callback that is still remembered.
    private static let isUnsettled: SQL = """
        (b.status in ('completed', 'no_show') and b.payment_status = 'pending'
        or exists (select from payment_record p where p.booking_id = b.id and (p.status = 'pending'
            or exists (select from refund r where r.payment_id = p.id and r.status = 'requested')
            or exists (select from payment_event e where e.payment_id = p.id))))
        """

    /// The lines that can be locked now and are still as they were found.
    private func locked(
        _ lines: [Line], _ days: Int, _ transaction: PostgresTransaction
    ) async throws -> [Line] {
        guard !lines.isEmpty else { return [] }
        func lock(_ table: SQL, _ key: SQL, _ ids: [UUID], _ skip: SQL) -> SQL {
            "select id from \(table) where \(key) = any(\(ids)) order by id for update \(skip)"
        }
        let wanted = lines.flatMap(\.bookings)
        let locks = try await transaction.batch([
            lock("hold", "id", lines.flatMap(\.holds), "skip locked"),
            lock("booking", "id", wanted, "skip locked"),
        ])
        let got = try Set(locks.joined().map { row -> UUID in try row[0] })
        let free = lines.filter { got.isSuperset(of: $0.bookings + $0.holds) }
        guard !free.isEmpty else { return [] }
        // Whoever has a charge and not its booking does not wait for it.
        _ = try await transaction.query(
            lock("payment_record", "booking_id", free.flatMap(\.bookings), ""))
        if PlantedBug.archiveUnchecked.isPlanted { return free }
        return try await self.lines(free.map(\.root), days, transaction).filter {
            $0.mayGo && got.isSuperset(of: $0.bookings + $0.holds)
        }
    }

    // MARK: Moving

    /// Children first. A hold has been its booking since it was confirmed, and is not kept.
    private static func moves(_ bookings: [UUID], holds: [UUID]) -> [SQL] {
        let charges: SQL = "(select id from payment_record where booking_id = any(\(bookings)))"
        return [
            move("refund", "payment_id in \(charges)"),
            // One that belongs to a charge belongs to its booking, too.
            move("payment_proof", "booking_id = any(\(bookings))"),
            move("payment_record", "booking_id = any(\(bookings))"),
            move("registration", "booking_id = any(\(bookings))"),
            move("contact", "booking_id = any(\(bookings))"),
            move("booking", "id = any(\(bookings))"),
            "delete from hold where id = any(\(holds))",
        ]
    }

    private static func move(_ table: SQL, _ condition: SQL) -> SQL {
        """
        with gone as (delete from \(table) where \(condition) returning *)
        insert into \(table)_archive select transaction_timestamp(), gone.* from gone
        """
    }
}
