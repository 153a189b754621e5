"""The bind report: `flylocal check` tells from outside what is wrong with where a server listens, and its exit code says it to a CI."""
import os

import harness
import reports
from reports import brief, check, of_app, of_file, result, worst

GOOD = ("ok", "ok", "reachable")


@harness.shared_as_root_and_user
class Examples:
    """Every example gets the verdict that its first line promises."""

    @classmethod
    def prepare(cls):
        names = ("hello", "slow-start", "loopback-only", "ipv6-only", "6pn-only", "wrong-port", "crash-at-start", "two-groups", "two-apps/web", "two-apps/api")
        cls.stage.example("two-apps")
        for name in names[:-2]:
            cls.stage.example(name)
        cls.machines = check(cls.stage, *(os.path.join(cls.stage.directory, "examples", name) for name in names), code=1)

    def paths(self, app, proxy, six_pn):
        machine = of_app(self.machines, app)
        self.assertEqual((brief(result(machine, "proxy")), brief(result(machine, "6pn"))), (proxy, six_pn), machine)
        return result(machine, "proxy")

    def test_hello_is_well_on_every_path(self):
        self.paths("hello", GOOD, GOOD)
        machine = of_app(self.machines, "hello")
        self.assertEqual(brief(result(machine, "published")), GOOD)
        self.assertEqual(brief(result(machine, "check")), GOOD)
        self.assertEqual({one["severity"] for one in machine["results"]}, {"ok"})
        self.assertEqual((machine["state"], machine["program"], machine["grace_period_ms"]), ("started", "Node.js", 5000))

    def test_slow_start_is_waited_for_and_not_blamed(self):
        self.paths("slow-start", GOOD, GOOD)
        machine = of_app(self.machines, "slow-start")
        self.assertGreaterEqual(machine["listened_after_ms"], 4000)
        self.assertEqual(worst(machine), "ok")

    def test_loopback_only(self):
        found = self.paths("loopback-only", ("loopback-only", "problem", "refused"), ("loopback-only", "note", "refused"))
        self.assertIn("127.0.0.1:8080", found["message"])
        self.assertIn("python3", found["message"])
        self.assertRegex(found["fix"], "--bind ::|\\[::\\]:8080")

    def test_ipv6_only(self):
        self.assertIn("IPV6_V6ONLY", self.paths("ipv6-only", ("ipv6-only", "problem", "refused"), GOOD)["message"])

    def test_6pn_only(self):
        found = self.paths("sixpn-only", ("6pn-only", "problem", "refused"), GOOD)
        self.assertRegex(found["message"], r"\[fdaa:[0-9a-f:]+\]:8080")

    def test_wrong_port(self):
        found = self.paths("wrong-port", ("wrong-port", "problem", "refused"), ("wrong-port", "note", "refused"))
        self.assertIn("internal_port = 3000", found["fix"])
        self.assertEqual(brief(result(of_app(self.machines, "wrong-port"), "6pn", 3000)), GOOD)

    def test_crash_at_start(self):
        found = self.paths("crash-at-start", ("not-running", "problem", "untried"), ("not-running", "note", "untried"))
        self.assertIn("code 1", found["message"])
        self.assertIn("DATABASE_URL is not set", found["message"])

    def test_two_groups_are_reported_machine_by_machine(self):
        found = sorted((m["process_group"], m["region"], worst(m), m["results"][0]["code"]) for m in self.machines if m["app"] == "two-groups")
        self.assertEqual(found, [("web", "ams", "ok", "ok"), ("web", "iad", "ok", "ok"), ("worker", "ams", "ok", "running")])

    def test_two_apps_together(self):
        api, web = of_app(self.machines, "quotes-api"), of_app(self.machines, "web")
        self.assertEqual((worst(api), worst(web)), ("ok", "ok"))
        # Without a service 6PN is the only way in, and has to work.
        self.assertEqual((brief(result(api, "6pn", 9000)), result(api, "6pn", 9000)["expected"]), (GOOD, True))

    def test_two_apps_reach_each_other_by_internal_name(self):
        base = os.path.join(self.stage.directory, "examples", "two-apps")
        up = self.stage.up(os.path.join(base, "web"), os.path.join(base, "api"))
        self.addCleanup(up.stop)

        def answer():
            found = up.get()
            return found.status == 200 and found.text
        text = harness.eventually(answer, lambda: up.get().text)
        self.assertIn(f"hello {up.machine('web')['private_ip']}", text)


