"""The bind report of what a server answers: as Fly Proxy asks it, over 6PN, on this host, and as the checks of fly.toml do."""
import collections
import os

import harness
import reports
from reports import brief, check, of_app, result, worst

OK = ("ok", "ok", "reachable")


def checks(*lines):
    return "".join(f"  [[http_service.checks]]\n    {line}\n" for line in lines)


def http_port(external, options=""):
    return (f'[[services]]\n  internal_port = 8080\n  protocol = "tcp"\n  processes = ["app"]\n'
            f'  [[services.ports]]\n    port = {external}\n    handlers = ["http"]\n{options}')


H2_BACKEND = "    [services.ports.http_options]\n      h2_backend = true\n"


def make_certificate(stage):
    """A self-signed certificate with its key, for the name "speaker"."""
    if not harness.shutil.which("openssl"):
        raise harness.unittest.SkipTest("no openssl here to make a certificate")
    place = os.path.join(stage.directory, "made.pem")
    done = stage.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                     "-subj", "/CN=speaker", "-keyout", place, "-out", place + ".cert")
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    with open(place) as key, open(place + ".cert") as certificate:
        return key.read() + certificate.read()


class Speakers:
    @classmethod
    def speaker(cls, name, mode, **named):
        return cls.stage.app(name, program="speaker.py", arguments=mode, **named)

    @classmethod
    def service(cls, name, mode, external, handlers, **named):
        return cls.speaker(name, mode, service=False, toml=reports.tcp_service(8080, external, handlers), **named)

    def verdict(self, app, path="proxy", port=8080):
        return brief(result(of_app(self.machines, app), path, port))

    def seen(self, app):
        """How often the app got what, in this test's runs."""
        with open(os.path.join(self.stage.directory, app, "seen")) as file:
            return collections.Counter(file.read().splitlines())


class Answers(Speakers, harness.SharedCase):
    """One sandbox with all that is well."""

    @classmethod
    def prepare(cls):
        cls.machines = check(
            cls.stage, cls.speaker("good", "200", toml=checks('path = "/200"', 'method = "head"\n    path = "/200"')),
            cls.speaker("away", "302"), cls.speaker("upgrade", "upgrade"), cls.speaker("guarded", "401"), cls.speaker("picky", "picky"),
            cls.speaker("missing", "404"), cls.speaker("broken", "500"),
            cls.speaker("own-domain", "own-domain"), cls.speaker("fussy", "fussy"),
            cls.speaker("h2-wanted", "http2", service=False, toml=http_port(5437, H2_BACKEND)),
            cls.service("raw-greeting", "greeting", 5432, ""), cls.service("raw-close", "close", 5436, ""), cls.service("raw-silent", "silent", 5433, ""),
            cls.service("line-sent", "line", 5435, '"proxy_proto"'), code=0)

    def paths(self, app, *paths):
        return {path: self.verdict(app, path) for path in paths or ("proxy", "6pn", "published")}

    def test_200_is_well_on_every_path(self):
        self.assertEqual(self.paths("good"), dict.fromkeys(("proxy", "6pn", "published"), OK))
        self.assertIn("200", result(of_app(self.machines, "good"), "proxy")["message"])

    def test_a_redirect_inside_is_well(self):
        self.assertEqual(self.paths("away"), dict.fromkeys(("proxy", "6pn", "published"), OK))
        self.assertIn("a redirect to /200", result(of_app(self.machines, "away"), "proxy")["message"])

    def test_a_redirect_to_https_for_what_came_by_https_is_a_loop(self):
        self.assertEqual(self.verdict("upgrade"), ("redirect-loop", "warning", "reachable"))

    def test_credentials_show_that_the_network_is_right(self):
        self.assertEqual(self.verdict("guarded"), ("needs-credentials", "ok", "reachable"))

    def test_a_host_that_is_refused_is_a_warning_and_the_evidence_has_both_answers(self):
        self.assertEqual(self.verdict("picky"), ("host-refused", "warning", "reachable"))
        evidence = "\n".join(result(of_app(self.machines, "picky"), "proxy")["evidence"])
        self.assertRegex(evidence, r"GET / for picky\.fly\.dev: HTTP/1\.1 403")
        self.assertRegex(evidence, r"GET / for localhost: HTTP/1\.1 200")

    def test_a_host_that_is_refused_over_6pn_is_a_note_as_nobody_asks_there(self):
        self.assertEqual(self.verdict("picky", "6pn"), ("host-refused", "note", "reachable"))

    def test_an_app_that_knows_its_own_domain_only_is_told_with_the_hosts_that_it_refused(self):
        self.assertEqual(self.verdict("own-domain"), ("host-refused", "warning", "reachable"))
        found = result(of_app(self.machines, "own-domain"), "proxy")
        for part in ("400 for the host own-domain.fly.dev", "400 for localhost", "Bad Request (400)"):
            self.assertIn(part, found["message"])
        self.assertIn("ALLOWED_HOSTS", found["fix"])
        self.assertEqual(self.verdict("own-domain", "6pn"), ("host-refused", "note", "reachable"))

    def test_an_app_that_answers_400_to_everybody_without_a_reason_is_well(self):
        self.assertEqual(self.paths("fussy"), dict.fromkeys(("proxy", "6pn", "published"), OK))

    def test_http2_behind_h2_backend_is_well(self):
        self.assertEqual(self.verdict("h2-wanted"), OK)
        self.assertIn("HTTP/2", result(of_app(self.machines, "h2-wanted"), "proxy")["message"])
        seen = self.seen("h2-wanted")
        self.assertEqual((set(seen), seen["preface"]), ({"connected", "preface"}, 1))

    def test_404_is_an_answer(self):
        self.assertEqual(self.verdict("missing"), OK)

    def test_500_is_a_warning(self):
        self.assertEqual(self.verdict("broken"), ("server-error", "warning", "reachable"))

    def test_behind_no_handlers_nothing_is_asked(self):
        for app in ("raw-greeting", "raw-silent", "raw-close"):
            self.assertEqual(self.paths(app), dict.fromkeys(("proxy", "6pn", "published"), OK))
            self.assertEqual(set(self.seen(app)), {"connected"})

    def test_a_proxy_line_that_is_wanted_and_sent(self):
        self.assertEqual(self.verdict("line-sent"), OK)

    def test_the_checks_of_a_good_server_pass(self):
        found = [one for one in of_app(self.machines, "good")["results"] if one["path"] == "check"]
        self.assertEqual([(one["severity"], one["reach"]) for one in found], [("ok", "reachable")] * 2)
        self.assertEqual([" ".join(one["target"].split()[:2]).upper() for one in found], ["GET /200", "HEAD /200"])

    def test_a_check_asks_few_times(self):
        seen = self.seen("good")
        asked = {line: count for line, count in seen.items() if line.startswith("asked")}
        self.assertLessEqual(sum(asked.values()), 12, seen)
        # Once as Fly Proxy, once over 6PN, once through the published port, and once for each check.
        hosts = collections.Counter(line.split()[3].rsplit(":", 1)[0] for line in asked)
        self.assertEqual(hosts["good.fly.dev"] + hosts["good.internal"], 2)
        # Each check by the report and by the sandbox, which makes it again when its interval is over.
        self.assertLessEqual(sum(asked[line] for line in asked if "/200" in line), 6)
        self.assertLessEqual(seen["connected"], 12, seen)

    def test_even_a_failing_server_is_asked_seldom(self):
        # 5xx may pass, so it is asked once a second on each of two ways, for five seconds.
        asked = sum(count for line, count in self.seen("broken").items() if line.startswith("asked"))
        self.assertLessEqual(asked, 16, self.seen("broken"))


