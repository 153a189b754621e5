"""flylocal's proxy beside nginx, HAProxy and nghttpx: the same machine behind them, the same veth pairs, one thread each, asked by wrk
and h2load in turn.

proxy_speed.py BENCH_PROXY_SERVER BENCH_LIGHT_APP [--only CASE]... [--rounds N] [--seconds N] [--quick]. Everything runs in three network
namespaces of its own, as root or as an ordinary user: clients, proxies, and the machine with the app. No proxy does anything while another
is asked. Each proxy has one core; clients and the app have the others, as it would be chance who disturbs whom on the proxy's. The app does
as little as can be, since on a host with two cores it is the rest that limits them all. The last case, `threads`, gives the proxies two.
"""
import argparse
import contextlib
import dataclasses
import os
import re
import resource
import select
import shutil
import socket
import statistics
import subprocess
import sys
import time

import sandbox

CONNECTIONS = 64
STREAMS = 10  # of each HTTP/2 connection
SHAKERS = 4  # processes that make TLS handshakes, each with one connection at a time
EDGE, CLIENT = "10.99.0.1", "10.99.0.2"
INNER, MACHINE = "172.16.0.1", "172.16.0.2"
MACHINE_PORT = 8080
NAME = "bench.localhost"
SMALL = b"Hello from the machine.\n"
INSIDE = "FLYLOCAL_BENCH_INSIDE"
SKIPPED = 77


# ---- three namespaces -------------------------------------------------------------------------------------------

def need_programs():
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    missing = [name for name in ("nginx", "haproxy", "nghttpx", "wrk", "h2load", "openssl", "ip", "unshare", "nsenter") if not shutil.which(name)]
    if missing:
        print("not installed:", ", ".join(missing))
        sys.exit(SKIPPED)


def go_inside():
    """Runs this program again in a network namespace of its own, which is the proxies'."""
    words = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*words, "true"], capture_output=True).returncode != 0:
        print("this host allows no network namespace")
        sys.exit(SKIPPED)
    os.environ[INSIDE] = "1"
    os.execvp(words[0], [*words, sys.executable, *sys.argv])


def spare_ports():
    """Lets a proxy that opens a connection for each request go on: otherwise the ports that it used up are missed by all who come after."""
    for name, value in (("tcp_tw_reuse", "1"), ("ip_local_port_range", "10000 65000")):
        with open(f"/proc/sys/net/ipv4/{name}", "w") as file:
            file.write(value)


@contextlib.contextmanager
def neighbour(ours, theirs):
    """A namespace at the other end of a veth pair; gives the words that run a program there."""
    # cat holds the namespace until its input ends, which it does with this program.
    holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
    try:
        here = os.readlink("/proc/self/ns/net")
        sandbox.wait_until(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != here)
        there = ["nsenter", "--net", "--target", str(holder.pid)]
        device = f"to{holder.pid}"
        for words in (
            ["ip", "link", "set", "lo", "up"],
            [*there, "ip", "link", "set", "lo", "up"],
            ["ip", "link", "add", device, "type", "veth", "peer", "name", "edge", "netns", str(holder.pid)],
            ["ip", "addr", "add", f"{ours}/24", "dev", device],
            ["ip", "link", "set", device, "up"],
            [*there, "ip", "addr", "add", f"{theirs}/24", "dev", "edge"],
            [*there, "ip", "link", "set", "edge", "up"],
        ):
            subprocess.run(words, check=True)
        yield there
    finally:
        holder.stdin.close()
        holder.wait()


def widen_limits():
    """As many open files as this process may have. Returns how many those are."""
    wanted, (_, hard) = 65536, resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(wanted, hard), hard):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return limit
    return hard


CORES = sorted(os.sched_getaffinity(0))


def on_first_core():
    os.sched_setaffinity(0, CORES[:1])


def on_all_cores():
    os.sched_setaffinity(0, CORES)


