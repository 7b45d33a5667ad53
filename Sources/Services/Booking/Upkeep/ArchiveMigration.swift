import Domain

/// The archive of bookings that ended long ago: each table of ``tables`` again, by the month in
/// which a row was moved there (``ArchiveStore``). What a booking has is moved at one moment, so
/// that it goes out of the archive together too.
///
/// What stays where it was: slots with their seats, resources and claims. Events, idempotency keys
/// and entries of waiting lists go after times of their own. The history of a booking outlives its
/// row, so it refers to it no more; that each change has its history is the booking's own rule
/// (``UpkeepMigration``).
enum ArchiveMigration {
    /// The lock that traffic can meet comes last, and is held for a moment.
    static let sql = archives + ledger + months + locks + history

    /// A table with the suffix `_archive` has the columns of the one without, in their order, after
    /// `archived_at`: a column that is added to one is added to the other.
    static let tables = [
        "booking", "registration", "contact", "payment_record", "refund", "payment_proof",
    ]

    /// Days in the archive, by whole months: seven years.
    static let keepDays = 2557

    /// At once and in the order of those who write, so that nobody waits crosswise.
    private static let locks = """
        lock table booking, booking_history in access exclusive mode;

        """

    /// The name is the database's, and not the same in all of them.
    private static let history = """
        do $$
        declare
            name text;
        begin
            for name in select conname from pg_constraint
                where conrelid = 'booking_history'::regclass and contype = 'f'
                    and confrelid = 'booking'::regclass
            loop
                execute format('alter table booking_history drop constraint %I', name);
            end loop;
        end $$;

        """

    private static let archives =
        tables.map(archive).joined() + """
            create index booking_archive_by_slot on booking_archive (confirmed_slot_id)
                where confirmed_slot_id is not null;
            create index payment_record_archive_by_booking on payment_record_archive (booking_id);
            create index refund_archive_by_payment on refund_archive (payment_id);
            create index payment_proof_archive_by_payment on payment_proof_archive (payment_id);

            """

    private static func archive(_ table: String) -> String {
        let key = table == "registration" || table == "contact" ? "booking_id" : "id"
        return """
            create table \(table)_archive (
                archived_at timestamptz not null, like \(table), primary key (\(key), archived_at)
            ) partition by range (archived_at);

            """ + Partitions.rule("\(table)_archive", by: "archived_at", .time, days: keepDays)
    }

    /// As `payment_ledger`.
    private static let ledger = """
        create view payment_ledger_archive as
            select booking_id, id as payment_id, null::uuid as refund_id, 'charge' as kind,
                amount, currency, provider, paid_at as at
            from payment_record_archive where status = 'completed'
            union all
            select p.booking_id, p.id, r.id, 'refund', -r.amount, p.currency, p.provider,
                r.completed_at
            from refund_archive r join payment_record_archive p on p.id = r.payment_id
            where r.status = 'completed';

        """

    private static let months = """
        select count(make_partition(r, partition_month(clock_timestamp(), n)))
        from partition_rule r cross join generate_series(0, r.ahead) n
        where r.parent = any(array[\(tables.map { "'\($0)_archive'" }.joined(separator: ", "))]);

        """
}
