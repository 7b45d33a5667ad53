import Domain
public import Postgres

/// The tables that belong to the booking service alone (schema `booking`).
public enum BookingMigrations {
    public static let all: [Migration] = [
        Migration(version: 1, name: "inventory", sql: inventory),
        Migration(version: 2, name: "bookings", sql: bookings),
        Migration(version: 3, name: "outbox", sql: Outbox.tables),
        Migration(version: 4, name: "conflicts", sql: conflicts),
        Migration(version: 5, name: "resource versions", sql: resourceVersions),
        Migration(version: 6, name: "queue order", sql: Outbox.queueOrder + confirmedSlots),
        Migration(version: 7, name: "kernel", sql: KernelMigration.sql),
        Migration(version: 8, name: "resources", sql: InventoryMigration.sql),
        Migration(version: 9, name: "appointments", sql: AppointmentMigration.sql),
        Migration(version: 10, name: "payments", sql: PaymentMigration.sql),
        Migration(version: 11, name: "upkeep", sql: UpkeepMigration.sql),
        Migration(version: 12, name: "analytics", sql: AnalyticsMigration.sql),
        Migration(version: 13, name: "waiting lists", sql: WaitlistMigration.sql),
        Migration(version: 16, name: "proofs", sql: ProofMigration.sql),
        Migration(version: 17, name: "policies", sql: PolicyMigration.sql),
        Migration(version: 18, name: "claims by time", sql: ClaimMigration.sql),
        Migration(version: 19, name: "age of holds", sql: HoldStore.age),
        Migration(version: 20, name: "archive", sql: ArchiveMigration.sql),
        Migration(version: 21, name: "figures of the archive", sql: AnalyticsArchiveMigration.sql),
        Migration(version: 22, name: "age of waiting lists", sql: WaitlistStore.age),
        Migration(version: 23, name: "terms that are kept", sql: TermsMigration.sql),
        Migration(version: 24, name: "payments at the desk", sql: DeskMigration.sql),
        Migration(version: 25, name: "limit of prices", sql: PriceMigration.limit),
        Migration(version: 27, name: "prices of before", sql: PriceMigration.rows),
        Migration(version: 28, name: "revenue of visits", sql: VisitRevenueMigration.sql),
    ]

    /// Offers (slots) may overlap; occupations (claims) may not. Claims hold live
    /// rows only and are not partitioned: PostgreSQL 15 has no exclusion across partitions.
    private static let inventory = """
        create extension if not exists btree_gist with schema public;
        create table offering (
            id uuid primary key,
            code text not null unique,
            title text not null,
            claim_at text not null check (claim_at in ('assign', 'publish')),
            time_zone text not null,
            updated_at timestamptz not null default clock_timestamp()
        );
        create table resource (
            id uuid primary key,
            kind text not null check (kind in ('instructor', 'room')),
            name text not null
        );
        create sequence slot_version;
        create table slot (
            id uuid primary key,
            offering_id uuid not null references offering,
            instructor_id uuid not null references resource,
            room_id uuid not null references resource,
            starts_at timestamptz not null,
            ends_at timestamptz not null,
            capacity int not null check (capacity between 1 and 10000),
            taken int not null default 0,
            status text not null default 'available'
                check (status in ('available', 'unavailable', 'maintenance')),
            version bigint not null default nextval('slot_version'),
            check (starts_at < ends_at),
            check (taken between 0 and capacity)
        );
        create index slot_by_offering on slot (offering_id, starts_at, id);
        create index slot_by_instructor on slot (instructor_id, starts_at, id);
        create index slot_by_room on slot (room_id, starts_at, id);
        create index slot_by_time on slot (starts_at, id);
        create table claim (
            id bigint generated always as identity primary key,
            resource_id uuid not null references resource,
            slot_id uuid not null references slot,
            during tstzrange not null
                check (not isempty(during) and lower_inc(during) and not upper_inc(during)),
            constraint claim_no_overlap exclude using gist (resource_id with =, during with &&)
        );
        create index claim_by_slot on claim (slot_id);
        """

