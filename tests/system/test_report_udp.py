"""The bind report of UDP services: datagrams come to fly-global-services, and only answers from there get back to the client."""
import os

import harness
import reports
from reports import brief, check, of_app, of_file, result, worst

DEDICATED = 'ip_addresses = ["v4", "v6"]\n'


class Echoes:
    @classmethod
    def echo(cls, name, arguments, internal=5000, external=None, project_file=DEDICATED, **named):
        return cls.stage.app(name, program="echo.py", arguments=arguments, service=False, toml=reports.udp_service(internal, external),
                             project_file=project_file, **named)

    def found(self, app, port=5000):
        return result(of_app(self.machines, app), "udp", port)


class Good(Echoes, harness.SharedCase):
    @classmethod
    def prepare(cls):
        both = reports.tcp_service(5000, 5000) + reports.udp_service(5000)
        cls.machines = check(
            cls.stage, cls.echo("right", "fly-global-services 5000"), cls.echo("right-silent", "fly-global-services 5000 silent"),
            cls.echo("told", "0.0.0.0 5000 pktinfo"), cls.echo("wild-silent", "0.0.0.0 5000 silent"),
            cls.echo("unknown", "fly-global-services 5000", project_file=""),
            cls.stage.app("mixed", program="actor.py", arguments="udp,fly-global-services,5000 tcp,0.0.0.0,5000", service=False, toml=both,
                          project_file=DEDICATED),
            code=0)

    def test_bound_to_fly_global_services_is_right(self):
        found = self.found("right")
        self.assertEqual((brief(found), found["expected"]), (("ok", "ok", "reachable"), True))
        self.assertRegex(found["target"], r"^172\.19\.\d+\.\d+:5000$")
        self.assertEqual(worst(of_app(self.machines, "right")), "ok")

    def test_the_evidence_has_the_answer_and_the_socket(self):
        found = self.found("right")
        evidence = "\n".join(found["evidence"])
        self.assertIn(f"answered from {found['target'].split(':')[0]}", evidence)
        self.assertIn("echo.py", evidence)

    def test_an_exact_bind_needs_no_answer(self):
        self.assertEqual(self.found("right-silent")["severity"], "ok")

    def test_a_wildcard_that_asks_for_ip_pktinfo_answers_right(self):
        self.assertEqual(brief(self.found("told")), ("ok", "ok", "reachable"))

    def test_a_wildcard_that_does_not_answer_leaves_it_open(self):
        self.assertEqual((self.found("wild-silent")["code"], self.found("wild-silent")["severity"]), ("udp-unanswered", "note"))
        self.assertIn("fly-global-services", self.found("wild-silent")["fix"])

    def test_one_port_for_both_protocols(self):
        machine = of_app(self.machines, "mixed")
        self.assertEqual((brief(result(machine, "udp", 5000)), brief(result(machine, "proxy", 5000))), (("ok", "ok", "reachable"),) * 2)

    def test_the_need_of_an_ipv4_address_is_a_note_where_the_addresses_are_not_told(self):
        self.assertEqual(of_file(of_app(self.machines, "unknown")), {"udp-needs-ipv4": "note"})
        self.assertEqual(of_file(of_app(self.machines, "right")), {})

    def test_few_datagrams_are_sent(self):
        for app, most in (("right", 1), ("told", 1), ("right-silent", 9), ("wild-silent", 9)):
            with open(os.path.join(self.stage.directory, app, "seen")) as file:
                self.assertLessEqual(len(file.readlines()), most, app)


class Bad(Echoes, harness.SharedCase):
    @classmethod
    def prepare(cls):
        cls.machines = check(
            cls.stage, cls.echo("wild", "0.0.0.0 5000"), cls.echo("wild-six", ":: 5000"), cls.echo("private", "self 5000"),
            cls.echo("loopback", "127.0.0.1 5000"), cls.echo("six-pn", "fly-local-6pn 5000"), cls.echo("other-port", "fly-global-services 5001"),
            cls.echo("differs", "fly-global-services 5000", external=53),
            cls.echo("shared", "fly-global-services 5000", project_file='ip_addresses = ["shared_v4", "v6"]\n'),
            cls.actor("tcp-only", "tcp,0.0.0.0,5000"), cls.actor("ended", "exit,3", '[[restart]]\n  policy = "never"\n'), code=1)

    @classmethod
    def actor(cls, name, command, toml=""):
        return cls.stage.app(name, program="actor.py", arguments=command, service=False, toml=reports.udp_service(5000) + toml, project_file=DEDICATED)

    def test_an_answer_from_a_wildcard_leaves_from_the_wrong_address(self):
        for app in ("wild", "wild-six"):
            found = self.found(app)
            self.assertEqual((found["code"], found["severity"]), ("udp-wrong-source", "problem"))
            right = found["target"].split(":")[0]
            head, last = right.rsplit(".", 1)
            self.assertIn(right, found["message"])
            self.assertIn(f"answers from {head}.{int(last) - 1}", found["message"].replace("::ffff:", ""))
            self.assertIn("fly-global-services", found["fix"])

    def test_addresses_where_nothing_arrives(self):
        for app in ("private", "loopback", "six-pn"):
            with self.subTest(app):
                self.assertEqual(brief(self.found(app)), ("udp-unreachable", "problem", "refused"))

    def test_no_udp_socket_on_the_port(self):
        for app in ("other-port", "tcp-only"):
            with self.subTest(app):
                self.assertEqual((self.found(app)["code"], self.found(app)["severity"]), ("udp-not-listening", "problem"))

    def test_a_program_that_ended(self):
        self.assertEqual(brief(self.found("ended")), ("not-running", "problem", "untried"))
        self.assertIn("code 3", self.found("ended")["message"])

    def test_the_public_port_must_be_the_programs_own(self):
        self.assertEqual(of_file(of_app(self.machines, "differs")), {"udp-port-differs": "problem"})
        self.assertEqual(brief(self.found("differs")), ("ok", "ok", "reachable"))

    def test_a_shared_address_takes_no_datagrams(self):
        self.assertEqual(of_file(of_app(self.machines, "shared")), {"udp-needs-ipv4": "problem"})


if __name__ == "__main__":
    harness.main()
