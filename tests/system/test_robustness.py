"""What machines, clients and the surroundings may do without hurting the sandbox."""
import json
import os
import re
import signal
import socket
import subprocess

import harness


class Sound:
    def assert_sound(self, up, path="/"):
        """The sandbox answers its commands and its proxy serves."""
        self.assertEqual(up.status()["pid"], up.pid)
        answer = up.get(path)
        self.assertEqual(answer.status, 200, f"{answer.text}\n{up.output()[-4000:]}")

    def host_pid(self, directory, text):
        """The process id, as the host counts, of the one process in `directory` with `text` in its command line."""
        found = [pid for pid, command in harness.processes_of(directory).items() if text in command]
        self.assertEqual(len(found), 1, harness.processes_of(directory))
        return found[0]

    def init_pid(self, up, program_pid):
        """The init of the machine that a program runs in: the program's parent."""
        with open(f"/proc/{program_pid}/stat") as file:
            parent = int(file.read().rpartition(")")[2].split()[1])
        with open(f"/proc/{parent}/comm") as file:
            self.assertEqual(file.read().strip(), "flylocal-init")
        return parent

    def memory(self, up):
        with open(f"/proc/{up.pid}/status") as file:
            return int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1]) * 1024


@harness.as_root_and_user
class Machines(Sound):
    def test_a_program_killed_from_outside_is_restarted(self):
        project = self.stage.app("hello")
        up = self.stage.up(project)
        up.wait_until_listening()
        os.kill(self.host_pid(project, "server.py"), signal.SIGKILL)
        machine = up.wait_for_machine(lambda m: m["restart_count"] == 1 and m["state"] == "started", "a restart")
        self.assertEqual(machine["last_exit_code"], 137)
        self.assert_sound(up)

    def test_a_machines_init_killed_from_outside_ends_the_machine_alone(self):
        one, two = self.stage.app("one"), self.stage.app("two", service=False)
        up = self.stage.up(one, two)
        up.wait_until_listening()
        other = up.machine("two")
        os.kill(self.init_pid(up, self.host_pid(one, f"{one}/server.py")), signal.SIGKILL)
        up.wait_for_machine(lambda m: m["restart_count"] == 1 and m["state"] == "started", "a restart", up.machine("one")["id"])
        self.assert_sound(up)
        self.assertEqual({key: up.machine("two")[key] for key in ("state", "restart_count")},
                         {key: other[key] for key in ("state", "restart_count")})
        self.assertEqual(up.stop(), 0)

    def test_machines_whose_inits_are_killed_while_they_stop_do_not_hang_the_end(self):
        project = self.stage.app("hello", program="stubborn.py", service=False, top="kill_timeout = 300")
        up = self.stage.up(project)
        up.wait_for_output("ready")
        init = self.init_pid(up, self.host_pid(project, "stubborn.py"))
        up.process.send_signal(signal.SIGINT)
        up.wait_for_output("got SIGINT")
        os.kill(init, signal.SIGKILL)
        self.assertEqual(up.process.wait(harness.PATIENCE), 0)

    def test_many_short_children_are_reaped_and_the_machine_goes_on(self):
        script = ("import os, runpy, sys, threading\n"
                  "def children():\n"
                  "    for _ in range(3000):\n"
                  "        pid = os.fork()\n"
                  "        if pid == 0:\n"
                  "            if os.fork() == 0:\n                os._exit(0)\n"
                  "            os._exit(0)\n"
                  "        os.waitpid(pid, 0)\n"
                  "    print('all born', flush=True)\n"
                  "threading.Thread(target=children, daemon=True).start()\n"
                  "sys.argv[:1] = []\nrunpy.run_path(sys.argv[0], run_name='__main__')\n")
        project = self.stage.app("forks", files={"forks.py": script})
        path = os.path.join(project, "fly.toml")
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace(f"-u {project}/server.py", f"-u {project}/forks.py {project}/server.py"))
        up = self.stage.up(project)
        up.wait_until_listening()
        up.wait_for_output("all born")
        self.assert_sound(up)
        code = ("import os\nprint(sum(open(f'/proc/{p}/stat').read().rpartition(')')[2].split()[0] == 'Z' "
                "for p in os.listdir('/proc') if p.isdigit()))")
        harness.eventually(lambda: up.python(code).strip() == "0", "no zombie in the machine")
        self.assertEqual(up.machine()["restart_count"], 0)

    def test_a_program_that_closes_its_output_runs_on(self):
        script = ("import os, runpy, sys\nprint('last words', flush=True)\n"
                  "null = os.open('/dev/null', os.O_RDWR)\nfor fd in (0, 1, 2):\n    os.close(fd)\n"
                  "sys.stdout = sys.stderr = os.fdopen(null, 'w')\n"
                  "sys.argv[:1] = []\nrunpy.run_path(sys.argv[0], run_name='__main__')\n")
        project = self.stage.app("mute", files={"mute.py": script})
        path = os.path.join(project, "fly.toml")
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace(f"-u {project}/server.py", f"-u {project}/mute.py {project}/server.py"))
        up = self.stage.up(project)
        up.wait_until_listening()
        up.wait_for_output("last words")
        self.assert_sound(up)
        self.assertEqual((up.machine()["state"], up.machine()["restart_count"]), ("started", 0))
        self.assertEqual(up.stop(), 0)