    /// A confirmed slot needs its basis, compared so that NULL cannot slip through.
    private static let bookings = """
        create table booking (
            id uuid primary key,
            offering_id uuid not null references offering,
            applicant_key bytea not null,
            status text not null
                check (status in ('pending', 'confirmed', 'rejected', 'cancelled', 'expired')),
            first_choice_slot_id uuid references slot,
            second_choice_slot_id uuid references slot,
            confirmed_slot_id uuid references slot,
            assignment_basis text
                check (assignment_basis in ('first_choice', 'second_choice', 'admin_override')),
            expires_at timestamptz not null,
            confirmed_at timestamptz,
            created_at timestamptz not null,
            version bigint not null default 1,
            check (first_choice_slot_id is null
                or first_choice_slot_id is distinct from second_choice_slot_id),
            check ((confirmed_slot_id is null) = (assignment_basis is null)),
            check (assignment_basis is distinct from 'first_choice'
                or confirmed_slot_id is not distinct from first_choice_slot_id),
            check (assignment_basis is distinct from 'second_choice'
                or confirmed_slot_id is not distinct from second_choice_slot_id)
        );
        create unique index booking_one_pending on booking (offering_id, applicant_key)
            where status = 'pending';
        create index booking_queue on booking (created_at, id) where status = 'pending';
        create index booking_needs_slot on booking (created_at, id)
            where status = 'confirmed' and confirmed_slot_id is null;
        create index booking_expiry on booking (expires_at) where status = 'pending';
        create index booking_first_demand on booking (first_choice_slot_id)
            where status = 'pending';
        create index booking_second_demand on booking (second_choice_slot_id)
            where status = 'pending';
        create table registration (
            booking_id uuid primary key references booking,
            full_name text not null,
            email text not null,
            address text not null,
            birth_place text not null,
            birth_date date not null,
            school text not null,
            class int not null,
            guardian_name text not null,
            guardian_wa_number text not null,
            consent_at timestamptz not null,
            experience_level text not null,
            preferred_days text[] not null,
            preferred_start text,
            preferred_end text,
            payment_proof text
        );
        create table booking_history (
            id bigint generated always as identity primary key,
            booking_id uuid not null references booking,
            at timestamptz not null,
            from_status text,
            to_status text not null,
            actor text not null,
            action text not null,
            reason text not null default '',
            version bigint not null,
            unique (booking_id, version)
        );
        create table idempotency_key (
            scope text not null,
            key text not null,
            request_hash bytea not null,
            response bytea not null,
            created_at timestamptz not null,
            primary key (scope, key)
        );
        create index idempotency_key_age on idempotency_key (created_at);
        """

    /// explains; the constraint decides.
    private static let conflicts = """
        create function check_schedule_conflicts(
            p_instructor_id uuid, p_room_id uuid, p_start_time timestamptz, p_end_time timestamptz,
            p_exclude_booking_id uuid default null
        ) returns table (
            resource_id uuid, resource_kind text, resource_name text,
            start_time timestamptz, end_time timestamptz, slot_id uuid, booking_id uuid
        ) language sql stable as $$
            select r.id, r.kind, r.name, lower(c.during), upper(c.during), c.slot_id,
                (select b.id from booking b
                 where b.confirmed_slot_id = c.slot_id and b.status = 'confirmed'
                 order by b.confirmed_at limit 1)
            from claim c join resource r on r.id = c.resource_id
            where c.resource_id in (p_instructor_id, p_room_id)
              and c.during && tstzrange(p_start_time, p_end_time, '[)')
              and not exists (
                select from booking b
                where b.id = p_exclude_booking_id and b.confirmed_slot_id = c.slot_id)
            order by lower(c.during), r.kind
        $$;
        """

    /// Explaining a conflict asks who holds a slot.
    static let confirmedSlots = """
        create index booking_by_confirmed_slot on booking (confirmed_slot_id)
            where confirmed_slot_id is not null;
        """

    /// What a slot tells changes with the claims on its instructor and room too. To count
    /// that in the slots would lock them against the lock order; the resources may count it.
    private static let resourceVersions = """
        alter table resource
            add column version bigint not null default nextval('slot_version');
        """
}
