"""The forms in which `flylocal check` writes its report: for people, for CI systems, and into files."""
import json
import os
import re
import stat
import xml.etree.ElementTree as xml

import harness
import reports

EXPECTED_FAILURES = {("bad.app", "Fly Proxy port 8080"): "loopback-only"}


class Forms(harness.SharedCase):
    """Two apps, one good, one on loopback alone; one report of them in all forms, and others of the sandbox as it runs."""

    @classmethod
    def prepare(cls):
        cls.good = cls.stage.app("good", program="actor.py", arguments="tcp,0.0.0.0,8080")
        cls.bad = cls.stage.app("bad", program="actor.py", arguments="tcp,127.0.0.1,8080")
        cls.up = cls.stage.up(cls.good, cls.bad)
        cls.up.wait_for_output("1 problem")
        cls.place = cls.stage.make_directory("forms")
        files = (word for form in ("json", "junit", "sarif", "github", "markdown") for word in ("--format", f"{form}={cls.place}/{form}"))
        cls.text = cls.check(*files)

    @classmethod
    def check(cls, *options, **named):
        done = cls.stage.flylocal("check", *reports.AT_ONCE, cls.good, cls.bad, *options, **named)
        if (done.returncode, done.stderr) != (1, ""):
            raise AssertionError(f"exit code {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def form(self, name):
        return self.read(f"forms/{name}")

    def read(self, name):
        with open(os.path.join(self.stage.directory, name)) as file:
            return file.read()

    def path(self, name):
        return os.path.join(self.stage.directory, name)

    # ---- each form

    def test_text_is_the_form_for_people(self):
        text = self.text
        self.assertNotIn("\x1b", text)
        self.assertRegex(text, r"(?m)^good  machine [0-9a-f]{14} \(app, ams\)")
        self.assertRegex(text, r"(?m)^  NOTE +6PN .* refused, not required  \[ipv4-only\]$")
        self.assertRegex(text, r"(?m)^  PROBLEM +Fly Proxy .* refused  \[loopback-only\]$")
        self.assertRegex(text, r"(?m)^           fix: ")

    def test_json_is_one_document_and_so_is_the_short_option(self):
        machines = reports.machines_of(self.form("json"), is_good=False)
        self.assertEqual(sorted(machine["app"] for machine in machines), ["bad", "good"])
        self.assertEqual(reports.machines_of(self.check("--json"), is_good=False), machines)

    def test_every_machine_and_result_has_every_member(self):
        for machine in reports.machines_of(self.form("json"), is_good=False):
            # Later versions may add some.
            self.assertLessEqual({"app", "process_group", "machine", "region", "state", "program", "listened_after_ms", "grace_period_ms",
                                  "listeners", "results"}, set(machine))
            for one in machine["results"]:
                self.assertLessEqual({"path", "port", "target", "expected", "reachable", "reach", "severity", "code", "message", "evidence", "fix"}, set(one))
                self.assertIn(one["severity"], reports.SEVERITIES)
                self.assertEqual(one["reachable"], {"reachable": True, "untried": None}.get(one["reach"], False))

    def test_junit_has_a_suite_a_machine_and_a_failure_a_problem(self):
        root = xml.fromstring(self.form("junit").encode())
        self.assertEqual((root.tag, root.get("failures")), ("testsuites", "1"))
        suites = root.findall("testsuite")
        self.assertEqual(len(suites), 2)
        cases = root.findall("testsuite/testcase")
        self.assertEqual(root.get("tests"), str(len(cases)))
        self.assertEqual(sum(int(suite.get("tests")) for suite in suites), len(cases))
        failures = {(case.get("classname"), case.get("name").split(" (")[0]): case.find("failure") for case in cases if case.find("failure") is not None}
        self.assertEqual({place: failure.get("type") for place, failure in failures.items()}, EXPECTED_FAILURES)
        failure = failures["bad.app", "Fly Proxy port 8080"]
        self.assertIn("127.0.0.1:8080", failure.get("message"))
        self.assertIn("fix: ", failure.text)
        passed = [case.get("name").split(" (")[0] for case in cases if case.get("classname") == "good.app"]
        self.assertEqual(sorted(passed), ["6PN port 8080", "Fly Proxy port 8080", "published port 8080"])

    def test_sarif_names_rules_that_it_has_and_levels_by_severity(self):
        document = json.loads(self.form("sarif"))
        self.assertEqual((document["version"], len(document["runs"])), ("2.1.0", 1))
        run = document["runs"][0]
        rules = run["tool"]["driver"]["rules"]
        self.assertEqual(run["tool"]["driver"]["name"], "flylocal")
        found = {(one["properties"]["path"], one["ruleId"]): one["level"] for one in run["results"]}
        self.assertEqual(found, {("proxy", "loopback-only"): "error", ("6pn", "loopback-only"): "note", ("6pn", "ipv4-only"): "note"})
        for one in run["results"]:
            self.assertEqual(rules[one["ruleIndex"]]["id"], one["ruleId"])
            self.assertTrue(one["message"]["text"])
            self.assertEqual(one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "fly.toml")
        self.assertEqual(len({one["partialFingerprints"]["flylocal/1"] for one in run["results"]}), 3)

    def test_github_annotations_are_a_line_each(self):
        lines = self.form("github").splitlines()
        kinds = sorted(re.match(r"::(\w+) file=fly\.toml,title=([^:]*)::(.+)$", line).group(1, 2) for line in lines)
        self.assertEqual([kind for kind, _ in kinds], ["error", "notice"])
        error = next(line for line in lines if line.startswith("::error"))
        self.assertIn("bad port 8080", error)
        self.assertIn("[loopback-only]%0A", error)
        self.assertIn("%0Afix: ", error)

    def test_markdown_has_a_row_a_result_and_says_what_to_do(self):
        text = self.form("markdown")
        rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| |")]
        self.assertEqual(len(rows), 5)
        self.assertEqual({line.count(" | ") for line in rows}, {6})
        self.assertIn("1 problem", text.splitlines()[0])
        self.assertIn("`flylocal explain loopback-only`", text)
        self.assertIn("**Fix:**", text)

    # ---- where they go

    def test_a_job_summary_is_added_to_what_is_there(self):
        path = self.path("summary.md")
        with open(path, "w") as file:
            file.write("of another step\n")
        self.stage.account.own(path)
        shown = self.check("--format", "github", env={"GITHUB_STEP_SUMMARY": path})
        self.assertIn("::error", shown)
        summary = self.read("summary.md")
        self.assertTrue(summary.startswith("of another step\n"))
        self.assertIn("loopback", summary.split("\n", 1)[1])
        self.assertEqual(summary.split("\n", 1)[1].strip(), self.form("markdown").strip())
        # Only this form is GitHub's.
        self.check("--format", "junit", env={"GITHUB_STEP_SUMMARY": path})
        self.assertEqual(self.read("summary.md"), summary)

    def test_several_files_beside_the_text(self):
        self.assertIn("PROBLEM", self.text)
        self.assertEqual(sorted(os.listdir(self.place)), ["github", "json", "junit", "markdown", "sarif"])

    def test_files_beside_another_form(self):
        shown = self.check("--json", "--format", f"text={self.path('report.txt')}")
        reports.machines_of(shown, is_good=False)
        self.assertIn("PROBLEM", self.read("report.txt"))

    def test_a_file_is_replaced_as_a_whole(self):
        path = self.path("report.md")
        with open(path, "w") as file:
            file.write("old\n" * 10000)
        self.stage.account.own(path)
        self.check("--format", f"markdown={path}")
        self.assertNotIn("old", self.read("report.md"))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o444, 0o444)

    def test_the_directories_may_come_behind_the_options(self):
        for options in (("--format", "json"), ("--json",), ("--format=json",)):
            done = self.stage.flylocal("check", *reports.AT_ONCE, *options, self.good)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(reports.SCHEMA, done.stdout)


