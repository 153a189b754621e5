"""flylocal's DNS server beside unbound and dnsmasq: the same names over one veth pair, one thread each, asked by dnsperf in turn.

dns_queries.py BENCH_DNS_SERVER [SECONDS]. Everything runs in two network namespaces of its own, as root or as an ordinary user. No
server does anything while another is asked. Each server has one core; dnsperf, which has two threads of its own, runs where it likes:
held to the other core of two, it could not ask as fast as a good server answers.
"""
import contextlib
import dataclasses
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import time

import sandbox

ROUNDS = 7
SECONDS = 2  # of a round; many short turns are disturbed less by what else the host does than few long ones
LATENCY_RATE = 10_000  # queries a second while latencies are taken: far below what any of the three can do
STORM_RATE = 1_000  # changes of a machine's state a second
SERVER_ADDRESS, CLIENT_ADDRESS = "fdaa::3", "fdaa::9"
INSIDE = "FLYLOCAL_BENCH_INSIDE"
SKIPPED = 77
AAAA = 28


# ---- the two namespaces -----------------------------------------------------------------------------------------

def need_programs():
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    missing = [name for name in ("dnsperf", "unbound", "dnsmasq", "ip", "unshare", "nsenter") if not shutil.which(name)]
    if missing:
        print("not installed:", ", ".join(missing))
        sys.exit(SKIPPED)


def go_inside():
    """Runs this program again in a network namespace of its own, which is the servers'."""
    words = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*words, "true"], capture_output=True).returncode != 0:
        print("this host allows no network namespace")
        sys.exit(SKIPPED)
    os.environ[INSIDE] = "1"
    os.execvp(words[0], [*words, sys.executable, *sys.argv])


@contextlib.contextmanager
def client_namespace():
    """The other end of the veth pair; gives the words that run a program there."""
    # cat holds the namespace until its input ends, which it does with this program.
    holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
    try:
        ours = os.readlink("/proc/self/ns/net")
        sandbox.wait_until(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != ours)
        there = ["nsenter", "--net", "--target", str(holder.pid)]
        for words in (
            ["ip", "link", "set", "lo", "up"],
            ["ip", "link", "add", "server", "mtu", "1420", "type", "veth", "peer", "name", "client", "mtu", "1420", "netns", str(holder.pid)],
            ["ip", "addr", "add", f"{SERVER_ADDRESS}/64", "dev", "server", "nodad"],
            ["ip", "link", "set", "server", "up"],
            [*there, "ip", "addr", "add", f"{CLIENT_ADDRESS}/64", "dev", "client", "nodad"],
            [*there, "ip", "link", "set", "client", "up"],
        ):
            subprocess.run(words, check=True)
        yield there
    finally:
        holder.stdin.close()
        holder.wait()


def on_first_core():
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])


# ---- the servers ------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Server:
    name: str
    port: int
    process: subprocess.Popen

    def cpu_seconds(self):
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/schedstat") as file:
                total += int(file.read().split()[0])
        return total / 1e9


UNBOUND = """server:
  directory: ""
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  num-threads: 1
  interface: {address}@{port}
  access-control: ::/0 allow
  module-config: "iterator"
  local-zone: "internal." static
{records}
remote-control:
  control-enable: no
"""