class Failures(Speakers, harness.SharedCase):
    """One sandbox with all that will not work."""

    @classmethod
    def prepare(cls):
        certificate = {"cert.pem": make_certificate(cls.stage)}
        secure_check = 'protocol = "https"\n    path = "/200"\n    tls_server_name = "speaker"\n    tls_skip_verify = '
        cls.machines = check(
            cls.stage, cls.speaker("silent", "silent"), cls.speaker("close", "close"), cls.speaker("words", "words"), cls.speaker("greeting", "greeting"),
            cls.speaker("line", "line"), cls.service("line-unexpected", "200", 5434, '"proxy_proto"'),
            cls.speaker("grpc", "http2"), cls.speaker("h2-unknown", "200", service=False, toml=http_port(5438, H2_BACKEND)),
            cls.service("passed", "200", 443, ""), cls.service("tls-raw", "tls", 443, "", files=certificate),
            cls.speaker("tls", "tls", files=certificate, toml=checks(secure_check + "true", secure_check + "false", 'path = "/200"')),
            cls.speaker("checked", "200", toml=checks(
                'path = "/302"', 'path = "/404"', 'path = "/never"\n    timeout = "1s"', 'path = "/200"') + (
                '[checks]\n  [checks.elsewhere]\n    type = "tcp"\n    port = 9999\n'
                '  [checks.here]\n    type = "tcp"\n    port = 8080\n')), code=1)

    def is_problem(self, app, code, path="proxy"):
        self.assertEqual(self.verdict(app, path), (code, "problem", "reachable"))
        return result(of_app(self.machines, app), path)["message"]

    def test_no_answer(self):
        self.is_problem("silent", "no-answer")

    def test_a_connection_that_is_closed(self):
        self.is_problem("close", "closes-connection")

    def test_what_is_no_http_is_quoted(self):
        self.assertIn("+what do you mean", self.is_problem("words", "not-http"))
        self.assertIn("220 here", self.is_problem("greeting", "not-http"))

    def test_http2_behind_the_http_handler_needs_h2_backend(self):
        self.is_problem("grpc", "http2-only")
        self.assertIn("h2_backend = true", result(of_app(self.machines, "grpc"), "proxy")["fix"])

    def test_http1_behind_h2_backend_is_a_problem(self):
        self.assertIn("505", self.is_problem("h2-unknown", "http1-only"))

    def test_a_program_that_wants_tls_behind_the_http_handler(self):
        self.is_problem("tls", "speaks-tls")

    def test_port_443_without_the_tls_handler_in_front_of_plain_http(self):
        self.is_problem("passed", "tls-passed-through")

    def test_port_443_without_the_tls_handler_in_front_of_tls_is_right(self):
        self.assertEqual(self.verdict("tls-raw"), OK)

    def test_a_proxy_line_that_is_wanted_and_not_sent(self):
        self.is_problem("line", "proxy-protocol-missing")

    def test_a_proxy_line_that_is_sent_and_not_understood(self):
        self.is_problem("line-unexpected", "proxy-protocol-unexpected")

    def checks_of(self, app):
        return {one["target"]: (one["code"], one["severity"]) for one in of_app(self.machines, app)["results"] if one["path"] == "check" and one["port"]}

    def test_each_check_gets_its_verdict(self):
        found = self.checks_of("checked")
        by_path = {target.split(" of port")[0].split(",")[0]: verdict for target, verdict in found.items() if target.startswith("GET")}
        self.assertEqual(by_path, {"GET /302": ("check-redirects", "problem"), "GET /404": ("check-not-2xx", "problem"),
                                   "GET /never": ("check-timeout", "problem"), "GET /200": ("ok", "ok")})
        by_name = {target.rpartition(" ")[2]: verdict for target, verdict in found.items() if target.startswith("connect")}
        self.assertEqual(by_name, {"[checks.elsewhere]": ("check-unreachable", "problem"), "[checks.here]": ("ok", "ok")})
        self.assertEqual(self.verdict("checked"), OK)

    def test_a_check_by_https_trusts_the_certificate_only_if_it_is_told_to(self):
        found = sorted(self.checks_of("tls").items(), key=lambda item: int(item[0].rpartition(":")[2]))
        self.assertEqual([verdict for _, verdict in found], [("ok", "ok"), ("check-not-2xx", "problem"), ("check-not-2xx", "problem")])
        self.assertIn("tls_skip_verify", [one["message"] for one in of_app(self.machines, "tls")["results"] if one["path"] == "check"][1])

    def test_a_failing_check_is_not_made_often(self):
        # Once a second by the report, and a few times by the sandbox, which goes by it.
        seen = self.seen("checked")
        for path in ("/302", "/404"):
            asked = sum(count for line, count in seen.items() if line.startswith(f"asked GET {path} "))
            self.assertLessEqual(asked, 36, seen)

    def test_problems_have_a_fix(self):
        for app in ("tls", "passed", "line", "line-unexpected"):
            self.assertTrue(result(of_app(self.machines, app), "proxy")["fix"], app)


