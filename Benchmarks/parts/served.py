"""bench-server under h2load: CPU of its threads per call, from the scheduler's nanosecond clock."""

import os
import re
import struct
import subprocess
import sys
import tempfile
from contextlib import contextmanager

from parts import pair


def options(parser):
    parser.add_argument("--server", help="a release build of bench-server; absent: built now")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=100_000, help="of each round")
    parser.add_argument("--payload", type=int, default=32)


@contextmanager
def running(program, *arguments, cpus="0"):
    """The server's process and port, pinned."""
    port = pair.free_port()
    process = subprocess.Popen(
        ["taskset", "-c", cpus, program, "--port", str(port), *arguments])
    try:
        pair.wait_for(port)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(20)


def call(pid, url, chosen, connections, streams, cpu="1"):
    """Makes the calls; CPU nanoseconds of each thread of the server that did anything. Ends the
    program when an answer is missing or is not the request's message."""
    message = _message(chosen.payload)
    with tempfile.NamedTemporaryFile() as body:
        body.write(message)
        body.flush()
        before = _threads(pid)
        done = subprocess.run(
            ["taskset", "-c", cpu, "h2load", "-t", "1", "-n", str(chosen.calls),
             "-c", str(connections), "-m", str(streams), "-d", body.name,
             "-H", "content-type: application/grpc", "-H", "te: trailers",
             url + "/bench.Bench/Echo"],
            stdout=subprocess.PIPE, text=True, check=True).stdout
        after = _threads(pid)
    good = int(re.search(r"(\d+) succeeded", done)[1])
    data = int(re.search(r"\((\d+)\) data", done)[1])
    if good != chosen.calls or data != chosen.calls * len(message):
        sys.exit(done)
    spent = [after[thread] - before.get(thread, 0) for thread in after]
    return [nanoseconds for nanoseconds in spent if nanoseconds > 1_000_000]


def _message(size):
    length, number = b"", size
    while number >= 128:
        length += bytes([number & 127 | 128])
        number >>= 7
    encoded = b"\x0a" + length + bytes([number]) + b"x" * size
    return b"\0" + struct.pack(">I", len(encoded)) + encoded


def _threads(pid):
    spent = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            spent[task] = int(file.read().split()[0])
    return spent