def beside_first_core():
    os.sched_setaffinity(0, CORES[1:] or CORES)


# ---- the proxies ------------------------------------------------------------------------------------------------

def descendants(pid):
    yield pid
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                for child in file.read().split():
                    yield from descendants(int(child))


@dataclasses.dataclass
class Server:
    name: str
    ports: dict  # by what is served: http, tcp, https, h2c, h2
    process: subprocess.Popen

    def cpu_seconds(self):
        total = 0
        for pid in descendants(self.process.pid):
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                    total += int(file.read().split()[0])
        return total / 1e9

    def memory_kb(self):
        """The memory of its processes, with what they share divided between them."""
        total = 0
        for pid in descendants(self.process.pid):
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += int(re.search(r"^Pss: +(\d+)", file.read(), re.M)[1])
        return total

    def check_running(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}")

    def url(self, role, path):
        return f"http{'s' if role in ('https', 'h2') else ''}://{EDGE}:{self.ports[role]}{path}"


NGINX_BASE = """daemon off;
{process}
user root;
pid {directory}/{name}.pid;
error_log {directory}/{name}.log error;
worker_rlimit_nofile {files};
events {{ worker_connections {files}; }}
http {{
  access_log off;
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  client_body_temp_path {directory}/{name}.body;
  proxy_temp_path {directory}/{name}.proxy;
  fastcgi_temp_path {directory}/{name}.fastcgi;
  uwsgi_temp_path {directory}/{name}.uwsgi;
  scgi_temp_path {directory}/{name}.scgi;
{http}
}}
"""

NGINX_PROXY = """
  ssl_certificate {directory}/certificate.pem;
  ssl_certificate_key {directory}/key.pem;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:bench:10m;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream machine {{
    server {machine};
    keepalive 1024;
    keepalive_requests 1000000000;
  }}
  server {{
    listen {edge}:{http};
    listen {edge}:{https} ssl;
    listen {edge}:{h2c} http2;
    listen {edge}:{h2} ssl http2;
    location / {{
      proxy_pass http://machine;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_max_temp_file_size 0;
      proxy_read_timeout 300s;
    }}
  }}
"""

NGINX_MACHINE = """
  sendfile on;
  server {{
    listen {machine};
    root {directory};
  }}
"""

HAPROXY = """global
  nbthread {threads}
  no strict-limits
  maxconn {files}
  maxpipes {connections}
defaults
  mode http
  http-reuse always
  timeout connect 10s
  timeout client 300s
  timeout server 300s
  timeout tunnel 300s
  timeout http-keep-alive 300s
frontend web
  bind {edge}:{http}
  bind {edge}:{https} ssl crt {directory}/both.pem alpn h2,http/1.1
  bind {edge}:{h2c} proto h2
  default_backend machine
backend machine
  server only {machine}
listen raw
  mode tcp
  option splice-auto
  bind {edge}:{tcp}
  server only {machine}
"""


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w") as file:
        file.write(text)
    return path


def make_certificate(directory):
    key, certificate = os.path.join(directory, "key.pem"), os.path.join(directory, "certificate.pem")
    # The same kind as flylocal's own.
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    with open(certificate) as first, open(key) as second:
        write(directory, "both.pem", first.read() + second.read())


