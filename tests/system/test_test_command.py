"""`flylocal test`: a sandbox of its own around a command."""
import contextlib
import http.client
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import xml.etree.ElementTree

import harness
from test_nothing_left import Leftovers

QUICK = ("--settle", "0")  # these apps do not change their minds
TOGETHER = 6

# What the command sees, as one line of JSON; then it waits for the end of its input.
TELL = ("import json, os, sys\n"
        "print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('FLYLOCAL_')}), flush=True)\n"
        "sys.stdin.read()\n")


class Testing:
    def command(self, *words, projects=None, options=(), **named):
        """`flylocal test` to its end."""
        projects = [self.stage.app("hello")] if projects is None else projects
        return self.stage.flylocal("test", *projects, *QUICK, *options, "--", *words, **named)

    def shell(self, script, **named):
        return self.command("sh", "-c", script, **named)

    def start(self, *words, projects=None, options=(), **named):
        """`flylocal test` in the background."""
        projects = [self.stage.app("hello")] if projects is None else projects
        named = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **named}
        return self.stage.popen(harness.binary(), "test", *projects, *QUICK, *options, "--", *words, **named)

    def telling(self, *arguments, **named):
        """One whose command has told its variables and waits; and these."""
        process = self.start(harness.python(), "-c", TELL, *arguments, stdin=subprocess.PIPE, **named)
        line = process.stdout.readline()
        self.assertTrue(line, lambda: process.stderr.read())
        return process, json.loads(line)

    def finish(self, process):
        process.stdin.close()
        self.assertEqual(process.wait(harness.PATIENCE), 0, process.stderr.read())

    def get(self, url, path="/"):
        """The JSON that server.py answers."""
        address, port = re.fullmatch(r"http://([^:/]+):(\d+)", url).groups()
        connection = http.client.HTTPConnection(address, int(port), timeout=harness.PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return harness.Answer(connection.getresponse()).json()

    def states(self):
        """The state directories of tests that there are."""
        with contextlib.suppress(FileNotFoundError):
            return [name for name in os.listdir(self.stage.state_directory) if name.startswith("test-")]
        return []

    def never(self):
        """A command that proves by a file that it ran, and the proof that it did not."""
        path = os.path.join(self.stage.make_directory("proof"), "ran")
        return ("touch", path), lambda: self.assertFalse(os.path.exists(path), "the command ran")


@harness.as_root_and_user
class Passing(Testing):
    """What the command gets and gives."""

    def test_the_exit_code_is_the_commands(self):
        path = self.stage.app("hello")
        for script, code in (("exit 0", 0), ("exit 7", 7), ("exit 124", 124), ("kill -KILL $$", 137), ("kill -TERM $$", 143)):
            done = self.shell(script, projects=[path])
            self.assertEqual((done.returncode, done.stdout, done.stderr), (code, "", ""), script)
        self.assertEqual(self.states(), [])

    def test_input_and_output_are_the_commands_alone(self):
        done = self.shell("cat; echo problem >&2; exit 3", stdin="what is\npiped in\n")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (3, "what is\npiped in\n", "problem\n"))

    def test_the_words_reach_the_command_as_they_are(self):
        words = ["", "two words", "$HOME", "--json", "--", "-h", "\u00fc\n"]
        done = self.assert_ok(self.command(harness.python(), "-c", "import json, sys; print(json.dumps(sys.argv[1:]))", *words))
        self.assertEqual(json.loads(done.stdout), words)

    def test_the_command_runs_as_the_caller_and_in_his_place(self):
        done = self.assert_ok(self.shell("id -u; pwd; echo $MINE; cat /proc/self/uid_map", env={"MINE": "kept"}))
        uid, place, mine, *uids = done.stdout.splitlines()
        self.assertEqual((uid, place, mine), (str(self.stage.account.uid), self.stage.directory, "kept"))
        with open("/proc/self/uid_map") as file:
            self.assertEqual([line.split() for line in uids], [line.split() for line in file])

    def test_the_variables_tell_the_truth(self):
        path = self.stage.app("my-app", project_file="[[machines]]\n  count = 2\n")
        process, told = self.telling(projects=[path])
        state = told["FLYLOCAL_STATE_DIRECTORY"]
        status = json.loads(self.stage.flylocal("status", "--json", env={"FLYLOCAL_STATE_DIRECTORY": state}).stdout)
        machines = [(m["id"], m["private_ip"]) for m in status["machines"]]
        self.assertEqual(len(machines), 2)
        port = status["ports"][0]["host_port"]
        self.assertEqual(told, {
            "FLYLOCAL_STATE_DIRECTORY": state, "FLYLOCAL_CERTS_DIRECTORY": os.path.join(self.stage.state_directory, "certs"),
            "FLYLOCAL_SOCKET": os.path.join(state, "control.sock"),
            "FLYLOCAL_URL": f"http://localhost:{port}", "FLYLOCAL_MY_APP_URL": f"http://localhost:{port}",
            "FLYLOCAL_MY_APP_INTERNAL": "my-app.internal", "FLYLOCAL_MY_APP_MACHINES": ",".join(m for m, _ in machines),
            "FLYLOCAL_MY_APP_ADDRESSES": ",".join(a for _, a in machines)})
        self.assertIn(self.get(told["FLYLOCAL_URL"])["machine"], [m for m, _ in machines])
        self.assertEqual(os.path.dirname(state), self.stage.state_directory)
        self.finish(process)

    def test_two_apps_have_an_url_each(self):
        process, told = self.telling(projects=[self.stage.app("one"), self.stage.app("two"), self.stage.app("quiet", service=False)])
        self.assertEqual(self.get(told["FLYLOCAL_ONE_URL"])["app"], "one")
        self.assertEqual(self.get(told["FLYLOCAL_TWO_URL"])["app"], "two")
        self.assertEqual(told["FLYLOCAL_URL"], told["FLYLOCAL_ONE_URL"])
        self.assertEqual(told["FLYLOCAL_QUIET_URL"], "")
        self.assertEqual(told["FLYLOCAL_QUIET_INTERNAL"], "quiet.internal")
        self.finish(process)

    def test_a_service_without_http_has_a_tcp_url(self):
        path = self.stage.app("raw", service=False, toml=(
            '[[services]]\n  internal_port = 8080\n  protocol = "tcp"\n  processes = ["app"]\n  [[services.ports]]\n    port = 5000\n'))
        process, told = self.telling(projects=[path])
        self.assertRegex(told["FLYLOCAL_URL"], r"^tcp://localhost:\d+$")
        self.assertEqual(self.get(told["FLYLOCAL_URL"].replace("tcp:", "http:"))["app"], "raw")
        self.finish(process)

    def test_logs_go_to_stderr(self):
        done = self.shell("echo mine", options=["--logs"])
        self.assertEqual((done.returncode, done.stdout), (0, "mine\n"))
        self.assertRegex(done.stderr, r"(?m)^hello\[[0-9a-f]+\] ams +listening on :: port 8080$")

    def test_nothing_of_it_outlives_it(self):
        left = Leftovers(self.stage.directory)
        path = self.stage.app("hello", top='[[mounts]]\n  source = "data"\n  destination = "/flylocal-volume/inside"\n')
        done = self.shell(f"{shlex.quote(harness.binary())} ssh console -C 'touch /flylocal-volume/inside/file'", projects=[path])
        self.assert_ok(done)
        self.assertEqual((left.found(set()), self.states()), ("", []))


