"""Time from `flylocal up` to the first proxied 200 of an app that is ready at once, against the bare server's."""

import os
import subprocess
import sys
import time

import sandbox

ROUNDS = 20


def bare_server(server):
    port = sandbox.free_port()
    start = time.perf_counter()
    process = subprocess.Popen([server, str(port)])
    sandbox.wait_until(lambda: sandbox.answers(port))
    elapsed = time.perf_counter() - start
    process.kill()
    process.wait()
    return elapsed * 1000


def main(flylocal, server):
    control, first, again, bare = [], [], [], []
    with sandbox.temporary_directory() as project, sandbox.temporary_directory() as state:
        port = sandbox.free_port()
        sandbox.make_project(project, server, port)
        for round_number in range(ROUNDS):
            start = time.perf_counter()
            running = sandbox.Sandbox(flylocal, project, state)
            sandbox.wait_until(running.has_control_socket)
            control.append((time.perf_counter() - start) * 1000)
            sandbox.wait_until(lambda: sandbox.answers(port))
            (first if round_number == 0 else again).append((time.perf_counter() - start) * 1000)
            running.stop()
            if os.path.exists(running.socket):
                raise RuntimeError("the control socket was left behind")
            bare.append(bare_server(server))
    sandbox.figures("up to control socket (threads, network, ports)", control)
    sandbox.figures("up to first 200, new state", first)
    sandbox.figures("up to first 200", again)
    sandbox.figures("the bare server to its first 200", bare)
    print("goal: up to first 200 under 150 ms")


main(*sys.argv[1:])
