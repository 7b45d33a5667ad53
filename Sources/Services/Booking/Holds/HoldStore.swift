import Crypto
import Domain
import Environment
import Postgres
import Schema

/// The SQL of holds.
struct HoldStore: Sendable {
    let seats: BookingStore

    var pool: PostgresPool { seats.pool }

    // MARK: Placing

    /// One holder's holds are counted by one transaction at a time. Before the slots in the lock
    /// order; ascending.
    func lockHolders(_ keys: [[UInt8]]) -> SQL {
        AdvisoryLock.take(keys.map(AdvisoryLock.number))
    }

    /// Holders whose holds nobody counts at this moment; waits for none.
    func idle(_ keys: [[UInt8]]) -> SQL {
        """
        select n from unnest(\(Set(keys.map(AdvisoryLock.number)).sorted())) n
        where pg_try_advisory_xact_lock_shared(n)
        """
    }

    /// Live holds by holder.
    func live(_ keys: [[UInt8]]) -> SQL {
        """
        select encode(holder_key, 'hex'), count(*) from hold
        where holder_key in (select decode(k, 'hex') from unnest(\(keys.map(Hex.encode))) k)
          and status = 'pending' and expires_at > clock_timestamp()
        group by holder_key
        """
    }

    /// Free seats of slots without any lock: enough to refuse by, not to promise by.
    func free(_ slots: [UUID]) -> SQL {
        """
        select s.id, s.capacity - s.taken
            + (select coalesce(sum(h.quantity), 0) from hold h where h.slot_id = s.id
                and h.status = 'pending' and h.expires_at <= clock_timestamp())
            + (select coalesce(sum(b.quantity), 0) from booking b
                where b.confirmed_slot_id = s.id and b.status = 'pending_payment'
                  and b.expires_at <= clock_timestamp())
        from slot s where s.id = any(\(slots))
        """
    }

    /// A hold that was decided, with what its key will answer.
    struct Placed: Sendable {
        let order: HoldOrder
        let expiresAt: Instant
        let price: Int64
        let currency: String
        let response: [UInt8]
    }

    /// Any number of holds and their keys, in two statements of one text each. A key that was taken
    /// at the same time fails the transaction.
    ///
    /// Every transaction that places holds takes its keys last, and no other takes keys of this
    /// method: twins have the same holder, whose lock they have waited for before.
    func insert(_ placed: [Placed], at: Instant) -> [SQL] {
        let orders = placed.map(\.order)
        return [
            """
            insert into hold (id, slot_id, quantity, token_hash, holder_key, expires_at, created_at,
                price, currency)
            select id, slot, quantity, decode(token, 'hex'), decode(holder, 'hex'), expires, \(at),
                price, currency
            from unnest(\(orders.map(\.id)), \(orders.map(\.slot)), \(orders.map(\.quantity)),
                \(orders.map { Hex.encode($0.tokenHash) }),
                \(orders.map { Hex.encode($0.holderKey) }), \(placed.map(\.expiresAt)),
                \(placed.map(\.price)), \(placed.map(\.currency)))
                n(id, slot, quantity, token, holder, expires, price, currency)
            """,
            IdempotencyTable.keep(placed.map { ($0.order.use, $0.response) }, at: at),
        ]
    }

    // MARK: One hold

    func find(_ id: UUID) -> SQL { "select \(Hold.columns) from hold h where h.id = \(id)" }

    /// Starts the time of a live hold anew; no row when it is not live, not the token's, or has
    /// been extended often enough.
    func extend(_ id: UUID, _ tokenHash: [UInt8]) -> SQL {
        """
        update hold h set extensions = h.extensions + 1,
            expires_at = clock_timestamp() + make_interval(secs => p.hold_seconds)
        from slot s join offering o on o.id = s.offering_id join policy p on p.code = o.policy
        where h.id = \(id) and h.token_hash = \(tokenHash) and s.id = h.slot_id
          and h.status = 'pending' and h.expires_at > clock_timestamp()
          and h.extensions < p.hold_extensions
        returning \(Hold.columns)
        """
    }

    func release(_ id: UUID) -> SQL {
        "update hold set status = 'released' where id = \(id) and status = 'pending'"
    }

    /// The one moment in which a hold becomes a booking: live, and by its token.
    func confirm(_ id: UUID, _ tokenHash: [UInt8]) -> SQL {
        """
        update hold set status = 'confirmed'
        where id = \(id) and token_hash = \(tokenHash) and status = 'pending'
          and expires_at > clock_timestamp()
        """
    }

    /// The slot of a hold, to know what to lock first.
    func slot(of id: UUID, _ transaction: PostgresTransaction) async throws -> UUID {
        let rows = try await transaction.query("select slot_id from hold where id = \(id)")
        guard let row = rows.first else {
            throw DomainError(.holdNotFound, "there is no such hold")
        }
        return try row[0]
    }

    // MARK: Forgetting

    /// By block, not by row: nearly free to keep, and enough to find what is old.
    static let age = "create index hold_age on hold using brin (created_at);\n"

    /// Deletes at most `limit` holds that came to nothing a month ago: long after any key that
    /// could answer with them.
    /// - Returns: how many it deleted.
    func forget(limit: Int) async throws -> Int {
        try await pool.execute(
            """
            delete from hold where id in (
                select id from hold
                where created_at < clock_timestamp() - interval '30 days'
                  and status in ('released', 'expired')
                limit \(limit)::int for update skip locked)
            """)
    }
}
