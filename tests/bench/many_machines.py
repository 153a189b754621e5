"""200 machines in one sandbox: time until all run, memory of flylocal and its inits for each, CPU when idle."""

import glob
import json
import os
import sys
import time

import sandbox

MACHINES = 200
IDLE_S = 10


def proportional_kb(pid):
    """The process's memory with shared pages counted by their share (proc(5), smaps_rollup)."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except OSError:
        return 0


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def init_pids(sandbox_pid):
    pids = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as file:
                text = file.read()
        except OSError:
            continue
        name = text[text.index("(") + 1 : text.rindex(")")]
        if name == "flylocal-init" and int(text.rsplit(")", 1)[1].split()[1]) == sandbox_pid:
            pids.append(int(text.split()[0]))
    return pids


def main(flylocal, server):
    with sandbox.temporary_directory() as project, sandbox.temporary_directory() as state:
        sandbox.make_project(project, server, sandbox.free_port(), MACHINES)
        start = time.perf_counter()
        running = sandbox.Sandbox(flylocal, project, state)
        sandbox.wait_until(running.has_control_socket)

        def all_started():
            status = running.run("status", "--json")
            if status.returncode != 0:
                return False
            machines = json.loads(status.stdout)["machines"]
            return len(machines) == MACHINES and all(one["state"] == "started" for one in machines)

        sandbox.wait_until(all_started, 120)
        print(f"{MACHINES} machines started in {time.perf_counter() - start:.2f} s (goal: under 10 s)")
        pid = running.process.pid
        inits = init_pids(pid)
        total = proportional_kb(pid) + sum(proportional_kb(one) for one in inits)
        print(f"memory of flylocal and {len(inits)} inits: {total} kB, {total / MACHINES:.0f} kB a machine (goal: under 1000)")
        # Idle means after the bind report, whose end the output shows.
        sandbox.wait_until(lambda: "Bind report" in running.output(), 120)
        before = cpu_seconds(pid)
        time.sleep(IDLE_S)  # the subject: what an idle sandbox costs over time
        used = cpu_seconds(pid) - before
        print(f"idle CPU of the sandbox: {100 * used / IDLE_S:.2f} % of a core over {IDLE_S} s (goal: under 0.1 %)")
        running.stop()


main(*sys.argv[1:])