class World:
    """The namespaces, and what is started in them."""

    def __init__(self, bench_server, light_app, directory, clients, machines, files):
        self.bench_server = bench_server
        self.light_app = light_app
        self.beside = beside_first_core  # where clients and the app run
        self.directory = directory
        self.clients = clients
        self.machines = machines
        self.files = files

    def nginx_words(self, name, http, threads=1):
        process = "master_process off;" if threads == 1 else f"worker_processes {threads};"
        path = write(self.directory, f"{name}.conf", NGINX_BASE.format(process=process, directory=self.directory, name=name, files=self.files, http=http))
        return ["nginx", "-p", self.directory, "-e", f"{self.directory}/{name}.log", "-c", path]

    @contextlib.contextmanager
    def machine(self, app="small"):
        """The app: gives small answers, is nginx with files ("files"), or makes each connection a WebSocket ("upgrades")."""
        if app == "small":
            words = [self.light_app, MACHINE, str(MACHINE_PORT), SMALL.decode()]
        elif app == "files":
            words = self.nginx_words("machine", NGINX_MACHINE.format(machine=f"{MACHINE}:{MACHINE_PORT}", directory=self.directory))
        else:
            words = [sys.executable, os.path.abspath(__file__), "--take-upgrades"]
        with started([*self.machines, *words], preexec_fn=self.beside):
            yield

    @contextlib.contextmanager
    def proxies(self, threads=None):
        """Each of them, running on one core. With `threads`: with so many, on all cores."""
        with contextlib.ExitStack() as stack:
            def start(name, words, **named):
                process = stack.enter_context(started(words, preexec_fn=on_first_core if on_one_core else on_all_cores, **named))
                server = Server(name, {}, process)
                servers.append(server)
                return server

            servers, on_one_core = [], not threads
            threads = threads or 1
            ours = start("flylocal", [self.bench_server, EDGE, "8000", INNER, MACHINE, str(MACHINE_PORT), f"{self.directory}/authority", NAME, str(threads)],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            while (line := ours.process.stdout.readline()) != "ready\n":
                if not line:
                    ours.process.wait()
                    ours.check_running()
                role, port = line.split()
                ours.ports[role] = int(port)
            facts = {"edge": EDGE, "machine": f"{MACHINE}:{MACHINE_PORT}", "directory": self.directory, "threads": threads,
                     "connections": CONNECTIONS, "files": self.files}

            ports = {"http": 8100, "https": 8101, "h2c": 8102, "h2": 8103}
            start("nginx", self.nginx_words("nginx", NGINX_PROXY.format(**facts, **ports), threads)).ports = ports

            ports = {"http": 8200, "https": 8201, "h2c": 8202, "h2": 8201, "tcp": 8203}
            path = write(self.directory, "haproxy.conf", HAPROXY.format(**facts, **ports))
            start("HAProxy", ["haproxy", "-db", "-q", "-f", path]).ports = ports

            ports = {"http": 8300, "https": 8301, "h2c": 8300, "h2": 8301}
            start("nghttpx", ["nghttpx", "--conf=/dev/null", f"--workers={threads}", *(["--single-thread"] if threads == 1 else []), "--single-process",
                              f"--frontend={EDGE},8300;no-tls", f"--frontend={EDGE},8301", f"--backend={MACHINE},{MACHINE_PORT}", "--no-ocsp",
                              f"--rlimit-nofile={self.files}", f"--errorlog-file={self.directory}/nghttpx.log", f"--pid-file={self.directory}/nghttpx.pid",
                              f"{self.directory}/key.pem", f"{self.directory}/certificate.pem"], stderr=subprocess.DEVNULL).ports = ports
            yield servers

    def check(self, server, role, path, body):
        """Waits for the right answer: a wrong one would be quick as well."""
        def is_right():
            server.check_running()
            done = self.run("curl", "-sk", "--max-time", "5", *(["--http2-prior-knowledge"] if role == "h2c" else []), server.url(role, path))
            return done.returncode == 0 and done.stdout == body
        sandbox.wait_until(is_right, 20)

    def run(self, *words):
        return subprocess.run([*self.clients, *words], capture_output=True, preexec_fn=self.beside)

    def output(self, *words):
        done = self.run(*words)
        text = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {text[-2000:]}{done.stderr.decode(errors='replace')}")
        return text


@contextlib.contextmanager
def started(words, **named):
    process = subprocess.Popen(words, **named)
    try:
        yield process
    finally:
        # nginx and nghttpx end their workers on SIGTERM, but not on SIGKILL.
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()


# ---- load -------------------------------------------------------------------------------------------------------

UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}
SIZES = {"B": 1.0, "KB": 1024.0, "MB": 1024.0 ** 2, "GB": 1024.0 ** 3}


