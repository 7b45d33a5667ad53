"""How other systems keep seats and people from being sold twice, as pgbench scripts on tables of
their own: only what decides, without keys, history, events and tokens.

  check   count, then insert, READ COMMITTED (Easy!Appointments, LibreBooking, cal.com's seats)
  lock    the same after `select … for update` on the slot or the teacher (pretix)
  guard   what Janji's statements do: the guarded counter, the exclusion constraint
"""

SLOTS, CAPACITY, TEACHERS, TIMES = 2000, 10, 8, 3000

TABLES = f"""
drop schema if exists rival cascade;
create schema rival;
create table rival.slot (id int primary key, capacity int not null, taken int not null default 0);
insert into rival.slot select n, {CAPACITY} from generate_series(1, {SLOTS}) n;
create table rival.hold (id uuid primary key default gen_random_uuid(), slot_id int not null
    references rival.slot, holder text not null, expires_at timestamptz not null);
create index on rival.hold (slot_id, expires_at);
create table rival.teacher (id int primary key);
insert into rival.teacher select n from generate_series(1, {TEACHERS}) n;
create table rival.lesson (id bigint generated always as identity primary key,
    teacher_id int not null references rival.teacher, during tstzrange not null);
create index lesson_time on rival.lesson using gist (teacher_id, during);
create table rival.claim (teacher_id int not null references rival.teacher, during tstzrange not null,
    exclude using gist (teacher_id with =, during with &&));
grant usage on schema rival to booking;
grant all on all tables in schema rival to booking;
analyze rival.slot; analyze rival.teacher
"""

SEAT = f"\\set slot random(1, {SLOTS})\n"
LESSON = f"\\set teacher random(1, {TEACHERS})\n\\set t 1800000000 + 900 * random(1, {TIMES})\n"
DURING = "tstzrange(to_timestamp(:t), to_timestamp(:t + 2700))"

COUNT_SEATS = ("select count(*) as n from rival.hold where slot_id = :slot and expires_at > "
               "now() \\gset\n")
INSERT_SEAT = ("insert into rival.hold (slot_id, holder, expires_at) values (:slot, "
               "'c' || :client_id, now() + interval '10 minutes');\n")
COUNT_LESSONS = ("select count(*) as n from rival.lesson where teacher_id = :teacher and during && "
                 f"{DURING} \\gset\n")
INSERT_LESSON = f"insert into rival.lesson (teacher_id, during) values (:teacher, {DURING});\n"

HOLDS = {
    "check": SEAT + "begin;\n" + COUNT_SEATS
    + f"\\if :n < {CAPACITY}\n" + INSERT_SEAT + "\\endif\ncommit;\n",
    "lock": SEAT + "begin;\nselect capacity from rival.slot where id = :slot for update;\n"
    + COUNT_SEATS + f"\\if :n < {CAPACITY}\n" + INSERT_SEAT + "\\endif\ncommit;\n",
    "guard": SEAT + "with seat as (update rival.slot set taken = taken + 1 where id = :slot "
    "and taken < capacity returning id)\ninsert into rival.hold (slot_id, holder, expires_at) "
    "select id, 'c' || :client_id, now() + interval '10 minutes' from seat;\n",
}
LESSONS = {
    "check": LESSON + "begin;\n" + COUNT_LESSONS + "\\if :n = 0\n" + INSERT_LESSON
    + "\\endif\ncommit;\n",
    "lock": LESSON + "begin;\nselect id from rival.teacher where id = :teacher for update;\n"
    + COUNT_LESSONS + "\\if :n = 0\n" + INSERT_LESSON + "\\endif\ncommit;\n",
    "guard": LESSON + f"insert into rival.claim (teacher_id, during) values (:teacher, {DURING}) "
    "on conflict do nothing;\n",
}

OVERSOLD = f"""
select coalesce(sum(n - {CAPACITY}), 0) from (
    select count(*) as n from rival.hold group by slot_id) h where n > {CAPACITY}"""
OVERLAPS = """
select count(*) from rival.lesson a join rival.lesson b
on a.teacher_id = b.teacher_id and a.id < b.id and a.during && b.during"""


def run(janji, pgbench):
    """[(what, how, transactions a second, sold twice)]; `pgbench` runs a script."""
    rows = []
    for what, scripts, sweep in (("seat", HOLDS, OVERSOLD), ("lesson", LESSONS, OVERLAPS)):
        for how, script in scripts.items():
            janji.sql(TABLES)
            rate = pgbench(script)["rate"]
            rows.append((what, how, rate, int(janji.value(sweep))))
    janji.sql("drop schema rival cascade")
    return rows
