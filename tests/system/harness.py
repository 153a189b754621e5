"""Drives the built flylocal as its users do, each time in a fresh state directory, as root and as an ordinary user.

The binary is named by the environment variable FLYLOCAL. Everything that a test starts belongs to its Stage, which
ends it and removes its files however the test went. Nothing here waits a fixed time: eventually() asks again until
its deadline, and the deadlines are wide enough for a sanitizer build.
"""
import atexit
import contextlib
import dataclasses
import errno
import functools
import http.client
import importlib.util
import json
import os
import pathlib
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

PATIENCE = 90.0  # seconds; the longest that anything may take, however slow the build and the machine are
SKIPPED = 77  # ctest's SKIP_RETURN_CODE
SOURCES = pathlib.Path(__file__).resolve().parent
EXAMPLES = SOURCES.parent.parent / "examples"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USER_PREFIX = "flt-"


# ---- waiting --------------------------------------------------------------------------------------------------

def eventually(probe, what, limit=PATIENCE):
    """Asks `probe` until its answer is true, and returns that answer. `what` says what was waited for."""
    deadline = time.monotonic() + limit
    pause = 0.01
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {limit:g} seconds: {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


# ---- who runs flylocal ----------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    def popen_arguments(self):
        """What makes subprocess run a program as this account."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path):
        if self.uid != os.geteuid():
            os.chown(path, self.uid, self.gid)


def _system_command(*words):
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)


def _is_alive(pid):
    return os.path.exists(f"/proc/{pid}")


def _remove_user(name):
    _system_command("userdel", name)
    _system_command("groupdel", name)


def _make_user(suffix, subordinate_ids):
    # A run that was killed could not remove its users.
    for entry in pwd.getpwall():
        owner = re.fullmatch(USER_PREFIX + r"(\d+)[a-z]*", entry.pw_name)
        if owner and not _is_alive(owner[1]):
            _remove_user(entry.pw_name)
    name = f"{USER_PREFIX}{os.getpid()}{suffix}"
    made = _system_command("useradd", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/sh",
                           "--user-group", "--no-log-init", "--key", f"SUB_UID_COUNT={65536 if subordinate_ids else 0}",
                           "--key", f"SUB_GID_COUNT={65536 if subordinate_ids else 0}", name)
    if made.returncode != 0:
        raise unittest.SkipTest(f"cannot make an unprivileged user: {made.stderr.strip()}")
    atexit.register(_remove_user, name)
    entry = pwd.getpwnam(name)
    return Account(name, entry.pw_uid, entry.pw_gid)


@functools.lru_cache(maxsize=None)
def account(kind):
    """"root"; "user", as Debian makes them; or "bare user", who has no subordinate ids."""
    own = Account("caller", os.geteuid(), os.getegid())
    if kind == "root":
        if os.geteuid() != 0:
            raise unittest.SkipTest("these tests do not run as root")
        return own
    if os.geteuid() != 0:
        if kind == "bare user":
            raise unittest.SkipTest("only root can make a user without subordinate ids")
        return own
    return _make_user("" if kind == "user" else "b", subordinate_ids=kind == "user")


@functools.lru_cache(maxsize=None)
def binary():
    """The program under test, where every account can execute it."""
    source = os.environ.get("FLYLOCAL")
    if not source or not os.access(source, os.X_OK):
        sys.exit("set FLYLOCAL to the built binary")
    directory = tempfile.mkdtemp(prefix="flylocal-binary-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.chmod(directory, 0o755)
    return shutil.copy2(source, os.path.join(directory, "flylocal"))


@functools.lru_cache(maxsize=None)
def is_sanitized():
    """Whether the binary is a sanitizer's build, whose memory says nothing."""
    with open(binary(), "rb") as file:
        content = file.read()
    return any(name in content for name in (b"__asan_init", b"__tsan_init"))


@functools.lru_cache(maxsize=None)
def python():
    """A Python that every account can execute; the one that runs the tests may live in a home directory."""
    for candidate in ("/usr/bin/python3", "/usr/local/bin/python3", sys.executable):
        if os.access(candidate, os.X_OK):
            return candidate
    sys.exit("no python3")


def run_with_modules(*names):
    """Starts the calling test anew with Debian's Python, whose modules Debian's packages are, where this one lacks some."""
    debian = "/usr/bin/python3"
    here = os.path.realpath(sys.executable)
    if not all(importlib.util.find_spec(name) for name in names) and os.access(debian, os.X_OK) and here != os.path.realpath(debian):
        os.execv(debian, [debian, *sys.argv])


@functools.lru_cache(maxsize=None)
def program_path():
    """The PATH that flylocal gets: the system's directories, and node's where it is elsewhere."""
    node = shutil.which("node")
    extra = os.path.dirname(os.path.realpath(node)) if node and not shutil.which("node", path=SYSTEM_PATH) else ""
    return f"{SYSTEM_PATH}:{extra}" if extra else SYSTEM_PATH


@functools.lru_cache(maxsize=None)
def require_sandbox(kind):
    """Skips where this host allows no sandbox for this account; fails instead under FLYLOCAL_NETNS_MUST_WORK=1."""
    must_work = os.environ.get("FLYLOCAL_NETNS_MUST_WORK") == "1"
    with Stage(kind) as stage:
        doctor = stage.flylocal("doctor")
    if doctor.returncode == 0:
        return
    reason = f"this host allows no sandbox for {kind}:\n{doctor.stdout}{doctor.stderr}"
    if must_work:
        raise AssertionError(reason)
    raise unittest.SkipTest(reason)


# ---- a place to run things in -----------------------------------------------------------------------------------

class Stage:
    """A directory with a state home and projects, and all that was started in it. A context manager."""

    def __init__(self, kind):
        self.kind = kind
        self.account = account(kind)
        self._stack = contextlib.ExitStack()
        atexit.register(self.close)
        self.directory = tempfile.mkdtemp(prefix="flylocal-test-")
        self._stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        os.chmod(self.directory, 0o755)
        self.account.own(self.directory)
        self.home = self.make_directory("home")
        self.state = self.make_directory("state")
        self._projects = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        atexit.unregister(self.close)
        self._stack.close()

    def callback(self, *arguments, **named):
        self._stack.callback(*arguments, **named)

    def make_directory(self, name):
        path = os.path.join(self.directory, name)
        os.makedirs(path, exist_ok=True)
        self.account.own(path)
        return path

    @property
    def state_directory(self):
        return os.path.join(self.state, "flylocal")

    @property
    def control_socket(self):
        return os.path.join(self.state_directory, "control.sock")

    def environment(self, **extra):
        env = {"PATH": program_path(), "HOME": self.home, "XDG_STATE_HOME": self.state, "LANG": "C.UTF-8", "TERM": "dumb"}
        # What steers a sanitizer must reach the program; everything else of the caller is noise.
        env.update({key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")})
        env.update(extra)
        return {key: value for key, value in env.items() if value is not None}

    def popen(self, *words, env=None, **named):
        named.setdefault("stdin", subprocess.DEVNULL)
        named.setdefault("cwd", self.directory)
        process = subprocess.Popen(words, env=self.environment(**(env or {})), **self.account.popen_arguments(), **named)
        self.callback(end_process, process)
        return process

    def run(self, *words, env=None, stdin="", timeout=PATIENCE, cwd=None, text=True):
        """Runs a program as the stage's account to its end."""
        if text:
            return subprocess.run(words, input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout,
                                  cwd=cwd or self.directory, env=self.environment(**(env or {})),
                                  **self.account.popen_arguments())
        return subprocess.run(words, input=stdin, capture_output=True, timeout=timeout, cwd=cwd or self.directory,
                              env=self.environment(**(env or {})), **self.account.popen_arguments())

    def flylocal(self, *arguments, **named):
        return self.run(binary(), *arguments, **named)

    def project(self, files, name=None):
        """A project directory. `files`: path in it -> text; "fly.toml" may use {python} and {dir}."""
        self._projects += 1
        name = name or f"project-{self._projects}"
        directory = self.make_directory(name)
        for path, text in files.items():
            full = os.path.join(directory, path)
            if os.path.dirname(path):
                self.make_directory(os.path.join(name, os.path.dirname(path)))
            with open(full, "wb" if isinstance(text, bytes) else "w") as file:
                file.write(text)
            self.account.own(full)
        return directory

    def app(self, name="hello", toml="", program="server.py", arguments="", project_file="", files=None, service=True,
            internal_port=8080, top=""):
        """The project of one of tests/system/apps, with an http_service unless told otherwise."""
        source = (SOURCES / "apps" / program).read_text()
        fly_toml = f'app = "{name}"\nprimary_region = "ams"\n{top}\n'
        fly_toml += f'[processes]\n  app = "{python()} -u {{dir}}/{program} {arguments}"\n'
        if service:
            fly_toml += f'[http_service]\n  internal_port = {internal_port}\n  processes = ["app"]\n'
        fly_toml += toml
        directory = os.path.join(self.directory, name)
        contents = {"fly.toml": fly_toml.replace("{dir}", directory), program: source, **(files or {})}
        if project_file:
            contents["flylocal.toml"] = project_file
        return self.project(contents, name)

    def example(self, name):
        """A copy of an example, where the stage's account can read it."""
        target = os.path.join(self.directory, "examples", name)
        shutil.copytree(EXAMPLES / name, target)
        for directory, _, files in os.walk(os.path.join(self.directory, "examples")):
            for path in [directory, *(os.path.join(directory, file) for file in files)]:
                self.account.own(path)
        return target

    def up(self, *projects, **named):
        return Up(self, *projects, **named)


def end_process(process):
    """The last resort of a stage's end: whatever still runs is killed, with its own process id."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            with contextlib.suppress(OSError):
                stream.close()


def end_pid(pid, directory):
    """Ends a process that is nobody's child, if it still is the one that runs in `directory`."""
    if pid in processes_of(directory):
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: pid not in processes_of(directory), f"the end of process {pid}")


class Answer:
    """An HTTP answer, read to its end."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode(errors="replace")

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            raise AssertionError(f"no JSON in the answer {self.status}: {self.text}") from None


class Up:
    """A running `flylocal up`."""

    def __init__(self, stage, *projects, options=(), env=None, stdout=None, command="up", wait=True, **named):
        self.stage = stage
        self.output_path = os.path.join(stage.directory, f"output-{time.monotonic_ns()}")
        output = open(self.output_path, "wb")
        stage.account.own(self.output_path)
        self.process = stage.popen(binary(), command, *projects, *options, env=env, stdout=output if stdout is None else stdout,
                                   stderr=output, **named)
        output.close()
        self.pid = self.process.pid
        if wait:
            self.wait_until_started()

    def output(self):
        with open(self.output_path, errors="replace") as file:
            return file.read()

    def wait_for_output(self, text):
        eventually(lambda: text in self.output() or self._ended(), lambda: f"{text!r} in\n{self.output()}")
        if text not in self.output():
            raise AssertionError(f"ended without saying {text!r}:\n{self.output()}")

    def _ended(self):
        return self.process.poll() is not None

    def _status_or_none(self):
        if self._ended():
            raise AssertionError(f"flylocal ended with {self.process.returncode}:\n{self.output()}")
        shown = self.stage.flylocal("status", "--json")
        return json.loads(shown.stdout) if shown.returncode == 0 else None

    def wait_until_started(self):
        def started():
            status = self._status_or_none()
            return status and all(machine["state"] == "started" for machine in status["machines"]) and status
        return eventually(started, lambda: f"all machines started; the output:\n{self.output()}")

    def wait_until_listening(self, *arguments, **named):
        """Until the first request is answered well."""
        answer = self.get(*arguments, **named)
        if answer.status != 200:
            raise AssertionError(f"{answer.status}: {answer.text}\n{self.output()}")
        return answer

    def status(self):
        shown = self.stage.flylocal("status", "--json")
        if shown.returncode != 0:
            raise AssertionError(f"status: {shown.stderr}\n{self.output()}")
        return json.loads(shown.stdout)

    def machines(self, app=None):
        return [machine for machine in self.status()["machines"] if app in (None, machine["app"])]

    def machine(self, app=None):
        machines = self.machines(app)
        if len(machines) != 1:
            raise AssertionError(f"one machine expected, found {machines}")
        return machines[0]

    def wait_for_machine(self, probe, what, machine=None):
        """Until one machine's JSON satisfies `probe`; returns it."""
        def ask():
            for one in self.machines():
                if machine in (None, one["id"]) and probe(one):
                    return one
            return None
        return eventually(ask, lambda: f"{what}; the machines are "
                          + json.dumps([{k: m.get(k) for k in ("id", "state", "restart_count", "last_exit_code")} for m in self.machines()])
                          + f"\n{self.output()[-4000:]}")

    def wait_for_state(self, state, machine=None):
        return self.wait_for_machine(lambda one: one["state"] == state, f"a machine that is {state}", machine)

    def host_port(self, external=80, app=None):
        for port in self.status()["ports"]:
            if port["external_port"] == external and (app is None or any(b["app"] == app for b in port["backends"])):
                return port["host_port"]
        raise AssertionError(f"port {external} is not published: {self.status()['ports']}")

    def request(self, method="GET", path="/", body=None, headers=None, port=None, address="127.0.0.1", **named):
        connection = http.client.HTTPConnection(address, port or self.host_port(), timeout=PATIENCE)
        try:
            connection.request(method, path, body=body, headers=headers or {}, **named)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path="/", **named):
        return self.request("GET", path, **named)

    def connect(self, port=None):
        """A raw connection to a published port."""
        connection = socket.create_connection(("127.0.0.1", port or self.host_port()), timeout=PATIENCE)
        self.stage.callback(connection.close)
        return connection

    def console(self, *command, machine=None, app=None, stdin="", **named):
        """`ssh console -C` with these words."""
        options = (["--machine", machine] if machine else []) + (["-a", app] if app else [])
        return self.stage.flylocal("ssh", "console", *options, "-C", shlex.join(command), stdin=stdin, **named)

    def python(self, code, machine=None, app=None):
        """Runs Python inside a machine and returns what it printed."""
        done = self.console(python(), "-", machine=machine, app=app, stdin=code)
        if done.returncode != 0:
            raise AssertionError(f"inside the machine: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def stop(self, number=signal.SIGINT, limit=PATIENCE):
        """Signals flylocal, waits for its end and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs {limit:g} seconds after signal {number}:\n{self.output()[-4000:]}")


# ---- what must not be left on the host --------------------------------------------------------------------------

def processes_of(directory):
    """Process id -> command line of every process whose command line or directory is in `directory`."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    continue
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace")
            place = ""
            with contextlib.suppress(OSError):
                place = os.readlink(f"/proc/{entry}/cwd")
            if directory in command or place.startswith(directory):
                found[int(entry)] = command
    return found


def network_namespaces(pids):
    """The network namespaces that threads of these processes are in."""
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(OSError):
                    found.add(os.readlink(f"/proc/{pid}/task/{thread}/ns/net"))
    return found


def host_mounts():
    with open("/proc/self/mountinfo") as file:
        return set(file)


def errno_of(name):
    return getattr(errno, name)


def host_interfaces():
    return {name for _, name in socket.if_nameindex()}


# ---- test cases -------------------------------------------------------------------------------------------------

class Case(unittest.TestCase):
    """A test with a stage of its own."""
    kind = "user"
    needs_sandbox = True
    maxDiff = None

    def setUp(self):
        if self.needs_sandbox:
            require_sandbox(self.kind)
        self.stage = Stage(self.kind)
        self.addCleanup(self.stage.close)

    def assert_ok(self, done):
        self.assertEqual(done.returncode, 0, f"{done.args}\n{done.stdout}{done.stderr}")
        return done


class SharedCase(Case):
    """Tests that only look at one sandbox, which prepare() starts for all of them."""

    @classmethod
    def setUpClass(cls):
        if cls.needs_sandbox:
            require_sandbox(cls.kind)
        cls.stage = Stage(cls.kind)
        cls.addClassCleanup(cls.stage.close)
        cls.prepare()

    def setUp(self):
        pass


def _variants(kinds, base):
    def make(mixin):
        module = sys.modules[mixin.__module__]
        for kind in kinds:
            name = f"{mixin.__name__}As{kind.title().replace(' ', '')}"
            setattr(module, name, type(name, (mixin, base), {"kind": kind, "__module__": mixin.__module__,
                                                             "__doc__": mixin.__doc__}))
        return mixin
    return make


as_root_and_user = _variants(("root", "user"), Case)
shared_as_root_and_user = _variants(("root", "user"), SharedCase)
as_every_account = _variants(("root", "user", "bare user"), Case)


def main():
    """Runs the calling file's tests; ctest's code for "skipped" when nothing could be tried."""
    # unittest takes every other exception for a test's; what is still on a stage then goes at the interpreter's exit.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    binary()
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    # Part of a test (subTest) may be skipped as well, which counts as its test; a class whose setUpClass skips is no test.
    skipped = {getattr(case, "test_case", case).id() for case, _ in result.skipped if isinstance(case, unittest.TestCase)}
    tried = result.testsRun - len(skipped)
    if not result.wasSuccessful():
        sys.exit(1)
    if tried <= 0 and result.skipped:
        print("skipped: " + result.skipped[0][1])
        sys.exit(SKIPPED)