class Actors:
    """Makes projects whose program opens the sockets that it is told."""

    @classmethod
    def actor(cls, name, *commands, **named):
        return cls.stage.app(name, program="actor.py", arguments=" ".join(commands), **named)

    def verdict(self, app, path="proxy", port=8080, code=None):
        return brief(result(of_app(self.machines, app), path, port, code))

    def message(self, app, path="proxy", port=8080):
        return result(of_app(self.machines, app), path, port)["message"]


class Good(Actors, harness.SharedCase):
    """Nothing of this is a problem, and `check` ends with 0."""

    @classmethod
    def prepare(cls):
        late = '  [[http_service.checks]]\n    path = "/"\n    grace_period = "1s"\n'
        cls.machines = check(
            cls.stage, cls.actor("both", "tcp,::,8080"), cls.actor("four", "tcp,0.0.0.0,8080"), cls.actor("private", "tcp,self,8080"),
            cls.actor("quiet", service=False), cls.actor("late", "later,2", "tcp,::,8080", toml=late),
            cls.actor("split", "child,another,v6only,::,8080", "tcp,0.0.0.0,8080"),
            cls.actor("inner", "tcp,fly-local-6pn,9000", service=False), cls.actor("sidecar", "tcp,::,8080", "tcp,127.0.0.1,6379"),
            cls.actor("debugger", "tcp,::,8080", "tcp,::,5678"), cls.actor("namesake", "tcp,::,8080", "tcp,::,9229"),
            cls.actor("wanted", "tcp,fly-local-6pn,9090", service=False, project_file="[[expect]]\n  6pn = 9090\n"),
            cls.stage.project({"fly.toml": 'app = "twins"\nprimary_region = "ams"\n[processes]\n'
                               "  app = \"sh -c 'python3 -m http.server 8080 --bind 0.0.0.0 & exec python3 -m http.server 8080 --bind fly-local-6pn'\"\n"
                               '[http_service]\n  internal_port = 8080\n  processes = ["app"]\n'}, "twins"),
            # A parent and its child have one socket each, and are one program.
            cls.actor("workers", "child,python3,v6only,::,8080", "tcp,0.0.0.0,8080"),
            cls.stage.project({"fly.toml": 'app = "done"\nprimary_region = "ams"\n[processes]\n  app = "true"\n'}, "done"), code=0)

    def test_the_wildcard_of_both_families_is_well_on_every_path(self):
        self.assertEqual({path: self.verdict("both", path) for path in ("proxy", "6pn", "published")}, dict.fromkeys(("proxy", "6pn", "published"), GOOD))

    def test_ipv4_alone_serves_fly_proxy_and_the_missing_6pn_is_a_note(self):
        self.assertEqual(self.verdict("four"), GOOD)
        self.assertEqual(self.verdict("four", "6pn"), ("ipv4-only", "note", "refused"))
        self.assertIn("::", result(of_app(self.machines, "four"), "6pn")["fix"])
        self.assertFalse(result(of_app(self.machines, "four"), "6pn")["expected"])

    def test_the_hostname_is_the_private_ipv4_address(self):
        self.assertEqual(self.verdict("private"), GOOD)
        self.assertEqual(self.verdict("private", "6pn"), ("private-ipv4-only", "note", "refused"))

    def test_an_app_without_services_is_well_while_it_runs(self):
        self.assertEqual(self.verdict("quiet", "6pn", 0), ("running", "ok", "untried"))

    def test_one_that_has_done_its_work_is_well(self):
        machine = of_app(self.machines, "done")
        self.assertEqual((machine["state"], brief(result(machine, "6pn", 0))), ("stopped", ("running", "ok", "untried")))
        self.assertIn("exit code 0", result(machine, "6pn", 0)["message"])

    def test_later_than_the_grace_period_is_a_note(self):
        self.assertEqual(self.verdict("late"), GOOD)
        found = result(of_app(self.machines, "late"), "check", 0)
        self.assertEqual((found["code"], found["severity"]), ("slow-start", "note"))
        self.assertIn("grace_period", found["fix"])

    def test_two_programs_on_one_port_are_a_warning(self):
        self.assertEqual(self.verdict("split", code="ok"), GOOD)
        found = result(of_app(self.machines, "split"), "proxy", code="split-port")
        self.assertEqual(found["severity"], "warning")
        self.assertIn("another (pid", found["message"])
        self.assertIn("python3 (pid", found["message"])

    def test_two_programs_of_one_name_on_one_port_are_a_warning(self):
        found = result(of_app(self.machines, "twins"), "proxy", code="split-port")
        self.assertEqual(found["severity"], "warning")
        evidence = "\n".join(found["evidence"])
        self.assertIn("--bind 0.0.0.0", evidence)
        self.assertIn("--bind fly-local-6pn", evidence)
        self.assertEqual(self.verdict("workers"), GOOD)

    def test_a_private_app_is_expected_to_be_reached_over_6pn(self):
        self.assertEqual(self.verdict("inner", "6pn", 9000), GOOD)
        self.assertTrue(result(of_app(self.machines, "inner"), "6pn", 9000)["expected"])

    def test_a_port_of_expect_is_looked_at(self):
        self.assertEqual(self.verdict("wanted", "6pn", 9090), GOOD)
        self.assertTrue(result(of_app(self.machines, "wanted"), "6pn", 9090)["expected"])

    def test_a_sidecar_on_loopback_is_no_fault(self):
        self.assertEqual(self.verdict("sidecar"), GOOD)
        self.assertEqual(self.verdict("sidecar", "6pn", 6379), ("loopback-only", "note", "refused"))

    def test_a_debuggers_port_in_the_open_is_a_note(self):
        self.assertEqual(self.verdict("debugger", "6pn", 5678), ("debug-port-open", "note", "reachable"))
        # It is Node.js's debugger that is on this one.
        self.assertEqual(self.verdict("namesake", "6pn", 9229), GOOD)

    def test_the_listeners_are_told_with_their_owners(self):
        listeners = of_app(self.machines, "split")["listeners"]
        self.assertEqual([(one["protocol"], one["address"], one["port"], one["v6_only"], one["process"]) for one in listeners],
                         [("tcp", "0.0.0.0", 8080, False, "python3"), ("tcp", "::", 8080, True, "another")])
        self.assertIn("actor.py", listeners[0]["command"])


