"""The verdicts of a report agree with independent connects, whatever sockets the machines have.

Each round gives five machines random sockets (by puppet.cpp), asks flylocal for its report and an independent prober
(prober.cpp) for the truth before and after, and compares. A round in which the truth changed meanwhile does not count.

    test_property.py [--rounds N] [--seed S] [--first N] [NAME-OF-A-TEST...]

A failing round is made smaller as long as it fails, and printed with the way to repeat it.
"""
import argparse
import dataclasses
import http.client
import ipaddress
import json
import os
import pathlib
import random
import shutil
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import harness  # noqa: E402
import oracle  # noqa: E402
from oracle import DEBUG_PORT, SERVICE_PORT  # noqa: E402

ROLES = ("tcp", "tcp", "udp", "plain", "dialled")
# A lost SYN is sent again after a second.
CONNECT_LIMIT_MS = 1500
ANSWER_LIMIT_MS = 700
GREETING_LIMIT_MS = 1000
PATIENT_REPORT_MS = 1500
# A report looks every 200 ms: what changed later may be missing in it.
LATEST_CHANGE_MS = 450
# A report without patience ends when each path was tried once; the longest of these attempts has two seconds.
REPORT_LIMIT_S = 6.0
MOST_FAILURES = 5
SHRINK_PATIENCE_S = 2.0

OPTIONS = argparse.Namespace(rounds=150, seed=None, first=0)


# ---- sockets at random ------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Round:
    """What the machines are told, and how the report is asked for."""
    kind: str  # "settled"; "racing": the report comes while sockets open; "patient": it waits for them
    specs: list  # of each machine: lists of words, with P, G and S for its addresses

    def text(self):
        machines = "\n".join(f"  {role} {index}: " + "; ".join(" ".join(words) for words in spec)
                             for index, (role, spec) in enumerate(zip(ROLES, self.specs)) if spec)
        return f"{self.kind}\n{machines}"


ADDRESSES = (  # family, address, weight
    (4, "0.0.0.0", 6), (6, "::", 8), (4, "127.0.0.1", 4), (4, "127.0.0.5", 2), (6, "::1", 3), (6, "::ffff:127.0.0.1", 2),
    (6, "::ffff:0.0.0.0", 1), (6, "::ffff:P", 1), (4, "P", 3), (4, "G", 3), (6, "S", 4))
REACHED = {"tcp": ("0.0.0.0", "::", "P", "S"), "udp": ("0.0.0.0", "::", "G", "::ffff:0.0.0.0")}


def open_words(rng, name, role, delay=0, wish=None, is_first=False):
    """One socket. `wish`: a first one that takes nothing, "full" for TCP or "silent" for UDP."""
    # The UDP service of the UDP machine is nearly always there, as its absence says little.
    is_service = wish is not None or role == "udp" and is_first and rng.random() < 0.9
    udp = wish != "full" and (is_service or rng.random() < (0.5 if role == "udp" else 0.2))
    addresses = [one for one in ADDRESSES if wish is None or one[1] in REACHED["udp" if udp else "tcp"]]
    weights = [weight * (3 if udp and is_service and address in REACHED["udp"] else 1) for _, address, weight in addresses]
    family, address, _ = rng.choices(addresses, weights)[0]
    port = SERVICE_PORT if is_service else rng.choices((SERVICE_PORT, 5001, 5002, DEBUG_PORT), (12, 3, 2, 1))[0]
    v6_only = rng.choice(("-", "-", "0", "1")) if family == 6 else "-"
    # Which of several takes a connection is chance, so they are all alike.
    reuse_port = wish is None and rng.random() < 0.2
    mode, backlog = "serve", rng.choice((0, 1, 16, 128, 4096))
    if wish == "silent":
        mode = "silent"
    elif wish == "full":
        mode, backlog = "silent", rng.choice((0, 1, 3))
    elif udp:
        mode = "pktinfo" if not reuse_port and rng.random() < 0.3 else "serve"
    elif rng.random() < 0.06:
        mode, backlog = "silent", 4096
    elif rng.random() < 0.04:
        backlog = -1
    # Without it a port would be busy for a minute after each connection that its server closes.
    reuse_address = not udp or rng.random() < 0.1
    return ["open", name, "udp" if udp else "tcp", str(family), address, str(port), v6_only, str(int(reuse_address)),
            str(int(reuse_port)), str(backlog), mode, str(delay)]