@harness.as_root_and_user
class Noise(Sound):
    def test_a_hundred_megabytes_of_log_do_not_keep_others_waiting(self):
        up = self.stage.up(self.stage.app("noisy", program="noisy.py", arguments="100"))
        answers = {up.wait_until_listening().text}
        while "done" not in answers:
            answers.add(up.get().text)
            self.assertEqual(up.status()["pid"], up.pid)
        harness.eventually(lambda: "the end of the noise" in self.stage.flylocal("logs").stdout, "the last line in the log")
        self.assertEqual(up.machine()["restart_count"], 0)
        if not harness.is_sanitized():
            self.assertLess(self.memory(up), 150 * 1024 * 1024)
        self.assertEqual(up.stop(), 0)

    def test_a_line_without_an_end_is_bounded(self):
        up = self.stage.up(self.stage.app("endless", program="noisy.py", arguments="50 one-line"))
        harness.eventually(lambda: up.get().text == "done", "all was written")
        self.assert_sound(up)
        if not harness.is_sanitized():
            self.assertLess(self.memory(up), 150 * 1024 * 1024)

    def test_a_log_that_is_followed_by_nobody_who_reads_does_not_matter(self):
        up = self.stage.up(self.stage.app("noisy", program="noisy.py", arguments="30"))
        self.stage.popen(harness.binary(), "logs", "-f", stdout=subprocess.PIPE)
        harness.eventually(lambda: up.get().text == "done", "all was written")
        self.assert_sound(up)
        self.assertEqual(up.stop(), 0)

    def test_bytes_that_are_no_text_do_not_reach_the_terminal(self):
        script = ("import os, signal\nos.write(1, b'\\xff\\xfe \\x1b]0;title\\x07 \\x1b[2J \\x00 end\\n')\n"
                  "signal.signal(signal.SIGINT, lambda *_: os._exit(0))\nsignal.pause()\n")
        project = self.stage.project({"bytes.py": script, "fly.toml": (
            f'app = "bytes"\nprimary_region = "ams"\n[processes]\n  app = "{harness.python()} bytes.py"\n')})
        up = self.stage.up(project)
        up.wait_for_output("end")
        with open(up.output_path, "rb") as file:
            output = file.read()
        for byte in (b"\x1b", b"\x07", b"\x00"):
            self.assertNotIn(byte, output)
        lines = [json.loads(line) for line in self.stage.flylocal("logs", "--json", text=False).stdout.splitlines()]
        self.assertTrue(any("end" in line["message"] for line in lines))


