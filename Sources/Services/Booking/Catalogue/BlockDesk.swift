import Domain
import Environment
import Postgres
import Schema

/// A time in which a resource is occupied without a booking.
struct Block: Sendable, Hashable {
    let id: UUID
    var resource: NamedResource
    let startsAt: Instant
    let endsAt: Instant
    let reason: String
    let createdBy: String
}

/// Blocks resources by claims, against the same constraint as slots: whoever claims first
/// has it, and the other is told.
struct BlockDesk: Sendable {
    let pool: PostgresPool
    let clock: Clock

    /// Slots whose watchers are told of one block, at most.
    static let neighbourLimit = 2000
    static let listLimit = 1000

    private struct Occupied: Error {}

    /// - Throws: RESOURCE_NOT_FOUND, SCHEDULE_CONFLICT with what is in the way, ALREADY_EXISTS when
    ///   the id stands for something else.
    func block(
        _ block: Block, _ use: IdempotencyTable.Use?
    ) async throws -> BookingV1.BlockResourceResponse {
        do {
            return try await IdempotencyTable.perform(use, on: pool) { transaction, last in
                var response = BookingV1.BlockResourceResponse()
                response.block = BookingV1.Block(try await insert(block, transaction, &last))
                return response
            }
        } catch is Occupied {
            var details = BookingV1.ConflictDetails()
            details.conflicts = try await ConflictQuery(pool: pool).find(
                [block.resource.id], from: block.startsAt, to: block.endsAt
            ).prefix(SlotPublisher.explained).map { BookingV1.Conflict($0) }
            throw DomainError(
                .scheduleConflict, "the resource is occupied at that time"
            ).with(details)
        } catch let error as PostgresError where error.sqlState == .foreignKeyViolation {
            throw DomainError(.resourceNotFound, "there is no such resource")
        }
    }

    private func insert(
        _ block: Block, _ transaction: PostgresTransaction, _ last: inout [SQL]
    ) async throws -> Block {
        let results = try await transaction.batch([
            """
            insert into block (id, resource_id, starts_at, ends_at, reason, created_by, created_at)
            values (\(block.id), \(block.resource.id), \(block.startsAt), \(block.endsAt),
                \(block.reason), \(block.createdBy), \(clock.now()))
            on conflict (id) do nothing
            """,
            "select \(Self.columns) where b.id = \(block.id)",
        ])
        let stored = try Self.read(try results[1].single())
        guard results[0].affectedRows == 1 else {
            let same =
                stored.resource.id == block.resource.id && stored.startsAt == block.startsAt
                && stored.endsAt == block.endsAt && stored.reason == block.reason
            guard same else {
                throw DomainError(.alreadyExists, "a block with this id and other content exists")
            }
            return stored
        }
        let claimed = try await transaction.execute(
            """
            insert into claim (resource_id, block_id, during)
            values (\(block.resource.id), \(block.id),
                tstzrange(\(block.startsAt), \(block.endsAt), '[)'))
            on conflict do nothing
            """)
        guard claimed == 1 else { throw Occupied() }
        try await tell(stored, servesLines: false, transaction, &last)
        return stored
    }

    /// - Throws: RESOURCE_NOT_FOUND for an unknown block. One that is removed already stays so.
    func unblock(
        _ id: UUID, by actor: String, _ use: IdempotencyTable.Use?
    ) async throws -> BookingV1.UnblockResourceResponse {
        try await IdempotencyTable.perform(use, on: pool) { transaction, last in
            let rows = try await transaction.query("select \(Self.columns) where b.id = \(id)")
            guard let block = try rows.first.map(Self.read) else {
                throw DomainError(.resourceNotFound, "there is no such block")
            }
            let removed = try await transaction.execute(
                """
                update block set removed_at = \(clock.now()), removed_by = \(actor)
                where id = \(id) and removed_at is null
                """)
            if removed == 1 {
                try await transaction.execute("delete from claim where block_id = \(id)")
                try await tell(block, servesLines: true, transaction, &last)
            }
            return BookingV1.UnblockResourceResponse()
        }
    }

    func list(_ resource: UUID, from: Instant, to: Instant?) async throws -> [Block] {
        try await pool.query(
            """
            select \(Self.columns)
            where b.resource_id = \(resource) and b.removed_at is null and b.ends_at > \(from)
              and b.starts_at < coalesce(\(nullable: to), 'infinity')
            order by b.starts_at, b.id limit \(Self.listLimit)::int
            """
        ).map(Self.read)
    }

    /// What the slots of the resource tell has changed: newer versions, and an event for each that
    /// touches the time.
    private func tell(
        _ block: Block, servesLines: Bool, _ transaction: PostgresTransaction, _ last: inout [SQL]
    ) async throws {
        let touching = SlotNeighbours.touch([block.resource.id])
        let hit = SlotNeighbours.select(
            [block.resource.id], from: block.startsAt, until: block.endsAt,
            limit: Self.neighbourLimit)
        let results = try await transaction.batch(touching + [hit])
        let now = clock.now()
        let slots = try results[touching.count].map(SlotRow.read)
        let events = slots.map { BookingEvents.availability($0, version: $0.version, at: now) }
        if servesLines {
            BookingStore(pool: pool).serveLines(of: slots, at: now, after: transaction)
        }
        if !events.isEmpty { last.append(Outbox.insert(events)) }
    }

    private static let columns: SQL = """
        b.id, r.id, r.name, r.kind, b.starts_at, b.ends_at, b.reason, b.created_by
        from block b join resource r on r.id = b.resource_id
        """

    private static func read(_ row: PostgresRow) throws -> Block {
        Block(
            id: try row[0],
            resource: NamedResource(id: try row[1], name: try row[2], kind: try row[3]),
            startsAt: try row[4], endsAt: try row[5], reason: try row[6], createdBy: try row[7])
    }
}
