/// Figures by day (E-17, X-108) and the search in notes (E-16).
enum AnalyticsMigration {
    static let sql = daily + search

    /// Days are local ones: of the slot, or of the offering while there is no slot. A booking
    /// counts once on the day it was made and once on that of its slot; these are two questions
    /// and never one sum. Revenue is what came less what went back, whatever became of the booking.
    private static let daily = """
        create materialized view analytics_daily as
            with counted as (
                select b.*, coalesce(s.location_id, o.location_id) as place,
                    coalesce(s.time_zone, o.time_zone) as zone, s.local_date,
                    coalesce((select sum(l.amount) from payment_ledger l
                        where l.booking_id = b.id), 0)::bigint as revenue
                from booking b
                join offering o on o.id = b.offering_id
                left join slot s on s.id = b.confirmed_slot_id
            )
            select d.basis, d.day, coalesce(c.place::text, '') as location, c.offering_id,
                c.currency, count(*) as bookings, sum(c.quantity)::bigint as quantity,
                count(*) filter (where c.status in ('pending', 'pending_payment')) as pending,
                count(*) filter (where c.status in ('confirmed', 'in_progress')) as confirmed,
                count(*) filter (where c.status = 'completed') as completed,
                count(*) filter (where c.status = 'no_show') as no_show,
                count(*) filter (where c.status = 'cancelled') as cancelled,
                count(*) filter (where c.status = 'rejected') as rejected,
                count(*) filter (where c.status = 'expired') as expired,
                count(*) filter (where c.status = 'rescheduled') as rescheduled,
                sum(c.revenue)::bigint as revenue,
                count(*) filter (where c.revenue > 0) as paid
            from counted c cross join lateral (values
                ('booking', (c.created_at at time zone c.zone)::date),
                ('appointment', c.local_date)) d (basis, day)
            where d.day is not null
            group by 1, 2, 3, 4, 5
            with no data;
        create unique index analytics_daily_row on analytics_daily
            (basis, day, location, offering_id, currency);
        create table analytics_refresh (
            only_row boolean primary key default true check (only_row),
            as_of timestamptz not null
        );
        create function refresh_analytics(older_than interval) returns boolean
        language plpgsql security definer set search_path from current as $$
        begin
            if not pg_try_advisory_xact_lock(hashtextextended('analytics', 0)) then
                return false;
            end if;
            if exists (select from analytics_refresh where as_of > transaction_timestamp() - older_than)
            then
                return false;
            end if;
            if exists (select from analytics_refresh) then
                refresh materialized view concurrently analytics_daily;
            else
                refresh materialized view analytics_daily;
            end if;
            insert into analytics_refresh (as_of) values (transaction_timestamp())
            on conflict (only_row) do update set as_of = excluded.as_of;
            return true;
        end $$;

        """

    /// An index on the words, not a column with them: a new column would rewrite every booking.
    private static let search = """
        do $$
        declare
            language text := coalesce((select 'pg_catalog.indonesian' from pg_ts_config
                where cfgname = 'indonesian' limit 1), 'pg_catalog.simple');
        begin
            execute format('create function note_words(notes text) returns tsvector
                language sql immutable parallel safe
                as $f$ select to_tsvector(%L::regconfig, notes) $f$', language);
            execute format('create function note_query(words text) returns tsquery
                language sql immutable parallel safe
                as $f$ select websearch_to_tsquery(%L::regconfig, words) $f$', language);
        end $$;
        create index booking_by_notes on booking using gin (note_words(notes)) where notes <> '';

        """
}