def found(pattern, text):
    match = re.search(pattern, text)
    if not match:
        raise RuntimeError(f"{pattern} is not in:\n{text[-2000:]}")
    return match.groups()


def wrk(world, url, seconds, *options):
    """Returns how many answers there were, and the measures."""
    text = world.output("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "--latency", *options, url)
    if "Non-2xx" in text:
        raise RuntimeError(f"{url} gives other answers than 200:\n{text}")
    errors = re.search(r"Socket errors: (.*)", text)
    (answers,) = found(r"(\d+) requests in", text)
    measures = {"per_second": float(found(r"Requests/sec: +([\d.]+)", text)[0])}
    for percent, name in (("50", "p50"), ("99", "p99")):
        value, unit = found(percent + r"% +([\d.]+)(us|ms|s)\b", text)
        measures[name] = float(value) * UNITS[unit]
    value, unit = found(r"Transfer/sec: +([\d.]+)([KMG]?B)", text)
    measures["mb_per_second"] = float(value) * SIZES[unit] / 1e6
    return int(answers), measures, errors and errors[1]


def h2load(world, url, seconds, *options):
    text = world.output("h2load", "-t1", f"-c{CONNECTIONS}", f"-m{STREAMS}", f"-D{seconds}", *options, url)
    answers, failed, errored = (int(number) for number in found(r"(\d+) succeeded, (\d+) failed, (\d+) errored", text))
    if answers == 0 or int(found(r"status codes: (\d+) 2xx", text)[0]) < answers:
        raise RuntimeError(f"{url} gives other answers than 200:\n{text}")
    rate = float(found(r"finished in [\d.]+m?s, ([\d.]+) req/s", text)[0])
    return answers, {"per_second": rate}, f"failed {failed}, errored {errored}" if failed or errored else None


def handshakes(world, server, seconds, how):
    """New TLS connections with one request each. wrk is of no use: whether it resumes sessions depends on how the server closes."""
    words = [*world.clients, "openssl", "s_time", "-connect", f"{EDGE}:{server.ports['https']}", "-www", "/small", "-time", str(seconds), "-tls1_3", how]
    begun = time.perf_counter()
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=world.beside) for _ in range(SHAKERS)]
    texts = [process.communicate()[0] for process in running]
    took = time.perf_counter() - begun
    count = 0
    for text in texts:
        # s_time writes a letter for each connection: r for a resumed session, * for a new one.
        if ("r" if how == "-reuse" else "*") * 5 not in text:
            raise RuntimeError(f"{server.name} does not do s_time {how}:\n{text[-2000:]}")
        made, size = found(r"(\d+) connections in \d+ real seconds, (\d+) bytes", text)
        count += int(made)
        if int(size) < len(SMALL):
            raise RuntimeError(f"{server.name} does not answer s_time {how}:\n{text[-2000:]}")
    return count, {"per_second": count / took}, None


@dataclasses.dataclass
class Case:
    """Of a load: what it is called, the port it goes to, what it does for some seconds, and what is to be reached."""
    title: str
    role: str
    load: object  # (world, server, seconds) -> answers, measures, errors
    unit: str = "requests/s"
    measure: str = "per_second"
    path: str = "/small"
    app: str = "small"
    connections: int = CONNECTIONS
    goals: dict = dataclasses.field(default_factory=dict)  # by peer: at least this ratio
    p99_goal: float = 0  # beside nginx, at most


def asking(role, path, *options):
    return lambda world, server, seconds: wrk(world, server.url(role, path), seconds, *options)


def asking_h2(role):
    return lambda world, server, seconds: h2load(world, server.url(role, "/small"), seconds)


def shaking(how):
    return lambda world, server, seconds: handshakes(world, server, seconds, how)


