"""`flylocal up`: what a developer sees first, and what a machine looks like from its inside."""
import json
import os
import re

import harness

EMPTY_ENVIRONMENT = {"PATH", "HOME"}


@harness.as_every_account
class Start:
    def test_the_app_answers_on_the_host_from_the_first_request_on(self):
        up = self.stage.up(self.stage.app("hello"))
        answer = up.get()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json()["app"], "hello")

    def test_the_output_says_where_the_app_is_and_reports_its_binding(self):
        up = self.stage.up(self.stage.app("hello"))
        up.wait_for_output("\nno problems\n")
        port, machine = up.host_port(), up.machine()["id"]
        output = up.output()
        self.assertIn("Starting 1 machine of hello", output)
        self.assertIn(f"http://localhost:{port}/", output)
        self.assertIn(f"http://hello.localhost:{port}/", output)
        self.assertRegex(output, rf"machine {machine} .*started")
        self.assertRegex(output, rf"(?m)^hello  machine {machine} \(app, ams\)  .*listened after ")
        for path, target in (("Fly Proxy", r"172\.19\.\d+\.\d+:8080"), ("6PN", r"\[fdaa:[0-9a-f:]+\]:8080"), ("published", f"http://localhost:{port}/")):
            self.assertRegex(output, rf"(?m)^  OK +{path} +{target} +reachable$")

    def test_without_a_terminal_no_escape_sequence_is_printed(self):
        up = self.stage.up(self.stage.app("hello"))
        up.wait_for_output("\nno problems\n")
        up.stop()
        self.assertNotIn("\x1b", up.output())

    def test_the_directory_of_the_caller_is_the_default_project(self):
        project = self.stage.app("here")
        up = self.stage.up(cwd=project)
        self.assertEqual(up.status()["apps"][0]["name"], "here")
        self.assertEqual(up.get().status, 200)

    def test_the_first_process_of_a_machine_is_its_init(self):
        project = self.stage.app("here")
        # Its title is written over flylocal's command line, which is shorter, and longer.
        for projects in ((), (project,)):
            up = self.stage.up(*projects, cwd=project)
            shown = self.assert_ok(self.stage.flylocal("ssh", "console", "-C", "cat /proc/1/cmdline")).stdout
            self.assertEqual(shown.rstrip("\0"), "flylocal-init")
            self.assertEqual(up.stop(), 0)

    def test_the_state_is_kept_below_xdg_state_home_and_nothing_in_the_project(self):
        project = self.stage.app("hello")
        before = sorted(os.listdir(project))
        up = self.stage.up(project)
        up.wait_until_listening()
        self.assertEqual(up.stop(), 0)
        self.assertEqual(sorted(os.listdir(project)), before)
        self.assertIn("state.db", os.listdir(self.stage.state_directory))
        self.assertEqual(os.listdir(self.stage.home), [])

    def test_the_command_option_runs_where_nothing_else_says_what(self):
        project = self.stage.project({"fly.toml": 'app = "bare"\nprimary_region = "ams"\n'})
        up = self.stage.up(project, options=["--cmd", "sleep 600"])
        done = up.console("cat", "/proc/2/cmdline")
        self.assertEqual(done.stdout.split("\0")[:2], ["sleep", "600"])

    def test_machines_of_two_groups_and_regions_start_as_flylocal_toml_says(self):
        up = self.stage.up(self.stage.example("two-groups"))
        places = sorted((m["process_group"], m["region"]) for m in up.machines())
        self.assertEqual(places, [("web", "ams"), ("web", "iad"), ("worker", "ams")])