@contextlib.contextmanager
def servers_of(bench_server, names, directory):
    """flylocal's, unbound and dnsmasq with the same records, all of them asked once. Yields them and the records."""
    with contextlib.ExitStack() as stack:
        started = []

        def start(name, words, port, **named):
            process = subprocess.Popen(words, preexec_fn=on_first_core, **named)
            stack.callback(process.wait)
            stack.callback(process.kill)
            started.append(Server(name, port, process))
            return process

        ours = start("flylocal", [bench_server, SERVER_ADDRESS, "53", str(names)], 53, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        records = [line.split() for line in iter(ours.stdout.readline, "ready\n") if line.strip()]
        if len(records) != names:
            raise RuntimeError(f"{bench_server} serves {len(records)} names of {names}")

        configuration = os.path.join(directory, "unbound.conf")
        with open(configuration, "w") as file:
            lines = "\n".join(f'  local-data: "{name}. 5 IN AAAA {address}"' for name, address in records)
            file.write(UNBOUND.format(address=SERVER_ADDRESS, port=5301, records=lines))
        start("unbound", ["unbound", "-d", "-c", configuration], 5301, stderr=subprocess.DEVNULL)

        hosts = os.path.join(directory, "hosts")
        with open(hosts, "w") as file:
            file.writelines(f"{address} {name}\n" for name, address in records)
        os.chmod(directory, 0o755)
        start("dnsmasq", ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=", "--group=", "--no-resolv",
                          "--no-hosts", f"--addn-hosts={hosts}", "--port=5302", f"--listen-address={SERVER_ADDRESS}", "--bind-interfaces",
                          f"--cache-size={max(names, 150)}", "--local-ttl=5", "--local=/internal/"], 5302, stderr=subprocess.DEVNULL)

        # That each gives the right answers is the least: a refusal would be quick as well.
        for server in started:
            sandbox.wait_until(lambda s=server: still_runs(s) and ask(s, records[0][0]))
            for name, address in records[:: max(1, names // 200)]:
                if ask(server, name) != [address]:
                    raise RuntimeError(f"{server.name} does not answer {name} with {address}")
        yield started, records


def still_runs(server):
    if server.process.poll() is not None:
        raise RuntimeError(f"{server.name} ended with {server.process.returncode}")
    return True


def ask(server, name):
    """The addresses in the answer; empty when there is none."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0" + struct.pack("!HH", AAAA, 1)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        try:
            client.connect((SERVER_ADDRESS, server.port))
            client.send(struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + question)
            answer = client.recv(4096)
        except OSError:
            return []
    # The owner is a compressed name: 2 octets, then type, class, TTL and size.
    at, found = 12 + len(question), []
    for _ in range(struct.unpack_from("!H", answer, 6)[0]):
        kind, size = struct.unpack_from("!H", answer, at + 2)[0], struct.unpack_from("!H", answer, at + 10)[0]
        if kind == AAAA:
            found.append(socket.inet_ntop(socket.AF_INET6, answer[at + 12:at + 12 + size]))
        at += 12 + size
    return found


# ---- asking -----------------------------------------------------------------------------------------------------

def dnsperf(there, server, queries, seconds, *options):
    words = [*there, "dnsperf", "-s", SERVER_ADDRESS, "-p", str(server.port), "-d", queries, "-l", f"{seconds:g}", "-T", "1", "-c", "1", *options]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr}")
    codes = re.search(r"Response codes: +(.*)", done.stdout)
    if not codes or codes[1].count("NOERROR") != 1 or "," in codes[1]:
        raise RuntimeError(f"{server.name} does not answer every query with NOERROR: {codes and codes[1]}")
    return done.stdout


def number(pattern, text):
    return float(re.search(pattern, text)[1])


@dataclasses.dataclass
class Load:
    """What the rounds of one server came to."""
    per_second: list = dataclasses.field(default_factory=list)
    lost: int = 0
    cpu_us: list = dataclasses.field(default_factory=list)

    def run(self, there, server, queries, seconds):
        before = server.cpu_seconds()
        text = dnsperf(there, server, queries, seconds)
        answered = number(r"Queries completed: +(\d+)", text)
        self.cpu_us.append((server.cpu_seconds() - before) / answered * 1e6)
        self.per_second.append(number(r"Queries per second: +([\d.]+)", text))
        self.lost += int(number(r"Queries lost: +(\d+)", text))


    def busy(self):
        """How much of a core the server used. Well below 100 % it was dnsperf, or the host, that set the pace."""
        return statistics.median(rate * cpu for rate, cpu in zip(self.per_second, self.cpu_us)) / 1e4


@dataclasses.dataclass
class Latency:
    """Times from query to answer at a fixed rate, in microseconds."""
    times: list = dataclasses.field(default_factory=list)
    lost: int = 0
    p99s: list = dataclasses.field(default_factory=list)

    def run(self, there, server, queries, seconds):
        text = dnsperf(there, server, queries, seconds, "-v", "-Q", str(LATENCY_RATE))
        these = sorted(float(time_s) * 1e6 for time_s in re.findall(r"^> NOERROR \S+ AAAA ([\d.]+)$", text, re.M))
        if not these:
            raise RuntimeError(f"dnsperf -v names no latencies:\n{text[-2000:]}")
        self.lost += int(number(r"Queries lost: +(\d+)", text))
        self.times += these
        self.p99s.append(these[len(these) * 99 // 100])

    def text(self):
        return (f"median {statistics.median(self.times):5.0f} us   p99 {statistics.median(self.p99s):5.0f} us (of the quietest round "
                f"{min(self.p99s):5.0f})   slowest {max(self.times):6.0f} us   of {len(self.times)}, lost {self.lost}")


def query_file(directory, records):
    path = os.path.join(directory, "queries")
    with open(path, "w") as file:
        file.writelines(f"{name} AAAA\n" for name, _ in records)
    return path


def compare(there, bench_server, names, seconds):
    with sandbox.temporary_directory() as directory, servers_of(bench_server, names, directory) as (servers, records):
        queries = query_file(directory, records)
        loads = {server.name: Load() for server in servers}
        latencies = {server.name: Latency() for server in servers}
        for _ in range(ROUNDS):
            for server in servers:
                loads[server.name].run(there, server, queries, seconds)
        for _ in range(ROUNDS):
            for server in servers:
                latencies[server.name].run(there, server, queries, max(1, seconds / 2))
        print(f"{names:,} names, {ROUNDS} rounds of {seconds:g} s, as fast as dnsperf and the server go:")
        for name, load in loads.items():
            print(f"  {name:<9} {statistics.median(load.per_second):9,.0f} queries/s   (min {min(load.per_second):9,.0f}, max {max(load.per_second):9,.0f})"
                  f"   lost {load.lost}   CPU {statistics.median(load.cpu_us):5.2f} us a query, {load.busy():3.0f} % busy")
        print(f"{names:,} names, {LATENCY_RATE:,} queries/s:")
        for name, latency in latencies.items():
            print(f"  {name:<9} {latency.text()}")

        # Of turns that follow each other, as the host's other load changes over time.
        def of_peers(values):
            return [statistics.median(a / b for a, b in zip(values["flylocal"], values[name])) for name in values if name != "flylocal"]
        print(f"ratio flylocal / the faster peer: {min(of_peers({n: l.per_second for n, l in loads.items()})):.2f} in queries/s (goal: 1.50, no query "
              f"lost), {1 / max(of_peers({n: l.cpu_us for n, l in loads.items()})):.2f} in queries per second of the server's CPU")
        p99 = {name: min(latency.p99s) for name, latency in latencies.items()}
        better = min(value for name, value in p99.items() if name != "flylocal")
        print(f"ratio flylocal / the better peer: {p99['flylocal'] / better:.2f} in the p99 of the quietest round (goal: at most 1)\n")


def storm(there, bench_server, names, seconds):
    """flylocal's latencies while machines change their state, and in turn while they do not."""
    with sandbox.temporary_directory() as directory, servers_of(bench_server, names, directory) as (servers, records):
        ours = servers[0]
        queries = query_file(directory, records)
        calm, stormy, changes = Latency(), Latency(), []
        for _ in range(ROUNDS):
            calm.run(there, ours, queries, seconds)
            ours.process.stdin.write(f"storm {STORM_RATE}\n")
            ours.process.stdin.flush()
            begun = time.perf_counter()
            stormy.run(there, ours, queries, seconds)
            ours.process.stdin.write("calm\n")
            ours.process.stdin.flush()
            _, count, _, slowest = ours.process.stdout.readline().split()
            changes.append((int(count) / (time.perf_counter() - begun), float(slowest)))
    print(f"{names:,} names, {LATENCY_RATE:,} queries/s, each change of a machine's state published by itself:")
    print(f"  no change             {calm.text()}")
    print(f"  {statistics.median(rate for rate, _ in changes):5,.0f} changes/s       {stormy.text()}")
    print(f"  slowest publication {max(slowest for _, slowest in changes):,.0f} us (goal: {STORM_RATE:,} changes/s and no slow query)\n")


def main(bench_server, seconds=SECONDS):
    need_programs()
    if INSIDE not in os.environ:
        go_inside()
    seconds = float(seconds)
    print(f"load of the host at the start: {os.getloadavg()[0]:.2f} on {len(os.sched_getaffinity(0))} cores\n")
    with client_namespace() as there:
        compare(there, bench_server, 200, seconds)
        compare(there, bench_server, 10_000, seconds)
        storm(there, bench_server, 200, seconds)


main(*sys.argv[1:])
