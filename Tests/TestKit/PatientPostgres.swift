public import Postgres

extension PostgresConfiguration {
    /// With limits that a busy machine does not reach: for what shall succeed.
    public static func patient(_ url: String) -> PostgresConfiguration {
        PostgresConfiguration(
            url: url, connectTimeout: .seconds(30), acquireTimeout: .seconds(30),
            defaultQueryTimeout: .seconds(60), lockTimeout: .seconds(60),
            idleInTransactionTimeout: .seconds(120), statementTimeout: .seconds(120))
    }
}

extension PostgresCluster {
    /// An empty database on the cluster that all tests share. Where the server starts first it
    /// takes seconds: on a thread of its own that keeps no other test waiting.
    /// - Returns: its URI.
    public static func sharedDatabase(_ name: String) async throws -> String {
        try await offThread { try shared().database(named: name) }
    }
}
