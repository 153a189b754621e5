"""The `.internal` names as real clients find them inside a machine: all have to come to the same answers.

Each client is a program that takes questions as pairs of arguments, KIND NAME, and prints one line for each. KIND is "any" (what
the client does when no family is named), "6" (AAAA), "4" (A) or "txt". The line holds the addresses joined by commas or the whole
text of the TXT record; "nodata", "nxdomain", or "none" from a client that does not tell these two apart; or "error" and why.
A client that is not installed is left out by name; under FLYLOCAL_NETNS_MUST_WORK=1 those that tests/build.sh installs must be there.
"""
import atexit
import dataclasses
import ipaddress
import os
import shutil
import subprocess
import tempfile

import harness

SOURCES = harness.SOURCES / "dns_clients"
REGIONS = "".join(f'[[machines]]\n  region = "{region}"\n  count = {count}\n' for region, count in (("ams", 2), ("iad", 1)))
# Names of the greatest length: the TXT record with all of them is longer than any answer over UDP.
CROWD = [f"crowd-{number:02}-".ljust(63, "x") for number in range(20)]
MAX_UDP_SIZE = 1232


@dataclasses.dataclass(frozen=True)
class Client:
    name: str
    command: tuple  # {programs} is where the sources and what was built of them are
    needs: tuple  # programs or files on this host
    build: str = ""  # shell, in a directory of its own; {source} is dns_clients
    built: str = ""  # what that makes
    kinds: tuple = ("any", "6", "4")
    any_family: bool = True  # without a family it asks for both; False: for A alone
    tells: bool = True  # nodata from nxdomain
    installed: bool = True  # by tests/build.sh


PYTHON_TOOLS = (harness.python(), "{programs}/tools.py")
ALL_KINDS = ("any", "6", "4", "txt")
CLIENTS = (
    Client("dig", (*PYTHON_TOOLS, "dig"), ("dig",), kinds=ALL_KINDS, any_family=False),
    Client("kdig", (*PYTHON_TOOLS, "kdig"), ("kdig",), kinds=ALL_KINDS, any_family=False),
    Client("drill -a", (*PYTHON_TOOLS, "drill"), ("drill",), kinds=ALL_KINDS, any_family=False),
    Client("host", (*PYTHON_TOOLS, "host"), ("host",), kinds=ALL_KINDS),
    Client("busybox nslookup", (*PYTHON_TOOLS, "nslookup"), ("busybox",)),
    Client("glibc getaddrinfo", ("{programs}/getaddrinfo-glibc",), ("gcc",),
           build="gcc -O1 -o getaddrinfo-glibc {source}/getaddrinfo.c", built="getaddrinfo-glibc"),
    Client("musl getaddrinfo", ("{programs}/getaddrinfo-musl",), ("musl-gcc",),
           build="musl-gcc -O1 -static -o getaddrinfo-musl {source}/getaddrinfo.c", built="getaddrinfo-musl", tells=False),
    Client("c-ares", ("{programs}/cares",), ("gcc", "/usr/include/ares.h"), build="gcc -O1 -o cares {source}/cares.c -lcares", built="cares",
           kinds=ALL_KINDS),
    Client("Node.js dns.resolve", ("node", "{programs}/node.mjs", "resolve"), ("node",), kinds=ALL_KINDS, any_family=False),
    Client("Node.js dns.lookup", ("node", "{programs}/node.mjs", "lookup"), ("node",), tells=False),
    Client("Python socket.getaddrinfo", (harness.python(), "{programs}/python_socket.py"), ()),
    Client("Go net, CGO_ENABLED=0", ("{programs}/resolver",), ("go",), kinds=ALL_KINDS, tells=False, installed=False,
           build='CGO_ENABLED=0 GO111MODULE=off GOFLAGS= GOCACHE="$PWD/go-cache" go build -o resolver {source}/resolver.go', built="resolver"),
    Client("Java InetAddress", ("java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", "{programs}", "Addresses"), ("java", "javac"),
           build="javac -d . {source}/Addresses.java", built="Addresses.class", kinds=("any",), tells=False, installed=False),
    Client("Java, preferIPv4Stack", ("java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true", "-cp", "{programs}",
                                     "Addresses"), ("java", "javac"),
           build="javac -d . {source}/Addresses.java", built="Addresses.class", kinds=("4",), tells=False, installed=False),
    Client("Erlang inet_res", ("escript", "{programs}/inet_res.escript"), ("escript",), kinds=("6", "4", "txt"), installed=False),
)


def missing(client):
    path = harness.program_path()
    return [need for need in client.needs if not (os.path.exists(need) if need.startswith("/") else shutil.which(need, path=path))]


def build(client, directory):
    """Makes the client's program there, unless it is there and newer than its sources."""
    made = os.path.join(directory, client.built)
    newest = max(os.path.getmtime(source) for source in SOURCES.iterdir())
    if not client.build or os.path.exists(made) and os.path.getmtime(made) >= newest:
        return
    done = subprocess.run(client.build.format(source=SOURCES), shell=True, cwd=directory, capture_output=True, text=True,
                          env=dict(os.environ, PATH=harness.program_path()))
    if done.returncode != 0:
        raise AssertionError(f"{client.name} cannot be built: {done.stderr}")


def in_order(line):
    """The answers of a line sorted, and addresses in the form that `flylocal status` writes (Java's is another)."""
    def written(word):
        try:
            return str(ipaddress.ip_address(word))
        except ValueError:
            return word
    return ",".join(sorted(map(written, line.split(","))))


def build_directory():
    """Where programs are kept from run to run; without FLYLOCAL_DNS_CLIENTS only for this one."""
    directory = os.environ.get("FLYLOCAL_DNS_CLIENTS")
    if not directory:
        directory = tempfile.mkdtemp(prefix="flylocal-dns-clients-")
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.makedirs(directory, exist_ok=True)
    return directory


