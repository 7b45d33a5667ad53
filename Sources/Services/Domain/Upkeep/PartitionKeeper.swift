public import Lifecycle
public import Loop
public import Postgres
public import Telemetry

/// Makes the months ahead and drops those that are old enough, for one schema (E-15).
///
/// Works in the service's own role through ``Partitions/functions``; of all replicas one works at a
/// time. Three months are ready ahead, so nothing depends on its being on time.
public struct PartitionKeeper: Service {
    /// What was found and done for one table.
    public struct Report: Sendable, Hashable {
        public let table: String
        public let made: Int
        public let dropped: Int
        /// Months that are ready ahead of the present one.
        public let ahead: Int
        /// Rows in the default partition: of no month that is kept. Always 0 when all is well.
        public let strays: Int
    }

    private let pool: PostgresPool
    private let recurrence: Recurrence
    private let metrics: Metrics
    private let schema: String

    public init(
        schema: String, pool: PostgresPool, loop: EventLoop, interval: Duration = .seconds(3600),
        logger: Logger, metrics: Metrics
    ) {
        self.schema = schema
        self.pool = pool
        recurrence = Recurrence(on: loop, every: interval, logger: logger)
        self.metrics = metrics
    }

    public func run() async throws {
        // A failure is most likely a lock that was not free within a second: traffic goes first.
        try await recurrence.run(
            "the partitions wait", afterFailure: min(recurrence.interval, .seconds(60))
        ) {
            _ = try await keep()
            return nil
        }
    }

    /// One round; empty when another replica is at it.
    func keep() async throws -> [Report] {
        let rows = try await pool.query(
            "select parent, made, dropped, ahead, strays from keep_partitions()")
        let reports = try rows.map { row in
            Report(
                table: try row[0], made: try row[1], dropped: try row[2], ahead: try row[3],
                strays: try row[4])
        }
        for report in reports { tell(report) }
        return reports
    }

    private func tell(_ report: Report) {
        let labels = [("schema", schema), ("table", report.table)]
        metrics.gauge(
            "janji_partitions_ahead", help: "Months ready ahead of the present one.",
            labels: labels
        ).set(report.ahead)
        metrics.gauge(
            "janji_partition_strays", help: "Rows in a default partition; must be 0.",
            labels: labels
        ).set(report.strays)
        let fields: LogFields = [
            "schema": .string(schema), "table": .string(report.table),
            "made": LogValue(report.made), "dropped": LogValue(report.dropped),
            "strays": LogValue(report.strays),
        ]
        if report.strays > 0 {
            recurrence.logger.error("rows belong to no month that is kept", fields)
        } else if report.made + report.dropped > 0 {
            recurrence.logger.info("partitions were kept", fields)
        }
    }
}
