"""CPU accounting, pinning and noise, from /proc. Nothing here knows Janji."""

import os
import re
import subprocess
import sys

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()


def children(pid):
    out = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if int(_stat(name)[1]) == pid:
                    out.append(int(name))
            except OSError:
                pass
    return out


def cpu_of_process(pid):
    """CPU seconds of all threads, user and kernel."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_of_tree(pid):
    """CPU seconds of a process, its living children and those that have ended (a postmaster)."""
    fields = _stat(pid)
    ticks = sum(map(int, fields[11:15]))
    for child in children(pid):
        try:
            inner = _stat(child)
            ticks += int(inner[11]) + int(inner[12])
        except OSError:
            pass
    return ticks / TICKS


def cpu_precise(pid):
    """CPU seconds of the living threads by the scheduler's nanosecond clock."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                total += int(file.read().split()[0])
        except OSError:
            pass
    return total / 1e9


def memory_of(pids):
    """(resident MB, proportional MB): the first counts shared pages once for each process."""
    resident = proportional = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                text = file.read()
        except OSError:
            continue
        resident += int(re.search(r"^Rss:\s+(\d+)", text, re.M)[1])
        proportional += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])
    return resident / 1024, proportional / 1024


def peak_memory_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"^VmHWM:\s+(\d+)", file.read(), re.M)[1]) / 1024


def threads_of(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def context_switches_of(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/status") as file:
                total += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", file.read())))
        except OSError:
            pass
    return total


def pin(pid, cpus):
    """Moves every thread of a process; what it starts later inherits the place."""
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            os.sched_setaffinity(int(task), cpus)
        except OSError:
            pass


def pin_tree(pid, cpus):
    pin(pid, cpus)
    for child in children(pid):
        pin(child, cpus)


def busy_of_machine():
    """Seconds that all CPUs together were busy since the start of the machine."""
    with open("/proc/stat") as file:
        values = list(map(int, file.readline().split()[1:9]))
    return (sum(values) - values[3] - values[4]) / TICKS


def cpu_set(text):
    """"0", "0,1" or "any" as a set of CPUs."""
    if text == "any":
        return os.sched_getaffinity(0)
    return {int(part) for part in text.split(",")}


# Root measures ahead of whatever else runs; the share that this still takes is told as foreign.
NICE = -10 if os.geteuid() == 0 else 0


def prefix(cpus):
    """The command that starts something on the CPUs."""
    nice = ["nice", "-n", str(NICE)] if NICE else []
    return nice + ["taskset", "-c", ",".join(map(str, sorted(cpus)))]


def ahead(pid="self", nice=NICE):
    """With autogroups a nice value counts only inside its session: the session gets one, too."""
    try:
        with open(f"/proc/{pid}/autogroup", "w") as file:
            file.write(str(nice))
    except OSError:
        pass


def need(*programs):
    for program in programs:
        if subprocess.run(["which", program], stdout=subprocess.DEVNULL).returncode:
            sys.exit(f"{program} is not installed; Benchmarks/README.md names the packages")