class Bad(Actors, harness.SharedCase):
    """Each of these is a problem on Fly.io."""

    @classmethod
    def prepare(cls):
        never = '[[restart]]\n  policy = "never"\n'
        fails = {"twice": ("tcp,::,8080", "tcp,::,8080"), "wildcards": ("tcp,0.0.0.0,8080", "tcp,::,8080"), "name": ("tcp,fly-local-6pn:8080,8080",),
                 "elsewhere": ("tcp,192.0.2.1,8080",), "low": ("user,65534", "tcp,::,80"), "ended": ("exit,0",)}
        stays = {"global": ("tcp,fly-global-services,8080",), "six": ("tcp,::1,8080",), "mapped": ("tcp,::ffff:127.0.0.1,8080",), "only-udp": ("udp,::,8080",),
                 "deaf": ("deaf,::,8080",), "good": ("tcp,::,8080",), "silent": ()}
        nobody = cls.stage.project({"fly.toml": 'app = "nobody"\nprimary_region = "ams"\n[processes]\n  app = "sleep 600"\n'
                                    '[http_service]\n  internal_port = 8080\n  processes = ["app"]\n',
                                    "flylocal.toml": '[[machines]]\n  count = 0\n'}, "nobody")
        crash = cls.stage.project({"fly.toml": 'app = "crash"\nprimary_region = "ams"\n[processes]\n  app = "sh -c \'exit 3\'"\n' + never}, "crash")
        cls.machines = check(
            cls.stage, *(cls.actor(name, *commands, toml=never) for name, commands in fails.items()),
            *(cls.actor(name, *commands) for name, commands in stays.items()), nobody, crash,
            cls.actor("wanted", "tcp,0.0.0.0,9090", service=False, project_file="[[expect]]\n  6pn = 9090\n"),
            cls.actor("absent", service=False, project_file="[[expect]]\n  6pn = 9090\n"), code=1)

    def is_problem(self, app, code, reach="refused", path="proxy", port=8080):
        self.assertEqual(self.verdict(app, path, port), (code, "problem", reach))
        return self.message(app, path, port)

    def test_fly_global_services_is_no_address_for_tcp(self):
        self.is_problem("global", "global-services-only")

    def test_the_loopback_addresses_of_ipv6(self):
        self.assertIn("[::1]:8080", self.is_problem("six", "loopback-only"))
        self.is_problem("mapped", "loopback-only")

    def test_a_udp_socket_is_no_tcp_server(self):
        self.is_problem("only-udp", "udp-only")

    def test_a_full_queue_accepts_nobody(self):
        self.is_problem("deaf", "not-accepting", "timed out")

    def test_a_program_that_never_listens_is_a_problem_when_the_patience_is_over(self):
        self.is_problem("silent", "nothing-listening")

    def test_the_bind_errors_that_the_program_tells_of(self):
        for app, code, words in (("twice", "address-in-use", "already in use"), ("wildcards", "wildcards-collide", "already in use"),
                                 ("name", "name-not-accepted", "not known"), ("elsewhere", "address-not-here", "Cannot assign"),
                                 ("low", "privileged-port", "Permission denied")):
            with self.subTest(app):
                self.assertIn(words, self.is_problem(app, code, "untried"))

    def test_a_service_must_not_end_even_if_it_ends_well(self):
        self.assertIn("code 0", self.is_problem("ended", "not-running", "untried"))

    def test_a_crash_of_an_app_without_services_is_a_problem(self):
        self.assertIn("code 3", self.is_problem("crash", "not-running", "untried", "6pn", 0))

    def test_a_service_without_a_machine(self):
        machine = of_app(self.machines, "nobody")
        self.assertEqual((machine["state"], [(one["path"], one["port"], one["code"], one["severity"]) for one in machine["results"]]),
                         ("none", [("proxy", 8080, "no-machine", "problem")]))

    def test_a_port_that_is_meant_for_6pn_must_be_reached_over_6pn(self):
        self.is_problem("wanted", "ipv4-only", path="6pn", port=9090)
        self.is_problem("absent", "nothing-listening", path="6pn", port=9090)

    def test_a_good_app_stays_good_beside_them(self):
        self.assertEqual(worst(of_app(self.machines, "good")), "ok")

    def test_every_problem_has_evidence_and_every_code_an_explanation(self):
        for machine in self.machines:
            for one in machine["results"]:
                with self.subTest(app=machine["app"], code=one["code"]):
                    self.assertTrue(one["message"])
                    self.assertEqual(self.stage.flylocal("explain", one["code"]).returncode, 0)


