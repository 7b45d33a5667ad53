import Domain
import Environment
import Postgres
import Schema

/// The SQL of publishing: offerings, resources, slots and the claims of group classes.
struct InventoryStore: Sendable {
    let pool: PostgresPool

    /// An offering with the buffers of its policy.
    struct Terms: Sendable {
        let offering: Offering
        let before: Duration
        let after: Duration
    }

    // MARK: Offerings

    /// Makes an offering known or changes it; when it claims stays. In a location it has its zone.
    /// - Throws: ALREADY_EXISTS, LOCATION_NOT_FOUND, POLICY_NOT_FOUND, VALIDATION_FAILED for an
    ///   unknown zone.
    func publish(_ offering: Offering, _ transaction: PostgresTransaction) async throws {
        do {
            // `at time zone` refuses unknown zones, and its result is always true.
            try await transaction.execute(
                """
                insert into offering (id, code, title, claim_at, kind, location_id, policy, price,
                    currency, time_zone)
                select \(offering.id), \(offering.code), \(offering.title),
                    \(offering.claimAt.rawValue), \(offering.kind), \(nullable: offering.locationID),
                    \(offering.policy), \(offering.price)::bigint, \(offering.currency),
                    coalesce(
                        (select time_zone from location
                            where id = \(nullable: offering.locationID)),
                        \(offering.timeZone))
                where clock_timestamp() at time zone \(offering.timeZone) is not null
                on conflict (id) do update set code = excluded.code, title = excluded.title,
                    kind = excluded.kind, location_id = excluded.location_id,
                    policy = excluded.policy, price = excluded.price, currency = excluded.currency,
                    time_zone = excluded.time_zone, updated_at = clock_timestamp()
                """)
        } catch let error as PostgresError where error.sqlState == .uniqueViolation {
            throw DomainError(.alreadyExists, "the code belongs to another offering")
        } catch let error as PostgresError where error.sqlState == .foreignKeyViolation {
            throw error.constraint == "offering_policy_fkey"
                ? DomainError(.policyNotFound, "there is no such policy")
                : DomainError(.locationNotFound, "there is no such location")
        } catch let error as PostgresError where error.sqlState == SQLState(rawValue: "22023") {
            throw DomainError(
                .validationFailed, "there is no such time zone",
                violations: [.init("offering.time_zone", "is not an IANA time zone")])
        }
    }

    func terms(of id: UUID, _ transaction: PostgresTransaction? = nil) async throws -> Terms? {
        let sql: SQL = """
            select \(OfferingRow.columns), p.buffer_before_seconds, p.buffer_after_seconds
            from offering o join policy p on p.code = o.policy where o.id = \(id)
            """
        let rows =
            if let transaction { try await transaction.query(sql) } else {
                try await pool.query(sql)
            }
        return try rows.first.map { row in
            Terms(
                offering: try OfferingRow.read(row),
                before: .seconds(try row[OfferingRow.count] as Int),
                after: .seconds(try row[OfferingRow.count + 1] as Int))
        }
    }

    // MARK: Slots

