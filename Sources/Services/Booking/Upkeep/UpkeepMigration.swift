import Domain

/// Outbox, inbox and history by month; a status that changes without its history row is refused.
/// Claims, slots, holds, bookings and idempotency keys stay whole: what must be unique across
/// months cannot be divided by time.
enum UpkeepMigration {
    static let sql =
        locks + answeredKeys + Partitions.functions + Outbox.byMonth + Inbox.tables + history
        + guards
        + "select count(*) from keep_partitions_at(clock_timestamp());\n"

    /// At once and in the order of those who write, so that nobody waits crosswise.
    private static let locks = """
        lock table booking, booking_history, outbox in access exclusive mode;

        """

    /// Keys from before answers were kept have nothing to answer with.
    private static let answeredKeys = """
        delete from idempotency_key where response = ''::bytea;

        """

    /// `recorded_at` is the database's clock and decides the month; `at` is the application's.
    private static let history =
        """
        alter table booking_history alter column id drop identity,
            add column recorded_at timestamptz not null default now();
        alter table booking_history drop constraint booking_history_pkey,
            alter column recorded_at set default clock_timestamp();
        create sequence booking_history_id;
        select setval('booking_history_id', coalesce(max(id), 0) + 1, false)
            from booking_history;

        """ + Partitions.setAside("booking_history") + """
            do $$ begin
                execute format('create table booking_history (like %I including defaults)',
                    partition_name('booking_history', clock_timestamp()))
                    || ' partition by range (recorded_at)';
            end $$;
            alter table booking_history alter column id set default nextval('booking_history_id'),
                add primary key (id, recorded_at),
                add foreign key (booking_id) references booking;
            create index booking_history_of_booking on booking_history (booking_id, version);

            """ + Partitions.adopt("booking_history")
        + Partitions.rule("booking_history", by: "recorded_at", .time, days: 1826)

    /// The history row is looked for in the months that this transaction can have written to.
    private static let guards = """
        create function booking_needs_history() returns trigger
        language plpgsql set search_path from current as $$
        begin
            if tg_op = 'UPDATE' and new.version <= old.version or 1 <> (
                select count(*) from booking_history h
                where h.booking_id = new.id and h.version = new.version
                    and h.recorded_at >= transaction_timestamp())
            then
                raise exception 'booking % at version % has no history row of its own',
                    new.id, new.version
                    using errcode = 'integrity_constraint_violation',
                        constraint = 'booking_needs_history';
            end if;
            return null;
        end $$;
        create constraint trigger booking_created_history after insert on booking
            deferrable initially deferred for each row execute function booking_needs_history();
        create constraint trigger booking_changed_history after update on booking
            deferrable initially deferred for each row
            when (old.status is distinct from new.status or old.version <> new.version)
            execute function booking_needs_history();
        create function touch_updated_at() returns trigger language plpgsql as $$
        begin
            new.updated_at := clock_timestamp();
            return new;
        end $$;
        create trigger offering_touched before update on offering
            for each row execute function touch_updated_at();
        create trigger location_touched before update on location
            for each row execute function touch_updated_at();
        create trigger policy_touched before update on policy
            for each row execute function touch_updated_at();

        """
}
