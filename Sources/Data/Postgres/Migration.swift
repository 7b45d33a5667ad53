/// One step of a schema. Once applied anywhere it must never change; a later step corrects it.
public struct Migration: Sendable, Hashable {
    /// Above zero; steps run in ascending order.
    public let version: Int
    public let name: String
    /// Any number of statements that can run inside a transaction, without `begin` and `commit`.
    /// Names without a schema belong to the schema of the ``Migrator``.
    public let sql: String

    public init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }
}

/// What is known about one applied migration.
struct AppliedMigration: Sendable {
    let version: Int
    let checksum: String
}

/// Compares the migrations of the program with those of the database. Pure.
enum MigrationPlan {
    /// The migrations that are still to be applied, in order.
    ///
    /// - Parameter checksums: of `known`, in the same order.
    /// - Throws: ``PostgresError/Code/migrationRefused`` for a changed, missing or newer migration,
    ///   and for a new one that is older than one already applied.
    static func pending(
        _ known: [Migration], checksums: [String], applied: [AppliedMigration], schema: String
    ) throws(PostgresError) -> [Migration] {
        let newest = applied.map(\.version).max() ?? 0
        for entry in applied {
            guard let index = known.firstIndex(where: { $0.version == entry.version }) else {
                throw refuse(
                    "schema \(schema) is at version \(newest), which has migration "
                        + "\(entry.version) that this program does not know")
            }
            guard checksums[index] == entry.checksum else {
                throw refuse(
                    "migration \(entry.version) of schema \(schema) has been changed "
                        + "after it was applied")
            }
        }
        let done = Set(applied.map(\.version))
        let pending = known.filter { !done.contains($0.version) }
        if let late = pending.first(where: { $0.version < newest }) {
            throw refuse(
                "migration \(late.version) of schema \(schema) is new but older than the applied "
                    + "\(newest)")
        }
        return pending
    }

    static func checkOrder(_ known: [Migration]) throws(PostgresError) {
        var previous = 0
        for migration in known {
            guard migration.version > previous else {
                throw refuse("migration \(migration.version) is not above \(previous)")
            }
            previous = migration.version
        }
    }

    private static func refuse(_ message: String) -> PostgresError {
        PostgresError(code: .migrationRefused, message: message, blame: .us)
    }
}
