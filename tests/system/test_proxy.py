"""The local Fly Proxy, as clients on the host and as the app behind it see it."""
import http.client
import json
import os
import re
import socket
import threading

import harness

LARGE = 8 * 1024 * 1024


class Wire:
    """What a test needs to talk HTTP by hand."""

    def talk(self, text, port=None):
        """Sends bytes and returns all that comes back until the proxy closes."""
        connection = self.up.connect(port)
        connection.sendall(text.encode())
        return self.rest(connection)

    def rest(self, connection):
        received = b""
        while part := connection.recv(65536):
            received += part
        return received.decode(errors="replace")

    def seen(self, headers=None, path="/", method="GET", **named):
        """The request as the app saw it."""
        answer = self.up.request(method, path, headers=headers, **named)
        self.assertEqual(answer.status, 200, answer.text)
        return answer.json()

    def fields(self, seen, name):
        return [value for key, value in seen["headers"] if key.lower() == name.lower()]

    def field(self, seen, name):
        values = self.fields(seen, name)
        self.assertEqual(len(values), 1, f"{name}: {seen['headers']}")
        return values[0]


@harness.shared_as_root_and_user
class OneApp(Wire):
    """An app alone on port 80, with a TCP service without handlers beside it."""

    options = ()

    @classmethod
    def prepare(cls):
        source = (harness.SOURCES / "apps" / "lines.py").read_text()
        project = cls.stage.app("solo", files={"lines.py": source}, toml=(
            '[[services]]\n  internal_port = 9000\n  protocol = "tcp"\n  processes = ["raw"]\n'
            '  [[services.ports]]\n    port = 9000\n'))
        with open(os.path.join(project, "fly.toml")) as file:
            text = file.read()
        with open(os.path.join(project, "fly.toml"), "w") as file:
            file.write(text.replace("[http_service]", f'  raw = "{harness.python()} {project}/lines.py 9000"\n[http_service]'))
        cls.up = cls.stage.up(project, options=cls.options)
        cls.up.wait_until_listening()
        cls.port = cls.up.host_port()

    # ---- headers

    def test_the_headers_of_fly_proxy_reach_the_app(self):
        seen = self.seen()
        self.assertEqual(self.field(seen, "Fly-Client-IP"), "127.0.0.1")
        self.assertEqual(self.field(seen, "X-Forwarded-For"), "127.0.0.1, 127.0.0.1")
        self.assertEqual(self.field(seen, "Fly-Forwarded-Proto"), "http")
        self.assertEqual(self.field(seen, "X-Forwarded-Proto"), "http")
        self.assertEqual(self.field(seen, "Fly-Forwarded-Ssl"), "off")
        self.assertEqual(self.field(seen, "X-Forwarded-Ssl"), "off")
        self.assertEqual(self.field(seen, "Fly-Forwarded-Port"), "80")
        self.assertEqual(self.field(seen, "X-Forwarded-Port"), "80")
        self.assertEqual(self.field(seen, "Fly-Region"), "ams")
        self.assertRegex(self.field(seen, "Fly-Request-Id"), r"^[0-9A-Z]{26}-ams$")
        self.assertEqual(self.field(seen, "Via"), "1.1 fly.io")
        self.assertRegex(self.field(seen, "Fly-Traceparent"), r"^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$")
        self.assertRegex(self.field(seen, "X-Request-Start"), r"^t=\d{16}$")

    def test_the_host_is_passed_through_unchanged(self):
        self.assertEqual(self.field(self.seen({"Host": "Shop.Example.com:1234"}), "Host"), "Shop.Example.com:1234")

    def test_a_clients_lists_are_continued(self):
        seen = self.seen({"X-Forwarded-For": "203.0.113.9", "Via": "1.0 other"})
        self.assertEqual(self.field(seen, "X-Forwarded-For"), "203.0.113.9, 127.0.0.1, 127.0.0.1")
        self.assertEqual(self.field(seen, "Via"), "1.0 other, 1.1 fly.io")

    def test_a_client_cannot_say_what_only_the_proxy_says(self):
        seen = self.seen({"Fly-Client-IP": "203.0.113.9", "Fly-Region": "zzz", "Fly-Forwarded-Port": "1",
                          "Fly-Request-Id": "mine", "Fly-Forwarded-Proto": "https"})
        self.assertEqual(self.field(seen, "Fly-Client-IP"), "127.0.0.1")
        self.assertEqual(self.field(seen, "Fly-Region"), "ams")
        self.assertEqual(self.field(seen, "Fly-Forwarded-Port"), "80")
        self.assertEqual(self.field(seen, "Fly-Forwarded-Proto"), "http")
        self.assertNotEqual(self.field(seen, "Fly-Request-Id"), "mine")

    def test_fields_for_one_hop_stay_behind(self):
        seen = self.seen({"Connection": "X-Private", "X-Private": "1", "Keep-Alive": "timeout=5", "TE": "trailers", "X-Public": "2"})
        for name in ("X-Private", "Keep-Alive", "TE"):
            self.assertEqual(self.fields(seen, name), [])
        self.assertEqual(self.field(seen, "X-Public"), "2")

    def test_the_answer_carries_the_proxys_headers_and_the_apps(self):
        answer = self.up.get("/status?code=418")
        self.assertEqual(answer.status, 418)
        self.assertEqual(answer.body, b"as told\n")
        self.assertEqual(answer.headers["x-custom"], "kept")
        self.assertRegex(answer.headers["server"], r"^Fly/")
        self.assertEqual(len(answer.headers.get_all("server")), 1)
        self.assertEqual(answer.headers["via"], "1.1 fly.io")

    def test_the_request_id_is_the_same_on_both_sides(self):
        answer = self.up.get()
        self.assertEqual(answer.headers["fly-request-id"], self.field(answer.json(), "Fly-Request-Id"))

    def test_every_request_has_its_own_id(self):
        self.assertEqual(len({self.up.get().headers["fly-request-id"] for _ in range(10)}), 10)

    def test_the_connection_comes_from_the_platforms_source_address(self):
        web = next(m for m in self.up.machines() if m["process_group"] == "app")
        tail = web["private_ipv4"].split(".", 2)[2]
        self.assertEqual(self.seen()["peer"], f"::ffff:172.16.{tail}")

    # ---- bodies

    def test_a_body_with_a_length_goes_both_ways_unchanged(self):
        body = os.urandom(LARGE)
        answer = self.up.request("POST", "/echo", body=body)
        self.assertEqual(answer.headers["content-length"], str(LARGE))
        self.assertTrue(answer.body == body)

    def test_a_chunked_body_goes_both_ways_unchanged(self):
        body = os.urandom(LARGE)
        parts = (body[at:at + 10007] for at in range(0, LARGE, 10007))
        answer = self.up.request("POST", "/echo?as=chunked", body=parts, encode_chunked=True,
                                 headers={"Transfer-Encoding": "chunked"})
        self.assertEqual(answer.headers["transfer-encoding"], "chunked")
        self.assertTrue(answer.body == body)

    def test_the_framing_of_a_request_is_kept(self):
        chunked = self.up.request("POST", "/echo", body=iter([b"a", b"b"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        self.assertEqual((chunked.headers["x-framing"], chunked.body), ("chunked", b"ab"))
        self.assertEqual(self.up.request("POST", "/echo", body=b"ab").headers["x-framing"], "length")

    def test_an_answer_that_ends_with_the_connection_arrives_whole(self):
        self.assertEqual(self.up.get("/until-close").body, b"until the end")

    def test_head_has_the_length_and_no_body(self):
        answer = self.up.request("HEAD", "/bytes?count=1234")
        self.assertEqual((answer.headers["content-length"], answer.body), ("1234", b""))

    def test_expect_100_continue_is_answered_before_the_body(self):
        connection = self.up.connect(self.port)
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
                           b"Connection: close\r\n\r\n")
        head = b""
        while b"\r\n\r\n" not in head:
            part = connection.recv(4096)
            self.assertTrue(part, head)
            head += part
        self.assertTrue(head.startswith(b"HTTP/1.1 100"), head)
        connection.sendall(b"hello")
        self.assertIn("\r\n\r\nhello", self.rest(connection))

    def test_a_client_that_does_not_read_does_not_fill_the_memory(self):
        def resident():
            with open(f"/proc/{self.up.pid}/status") as file:
                return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1])
        before = resident()
        connection = self.up.connect(self.port)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /bytes?count=100000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 200"))
        # Other requests pass meanwhile; each gives the proxy time to read ahead, if it did.
        for _ in range(30):
            self.assertEqual(self.up.get().status, 200)
        self.assertLess(resident() - before, 32 * 1024)
        connection.close()

    # ---- connections

    def test_a_client_connection_serves_many_requests(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=harness.PATIENCE)
        self.addCleanup(connection.close)
        sockets = set()
        for number in range(20):
            connection.request("GET", f"/{number}")
            sockets.add(connection.sock)
            self.assertEqual(json.loads(connection.getresponse().read())["path"], f"/{number}")
        self.assertEqual(len(sockets), 1)

    def test_requests_that_are_sent_ahead_are_answered_in_order(self):
        text = "".join(f"GET /{n} HTTP/1.1\r\nHost: x\r\n\r\n" for n in range(9))
        text += "GET /9 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        paths = re.findall(r'"path": "/(\d)"', self.talk(text, self.port))
        self.assertEqual(paths, [str(n) for n in range(10)])

    def test_an_http_1_0_client_is_answered_and_the_connection_closed(self):
        connection = self.up.connect(self.port)
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        self.assertIn('"app": "solo"', self.rest(connection))

    def test_connection_close_is_obeyed(self):
        connection = self.up.connect(self.port)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertIn("connection: close", self.rest(connection).lower())

    def test_an_upgrade_becomes_a_tunnel(self):
        connection = self.up.connect(self.port)
        connection.sendall(b"GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n")
        file = connection.makefile("rwb")
        self.assertTrue(file.readline().startswith(b"HTTP/1.1 101"))
        head = {}
        while (line := file.readline().strip()):
            name, value = line.decode().split(": ", 1)
            head[name.lower()] = value
        self.assertEqual((head["connection"].lower(), head["upgrade"]), ("upgrade", "shout"))
        for text in (b"one\n", b"two\n"):
            file.write(text)
            file.flush()
            self.assertEqual(file.readline(), text.upper())
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(file.read(), b"")

    def test_both_loopback_addresses_are_served(self):
        if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
            self.skipTest("this host has no IPv6")
        answer = self.up.get(address="::1", port=self.port)
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.field(answer.json(), "Fly-Client-IP"), "::1")

    def test_nothing_but_loopback_is_listened_on(self):
        with open("/proc/net/tcp") as file:
            listeners = [line.split() for line in file.readlines()[1:]]
        ours = [l[1].split(":")[0] for l in listeners if l[3] == "0A" and int(l[1].split(":")[1], 16) == self.port]
        self.assertEqual(ours, ["0100007F"])

    def test_many_clients_at_once_are_all_served(self):
        answers = []

        def ask(number):
            answers.append(self.up.get(f"/{number}", port=self.port).json()["path"])
        threads = [threading.Thread(target=ask, args=(n,)) for n in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(harness.PATIENCE)
        self.assertEqual(sorted(answers), sorted(f"/{n}" for n in range(64)))

    # ---- refusals

    def test_a_request_with_two_framings_is_refused(self):
        text = self.talk("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", self.port)
        self.assertTrue(text.startswith("HTTP/1.1 400"), text)

    def test_what_is_no_http_is_refused(self):
        self.assertTrue(self.talk("\x16\x03\x01 hello\r\n\r\n", self.port).startswith("HTTP/1.1 400"))

    def test_an_answer_that_never_comes_is_a_502_that_names_the_machine(self):
        answer = self.up.get("/silence")
        self.assertEqual(answer.status, 502)
        web = next(m for m in self.up.machines() if m["process_group"] == "app")
        self.assertIn(web["id"], answer.text)
        self.assertEqual(self.up.get().status, 200)

    # ---- raw TCP

    def test_a_service_without_handlers_is_a_plain_tunnel(self):
        file = self.up.connect(self.up.host_port(9000)).makefile("rwb")
        machine = next(m for m in self.up.machines() if m["process_group"] == "raw")
        tail = machine["private_ipv4"].split(".", 2)[2]
        self.assertEqual(file.readline().decode().strip(), f"{machine['id']} sees ::ffff:172.16.{tail}")
        for text in (b"get / http/1.1\n", b"\x00\xff\n"):
            file.write(text)
            file.flush()
            self.assertEqual(file.readline(), text.upper())

    def test_the_end_of_one_direction_is_passed_on(self):
        connection = self.up.connect(self.up.host_port(9000))
        connection.sendall(b"last words\n")
        connection.shutdown(socket.SHUT_WR)
        self.assertTrue(self.rest(connection).endswith("LAST WORDS\n"))


@harness.shared_as_root_and_user
class OneAppOfThreeThreads(OneApp):
    """The same, whichever of the proxy's threads has the client."""

    options = ("--proxy-threads", "3")

    def test_there_are_three(self):
        tasks = f"/proc/{self.up.status()['pid']}/task"
        names = [open(f"{tasks}/{task}/comm").read().strip() for task in os.listdir(tasks)]
        self.assertEqual(sorted(name for name in names if name.startswith("proxy")), ["proxy", "proxy-2", "proxy-3"])


@harness.shared_as_root_and_user
class TwoApps(Wire):
    """Two apps that share port 80, told apart by the host name."""

    @classmethod
    def prepare(cls):
        cls.up = cls.stage.up(cls.stage.app("one"), cls.stage.app("two"))
        cls.port = cls.up.host_port()
        for name in ("one", "two"):
            cls.up.wait_until_listening(headers={"Host": f"{name}.localhost"})

    def test_both_are_at_one_port(self):
        self.assertEqual(self.up.host_port(app="one"), self.up.host_port(app="two"))

    def test_the_host_name_chooses(self):
        for name in ("one", "two"):
            for host in (f"{name}.localhost:{self.port}", f"{name}.localhost", f"{name.upper()}.LOCALHOST", f"{name}.fly.dev"):
                self.assertEqual(self.seen({"Host": host})["app"], name, host)

    def test_an_unknown_host_is_told_which_exist(self):
        answer = self.up.get(headers={"Host": "three.localhost"})
        self.assertEqual(answer.status, 404)
        self.assertIn("three.localhost", answer.text)
        for name in ("one.localhost", "two.localhost"):
            self.assertIn(name, answer.text)

    def test_one_connection_may_ask_both(self):
        text = self.talk("GET / HTTP/1.1\r\nHost: one.localhost\r\n\r\nGET / HTTP/1.1\r\nHost: two.localhost\r\n"
                         "Connection: close\r\n\r\n", self.port)
        self.assertEqual(re.findall(r'"app": "(\w+)"', text), ["one", "two"])


@harness.as_root_and_user
class Unreachable(Wire):
    def test_a_loopback_only_app_gets_a_503_that_names_machine_and_cause(self):
        self.up = self.stage.up(self.stage.app("hidden", arguments="127.0.0.1"))
        self.up.wait_for_output("[loopback-only]")
        machine = self.up.machine()
        answer = self.up.get()
        self.assertEqual(answer.status, 503)
        self.assertIn(machine["id"], answer.text)
        self.assertIn(f"{machine['private_ipv4']}:8080", answer.text)
        self.assertIn("listens on 127.0.0.1:8080 only", answer.text)
        self.assertRegex(answer.headers["content-type"], "^text/plain")
        as_json = self.up.get(headers={"Accept": "application/json"})
        self.assertEqual(as_json.json()["attempts"][0]["machine"], machine["id"])
        as_html = self.up.get(headers={"Accept": "text/html,*/*;q=0.8"})
        self.assertRegex(as_html.headers["content-type"], "^text/html")
        self.assertIn(machine["id"], as_html.text)

    def test_a_stopped_machine_gets_a_503_that_says_so(self):
        self.up = self.stage.up(self.stage.app("asleep", toml="  auto_start_machines = false\n"))
        self.up.wait_until_listening()
        machine = self.up.machine()["id"]
        self.assert_ok(self.stage.flylocal("machine", "stop", machine))
        answer = self.up.get()
        self.assertEqual(answer.status, 503)
        self.assertIn(f"machine {machine} (ams) is stopped", answer.text)
        self.assert_ok(self.stage.flylocal("machine", "start", machine))
        self.assertEqual(self.up.get().status, 200)

    def test_a_request_waits_for_a_server_that_is_still_starting(self):
        slow = "import runpy, sys, time\ntime.sleep(2)\nsys.argv[:1] = []\nrunpy.run_path(sys.argv[0], run_name='__main__')\n"
        project = self.stage.app("slow", files={"slow.py": slow})
        path = os.path.join(project, "fly.toml")
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace(f"-u {project}/server.py", f"-u {project}/slow.py {project}/server.py"))
        self.up = self.stage.up(project)
        self.assertEqual(self.up.get().status, 200)


