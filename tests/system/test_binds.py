"""The bind report: `flylocal check` tells from outside what is wrong with a server, and its exit code says it to a CI."""
import json
import os

import harness


class Checks:
    def check(self, *arguments, code):
        done = self.stage.flylocal("check", "--json", *arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["ok"], code == 0)
        return report["findings"]

    def finding(self, *arguments, code):
        findings = self.check(*arguments, code=code)
        self.assertEqual(len(findings), 1, findings)
        return findings[0]


@harness.as_root_and_user
class Examples(Checks):
    """Every example gets the verdict that its first line promises."""

    def verdict(self, name, verdict, code, fly_proxy, six_pn):
        finding = self.finding(self.stage.example(name), code=code)
        self.assertEqual((finding["code"], finding["fly_proxy"], finding["six_pn"]), (verdict, fly_proxy, six_pn), finding)
        self.assertEqual(finding["port"], 8080)
        return finding["sentence"]

    def test_hello_is_well(self):
        self.verdict("hello", "ok", 0, "reachable", "reachable")

    def test_slow_start_is_waited_for(self):
        self.verdict("slow-start", "ok", 0, "reachable", "reachable")

    def test_loopback_only(self):
        sentence = self.verdict("loopback-only", "loopback-only", 1, "refused", "refused")
        self.assertIn("127.0.0.1:8080", sentence)
        self.assertIn("0.0.0.0:8080", sentence)
        self.assertIn("python3", sentence)

    def test_ipv6_only(self):
        self.assertIn("IPV6_V6ONLY", self.verdict("ipv6-only", "ipv6-only", 1, "refused", "reachable"))

    def test_6pn_only(self):
        self.assertRegex(self.verdict("6pn-only", "6pn-only", 1, "refused", "reachable"), r"\[fdaa:[0-9a-f:]+\]:8080")

    def test_wrong_port(self):
        sentence = self.verdict("wrong-port", "wrong-port", 1, "refused", "refused")
        self.assertIn("internal_port = 3000", sentence)

    def test_crash_at_start(self):
        finding = self.finding(self.stage.example("crash-at-start"), code=1)
        self.assertEqual(finding["code"], "not-running")
        self.assertIn("code 1", finding["sentence"])
        self.assertIn("DATABASE_URL is not set", finding["sentence"])

    def test_two_groups_are_reported_machine_by_machine(self):
        findings = self.check(self.stage.example("two-groups"), code=0)
        self.assertEqual(sorted((f["process_group"], f["region"], f["code"]) for f in findings),
                         [("web", "ams", "ok"), ("web", "iad", "ok"), ("worker", "ams", "running")])

    def test_two_apps_together(self):
        base = self.stage.example("two-apps")
        findings = self.check(os.path.join(base, "web"), os.path.join(base, "api"), code=0)
        self.assertEqual(sorted((f["app"], f["code"]) for f in findings), [("quotes-api", "running"), ("web", "ok")])

    def test_two_apps_reach_each_other_by_internal_name(self):
        base = self.stage.example("two-apps")
        up = self.stage.up(os.path.join(base, "web"), os.path.join(base, "api"))

        def answer():
            found = up.get()
            return found.status == 200 and found.text
        text = harness.eventually(answer, lambda: up.get().text)
        self.assertIn(f"hello {up.machine('web')['private_ip']}", text)


