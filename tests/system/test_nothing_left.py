"""SIGKILL at any moment leaves nothing of flylocal on the host, and the next `up` starts as if nothing had been.

The moments are random; the seed is printed and can be given again as FLYLOCAL_TEST_SEED.
"""
import contextlib
import os
import random
import signal
import subprocess
import sys
import time

import harness

SEED = int(os.environ.get("FLYLOCAL_TEST_SEED", time.time_ns() % 1_000_000))
KILLS = 10  # for each of three phases and two accounts: 60 in all
VOLUME = "/flylocal-volume/inside"


class Leftovers:
    """What is on the host before flylocal, to compare with what is there after it."""

    def __init__(self, directory):
        self.directory = directory
        self.mounts = harness.host_mounts()
        self.interfaces = harness.host_interfaces()

    def found(self, namespaces):
        """What is left, as text; empty when nothing is."""
        left = []
        processes = harness.processes_of(self.directory)
        if processes:
            left.append(f"processes: {processes}")
        holders = self.holders(namespaces)
        if holders:
            left.append(f"network namespaces: {holders}")
        mounts = harness.host_mounts() - self.mounts
        if mounts:
            left.append(f"mounts: {sorted(mounts)}")
        interfaces = harness.host_interfaces() - self.interfaces
        if interfaces:
            left.append(f"interfaces: {sorted(interfaces)}")
        if os.path.isdir("/run/netns") and any(name.startswith("flylocal") for name in os.listdir("/run/netns")):
            left.append("names in /run/netns")
        return "\n".join(left)

    def holders(self, namespaces):
        """Who still is in one of the namespaces. The kernel gives a freed number to the next namespace that anybody
        makes, so that only processes older than this look count."""
        found = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and harness.network_namespaces([entry]) & namespaces and self.is_flylocals(entry):
                found[entry] = harness.network_namespaces([entry]) & namespaces
        return found

    @staticmethod
    def is_flylocals(pid):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/environ", "rb") as file, open(f"/proc/{pid}/comm") as name:
                return b"LEFTOVER_MARK=" in file.read() or name.read().strip() == "flylocal-init"
        return False

    def assert_none(self, test, namespaces, when):
        harness.eventually(lambda: not self.found(namespaces), lambda: f"nothing left {when} (seed {SEED}):\n{self.found(namespaces)}")


