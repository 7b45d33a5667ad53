import Domain
import Environment
import Postgres
import Schema

/// A person, a room, a field.
struct Resource: Sendable, Hashable {
    let id: UUID
    let name: String
    let kind: String
    let locationID: UUID?
    let capacity: Int?
}

/// The SQL of resources.
struct ResourceStore: Sendable {
    let pool: PostgresPool

    func list(kind: String?, location: UUID?) async throws -> [Resource] {
        try await pool.query(
            """
            select id, name, kind, location_id, capacity from resource
            where (\(nullable: kind)::text is null or kind = \(nullable: kind))
              and (\(nullable: location)::uuid is null or location_id = \(nullable: location))
            order by kind, name, id
            """
        ).map { row in
            Resource(
                id: try row[0], name: try row[1], kind: try row[2], locationID: try row[3],
                capacity: try row[4])
        }
    }

    /// - Throws: INVALID_TRANSITION when it is of another kind, LOCATION_NOT_FOUND.
    func save(_ resource: Resource, _ transaction: PostgresTransaction) async throws {
        do {
            let saved = try await transaction.execute(
                """
                insert into resource (id, kind, name, location_id, capacity)
                values (\(resource.id), \(resource.kind), \(resource.name),
                    \(nullable: resource.locationID), \(nullable: resource.capacity))
                on conflict (id) do update set name = excluded.name,
                    location_id = excluded.location_id, capacity = excluded.capacity
                where resource.kind = excluded.kind
                """)
            guard saved == 1 else {
                throw DomainError(.invalidTransition, "the resource is of another kind")
            }
        } catch let error as PostgresError where error.sqlState == .foreignKeyViolation {
            throw DomainError(.locationNotFound, "there is no such location")
        }
    }

    func delete(_ id: UUID, _ transaction: PostgresTransaction) async throws {
        try await Deletion.run(
            "delete from resource where id = \(id)", "the resource", transaction)
    }
}