class Clients(harness.SharedCase):
    """One app in two regions and with two groups, another app, and apps whose names together need TCP."""
    rows = {}

    @classmethod
    def prepare(cls):
        def project(name, processes='  app = "sleep infinity"\n', **files):
            return cls.stage.project({"fly.toml": f'app = "{name}"\nprimary_region = "ams"\n[processes]\n{processes}', **files}, name)
        one = project("one", '  app = "sleep infinity"\n  jobs = "sleep infinity"\n', **{"flylocal.toml": REGIONS})
        cls.up = cls.stage.up(one, project("two"), *map(project, CROWD))
        cls.programs = cls.stage.make_directory("programs")
        for source in SOURCES.iterdir():
            shutil.copy(source, cls.programs)
        cls.build_directory = build_directory()
        cls.machines = cls.up.machines("one")
        cls.questions = cls.questions_and_answers()

    @classmethod
    def questions_and_answers(cls):
        """(kind, name, answer): what has to be found, whoever asks."""
        def addresses(app, **wanted):
            return ",".join(sorted(m["private_ip"] for m in cls.up.machines(app) if all(m[key] == value for key, value in wanted.items())))
        every, machine = addresses("one"), cls.machines[0]
        return [
            ("any", "one.internal", every),
            ("6", "one.internal", every),
            ("4", "one.internal", "nodata"),
            ("6", "ONE.Internal", every),
            ("6", "one.internal.", every),
            ("6", "iad.one.internal", addresses("one", region="iad")),
            ("6", "ams.one.internal", addresses("one", region="ams")),
            ("6", "jobs.process.one.internal", addresses("one", process_group="jobs")),
            ("6", f"{machine['id']}.vm.one.internal", machine["private_ip"]),
            ("any", "global.one.internal", every),
            # The three of the asker's own region, and not the one across the sea.
            ("6", "top3.nearest.of.one.internal", addresses("one", region="ams")),
            ("6", "top4.nearest.of.one.internal", every),
            # Underscores are no host name's; clients may mind.
            ("any", "app.fly_process_group.kv._metadata.one.internal", addresses("one", process_group="app")),
            ("any", "two.internal", addresses("two")),
            ("6", "syd.one.internal", "nodata"),
            ("any", "syd.one.internal", "nodata"),
            ("6", "none.internal", "nxdomain"),
            ("4", "none.internal", "nxdomain"),
            ("any", "none.internal", "nxdomain"),
            ("6", "_api.internal", "fdaa::3"),
            ("txt", "_peer.internal", "flylocal"),
            ("txt", "regions.one.internal", "ams,iad"),
            ("txt", "_apps.internal", ",".join(sorted([*CROWD, "one", "two"]))),
        ]

    def ask(self, client):
        """Each question that the client can ask, with its line."""
        asked = [(kind, name) for kind, name, _ in self.questions if kind in client.kinds]
        program, *words = [word.format(programs=self.programs) for word in client.command] + [word for question in asked for word in question]
        # Inside, the PATH is the app's.
        done = self.up.console(shutil.which(program, path=harness.program_path()), *words, machine=self.machines[0]["id"])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), len(asked), done.stdout + done.stderr)
        return dict(zip(asked, lines))

    def check(self, client):
        if needed := missing(client):
            reason = f"{client.name} is left out: {', '.join(needed)} not installed"
            if client.installed and os.environ.get("FLYLOCAL_NETNS_MUST_WORK") == "1":
                self.fail(reason)
            self.skipTest(reason)
        build(client, self.build_directory)
        if client.built:
            shutil.copy2(os.path.join(self.build_directory, client.built), self.programs)
        found = self.ask(client)
        for kind, name, answer in self.questions:
            if kind not in client.kinds:
                continue
            if kind == "any" and not client.any_family and answer != "nxdomain":
                answer = "nodata"  # it asked for A
            if not client.tells and answer in ("nodata", "nxdomain"):
                answer = "none"
            with self.subTest(kind=kind, name=name):
                self.assertEqual(in_order(found[kind, name]), answer)
        self.rows[client.name] = found

    def test_the_long_text_needs_tcp(self):
        text = next(answer for kind, name, answer in self.questions if name == "_apps.internal")
        self.assertGreater(len(text), MAX_UDP_SIZE)

    @classmethod
    def tearDownClass(cls):
        print(cls.table(), flush=True)

    @classmethod
    def table(cls):
        """What each client made of a name that has AAAA records and no A, as Markdown."""
        def said(line):
            if line is None:
                return "–"
            return {"nodata": "no data", "nxdomain": "no such name", "none": "not found"}.get(line, "error" if line.startswith("error") else "addresses")
        lines = ["| Client | no family named | AAAA | A | unknown name | TXT over TCP |", "|---|---|---|---|---|---|"]
        for client in CLIENTS:
            if client.name in cls.rows:
                found = cls.rows[client.name]
                unknown = next(found[kind, "none.internal"] for kind in client.kinds)
                text = found.get(("txt", "_apps.internal"))
                lines.append(f"| {client.name} | " + " | ".join(said(found.get((kind, "one.internal"))) for kind in ("any", "6", "4"))
                             + f" | {said(unknown)} | {'–' if text is None else 'whole' if len(text) > MAX_UDP_SIZE else said(text)} |")
        return "\n".join(lines)


def test_of(client):
    def test(self):
        self.check(client)
    return test


for one in CLIENTS:
    setattr(Clients, "test_" + "".join(c if c.isalnum() else "_" for c in one.name.lower()), test_of(one))

if __name__ == "__main__":
    harness.main()
