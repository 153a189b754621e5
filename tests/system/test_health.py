"""Health checks, cordon, suspend and resume: what they show, and whom Fly Proxy sends requests to because of them."""
import json
import signal
import time

import harness

CHECKS = ('  [[http_service.checks]]\n    path = "/health"\n    interval = "1s"\n    timeout = "1s"\n    grace_period = "1s"\n'
          '    [http_service.checks.headers]\n      X-Check = "yes"\n')


def moody(stage, name="hello", toml="", count=1, **named):
    return stage.app(name, toml=toml, program="moody.py", project_file=f"[[machines]]\ncount = {count}\n", **named)


# Without the requests of the bind report, each of which wakes a machine that sleeps.
QUIET = ("--no-http-probe",)


class Machines:
    def checks(self, *options):
        return json.loads(self.assert_ok(self.stage.flylocal("checks", "list", "--json", *options)).stdout)

    def check(self, name, machine=None):
        found = [one for one in self.checks() if one["name"] == name and machine in (None, one["machine"])]
        self.assertEqual(len(found), 1, self.checks())
        return found[0]

    def wait_for_check(self, name, status, machine=None):
        harness.eventually(lambda: self.check(name, machine)["status"] == status, lambda: f"{name} {status}: {self.checks()}")
        return self.check(name, machine)

    def messages(self):
        return [json.loads(line)["message"] for line in self.assert_ok(self.stage.flylocal("logs", "--json")).stdout.splitlines()]

    def machine(self, action, machine, **named):
        return self.assert_ok(self.stage.flylocal("machine", action, machine, **named)).stdout

    def inside(self, up, machine, path):
        """Asks the server of one machine, from inside of it."""
        return up.python(f"import urllib.request\nprint(urllib.request.urlopen('http://127.0.0.1:8080{path}').read().decode())", machine=machine).strip()

    def answers(self, up, times=12):
        """The machines that answer, each request on a connection of its own."""
        return {up.get().text for _ in range(times)}

    def wait_for_answers(self, up, wanted):
        harness.eventually(lambda: self.answers(up) == wanted, lambda: f"answers of {wanted}, not {self.answers(up)}\n{up.output()[-3000:]}")


@harness.shared_as_root_and_user
class OneMachine(Machines):
    """One machine with a service check and two top-level ones, of which one never passes."""

    @classmethod
    def prepare(cls):
        cls.up = cls.stage.up(moody(cls.stage, toml=CHECKS + (
            '[checks]\n  [checks.alive]\n    type = "tcp"\n    port = 8080\n    interval = "2s"\n    timeout = "1s"\n'
            '  [checks.elsewhere]\n    type = "tcp"\n    port = 9999\n    interval = "2s"\n    timeout = "1s"\n')))

    def test_a_service_check_passes_under_the_platforms_name(self):
        check = self.wait_for_check("servicecheck-00-http-8080", "passing")
        self.assertRegex(check["output"], r"^GET http://172\.\d+\.\d+\.\d+:8080/health: 200 OK$")
        self.assertTrue(check["decides_routing"])

    def test_a_top_level_check_only_reports(self):
        self.wait_for_check("alive", "passing")
        failed = self.check("elsewhere")
        self.assertEqual(failed["status"], "critical")
        harness.eventually(lambda: self.check("elsewhere")["output"] == "connect: connection refused", "the failed check's reason")
        self.assertFalse(failed["decides_routing"])
        self.assertEqual(self.up.get().status, 200)

    def test_checks_come_from_the_proxys_address_and_name_the_machines(self):
        self.wait_for_check("servicecheck-00-http-8080", "passing")
        machine = self.up.machine()
        # The bind report makes the checks, too, and as itself.
        proxy = "172.16." + ".".join(machine["private_ipv4"].split(".")[2:])
        seen = [check for check in json.loads(self.inside(self.up, machine["id"], "/checks")) if check["peer"] == proxy]
        self.assertTrue(seen)
        self.assertEqual(seen[-1]["headers"]["Host"], f"{machine['private_ipv4']}:8080")
        self.assertEqual(seen[-1]["headers"]["X-Check"], "yes")

    def test_the_machines_json_has_its_checks_and_its_load(self):
        self.wait_for_check("servicecheck-00-http-8080", "passing")
        self.assertEqual(self.up.get().status, 200)
        machine = self.up.machine()
        self.assertEqual([check["name"] for check in machine["checks"]], ["servicecheck-00-http-8080", "alive", "elsewhere"])
        load = machine["load"][0]
        self.assertEqual(load["internal_port"], 8080)
        self.assertGreaterEqual(load["total"], 1)

    def test_the_lists_are_for_people_too(self):
        self.wait_for_check("servicecheck-00-http-8080", "passing")
        self.wait_for_check("alive", "passing")
        shown = self.assert_ok(self.stage.flylocal("checks", "list", "-a", "hello")).stdout
        self.assertRegex(shown, r"servicecheck-00-http-8080 +passing")
        self.assertRegex(self.assert_ok(self.stage.flylocal("machine", "list")).stdout, r"started .* 2/3")
        self.assertEqual(self.assert_ok(self.stage.flylocal("checks", "list", "-a", "other")).stdout.strip(), "No checks are configured.")