@harness.shared_as_root_and_user
class Guest:
    """One machine, looked at from its inside."""

    @classmethod
    def prepare(cls):
        secrets = 'PASSWORD="keep me"\nCOLOUR=secret\n'
        project = cls.stage.app(
            "inside", top="[env]\n  GREETING = \"hello there\"\n  COLOUR = \"blue\"\n  NUMBER = 7\n",
            toml='[[vm]]\n  memory = "512mb"\n',
            project_file='secrets_file = "secrets.env"\n[env]\n  LOCAL = "yes"\n', files={"secrets.env": secrets})
        cls.up = cls.stage.up(project, env={"LEAK": "from the caller", "FLY_REGION": "xxx"})
        cls.up.wait_until_listening()
        cls.machine = cls.up.machine()

    def inside(self, code):
        return self.up.python(code)

    def main_environment(self):
        text = self.inside("print(open('/proc/2/environ').read())").strip("\n")
        return dict(item.split("=", 1) for item in text.split("\0") if item)

    def test_interfaces_are_lo_and_eth0(self):
        names = self.inside("import socket; print(sorted(name for _, name in socket.if_nameindex()))")
        self.assertEqual(names.strip(), "['eth0', 'lo']")

    def test_both_interfaces_are_up_and_eth0_has_the_platforms_mtu(self):
        self.assertEqual(self.inside("print(open('/sys/class/net/eth0/mtu').read())").strip(), "1420")
        code = "print([int(open(f'/sys/class/net/{n}/flags').read(), 16) & 1 for n in ('lo', 'eth0')])"
        self.assertEqual(self.inside(code).strip(), "[1, 1]")

    def test_eth0_has_two_ipv4_addresses_of_one_29_and_the_6pn_address(self):
        shown = json.loads(self.up.console("ip", "-json", "address", "show", "eth0").stdout)[0]["addr_info"]
        v4 = [(a["local"], a["prefixlen"]) for a in shown if a["family"] == "inet"]
        v6 = [(a["local"], a["prefixlen"]) for a in shown if a["family"] == "inet6" and a["scope"] == "global"]
        own = self.machine["private_ipv4"]
        self.assertRegex(own, r"^172\.19\.\d+\.\d+$")
        head, last = own.rsplit(".", 1)
        self.assertEqual(int(last) % 8, 2)
        self.assertEqual(v4, [(own, 29), (f"{head}.{int(last) + 1}", 29)])
        self.assertEqual(v6, [(self.machine["private_ip"], 112)])

    def test_the_6pn_address_has_the_platforms_form(self):
        self.assertRegex(self.machine["private_ip"], r"^fdaa:[0-9a-f]+:[0-9a-f]+:a7b:.*:2$")

    def test_no_address_is_tentative_when_the_program_starts(self):
        shown = json.loads(self.up.console("ip", "-json", "address", "show", "eth0").stdout)[0]["addr_info"]
        self.assertFalse([a for a in shown if a["scope"] == "global" and a.get("tentative")])

    def test_default_routes_of_both_families_go_to_the_gateway(self):
        gateway = self.machine["private_ipv4"].rsplit(".", 1)
        v4 = json.loads(self.up.console("ip", "-json", "-4", "route", "show", "default").stdout)
        self.assertEqual([(r["gateway"], r["dev"]) for r in v4], [(f"{gateway[0]}.{int(gateway[1]) - 1}", "eth0")])
        v6 = json.loads(self.up.console("ip", "-json", "-6", "route", "show", "default").stdout)
        self.assertEqual([r["dev"] for r in v6], ["eth0"])

    def test_etc_hosts_names_the_three_addresses_after_a_tab(self):
        text = self.inside("print(open('/etc/hosts').read())")
        head, last = self.machine["private_ipv4"].rsplit(".", 1)
        self.assertIn(f"\n{self.machine['private_ip']}\tfly-local-6pn\n", text)
        self.assertIn(f"\n{self.machine['private_ipv4']}\t{self.machine['id']}\n", text)
        self.assertIn(f"\n{head}.{int(last) + 1}\tfly-global-services\n", text)
        self.assertRegex(text, r"(?m)^127\.0\.0\.1\s+localhost")

    def test_resolv_conf_is_the_one_line_of_the_platform(self):
        self.assertEqual(self.inside("print(open('/etc/resolv.conf').read(), end='')"), "nameserver\tfdaa::3\n")

    def test_the_hostname_is_the_machine_id(self):
        self.assertEqual(self.inside("import socket; print(socket.gethostname())").strip(), self.machine["id"])
        self.assertEqual(self.inside("print(open('/etc/hostname').read())").strip(), self.machine["id"])
        self.assertRegex(self.machine["id"], r"^[0-9a-f]{14}$")

    def test_the_hosts_own_files_are_untouched_meanwhile(self):
        for path in ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname"):
            if os.path.exists(path):
                with open(path) as file:
                    self.assertNotIn(self.machine["id"], file.read())

    def test_the_platforms_variables_are_set(self):
        env = self.main_environment()
        self.assertEqual(env["FLY_APP_NAME"], "inside")
        self.assertEqual(env["FLY_MACHINE_ID"], self.machine["id"])
        self.assertEqual(env["FLY_ALLOC_ID"], self.machine["id"])
        self.assertEqual(env["FLY_REGION"], "ams")
        self.assertEqual(env["PRIMARY_REGION"], "ams")
        self.assertEqual(env["FLY_PRIVATE_IP"], self.machine["private_ip"])
        self.assertEqual(env["FLY_PROCESS_GROUP"], "app")
        self.assertEqual(env["FLY_VM_MEMORY_MB"], "512")
        self.assertRegex(env["FLY_IMAGE_REF"], r"^registry\.fly\.io/inside:deployment-[0-9A-Z]{26}$")
        self.assertEqual(env["FLY_MACHINE_VERSION"], self.machine["instance_id"])

    def test_env_tables_reach_the_program_and_secrets_win(self):
        env = self.main_environment()
        self.assertEqual(env["GREETING"], "hello there")
        self.assertEqual(env["NUMBER"], "7")
        self.assertEqual(env["LOCAL"], "yes")
        self.assertEqual(env["PASSWORD"], "keep me")
        self.assertEqual(env["COLOUR"], "secret")

    def test_of_the_callers_environment_only_path_and_home_are_inherited(self):
        env = self.main_environment()
        self.assertNotIn("LEAK", env)
        self.assertNotIn("XDG_STATE_HOME", env)
        self.assertNotIn("TERM", env)
        ours = {"GREETING", "COLOUR", "NUMBER", "LOCAL", "PASSWORD", "PRIMARY_REGION"}
        others = {name for name in env if not name.startswith("FLY_")} - ours
        self.assertEqual(others, EMPTY_ENVIRONMENT)

    def test_a_secret_is_not_shown_by_status(self):
        shown = self.stage.flylocal("status", "--json").stdout
        self.assertIn("hello there", shown)
        self.assertNotIn("keep me", shown)

    def test_the_limit_of_open_files_is_the_platforms(self):
        limits = self.inside("print(open('/proc/2/limits').read())")
        found = re.search(r"Max open files\s+(\d+)\s+(\d+)", limits)
        self.assertEqual(found.groups(), ("10240", "10240"))

    def test_the_program_sees_the_processes_of_its_own_machine_only(self):
        code = "import os; print(' '.join(open(f'/proc/{p}/comm').read().strip() for p in os.listdir('/proc') if p.isdigit()))"
        names = self.inside(code).split()
        self.assertIn("flylocal-init", names)
        self.assertLessEqual(len(names), 4, names)

    def test_the_program_is_not_pid_1_and_pid_1_is_the_init(self):
        self.assertEqual(self.inside("print(open('/proc/1/comm').read())").strip(), "flylocal-init")
        self.assertIn("server.py", self.inside("print(open('/proc/2/cmdline').read())"))

    def test_the_program_starts_in_the_project_directory(self):
        self.assertEqual(self.inside("import os; print(os.readlink('/proc/2/cwd'))").strip(), os.path.join(self.stage.directory, "inside"))

    def test_the_program_holds_no_descriptor_of_flylocal(self):
        code = ("import os\nfor fd in os.listdir('/proc/2/fd'):\n"
                "    print(fd, os.readlink(f'/proc/2/fd/{fd}'))")
        for line in self.inside(code).splitlines():
            fd, target = line.split(" ", 1)
            self.assertTrue(int(fd) <= 2 or target.startswith(("socket:", "anon_inode:", "pipe:")), line)
            self.assertNotIn("state", target)

    def test_signals_have_their_default_actions_in_the_program(self):
        code = "print([l for l in open('/proc/2/status') if l.startswith(('SigBlk', 'SigIgn'))])"
        shown = self.inside(code)
        self.assertIn("SigBlk:\\t0000000000000000", shown)
        # Python itself ignores SIGPIPE and SIGXFSZ; nothing else may be ignored.
        ignored = int(re.search(r"SigIgn:\\t([0-9a-f]+)", shown)[1], 16)
        self.assertEqual(ignored & ~((1 << 12) | (1 << 24)), 0)

    def test_dev_shm_is_the_machines_own(self):
        self.inside("open('/dev/shm/flylocal-probe', 'w').write('x')")
        self.assertFalse(os.path.exists("/dev/shm/flylocal-probe"))
        self.assertIn("flylocal-probe", self.inside("import os; print(os.listdir('/dev/shm'))"))

    def test_the_source_address_of_the_proxy_is_the_platforms(self):
        peer = self.up.get().json()["peer"]
        tail = self.machine["private_ipv4"].split(".", 2)[2]
        self.assertEqual(peer.removeprefix("::ffff:"), f"172.16.{tail}")

    def test_outbound_ipv4_fails_at_once_instead_of_hanging(self):
        code = ("import socket, time\nbegin = time.monotonic()\ns = socket.socket()\ns.settimeout(60)\n"
                "try:\n    s.connect(('192.0.2.1', 80))\n    print('connected')\n"
                "except TimeoutError:\n    print('timed out')\nexcept OSError as e:\n    print('refused', e.errno)\n")
        self.assertIn("refused", self.inside(code))

    def test_the_hosts_loopback_is_not_the_machines(self):
        listener = harness.socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        code = ("import socket\ns = socket.socket()\ns.settimeout(60)\n"
                f"print(s.connect_ex(('127.0.0.1', {listener.getsockname()[1]})))")
        self.assertEqual(self.inside(code).strip(), str(harness.errno_of("ECONNREFUSED")))