@harness.as_root_and_user
class Killed:
    def project(self):
        # A program that leaves children in sessions of their own and ignores signals, in two machines with a volume.
        script = ("import os, signal, socket, sys, time\n"
                  "for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):\n    signal.signal(number, signal.SIG_IGN)\n"
                  "server = socket.create_server(('::', 8080), family=socket.AF_INET6, dualstack_ipv6=True)\n"
                  "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(6000)\n    os._exit(0)\n"
                  "print('ready', flush=True)\n"
                  "while True:\n    server.accept()[0].close()\n")
        toml = ('app = "left"\nprimary_region = "ams"\nkill_timeout = 60\n[env]\n  LEFTOVER_MARK = "x"\n[processes]\n'
                f'  app = "{harness.python()} {{dir}}/stays.py"\n[http_service]\n  internal_port = 8080\n  processes = ["app"]\n'
                f'[[mounts]]\n  source = "data"\n  destination = "{VOLUME}"\n')
        directory = os.path.join(self.stage.directory, "left")
        return self.stage.project({"stays.py": script, "fly.toml": toml.replace("{dir}", directory),
                                   "flylocal.toml": "[[machines]]\n  count = 2\n"}, "left")

    def setUp(self):
        super().setUp()
        self.random = random.Random(f"{SEED} {self.id()}")
        self.left = Leftovers(self.stage.directory)
        self.path = self.project()

    def kill(self, up):
        """SIGKILL, and the proof that nothing remains."""
        namespaces = self.namespaces(up)
        up.process.kill()
        up.process.wait(harness.PATIENCE)
        self.left.assert_none(self, namespaces, "after SIGKILL")

    def namespaces(self, up):
        pids = [up.pid, *harness.processes_of(self.stage.directory)]
        return harness.network_namespaces(pids) - harness.network_namespaces([os.getpid()])

    def outlive(self, process, seconds):
        """Lets the process run for a random time of at most `seconds`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self.random.uniform(0, seconds))

    def time_of(self, action):
        begin = time.monotonic()
        action()
        return time.monotonic() - begin

    def prove_next_start(self):
        up = self.stage.up(self.path)
        self.assertEqual([m["state"] for m in up.machines()], ["started", "started"])
        self.kill(up)

    def test_while_it_starts(self):
        first = []
        duration = self.time_of(lambda: first.append(self.stage.up(self.path)))
        self.kill(first[0])
        for _ in range(KILLS):
            up = self.stage.up(self.path, wait=False)
            self.outlive(up.process, duration * 1.2)
            self.kill(up)
        self.prove_next_start()

    def test_while_it_runs(self):
        for _ in range(KILLS):
            up = self.stage.up(self.path)
            self.outlive(up.process, 0.3)
            self.assertGreaterEqual(len(harness.processes_of(self.path)), 3)
            self.assertTrue(self.namespaces(up))
            self.kill(up)
        self.prove_next_start()

    def test_while_it_shuts_down(self):
        for number in range(KILLS):
            up = self.stage.up(self.path)
            up.process.send_signal(self.random.choice((signal.SIGINT, signal.SIGTERM)))
            # Either into the wait for the programs, who ignore it, or into the end itself, which a second signal brings.
            if number % 2:
                up.process.send_signal(signal.SIGINT)
            self.outlive(up.process, 0.2)
            self.kill(up)
        self.prove_next_start()

    def test_detached(self):
        self.assert_ok(self.stage.flylocal("up", "--detach", self.path))
        pids = harness.processes_of(self.stage.directory)
        namespaces = harness.network_namespaces(pids) - harness.network_namespaces([os.getpid()])
        flylocal = [pid for pid, command in pids.items() if "--detach" in command and self.comm(pid) == "flylocal"]
        self.assertEqual(len(flylocal), 1, pids)
        os.kill(flylocal[0], signal.SIGKILL)
        self.left.assert_none(self, namespaces, "after SIGKILL of a detached sandbox")
        self.prove_next_start()

    def comm(self, pid):
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()

    def test_with_a_console_open(self):
        up = self.stage.up(self.path)
        visitor = self.stage.popen(harness.binary(), "ssh", "console", "-C", f"sleep 6{os.getpid()}", stdin=subprocess.PIPE)
        harness.eventually(lambda: f"sleep 6{os.getpid()}" in self.inside(up), "the command runs in the machine")
        self.kill(up)
        self.assertNotEqual(visitor.wait(harness.PATIENCE), 0)

    def inside(self, up):
        return up.console("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").stdout

    def test_stale_files_of_a_dead_sandbox_do_not_matter(self):
        up = self.stage.up(self.path)
        self.kill(up)
        self.assertTrue(os.path.exists(self.stage.control_socket))
        done = self.stage.flylocal("status")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no sandbox is running", done.stderr)
        self.prove_next_start()


@harness.as_root_and_user
class Ended:
    """The ordinary ends leave as little."""

    def test_after_an_ordinary_end(self):
        left = Leftovers(self.stage.directory)
        up = self.stage.up(self.stage.app("hello", top=f'[[mounts]]\n  source = "data"\n  destination = "{VOLUME}"\n'))
        up.wait_until_listening()
        namespaces = harness.network_namespaces(harness.processes_of(self.stage.directory)) - harness.network_namespaces([os.getpid()])
        self.assertTrue(namespaces)
        self.assertEqual(up.stop(), 0)
        left.assert_none(self, namespaces, "after SIGINT")
        self.assertEqual(sorted(os.listdir(self.stage.state_directory)), ["certs", "lock", "state.db", "volumes"])

    def test_after_a_refused_start(self):
        left = Leftovers(self.stage.directory)
        self.assertEqual(self.stage.flylocal("up", self.stage.make_directory("empty")).returncode, 2)
        self.assertEqual(left.found(set()), "")

    def test_after_doctor(self):
        left = Leftovers(self.stage.directory)
        self.assertEqual(self.stage.flylocal("doctor").returncode, 0)
        self.assertEqual(left.found(set()), "")


if __name__ == "__main__":
    print(f"seed {SEED}", file=sys.stderr)
    harness.main()