def random_spec(rng, role, wish, longest_delay):
    spec, names = [], []
    for number in range(rng.choices(range(6), (0 if wish else 1 if role == "udp" else 8, 35, 25, 16, 10, 6))[0]):
        delay = rng.randint(1, longest_delay) if longest_delay and rng.random() < 0.6 else 0
        words = open_words(rng, f"s{number}", role, delay, wish if number == 0 else None, number == 0)
        copies = rng.randint(1, 3) if words[8] == "1" else 1
        for copy in range(copies):
            names.append(f"s{number}" + "abc"[copy])
            spec.append([words[0], names[-1], *words[2:]])
        if number == 0 and wish == "full":
            wildcard = ["P", "S", "G", "127.0.0.1", "::1"]
            own = words[4].removeprefix("::ffff:")
            spec.append(["fill", names[-1], *(wildcard if own in ("0.0.0.0", "::") else [own])])
    if longest_delay or wish or not names:
        return spec
    for name in rng.sample(names, len(names)):
        chance = rng.random()
        if chance < 0.2:
            spec.append(["fork", name, rng.choice(("worker", "puppet")), rng.choice(("share", "move"))])
        elif chance < 0.27:
            spec.append(["close", name])
    if rng.random() < 0.12:
        spec.append(["exec", rng.choice(("puppet", "other")), rng.choice(("keep", "keep", "drop"))])
        if rng.random() < 0.5:
            spec.append(open_words(rng, "late", role))
    return spec


def random_round(seed, number):
    rng = random.Random(f"{seed} {number}")
    kind = rng.choices(("settled", "racing", "patient"), (94, 5, 1))[0]
    wish = None if kind != "settled" else rng.choices((None, "full", "silent"), (98, 1, 1))[0]
    wisher = rng.randrange(len(ROLES)) if wish == "full" else ROLES.index("udp")
    delay = {"settled": 0, "racing": 40, "patient": 600}[kind]
    return Round(kind, [random_spec(rng, role, wish if index == wisher else None, delay) for index, role in enumerate(ROLES)])


# ---- those who are asked ----------------------------------------------------------------------------------------

class Lines:
    """A conversation in lines."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send(self, lines):
        self.writer.write("".join(line + "\n" for line in lines))
        self.writer.flush()

    def read(self):
        line = self.reader.readline()
        if not line:
            raise AssertionError("a program of the test has ended")
        return line.rstrip("\n")


class Machine:
    """A machine whose program is a puppet."""

    def __init__(self, stage, role, described, directory):
        self.role, self.id = role, described["id"]
        head, last = described["private_ipv4"].rsplit(".", 1)
        self.addresses = oracle.Addresses(described["private_ipv4"], f"{head}.{int(last) + 1}", described["private_ip"])
        path = os.path.join(directory, f"{self.id}.sock")
        harness.eventually(lambda: os.path.exists(path), f"the puppet's socket {path}")
        connection = socket.socket(socket.AF_UNIX)
        stage.callback(connection.close)
        connection.settimeout(harness.PATIENCE)
        harness.eventually(lambda: connection.connect_ex(path) == 0, f"a puppet behind {path}")
        self.lines = Lines(connection.makefile("r"), connection.makefile("w"))

    def word(self, word):
        known = {"P": self.addresses.private, "G": self.addresses.global_services, "S": self.addresses.six_pn,
                 "::ffff:P": f"::ffff:{self.addresses.private}"}
        return known.get(word, word)

    def tell(self, spec):
        # What a socket could not become it is not; which error it was does not matter here.
        self.spec_replies = 1 + len(spec)
        self.lines.send(["reset"] + [" ".join(map(self.word, words)) for words in spec])

    def wait(self):
        return [self.lines.read() for _ in range(self.spec_replies)]

    def look(self):
        """What it has: how many sockets it is still to open, the milliseconds since the last change, its sockets."""
        self.lines.send(["list"])
        head, *records = self.lines.read().split("|")
        waiting, since = map(int, head.split())
        sockets = []
        for record in records:
            name, protocol, address, port, v6_only, listening, mode, backlog, holders = record.split()
            held = tuple((int(pid), process) for pid, process in (one.split(":") for one in holders.split(",")))
            sockets.append(oracle.Socket(name, protocol, address, int(port), v6_only == "1", listening == "1", mode, int(backlog), held))
        return waiting, since, tuple(sockets)

    def target(self, path):
        return {"proxy": self.addresses.private, "6pn": self.addresses.six_pn, "udp": self.addresses.global_services}[path]


class ControlSocket(http.client.HTTPConnection):
    """A connection of the account's, which is the only one that flylocal listens to."""

    def __init__(self, path, account):
        super().__init__("localhost", timeout=harness.PATIENCE)
        self.path, self.account = path, account

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        own = os.geteuid()
        os.seteuid(self.account.uid)
        try:
            self.sock.connect(self.path)
        finally:
            os.seteuid(own)


