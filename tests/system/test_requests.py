"""The request log, the proxy's own answers, and the options of the http handler, with real programs on both sides."""
import gzip
import json
import re
import select
import socket
import subprocess

import harness

OPTIONS = """
  [http_service.http_options]
    compress = true
    idle_timeout = 2
  [http_service.http_options.response]
    [http_service.http_options.response.headers]
      x-powered-by = false
      x-frame-options = "DENY"
      x-many = ["one", "two"]
"""


class Log:
    """What a test needs to read the request log."""

    def lines(self, *options):
        shown = self.assert_ok(self.stage.flylocal("requests", "--json", *options))
        return [json.loads(line) for line in shown.stdout.splitlines()]

    def logged(self, probe, what):
        return harness.eventually(lambda: [line for line in self.lines() if probe(line)], what)


@harness.shared_as_root_and_user
class Requests(Log):
    @classmethod
    def prepare(cls):
        cls.up = cls.stage.up(cls.stage.app("hello"), cls.stage.app("other"))
        for app in ("hello", "other"):
            harness.eventually(lambda: cls.up.get(headers={"Host": f"{app}.localhost"}).status == 200, f"{app} answers")

    def get(self, path, app="hello"):
        answer = self.up.get(path, headers={"Host": f"{app}.localhost"})
        self.assertEqual(answer.status, 200)
        return answer

    def test_a_request_is_shown_with_machine_status_and_times(self):
        machine = self.up.machine("hello")
        answer = self.get("/shown?a=b")
        line = self.logged(lambda one: one["target"] == "/shown?a=b", "the request in the log")[0]
        self.assertEqual((line["app"], line["machine"], line["region"], line["edge_region"]), ("hello", machine["id"], "ams", "ams"))
        self.assertEqual((line["method"], line["host"], line["status"], line["protocol"]), ("GET", "hello.localhost", 200, "HTTP/1.1"))
        self.assertEqual(line["request_id"], answer.headers["fly-request-id"])
        self.assertFalse(line["aborted"])
        self.assertGreater(line["bytes_down"], len(answer.body))
        self.assertLessEqual(line["first_byte_ms"], line["total_ms"])
        text = self.assert_ok(self.stage.flylocal("requests", "-a", "hello")).stdout
        self.assertRegex(text, rf"(?m)^\d\d:\d\d:\d\d\.\d{{3}} ams GET hello\.localhost/shown\?a=b 200 {machine['id']}\[ams\] .*first byte .* ms, total .* ms$")
        self.assertNotIn("\x1b", text)

    def test_an_app_and_a_number_choose_the_lines(self):
        for number in range(3):
            self.get(f"/of-other/{number}", "other")
        self.logged(lambda one: one["target"] == "/of-other/2", "the last request")
        self.assertEqual({line["app"] for line in self.lines("-a", "other")}, {"other"})
        self.assertEqual([line["target"] for line in self.lines("-a", "other", "-n", "2")], ["/of-other/1", "/of-other/2"])
        wrong = self.stage.flylocal("requests", "-a", "nobody")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("no machine of app nobody", wrong.stderr)

    def test_a_follower_sees_what_comes(self):
        follower = self.stage.popen(harness.binary(), "requests", "-f", "-n", "0", stdout=subprocess.PIPE, text=True)
        target = f"/followed/{self.kind.replace(' ', '')}"

        def is_followed():
            self.get(target)  # the follower may not be there yet for the first ones
            while _readable(follower.stdout):  # the report asks the apps, too
                if f"hello.localhost{target} 200" in follower.stdout.readline():
                    return True
            return False

        harness.eventually(is_followed, "a line of the follower")
        harness.end_process(follower)

    def test_an_aborted_request_is_shown(self):
        client = self.up.connect()
        client.sendall(b"GET /slow?seconds=60&aborted=1 HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
        harness.eventually(lambda: self.up.status()["proxy"]["clients_now"] > 0, "the request at the proxy")
        client.shutdown(socket.SHUT_RDWR)
        client.close()
        line = self.logged(lambda one: "aborted=1" in one["target"], "the aborted request")[0]
        self.assertTrue(line["aborted"])
        self.assertIsNone(line["status"])
        self.assertRegex(self.stage.flylocal("requests").stdout, r"aborted=1 aborted .*total")

    def test_a_refused_head_is_shown(self):
        client = self.up.connect()
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        self.assertIn(b" 400 ", client.recv(65536))
        self.logged(lambda one: one["status"] == 400 and one["method"] == "", "the refused request")

    def test_a_handshake_that_fails_is_shown_with_its_reason(self):
        port = self.up.host_port(443, "hello")
        for name, code, detail in (("nobody.example", "PT05", "no certificate"), ("hello.localhost", "PT04", "unknown ca")):
            done = self.stage.run("curl", "-sS", "--resolve", f"{name}:{port}:127.0.0.1", f"https://{name}:{port}/")
            self.assertNotEqual(done.returncode, 0)
            line = self.logged(lambda one: one["protocol"] == "TLS" and one["host"] == name, "the handshake in the log")[-1]
            self.assertEqual((line["error"], line["status"], line["aborted"]), (code, None, True))
            self.assertIn(detail, line["detail"])
            self.assertRegex(self.stage.flylocal("requests").stdout, rf"TLS {name} {code} aborted .*{detail}")
            # The app's own log has it where the name is the app's.
            shown = self.assert_ok(self.stage.flylocal("requests", "-a", "hello")).stdout
            self.assertEqual(f"TLS {name}" in shown, name == "hello.localhost", shown)
            self.assertIn("certificate", self.assert_ok(self.stage.flylocal("explain", code)).stdout)


def _readable(stream):
    return select.select([stream], [], [], 0.05)[0]


@harness.as_root_and_user
class ErrorPages(Log):
    def test_a_loopback_only_app_is_explained_in_text_json_and_html(self):
        up = self.stage.up(self.stage.app("hidden", arguments="127.0.0.1"))
        up.wait_for_output("[loopback-only]")
        machine = up.machine()
        address = f"{machine['private_ipv4']}:8080"
        plain = harness.eventually(lambda: (lambda got: got if "loopback-only" in got.text else None)(up.get()), "the finding in the answer")
        self.assertEqual((plain.status, plain.headers["flylocal-error"]), (503, "PR03"))
        for text in ("app: hidden, internal port 8080", f"machine {machine['id']} at {address}: Connection refused (PC01)",
                     "listens on 127.0.0.1:8080 only", "fix: ", "more: flylocal explain loopback-only"):
            self.assertIn(text, plain.text)
        one = up.get(headers={"Accept": "application/json"}).json()
        self.assertEqual((one["app"], one["port"], one["code"]), ("hidden", 8080, "PR03"))
        attempt = one["attempts"][0]
        self.assertEqual((attempt["machine"], attempt["address"], attempt["code"]), (machine["id"], address, "PC01"))
        self.assertEqual(attempt["finding"]["code"], "loopback-only")
        self.assertTrue(attempt["finding"]["fix"] and attempt["finding"]["evidence"])
        for command in (attempt["finding"]["explain"], one["explain"]):
            self.assert_ok(self.stage.flylocal(*command.split()[1:]))
        html = up.get(headers={"Accept": "text/html,*/*;q=0.8"}).text
        self.assertIn(machine["id"], html)
        self.assertIsNone(re.search(r"""(src|href)=["']?https?:""", html))
        line = self.logged(lambda one: one["status"] == 503, "the request in the log")[-1]
        self.assertEqual((line["error"], line["machine"]), ("PR03", None))

    def test_faithful_errors_have_no_body(self):
        up = self.stage.up(self.stage.app("asleep", toml="  auto_start_machines = false\n"), options=["--faithful-errors"])
        up.wait_until_listening()
        self.assert_ok(self.stage.flylocal("machine", "stop", up.machine()["id"]))
        answer = up.get()
        self.assertEqual((answer.status, answer.body), (503, b""))
        self.assertRegex(answer.headers["fly-request-id"], "-ams$")
        self.assertEqual(answer.headers["via"], "1.1 fly.io")
        self.assertIsNone(answer.headers["flylocal-error"])
        self.assertIsNone(answer.headers["content-type"])


@harness.as_root_and_user
class HttpOptions:
    def curl(self, *arguments):
        done = self.stage.run("curl", "-sS", "--max-time", "60", *arguments, text=False, stdin=b"")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_curl_sees_compression_headers_and_the_idle_timeout(self):
        up = self.stage.up(self.stage.app("pages", program="pages.py", toml=OPTIONS))
        url = f"http://127.0.0.1:{up.host_port()}"
        up.wait_until_listening()
        plain = self.curl(url + "/")
        self.assertEqual(plain.count(b"\n"), 2000)
        head, _, body = self.curl("-i", "-H", "Accept-Encoding: gzip", url + "/").partition(b"\r\n\r\n")
        self.assertIn(b"content-encoding: gzip\r\n", head)
        self.assertIn(b"vary: Accept-Encoding\r\n", head)
        self.assertLess(len(body), len(plain) / 5)
        self.assertEqual(gzip.decompress(body), plain)
        self.assertEqual(self.curl("--compressed", url + "/"), plain)
        for path in ("/coded", "/image"):
            head, _, body = self.curl("-i", "-H", "Accept-Encoding: gzip, br", url + path).partition(b"\r\n\r\n")
            self.assertEqual(body, plain)
            self.assertIn(b"content-length: ", head)
        names = [line.split(b": ") for line in head.lower().split(b"\r\n")[1:]]
        self.assertEqual([value for key, value in names if key in (b"x-powered-by", b"x-frame-options", b"x-many")], [b"deny", b"one", b"two"])
        silent = self.curl("-i", url + "/silent")
        self.assertIn(b" 504 Gateway Timeout", silent)
        self.assertIn(b"idle_timeout", silent)

    def test_curl_is_sent_to_https(self):
        up = self.stage.up(self.stage.app("secure", toml="  force_https = true\n"))
        head = self.curl("-i", "-H", "Host: secure.localhost", f"http://127.0.0.1:{up.host_port()}/a?b")
        self.assertTrue(head.startswith(b"HTTP/1.1 301 Moved Permanently\r\n"), head)
        self.assertRegex(head, rb"\r\nlocation: https://secure\.localhost(:\d+)?/a\?b\r\n")


if __name__ == "__main__":
    harness.main()
