#!/usr/bin/env python3
"""Runs real servers inside flylocal and compares its bind report with the truth: catalog.py [OPTION...]

Each case of cases.py becomes a project. Some of them at a time run in one sandbox; its report is taken with
`flylocal check --json`, and the truth by connects of our own (paths.py), before and after it. A verdict is wrong when

  - a path's "reachable" is not what the connects found (for a program that ended, "not tried" is right too),
  - "problem" is said of a service that is reached on the path it needs (Fly Proxy's for TCP, a reply from
    fly-global-services for UDP), or is not said of one that is not,
  - the code does not fit how the server listens,
  - the listeners on the service's port are not those of the machine's /proc/net.

Beside it stands what flyctl's check at deploy would have said. Exit code: 0, 1 after a wrong verdict or a case that no
longer is what cases.py says, 2 if it could not run, 77 if nothing could be tried.
"""
import argparse
import contextlib
import dataclasses
import ipaddress
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import cases
import paths

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / "build" / "catalog"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SKIPPED = 77

BATCH = 12  # apps in one sandbox: more of them start no faster on a small machine
SETTLE_LIMIT = 60.0  # seconds for a batch to listen, or to have ended
COMMAND_LIMIT = 120.0
TRIES = 3  # for a report that was taken while a server changed


# ---- what this host has -------------------------------------------------------------------------------------------

def program_path():
    """The PATH of flylocal and the machines: the system's directories, and node's where it is elsewhere."""
    node = shutil.which("node")
    extra = os.path.dirname(os.path.realpath(node)) if node and not shutil.which("node", path=SYSTEM_PATH) else ""
    return f"{SYSTEM_PATH}:{extra}" if extra else SYSTEM_PATH


def installed_debian_packages():
    listed = subprocess.run(["dpkg-query", "-W", "-f", "${Status}\t${Package}\n"], capture_output=True, text=True)
    names = {line.partition("\t")[2] for line in listed.stdout.splitlines() if line.startswith("install ok installed\t")}
    # What was installed by other means serves as well.
    return names | {package for package, program in (("nodejs", "node"), ("python3", "python3")) if shutil.which(program)}


def npm_name(package):
    return package[:package.index("@", 1)]


def missing_packages(case, debian):
    return [name for name in case.debian if name not in debian] + \
           [name for name in case.npm if not (CACHE / "node_modules" / npm_name(name) / "package.json").exists()]


def build_programs(names, directory):
    """Makes what the cases need of cases.BUILDS; returns name -> why it could not be made."""
    failed = {}
    for name in sorted(names):
        print(f"building {name}", flush=True)
        done = subprocess.run(["sh", "-ec", cases.BUILDS[name]], capture_output=True, text=True,
                              env={"PATH": program_path(), "HOME": directory, "LANG": "C.UTF-8", "BUILT": directory,
                                   "PROGRAMS": str(HERE / "programs"), "CACHE": str(CACHE)})
        if done.returncode != 0:
            failed[name] = (done.stdout + done.stderr).strip()[-500:]
    return failed


# ---- projects -------------------------------------------------------------------------------------------------------

def remove(directory):
    """Removes a directory; an ordinary user's programs leave files of their subordinate ids, which only root among those can remove."""
    shutil.rmtree(directory, ignore_errors=True)
    if os.path.exists(directory) and os.geteuid() != 0:
        subprocess.run(["unshare", "--user", "--map-root-user", "--map-auto", "rm", "-rf", directory], stdin=subprocess.DEVNULL)