@harness.as_root_and_user
class Refusing(Testing):
    """When the command does not run."""

    def test_a_bad_report_is_told_on_stderr_and_the_command_never_runs(self):
        command, prove_never = self.never()
        done = self.command(*command, projects=[self.stage.app("bad", arguments="127.0.0.1")])
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        for words in ("PROBLEM", "[loopback-only]", "127.0.0.1:8080"):
            self.assertIn(words, done.stderr)
        prove_never()
        self.assertEqual(self.states(), [])

    def test_one_bad_app_of_two_is_enough(self):
        command, prove_never = self.never()
        done = self.command(*command, projects=[self.stage.app("good"), self.stage.app("bad", arguments="127.0.0.1")])
        self.assertEqual(done.returncode, 1)
        prove_never()

    def test_a_junit_file_is_written_for_a_good_and_a_bad_report(self):
        for name, arguments, code, failures in (("good", "", 5, 0), ("bad", "127.0.0.1", 1, 1)):
            file = os.path.join(self.stage.make_directory("reports"), f"{name}.xml")
            done = self.shell("echo ran; exit 5", projects=[self.stage.app(name, arguments=arguments)], options=["--format", f"junit={file}"])
            self.assertEqual((done.returncode, done.stdout), (code, "ran\n" if code == 5 else ""), done.stderr)
            found = xml.etree.ElementTree.parse(file).getroot()
            self.assertGreaterEqual(len(list(found.iter("testcase"))), 1)
            self.assertEqual(min(1, len(list(found.iter("failure")))), failures)
            self.assertEqual("[loopback-only]" in done.stderr, bool(failures))

    def test_a_good_report_can_go_to_a_descriptor(self):
        # Which the shell opens, so that it belongs to the account: nobody may open somebody else's pipe again.
        words = shlex.join([harness.binary(), "test", self.stage.app("hello"), *QUICK, "--format", "text=/dev/fd/3", "--", "echo", "mine"])
        done = self.assert_ok(self.stage.run("sh", "-c", f"{{ {words} 3>&1 >&4 | sed 's/^/report: /'; }} 4>&1"))
        lines = done.stdout.splitlines()
        self.assertIn("mine", lines)
        lines.remove("mine")
        self.assertTrue(all(line.startswith("report: ") for line in lines), done.stdout)
        self.assertIn("reachable", done.stdout)

    def test_a_report_that_cannot_be_written_is_exit_code_2(self):
        command, prove_never = self.never()
        done = self.command(*command, options=["--format", "junit=/no/such/directory/report.xml"])
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("/no/such/directory/report.xml", done.stderr)
        prove_never()

    def test_what_cannot_be_run_is_exit_code_2(self):
        command, prove_never = self.never()
        path = self.stage.app("hello")
        for projects, options in (([self.stage.make_directory("empty")], []), ([path, path], []), ([path], ["--time-limit", "soon"]),
                                  ([path], ["--format", "runes"]), ([path], ["--nothing"])):
            done = self.command(*command, projects=projects, options=options)
            self.assertEqual((done.returncode, done.stdout), (2, ""), (projects, options))
            self.assertTrue(done.stderr)
        prove_never()
        self.assertEqual(self.states(), [])

    def test_without_a_command(self):
        for words in (("test",), ("test", "--"), ("test", self.stage.app("hello"), "--")):
            done = self.stage.flylocal(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("COMMAND", done.stderr)

    def test_a_command_that_is_not_there_or_no_program(self):
        path = self.stage.app("hello")
        for word, code in (("no-such-command-here", 127), (os.path.join(path, "fly.toml"), 126)):
            done = self.command(word, projects=[path])
            self.assertEqual((done.returncode, done.stdout), (code, ""))
            self.assertIn(word, done.stderr)


@harness.as_root_and_user
class Inside(Testing):
    """The command in a machine of its own."""

    def test_it_reaches_the_app_by_its_name(self):
        process, told = self.telling(options=["--inside"])
        self.assertEqual(told["FLYLOCAL_URL"], "http://hello.internal:8080")
        self.finish(process)
        seen = json.loads(self.assert_ok(self.shell("curl --silent --show-error $FLYLOCAL_URL", options=["--inside"])).stdout)
        self.assertEqual(seen["app"], "hello")
        self.assertRegex(seen["peer"], r"^fdaa:")

    def test_input_output_and_errors_stay_apart(self):
        done = self.shell("cat; echo problem >&2; exit 42", options=["--inside"], stdin="piped in\n")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (42, "piped in\n", "problem\n"))

    def test_exit_codes_are_a_shells(self):
        path = self.stage.app("hello")
        for words, code in ((("sh", "-c", "kill -KILL $$"), 137), (("no-such-command-here",), 127), ((os.path.join(path, "fly.toml"),), 126)):
            done = self.command(*words, projects=[path], options=["--inside"])
            self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)

    def test_it_is_no_machine_of_the_app_and_in_the_callers_place(self):
        done = self.assert_ok(self.shell("hostname; pwd; echo $FLYLOCAL_HELLO_MACHINES", options=["--inside"]))
        host, place, machine = done.stdout.split()
        self.assertNotEqual(host, machine)
        self.assertEqual(place, self.stage.directory)

    def test_the_bad_report_comes_first(self):
        command, prove_never = self.never()
        done = self.command(*command, options=["--inside"], projects=[self.stage.app("bad", arguments="127.0.0.1")])
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("flylocal-peer", done.stderr)
        prove_never()

    def test_much_output_arrives_whole(self):
        done = self.command("head", "-c", "5000000", "/dev/zero", options=["--inside"])
        self.assertEqual((done.returncode, len(done.stdout)), (0, 5_000_000))


