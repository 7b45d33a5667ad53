"""bench-server and bench-client for a counted number of calls; one of the two is under observation."""

import argparse
import json
import os
import socket
import subprocess
import sys
import time

from parts import programs

COUNTS = {"unary": 5000, "stream": 200, "pingpong": 5000}


def options(description):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="a release build of bench-server; absent: built now")
    parser.add_argument("--client-binary", help="the same for bench-client")
    parser.add_argument("--client", action="store_true", help="observe the client")
    parser.add_argument("--mode", default="unary", choices=list(COUNTS))
    parser.add_argument("--payload", type=int, default=32)
    parser.add_argument("--outstanding", type=int, default=100)
    parser.add_argument("--most", type=float, help="end with 1 when the figure is larger")
    return parser


def per_operation(chosen, observe):
    """(observed of 4N calls - observed of N calls) / 3N: start and connection fall out.

    `observe(program)` gives the command, the environment and a function that reads the figure
    once the run is over.
    """
    server = programs.release("bench-server", chosen.server)
    client = programs.release("bench-client", chosen.client_binary)
    count = COUNTS[chosen.mode]
    few, few_operations = _run(chosen, server, client, count, observe)
    many, many_operations = _run(chosen, server, client, 4 * count, observe)
    return (many - few) / (many_operations - few_operations)


def report(chosen, figure, what):
    whose = "client" if chosen.client else "server"
    print(f"{chosen.mode} {chosen.payload} B, {whose}: {figure:.2f} {what} per operation")
    if chosen.most is not None and figure > chosen.most:
        sys.exit(f"more than {chosen.most}")


def _run(chosen, server, client, count, observe):
    command, environment, read = observe(client if chosen.client else server)
    plain = dict(os.environ)
    port = free_port()
    process = subprocess.Popen(
        [*([server] if chosen.client else command), "--port", str(port)],
        env=plain if chosen.client else environment)
    try:
        wait_for(port)
        done = subprocess.run(
            [*(command if chosen.client else [client]), "--port", str(port), "--mode",
             chosen.mode, "--payload", str(chosen.payload), "--outstanding",
             str(chosen.outstanding), "--count", str(count), "--messages", "1000"],
            env=environment if chosen.client else plain, stdout=subprocess.PIPE, text=True,
            timeout=300)
    finally:
        process.terminate()
        process.wait(20)
    answer = json.loads(done.stdout)
    if answer["errors"]:
        sys.exit(f"{answer['errors']} calls failed")
    return read(), answer["ops"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("the server does not listen")
