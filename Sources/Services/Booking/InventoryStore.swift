import Domain
import Environment
import Postgres

/// The SQL of publishing: offerings, resources, slots and the claims of group classes.
struct InventoryStore: Sendable {
    let pool: PostgresPool

    struct Publication: Sendable, Hashable {
        let id: UUID
        let instructor: NamedResource
        let room: NamedResource
        let startsAt: Instant
        let endsAt: Instant
        let capacity: Int
    }

    func publish(_ offering: Offering) async throws {
        try await pool.execute(
            """
            insert into offering (id, code, title, claim_at, time_zone)
            values (\(offering.id), \(offering.code), \(offering.title),
                \(offering.claimAt.rawValue), \(offering.timeZone))
            on conflict (id) do update set code = excluded.code, title = excluded.title,
                time_zone = excluded.time_zone, updated_at = clock_timestamp()
            """)
    }

    func offering(_ id: UUID) async throws -> Offering? {
        try await pool.query(
            "select id, code, title, claim_at, time_zone from offering where id = \(id)"
        ).first.map { row in
            Offering(
                id: try row[0], code: try row[1], title: try row[2],
                claimAt: Offering.ClaimPolicy(rawValue: try row[3]) ?? .assign,
                timeZone: try row[4])
        }
    }

    /// Names of instructors and rooms, ascending by id so that publishers cannot deadlock.
    func insertResources(_ slots: [Publication]) -> SQL {
        var rows: [UUID: (kind: String, name: String)] = [:]
        for slot in slots {
            rows[slot.instructor.id] = ("instructor", slot.instructor.name)
            rows[slot.room.id] = ("room", slot.room.name)
        }
        let values: [SQL] = rows.sorted { $0.key < $1.key }.map {
            "(\($0.key), \($0.value.kind), \($0.value.name))"
        }
        return """
            insert into resource (id, kind, name) values \(values.joined())
            on conflict (id) do update set name = excluded.name
            where resource.name <> excluded.name
            """
    }

    /// - Returns: the ids that are new.
    func insertSlots(
        _ slots: [Publication], of offering: UUID, _ transaction: PostgresTransaction
    ) async throws -> [UUID] {
        let values: [SQL] = slots.sorted { $0.id < $1.id }.map {
            """
            (\($0.id), \(offering), \($0.instructor.id), \($0.room.id), \($0.startsAt),
             \($0.endsAt), \($0.capacity))
            """
        }
        return try await transaction.query(
            """
            insert into slot (id, offering_id, instructor_id, room_id, starts_at, ends_at, capacity)
            values \(values.joined()) on conflict (id) do nothing returning id
            """
        ).map { try $0[0] }
    }

    /// Slots with these ids that say something else than what is published now.
    func differing(
        _ slots: [Publication], of offering: UUID, _ transaction: PostgresTransaction
    ) async throws -> [UUID] {
        let ids = slots.map(\.id)
        let rows = try await transaction.query(
            """
            select id, offering_id, instructor_id, room_id, starts_at, ends_at, capacity
            from slot where id = any(\(ids))
            """)
        let published = Dictionary(
            slots.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        return try rows.compactMap { row -> UUID? in
            let id: UUID = try row[0]
            guard let wanted = published[id] else { return nil }
            let (course, instructor, room): (UUID, UUID, UUID) = (
                try row[1], try row[2], try row[3]
            )
            let (start, end, capacity): (Instant, Instant, Int) = (
                try row[4], try row[5], try row[6]
            )
            let same =
                course == offering && instructor == wanted.instructor.id
                && room == wanted.room.id && start == wanted.startsAt && end == wanted.endsAt
                && capacity == wanted.capacity
            return same ? nil : id
        }
    }

    /// Claims for group classes; fewer rows than twice the slots means a conflict.
    func insertClaims(_ ids: [UUID]) -> SQL {
        """
        insert into claim (resource_id, slot_id, during)
        select r.id, s.id, tstzrange(s.starts_at, s.ends_at, '[)')
        from slot s cross join lateral (values (s.instructor_id), (s.room_id)) as r(id)
        where s.id = any(\(ids))
        order by r.id, s.starts_at
        on conflict do nothing
        """
    }

    /// New versions for every slot of the resources of the given ones; after their claims, in the
    /// order of ``BookingStore/touchResources(of:)``.
    func touchResources(of ids: [UUID]) -> SQL {
        """
        update resource set version = nextval('slot_version') where id in (
            select id from resource where id in (
                select unnest(array[instructor_id, room_id]) from slot where id = any(\(ids)))
            order by id for no key update)
        """
    }

    /// The given slots, then the others that their claims may block.
    func withNeighbours(_ ids: [UUID]) -> SQL {
        """
        select \(SlotRow.columns) from \(SlotRow.tables)
        where s.id = any(\(ids)) or exists (
            select from slot n where n.id = any(\(ids)) and n.id <> s.id
                and (s.instructor_id in (n.instructor_id, n.room_id)
                    or s.room_id in (n.instructor_id, n.room_id))
                and s.starts_at < n.ends_at and s.ends_at > n.starts_at)
        order by s.id = any(\(ids)) desc, s.id
        """
    }
}
