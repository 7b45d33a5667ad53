"""The statements of one registration, as PostgreSQL saw them, as a pgbench script.

PostgreSQL logs one registration with its parameters. Every parameter becomes a pgbench variable
with the value that Janji bound; those that must differ from row to row become expressions over
:seq, a number of 19 digits that is used once. So pgbench runs the same statements as the
product, also after the product has changed.
"""

import hashlib
import re
import sys
import time

# The session settings of the booking service's pool (PostgresConfiguration.parameters()).
SESSION = " ".join(
    "-c " + s for s in (
        "timezone=UTC", "lock_timeout=2000", "statement_timeout=30000",
        "idle_in_transaction_session_timeout=10000", "search_path=booking,public", "role=booking"))

ENTRY = re.compile(
    r"^\S+ \S+ \S+ \[(\d+)\] LOG:  duration: [\d.]+ ms  execute \S+: (.*?)"
    r"(?:\n\S+ \S+ \S+ \[\1\] DETAIL:  parameters: (.*?))?(?=\n\S+ \S+ \S+ \[\d+\] |\Z)",
    re.S | re.M)
VALUE = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")


def capture(instance, slots):
    """Registers once while PostgreSQL logs. Returns [(statement, values)] of the booking pool."""
    course, first, second = slots
    # The first registration makes the pool's connections prepare; the second one is read.
    for number in range(2):
        digits = f"{7000000000000000000 + number:019d}"
        body = {
            "full_name": "Siti Rahmawati", "email": f"siti-{digits}@example.com",
            "course_id": course, "address": "Jl. Melati 12, Bandung", "birth_place": "Bandung",
            "birth_date": "2012-05-15", "school": "SDN 3 Bandung", "class": 5,
            "guardian_name": "Rahmat Hidayat", "guardian_wa_number": "+6281234567890",
            "consent": True, "captcha_token": "", "idempotency_key": f"bench-{digits}",
            "experience_level": "beginner", "preferred_days": ["monday", "friday"],
            "preferred_time_range": {"start": "14:00", "end": "16:00"},
            "first_choice_slot_id": first, "second_choice_slot_id": second,
        }
        if number == 1:
            set_log(instance, "0")
            with open(instance.postgres_log) as log:
                log.seek(0, 2)
                begin = log.tell()
        status, answer = instance.call("POST", "/api/booking/register-course", body)
        if status != 201:
            sys.exit(f"the registration to learn from was refused: {status} {answer}")
    time.sleep(0.3)
    found = entries(instance, begin)
    set_log(instance, "-1")
    chosen = _of_registration(found, body["idempotency_key"])
    return chosen, body, answer["data"]["booking"]["id"]


def entries(instance, begin):
    """[(process, statement, values)] of the log of PostgreSQL from a position on."""
    with open(instance.postgres_log) as log:
        log.seek(begin)
        text = log.read()
    found = []
    for pid, statement, values in ENTRY.findall(text):
        bound = {
            int(n): None if v == "NULL" else v[1:-1].replace("''", "'")
            for n, v in VALUE.findall(values)
        }
        found.append((pid, statement.replace("\n\t", "\n"), bound))
    return found


def set_log(instance, milliseconds):
    instance.sql(f"alter system set log_min_duration_statement = {milliseconds}")
    instance.sql("select pg_reload_conf()")
    time.sleep(0.5)


def trips(entries):
    """[[statements of one round trip], …]: a transaction with its begin and commit is one."""
    found, open_of = [], {}
    for pid, statement, values in entries:
        word = statement.split(None, 1)[0].lower()
        if word == "begin":
            open_of[pid] = [(statement, values)]
        elif pid in open_of:
            open_of[pid].append((statement, values))
            if word == "commit":
                found.append(open_of.pop(pid))
        else:
            found.append([(statement, values)])
    return found


def _of_registration(entries, key):
    trips_ = trips(entries)
    mine = [trip for trip in trips_ if any(key in str(value) for _, values in trip for value in values.values())]
    if not any("insert into registration" in s for trip in mine for s, _ in trip):
        sys.exit("PostgreSQL's log does not show the registration that was made")
    return mine


def script(trips, body, booking, keys=0, emails=0):
    """(pgbench script, {variable: value}) of captured statements. Of a hundred scripts, `keys` ask
    for the key and `emails` for the person of one before: they end with the first round trip, for
    the look has found them."""
    applicant = "\\x" + hashlib.sha256(body["email"].lower().encode()).hexdigest()
    first, second = body["first_choice_slot_id"], body["second_choice_slot_id"]
    # Variables belong to one client of pgbench, so each counts for itself.
    lines, variables = [
        "\\set n :n + 1", "\\set seq :start + :n * 100 + :client_id",
        "\\set a :low + random(0, :slots / 2 - 1) * 2", "\\set b :a + 1",
        "\\set kind random(1, 100)", "\\set person :seq", "\\set key :seq",
        f"\\if :n > 1 and :kind <= {keys + emails}", "\\set person :seq - 100",
        f"\\if :kind <= {keys}", "\\set key :person", "\\endif", "\\endif"], {}

    def expression(value, name):
        if value is None:
            return "null"
        known = {
            body["idempotency_key"]: "('bench-' || :key)",
            f'{{"{body["idempotency_key"]}"}}': "('{bench-' || :key || '}')::text[]",
            applicant: "sha256(:person)",
            f'{{"{applicant[2:]}"}}':
                "('{' || encode(sha256(:person::text::bytea), 'hex') || '}')::text[]",
            booking: "('01a0000000007' || :seq)::uuid",
            first: "('0190a1b200007' || :a)::uuid",
            second: "('0190a1b200007' || :b)::uuid",
            # One text value, as Janji binds it: array[…] would be planned differently.
            f"{{{first},{second}}}":
                "('{0190a1b200007' || :a || ',0190a1b200007' || :b || '}')::uuid[]",
        }
        if value in known:
            return known[value]
        variables[name] = value
        return ":" + name

    for trip_number, trip in enumerate(trips):
        if trip_number == 1:
            lines.append("\\if :person = :seq")
        if len(trip) > 1:
            lines.append("\\startpipeline")
        for number, (statement, values) in enumerate(trip):
            name = f"v{trip_number}_{number}_"
            lines.append(re.sub(
                r"\$(\d+)", lambda m: expression(values[int(m[1])], name + m[1]), statement) + ";")
        if len(trip) > 1:
            lines.append("\\endpipeline")
    if len(trips) > 1:
        lines.append("\\endif")
    return "\n".join(lines) + "\n", variables
