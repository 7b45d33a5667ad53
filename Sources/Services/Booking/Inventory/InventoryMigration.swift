/// Resources of any kind and number for a slot, what blocks them, and where and when slots are.
enum InventoryMigration {
    static let sql = resources + slots + blocks + conflicts + indexes

    /// `slot_resource` is the truth of what a slot needs, in place of its two columns. It repeats
    /// the slot's times, which never change, for the look from a resource to its slots.
    private static let resources = """
        alter table resource
            drop constraint resource_kind_check,
            add constraint resource_kind check (kind ~ '^[a-z][a-z0-9_]{0,31}$'),
            add column location_id uuid references location,
            add column capacity int check (capacity between 1 and 10000);
        alter table offering add column kind text not null default 'course'
            constraint offering_kind check (kind ~ '^[a-z][a-z0-9_]{0,31}$');
        create table slot_resource (
            slot_id uuid not null references slot,
            resource_id uuid not null references resource,
            starts_at timestamptz not null,
            occupies tstzrange not null,
            primary key (slot_id, resource_id)
        );
        insert into slot_resource
            select s.id, r.id, s.starts_at, tstzrange(s.starts_at, s.ends_at, '[)')
            from slot s cross join lateral (values (s.instructor_id), (s.room_id)) r(id)
            on conflict do nothing;

        """

    /// `occupies` is the time of the claims: the policy's buffers before and after included, as
    /// they were when the slot was published. The day is that of the slot's own zone, and stays
    /// when an offering moves. `is_open` is stored, so that the indexes of free slots
    /// follow only the change from free to full: `taken` itself may change in place.
    private static let slots = """
        alter table slot
            add column location_id uuid references location,
            add column time_zone text,
            add column local_date date,
            add column occupies tstzrange,
            add column withdrawn_at timestamptz;
        update slot s set time_zone = o.time_zone, location_id = o.location_id,
            local_date = (s.starts_at at time zone o.time_zone)::date,
            occupies = tstzrange(s.starts_at, s.ends_at, '[)')
        from offering o where o.id = s.offering_id;
        drop index slot_by_offering;
        drop index slot_by_time;
        alter table slot
            alter column time_zone set not null,
            alter column local_date set not null,
            alter column occupies set not null,
            add constraint slot_local_date
                check (local_date = (starts_at at time zone time_zone)::date),
            add constraint slot_occupies
                check (occupies @> tstzrange(starts_at, ends_at, '[)')),
            add constraint slot_withdrawn check (withdrawn_at is null or status = 'unavailable'),
            drop column instructor_id,
            drop column room_id,
            add column is_open boolean not null
                generated always as (status = 'available' and taken < capacity) stored;

        """

    /// A block is a claim without a slot.
    private static let blocks = """
        create table block (
            id uuid primary key,
            resource_id uuid not null references resource,
            starts_at timestamptz not null,
            ends_at timestamptz not null,
            reason text not null,
            created_by text not null,
            created_at timestamptz not null,
            removed_at timestamptz,
            removed_by text,
            check (starts_at < ends_at)
        );
        create index block_by_resource on block (resource_id, starts_at) where removed_at is null;
        alter table claim
            alter column slot_id drop not null,
            add column block_id uuid unique references block,
            add constraint claim_of_one check (num_nonnulls(slot_id, block_id) = 1);

        """

    /// A-20 keeps its name and arguments; it asks the function for any number of resources.
    private static let conflicts = """
        drop function check_schedule_conflicts(uuid, uuid, timestamptz, timestamptz, uuid);
        create function check_resource_conflicts(
            p_resource_ids uuid[], p_start_time timestamptz, p_end_time timestamptz,
            p_exclude_booking_id uuid default null
        ) returns table (
            resource_id uuid, resource_kind text, resource_name text,
            start_time timestamptz, end_time timestamptz, slot_id uuid, booking_id uuid,
            block_id uuid, reason text
        ) language sql stable as $$
            select r.id, r.kind, r.name, lower(c.during), upper(c.during), c.slot_id,
                (select b.id from booking b
                 where b.confirmed_slot_id = c.slot_id
                   and b.status in ('confirmed', 'pending_payment', 'in_progress')
                 order by b.confirmed_at limit 1),
                c.block_id, coalesce(k.reason, '')
            from claim c join resource r on r.id = c.resource_id
            left join block k on k.id = c.block_id
            where c.resource_id = any(p_resource_ids)
              and c.during && tstzrange(p_start_time, p_end_time, '[)')
              and not exists (
                select from booking b
                where b.id = p_exclude_booking_id and b.confirmed_slot_id = c.slot_id)
            order by lower(c.during), r.kind, r.name
        $$;
        create function check_schedule_conflicts(
            p_instructor_id uuid, p_room_id uuid, p_start_time timestamptz, p_end_time timestamptz,
            p_exclude_booking_id uuid default null
        ) returns table (
            resource_id uuid, resource_kind text, resource_name text,
            start_time timestamptz, end_time timestamptz, slot_id uuid, booking_id uuid,
            block_id uuid, reason text
        ) language sql stable as $$
            select * from check_resource_conflicts(
                array[p_instructor_id, p_room_id], p_start_time, p_end_time, p_exclude_booking_id)
        $$;

        """

    /// Free slots by what is asked for, in the order of the answer; the calendar of a location
    /// each is asserted by FindPlanTests).
    private static let indexes = """
        create index slot_resource_by_time on slot_resource (resource_id, starts_at, slot_id)
            include (occupies);
        create index slot_open_by_time on slot (starts_at, id) where is_open;
        create index slot_open_by_offering on slot (offering_id, starts_at, id) where is_open;
        create index slot_open_by_location on slot (location_id, starts_at, id) where is_open;
        create index slot_by_day on slot (location_id, local_date);
        """
}
