import TestKit

/// What only the owner of the database may do.
enum PostgresClusterSQL {
    @discardableResult
    static func run(_ sql: String, on database: String) throws -> String {
        try PostgresCluster.shared().psql(sql, database: database)
    }
}

extension Fixture {
    /// Sessions of this database that wait for somebody's lock.
    var sessionsThatWait: Int {
        get throws {
            let answer = try PostgresClusterSQL.run(
                """
                select count(*) from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock'
                """, on: "booking_\(name)")
            return Int(answer.prefix { $0.isNumber }) ?? 0
        }
    }
}