# ---- a round ----------------------------------------------------------------------------------------------------

class World:
    """One sandbox with five puppets, and the prober."""

    def __init__(self, stage):
        self.stage = stage
        programs = {name: os.environ.get(f"PROPERTY_{name.upper()}") for name in ("puppet", "prober")}
        for name, path in programs.items():
            if not path or not os.access(path, os.X_OK):
                sys.exit(f"set PROPERTY_{name.upper()} to the built program")
        projects = [self.project(role, programs["puppet"]) for role in dict.fromkeys(ROLES)]
        self.up = stage.up(*projects)
        described = sorted(self.up.machines(), key=lambda one: (ROLES.index(one["app"]), one["id"]))
        self.machines = [Machine(stage, role, one, os.path.join(stage.directory, role)) for role, one in zip(ROLES, described)]
        prober = os.path.join(stage.directory, "prober")
        self.install(programs["prober"], prober)
        process = stage.popen(prober, str(self.up.status()["pid"]), stdin=-1, stdout=-1, text=True)
        self.prober = Lines(process.stdout, process.stdin)
        assert self.prober.read() == "ready"

    def install(self, source, target):
        shutil.copy2(source, target)
        os.chmod(target, 0o755)
        self.stage.account.own(target)

    def project(self, role, puppet):
        directory = os.path.join(self.stage.directory, role)
        toml = f'app = "{role}"\nprimary_region = "ams"\n[processes]\n  app = "{directory}/puppet {directory}"\n'
        if role in ("tcp", "udp"):
            toml += (f'[[services]]\n  protocol = "{role}"\n  internal_port = {SERVICE_PORT}\n  processes = ["app"]\n'
                     f"  [[services.ports]]\n    port = {SERVICE_PORT}\n")
        project_file = f'[[machines]]\nregion = "ams"\ncount = {ROLES.count(role)}\n'
        if role == "dialled":
            project_file += f"[[expect]]\n6pn = {SERVICE_PORT}\n"
        self.stage.project({"fly.toml": toml, "flylocal.toml": project_file}, role)
        self.install(puppet, os.path.join(directory, "puppet"))
        os.symlink("puppet", os.path.join(directory, "other"))
        return directory

    def report(self, timeout_ms):
        connection = ControlSocket(self.stage.control_socket, self.stage.account)
        try:
            connection.request("GET", f"/flylocal/v1/report?timeout_ms={timeout_ms}&http_probe=0")
            answer = harness.Answer(connection.getresponse())
        finally:
            connection.close()
        if answer.status != 200:
            raise AssertionError(f"the report: {answer.status} {answer.text}")
        return answer.json()

    def truth(self, looks):
        """Of each machine: (path, port) -> what came of trying it."""
        asked = []
        for index, (machine, (_, _, sockets)) in enumerate(zip(self.machines, looks)):
            names = {name for one in oracle.on_port(sockets, "tcp", SERVICE_PORT) for _, name in one.holders}
            serve = all(one.mode == "serve" for one in oracle.on_port(sockets, "tcp", SERVICE_PORT))
            for path, port in oracle.questions(machine.role, sockets):
                key = f"{index}/{path}/{port}"
                if path == "udp":
                    asked.append(f"udp {key} {machine.target(path)} {port} {ANSWER_LIMIT_MS}")
                    continue
                greeting = GREETING_LIMIT_MS if len(names) > 1 and serve and port == SERVICE_PORT else 0
                asked.append(f"tcp {key} {machine.target(path)} {port} {CONNECT_LIMIT_MS} {greeting}")
        self.prober.send(asked + ["go"])
        found = [{} for _ in self.machines]
        while (answer := self.prober.read()) != ".":
            key, word = answer.split(" ", 1)
            index, path, port = key.split("/")
            found[int(index)][path, int(port)] = word
        return found

    def look(self):
        return [machine.look() for machine in self.machines]

    def play(self, one):
        """Plays a round. The disagreements as text: none when the list is empty, None when it does not count."""
        for machine, spec in zip(self.machines, one.specs):
            machine.tell(spec)
        for machine in self.machines:
            machine.wait()
        if one.kind == "patient":
            report = self.report(PATIENT_REPORT_MS)
            looks = self.look()
            if any(waiting or since < LATEST_CHANGE_MS for waiting, since, _ in looks):
                return None
            return self.compare(report, looks, self.truth(looks), patient=True)
        findings = self.compare_now()
        if one.kind == "settled" or findings:
            return findings
        harness.eventually(lambda: not any(waiting for waiting, _, _ in self.look()), "all sockets opened")
        return self.compare_now()

    def compare_now(self):
        before = self.look()
        truth_before = self.truth(before)
        asked = time.monotonic()
        report = self.report(0)
        took = time.monotonic() - asked
        after = self.look()
        truth = self.truth(after)
        words = [{key: word.split()[0] if key[0] != "udp" else word for key, word in one.items()} for one in truth]
        words_before = [{key: word.split()[0] if key[0] != "udp" else word for key, word in one.items()} for one in truth_before]
        if [one[2] for one in before] != [one[2] for one in after] or words != words_before:
            return None
        late = [f"the report took {took:.1f} seconds"] if took > REPORT_LIMIT_S else []
        return late + self.compare(report, after, truth)

    def compare(self, report, looks, truths, patient=False):
        by_id = {one["machine"]: one for one in report["machines"]}
        findings = []
        well = True
        for index, (machine, (_, _, sockets), truth) in enumerate(zip(self.machines, looks, truths)):
            said = by_id.pop(machine.id)
            expected = oracle.lines(machine.role, sockets, truth, machine.addresses)
            well &= not any(line.severities & {"problem", "pending"} for line in expected)
            found = compare_results(said, expected, oracle.split_port(sockets, truth)) + compare_listeners(said, sockets, machine, patient)
            findings += [f"machine {index} ({machine.role}): {text}\n    truth: {truth}\n    sockets: {[describe(one) for one in sockets]}"
                         for text in found]
        if by_id:
            findings.append(f"machines that do not exist: {sorted(by_id)}")
        if not findings and report["ok"] != well:
            findings.append(f"ok is {report['ok']}, and the paths that have to work {'do' if well else 'do not'}")
        return findings

    def fails(self, one):
        """Its disagreements, if there are some now. What depends on moments gets many moments."""
        end = time.monotonic() + SHRINK_PATIENCE_S
        while not (findings := self.play(one)) and time.monotonic() < end:
            pass
        return findings

    def shrink(self, one):
        """The smallest round that still fails, by leaving out one thing after the other."""
        candidates = True
        while candidates:
            candidates = [(index, left_out) for index, spec in enumerate(one.specs) if spec
                          for left_out in ([range(len(spec))] if len(spec) > 1 else []) + [[number] for number in range(len(spec))]]
            for index, left_out in candidates:
                kept = [words for number, words in enumerate(one.specs[index]) if number not in left_out]
                candidate = Round(one.kind, [*one.specs[:index], kept, *one.specs[index + 1:]])
                if self.fails(candidate):
                    one = candidate
                    break
            else:
                candidates = []
        return one


