/// What a rescheduled booking was paid is the revenue of the visit that took place: by the
/// day of the appointment, the ledger of a line counts for the booking at its end. By the day a
/// booking was made it stays where it was paid.
///
/// The new view is filled before it takes the place of the old one, as in
/// ``AnalyticsArchiveMigration``. A line is followed for a thousand moves, more than a policy
/// allows; one that is longer counts where that ends.
enum VisitRevenueMigration {
    static let sql = """
        select pg_advisory_xact_lock(hashtextextended('analytics', 0));
        create materialized view analytics_next as
            with recursive booked as (
                select id, offering_id, confirmed_slot_id, status, quantity, currency, created_at,
                    rescheduled_from, rescheduled_to
                from booking
                union all
                select id, offering_id, confirmed_slot_id, status, quantity, currency, created_at,
                    rescheduled_from, rescheduled_to
                from booking_archive
            ), moved as (
                select id, rescheduled_from as previous, rescheduled_to as next from booked
                where rescheduled_from is not null or rescheduled_to is not null
            ), line (id, previous, visit, moves) as (
                select id, previous, id, 0 from moved where next is null
                union all
                select m.id, m.previous, l.visit, l.moves + 1
                from line l join moved m on m.id = l.previous where l.moves < 1000
            ), kept as (
                select booking_id, sum(amount)::bigint as revenue from (
                    select booking_id, amount from payment_ledger
                    union all
                    select booking_id, amount from payment_ledger_archive) l
                group by booking_id
            ), earned as (
                select coalesce(l.visit, k.booking_id) as booking_id,
                    sum(k.revenue)::bigint as revenue
                from kept k left join line l on l.id = k.booking_id
                group by 1
            ), counted as (
                select b.*, coalesce(s.location_id, o.location_id) as place,
                    coalesce(s.time_zone, o.time_zone) as zone, s.local_date,
                    coalesce(k.revenue, 0) as paid_there, coalesce(e.revenue, 0) as earned
                from booked b
                join offering o on o.id = b.offering_id
                left join slot s on s.id = b.confirmed_slot_id
                left join kept k on k.booking_id = b.id
                left join earned e on e.booking_id = b.id
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
                sum(d.revenue)::bigint as revenue,
                count(*) filter (where d.revenue > 0) as paid
            from counted c cross join lateral (values
                ('booking', (c.created_at at time zone c.zone)::date, c.paid_there),
                ('appointment', c.local_date, c.earned)) d (basis, day, revenue)
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
