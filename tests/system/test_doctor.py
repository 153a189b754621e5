"""`doctor` and `up` on hosts that forbid a sandbox: the cause by name, and the ways out.

The hosts are played without touching this one: by limits inside a user namespace of the test's own, and by dropped
capabilities.
"""
import json
import os
import subprocess

import harness


@harness.as_every_account
class Here:
    def test_this_host_is_well(self):
        done = self.assert_ok(self.stage.flylocal("doctor"))
        self.assertIn("flylocal can run here", done.stdout)
        self.assertNotIn("failed", done.stdout)

    def test_json_says_the_same(self):
        report = json.loads(self.assert_ok(self.stage.flylocal("doctor", "--json")).stdout)
        self.assertTrue(report["ok"])
        self.assertNotIn("failed", [check["outcome"] for check in report["checks"]])
        names = [check["name"] for check in report["checks"]]
        for name in ("network namespace", "bridge", "veth", "socket diagnostics", "machine start"):
            self.assertIn(name, names)

    def test_no_state_is_made(self):
        self.assert_ok(self.stage.flylocal("doctor"))
        self.assertEqual(os.listdir(self.stage.state), [])


class SubordinateIds(harness.Case):
    def outcome(self, kind):
        harness.require_sandbox(kind)
        with harness.Stage(kind) as stage:
            report = json.loads(stage.flylocal("doctor", "--json").stdout)
        return {check["name"]: check for check in report["checks"]}["other users inside"]

    def test_with_them_other_users_exist_inside(self):
        if not harness.shutil.which("newuidmap"):
            self.skipTest("newuidmap is not installed")
        if os.geteuid() != 0:
            self.skipTest("whether this user has subordinate ids is not for the test to say")
        self.assertEqual(self.outcome("user")["outcome"], "ok")

    def test_without_them_it_works_and_the_limit_and_the_way_out_are_said(self):
        check = self.outcome("bare user")
        self.assertEqual(check["outcome"], "degraded")
        self.assertIn("/etc/subuid", " ".join(check["ways_out"]))


# Makes a user namespace in which every id is what it is outside, waits for the map, sets a limit that holds in there
# alone, and becomes an ordinary user. One process all the way: an execve in between would cost it its capabilities.
LIMITED_HOST = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print("unshared", flush=True)
sys.stdin.readline()
with open("/proc/sys/user/" + sys.argv[1], "w") as file:
    file.write("0")
os.setgroups([])
os.setgid(int(sys.argv[3]))
os.setuid(int(sys.argv[2]))
os.execv(sys.argv[4], sys.argv[4:])
"""


class Forbidden(harness.Case):
    """Hosts whose administrator has switched a kind of namespace off."""
    kind = "user"

    def on_limited_host(self, limit, *words):
        if os.geteuid() != 0:
            self.skipTest("only root can make a user namespace with all ids in it")
        user = self.stage.account
        process = subprocess.Popen([harness.python(), "-c", LIMITED_HOST, limit, str(user.uid), str(user.gid), harness.binary(), *words],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=self.stage.environment(), cwd=self.stage.directory)
        self.addCleanup(process.stdin.close)
        self.stage.callback(harness.end_process, process)
        first = process.stdout.readline()
        if first != "unshared\n":
            self.skipTest("cannot make a user namespace here: " + process.communicate()[1])
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{process.pid}/{name}", "w") as file:
                file.write("0 0 65536")
        out, err = process.communicate("go\n", timeout=harness.PATIENCE)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def assert_named(self, done, *texts):
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        for text in texts:
            self.assertIn(text, done.stdout + done.stderr)

    def test_user_namespaces_switched_off(self):
        done = self.on_limited_host("max_user_namespaces", "doctor")
        self.assert_named(done, "user namespaces are switched off", "max_user_namespaces = 0", "way out:", "sysctl user.max_user_namespaces",
                          "as root", "cannot run here")

    def test_the_same_as_json(self):
        report = json.loads(self.on_limited_host("max_user_namespaces", "doctor", "--json").stdout)
        self.assertFalse(report["ok"])
        self.assertEqual([check["outcome"] for check in report["checks"]], ["failed"])
        self.assertTrue(report["checks"][0]["ways_out"])

    def test_up_there_points_to_doctor_and_starts_nothing(self):
        project = self.stage.app("hello")
        for limit in ("max_user_namespaces", "max_net_namespaces"):
            for command in ("up", "check"):
                done = self.on_limited_host(limit, command, project)
                self.assert_named(done, "flylocal doctor")
                self.assertEqual(done.stdout, "")
        self.assertEqual(harness.processes_of(project), {})

    def test_network_namespaces_switched_off(self):
        done = self.on_limited_host("max_net_namespaces", "doctor")
        self.assert_named(done, "failed", "network namespace", "way out:", "user.max_net_namespaces")

    def test_other_namespaces_of_machines_switched_off(self):
        for limit in ("max_pid_namespaces", "max_mnt_namespaces", "max_uts_namespaces", "max_ipc_namespaces"):
            with self.subTest(limit):
                done = self.on_limited_host(limit, "doctor")
                self.assert_named(done, "failed", "machine namespaces", "way out:", f"user.{limit}")


class Capabilities(harness.Case):
    kind = "root"

    def test_root_without_capabilities_falls_back_to_a_user_namespace(self):
        done = self.stage.run("setpriv", "--bounding-set=-all", "--inh-caps=-all", harness.binary(), "doctor", "--json")
        checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
        self.assertIn("user namespace", checks, done.stdout)
        if checks["user namespace"]["outcome"] == "failed":
            self.assertEqual(done.returncode, 2)
            self.assertTrue(checks["user namespace"]["ways_out"])


if __name__ == "__main__":
    harness.main()