def describe(one):
    return f"{one.id} {one.protocol} {one.address} {one.port}{' v6only' if one.v6_only else ''} {one.mode} {one.backlog} {one.holders}"


def compare_results(said, expected, split):
    findings = []
    # What fly.toml alone decides has nothing to do with sockets.
    results = [one for one in said["results"] if not one["target"].startswith("fly.toml")]
    splits = [one for one in results if one["code"] == "split-port"]
    if split is not None and bool(splits) != split:
        findings.append(f"split-port is {'said' if splits else 'not said'}")
    lines = {(one["path"], one["port"]): one for one in results if one["code"] != "split-port"}
    if sorted(lines) != sorted((one.path, one.port) for one in expected):
        findings.append(f"the report has the lines {sorted(lines)}, and these are to be judged: {sorted((o.path, o.port) for o in expected)}")
    for one in expected:
        line = lines.get((one.path, one.port))
        if not line:
            continue
        right = (line["reach"] in one.reaches and line["severity"] in one.severities and line["code"] in one.codes and line["expected"] == one.expected
                 and line["reachable"] == {"reachable": True, "untried": None}.get(line["reach"], False) and line["message"])
        if not right:
            shown = {key: line[key] for key in ("path", "port", "reach", "severity", "code", "expected", "message")}
            findings.append(f"the report says {json.dumps(shown)}\n    and it is {one}")
    return findings