class OfTheFile(Actors, harness.SharedCase):
    """What fly.toml alone tells, beside a server that is well."""

    @classmethod
    def prepare(cls):
        no_protocol = '[[services]]\n  internal_port = 8080\n  processes = ["app"]\n  [[services.ports]]\n    port = 80\n    handlers = ["http"]\n'
        no_ports = '[[services]]\n  internal_port = 8080\n  protocol = "tcp"\n  processes = ["app"]\n'
        raw, flycast = reports.tcp_service(8080, 5432), 'ip_addresses = ["private_v6"]\n'
        def app(name, **named):
            return cls.actor(name, "tcp,::,8080", **named)
        cls.machines = check(
            cls.stage, app("no-protocol", service=False, toml=no_protocol), app("no-ports", service=False, toml=no_ports),
            app("raw", service=False, toml=raw), app("raw-shared", service=False, toml=raw, project_file='ip_addresses = ["shared_v4", "v6"]\n'),
            app("raw-dedicated", service=False, toml=raw, project_file='ip_addresses = ["v4"]\n'),
            app("flycast", toml="  force_https = true\n", project_file=flycast), app("flycast-plain", project_file=flycast),
            app("no-flycast", toml="  force_https = true\n"), app("asleep", toml='  auto_stop_machines = "stop"\n  auto_start_machines = false\n'), code=1)

    def test_each_finding_has_its_severity(self):
        for app, findings in (("no-protocol", {"service-incomplete": "warning"}), ("no-ports", {"service-incomplete": "warning"}),
                              ("raw", {"raw-tcp-shared-ipv4": "note"}), ("raw-shared", {"raw-tcp-shared-ipv4": "warning"}), ("raw-dedicated", {}),
                              ("flycast", {"force-https-flycast": "problem"}), ("flycast-plain", {}), ("no-flycast", {}),
                              ("asleep", {"autostop-without-autostart": "warning"})):
            with self.subTest(app):
                self.assertEqual(of_file(of_app(self.machines, app)), findings)
                self.assertEqual(self.verdict(app), GOOD)

    def test_they_name_the_line(self):
        found = [one for one in of_app(self.machines, "flycast")["results"] if one["code"] == "force-https-flycast"]
        with open(os.path.join(self.stage.directory, "flycast", "fly.toml")) as file:
            line = file.read().split("\n").index("[http_service]") + 1
        self.assertEqual([one["target"] for one in found], [f"fly.toml:{line}"])


