"""How soon `flylocal up` tells of a bind and of an unbind, what a report costs with 5,000 sockets in the machine, and what
watching costs while nothing happens. The peer is the kernel's own word on the same sockets, by ss in the machine."""

import http.client
import os
import re
import socket
import sys
import time

import sandbox

ROUNDS = 30
SOCKETS = 5000
IDLE_S = 10

# Told by lines of a file in its directory, as machines share the file system.
APP = """
import os, socket, sys, time
kept, main = [], None
print("ready", flush=True)
for line in open(sys.argv[1]):
    word, number = line.split()
    if word == "bind":
        main = socket.create_server(("0.0.0.0", 8080)); print("at", number, time.clock_gettime(time.CLOCK_MONOTONIC), flush=True)
    if word == "unbind":
        main.close(); print("at", number, time.clock_gettime(time.CLOCK_MONOTONIC), flush=True)
    if word == "many":
        kept = [socket.create_server(("::", 10000 + i), family=socket.AF_INET6) for i in range(int(number))]; print("many", flush=True)
"""


def cpu_seconds(pid):
    """Exact, as ticks would miss what takes less than one."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


class Watched(sandbox.Sandbox):
    """Reads the output while it comes, with the time of each line's arrival."""

    def wait_for(self, pattern):
        found = []

        def arrived():
            found.extend(re.findall(pattern, self.output()))
            return found

        sandbox.wait_until(arrived)
        return found[0], time.clock_gettime(time.CLOCK_MONOTONIC)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("flylocal", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def report_ms(path):
    connection = UnixConnection(path)
    start = time.perf_counter()
    connection.request("GET", "/flylocal/v1/report?timeout_ms=0&http_probe=0")
    body = connection.getresponse().read()
    return (time.perf_counter() - start) * 1000, len(body)


def main(flylocal, _server):
    with sandbox.temporary_directory() as project, sandbox.temporary_directory() as state:
        program, orders = os.path.join(project, "app.py"), os.path.join(project, "orders")
        os.mkfifo(orders)
        with open(program, "w") as file:
            file.write(APP)
        with open(os.path.join(project, "fly.toml"), "w") as file:
            file.write(f'app = "bench"\nprimary_region = "ams"\n[processes]\n  app = "{sys.executable} -u {program} {orders}"\n'
                       '[[services]]\n  processes = ["app"]\n  internal_port = 8080\n  protocol = "tcp"\n  [[services.ports]]\n    port = 20000\n')
        running = Watched(flylocal, project, state)
        sandbox.wait_until(running.has_control_socket)  # a project that is refused would leave nobody to read the orders
        with open(orders, "w", buffering=1) as tell:
            tell.write("bind 0\n")
            running.wait_for(r"no problems")
            bound, unbound = [], []
            for number in range(1, ROUNDS + 1):
                for word, result, times in (("unbind", r"nothing-listening", unbound), ("bind", r"reachable", bound)):
                    seen = len(re.findall(rf"Fly Proxy, machine \w+: .*-> .*{result}", running.output()))
                    tell.write(f"{word} {word}-{number}\n")
                    sandbox.wait_until(lambda r=result, s=seen: len(re.findall(rf"Fly Proxy, machine \w+: .*-> .*{r}", running.output())) > s)
                    told = time.clock_gettime(time.CLOCK_MONOTONIC)
                    (_, at), _ = running.wait_for(rf"at ({word}-{number}) ([0-9.]+)")
                    times.append((told - float(at)) * 1000)
            sandbox.figures("from a bind to its line in `up`", bound)
            sandbox.figures("from an unbind to its line in `up`", unbound)
            print("goal: both under 300 ms")

            few = [report_ms(running.socket)[0] for _ in range(ROUNDS)]
            tell.write(f"many {SOCKETS}\n")
            running.wait_for(r"(many)")
            many = [report_ms(running.socket)[0] for _ in range(5)]
            peer = []
            for _ in range(5):
                start = time.perf_counter()
                running.run("ssh", "console", "-C", "ss -H -tlnp")
                peer.append((time.perf_counter() - start) * 1000)
            sandbox.figures("a report, one socket", few)
            sandbox.figures(f"a report, {SOCKETS} sockets", many)
            sandbox.figures(f"ss -tlnp in the machine, {SOCKETS} sockets", peer)
            print(f"ratio report / ss: {min(many) / min(peer):.2f}")
            before = cpu_seconds(running.process.pid)
            time.sleep(IDLE_S)  # the subject: what watching costs over time
            print(f"watching {SOCKETS} sockets: {100 * (cpu_seconds(running.process.pid) - before) / IDLE_S:.2f} % of a core")
        running.stop()

        with open(program, "w") as file:
            file.write('import socket, time\ns = socket.create_server(("0.0.0.0", 8080))\ntime.sleep(3600)\n')
        running = Watched(flylocal, project, state)
        running.wait_for(r"no problems")
        before = cpu_seconds(running.process.pid)
        time.sleep(IDLE_S)  # the same of an ordinary machine
        print(f"watching one machine: {100 * (cpu_seconds(running.process.pid) - before) / IDLE_S:.2f} % of a core (goal: under 0.1 %)")
        running.stop()


main(*sys.argv[1:])
