"""The life of machines: how they are stopped, when they are restarted, and how the sandbox itself ends."""
import json
import os
import signal
import subprocess
import threading

import harness


class Logs:
    def log(self, machine=None):
        """The messages of the sandbox's log, in order."""
        done = self.stage.flylocal("logs", "--json", *(["--machine", machine] if machine else []))
        return [json.loads(line)["message"] for line in done.stdout.splitlines()]

    def wait_for_log(self, message, times=1):
        harness.eventually(lambda: self.log().count(message) >= times, lambda: f"{message!r} {times} times in {self.log()}")

    def stubborn(self, ends_at, top="", **named):
        up = self.stage.up(self.stage.app("stubborn", program="stubborn.py", arguments=ends_at, top=top, service=False, **named))
        self.wait_for_log("ready")
        return up

    def position(self, messages, wanted):
        for number, message in enumerate(messages):
            if wanted in message:
                return number
        raise AssertionError(f"{wanted!r} is not in {messages}")

    def assert_order(self, messages, *wanted):
        places = [self.position(messages, one) for one in wanted]
        self.assertEqual(places, sorted(places), messages)


@harness.as_root_and_user
class Stopping(Logs):
    def stop(self, up, *options):
        machine = up.machine()["id"]
        done = self.assert_ok(self.stage.flylocal("machine", "stop", machine, *options))
        self.assertIn(f"machine {machine} is stopped", done.stdout)
        return self.log()

    def test_sigint_comes_first_by_default(self):
        messages = self.stop(self.stubborn("INT"))
        self.assertIn("got SIGINT", messages)
        self.assertIn("main process exited with code 7", messages)
        self.assertNotIn("got SIGTERM", messages)

    def test_kill_signal_names_another(self):
        messages = self.stop(self.stubborn("USR1", top='kill_signal = "SIGUSR1"'))
        self.assertIn("got SIGUSR1", messages)
        self.assertNotIn("got SIGINT", messages)

    def test_after_kill_timeout_comes_sigterm(self):
        messages = self.stop(self.stubborn("TERM", top='kill_timeout = "500ms"'))
        self.assert_order(messages, "got SIGINT", "got SIGTERM", "main process exited with code 7")

    def test_a_program_that_ignores_both_is_killed(self):
        messages = self.stop(self.stubborn("", top="kill_timeout = 1"))
        self.assert_order(messages, "got SIGINT", "got SIGTERM", "killing the machine", "was killed by signal 9 (SIGKILL)")

    def test_signal_and_timeout_can_be_given_for_one_stop(self):
        messages = self.stop(self.stubborn("TERM", top="kill_timeout = 60"), "--signal", "SIGUSR2", "--timeout", "200ms")
        self.assert_order(messages, "got SIGUSR2", "got SIGTERM")
        self.assertNotIn("got SIGINT", messages)

    def test_a_stopped_machine_stays_stopped_whatever_its_exit_code(self):
        up = self.stubborn("INT")
        self.stop(up)
        machine = up.machine()
        self.assertEqual((machine["state"], machine["last_exit_code"], machine["restart_count"]), ("stopped", 7, 0))

    def test_a_signal_without_a_name_ends_a_machine_like_any_other(self):
        up = self.stubborn("INT")
        machine = up.machine()["id"]
        self.stage.flylocal("ssh", "console", "-C", "sh -c 'kill -35 2'")
        self.wait_for_log("main process was killed by signal 35 (signal 35)")
        self.assert_ok(self.stage.flylocal("machine", "stop", machine))
        self.assertEqual(up.stop(), 0)

    def test_a_second_stop_does_not_shorten_the_first_ones_time(self):
        up = self.stubborn("TERM", top='kill_timeout = "2s"')
        machine = up.machine()["id"]
        first = self.stage.popen(harness.binary(), "machine", "stop", machine, stdout=subprocess.DEVNULL)
        self.wait_for_log("got SIGINT")
        messages = self.stop(up)
        self.assertEqual(first.wait(harness.PATIENCE), 0)
        self.assert_order(messages, "got SIGINT", "got SIGTERM", "main process exited with code 7")

    def test_two_restarts_at_once_leave_the_new_program_alone(self):
        up = self.stubborn("INT USR1", top='kill_timeout = "2s"')
        machine = up.machine()["id"]
        both = [self.stage.popen(harness.binary(), "machine", "restart", machine, stdout=subprocess.DEVNULL) for _ in range(2)]
        self.assertEqual([one.wait(harness.PATIENCE) for one in both], [0, 0])
        self.assertEqual(up.machine()["state"], "started")
        self.assertNotIn("got SIGTERM", self.log())

    def test_kill_is_at_once(self):
        up = self.stubborn("", top="kill_timeout = 300")
        machine = up.machine()["id"]
        self.assert_ok(self.stage.flylocal("machine", "kill", machine))
        self.assertEqual(up.machine()["state"], "stopped")
        self.assertNotIn("got SIGINT", self.log())

    def test_start_runs_it_again_as_the_same_machine(self):
        up = self.stubborn("INT")
        before = up.machine()
        self.stop(up)
        done = self.assert_ok(self.stage.flylocal("machine", "start", before["id"]))
        self.assertIn("is started", done.stdout)
        self.wait_for_log("ready", 2)
        after = up.machine()
        for key in ("id", "private_ip", "private_ipv4"):
            self.assertEqual(after[key], before[key])

    def test_restart_stops_and_starts(self):
        up = self.stubborn("INT")
        self.assert_ok(self.stage.flylocal("machine", "restart", up.machine()["id"]))
        self.wait_for_log("ready", 2)
        self.assert_order(self.log(), "ready", "got SIGINT", "main process exited with code 7")
        self.assertEqual(up.machine()["state"], "started")

    def test_starting_a_started_machine_changes_nothing(self):
        up = self.stubborn("INT")
        self.assert_ok(self.stage.flylocal("machine", "start", up.machine()["id"]))
        self.assertEqual(self.log().count("ready"), 1)

    def test_processes_that_the_program_left_behind_end_with_the_machine(self):
        script = "import os, sys, time\nif os.fork() == 0:\n    os.setsid()\n    print('child', flush=True)\n    time.sleep(6000)\ntime.sleep(6000)\n"
        project = self.stage.project({"forks.py": script, "fly.toml": f'app = "forks"\nprimary_region = "ams"\n[processes]\n  app = "{harness.python()} forks.py"\n'})
        up = self.stage.up(project)
        self.wait_for_log("child")
        self.assertEqual(len([c for c in harness.processes_of(project).values() if "forks.py" in c]), 2)
        self.stop(up)
        self.assertEqual([c for c in harness.processes_of(project).values() if "forks.py" in c], [])