@harness.as_root_and_user
class Together(Testing):
    """Several sandboxes at once."""

    def test_many_at_once_do_not_meet(self):
        path = self.stage.app("hello")
        running = [self.start(harness.python(), "-c", TELL, projects=[path], stdin=subprocess.PIPE) for _ in range(TOGETHER)]
        told = [json.loads(process.stdout.readline()) for process in running]
        self.assertEqual(len({one["FLYLOCAL_URL"] for one in told}), TOGETHER)
        self.assertEqual(sorted(self.states()), sorted(os.path.basename(one["FLYLOCAL_STATE_DIRECTORY"]) for one in told))
        for one in told:
            self.assertEqual(self.get(one["FLYLOCAL_URL"])["machine"], one["FLYLOCAL_HELLO_MACHINES"])
        # The end of one is nothing to the others.
        self.finish(running[0])
        for one in told[1:]:
            self.assertEqual(self.get(one["FLYLOCAL_URL"])["app"], "hello")
        for process in running[1:]:
            self.finish(process)
        self.assertEqual(self.states(), [])

    def test_commands_in_it_speak_to_its_own_sandbox_and_not_to_the_one_that_runs(self):
        up = self.stage.up(self.stage.app("other"))
        up.wait_until_listening()
        flylocal = shlex.quote(harness.binary())
        done = self.assert_ok(self.shell(f"set -e; {flylocal} status --json; {flylocal} logs --json; "
                                         f"{flylocal} ssh console -C 'printenv FLY_APP_NAME'; {flylocal} dig other.internal --short || echo no other"))
        status, *lines, name, other = done.stdout.splitlines()
        self.assertEqual([app["name"] for app in json.loads(status)["apps"]], ["hello"])
        self.assertEqual({json.loads(line)["app"] for line in lines}, {"hello"})
        self.assertEqual((name, other), ("hello", "no other"))
        self.assertEqual([machine["app"] for machine in up.machines()], ["other"])
        self.assertEqual(up.get().json()["app"], "other")

    def test_the_machines_api_is_at_the_socket(self):
        done = self.assert_ok(self.shell('curl --silent --show-error --unix-socket "$FLYLOCAL_SOCKET" http://localhost/v1/apps/hello/machines; '
                                         'echo; echo "$FLYLOCAL_HELLO_MACHINES"'))
        answer, machines = done.stdout.split()
        self.assertEqual(",".join(machine["id"] for machine in json.loads(answer)), machines)

    def test_down_in_the_command_is_told(self):
        done = self.shell(f"{shlex.quote(harness.binary())} down; sleep 600")
        self.assertEqual(done.returncode, 2)
        self.assertIn("the sandbox has ended before the command", done.stderr)