@harness.as_root_and_user
class Routing(Machines):
    def test_a_failing_check_takes_a_machine_out_and_its_success_brings_it_back(self):
        up = self.stage.up(moody(self.stage, toml=CHECKS, count=2))
        good, bad = sorted(machine["id"] for machine in up.machines())
        self.wait_for_answers(up, {good, bad})
        before = self.check("servicecheck-00-http-8080", bad)
        self.inside(up, bad, "/mood?code=500")
        failed = self.wait_for_check("servicecheck-00-http-8080", "critical", bad)
        self.assertIn("500 Internal Server Error: mood 500", failed["output"])
        self.assertGreaterEqual(failed["updated_at"], before["updated_at"])
        self.wait_for_answers(up, {good})
        self.assertEqual(self.answers(up, 40), {good})
        self.inside(up, bad, "/mood?code=204")
        self.wait_for_check("servicecheck-00-http-8080", "passing", bad)
        self.wait_for_answers(up, {good, bad})
        messages = self.messages()
        self.assertTrue(any(m.startswith("health check servicecheck-00-http-8080 on port 8080 has failed: ") for m in messages), messages)
        self.assertGreaterEqual(messages.count("health check servicecheck-00-http-8080 on port 8080 is now passing"), 3)

    def test_a_redirect_is_no_success(self):
        up = self.stage.up(moody(self.stage, toml=CHECKS))
        self.wait_for_check("servicecheck-00-http-8080", "passing")
        self.inside(up, up.machine()["id"], "/mood?code=302")
        self.assertIn(": 302 Found", self.wait_for_check("servicecheck-00-http-8080", "critical")["output"])

    def test_a_stopped_machine_has_not_started(self):
        up = self.stage.up(moody(self.stage, toml=CHECKS))
        self.wait_for_check("servicecheck-00-http-8080", "passing")
        self.machine("stop", up.machine()["id"])
        self.assertEqual(self.wait_for_check("servicecheck-00-http-8080", "critical")["output"], "the machine hasn't started")
        self.machine("start", up.machine()["id"])
        self.wait_for_check("servicecheck-00-http-8080", "passing")

    def test_a_cordoned_machine_gets_no_requests_until_it_is_uncordoned(self):
        up = self.stage.up(moody(self.stage, count=2))
        first, second = (machine["id"] for machine in up.machines())
        self.wait_for_answers(up, {first, second})
        self.assertIn("is started, cordoned", self.machine("cordon", first))
        self.assertEqual([m["cordoned"] for m in up.machines()], [True, False])
        self.assertIn("started, cordoned", self.assert_ok(self.stage.flylocal("machine", "list")).stdout)
        self.wait_for_answers(up, {second})
        self.assertEqual(self.answers(up, 40), {second})
        self.machine("uncordon", first)
        self.wait_for_answers(up, {first, second})


