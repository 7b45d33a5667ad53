"""Builds what is measured and what measures."""

import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def release(product, given=None):
    """The path of a product's release build; built now unless a path is given."""
    if given:
        if not os.access(given, os.X_OK):
            sys.exit(f"{given} cannot be run")
        return os.path.abspath(given)
    build = ["swift", "build", "-c", "release"]
    if os.environ.get("JANJI_SCRATCH"):
        build += ["--scratch-path", os.environ["JANJI_SCRATCH"]]
    print(f"building {product} (release; the first build takes minutes) …", file=sys.stderr)
    subprocess.run(build + ["--product", product], cwd=ROOT, check=True, stdout=sys.stderr)
    folder = subprocess.run(
        build + ["--show-bin-path"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return os.path.join(folder.stdout.strip(), product)


def _compiled(source, output, command):
    """Benchmarks/load/SOURCE as OUTPUT, compiled when something there has changed."""
    folder = os.path.join(ROOT, "Benchmarks", "load")
    target = os.path.join(tempfile.gettempdir(), f"janji-bench-programs-{os.getuid()}")
    os.makedirs(target, mode=0o700, exist_ok=True)
    binary = os.path.join(target, output)
    newest = max(os.path.getmtime(os.path.join(folder, f)) for f in os.listdir(folder))
    if not os.path.exists(binary) or os.path.getmtime(binary) < newest:
        subprocess.run([*command, "-o", binary, os.path.join(folder, source)], check=True)
    return binary


def generator(name):
    """The load generator Benchmarks/load/NAME.cc."""
    return _compiled(name + ".cc", name, ["g++", "-O2", "-std=c++17", "-Wall", "-Wextra"])


def preload(name):
    """The library Benchmarks/load/NAME.c, to be preloaded."""
    return _compiled(
        name + ".c", name + ".so", ["gcc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC"])
