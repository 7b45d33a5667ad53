import TestKit

/// What only the owner of the database may do.
enum PostgresClusterSQL {
    @discardableResult
    static func run(_ sql: String, on database: String) throws -> String {
        try PostgresCluster.shared().psql(sql, database: database)
    }
}