def compare_listeners(said, sockets, machine, patient):
    rows = oracle.listeners(sockets)
    told = {}
    for one in said["listeners"]:
        row = (one["protocol"], str(ipaddress.ip_address(one["address"])), one["port"], one["v6_only"])
        if row in told:
            return [f"the listener {row} is told twice"]
        told[row] = (one["pid"], one["process"], one["backlog"] if one["protocol"] == "tcp" else None)
    if patient:
        # A report that waits takes notice of a UDP socket where a UDP service wants it.
        def matters(row):
            return row[0] == "tcp" or machine.role == "udp" and row[2] == SERVICE_PORT
        rows, told = ({row: value for row, value in one.items() if matters(row)} for one in (rows, told))
    if set(rows) != set(told):
        return [f"the listeners are {sorted(told)}, and the sockets {sorted(rows)}"]
    return [f"the listener {row} is said to have (pid, process, backlog) {told[row]}, and it has one of {sorted(rows[row])}"
            for row in rows if told[row] not in rows[row]]


@harness.shared_as_root_and_user
class Verdicts:
    @classmethod
    def prepare(cls):
        cls.world = World(cls.stage)

    def test_verdicts_agree_with_independent_connects(self):
        seed = OPTIONS.seed
        print(f"\nseed {seed}, rounds {OPTIONS.first} to {OPTIONS.first + OPTIONS.rounds - 1}", flush=True)
        failures, counted, codes = [], 0, set()
        start = time.monotonic()
        for number in range(OPTIONS.first, OPTIONS.first + OPTIONS.rounds):
            one = random_round(seed, number)
            findings = self.world.play(one)
            counted += findings is not None
            if not findings:
                continue
            small = self.world.shrink(one)
            failures.append(f"round {number}, {one.text()}\n" + "\n".join(findings) + f"\nThe least that fails: {small.text()}\n"
                            + "\n".join(self.world.fails(small) or ["(not at the last try)"])
                            + f"\nAgain: test_property.py --seed {seed} --first {number} --rounds 1 {type(self).__name__}")
            print(f"\n{failures[-1]}", flush=True)
            if len(failures) == MOST_FAILURES:
                break
        took = time.monotonic() - start
        print(f"{number - OPTIONS.first + 1} rounds, {counted} counted, {took / (number - OPTIONS.first + 1) * 1000:.0f} ms each", flush=True)
        self.assertFalse(failures, f"{len(failures)} rounds failed; they are printed above")
        # Where nearly nothing counts nothing is proved.
        self.assertGreater(counted, 0.8 * OPTIONS.rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--rounds", type=int, default=OPTIONS.rounds)
    parser.add_argument("--first", type=int, default=OPTIONS.first)
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**9)))
    OPTIONS, remaining = parser.parse_known_args()
    sys.argv[1:] = remaining
    harness.main()