class Stage:
    """A temporary directory with everything that flylocal writes, and the projects."""

    def __init__(self, binary):
        self.binary = binary
        self.directory = tempfile.mkdtemp(prefix="flylocal-catalog-")
        os.chmod(self.directory, 0o755)  # a server that gives up root must get to its files
        for name in ("home", "state", "built"):
            os.mkdir(os.path.join(self.directory, name))
        self.built = os.path.join(self.directory, "built")

    def environment(self):
        env = {"PATH": program_path(), "HOME": os.path.join(self.directory, "home"), "LANG": "C.UTF-8", "TERM": "dumb",
               "XDG_STATE_HOME": os.path.join(self.directory, "state")}
        env.update({key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")})
        return env

    def flylocal(self, *words):
        return subprocess.run([self.binary, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                              timeout=COMMAND_LIMIT, cwd=self.directory, env=self.environment())

    def close(self):
        remove(self.directory)

    def project(self, case, number):
        """Writes the case's project and returns its directory."""
        directory = os.path.join(self.directory, case.id)
        os.mkdir(directory)

        def fill(text):
            text = text.replace("{x}", case.words)
            for name, value in (("port", case.port), ("dir", directory), ("programs", HERE / "programs"), ("built", self.built),
                                ("cache", CACHE), ("cpu", {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), "x64"))):
                text = text.replace("{" + name + "}", str(value))
            return text

        command = fill(case.run)
        files = {path: fill(text) for path, text in case.files.items()}
        if case.setup:
            files["setup.sh"] = f'set -e\n{fill(case.setup)}\nexec "$@"\n'
            command = f"sh {directory}/setup.sh {command}"
        toml = [f'app = "{case.id}"', 'primary_region = "ams"', "[processes]", f"  app = {json.dumps(command)}", "[env]"]
        toml += [f"  {name} = {json.dumps(fill(value))}" for name, value in case.env.items()]
        if case.retries == 0:
            toml += ["[[restart]]", '  policy = "never"']
        else:
            toml += ["[[restart]]", '  policy = "on-failure"', f"  retries = {case.retries}"]
        if case.udp or not case.http:
            external = case.port if case.udp else 5000 + number
            toml += ["[[services]]", f'  protocol = "{"udp" if case.udp else "tcp"}"', f"  internal_port = {case.port}",
                     '  processes = ["app"]', "  [[services.ports]]", f"    port = {external}"]
        else:
            toml += ["[http_service]", f"  internal_port = {case.port}", '  processes = ["app"]']
        files["fly.toml"] = "\n".join(toml) + "\n"
        for path, text in files.items():
            full = os.path.join(directory, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w") as file:
                file.write(text)
        return directory


# ---- a sandbox ------------------------------------------------------------------------------------------------------

class Sandbox:
    """`flylocal up` of some cases. A context manager."""

    def __init__(self, stage, batch):
        self.stage = stage
        self.batch = batch
        self.directories = [stage.project(case, number) for number, case in enumerate(batch)]

    def __enter__(self):
        self.output_path = os.path.join(self.stage.directory, "output")
        with open(self.output_path, "wb") as output:
            self.process = subprocess.Popen([self.stage.binary, "up", *self.directories], stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=subprocess.STDOUT, cwd=self.stage.directory, env=self.stage.environment())
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(COMMAND_LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        for directory in self.directories:
            remove(directory)

    def output(self):
        with open(self.output_path, errors="replace") as file:
            return file.read()

    def status(self):
        """The sandbox's pid and app -> machine, as `flylocal status` tells them; None before it answers."""
        if self.process.poll() is not None:
            raise RuntimeError(f"flylocal ended with {self.process.returncode}:\n{self.output()}")
        done = self.stage.flylocal("status", "--json")
        if done.returncode != 0:
            return None
        found = json.loads(done.stdout)
        return found["pid"], {machine["app"]: machine for machine in found["machines"]}

    def truths(self, batch):
        """The truth of each case at this moment. In a machine that does not run nothing listens."""
        deadline = time.monotonic() + COMMAND_LIMIT
        while (status := self.status()) is None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"flylocal up does not answer:\n{self.output()}")
            time.sleep(0.05)
        pid, machines = status
        started = [case for case in batch if machines.get(case.id, {}).get("state") == "started"]
        targets = [paths.Target(machines[case.id]["private_ipv4"], machines[case.id]["private_ip"], case.port,
                                case.ask if case.udp else None) for case in started]
        found = {case.id: paths.Truth(False, False, (machines.get(case.id, {}).get("state", "no machine"),) * 2) for case in batch}
        if targets:
            found.update(zip((case.id for case in started), paths.attempt(pid, targets)))
        ended = {app for app, machine in machines.items() if machine["restart_count"] > 0 or machine["state"] in ("stopped", "failed")}
        return found, ended

    def settle(self):
        """Waits until each server is as its case says, or has ended where it says so; the truth itself is taken later."""
        deadline = time.monotonic() + SETTLE_LIMIT
        waiting = self.batch
        while waiting and time.monotonic() < deadline:
            found, ended = self.truths(waiting)
            waiting = [case for case in waiting
                       if (case.outcome.starts and found[case.id].paths() != (case.outcome.proxy, case.outcome.six_pn))
                       or (not case.outcome.starts and case.id not in ended)]
            if waiting:
                time.sleep(0.3)

    def report(self):
        """App -> its machine in the report."""
        done = self.stage.flylocal("check", "--json", *self.directories)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"flylocal check: exit code {done.returncode}\n{done.stdout}{done.stderr}\n{self.output()}")
        report = json.loads(done.stdout)
        if report.get("schema") != "flylocal.report/1":
            raise RuntimeError(f"a report of another kind: {done.stdout[:300]}")
        return {machine["app"]: machine for machine in report["machines"]}

    def sockets(self, case):
        """(protocol, address, port) of every socket that listens in the machine, from its own /proc/net."""
        words = " ".join(f"/proc/net/{name}" for name in ("tcp", "tcp6", "udp", "udp6"))
        done = self.stage.flylocal("ssh", "console", "-a", case.id, "-C", f"grep '' {words}")
        found = set()
        for line in done.stdout.splitlines():
            name, _, rest = line.partition(":")
            fields = rest.split()
            name = os.path.basename(name)
            if fields[:1] == ["sl"] or fields[3:4] != ["0A" if name.startswith("tcp") else "07"]:
                continue
            address, _, port = fields[1].partition(":")
            words_of_address = [bytes.fromhex(address[at:at + 8])[::-1] for at in range(0, len(address), 8)]
            found.add((name[:3], plain(ipaddress.ip_address(b"".join(words_of_address))), int(port, 16)))
        return found

    def last_words(self, case):
        return self.stage.flylocal("logs", "-a", case.id).stdout.strip()[-600:]


def plain(address):
    """An address without its interface; an IPv4 address that is written as an IPv6 one is the IPv4 one."""
    address = ipaddress.ip_address(str(address).partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


# ---- judging the judge ----------------------------------------------------------------------------------------------

def flyctl_warns(case, sockets):
    """What flyctl's check after a deploy says: any socket on the port that is not on loopback, of any protocol, will do."""
    if case.udp:
        return False  # it looks at TCP services only
    return not any(port == case.port and not address.is_loopback for _, address, port in sockets)


def needed_path(case):
    return "udp" if case.udp else "proxy"


def needed_result(case, machine):
    """What the report says of the path that the service needs; None if nothing."""
    results = machine["results"] if machine else []
    return next((one for one in results if one["path"] == needed_path(case) and one["port"] == case.port), None)


def undecided(case, result):
    """Whether the report says that it cannot know: a server that answers its own protocol only kept silent."""
    return case.udp and case.ask != "echo" and result["code"] == "udp-unanswered" and result["reachable"] is None \
        and result["severity"] != "problem"


def wrong_verdicts(case, truth, machine, sockets):
    """What the report says of this case and should not, in words."""
    if machine is None:
        return ["the report does not name the machine"]
    wrong = []
    results = {}
    for one in machine["results"]:
        if one["port"] == case.port:
            results.setdefault(one["path"], one)
    needed = needed_path(case)
    for path, reached in ((needed, truth.proxy), ("6pn", truth.six_pn)):
        result = results.get(path)
        if result is None:
            # A UDP service has one path; what else the report says of it is compared with the truth, and its reason is its own.
            if path == needed or not case.udp:
                wrong.append(f"no result for {path}")
            continue
        if path == needed and undecided(case, result):
            continue
        if result["reachable"] is not reached and (case.outcome.starts or result["reachable"] is not None):
            wrong.append(f"{path} reachable is {result['reachable']}")
        if path == needed and (result["severity"] == "problem") == reached and not (
                case.outcome is cases.SILENT and result["severity"] == "pending"):
            wrong.append(f"{path} severity is {result['severity']}")
        if case.udp and path != needed:
            continue
        fitting = set(case.outcome.codes) | (set(case.also) if reached else set())
        if path != needed:
            fitting |= {"ok"} if reached else set()
            fitting -= set() if reached else {"ok"}
        if result["code"] not in fitting:
            wrong.append(f"{path} code is {result['code']}, not {' or '.join(sorted(fitting))}")
    if truth.proxy:
        wrong += [f"{one['path']} is a problem: {one['code']} ({'; '.join([one['target'], one['message'], *one['evidence']])})"
                  for one in machine["results"] if one["severity"] == "problem" and one is not results.get(needed)]
    if case.outcome.starts:
        here = {one for one in sockets if one[2] == case.port}
        told = {(one["protocol"], plain(one["address"]), one["port"]) for one in machine["listeners"]
                if one["port"] == case.port}
        if here != told:
            wrong.append("listeners are " + (", ".join(f"{p} {a}" for p, a, _ in sorted(told, key=str)) or "none") + ", not "
                         + (", ".join(f"{p} {a}" for p, a, _ in sorted(here, key=str)) or "none"))
    return wrong


@dataclasses.dataclass
class Row:
    case: cases.Case
    truth: paths.Truth
    told: str  # the code of the path that the service needs; empty if no report was asked for
    known: bool  # False where the report says that it cannot know
    warns: bool  # flyctl
    wrong: list
    note: str = ""  # where the truth is not what cases.py says

    def text(self):
        reached = "/".join("yes" if one else "no" for one in self.truth.paths())
        verdict = "WRONG: " + "; ".join(self.wrong) if self.wrong else "" if not self.told else "OK" if self.known else "undecided"
        line = f"{self.case.id:<30} {reached:<8} {self.told or '-':<22} {'WARNING' if self.warns else 'silent':<8} {verdict}"
        return line.rstrip() + self.note


HEADING = f"{'case':<30} {'truth':<8} {'report':<22} {'flyctl':<8} verdict\n{'':<30} {'proxy/6PN':<8}"


def run_batch(stage, batch, truth_only):
    rows = []
    with Sandbox(stage, batch) as sandbox:
        sandbox.settle()
        pending = batch
        for left in reversed(range(TRIES)):
            before, _ = sandbox.truths(pending)
            report = {} if truth_only else sandbox.report()
            sockets = {case.id: sandbox.sockets(case) for case in pending}
            after, _ = sandbox.truths(pending)
            changed = [case for case in pending if before[case.id].paths() != after[case.id].paths()]
            for case in pending:
                if case in changed and left > 0:
                    continue
                truth = after[case.id]
                machine = report.get(case.id)
                result = needed_result(case, machine)
                told = "" if truth_only else result["code"] if result else "nothing"
                known = not (result and undecided(case, result))
                wrong = [] if truth_only else wrong_verdicts(case, truth, machine, sockets[case.id])
                note = ""
                if case in changed:
                    note = "\n    NOT STABLE: " + " and ".join(before[case.id].how) + ", then " + " and ".join(truth.how)
                elif truth.paths() != (case.outcome.proxy, case.outcome.six_pn):
                    note = f"\n    NOT AS IN cases.py ({case.outcome.name}): {' and '.join(truth.how)}\n    " + \
                           sandbox.last_words(case).replace("\n", "\n    ")
                rows.append(Row(case, truth, told, known, flyctl_warns(case, sockets[case.id]), wrong, note))
            pending = changed
            if not pending:
                break
    return sorted(rows, key=lambda one: batch.index(one.case))


# ---- the command ----------------------------------------------------------------------------------------------------

def chosen(arguments):
    every = cases.cases()
    if arguments.small:
        every = [case for case in every if case.id in cases.SMALL]
    if arguments.only:
        unknown = [name for name in arguments.only if name not in {one for case in every for one in (case.id, case.server)}]
        if unknown:
            sys.exit("there is no case and no server " + ", ".join(unknown))
        every = [case for case in every if case.id in arguments.only or case.server in arguments.only]
    return every


def batches(these):
    """Even batches; cases of one server go to different ones, so that no batch is a crowd of the heavy ones."""
    count = -(-len(these) // BATCH)
    return [these[number::count] for number in range(count)]


def main():
    parser = argparse.ArgumentParser(description="Compares flylocal's bind report of real servers with the truth.")
    parser.add_argument("--small", action="store_true", help="the thirty cases of the ordinary test run")
    parser.add_argument("--only", nargs="+", metavar="ID", help="cases, or all of a server")
    parser.add_argument("--list", action="store_true", help="print the cases and end")
    parser.add_argument("--packages", action="store_true", help="print the packages that the cases need, for install.sh, and end")
    parser.add_argument("--truth", action="store_true", help="ask flylocal for no report; only look whether cases.py is right")
    parser.add_argument("--binary", metavar="PATH", help="flylocal (default: $FLYLOCAL, else the release build)")
    arguments = parser.parse_args()

    these = chosen(arguments)
    if arguments.list:
        for case in these:
            print(f"{case.id:<30} {case.outcome.name:<11} {'udp' if case.udp else 'tcp'} {case.port:<6} {case.words}")
        print(f"{len(these)} cases, {len({case.server for case in these})} servers")
        return 0
    if arguments.packages:
        for kind in ("debian", "npm"):
            for name in sorted({name for case in these for name in getattr(case, kind)}):
                print(kind, name)
        return 0

    binary = arguments.binary or os.environ.get("FLYLOCAL") or str(ROOT / "build" / "release" / "flylocal" / "flylocal")
    if not os.access(binary, os.X_OK):
        print(f"{binary} is no program: build it, or name it with --binary", file=sys.stderr)
        return 2
    stage = Stage(os.path.abspath(binary))
    try:
        return run(stage, these, arguments)
    finally:
        stage.close()


def run(stage, these, arguments):
    must_work = os.environ.get("FLYLOCAL_NETNS_MUST_WORK") == "1"
    doctor = stage.flylocal("doctor")
    if doctor.returncode != 0:
        print(f"this host allows no sandbox:\n{doctor.stdout}{doctor.stderr}")
        return 1 if must_work else SKIPPED

    debian = installed_debian_packages()
    left_out = {case.id: ", ".join(missing) for case in these if (missing := missing_packages(case, debian))}
    unbuilt = build_programs({case.build for case in these if case.build and case.id not in left_out}, stage.built)
    left_out.update({case.id: f"cannot be built: {unbuilt[case.build]}" for case in these if case.build in unbuilt})
    these = [case for case in these if case.id not in left_out]

    print(HEADING, flush=True)
    rows = []
    for batch in batches(these):
        for one in run_batch(stage, batch, arguments.truth):
            rows.append(one)
            print(one.text(), flush=True)
    for why in sorted(set(left_out.values())):
        print(f"NOT RUN for want of {why}: " + " ".join(name for name, reason in left_out.items() if reason == why))

    wrong = sum(bool(one.wrong) for one in rows)
    strange = sum(bool(one.note) for one in rows)
    unreached = [one for one in rows if not one.truth.proxy and not one.case.udp]
    passed = sum(not one.warns for one in unreached)
    said = "no report asked for" if arguments.truth else f"{wrong} wrong verdicts, {sum(not one.known for one in rows)} undecided"
    print(f"{len(rows)} cases of {len({one.case.server for one in rows})} servers, {len(left_out)} not run: {said}, {strange} not as "
          f"cases.py says; of {len(unreached)} TCP services that Fly Proxy does not reach flyctl would pass {passed}")
    if not rows:
        return 1 if must_work else SKIPPED
    return 1 if wrong or strange or (left_out and must_work and arguments.small) else 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