class Denied(Speakers, harness.SharedCase):
    """A greeting is waited for a moment only, so that this one is looked at for long, and when its program has nothing else to do."""

    @classmethod
    def prepare(cls):
        project = cls.service("denied", "denied", 5434, "")
        cls.stage.up(project).wait_for_output("listening")
        cls.machines = check(cls.stage, project, code=0, settle=())

    def test_a_server_that_refuses_its_client_in_words(self):
        self.assertEqual(self.verdict("denied"), ("client-refused", "warning", "reachable"))
        self.assertIn("protected mode", result(of_app(self.machines, "denied"), "proxy")["message"])


class Unasked(Speakers, harness.SharedCase):
    """With --no-http-probe programs see connects and nothing else, and are judged by these."""

    @classmethod
    def prepare(cls):
        tcp_check = checks('path = "/404"') + '[checks]\n  [checks.here]\n    type = "tcp"\n    port = 8080\n'
        cls.machines = check(cls.stage, "--no-http-probe", cls.speaker("shy", "500", toml=tcp_check), cls.speaker("mute", "silent"), code=0,
                             settle=())

    def test_the_apps_see_no_request(self):
        for app in ("shy", "mute"):
            self.assertEqual(set(self.seen(app)), {"connected"})

    def test_the_paths_are_judged_by_connects(self):
        for app in ("shy", "mute"):
            self.assertEqual({path: self.verdict(app, path) for path in ("proxy", "6pn", "published")}, dict.fromkeys(("proxy", "6pn", "published"), OK))
        self.assertEqual(worst(of_app(self.machines, "mute")), "ok")

    def test_tcp_checks_are_made_and_http_checks_are_not_held_against_the_app(self):
        found = {one["target"].split()[0]: one for one in of_app(self.machines, "shy")["results"] if one["path"] == "check"}
        self.assertEqual(brief(found["connect"]), OK)
        self.assertNotIn(found.get("GET", {}).get("severity"), ("pending", "problem"))


if __name__ == "__main__":
    harness.main()
