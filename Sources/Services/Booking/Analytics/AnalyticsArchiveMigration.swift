/// The figures of days whose bookings are in the archive (``ArchiveMigration``) stay what they
/// were, as long as the archive has them.
///
/// The new view is filled before it takes the place of the old one: readers wait for no more than
/// the exchange. Whoever refreshes meanwhile goes without.
enum AnalyticsArchiveMigration {
    static let sql = """
        select pg_advisory_xact_lock(hashtextextended('analytics', 0));
        create materialized view analytics_next as
            with booked as (
                select id, offering_id, confirmed_slot_id, status, quantity, currency, created_at
                from booking
                union all
                select id, offering_id, confirmed_slot_id, status, quantity, currency, created_at
                from booking_archive
            ), kept as (
                select booking_id, sum(amount)::bigint as revenue from (
                    select booking_id, amount from payment_ledger
                    union all
                    select booking_id, amount from payment_ledger_archive) l
                group by booking_id
            ), counted as (
                select b.*, coalesce(s.location_id, o.location_id) as place,
                    coalesce(s.time_zone, o.time_zone) as zone, s.local_date,
                    coalesce(k.revenue, 0) as revenue
                from booked b
                join offering o on o.id = b.offering_id
                left join slot s on s.id = b.confirmed_slot_id
                left join kept k on k.booking_id = b.id
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
            group by 1, 2, 3, 4, 5;
        create unique index analytics_next_row on analytics_next
            (basis, day, location, offering_id, currency);
        drop materialized view analytics_daily;
        alter materialized view analytics_next rename to analytics_daily;
        alter index analytics_next_row rename to analytics_daily_row;
        update analytics_refresh set as_of = transaction_timestamp();

        """
}