@harness.as_root_and_user
class Mounts:
    def project(self, destination):
        return self.stage.app("stored", toml=f'[[mounts]]\n  source = "data"\n  destination = "{destination}"\n')

    def keep_and_find(self, destination):
        project = self.project(destination)
        up = self.stage.up(project)
        up.python(f"open({destination!r} + '/kept', 'w').write('from the first run')")
        self.assertEqual(up.stop(), 0)
        again = self.stage.up(project)
        self.assertEqual(again.python(f"print(open({destination!r} + '/kept').read())").strip(), "from the first run")
        return again

    def test_a_volume_is_kept_between_runs_where_its_destination_is_missing_on_the_host(self):
        self.assertFalse(os.path.exists("/flylocal-volume"))
        up = self.keep_and_find("/flylocal-volume/deep/inside")
        self.assertFalse(os.path.exists("/flylocal-volume"))
        self.assertIn("/usr", up.console("ls", "-d", "/usr").stdout)

    def test_a_volume_covers_an_existing_directory_for_the_machine_alone(self):
        self.keep_and_find("/mnt")
        self.assertFalse(os.path.exists("/mnt/kept"))

    def test_a_volume_below_an_existing_directory_leaves_its_neighbours_visible(self):
        self.assertFalse(os.path.exists("/var/lib/flylocal-volume"))
        up = self.keep_and_find("/var/lib/flylocal-volume")
        self.assertIn("dpkg", up.console("ls", "/var/lib").stdout)
        self.assertFalse(os.path.exists("/var/lib/flylocal-volume"))

    def test_volume_files_live_below_the_state_directory(self):
        up = self.stage.up(self.project("/flylocal-volume"))
        up.python("open('/flylocal-volume/kept', 'w').write('x')")
        found = [d for d, _, files in os.walk(os.path.join(self.stage.state_directory, "volumes")) if "kept" in files]
        self.assertEqual(len(found), 1)