class Command(harness.Case):
    """What belongs to the command rather than to a verdict."""

    def actor(self, name, *commands, **named):
        return self.stage.app(name, program="actor.py", arguments=" ".join(commands), **named)

    def test_a_shorter_time_limit_leaves_it_open(self):
        machines = check(self.stage, "--timeout", "1", self.actor("silent"), code=1)
        self.assertEqual(brief(result(machines[0], "proxy")), ("nothing-listening", "pending", "refused"))

    def test_expect_of_the_command_line_is_looked_at_too(self):
        project = self.actor("four", "tcp,0.0.0.0,9090", service=False)
        machines = check(self.stage, "--expect", "6pn:9090", project, code=1)
        self.assertEqual(brief(result(machines[0], "6pn", 9090)), ("ipv4-only", "problem", "refused"))
        done = self.stage.flylocal("check", "--expect", "tcp:9090", project)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("tcp:9090", done.stderr)

    def test_of_a_sandbox_that_runs_the_project_already_check_only_reports(self):
        project = self.actor("bad", "tcp,127.0.0.1,8080")
        up = self.stage.up(project)
        machine = up.machine()
        self.assertEqual(check(self.stage, project, code=1)[0]["machine"], machine["id"])
        self.assertEqual(up.machine()["instance_id"], machine["instance_id"])
        self.assertEqual(up.machine()["state"], "started")

    def test_the_text_form_names_app_machine_path_and_code(self):
        done = self.stage.flylocal("check", self.actor("bad", "tcp,127.0.0.1,8080"))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^bad  machine [0-9a-f]{14} \(app, ams\)")
        self.assertRegex(done.stdout, r"(?m)^  PROBLEM  Fly Proxy  172\.19\.\d+\.\d+:8080 +refused  \[loopback-only\]$")
        self.assertRegex(done.stdout, r"(?m)^  NOTE     6PN        \[fdaa:[0-9a-f:]+\]:8080 +refused, not required  \[loopback-only\]$")
        self.assertRegex(done.stdout, r"(?m)^1 problem; more on it: flylocal explain loopback-only$")

    def test_a_missing_fly_toml_cannot_run(self):
        done = self.stage.flylocal("check", self.stage.make_directory("empty"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("fly.toml", done.stderr)

    def test_a_time_that_is_none_cannot_run(self):
        project = self.actor("hello", "tcp,::,8080")
        for option in ("--timeout", "--settle"):
            done = self.stage.flylocal("check", option, "soon", project)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(option, done.stderr)
            self.assertIn("soon", done.stderr)

    def test_nothing_runs_after_a_check(self):
        project = self.actor("hello", "tcp,::,8080")
        check(self.stage, project, code=0)
        self.assertEqual(harness.processes_of(project), {})
        self.assertEqual(self.stage.flylocal("status").returncode, 2)


if __name__ == "__main__":
    harness.main()