class Verdicts(Checks, harness.Case):
    """Bindings that are no example."""

    def test_ipv4_alone_serves_fly_proxy_and_the_missing_6pn_is_said(self):
        finding = self.finding(self.stage.app("four", arguments="0.0.0.0"), code=0)
        self.assertEqual((finding["code"], finding["fly_proxy"], finding["six_pn"]), ("ipv4-only", "reachable", "refused"))
        self.assertIn("[::]:8080", finding["sentence"])

    def test_the_wildcard_of_both_families_is_well(self):
        self.assertEqual(self.finding(self.stage.app("both"), code=0)["code"], "ok")

    def test_fly_global_services_is_no_address_for_tcp(self):
        finding = self.finding(self.stage.app("global", arguments="fly-global-services"), code=1)
        self.assertEqual(finding["code"], "global-services-only")

    def test_the_ipv6_loopback_is_loopback(self):
        finding = self.finding(self.stage.app("six", arguments="::1"), code=1)
        self.assertEqual(finding["code"], "loopback-only")
        self.assertIn("[::1]:8080", finding["sentence"])

    def test_a_program_that_never_listens_is_waited_for_and_then_reported(self):
        project = self.stage.project({"fly.toml": 'app = "silent"\nprimary_region = "ams"\n[processes]\n  app = "sleep 600"\n'
                                      '[http_service]\n  internal_port = 8080\n  processes = ["app"]\n'})
        finding = self.finding("--timeout", "1", project, code=1)
        self.assertEqual((finding["code"], finding["severity"]), ("nothing-listening", "pending"))

    def test_a_program_that_ended_well_is_not_running(self):
        project = self.stage.project({"fly.toml": 'app = "done"\nprimary_region = "ams"\n[processes]\n  app = "true"\n'
                                      '[http_service]\n  internal_port = 8080\n  processes = ["app"]\n'})
        finding = self.finding(project, code=1)
        self.assertEqual(finding["code"], "not-running")
        self.assertIn("code 0", finding["sentence"])

    def test_one_bad_app_of_two_is_enough_for_exit_code_1(self):
        findings = self.check(self.stage.app("good"), self.stage.app("bad", arguments="127.0.0.1"), code=1)
        self.assertEqual({f["app"]: f["code"] for f in findings}, {"good": "ok", "bad": "loopback-only"})

    def test_an_app_without_services_is_well_while_it_runs(self):
        self.assertEqual(self.finding(self.stage.app("quiet", service=False), code=0)["code"], "running")

    def test_a_crash_of_an_app_without_services_is_a_problem(self):
        project = self.stage.project({"fly.toml": 'app = "quiet"\nprimary_region = "ams"\n[processes]\n  app = "sh -c \'exit 3\'"\n'
                                      '[[restart]]\n  policy = "never"\n'})
        finding = self.finding(project, code=1)
        self.assertEqual(finding["code"], "not-running")
        self.assertIn("code 3", finding["sentence"])

    def test_a_port_that_is_meant_for_6pn_must_be_reached_over_6pn(self):
        expect = "[[expect]]\n  6pn = 8080\n"
        good = self.stage.app("good", service=False, arguments="fly-local-6pn", project_file=expect)
        self.assertNotIn("problem", {f["severity"] for f in self.check(good, code=0)})
        bad = self.stage.app("bad", service=False, arguments="0.0.0.0", project_file=expect)
        self.assertIn("6pn-unreachable", {f["code"] for f in self.check(bad, code=1)})

    def test_of_a_sandbox_that_runs_the_project_already_check_only_reports(self):
        project = self.stage.app("bad", arguments="127.0.0.1")
        up = self.stage.up(project)
        machine = up.machine()
        self.assertEqual(self.finding(project, code=1)["machine"], machine["id"])
        self.assertEqual(up.machine()["instance_id"], machine["instance_id"])
        self.assertEqual(up.machine()["state"], "started")

    def test_the_text_form_names_app_machine_and_code(self):
        done = self.stage.flylocal("check", self.stage.app("bad", arguments="127.0.0.1"))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stdout, r"PROBLEM bad port 8080 \(app, machine [0-9a-f]{14}, ams\)")
        self.assertIn("[loopback-only]", done.stdout)

    def test_a_missing_fly_toml_cannot_run(self):
        done = self.stage.flylocal("check", self.stage.make_directory("empty"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("fly.toml", done.stderr)

    def test_a_time_limit_that_is_none_cannot_run(self):
        done = self.stage.flylocal("check", "--timeout", "soon", self.stage.app("hello"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("soon", done.stderr)

    def test_nothing_runs_after_a_check(self):
        project = self.stage.app("hello")
        self.check(project, code=0)
        self.assertEqual(harness.processes_of(project), {})
        self.assertEqual(self.stage.flylocal("status").returncode, 2)


if __name__ == "__main__":
    harness.main()
