public import Environment
public import Postgres

/// The events that a service has published, kept for weeks: to look at, and to publish again when
/// Kafka or a consumer has lost some (reliability promise 3).
public struct OutboxArchive: Sendable {
    private let pool: PostgresPool

    public init(pool: PostgresPool) {
        self.pool = pool
    }

    /// Which events are meant; what is nil does not matter.
    public struct Selection: Sendable, Hashable {
        public var topic: String?
        public var key: String?
        /// By the database's clock; `until` is not included.
        public var since: Instant?
        public var until: Instant?

        public init(
            topic: String? = nil, key: String? = nil, since: Instant? = nil, until: Instant? = nil
        ) {
            self.topic = topic
            self.key = key
            self.since = since
            self.until = until
        }

        public var isEverything: Bool { self == Selection() }

        fileprivate var sql: SQL {
            var terms: [SQL] = ["true"]
            if let topic { terms.append("topic = \(topic)") }
            if let key { terms.append("key = \(key)") }
            if let since { terms.append("created_at >= \(since)") }
            if let until { terms.append("created_at < \(until)") }
            return terms.joined(separator: " and ")
        }
    }

    /// Where an event stands among all others, `xid.id`. Transactions that are still running have
    /// events to come at any id, so only those below the oldest of them are told: whoever goes on
    /// after a cursor misses nothing (reliability.md, finding 4).
    public struct Cursor: Sendable, Hashable, CustomStringConvertible {
        let xid: String
        let id: Int64

        init(xid: String, id: Int64) {
            self.xid = xid
            self.id = id
        }

        public init?(_ text: String) {
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 2, UInt64(parts[0]) != nil, let id = Int64(parts[1]) else {
                return nil
            }
            xid = String(parts[0])
            self.id = id
        }

        public var description: String { "\(xid).\(id)" }
    }

    public struct Entry: Sendable {
        public let cursor: Cursor
        public let at: Instant
        public let topic: String
        public let key: String
        public let eventID: UUID
        public let publishedAt: Instant?
        /// The envelope.
        public let body: String
    }

    /// Events in the order of their transactions, after a cursor.
    public func list(
        _ selection: Selection, after cursor: Cursor? = nil, limit: Int
    ) async throws -> [Entry] {
        let start = cursor ?? Cursor(xid: "0", id: 0)
        return try await pool.query(
            """
            select xid::text as place, id, created_at, topic, key, event_id, published_at, body
            from outbox
            where (xid < pg_snapshot_xmin(pg_current_snapshot())
                or \(unescaped: String(PlantedBug.listWithoutHorizon.isPlanted)))
              and (xid, id) > (\(start.xid)::text::xid8, \(start.id)::bigint) and \(selection.sql)
            order by xid, id limit \(limit)::int
            """
        ).map { row in
            Entry(
                cursor: Cursor(xid: try row[0], id: try row[1]), at: try row[2], topic: try row[3],
                key: try row[4], eventID: try row[5], publishedAt: try row[6], body: try row[7])
        }
    }

    /// How many events ``replay(_:)`` would publish again.
    public func replayable(_ selection: Selection) async throws -> Int {
        try await pool.query(
            "select count(*) from outbox o join \(Self.first(selection)) and o.published_at is not null"
        ).single()[0]
    }

    /// Publishes the selected events again, and everything that came after them on the same topic
    /// and key: the last that a consumer hears of an aggregate, and the last that a compacted topic
    /// keeps, must not be an old one. The relay does it, in order; consumers know them by
    /// `event_id` and version.
    /// - Returns: how many events will be published.
    public func replay(_ selection: Selection, deadline: Deadline? = nil) async throws -> Int {
        try await pool.execute(
            """
            update outbox o set published_at = null from \(Self.first(selection, joined: "where"))
              and o.published_at is not null
            """, deadline: deadline)
    }

    private static func first(_ selection: Selection, joined: String = "on") -> SQL {
        """
        (select topic, key, min(id) as id from outbox where \(selection.sql)
            group by topic, key) first
        \(unescaped: joined) o.topic = first.topic and o.key = first.key and o.id >= first.id
          and (not \(unescaped: String(PlantedBug.replayWithoutRest.isPlanted)) or o.id = first.id)
        """
    }
}
