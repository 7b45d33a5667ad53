import Environment
import Postgres

/// Slots that share a resource at the same time: what one claims, the others cannot have.
enum SlotNeighbours {
    /// No slot is longer. A look for overlaps begins so far back, and a day for each buffer.
    static let longest = Duration.seconds(7 * 24 * 3600)

    static let buffer = Duration.seconds(24 * 3600)

    /// In one answer at most.
    static let limit = 200

    /// Others that touch the time in which the slot occupies its resources.
    static func select(of slot: Slot) -> SQL {
        select(
            slot.resources.map(\.id), from: slot.occupiedFrom, until: slot.occupiedUntil,
            except: slot.id)
    }

    /// Slots of the resources that touch a time.
    static func select(
        _ resources: [UUID], from: Instant, until: Instant, except slot: UUID? = nil,
        limit: Int = limit
    ) -> SQL {
        """
        select \(SlotRow.columns) from \(SlotRow.tables)
        where s.id in (
            select x.slot_id from slot_resource x
            where x.resource_id = any(\(resources))
              and x.starts_at > \(from - longest - buffer) and x.starts_at < \(until + buffer)
              and x.occupies && tstzrange(\(from), \(until), '[)'))
          and s.withdrawn_at is null
          and s.id is distinct from \(nullable: slot)
        order by s.id limit \(limit)::int
        """
    }

    /// Others that share a resource with the given slots at their time.
    static func select(of ids: [UUID]) -> SQL {
        """
        select \(SlotRow.columns) from \(SlotRow.tables)
        where s.id in (\(sharing(ids))) and s.withdrawn_at is null and s.id <> all(\(ids))
        order by s.id
        """
    }

    private static func sharing(_ ids: [UUID]) -> SQL {
        """
        select y.slot_id from slot_resource x
        join slot_resource y on y.resource_id = x.resource_id and y.occupies && x.occupies
          and y.starts_at > lower(x.occupies) - interval '8 days'
          and y.starts_at < upper(x.occupies) + interval '1 day'
        where x.slot_id = any(\(ids))
        """
    }

    /// The given slots, then the others that their claims may block.
    static func withNeighbours(_ ids: [UUID]) -> SQL {
        """
        select \(SlotRow.columns) from \(SlotRow.tables)
        where s.id = any(\(ids)) or s.id in (\(sharing(ids)))
        order by s.id = any(\(ids)) desc, s.id
        """
    }

    /// New versions of resources, and by that of all their slots; ascending by id, after claims.
    ///
    /// Two statements for one batch: an update that finds the rows it has itself locked changed
    /// since its snapshot waits for those who wait for it, and the server calls it a deadlock
    /// (BlockRaceTests).
    static func touch(_ resources: [UUID]) -> [SQL] {
        [
            """
            select from resource where id = any(\(resources)) order by id for no key update
            """,
            """
            update resource set version = nextval('slot_version') where id = any(\(resources))
            returning id, version
            """,
        ]
    }
}
