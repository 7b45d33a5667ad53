/// Monthly partitions of tables that only grow, kept by functions in the schema itself: the
/// service's role may call them, and may neither make nor drop a table otherwise.
///
/// Bounds carry their offset, so no session's time zone can move them. Beside the months a
/// table has a default partition, which takes what belongs nowhere instead of refusing it; what it
/// holds is moved into its month as soon as that is made, and anything else in it is an alarm.
public enum Partitions {
    /// How a table is divided.
    public enum Key: String, Sendable {
        /// By a `timestamptz`.
        case time
        /// By a time-ordered `uuid` (version 7): unique across months as the uuid is.
        case uuid
    }

    /// Registers a partitioned table with ``keep_partitions()``; its default partition is made too.
    ///
    /// - Parameters:
    ///   - days: a month is dropped when its end is this old.
    ///   - unless: rows that keep their month from being dropped.
    public static func rule(
        _ parent: String, by column: String, _ key: Key, days: Int, unless: String = "false"
    ) -> String {
        """
        create table \(parent)_default partition of \(parent) default;
        insert into partition_rule (parent, key_column, key_kind, keep_days, keep_while)
        values ('\(parent)', '\(column)', '\(key.rawValue)', \(days), '\(unless)');

        """
    }

    /// The table that was becomes the partition of everything up to the end of this month, without
    /// copying a row.
    public static func adopt(_ table: String) -> String {
        """
        do $$ begin
            execute format('alter table %I attach partition %I for values from (minvalue) to (%L)',
                '\(table)', partition_name('\(table)', clock_timestamp()),
                partition_bound('time', partition_month(clock_timestamp(), 1)));
        end $$;

        """
    }

    /// The table keeps its rows under the name of this month, and makes room for a partitioned one.
    public static func setAside(_ table: String) -> String {
        """
        do $$ begin
            execute format('alter table %I rename to %I',
                '\(table)', partition_name('\(table)', clock_timestamp()));
        end $$;

        """
    }

    /// The rules and the functions; once in every schema with partitioned tables.
    public static let functions = """
        create table partition_rule (
            parent text primary key,
            key_column text not null,
            key_kind text not null check (key_kind in ('time', 'uuid')),
            keep_days int not null check (keep_days > 0),
            keep_while text not null,
            ahead int not null default 3 check (ahead between 1 and 24)
        );
        create function partition_bound(kind text, month timestamptz) returns text
        language sql immutable as $$
            select case kind
                when 'time' then to_char(month at time zone 'UTC', 'YYYY-MM-DD') || ' 00:00:00+00'
                else (lpad(to_hex((extract(epoch from month) * 1000)::bigint), 12, '0')
                    || '00000000000000000000')::uuid::text
            end
        $$;
        create function partition_month(at timestamptz, months int) returns timestamptz
        language sql immutable as $$
            select (date_trunc('month', at at time zone 'UTC') + make_interval(months => months))
                at time zone 'UTC'
        $$;
        create function partition_name(parent text, month timestamptz) returns text
        language sql immutable as $$
            select parent || '_' || to_char(month at time zone 'UTC', 'YYYYMM')
        $$;
        create function make_partition(rule partition_rule, month timestamptz) returns boolean
        language plpgsql as $$
        declare
            name text := partition_name(rule.parent, month);
            first text := partition_bound(rule.key_kind, month);
            beyond text := partition_bound(rule.key_kind, partition_month(month, 1));
        begin
            if to_regclass(format('%I', name)) is not null then return false; end if;
            -- Filled before it is attached: the default partition must not hold its rows then.
            execute format('create table %I (like %I including defaults including constraints)',
                name, rule.parent);
            execute format('with late as (delete from %I where %I >= %L and %I < %L returning *)
                    insert into %I select * from late',
                rule.parent || '_default', rule.key_column, first, rule.key_column, beyond, name);
            execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                rule.parent, name, first, beyond);
            return true;
        end $$;
        create function drop_partitions(rule partition_rule, at timestamptz) returns int
        language plpgsql as $$
        declare
            name text;
            month timestamptz;
            is_kept boolean;
            dropped int := 0;
        begin
            for name in
                select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
                where i.inhparent = to_regclass(format('%I', rule.parent))
                    and c.relname ~ ('^' || rule.parent || '_[0-9]{6}$')
                order by c.relname
            loop
                month := (right(name, 6) || '01')::timestamp at time zone 'UTC';
                continue when partition_month(month, 1) + make_interval(days => rule.keep_days) > at;
                execute format('select exists (select from %I where %s)', name, rule.keep_while)
                    into is_kept;
                continue when is_kept;
                execute format('alter table %I detach partition %I', rule.parent, name);
                execute format('drop table %I', name);
                dropped := dropped + 1;
            end loop;
            return dropped;
        end $$;
        create function keep_partitions_at(at timestamptz)
        returns table (parent text, made int, dropped int, ahead int, strays bigint)
        language plpgsql as $$
        declare
            rule partition_rule;
        begin
            if not pg_try_advisory_xact_lock(hashtextextended('partitions', 0)) then return; end if;
            for rule in select * from partition_rule order by 1 loop
                parent := rule.parent;
                made := 0;
                for n in 0..rule.ahead loop
                    if make_partition(rule, partition_month(at, n)) then made := made + 1; end if;
                end loop;
                dropped := drop_partitions(rule, at);
                ahead := rule.ahead;
                execute format('select count(*) from %I', rule.parent || '_default') into strays;
                return next;
            end loop;
        end $$;
        revoke execute on function make_partition, drop_partitions, keep_partitions_at from public;
        create function keep_partitions()
        returns table (parent text, made int, dropped int, ahead int, strays bigint)
        language sql security definer
        set search_path from current set lock_timeout = '1s' set timezone = 'UTC' as $$
            select * from keep_partitions_at(clock_timestamp())
        $$;

        """
}