CLOSE = ("-H", "Connection: close")
LOADS = {
    "plain": Case("HTTP keep-alive, small answers", "http", asking("http", "/small"), goals={"nginx": 1.0, "HAProxy": 1.0}, p99_goal=1.2),
    "large": Case("HTTP keep-alive, answers of 1 MB", "http", asking("http", "/1m"), path="/1m", app="files", goals={"nginx": 1.0, "HAProxy": 1.0}),
    "connect": Case("HTTP, a new connection for each request", "http", asking("http", "/small", *CLOSE), goals={"nginx": 1.0, "HAProxy": 1.0}),
    "tls": Case("TLS keep-alive, small answers", "https", asking("https", "/small"), goals={"nginx": 0.9}),
    "handshake": Case("TLS 1.3, a new connection and a whole handshake for each request", "https", shaking("-new"), connections=SHAKERS, goals={"nginx": 0.9}),
    "resume": Case("TLS 1.3, a new connection and a resumed session for each request", "https", shaking("-reuse"), connections=SHAKERS, goals={"nginx": 0.9}),
    "h2c": Case(f"HTTP/2 without TLS, {STREAMS} streams a connection", "h2c", asking_h2("h2c"), goals={"nginx": 1.0, "nghttpx": 1.0}),
    "h2": Case(f"HTTP/2 with TLS, {STREAMS} streams a connection", "h2", asking_h2("h2"), goals={"nginx": 1.0, "nghttpx": 1.0}),
    "tcp": Case("plain TCP, 1 MB at a time", "tcp", asking("tcp", "/1m"), unit="MB/s", measure="mb_per_second", path="/1m", app="files"),
}
IDLE = {
    "idle": "idle HTTP connections after one request each",
    "websockets": "idle WebSockets",
}


def of_turns(ours, theirs):
    """The ratio of turns that follow each other, as the host's other load changes over time."""
    return statistics.median(a / b for a, b in zip(ours, theirs))


def compare(world, case, rounds, seconds):
    print(f"{case.title}; {case.connections} connections, {rounds} rounds of {seconds} s:")
    with world.machine(case.app), world.proxies() as servers:
        taking = [server for server in servers if case.role in server.ports]
        if "flylocal" not in [server.name for server in taking]:
            print("  flylocal's proxy does not serve this\n")
            return
        with open(os.path.join(world.directory, case.path[1:]), "rb") as file:
            body = file.read()
        for server in taking:
            world.check(server, case.role, case.path, body)
            case.load(world, server, 1)
        turns = {server.name: {} for server in taking}
        errors = {}
        for number in range(rounds):
            # Who goes first changes, so that nobody always follows the same one.
            for server in taking[number % len(taking):] + taking[:number % len(taking)]:
                before = server.cpu_seconds()
                answers, measures, trouble = case.load(world, server, seconds)
                if answers == 0:
                    raise RuntimeError(f"{server.name} gave no answer")
                measures["cpu"] = (server.cpu_seconds() - before) / answers * 1e6
                measures["busy"] = measures["cpu"] * measures["per_second"] / 1e4
                if trouble:
                    errors[server.name] = trouble
                for name, value in measures.items():
                    turns[server.name].setdefault(name, []).append(value)
    for name, values in turns.items():
        rates = values[case.measure]
        line = f"  {name:<9}{statistics.median(rates):10,.0f} {case.unit}   (min {min(rates):8,.0f}, max {max(rates):8,.0f})"
        if "p50" in values:
            line += f"   p50 {statistics.median(values['p50']):7,.0f} us   p99 {statistics.median(values['p99']):7,.0f} us"
        line += f"   CPU {statistics.median(values['cpu']):8.1f} us each, {statistics.median(values['busy']):3.0f} % busy"
        print(line + (f"   errors: {errors[name]}" if name in errors else ""))
    ours = turns["flylocal"]
    best = max((name for name in turns if name != "flylocal"), key=lambda name: statistics.median(turns[name][case.measure]), default=None)
    for name, values in turns.items():
        if name == "flylocal":
            continue
        goal = f" (goal: {case.goals[name]:.2f})" if name in case.goals else ""
        peer = f"{name}, the best peer:" if name == best else f"{name}:"
        line = f"  ratio flylocal / {peer:<24} {of_turns(ours[case.measure], values[case.measure]):.2f} in {case.unit}{goal}"
        line += f", {1 / of_turns(ours['cpu'], values['cpu']):.2f} in the same per second of CPU"
        if "p99" in values:
            # The quietest round: in the others it is the host that p99 shows.
            line += f", {of_turns(ours['p99'], values['p99']):.2f} in p99, {min(ours['p99']) / min(values['p99']):.2f} in that of the quietest round"
            line += f" (goal: at most {case.p99_goal:.2f})" if case.p99_goal and name == "nginx" else ""
        print(line)
    print(flush=True)