class Balancing(Wire, harness.Case):
    CONCURRENT = 16  # machines below their soft limits are chosen at random, and one of two may be so by chance

    def test_concurrent_requests_spread_over_the_machines(self):
        self.up = self.stage.up(self.stage.app("pair", project_file="[[machines]]\n  count = 2\n"))
        both = {m["id"] for m in self.up.machines()}
        port = self.up.host_port()
        seen = set()
        harness.eventually(lambda: seen.add(self.seen(port=port)["machine"]) or seen == both, "both machines have answered")
        machines = []
        threads = [threading.Thread(target=lambda: machines.append(self.up.get("/slow?seconds=1", port=port).json()["machine"]))
                   for _ in range(self.CONCURRENT)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(harness.PATIENCE)
        self.assertEqual(len(machines), self.CONCURRENT)
        self.assertEqual(set(machines), both)

    def test_one_machine_down_leaves_the_other_to_serve(self):
        self.up = self.stage.up(self.stage.app("pair", project_file="[[machines]]\n  count = 2\n"))
        gone, left = (m["id"] for m in self.up.machines())
        self.assert_ok(self.stage.flylocal("machine", "kill", gone))
        self.assertEqual({self.up.get().json()["machine"] for _ in range(10)}, {left})

    def test_a_machine_that_was_restarted_beside_others_is_reached_again(self):
        self.up = self.stage.up(self.stage.app("one"), self.stage.app("beside", service=False))
        self.up.wait_until_listening()
        machine = self.up.machine("one")["id"]
        self.assert_ok(self.stage.flylocal("machine", "restart", machine))
        self.assertEqual(self.up.get().status, 200)

    def test_connections_to_machines_are_pooled_for_the_requests_type_alone(self):
        limits = '  [http_service.concurrency]\n    type = "{}"\n    soft_limit = 10\n'
        self.up = self.stage.up(self.stage.app("pooled", toml=limits.format("requests")),
                                self.stage.app("fresh", toml=limits.format("connections")))
        port = self.up.host_port()

        def connections(app):
            return [self.up.get(port=port, headers={"Host": f"{app}.localhost"}).json()["connection"] for _ in range(20)]
        self.assertLess(len(set(connections("pooled"))), 20)
        self.assertEqual(len(set(connections("fresh"))), 20)


class Ports(harness.Case):
    def test_a_busy_host_port_gives_the_next_free_one_and_says_so(self):
        # A port above 1023 is wanted as it is on the host.
        busy = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(busy.close)
        wanted = busy.getsockname()[1]
        project = self.stage.app("busy", service=False, arguments=":: 9000", toml=(
            f'[[services]]\n  internal_port = 9000\n  protocol = "tcp"\n  processes = ["app"]\n'
            f'  [[services.ports]]\n    port = {wanted}\n    handlers = ["http"]\n'))
        up = self.stage.up(project)
        got = up.host_port(wanted)
        self.assertGreater(got, wanted)
        self.assertIn(f"port {wanted} of the host is busy; port {wanted} is at {got} instead", up.output())
        self.assertEqual(up.get(port=got).status, 200)
        self.assertEqual(up.get(port=got).json()["app"], "busy")

    def test_flylocal_toml_chooses_the_host_port(self):
        probe = socket.create_server(("127.0.0.1", 0))
        chosen = probe.getsockname()[1]
        probe.close()
        up = self.stage.up(self.stage.app("chosen", project_file=f"[ports]\n  80 = {chosen}\n"))
        self.assertEqual(up.host_port(80), chosen)
        self.assertEqual(up.get(port=chosen).status, 200)


if __name__ == "__main__":
    harness.main()