class Refusals(harness.Case):
    def refused(self, *options):
        done = self.stage.flylocal("check", self.project, *options)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        return done.stderr

    def setUp(self):
        super().setUp()
        self.project = self.stage.app("hello")

    def test_an_unknown_form_is_named_with_those_that_there_are(self):
        text = self.refused("--format", "xml")
        for word in ("xml", "junit", "sarif", "github", "markdown"):
            self.assertIn(word, text)
        self.assertIn("JUNIT", self.refused("--format", "JUNIT=report.xml"))

    def test_a_form_without_its_file(self):
        self.assertIn("junit=", self.refused("--format", "junit="))

    def test_two_forms_cannot_share_stdout(self):
        self.assertIn("stdout", self.refused("--format", "junit", "--format", "sarif"))
        self.assertIn("stdout", self.refused("--json", "--format", "sarif"))

    def test_nothing_was_started_for_them(self):
        self.refused("--format", "xml")
        self.assertFalse(os.path.exists(self.stage.state_directory))

    def test_a_file_that_cannot_be_written_cannot_run_and_leaves_nothing(self):
        place = os.path.join(self.stage.directory, "missing", "report.xml")
        done = self.stage.flylocal("check", *reports.AT_ONCE, self.project, "--format", f"junit={place}")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn(place, done.stderr)
        self.assertFalse(os.path.exists(os.path.dirname(place)))
        self.assertEqual(harness.processes_of(self.project), {})


if __name__ == "__main__":
    harness.main()