@harness.as_root_and_user
class Suspending(Machines):
    def processor_time(self, up):
        """The clock ticks that the machine's server has taken, as the host counts them."""
        found = [pid for pid, words in harness.processes_of(self.stage.directory).items() if "moody.py" in words]
        self.assertEqual(len(found), 1, found)
        with open(f"/proc/{found[0]}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return fields[0], int(fields[11]) + int(fields[12])

    def test_memory_stays_and_no_time_is_taken(self):
        up = self.stage.up(moody(self.stage), options=QUIET)
        machine = up.machine()["id"]
        harness.eventually(lambda: int(up.get("/count").text) > 10, "a counter that moves")
        self.assertIn("is suspended", self.machine("suspend", machine))
        self.assertEqual(up.machine()["state"], "suspended")
        harness.eventually(lambda: self.processor_time(up)[0] == "T", "a stopped process")
        taken = self.processor_time(up)
        frozen_at = time.monotonic()
        # Running, it would take a tick of a hundredth of a second in much less.
        harness.eventually(lambda: time.monotonic() - frozen_at > 1.5, "a while")
        self.assertEqual(self.processor_time(up), taken)
        self.machine("start", machine)
        self.assertEqual(up.machine()["state"], "started")
        first = int(self.inside(up, machine, "/count"))
        self.assertGreater(first, 10)
        harness.eventually(lambda: int(self.inside(up, machine, "/count")) > first, "a counter that goes on")
        self.assertEqual(up.machine()["restart_count"], 0)
        self.assertEqual(self.messages().count("listening"), 1, "the program was not started anew")

    def test_a_connection_outlives_it(self):
        up = self.stage.up(moody(self.stage), options=QUIET)
        machine = up.machine()["id"]
        up.wait_until_listening()
        connection = up.connect()
        connection.sendall(b"GET /slow?seconds=1 HTTP/1.1\r\nhost: hello.localhost\r\n\r\n")
        harness.eventually(lambda: up.machine()["load"][0]["current"] == 1, "a request under way")
        self.machine("suspend", machine)
        self.machine("start", machine)
        self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 200"))

    def test_a_suspended_machine_has_no_name_and_no_console(self):
        up = self.stage.up(moody(self.stage), options=QUIET)
        machine = up.machine()["id"]
        self.assertNotEqual(self.assert_ok(self.stage.flylocal("dig", "hello.internal", "+short")).stdout, "")
        self.machine("suspend", machine)
        self.assertEqual(self.assert_ok(self.stage.flylocal("dig", "hello.internal", "+short")).stdout, "")
        self.assertNotEqual(up.console("true").returncode, 0)
        again = self.machine("suspend", machine)
        self.assertIn("is suspended", again)

    def test_stop_thaws_first_so_that_the_program_ends_by_itself(self):
        up = self.stage.up(moody(self.stage), options=QUIET)
        machine = up.machine()["id"]
        harness.eventually(lambda: "listening" in self.messages(), "the program's first line")
        self.machine("suspend", machine)
        self.machine("stop", machine)
        stopped = up.machine()
        self.assertEqual((stopped["state"], stopped["last_exit_code"]), ("stopped", 0))
        refused = self.stage.flylocal("machine", "suspend", machine)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("is stopped, not started", refused.stderr)

    def test_nothing_is_left_when_flylocal_is_killed(self):
        up = self.stage.up(moody(self.stage), options=QUIET)
        harness.eventually(lambda: "listening" in self.messages(), "the program's first line")
        self.machine("suspend", up.machine()["id"])
        self.assertTrue(any("moody.py" in words for words in harness.processes_of(self.stage.directory).values()))
        up.stop(signal.SIGKILL)
        harness.eventually(lambda: not any("moody.py" in words for words in harness.processes_of(self.stage.directory).values()),
                           "the end of the frozen program")

    def test_flylocal_ends_in_order_with_a_suspended_machine(self):
        up = self.stage.up(moody(self.stage), options=QUIET)
        harness.eventually(lambda: "listening" in self.messages(), "the program's first line")
        self.machine("suspend", up.machine()["id"])
        self.assertEqual(up.stop(signal.SIGINT), 0, up.output())
        self.assertIn("main process exited with code 0", up.output())

    def test_a_large_machine_cannot_be_suspended(self):
        up = self.stage.up(moody(self.stage, toml='[[vm]]\n  memory = "4gb"\n'), options=QUIET)
        refused = self.stage.flylocal("machine", "suspend", up.machine()["id"])
        self.assertEqual(refused.returncode, 1)
        self.assertIn("at most 2 GB of memory", refused.stderr)
        self.assertEqual(up.machine()["state"], "started")


if __name__ == "__main__":
    harness.main()
