"""The commands that speak to a running sandbox, and what they say when there is none."""
import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import stat
import subprocess
import time

import harness


class Running:
    def machine_ids(self, app=None):
        return [m["id"] for m in self.up.machines(app)]


@harness.shared_as_root_and_user
class Looking(Running):
    """Commands that change nothing; two apps run, one with two machines."""

    @classmethod
    def prepare(cls):
        cls.up = cls.stage.up(cls.stage.app("one", project_file="[[machines]]\n  count = 2\n"), cls.stage.app("two", service=False))
        cls.up.wait_until_listening()
        harness.eventually(lambda: cls.stage.flylocal("logs").stdout.count("listening") == 3, "all three listen")

    # ---- status and machine list

    def test_status_json_has_apps_machines_and_ports(self):
        status = self.up.status()
        self.assertEqual(status["pid"], self.up.pid)
        self.assertEqual([a["name"] for a in status["apps"]], ["one", "two"])
        self.assertEqual([m["app"] for m in status["machines"]], ["one", "one", "two"])
        self.assertEqual([(p["external_port"], p["handlers"]) for p in status["ports"]], [(80, ["http"]), (443, ["tls", "http"])])
        self.assertEqual([p["urls"] for p in status["ports"]],
                         [[f"http://one.localhost:{self.up.host_port()}/"], [f"https://one.localhost:{self.up.host_port(443)}/"]])

    def test_status_text_names_them_all(self):
        text = self.assert_ok(self.stage.flylocal("status")).stdout
        for word in ("one", "two", "started", *self.machine_ids()):
            self.assertIn(word, text)

    def test_machine_list_lists_and_filters(self):
        every = json.loads(self.assert_ok(self.stage.flylocal("machine", "list", "--json")).stdout)
        self.assertEqual(len(every), 3)
        two = json.loads(self.stage.flylocal("machine", "list", "--json", "-a", "two").stdout)
        self.assertEqual([m["app"] for m in two], ["two"])
        text = self.stage.flylocal("machines", "list", "--app", "two").stdout
        self.assertIn(two[0]["id"], text)
        self.assertNotIn(self.machine_ids("one")[0], text)

    # ---- logs

    def test_logs_are_prefixed_with_app_machine_and_region(self):
        text = self.assert_ok(self.stage.flylocal("logs")).stdout
        for machine in self.up.machines():
            self.assertRegex(text, rf"(?m)^([0-9:]+ )?{machine['app']}\[{machine['id']}\] ams +listening on :: port 8080$")

    def test_logs_are_filtered_by_app_and_machine(self):
        one, two = self.machine_ids("one"), self.machine_ids("two")
        text = self.stage.flylocal("logs", "-a", "two").stdout
        self.assertIn(two[0], text)
        self.assertNotIn(one[0], text)
        text = self.stage.flylocal("logs", "--machine", one[1]).stdout
        self.assertIn(one[1], text)
        self.assertNotIn(one[0], text)

    def test_logs_json_is_an_object_a_line(self):
        lines = [json.loads(line) for line in self.stage.flylocal("logs", "--json").stdout.splitlines()]
        said = [line for line in lines if line["source"] == "app"]
        self.assertEqual(sorted((line["app"], line["machine"]) for line in said),
                         sorted((m["app"], m["id"]) for m in self.up.machines()))
        self.assertTrue(all(abs(line["timestamp"] / 1000 - time.time()) < 3600 for line in lines))

    # ---- ssh console

    def test_a_command_gives_its_output_and_exit_code(self):
        machine = self.machine_ids("two")[0]
        done = self.up.console("sh", "-c", "hostname; echo problem >&2; exit 42", machine=machine)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (42, f"{machine}\n", "problem\n"))

    def test_a_short_command_is_never_lost(self):
        # It may have ended before the end of its input was sent.
        for _ in range(20):
            done = self.up.console("/no/such/command", app="two")
            self.assertIn("/no/such/command", done.stderr)
            self.assertGreater(done.returncode, 0)

    def test_a_signal_is_the_exit_code_128_and_more(self):
        self.assertEqual(self.up.console("sh", "-c", "kill -9 $$", app="two").returncode, 137)

    def test_stdin_is_piped_byte_for_byte(self):
        data = os.urandom(20_000_000)  # more than all buffers on its way hold
        done = self.stage.flylocal("ssh", "console", "-a", "two", "-C", "cat", stdin=data, text=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout == data)

    def test_much_output_arrives_whole(self):
        done = self.up.console("head", "-c", "5000000", "/dev/zero", app="two")
        self.assertEqual((done.returncode, len(done.stdout)), (0, 5_000_000))

    def test_a_command_that_does_not_exist(self):
        done = self.up.console("no-such-command-here", app="two")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no-such-command-here", done.stderr)

    def test_the_command_has_the_apps_environment_and_directory(self):
        done = self.up.console("sh", "-c", "echo $FLY_APP_NAME; pwd", app="two")
        self.assertEqual(done.stdout.split(), ["two", os.path.join(self.stage.directory, "two")])

    def test_a_terminal_gets_a_shell(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        shell = self.stage.popen(harness.binary(), "ssh", "console", "-a", "two", stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        received = b""

        def read_until(pattern):
            nonlocal received
            deadline = time.monotonic() + harness.PATIENCE
            while not re.search(pattern, received):
                self.assertLess(time.monotonic(), deadline, received)
                if select.select([master], [], [], 1)[0]:
                    with contextlib.suppress(OSError):
                        received += os.read(master, 4096)
        os.write(master, b"echo app-is-$FLY_APP_NAME; tty; exit 5\n")
        read_until(rb"app-is-two")
        read_until(rb"/dev/pts/\d+")
        self.assertEqual(shell.wait(harness.PATIENCE), 5)

    def test_bash_completes_machines_and_apps(self):
        machine = self.machine_ids("one")[0]
        self.assertEqual(bash_completes(self, "machine", "stop", machine[:6]), [machine])
        self.assertEqual(bash_completes(self, "ssh", "console", "--machine", machine[:6]), [machine])
        self.assertEqual(bash_completes(self, "logs", "-a", ""), ["one", "two"])

    def test_several_apps_need_a_choice(self):
        done = self.stage.flylocal("ssh", "console", "-C", "true")
        self.assertEqual(done.returncode, 2)
        self.assertIn("-a", done.stderr)
        self.assertIn("one, two", done.stderr)

    def test_the_beginning_of_an_id_is_enough_when_it_is_the_only_one(self):
        machine = self.machine_ids("two")[0]
        self.assertEqual(self.up.console("hostname", machine=machine[:10]).stdout.strip(), machine)

    def test_an_unknown_machine_is_refused(self):
        for words in (("machine", "stop", "nothere"), ("ssh", "console", "--machine", "nothere", "-C", "true")):
            done = self.stage.flylocal(*words)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("nothere", done.stderr)

    # ---- proxy

    def test_a_local_port_is_forwarded_to_a_machines_6pn_address(self):
        probe = socket.create_server(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        forward = self.stage.popen(harness.binary(), "proxy", f"{port}:8080", "-a", "two", stdout=subprocess.PIPE, text=True)
        line = forward.stdout.readline()
        machine = self.up.machine("two")
        self.assertIn(f"[{machine['private_ip']}]:8080", line)
        for _ in range(3):
            seen = self.up.get(port=port).json()
            self.assertEqual((seen["app"], seen["machine"]), ("two", machine["id"]))
            self.assertRegex(seen["peer"], r"^fdaa:")
        body = os.urandom(3_000_000)
        self.assertTrue(self.up.request("POST", "/echo", body=body, port=port).body == body)
        forward.send_signal(signal.SIGINT)
        self.assertEqual(forward.wait(harness.PATIENCE), 0)

    def test_ports_that_are_none_are_refused(self):
        for ports in ("x:80", "80:", "0:80", "70000:80", ""):
            done = self.stage.flylocal("proxy", ports, "-a", "two")
            self.assertEqual(done.returncode, 2, ports)

    # ---- the control API

    def curl(self, path, *options, method="GET", body=None):
        words = ["curl", "--silent", "--show-error", "--max-time", "60", "--unix-socket", self.stage.control_socket, "-X", method,
                 "--write-out", "\n%{http_code}", *options, f"http://localhost{path}"]
        if body is not None:
            words[1:1] = ["--data", json.dumps(body)]
        done = self.stage.run(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        text, _, code = done.stdout.rpartition("\n")
        return int(code), json.loads(text) if text else None

    def test_the_machines_api_lists_and_shows_machines(self):
        code, machines = self.curl("/v1/apps/one/machines")
        self.assertEqual((code, [m["id"] for m in machines]), (200, self.machine_ids("one")))
        code, machine = self.curl(f"/v1/apps/one/machines/{machines[0]['id']}")
        self.assertEqual((code, machine["state"], machine["config"]["metadata"]["fly_process_group"]), (200, "started", "app"))

    def test_a_command_that_leaves_a_child_behind_is_done_all_the_same(self):
        machine = self.machine_ids("two")[0]
        code, answer = self.curl(f"/v1/apps/two/machines/{machine}/exec", method="POST", body={"cmd": "sh -c 'sleep 60 & echo done'"})
        self.assertEqual((code, answer["exit_code"], answer["stdout"]), (200, 0, "done\n"))

    def test_the_machines_api_executes_commands(self):
        machine = self.machine_ids("two")[0]
        code, answer = self.curl(f"/v1/apps/two/machines/{machine}/exec", method="POST", body={"cmd": "sh -c 'echo out; echo err >&2; exit 3'"})
        self.assertEqual((code, answer), (200, {"exit_code": 3, "stdout": "out\n", "stderr": "err\n"}))

    def test_the_machines_api_lists_processes_with_their_sockets(self):
        machine = self.machine_ids("two")[0]
        code, processes = self.curl(f"/v1/apps/two/machines/{machine}/ps")
        self.assertEqual(code, 200)
        server = next(p for p in processes if "server.py" in p["command"])
        self.assertEqual(server["listen_sockets"], [{"proto": "tcp", "address": "[::]:8080"}])

    def test_the_machines_api_waits_for_a_state(self):
        machine = self.machine_ids("two")[0]
        self.assertEqual(self.curl(f"/v1/apps/two/machines/{machine}/wait?state=started&timeout=5")[0], 200)
        self.assertEqual(self.curl(f"/v1/apps/two/machines/{machine}/wait?state=stopped&timeout=1")[0], 408)

    def test_the_machines_api_says_what_is_not_there(self):
        machine = self.machine_ids("two")[0]
        for path in ("/v1/apps/none", "/v1/apps/two/machines/nothere", f"/v1/apps/one/machines/{machine}", "/v1/nothing"):
            code, answer = self.curl(path)
            self.assertEqual(code, 404, path)
            self.assertTrue(answer["error"])

    def test_what_is_no_http_does_not_hurt_the_control_socket(self):
        script = ("import socket, sys\nfor data in (b'\\0' * 5000, b'GET / HTTP/9.9\\r\\n\\r\\n', b'POST /v1/apps HTTP/1.1\\r\\nContent-Length: 99999999999\\r\\n\\r\\n', b''):\n"
                  "    s = socket.socket(socket.AF_UNIX)\n    s.settimeout(60)\n    s.connect(sys.argv[1])\n"
                  "    try:\n        s.sendall(data)\n        s.shutdown(socket.SHUT_WR)\n        s.recv(4096)\n    except ConnectionError:\n        pass\n")
        self.assert_ok(self.stage.run(harness.python(), "-", self.stage.control_socket, stdin=script))
        self.assertEqual(self.up.status()["pid"], self.up.pid)

    def test_the_control_socket_is_for_its_owner_alone(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.stage.control_socket).st_mode), 0o600)
        if os.geteuid() != 0:
            self.skipTest("only root can play another user")
        stranger = harness.account("bare user")
        # Even where the file's mode would let it in.
        os.chmod(self.stage.state_directory, 0o755)
        os.chmod(self.stage.state, 0o755)
        os.chmod(self.stage.control_socket, 0o666)
        try:
            done = subprocess.run([harness.binary(), "status", "--json"], env=self.stage.environment(), capture_output=True, text=True,
                                  timeout=harness.PATIENCE, stdin=subprocess.DEVNULL, **stranger.popen_arguments())
        finally:
            os.chmod(self.stage.control_socket, 0o600)
            os.chmod(self.stage.state_directory, 0o700)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn(str(self.up.pid), done.stdout)
        self.assertEqual(self.up.status()["pid"], self.up.pid)


@harness.as_root_and_user
class Following(Running):
    def follow(self, *options):
        process = self.stage.popen(harness.binary(), "logs", "-f", *options, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        return process

    def test_follow_shows_what_was_and_what_comes_until_the_end(self):
        self.up = self.stage.up(self.stage.app("one", program="stubborn.py", arguments="INT", service=False))
        follow = self.follow()
        seen = []
        while not seen or "ready" not in seen[-1]:
            seen.append(follow.stdout.readline())
            self.assertTrue(seen[-1], seen)
        machine = self.up.machine()["id"]
        self.assert_ok(self.stage.flylocal("machine", "stop", machine))
        self.assert_ok(self.stage.flylocal("machine", "start", machine))
        while "ready" not in seen[-1] or len([s for s in seen if "ready" in s]) < 2:
            seen.append(follow.stdout.readline())
            self.assertTrue(seen[-1], seen)
        self.assertTrue(any("got SIGINT" in line for line in seen))
        self.assertEqual(self.up.stop(), 0)
        rest = follow.stdout.read()
        self.assertIn("main process exited", rest)
        self.assertEqual(follow.wait(harness.PATIENCE), 0)

    def test_follow_ends_quietly_when_its_reader_goes(self):
        self.up = self.stage.up(self.stage.project({"fly.toml": (
            'app = "chatty"\nprimary_region = "ams"\n[processes]\n  app = "sh -c \'while :; do echo line; sleep 0.02; done\'"\n')}))
        follow = self.follow()
        self.assertTrue(follow.stdout.readline())
        follow.stdout.close()
        follow.wait(harness.PATIENCE)
        self.assertEqual(self.up.machine()["state"], "started")


@harness.as_root_and_user
class Scaling(Running):
    def test_scale_count_starts_and_removes_machines(self):
        self.up = self.stage.up(self.stage.app("one"))
        self.up.wait_until_listening()
        first = self.machine_ids()
        self.assert_ok(self.stage.flylocal("scale", "count", "3"))
        three = self.machine_ids()
        self.assertEqual((len(three), three[:1]), (3, first))
        self.assertEqual({m["state"] for m in self.up.machines()}, {"started"})
        self.assertEqual(len(self.stage.flylocal("dig", "one.internal", "--short").stdout.split()), 3)
        self.assert_ok(self.stage.flylocal("scale", "count", "1"))
        self.assertEqual(self.machine_ids(), first)
        self.assertEqual(self.up.get().json()["machine"], first[0])
        # The same place gets the same machine back.
        self.assert_ok(self.stage.flylocal("scale", "count", "3"))
        self.assertEqual(self.machine_ids(), three)

    def test_to_zero_and_back(self):
        self.up = self.stage.up(self.stage.app("one"))
        first = self.machine_ids()
        self.assert_ok(self.stage.flylocal("scale", "count", "0", "-a", "one"))
        self.assertEqual(self.machine_ids(), [])
        self.assertEqual(self.up.get().status, 503)
        self.assert_ok(self.stage.flylocal("scale", "count", "app=1", "-a", "one"))
        self.assertEqual(self.machine_ids(), first)

    def test_a_region_can_be_given(self):
        self.up = self.stage.up(self.stage.app("one"))
        self.assert_ok(self.stage.flylocal("scale", "count", "2", "--region", "iad"))
        self.assertEqual(sorted(m["region"] for m in self.up.machines()), ["ams", "iad", "iad"])

    def test_a_machine_that_is_still_being_removed_does_not_count(self):
        self.up = self.stage.up(self.stage.app("slow", program="stubborn.py", arguments="TERM", top='kill_timeout = "1s"',
                                               service=False, project_file="[[machines]]\n  count = 2\n"))
        harness.eventually(lambda: self.stage.flylocal("logs").stdout.count("ready") == 2, "both run")
        fewer = self.stage.popen(harness.binary(), "scale", "count", "1", stdout=subprocess.DEVNULL)
        harness.eventually(lambda: "got SIGINT" in self.stage.flylocal("logs").stdout, "one is being removed")
        self.assert_ok(self.stage.flylocal("scale", "count", "2"))
        self.assertEqual(fewer.wait(harness.PATIENCE), 0)
        self.assertEqual([m["state"] for m in self.up.machines()], ["started", "started"])

    def test_what_cannot_be_is_refused_and_changes_nothing(self):
        self.up = self.stage.up(self.stage.app("one"))
        before = self.machine_ids()
        for words in (("-1",), ("many",), ("nogroup=2",), ("1000000",), ("2", "-a", "none")):
            done = self.stage.flylocal("scale", "count", *words)
            self.assertNotEqual(done.returncode, 0, words)
            self.assertTrue(done.stderr, words)
        self.assertEqual(self.machine_ids(), before)


class Without(harness.Case):
    needs_sandbox = False

    def test_commands_without_a_sandbox_say_so(self):
        for words in (("status",), ("status", "--json"), ("logs",), ("down",), ("machine", "list"), ("machine", "stop", "x"), ("scale", "count", "1"),
                      ("ssh", "console"), ("dig", "x.internal"), ("dns", "log"), ("dns", "log", "-f"), ("explain", "dns", "x.internal"), ("proxy", "1:1")):
            done = self.stage.flylocal(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("no sandbox is running", done.stderr, words)
            self.assertEqual(done.stdout, "", words)

    def test_wrong_usage_is_exit_code_2(self):
        for words in ((), ("nothing",), ("up", "--nothing"), ("machine",), ("scale", "count"), ("completion", "tcsh"), ("dns",), ("dns", "lgo"), ("explain", "dns"), ("dns", "log", "-n", "-1"), ("dig",),
                      ("up", "--proxy-threads", "0"), ("up", "--proxy-threads", "some")):
            done = self.stage.flylocal(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertTrue(done.stderr.startswith("Error: ") or "Usage: flylocal" in done.stderr, done.stderr)
        self.assertIn("`flylocal scale count --help`", self.stage.flylocal("scale", "count").stderr)

    def test_version_and_help(self):
        self.assertRegex(self.assert_ok(self.stage.flylocal("version")).stdout, r"^flylocal \d+\.\d+\.\d+\n$")
        self.assertIn("flylocal up", self.assert_ok(self.stage.flylocal("--help")).stdout)

    def test_explain_knows_the_codes_of_the_readme(self):
        readme = (harness.EXAMPLES.parent / "README.md").read_text()
        section = readme.partition("\n## The bind report\n")[2].partition("\n## ")[0]
        documented = re.findall(r"^\| `([a-z0-9-]+)` \|", section, re.M)
        self.assertIn("loopback-only", documented)
        section = readme.partition("\n### When a request cannot be served\n")[2].partition("\n### ")[0]
        rows = re.findall(r"^\| (`P[A-Z]\d\d`(?:, `P[A-Z]\d\d`)*) \|", section, re.M)
        of_proxy = [code.strip("`") for row in rows for code in row.split(", ")]
        self.assertIn("PR03", of_proxy)
        documented += of_proxy
        listed = json.loads(self.assert_ok(self.stage.flylocal("explain", "--json")).stdout)
        self.assertEqual([one["code"] for one in listed], documented)
        for code in documented:
            shown = self.assert_ok(self.stage.flylocal("explain", code)).stdout
            self.assertTrue(shown.startswith(code + ":"), shown)
            self.assertIn("On Fly.io", shown)
            self.assertLessEqual(max(map(len, shown.splitlines()[1:])), 100)

    def test_explain_of_an_unknown_code(self):
        done = self.stage.flylocal("explain", "loopback-onyl")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("did you mean loopback-only?", done.stderr)

    def test_completion_scripts_are_sound(self):
        for shell in ("bash", "zsh", "fish"):
            done = self.assert_ok(self.stage.flylocal("completion", shell))
            if harness.shutil.which(shell):
                checked = self.stage.run(shell, "-n", stdin=done.stdout)
                self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_bash_completes_commands(self):
        self.assertIn("machine", bash_completes(self, "ma"))
        self.assertEqual(bash_completes(self, "machine", "st"), ["start", "stop"])
        self.assertEqual(bash_completes(self, "completion", ""), ["--help", "bash", "fish", "zsh"])
        self.assertEqual(bash_completes(self, "machine", "stop", "1"), [])
        self.assertEqual(bash_completes(self, "dns", ""), ["--help", "log"])
        self.assertEqual(bash_completes(self, "dns", "log", "--f"), ["--follow"])
        self.assertIn("dns", bash_completes(self, "explain", "d"))
        self.assertIn("--app", bash_completes(self, "explain", "dns", "--"))


def bash_completes(test, *words):
    """What bash offers after these words, sorted."""
    script = ('PATH="$(dirname "$0"):$PATH"\neval "$(flylocal completion bash)"\nCOMP_WORDS=(flylocal "$@")\n'
              'COMP_CWORD=$#\n_flylocal\nprintf "%s\\n" "${COMPREPLY[@]}"\n')
    done = test.assert_ok(test.stage.run("bash", "-c", script, harness.binary(), *words))
    return sorted(filter(None, done.stdout.split("\n")))


if __name__ == "__main__":
    harness.main()