@harness.as_root_and_user
class Again:
    def test_the_same_project_gets_the_same_machine_and_addresses(self):
        project = self.stage.app("same")
        keys = ("id", "private_ip", "private_ipv4", "created_at")
        first = self.stage.up(project)
        before = {key: first.machine()[key] for key in keys}
        self.assertEqual(first.stop(), 0)
        second = self.stage.up(project)
        self.assertEqual({key: second.machine()[key] for key in keys}, before)

    def test_an_app_that_joins_gets_other_addresses(self):
        one, two = self.stage.app("one"), self.stage.app("two")
        first = self.stage.up(one)
        before = first.machine()["private_ipv4"]
        self.assertEqual(first.stop(), 0)
        second = self.stage.up(two, one)
        self.assertEqual(second.machine("one")["private_ipv4"], before)
        self.assertNotEqual(second.machine("two")["private_ipv4"], before)


class Refusals(harness.Case):
    def refused(self, *arguments, **named):
        done = self.stage.flylocal("up", *arguments, **named)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        return done.stderr

    def test_no_fly_toml(self):
        self.assertIn("fly.toml", self.refused(self.stage.make_directory("empty")))

    def test_nothing_that_says_what_to_run_shows_the_three_ways(self):
        text = self.refused(self.stage.project({"fly.toml": 'app = "bare"\nprimary_region = "ams"\n'}))
        for way in ("[processes]", "Dockerfile", "--cmd"):
            self.assertIn(way, text)

    def test_two_projects_of_one_name(self):
        text = self.refused(self.stage.app("same"), self.stage.project(
            {"fly.toml": 'app = "same"\nprimary_region = "ams"\n[processes]\n  app = "sleep 1"\n'}, "other"))
        self.assertIn("both called same", text)

    def test_a_host_port_of_flylocal_toml_that_is_busy(self):
        busy = harness.socket.create_server(("127.0.0.1", 0))
        self.addCleanup(busy.close)
        port = busy.getsockname()[1]
        text = self.refused(self.stage.app("hello", project_file=f"[ports]\n  80 = {port}\n"))
        self.assertIn(str(port), text)
        self.assertIn("flylocal.toml", text)

    def test_a_program_that_does_not_exist_is_named(self):
        text = self.refused(self.stage.project(
            {"fly.toml": 'app = "typo"\nprimary_region = "ams"\n[processes]\n  app = "no-such-program-here"\n'}))
        self.assertIn("no-such-program-here", text)
        self.assertIn("PATH", text)

    def test_a_program_that_cannot_be_executed_makes_the_machine_fail_and_is_named(self):
        project = self.stage.project({"run.sh": "#!/no/such/interpreter\n", "fly.toml":
                                      'app = "broken"\nprimary_region = "ams"\n[processes]\n  app = "./run.sh"\n'})
        os.chmod(os.path.join(project, "run.sh"), 0o755)
        up = self.stage.up(project, wait=False)
        up.wait_for_output("could not start")
        machine = up.wait_for_state("failed")
        self.assertIn("run.sh", machine["failure"])
        self.assertEqual(up.stop(), 0)


if __name__ == "__main__":
    harness.main()
