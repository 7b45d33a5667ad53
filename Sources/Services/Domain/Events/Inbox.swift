public import Environment
public import Postgres

/// What a consumer has already done, beside what it did: the row and the effect are of one
/// transaction, so a redelivered event has no second effect (reliability promise 4).
///
/// ```swift
/// try await pool.transaction { transaction in
///     guard try await Inbox.take(event.id, by: "waitlist", transaction) else { return }
///     …  // the effect
/// }
/// ```
public enum Inbox {
    /// Months for which redeliveries are recognised at least; older events are refused.
    public static let days = 30

    /// The table, divided by the event's own id, which begins with its time: so a month can be
    /// dropped whole and the id is unique all the same. Needs ``Partitions/functions``.
    public static let tables =
        """
        create table inbox (
            event_id uuid not null,
            consumer text not null,
            taken_at timestamptz not null default clock_timestamp(),
            primary key (event_id, consumer)
        ) partition by range (event_id);

        """ + Partitions.rule("inbox", by: "event_id", .uuid, days: days)

    /// Takes an event for a consumer. A twin that is taking it at the same time is waited for.
    ///
    /// - Returns: false when the consumer has had it before.
    /// - Throws: ``Stale`` when the event is older than what the inbox remembers: nobody knows any
    ///   more whether it had its effect. Its consumer puts it aside.
    public static func take(
        _ event: UUID, by consumer: String, _ transaction: PostgresTransaction
    ) async throws -> Bool {
        let rows = try await transaction.query(
            """
            insert into inbox (event_id, consumer)
            select \(event), \(consumer)
            where \(event)::uuid >= partition_bound('uuid',
                clock_timestamp() - make_interval(days => \(days)::int))::uuid
            on conflict do nothing
            returning 1
            """)
        if rows.count == 1 { return true }
        let isKnown: Bool = try await transaction.query(
            "select exists (select from inbox where event_id = \(event) and consumer = \(consumer))"
        ).single()[0]
        if isKnown { return false }
        throw Stale(event: event)
    }

    /// An event from before the inbox's memory.
    public struct Stale: Error, CustomStringConvertible {
        public let event: UUID
        public var description: String { "the event \(event) is older than the inbox remembers" }
    }
}