    /// Names of resources, ascending by id so that publishers cannot deadlock; nil when none has a
    /// name. A resource keeps its kind.
    func insertResources(_ slots: [SlotPublication]) -> SQL? {
        var rows: [UUID: NamedResource] = [:]
        for slot in slots {
            for resource in slot.resources where !resource.name.isEmpty {
                rows[resource.id] = resource
            }
        }
        guard !rows.isEmpty else { return nil }
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
    /// - Throws: RESOURCE_NOT_FOUND.
    func insertSlots(
        _ slots: [SlotPublication], of terms: Terms, _ transaction: PostgresTransaction
    ) async throws -> [UUID] {
        let values: [SQL] = slots.map {
            """
            (\($0.id)::uuid, \($0.startsAt)::timestamptz, \($0.endsAt)::timestamptz,
             \($0.capacity)::int, \(nullable: $0.price)::bigint)
            """
        }
        let offering = terms.offering
        let new: [UUID] = try await transaction.query(
            """
            insert into slot (id, offering_id, location_id, time_zone, local_date, starts_at,
                ends_at, occupies, capacity, price)
            select v.id, \(offering.id), \(nullable: offering.locationID), \(offering.timeZone),
                (v.starts_at at time zone \(offering.timeZone))::date, v.starts_at, v.ends_at,
                tstzrange(v.starts_at - make_interval(secs => \(terms.before.wholeSeconds)::int),
                    v.ends_at + make_interval(secs => \(terms.after.wholeSeconds)::int), '[)'),
                v.capacity, v.price
            from (values \(values.joined())) v (id, starts_at, ends_at, capacity, price)
            order by v.id on conflict (id) do nothing returning id
            """
        ).map { try $0[0] }
        guard !new.isEmpty else { return [] }
        let isNew = Set(new)
        let pairs = slots.filter { isNew.contains($0.id) }.flatMap { slot in
            slot.resources.map { (slot.id, $0.id) }
        }
        do {
            try await transaction.execute(
                """
                insert into slot_resource (slot_id, resource_id, starts_at, occupies)
                select s.id, v.resource, s.starts_at, s.occupies
                from unnest(\(pairs.map(\.0)), \(pairs.map(\.1))) v (slot, resource)
                join slot s on s.id = v.slot order by v.slot, v.resource
                """)
        } catch let error as PostgresError where error.sqlState == .foreignKeyViolation {
            throw DomainError(.resourceNotFound, "a resource is not known and has no name here")
        }
        return new
    }

    /// Slots with these ids that say something else than what is published now.
    func differing(
        _ slots: [SlotPublication], of offering: UUID, _ transaction: PostgresTransaction
    ) async throws -> [UUID] {
        let ids = slots.map(\.id)
        let rows = try await transaction.query(
            """
            select s.id, s.offering_id, s.starts_at, s.ends_at,
                (select array_agg(x.resource_id order by x.resource_id) from slot_resource x
                    where x.slot_id = s.id), s.capacity, s.price
            from slot s where s.id = any(\(ids))
            """)
        let published = Dictionary(
            slots.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        return try rows.compactMap { row -> UUID? in
            let id: UUID = try row[0]
            guard let wanted = published[id] else { return nil }
            let (course, start, end): (UUID, Instant, Instant) = (
                try row[1], try row[2], try row[3]
            )
            let resources: [UUID]? = try row[4]
            let (capacity, price): (Int, Int64?) = (try row[5], try row[6])
            let same =
                course == offering && start == wanted.startsAt && end == wanted.endsAt
                && capacity == wanted.capacity && price == wanted.price
                && resources == wanted.resources.map(\.id)
            return same ? nil : id
        }
    }

    // MARK: Claims

    /// Claims for group classes. - Returns: how many are missing: each is a conflict.
    func claim(_ ids: [UUID], _ transaction: PostgresTransaction) async throws -> Int {
        let results = try await transaction.batch([
            """
            insert into claim (resource_id, slot_id, during)
            select x.resource_id, x.slot_id, x.occupies from slot_resource x
            where x.slot_id = any(\(ids)) order by x.resource_id, x.starts_at
            on conflict do nothing
            """,
            "select count(*) from slot_resource where slot_id = any(\(ids))",
        ])
        return try results[1].single()[0] - results[0].affectedRows
    }

    /// Slots that could not claim everything, or (offers) whose resources are blocked.
    func conflicting(
        _ ids: [UUID], claimed: Bool, _ transaction: PostgresTransaction
    ) async throws -> [UUID] {
        let condition: SQL =
            claimed
            ? """
            not exists (select from claim c
                where c.slot_id = x.slot_id and c.resource_id = x.resource_id)
            """
            : """
            exists (select from claim c where c.resource_id = x.resource_id
                and c.block_id is not null and c.during && x.occupies)
            """
        return try await transaction.query(
            """
            select distinct x.slot_id from slot_resource x
            where x.slot_id = any(\(ids)) and \(condition)
            """
        ).map { try $0[0] }
    }

    /// Takes back slots of this transaction.
    func remove(_ ids: [UUID], _ transaction: PostgresTransaction) async throws {
        _ = try await transaction.batch([
            "delete from claim where slot_id = any(\(ids))",
            "delete from slot_resource where slot_id = any(\(ids))",
            "delete from slot where id = any(\(ids))",
        ])
    }

    func resources(of ids: [UUID], _ transaction: PostgresTransaction) async throws -> [UUID] {
        try await transaction.query(
            "select distinct resource_id from slot_resource where slot_id = any(\(ids))"
        ).map { try $0[0] }
    }
}

extension Duration {
    fileprivate var wholeSeconds: Int { Int(components.seconds) }
}