# ---- idle connections -------------------------------------------------------------------------------------------

GET = f"GET /small HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode()
UPGRADE = (f"GET /small HTTP/1.1\r\nHost: {NAME}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode()
SWITCHED = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


def take_upgrades():
    """The app in the machine: makes each connection a WebSocket and keeps it. Ends by a signal."""
    listener = socket.create_server((MACHINE, MACHINE_PORT), backlog=1024)
    news = select.epoll()
    news.register(listener, select.EPOLLIN)
    clients, heads = {}, {}
    while True:
        for fd, _ in news.poll():
            if fd == listener.fileno():
                client, _ = listener.accept()
                clients[client.fileno()], heads[client.fileno()] = client, b""
                news.register(client, select.EPOLLIN)
                continue
            got = b""
            with contextlib.suppress(ConnectionError):
                got = clients[fd].recv(4096)
            heads[fd] += got
            if not got:
                news.unregister(fd)
                clients.pop(fd).close()
                del heads[fd]
            elif heads[fd].endswith(b"\r\n\r\n"):
                clients[fd].sendall(SWITCHED)
                heads[fd] = b""


def hold(port, count, kind):
    """The clients: `count` connections that were answered once and say nothing any more, until the input ends."""
    request, status, end = (UPGRADE, b" 101 ", b"\r\n\r\n") if kind == "websockets" else (GET, b" 200 ", SMALL)
    kept = []
    for _ in range(count):
        client = socket.create_connection((EDGE, port), timeout=30)
        client.sendall(request)
        answer = b""
        while not answer.endswith(end):
            got = client.recv(4096)
            if not got:
                sys.exit(f"connection {len(kept)} was closed after {answer[:200]}")
            answer += got
        if status not in answer.split(b"\r\n")[0]:
            sys.exit(f"connection {len(kept)} was answered with {answer[:200]}")
        kept.append(client)
    print("held", flush=True)
    sys.stdin.read()
    # That they are still there is the least.
    print("gone", len(closed_of(kept)), flush=True)


def closed_of(clients):
    news = select.epoll()
    for client in clients:
        news.register(client, select.EPOLLIN | select.EPOLLRDHUP)
    return news.poll(0, len(clients))


def idle(world, kind, count):
    each = 2 if kind == "websockets" else 1
    count = min(count, (world.files - 500) // each)
    print(f"{count:,} {IDLE[kind]}:")
    with world.machine("upgrades" if kind == "websockets" else "small"), world.proxies() as servers:
        for server in servers:
            sandbox.wait_until(lambda s=server: s.check_running() or holds(world, s, kind, 20), 20)
            before = server.memory_kb()
            held = {}
            if not holds(world, server, kind, count, lambda s=server, h=held: h.update(kb=s.memory_kb())):
                print(f"  {server.name:<9} does not hold them")
                continue
            print(f"  {server.name:<9} {(held['kb'] - before) / count:7.2f} kB each   ({before / 1024:.1f} MB before, {held['kb'] / 1024:.1f} MB with them)"
                  + ("   (goal: under 20 kB)" if server.name == "flylocal" else ""))
    print(flush=True)


def holds(world, server, kind, count, meanwhile=lambda: None):
    words = [*world.clients, sys.executable, os.path.abspath(__file__), "--hold", str(server.ports["http"]), str(count), kind]
    with started(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as holder:
        if holder.stdout.readline() != "held\n":
            if count > 100:
                print(f"  {server.name}: {holder.stderr.read().strip()}")
            return False
        meanwhile()
        holder.stdin.close()
        gone = holder.stdout.readline()
        holder.stdin = None
        if gone != "gone 0\n":
            print(f"  {server.name}: of {count} connections: {gone.strip()}")
        return gone == "gone 0\n"


# ---- threads ----------------------------------------------------------------------------------------------------

def scaling(world, rounds, seconds):
    cores = len(CORES)
    world.beside = on_all_cores
    print(f"one thread and two, HTTP keep-alive, small answers; {rounds} rounds of {seconds} s, no core of their own"
          + (f"; this host's {cores} cores are too few for two threads, wrk and the app:" if cores < 4 else ":"))
    with world.machine():
        rates = {}
        for _ in range(rounds):
            for threads in (1, 2):
                with world.proxies(threads) as servers:
                    for server in servers:
                        world.check(server, "http", "/small", SMALL)
                        _, measures, _ = wrk(world, server.url("http", "/small"), seconds)
                        rates.setdefault(server.name, {}).setdefault(threads, []).append(measures["per_second"])
    for name, of in rates.items():
        print(f"  {name:<9} one {statistics.median(of[1]):9,.0f} requests/s   two {statistics.median(of[2]):9,.0f}   ratio {of_turns(of[2], of[1]):.2f}")
    print(flush=True)


# ---- all of it --------------------------------------------------------------------------------------------------

def arguments():
    parser = argparse.ArgumentParser(description="flylocal's proxy beside nginx, HAProxy and nghttpx")
    parser.add_argument("bench_server", metavar="BENCH_PROXY_SERVER")
    parser.add_argument("light_app", metavar="BENCH_LIGHT_APP")
    parser.add_argument("--only", action="append", choices=[*LOADS, *IDLE, "threads"], help="this case; may be given more than once")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2, help="of a round; many short turns are disturbed less by what else the host does")
    parser.add_argument("--connections", type=int, default=10_000, help="idle ones")
    parser.add_argument("--quick", action="store_true", help="two rounds of one second, 1,000 idle connections: shows that all of it works")
    given = parser.parse_args()
    if given.quick:
        given.rounds, given.seconds, given.connections = 2, 1, 1000
    return given


def main():
    given = arguments()
    need_programs()
    if INSIDE not in os.environ:
        go_inside()
    files = widen_limits()
    print(f"load of the host at the start: {os.getloadavg()[0]:.2f} on {len(CORES)} cores\n", flush=True)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(sandbox.temporary_directory())
        os.chmod(directory, 0o755)
        make_certificate(directory)
        write(directory, "small", SMALL.decode())
        write(directory, "1m", "x" * (1 << 20))
        spare_ports()
        clients = stack.enter_context(neighbour(EDGE, CLIENT))
        machines = stack.enter_context(neighbour(INNER, MACHINE))
        world = World(given.bench_server, given.light_app, directory, clients, machines, files)
        wanted = given.only or [*LOADS, *IDLE, "threads"]
        for name, case in LOADS.items():
            if name in wanted:
                compare(world, case, given.rounds, given.seconds)
        for kind in IDLE:
            if kind in wanted:
                idle(world, kind, given.connections)
        if "threads" in wanted:
            scaling(world, given.rounds, given.seconds)


if sys.argv[1:2] == ["--take-upgrades"]:
    take_upgrades()
elif sys.argv[1:2] == ["--hold"]:
    hold(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
else:
    main()
