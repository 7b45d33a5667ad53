public import Environment
public import Postgres
public import Protobuf

/// An event on its way out: written in the transaction of the change that it tells of.
public struct OutboxEvent: Sendable {
    /// The Kafka topic and the event's type, for example `booking.created`.
    public let topic: String
    /// The aggregate's id: the record's key, so that its events stay in order.
    public let id: String
    /// What happened, for example `slot_assigned`.
    public let action: String
    /// 1, 2, 3 … of the aggregate.
    public let version: Int64
    /// Ids and numbers only.
    public let data: [(String, JSONValue)]
    public let at: Instant
    public let eventID: UUID

    public init(
        topic: String, id: String, action: String, version: Int64, data: [(String, JSONValue)],
        at: Instant, eventID: UUID = .timeOrdered()
    ) {
        self.topic = topic
        self.id = id
        self.action = action
        self.version = version
        self.data = data
        self.at = at
        self.eventID = eventID
    }

    /// The envelope of B-17, which is the proto3 JSON of `janji.events.v1.Event`.
    public var envelope: String {
        let payload: JSONValue = .object([
            ("id", .string(id)), ("action", .string(action)), ("data", .object(data)),
            ("version", .string(String(version))),
        ])
        let event: JSONValue = .object([
            ("topic", .string(topic)), ("timestamp", .string(at.rfc3339)),
            ("event_type", .string(topic)), ("payload", payload),
            ("event_id", .string(eventID.description)),
        ])
        return String(decoding: event.encoded(), as: UTF8.self)
    }

    /// The row's values, for `insert into outbox (topic, key, event_id, body)` forms.
    public var row: SQL { "(\(topic)::text, \(id)::text, \(eventID)::uuid, \(envelope)::text)" }
}

/// The outbox table of a service's schema.
public enum Outbox {
    /// One statement that stores the events; belongs in the transaction of the change.
    public static func insert(_ events: [OutboxEvent]) -> SQL {
        "insert into outbox (topic, key, event_id, body) values \(events.map(\.row).joined())"
    }

    /// The tables of the outbox; part of the first migration of every service that publishes.
    ///
    /// The queue is the rows without `published_at`, so that a late commit is never passed over
    /// (reliability.md, finding 4). Within one aggregate ids follow commits: its row is locked when
    /// the event is written.
    public static let tables = """
        create table outbox (
            id bigint generated always as identity primary key,
            xid xid8 not null default pg_current_xact_id(),
            topic text not null,
            key text not null,
            event_id uuid not null,
            body text not null,
            created_at timestamptz not null default clock_timestamp(),
            published_at timestamptz
        );
        create index outbox_unpublished on outbox (xid, id) where published_at is null;
        create table outbox_lease (
            only_row boolean primary key default true check (only_row),
            owner uuid not null,
            expires_at timestamptz not null
        );
        """

    /// A later migration of every service that publishes: rows are taken in the order of ids. The
    /// order of transaction ids is that of their first writes, not of their locks.
    public static let queueOrder = """
        drop index outbox_unpublished;
        create index outbox_queue on outbox (id) where published_at is null;

        """

    /// A later migration of every service that publishes: divided by month, and kept for 30 days so
    /// that events can be sent again. Needs ``Partitions/functions``, and the table to be locked.
    public static let byMonth =
        """
        alter table outbox alter column id drop identity, drop constraint outbox_pkey;
        drop index outbox_queue;
        create sequence outbox_id;
        select setval('outbox_id', coalesce(max(id), 0) + 1, false) from outbox;

        """ + Partitions.setAside("outbox") + """
            create table outbox (
                id bigint not null default nextval('outbox_id'),
                xid xid8 not null default pg_current_xact_id(),
                topic text not null,
                key text not null,
                event_id uuid not null,
                body text not null,
                created_at timestamptz not null default clock_timestamp(),
                published_at timestamptz,
                primary key (id, created_at)
            ) partition by range (created_at);
            create index outbox_queue on outbox (id) where published_at is null;

            """ + Partitions.adopt("outbox")
        + Partitions.rule(
            "outbox", by: "created_at", .time, days: 30, unless: "published_at is null")
}