@harness.as_root_and_user
class Restarting(Logs):
    def ending(self, code, policy="", retries=None):
        toml = ""
        if policy:
            toml = f'[[restart]]\n  policy = "{policy}"\n' + (f"  retries = {retries}\n" if retries is not None else "")
        project = self.stage.project({"fly.toml": f'app = "ending"\nprimary_region = "ams"\n[processes]\n  app = "sh -c \'echo run; exit {code}\'"\n{toml}'})
        return self.stage.up(project, wait=False)

    def stopped(self, up):
        harness.eventually(lambda: self.stage.flylocal("status").returncode == 0, "the sandbox answers")
        return up.wait_for_state("stopped")

    def test_exit_0_stops_the_machine_by_default(self):
        machine = self.stopped(self.ending(0))
        self.assertEqual((machine["last_exit_code"], machine["restart_count"]), (0, 0))
        self.assertEqual(self.log().count("run"), 1)

    def test_a_failure_is_tried_again_as_often_as_retries_says(self):
        machine = self.stopped(self.ending(3, "on-failure", 2))
        self.assertEqual((machine["last_exit_code"], machine["restart_count"]), (3, 2))
        self.assertEqual(self.log().count("run"), 3)
        self.assertIn("machine has reached its max restart count of 2", self.log())

    def test_never_means_once(self):
        machine = self.stopped(self.ending(3, "never"))
        self.assertEqual((machine["last_exit_code"], machine["restart_count"]), (3, 0))
        self.assertEqual(self.log().count("run"), 1)

    def test_always_restarts_after_exit_0_too(self):
        machine = self.stopped(self.ending(0, "always", 2))
        self.assertEqual(machine["restart_count"], 2)
        self.assertEqual(self.log().count("run"), 3)

    def test_unset_means_on_failure(self):
        up = self.ending(1)
        harness.eventually(lambda: self.stage.flylocal("status").returncode == 0, "the sandbox answers")
        up.wait_for_machine(lambda m: m["restart_count"] >= 2, "two restarts")
        self.assertEqual(up.stop(), 0)

    def test_a_machine_that_waits_for_its_restart_can_be_stopped(self):
        up = self.ending(1)
        harness.eventually(lambda: self.stage.flylocal("status").returncode == 0, "the sandbox answers")
        machine = up.wait_for_machine(lambda m: m["restart_count"] >= 2, "two restarts")
        self.assert_ok(self.stage.flylocal("machine", "stop", machine["id"]))
        self.assertEqual(up.machine()["state"], "stopped")

    def test_a_start_by_hand_counts_anew(self):
        up = self.ending(3, "on-failure", 1)
        machine = self.stopped(up)
        self.stage.flylocal("machine", "start", machine["id"])
        harness.eventually(lambda: self.log().count("run") == 4, lambda: f"four runs in {self.log()}")
        up.wait_for_state("stopped")

    def test_the_exit_code_of_a_signal_is_128_more(self):
        project = self.stage.project({"fly.toml": 'app = "dies"\nprimary_region = "ams"\n[processes]\n  app = "sh -c \'kill -9 $$\'"\n'
                                      '[[restart]]\n  policy = "never"\n'})
        machine = self.stopped(self.stage.up(project, wait=False))
        self.assertEqual(machine["last_exit_code"], 137)
        self.assertIn("main process was killed by signal 9 (SIGKILL)", self.log())

    def test_exits_are_kept_as_events(self):
        up = self.ending(3, "never")
        machine = self.stopped(up)
        exits = [event for event in machine["events"] if event["type"] == "exit"]
        self.assertEqual(exits[0]["request"]["exit_event"]["exit_code"], 3)
        self.assertFalse(exits[0]["request"]["exit_event"]["requested_stop"])


