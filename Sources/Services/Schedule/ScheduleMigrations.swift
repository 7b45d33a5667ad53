import Domain
public import Postgres

/// The tables that belong to the schedule service alone (schema `schedule`, D-06).
public enum ScheduleMigrations {
    public static let all: [Migration] = [
        Migration(version: 1, name: "timetable", sql: timetable),
        Migration(version: 2, name: "outbox", sql: Outbox.tables),
        Migration(version: 3, name: "queue order", sql: Outbox.queueOrder),
        Migration(version: 4, name: "offerings", sql: offerings),
        Migration(version: 5, name: "months", sql: months),
        Migration(version: 6, name: "limit of prices", sql: priceLimit),
        Migration(version: 7, name: "prices of before", sql: prices),
        Migration(version: 8, name: "idempotency keys", sql: IdempotencyTable.tables),
    ]

    /// ``Money/priceLimit``, for what is written from now on: the lock is held for a moment.
    private static let priceLimit = """
        lock table courses, class_schedules in access exclusive mode;
        alter table courses
            add constraint courses_price_limit check (price <= 1000000000000) not valid;
        alter table class_schedules
            add constraint class_schedules_price_limit check (price <= 1000000000000) not valid;
        """

    /// The rows of before, in a transaction of its own. One above the limit could not be changed
    /// any more.
    private static let prices = """
        update courses set price = 1000000000000 where price > 1000000000000;
        update class_schedules set price = 1000000000000 where price > 1000000000000;
        alter table courses validate constraint courses_price_limit;
        alter table class_schedules validate constraint class_schedules_price_limit;
        """

    /// Outbox and inbox by month; and what Inventory has withdrawn.
    private static let months =
        "lock table class_schedules, outbox in access exclusive mode;\n" + Partitions.functions
        + Outbox.byMonth + Inbox.tables
            + """
            alter table class_schedules add column withdrawn_at timestamptz;
            select count(*) from keep_partitions_at(clock_timestamp());

            """

    /// What a course needs beyond a school: a place, a policy, a price; and class schedules with
    /// resources of any kind, alone or in series. Location, policy and resources are rows of
    /// Inventory, which refuses what it does not know.
    private static let offerings = """
        alter table courses
            add column location_id uuid,
            add column policy text not null default 'school',
            add column price bigint not null default 0 check (price >= 0),
            add column currency text not null default 'IDR' check (currency ~ '^[A-Z]{3}$'),
            add column kind text not null default 'course';
        alter table class_schedules
            alter column instructor_id drop not null,
            alter column room_id drop not null,
            add column resource_ids uuid[] not null default '{}',
            add column price bigint check (price >= 0),
            add column series_id uuid,
            add column skip_conflicts boolean not null default false,
            add constraint class_schedules_occupy check (instructor_id is not null
                or room_id is not null or cardinality(resource_ids) > 0);
        """

    /// A course or class schedule exists for others once `published_at` is set: Inventory has it.
    /// Schedules may overlap here; whether they may is Inventory's claim policy (X-15, D-07).
    private static let timetable = """
        create table courses (
            id uuid primary key,
            code text not null unique,
            title text not null,
            description text not null,
            max_students int not null check (max_students between 1 and 10000),
            claim_at text not null check (claim_at in ('assign', 'publish')),
            time_zone text not null check (time_zone <> ''),
            created_at timestamptz not null,
            published_at timestamptz
        );
        create index courses_unpublished on courses (created_at) where published_at is null;
        create table instructors (
            id uuid primary key,
            name text not null,
            created_at timestamptz not null default clock_timestamp()
        );
        create table rooms (
            id uuid primary key,
            name text not null,
            capacity int not null check (capacity between 1 and 10000),
            created_at timestamptz not null default clock_timestamp()
        );
        create table class_schedules (
            id uuid primary key,
            course_id uuid not null references courses,
            instructor_id uuid not null references instructors,
            room_id uuid not null references rooms,
            start_time timestamptz not null,
            end_time timestamptz not null,
            capacity int not null check (capacity between 1 and 10000),
            batch uuid not null,
            created_by text not null,
            created_at timestamptz not null,
            published_at timestamptz,
            check (start_time < end_time)
        );
        create index class_schedules_by_course on class_schedules (course_id, start_time, id);
        create index class_schedules_unpublished on class_schedules (created_at, batch)
            where published_at is null;
        """
}