@harness.as_root_and_user
class OwnOutput(Sound):
    def test_an_output_that_nobody_reads_does_not_stop_anything(self):
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        up = self.stage.up(self.stage.app("noisy", program="noisy.py", arguments="20"), stdout=write_end)
        os.close(write_end)
        harness.eventually(lambda: up.get().text == "done", "all was written")
        self.assert_sound(up)
        self.assertEqual(up.stop(), 0)

    def test_an_output_whose_reader_goes_away_ends_the_sandbox_in_order(self):
        # As in `flylocal up | head -1`.
        read_end, write_end = os.pipe()
        project = self.stage.app("stubborn", program="stubborn.py", arguments="INT", service=False)
        up = self.stage.up(project, stdout=write_end, wait=False)
        os.close(write_end)
        self.assertTrue(os.read(read_end, 1))
        os.close(read_end)
        # The next line that is to be printed finds out; the program's end is one.
        harness.eventually(lambda: up.process.poll() is not None or self.poke(up), "the end of flylocal")
        self.assertEqual(up.process.returncode, 0)
        self.assertEqual(harness.processes_of(project), {})

    def poke(self, up):
        status = self.stage.flylocal("status", "--json")
        if status.returncode == 0:
            for machine in json.loads(status.stdout)["machines"]:
                self.stage.flylocal("ssh", "console", "-C", "sh -c 'echo noise > /proc/2/fd/1'")
        return False

    def test_closed_standard_streams_do_not_let_anything_be_written_elsewhere(self):
        project = self.stage.app("closed")
        process = self.stage.popen("sh", "-c", 'exec "$0" up "$1" <&- >&- 2>&-', harness.binary(), project)

        def started():
            self.assertIsNone(process.poll())
            shown = self.stage.flylocal("status", "--json")
            return shown.returncode == 0 and [m["state"] for m in json.loads(shown.stdout)["machines"]] == ["started"]
        harness.eventually(started, "the machine is started")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        # The store is as sound as ever: the next run finds its machine in it.
        self.assertEqual(self.stage.up(project).machine()["state"], "started")

    def test_a_terminal_that_goes_away_ends_the_sandbox_in_order(self):
        up = self.stage.up(self.stage.app("hello"))
        self.assertEqual(up.stop(signal.SIGHUP), 0)


class Clients(Sound, harness.Case):
    def test_clients_that_stay_silent_do_not_keep_others_out(self):
        up = self.stage.up(self.stage.app("hello"))
        up.wait_until_listening()
        port = up.host_port()
        silent = [up.connect(port) for _ in range(300)]
        for number, connection in enumerate(silent):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "[:number % 30])
        for _ in range(20):
            self.assertEqual(up.get(port=port).status, 200)

    def test_clients_that_break_off_leave_nothing_behind_in_flylocal(self):
        up = self.stage.up(self.stage.app("hello"))
        up.wait_until_listening()
        port = up.host_port()

        def descriptors():
            return len(os.listdir(f"/proc/{up.pid}/fd"))
        harness.eventually(lambda: up.status()["proxy"]["clients_now"] == 0, "no client is there")
        before = descriptors()
        for number in range(300):
            connection = socket.create_connection(("127.0.0.1", port), timeout=harness.PATIENCE)
            connection.sendall((b"GET /slow?seconds=0.2 HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\nxx",
                                b"GET /bytes?count=3000000 HTTP/1.1\r\nHost: x\r\n\r\n")[number % 3])
            # With a reset, not an ordinary end.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
        self.assert_sound(up)
        harness.eventually(lambda: up.status()["proxy"]["clients_now"] == 0, lambda: str(up.status()["proxy"]))
        harness.eventually(lambda: descriptors() <= before + 5, lambda: f"{descriptors()} descriptors, {before} before")

    def test_running_out_of_descriptors_is_survived(self):
        project = self.stage.app("hello")
        up = self.stage.up(project)
        up.wait_until_listening()
        used = len(os.listdir(f"/proc/{up.pid}/fd"))
        self.assertEqual(up.stop(), 0)

        output = os.path.join(self.stage.directory, "output-limited")
        with open(output, "wb") as file:
            process = self.stage.popen("sh", "-c", 'ulimit -n "$0" && exec "$@"', str(used + 20), harness.binary(), "up", project,
                                       stdout=file, stderr=subprocess.STDOUT)
        harness.eventually(lambda: self.stage.flylocal("status").returncode == 0 or process.poll() is not None, "the sandbox answers")
        status = json.loads(self.assert_ok(self.stage.flylocal("status", "--json")).stdout)
        port = status["ports"][0]["host_port"]
        # A machine that starts meanwhile may rightly fail for want of descriptors.
        harness.eventually(lambda: harness.Up.get(up, port=port).status == 200, "the app answers")
        connections = [socket.create_connection(("127.0.0.1", port), timeout=harness.PATIENCE) for _ in range(100)]
        for connection in connections:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        harness.eventually(lambda: len(os.listdir(f"/proc/{process.pid}/fd")) >= used + 15, "the descriptors are used up")
        for connection in connections:
            connection.close()
        harness.eventually(lambda: self.stage.flylocal("status").returncode == 0, "commands are answered again")
        self.assertEqual(harness.Up.get(up, port=port).status, 200)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(harness.PATIENCE), 0)


if __name__ == "__main__":
    harness.main()
