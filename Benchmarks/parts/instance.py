"""One `janji up` of our own: data folder, ports, private PostgreSQL, clean end."""

import argparse
import atexit
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from parts import machine


def add_options(parser):
    parser.add_argument("--binary", help="a release build of janji; absent: it is built now")
    parser.add_argument("--data", help="an empty or new folder for the data; absent: one in /tmp")
    parser.add_argument("--keep", action="store_true", help="leave the data folder and the log")


def parser(doc):
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(made)
    return made


def free_port():
    """Below the ephemeral range, where the generator's own sockets are."""
    for port in range(23000, 32000):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    sys.exit("no free port")


# What was started is also stopped when we are.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


# The generators run in our session.
machine.ahead()
atexit.register(machine.ahead, "self", 0)


class Instance:
    """Starts and stops `janji up`. Use as a context: the end stops everything that was started."""

    def __init__(self, binary, options, cpus=None, settings=None):
        self.binary = binary
        self.cpus = cpus or os.sched_getaffinity(0)
        self.settings = settings or {}
        self.keep = options.keep
        if options.data:
            self.data = os.path.abspath(options.data)
            os.makedirs(self.data, exist_ok=True)
            if os.listdir(self.data):
                sys.exit(f"{self.data} is not empty")
        else:
            self.data = tempfile.mkdtemp(prefix="janji-bench-", dir="/tmp")
        # The user postgres has to enter it when we are root.
        os.chmod(self.data, 0o755)
        self.port = free_port()
        self.process = None
        self.booking = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        if self.keep:
            print(f"kept: {self.data}", file=sys.stderr)
        else:
            shutil.rmtree(self.data, ignore_errors=True)

    # Life

    def start(self):
        """Seconds from the start of the process to the first `/health` that says 200."""
        environment = {
            name: value for name, value in os.environ.items()
            if not name.startswith("JANJI_") and name not in ("DATABASE_URL", "KAFKA_BROKERS")
        }
        kafka = socket.socket()
        kafka.bind(("127.0.0.1", 0))
        self.kafka_port = kafka.getsockname()[1]
        kafka.close()
        environment.update(
            JANJI_PORT=str(self.port), JANJI_DATA=self.data, JANJI_KAFKA_PORT=str(self.kafka_port),
            JANJI_RATE_LIMIT="off", JANJI_DEMO="on", **self.settings)
        self.output = open(os.path.join(self.data, "up.out"), "ab")
        began = time.monotonic()
        self.process = subprocess.Popen(
            machine.prefix(self.cpus) + [self.binary, "up"], env=environment,
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
            start_new_session=True)
        machine.ahead(self.process.pid)
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() - began > 120:
                with open(self.output.name) as file:
                    sys.exit("janji did not start:\n" + file.read())
            time.sleep(0.002)
        seconds = time.monotonic() - began
        machine.ahead(self.postmaster)
        return seconds

    def _is_ready(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def start_booking(self):
        """The booking service once more, as a process of its own, beside the database and the
        broker of `janji up`; it publishes the outbox from now on."""
        with open(os.path.join(self.data, "service-secret")) as file:
            secret = file.read().strip()
        self.booking_port = free_port()
        environment = {
            **{name: value for name, value in os.environ.items()
               if not name.startswith("JANJI_")}, **self.settings,
            "DATABASE_URL": f"postgresql:///janji?host={self.postgres_socket}&user=janji",
            "KAFKA_BROKERS": f"127.0.0.1:{self.kafka_port}", "SERVICE_JWT_SECRET": secret,
            "BOOKING_PORT": str(self.booking_port), "JANJI_DATA": self.data,
        }
        self.booking = subprocess.Popen(
            machine.prefix(self.cpus) + [self.binary, "serve", "booking"], env=environment,
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
            start_new_session=True)
        machine.ahead(self.booking.pid)
        owner = "select owner from booking.outbox_lease"
        first, until = self.value(owner), time.monotonic() + 60
        while self.value(f"select count(*) from ({owner}) o where owner <> '{first}'") != "1":
            if self.booking.poll() is not None or time.monotonic() > until:
                sys.exit("the booking service did not start")
            self.sql(f"delete from booking.outbox_lease where owner = '{first}'")
            time.sleep(0.3)

    def booking_cpu(self):
        """CPU seconds so far of (the booking service, PostgreSQL)."""
        return machine.cpu_of_process(self.booking.pid), machine.cpu_of_tree(self.postmaster)

    def stop(self):
        if self.booking is not None:
            self.booking.send_signal(signal.SIGTERM)
            self.booking.wait(30)
            self.booking = None
        if self.process is None:
            return
        postmaster = self.postmaster
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            print("janji did not stop within 30 s of SIGTERM: killed", file=sys.stderr)
            self.process.kill()
            self.process.wait()
        self.process = None
        self.output.close()
        if postmaster and os.path.exists(f"/proc/{postmaster}"):
            os.kill(postmaster, signal.SIGINT)  # a fast shutdown
            while os.path.exists(f"/proc/{postmaster}"):
                time.sleep(0.05)

    @property
    def pid(self):
        return self.process.pid

    # PostgreSQL

    def _pid_file(self):
        with open(os.path.join(self.data, "postgres", "postmaster.pid")) as file:
            return file.read().splitlines()

    @property
    def postmaster(self):
        try:
            return int(self._pid_file()[0])
        except (OSError, IndexError, ValueError):
            return None

    @property
    def postgres_socket(self):
        return self._pid_file()[4]

    @property
    def postgres_log(self):
        return os.path.join(self.data, "postgres.log")

    def sql(self, text):
        """Rows of the superuser, columns split."""
        done = subprocess.run(
            ["psql", "-h", self.postgres_socket, "-U", "janji", "-d", "janji", "-qAt", "-F", "\t",
             "-v", "ON_ERROR_STOP=1", "-c", text],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            sys.exit(f"psql: {done.stderr}\n{text}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def value(self, text):
        return self.sql(text)[0][0]

    def pin_postgres(self, cpus):
        machine.pin_tree(self.postmaster, cpus)

    def cpu(self):
        """CPU seconds so far of (janji, PostgreSQL)."""
        return machine.cpu_of_process(self.pid), machine.cpu_of_tree(self.postmaster)

    # HTTP

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(
                method, path, json.dumps(body) if body is not None else None,
                {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    # State for measuring

    def add_slots(self, courses, each):
        """Gives courses many more open slots, so that no slot collects an unlikely number of
        requests, and writes the generators' file of slots. Returns its path.

        The ids are 0190a1b2-0000-7… and a number of 19 digits: PostgreSQL can make them, too.
        """
        wanted = ", ".join(f"'{course}'" for course in courses)
        self.sql(f"""
            with new as (
                insert into booking.slot (id, offering_id, time_zone, local_date, starts_at,
                    ends_at, occupies, capacity)
                select ('0190a1b200007' || (1000000000000000000 + (o.place - 1) * {each} + n))::uuid,
                    o.id, o.time_zone, (t at time zone o.time_zone)::date, t,
                    t + interval '45 minutes', tstzrange(t, t + interval '45 minutes'), 1
                from (select id, time_zone, row_number() over (order by code) as place
                      from booking.offering where code in ({wanted})) o,
                    generate_series(1, {each}) n,
                    lateral (select date_trunc('hour', now()) + interval '30 days'
                        + n * interval '1 hour' as t) t
                returning id, starts_at, occupies)
            insert into booking.slot_resource (slot_id, resource_id, starts_at, occupies)
            select new.id, r.id, new.starts_at, new.occupies
            from new, (select distinct on (kind) id from booking.resource
                where kind in ('instructor', 'room') order by kind, id) r""")
        self.sql("vacuum analyze")
        path = os.path.join(self.data, "slots")
        rows = self.sql(
            "select offering_id, id from booking.slot where id::text like '0190a1b2-0000-7%' "
            "order by 1, 2")
        with open(path, "w") as file:
            file.writelines(f"{course} {slot}\n" for course, slot in rows)
        return path

    def drain_outbox(self, limit=120):
        """Waits until every event is with Kafka."""
        until = time.monotonic() + limit
        while int(self.value("select count(*) from booking.outbox where published_at is null")):
            if time.monotonic() > until:
                sys.exit(f"the outbox is not empty after {limit} s")
            time.sleep(0.1)
