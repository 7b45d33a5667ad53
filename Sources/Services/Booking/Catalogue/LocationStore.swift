import Domain
import Environment
import Postgres
import Schema

/// Where slots are.
struct Location: Sendable, Hashable {
    let id: UUID
    let code: String
    let name: String
    let address: String
    let timeZone: String
}

/// The SQL of locations.
struct LocationStore: Sendable {
    let pool: PostgresPool

    private static func read(_ row: PostgresRow) throws -> Location {
        Location(
            id: try row[0], code: try row[1], name: try row[2], address: try row[3],
            timeZone: try row[4])
    }

    func list() async throws -> [Location] {
        try await pool.query(
            "select id, code, name, address, time_zone from location order by code"
        ).map(Self.read)
    }

    /// By UUID or code.
    func find(_ key: String) async throws -> Location? {
        let condition: SQL = UUID(key).map { "id = \($0)" } ?? "code = \(key)"
        return try await pool.query(
            "select id, code, name, address, time_zone from location where \(condition)"
        ).first.map(Self.read)
    }

    /// Creates or changes it. Its offerings follow its zone; slots, once there, hold it fast.
    func save(_ location: Location, _ transaction: PostgresTransaction) async throws {
        do {
            let known = try await transaction.query(
                "select time_zone from location where id = \(location.id) for update"
            ).first.map { row in try row[0] as String }
            if let known, known != location.timeZone {
                let slots: Bool = try await transaction.query(
                    "select exists (select from slot where location_id = \(location.id))"
                ).single()[0]
                if slots {
                    throw DomainError(
                        .invalidTransition, "slots are published in the zone \(known)")
                }
            }
            _ = try await transaction.batch([
                """
                insert into location (id, code, name, address, time_zone)
                select \(location.id), \(location.code), \(location.name),
                    \(location.address), \(location.timeZone)
                where clock_timestamp() at time zone \(location.timeZone) is not null
                on conflict (id) do update set code = excluded.code, name = excluded.name,
                    address = excluded.address, time_zone = excluded.time_zone,
                    updated_at = clock_timestamp()
                """,
                """
                update offering set time_zone = \(location.timeZone)
                where location_id = \(location.id) and time_zone <> \(location.timeZone)
                """,
            ])
        } catch let error as PostgresError where error.sqlState == .uniqueViolation {
            throw DomainError(.alreadyExists, "the code belongs to another location")
        } catch let error as PostgresError where error.sqlState == SQLState(rawValue: "22023") {
            throw DomainError(
                .validationFailed, "there is no such time zone",
                violations: [.init("time_zone", "is not an IANA time zone")])
        }
    }

    func delete(_ id: UUID, _ transaction: PostgresTransaction) async throws {
        try await Deletion.run(
            "delete from location where id = \(id)", "the location", transaction)
    }
}

/// Deletes what nothing names any more.
enum Deletion {
    /// - Throws: INVALID_TRANSITION while something names it.
    static func run(
        _ sql: SQL, _ what: String, _ transaction: PostgresTransaction
    ) async throws {
        do {
            try await transaction.execute(sql)
        } catch let error as PostgresError where error.sqlState == .foreignKeyViolation {
            throw DomainError(.invalidTransition, "\(what) is still in use")
        }
    }
}