@harness.as_root_and_user
class Ending(Testing):
    """The ends before the end: signals, SIGKILL, the time limit. Nothing is left after any of them."""

    def setUp(self):
        super().setUp()
        self.left = Leftovers(self.stage.directory)

    def assert_nothing_left(self, namespaces, when):
        harness.eventually(lambda: not self.found(namespaces), lambda: f"nothing left {when}:\n{self.found(namespaces)}")

    def found(self, namespaces):
        states = self.states()
        return self.left.found(namespaces) + (f"\nstate: {states}" if states else "")

    def namespaces(self):
        return harness.network_namespaces(harness.processes_of(self.stage.directory)) - harness.network_namespaces([os.getpid()])

    def read_until(self, stream, text):
        seen = []
        while not seen or text not in seen[-1]:
            seen.append(stream.readline())
            self.assertTrue(seen[-1], seen)

    def wait_for_sandbox(self):
        """Until a starting sandbox has machines."""
        def started():
            for state in self.states():
                env = {"FLYLOCAL_STATE_DIRECTORY": os.path.join(self.stage.state_directory, state)}
                shown = self.stage.flylocal("status", "--json", env=env)
                if shown.returncode == 0 and all(m["state"] == "started" for m in json.loads(shown.stdout)["machines"]):
                    return True
            return False
        harness.eventually(started, "a sandbox whose machines are started")

    def silent(self):
        """Its report takes fifteen seconds, since nothing listens."""
        return self.stage.app("silent", program="stubborn.py", arguments="INT")

    def says_signals(self, *ends):
        """A command that says each signal it gets; it ends at those in `ends`, with code 7."""
        source = (harness.SOURCES / "apps" / "stubborn.py").read_text()
        directory = self.stage.project({"stubborn.py": source}, "command")
        return (harness.python(), os.path.join(directory, "stubborn.py"), *ends)

    def stubborn(self):
        """It takes a minute to stop, and says when it is asked to."""
        return self.stage.app("stubborn", program="stubborn.py", top='kill_timeout = "60s"', service=False)

    def read_rest(self, process):
        process.wait(harness.PATIENCE)
        return process.returncode, process.stdout.read(), process.stderr.read()

    # ---- signals

    def test_a_signal_at_once(self):
        path = self.stage.app("hello")
        for number in (signal.SIGINT, signal.SIGTERM) * 3:
            process = self.start("echo", "ran", projects=[path])
            process.send_signal(number)
            code, output, _ = self.read_rest(process)
            # Before it cares for signals, they end it as they end any program.
            self.assertIn(code, (-number, 128 + number))
            self.assertEqual(output, "")
            self.assert_nothing_left(set(), f"after {number.name} at once")

    def test_a_signal_while_it_starts(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = self.start("echo", "ran", projects=[self.silent()])
            self.wait_for_sandbox()
            namespaces = self.namespaces()
            self.assertTrue(namespaces)
            process.send_signal(number)
            self.assertEqual(self.read_rest(process), (128 + number, "", ""))
            self.assert_nothing_left(namespaces, f"after {number.name} while it started")

    def test_a_signal_goes_to_the_command_with_its_children(self):
        path = self.stage.app("hello")
        for number in (signal.SIGINT, signal.SIGTERM):
            # The shell waits for its child, which says that it is there: a shell that has none yet may forget a SIGINT.
            process = self.start("sh", "-c", "sh -c 'echo ready; exec sleep 600'; exit 3", projects=[path])
            self.read_until(process.stdout, "ready")
            namespaces = self.namespaces()
            process.send_signal(number)
            self.assertEqual(self.read_rest(process), (128 + number, "", ""))
            self.assert_nothing_left(namespaces, f"after {number.name} while the command ran")

    def test_a_command_may_have_its_own_answer_to_a_signal(self):
        process = self.start(*self.says_signals("TERM"))
        self.read_until(process.stdout, "ready")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.read_rest(process), (7, "got SIGTERM\n", ""))

    def test_the_second_signal_kills_the_command(self):
        process = self.start(*self.says_signals())
        self.read_until(process.stdout, "ready")
        process.send_signal(signal.SIGTERM)
        self.read_until(process.stdout, "got SIGTERM")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.read_rest(process)[0], 137)
        self.assert_nothing_left(set(), "after two signals")

    def test_a_signal_while_it_stops_takes_the_machines_time_away(self):
        path = self.stubborn()
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start("sh", "-c", "exit 3", projects=[path], options=["--logs"])
            self.read_until(process.stderr, "got SIGINT")
            namespaces = self.namespaces()
            process.send_signal(number)
            # Much less than its kill_timeout.
            self.assertEqual(process.wait(30), 3)
            self.assert_nothing_left(namespaces, f"after {number.name} while it stopped")

    def test_a_signal_ends_a_command_inside(self):
        process = self.start("sh", "-c", "echo ready; exec sleep 600", options=["--inside"])
        self.read_until(process.stdout, "ready")
        namespaces = self.namespaces()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.read_rest(process)[0], 143)
        self.assert_nothing_left(namespaces, "after SIGTERM while the command ran inside")

    # ---- a terminal

    def on_terminal(self):
        """A test at a terminal, and the terminal. Its command tells each signal it gets, and ends at SIGTERM with code 7."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        # The terminal of a new session, of which flylocal is the foreground group.
        words = ("setsid", "--ctty", "--wait", harness.binary(), "test", self.stage.app("hello"), *QUICK, "--", *self.says_signals("TERM"))
        process = self.stage.popen(*words, stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        os.close(slave)
        self.read_until(process.stdout, "ready")
        return process, master

    def test_a_terminals_interrupt_reaches_the_command_once(self):
        process, terminal = self.on_terminal()
        os.write(terminal, b"\x03")
        self.read_until(process.stdout, "got SIGINT")
        command, = self.children_of(process.pid, "stubborn.py")
        os.kill(command, signal.SIGTERM)
        self.assertEqual(self.read_rest(process)[:2], (7, "got SIGTERM\n"))
        self.assert_nothing_left(set(), "after a terminal's interrupt")

    def test_a_signal_to_flylocal_alone_reaches_the_command_at_a_terminal(self):
        process, _ = self.on_terminal()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.read_rest(process)[:2], (7, "got SIGTERM\n"))

    def children_of(self, parent, word):
        """The children of a process that have this word in their command line."""
        with open(f"/proc/{parent}/task/{parent}/children") as file:
            children = [int(pid) for pid in file.read().split()]
        mine = harness.processes_of(self.stage.directory)
        return [pid for pid in children if word in mine.get(pid, "") and " test " not in mine[pid]]

    # ---- SIGKILL

    def kill(self, process, when):
        """SIGKILL for the process that was started, and the proof that all else goes with it."""
        namespaces = self.namespaces()
        process.kill()
        process.wait(harness.PATIENCE)
        self.assert_nothing_left(namespaces, f"after SIGKILL {when}")

    def test_killed_at_once(self):
        path = self.stage.app("hello")
        for _ in range(3):
            self.kill(self.start("echo", "ran", projects=[path]), "at once")

    def test_killed_while_it_starts(self):
        process = self.start("echo", "ran", projects=[self.silent()])
        self.wait_for_sandbox()
        self.kill(process, "while it started")
        self.assertEqual(process.stdout.read(), "")

    def test_killed_while_the_command_runs(self):
        for options in ([], ["--inside"]):
            # It and its child ignore everything that can be ignored.
            process = self.start("sh", "-c", "trap '' HUP INT TERM PIPE; echo ready; sleep 600; sleep 600", options=options)
            self.read_until(process.stdout, "ready")
            self.kill(process, f"while the command ran, with {options}")

    def test_killed_while_it_stops(self):
        process = self.start("true", projects=[self.stage.app("slow", program="stubborn.py", top='kill_timeout = "2s"', service=False)],
                             options=["--logs"])
        self.read_until(process.stderr, "got SIGINT")
        self.kill(process, "while it stopped")

    def test_when_the_sandbox_is_killed_the_command_ends(self):
        for options in ([], ["--inside"]):
            process = self.start("sh", "-c", "echo ready; sleep 600; true", options=options)
            self.read_until(process.stdout, "ready")
            namespaces = self.namespaces()
            sandbox, = self.sandboxes_of(process.pid)
            os.kill(sandbox, signal.SIGKILL)
            code, _, errors = self.read_rest(process)
            self.assertEqual(code, 2)
            if not options:
                self.assertIn("the sandbox has ended before the command", errors)
            self.assert_nothing_left(namespaces, "after the sandbox was killed")

    def sandboxes_of(self, parent):
        """The sandboxes of a flylocal: its children that lead a session."""
        with open(f"/proc/{parent}/task/{parent}/children") as file:
            return [int(pid) for pid in file.read().split() if os.getsid(int(pid)) == int(pid)]

    # ---- the time limit

    def test_a_command_that_takes_too_long(self):
        path = self.stage.app("hello")
        for options in ([], ["--inside"]):
            done = self.shell("echo ready; sleep 600; exit 3", projects=[path], options=["--time-limit", "500ms", *options])
            self.assertEqual((done.returncode, done.stdout), (124, "ready\n"), done.stderr)
            self.assertIn("the command took longer than 500ms", done.stderr)
            self.assert_nothing_left(set(), "after the time limit")

    def test_a_command_that_takes_too_long_and_ignores_signals(self):
        done = self.shell("trap '' HUP INT TERM; echo ready; sleep 600; exit 3", options=["--time-limit", "500ms"])
        self.assertEqual((done.returncode, done.stdout), (124, "ready\n"), done.stderr)
        self.assert_nothing_left(set(), "after the time limit of a stubborn command")

    def test_a_child_that_ignores_signals_does_not_outlive_the_time_limit(self):
        # The shell goes at once, its child would stay.
        done = self.shell("(trap '' HUP INT TERM; exec sleep 600) & echo ready; wait", options=["--time-limit", "500ms"])
        self.assertEqual((done.returncode, done.stdout), (124, "ready\n"), done.stderr)
        self.assert_nothing_left(set(), "after the time limit of a command with a stubborn child")

    def test_a_command_that_is_done_in_time(self):
        self.assertEqual(self.shell("exit 4", options=["--time-limit", "60"]).returncode, 4)


if __name__ == "__main__":
    harness.main()