@harness.as_root_and_user
class SandboxEnd(Logs):
    def test_sigint_and_sigterm_stop_the_machines_in_order(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                with harness.Stage(self.kind) as self.stage:
                    up = self.stubborn("INT")
                    self.assertEqual(up.stop(number), 0)
                    output = up.output()
                    self.assertIn("got SIGINT", output)
                    self.assertNotIn("got SIGTERM", output)
                    self.assertIn("main process exited with code 7", output)
                    self.assertEqual(harness.processes_of(self.stage.directory), {})

    def test_it_ends_after_kill_timeout_though_the_program_ignores_signals(self):
        up = self.stubborn("", top="kill_timeout = 1")
        self.assertEqual(up.stop(), 0)
        self.assert_order(up.output().splitlines(), "got SIGINT", "got SIGTERM", "killing the machine")

    def test_a_second_signal_kills_at_once(self):
        up = self.stubborn("", top="kill_timeout = 300")
        up.process.send_signal(signal.SIGINT)
        up.wait_for_output("got SIGINT")
        self.assertEqual(up.stop(signal.SIGINT), 0)
        self.assertNotIn("got SIGTERM", up.output())

    def test_ctrl_c_on_the_terminal_reaches_the_program_once(self):
        # A terminal signals the whole process group of its foreground job.
        up = self.stage.up(self.stage.app("stubborn", program="stubborn.py", top="kill_timeout = 1", service=False),
                           start_new_session=True)
        self.wait_for_log("ready")
        os.killpg(up.pid, signal.SIGINT)
        self.assertEqual(up.process.wait(harness.PATIENCE), 0)
        self.assertEqual(up.output().count("got SIGINT"), 1)

    def test_a_signal_during_the_start_ends_it_too(self):
        project = self.stage.app("hello", program="stubborn.py", arguments="INT", service=False, project_file="[[machines]]\n  count = 5\n")
        for text in ("Starting", "starting", "started"):
            up = self.stage.up(project, wait=False)
            up.wait_for_output(text)
            self.assertEqual(up.stop(), 0, up.output())
            self.assertEqual(harness.processes_of(project), {})

    def test_a_report_that_still_waits_does_not_delay_the_end(self):
        up = self.stage.up(self.stage.app("silent", program="stubborn.py", arguments="INT", toml=(
            '  [[http_service.checks]]\n    path = "/"\n    grace_period = "10m"\n')))
        self.wait_for_log("ready")
        self.assertEqual(up.stop(), 0)
        self.assertIn("got SIGINT", up.output())

    def test_down_stops_it_and_waits_for_its_end(self):
        up = self.stubborn("INT")
        self.assert_ok(self.stage.flylocal("down"))
        self.assertEqual(harness.processes_of(self.stage.directory), {}, "down returned before the sandbox's end")
        self.assertEqual(up.process.wait(harness.PATIENCE), 0)
        self.assertIn("got SIGINT", up.output())

    def test_a_machine_that_is_restarted_while_the_sandbox_ends_stays_stopped(self):
        up = self.stubborn("TERM", top='kill_timeout = "1s"')
        restart = self.stage.popen(harness.binary(), "machine", "restart", up.machine()["id"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.wait_for_log("got SIGINT")
        self.assertEqual(up.stop(), 0)
        out, errors = restart.communicate(timeout=harness.PATIENCE)
        self.assertEqual((restart.returncode, out), (1, ""), errors)
        self.assertIn("is going away", errors)
        self.assertEqual(up.output().count("got SIGINT"), 1)

    def test_the_sandbox_can_be_asked_until_the_moment_it_is_gone(self):
        # Several times, for what is asked has to meet each step of the end.
        for _ in range(5):
            up = self.stubborn("INT")
            asked, ended = [], threading.Event()

            def ask():
                while not ended.is_set():
                    asked.append(self.stage.flylocal("status", "--json").returncode)
            threads = [threading.Thread(target=ask) for _ in range(3)]
            for thread in threads:
                thread.start()
            try:
                harness.eventually(lambda: 0 in asked, "an answer")
                code = up.stop()
            finally:
                ended.set()
                for thread in threads:
                    thread.join()
            self.assertEqual(code, 0)
            self.assertLessEqual(set(asked), {0, 2})

    def test_a_console_says_that_its_machine_stopped(self):
        up = self.stubborn("INT")
        console = self.stage.popen(harness.binary(), "ssh", "console", "-C", "sh -c 'echo here; exec sleep 600'", stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.assertEqual(console.stdout.readline(), "here\n")
        machine = up.machine()["id"]
        self.assert_ok(self.stage.flylocal("machine", "stop", machine))
        out, errors = console.communicate(timeout=harness.PATIENCE)
        self.assertEqual((console.returncode, errors.strip()), (137, f"machine {machine} stopped"))

    def test_a_console_that_goes_away_takes_its_command_with_it(self):
        self.stubborn("INT")
        console = self.stage.popen(harness.binary(), "ssh", "console", "-C", "sh -c 'sleep 98765; true'", stdin=subprocess.PIPE)

        def sleepers():
            return self.assert_ok(self.stage.flylocal("ssh", "console", "-C", "ps ax")).stdout.count("sleep 98765")
        harness.eventually(lambda: sleepers() == 2, "the command runs")
        console.kill()
        harness.eventually(lambda: sleepers() == 0, lambda: f"{sleepers()} processes of the command are left")

    def test_a_suspended_sandbox_is_told_from_a_working_one(self):
        up = self.stubborn("INT")
        up.process.send_signal(signal.SIGSTOP)
        try:
            shown = self.stage.flylocal("status")
        finally:
            up.process.send_signal(signal.SIGCONT)
        self.assertEqual(shown.returncode, 2)
        self.assertIn("suspended", shown.stderr)
        self.assert_ok(self.stage.flylocal("status"))

    def test_the_control_socket_goes_with_the_sandbox(self):
        up = self.stubborn("INT")
        self.assertTrue(os.path.exists(self.stage.control_socket))
        up.stop()
        self.assertFalse(os.path.exists(self.stage.control_socket))

    def test_an_open_request_does_not_keep_the_sandbox_from_ending(self):
        up = self.stage.up(self.stage.app("hello"))
        up.wait_until_listening()
        connection = up.connect()
        connection.sendall(b"GET /slow?seconds=600 HTTP/1.1\r\nHost: x\r\n\r\n")
        idle = up.connect()
        self.assertEqual(up.stop(), 0)
        for one in (connection, idle):
            while one.recv(4096):
                pass

    def test_detach_returns_once_the_machines_run_and_the_sandbox_goes_on(self):
        project = self.stage.app("quiet")
        done = self.assert_ok(self.stage.flylocal("up", "--detach", project))
        self.assertIn("flylocal down", done.stdout)
        status = json.loads(self.assert_ok(self.stage.flylocal("status", "--json")).stdout)
        self.stage.callback(harness.end_pid, status["pid"], self.stage.directory)
        self.assertEqual([m["state"] for m in status["machines"]], ["started"])
        self.assert_ok(self.stage.flylocal("down"))
        harness.eventually(lambda: not harness.processes_of(project), lambda: str(harness.processes_of(project)))

    def test_a_detached_sandbox_needs_no_reader(self):
        # As in `flylocal up -d | head -1`.
        read_end, write_end = os.pipe()
        project = self.stage.app("stubborn", program="stubborn.py", arguments="INT", service=False)
        up = self.stage.up(project, options=["--detach"], stdout=write_end, wait=False)
        os.close(write_end)
        self.assertTrue(os.read(read_end, 1))
        os.close(read_end)
        self.assertEqual(up.process.wait(harness.PATIENCE), 0)
        self.assert_ok(self.stage.flylocal("status"))
        self.assert_ok(self.stage.flylocal("down"))

    def test_detach_that_cannot_start_says_why_and_fails(self):
        done = self.stage.flylocal("up", "--detach", self.stage.make_directory("empty"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("fly.toml", done.stderr)


if __name__ == "__main__":
    harness.main()
