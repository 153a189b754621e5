"""Machines that come and go, and apps that misbehave, under load: what the proxy promises about each single request.

The moments are random; the seed is printed and can be given again as FLYLOCAL_TEST_SEED. FLYLOCAL_TEST_REQUESTS sets how
many requests there are.
"""
import collections
import multiprocessing
import os
import random
import socket
import sys
import time

import harness

SEED = int(os.environ.get("FLYLOCAL_TEST_SEED", time.time_ns() % 1_000_000))
REQUESTS = int(os.environ.get("FLYLOCAL_TEST_REQUESTS", 20_000 if harness.is_sanitized() else 100_000))
CLIENTS = 4
MACHINES = 4


class HttpClient:
    """One keep-alive connection after another, by hand: what came back, or how it ended."""

    def __init__(self, port):
        self.port = port
        self.socket = None
        self.received = b""

    def ask(self, method, path):
        """(status, body, the proxy's error code); status 0 when the connection ended without a whole answer."""
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=harness.PATIENCE)
            self.received = b""
        body = "Content-Length: 2\r\n\r\nhi" if method == "POST" else "\r\n"
        try:
            self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: faults.localhost\r\nAccept: application/json\r\n{body}".encode())
            return self.answer()
        except (ConnectionError, EOFError):
            self.close()
            return 0, b""

    def answer(self):
        head = self.until(lambda: self.received.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in self.received else None)
        fields = {}
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        size = int(fields[b"content-length"])
        body = self.until(lambda: size if len(self.received) >= size else None)
        if fields.get(b"connection") == b"close":
            self.close()
        return int(head.split()[1]), body

    def until(self, end):
        while (size := end()) is None:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.received += more
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None


def client(number, port, count, choices, results):
    """Sends `count` requests and puts down what became of each."""
    chance = random.Random(f"{SEED} {number}")
    http = HttpClient(port)
    outcomes = []
    for i in range(count):
        method, what = chance.choice(choices)
        identity = f"{number}-{i}"
        status, body = http.ask(method, f"/{what}/{identity}")
        outcomes.append((identity, method, what, status, body.decode(errors="replace")))
        if chance.random() < 0.01:
            http.close()
    http.close()
    results.put(outcomes)


class Faults(harness.Case):
    def start(self, machines, threads=1):
        directory = os.path.join(self.stage.directory, "faults")
        self.log = os.path.join(directory, "requests.log")
        limits = '  [http_service.concurrency]\n    type = "requests"\n    soft_limit = 200\n'
        project = self.stage.app("faults", program="counting.py", arguments=f"8080 {self.log}", toml=limits,
                                 project_file=f"[[machines]]\n  count = {machines}\n")
        open(self.log, "w").close()
        os.chmod(self.log, 0o666)
        self.up = self.stage.up(project, options=["--proxy-threads", str(threads)])
        self.up.wait_until_listening()

    def seen(self):
        """How often the app got each request, by method and identity."""
        with open(self.log) as file:
            return collections.Counter(tuple(line.split()[:2]) for line in file)

    def run_clients(self, count, choices, meanwhile):
        """The outcomes of `count` requests from several processes; calls `meanwhile` until they are done."""
        context = multiprocessing.get_context("fork")
        results = context.Queue()
        port = self.up.host_port()
        clients = [context.Process(target=client, args=(number, port, count // CLIENTS, choices, results)) for number in range(CLIENTS)]
        for process in clients:
            process.start()
        outcomes = []
        ended = 0
        while ended < CLIENTS:
            meanwhile()
            while not results.empty():
                outcomes += results.get()
                ended += 1
            if any(process.exitcode for process in clients):
                self.fail("a client ended with an exception")
        for process in clients:
            process.join(harness.PATIENCE)
        self.assertEqual(len(outcomes), count // CLIENTS * CLIENTS)
        return outcomes

    def assert_all_given_back(self):
        """Nothing is left of the clients, nor of the connections to machines once their time is over."""
        def left():
            proxy = self.up.status()["proxy"]
            return {name: value for name, value in proxy.items() if name in ("clients_now", "upstream_idle") and value}
        harness.eventually(lambda: not left(), lambda: f"no client and no connection left: {left()}")

    def test_machines_come_and_go_under_load(self):
        self.check_coming_and_going(1, REQUESTS)

    def test_machines_come_and_go_under_load_with_two_threads(self):
        self.check_coming_and_going(2, REQUESTS // 2)

    def check_coming_and_going(self, threads, requests):
        self.start(MACHINES, threads)
        machines = [machine["id"] for machine in self.up.machines()]
        chance = random.Random(SEED)
        changes = []

        def change():
            # The first machine always stays.
            machine = chance.choice(machines[1:])
            for action in (chance.choice(("stop", "suspend")), "start"):
                done = self.stage.flylocal("machine", action, machine)
                self.assert_ok(done)
                changes.append(action)

        outcomes = self.run_clients(requests, [("GET", "answer")] * 6 + [("POST", "answer")] * 3 + [("GET", "slow"), ("POST", "slow"), ("GET", "close")], change)
        seen = self.seen()
        print(f"{len(outcomes)} requests, {len(changes)} changes, {sum(1 for one in outcomes if one[3] != 200)} POSTs not answered with 200", file=sys.stderr)
        self.assertGreater(len(changes), 10)
        for identity, method, what, status, body in outcomes:
            with self.subTest(identity=identity, method=method, what=what, status=status, body=body[:300]):
                if method == "GET":
                    # Safe to repeat: there always was a machine that could serve it.
                    self.assertEqual(status, 200)
                    self.assertEqual(body.split()[0], identity)
                    self.assertGreaterEqual(seen["GET", identity], 1)
                else:
                    # Never sent twice; lost only together with the machine that had got it.
                    self.assertLessEqual(seen["POST", identity], 1)
                    self.assertIn(status, (200, 502))
                    if status == 200:
                        self.assertEqual(seen["POST", identity], 1)
        self.assert_all_given_back()

    def test_an_app_that_misbehaves_costs_its_own_requests_alone(self):
        self.start(2)
        kinds = ("answer", "answer", "answer", "close", "half", "reset", "garbage")
        outcomes = self.run_clients(4000, [(method, what) for method in ("GET", "POST") for what in kinds], lambda: time.sleep(0.01))
        seen = self.seen()
        lost = 0
        for identity, method, what, status, body in outcomes:
            with self.subTest(identity=identity, method=method, what=what, status=status, body=body[:300]):
                if method == "POST":
                    # Never sent twice. An app that closes while the next request is already with its kernel loses that one,
                    # and only the client can know whether it may be repeated.
                    self.assertLessEqual(seen["POST", identity], 1)
                    if status == 502 and seen["POST", identity] == 0:
                        lost += 1
                        continue
                if what in ("answer", "close"):
                    self.assertEqual(status, 200)
                    self.assertEqual(body.split()[0], identity)
                elif what == "garbage":
                    self.assertEqual(status, 502)
                    self.assertIn('"PU02"', body)
                else:
                    self.assertEqual(status, 0)  # half an answer can only be broken off
        self.assertLess(lost, len(outcomes) / 50)
        self.assert_all_given_back()

    def test_a_hanging_app_does_not_outlive_its_client(self):
        self.start(1)
        clients = [HttpClient(self.up.host_port()) for _ in range(50)]
        for number, each in enumerate(clients):
            each.socket = socket.create_connection(("127.0.0.1", each.port), timeout=harness.PATIENCE)
            each.socket.sendall(f"GET /hang/{number} HTTP/1.1\r\nHost: faults.localhost\r\n\r\n".encode())
        harness.eventually(lambda: len(self.seen()) == len(clients), lambda: f"all requests with the app: {self.seen()}")
        for each in clients:
            each.close()
        self.assert_all_given_back()


if __name__ == "__main__":
    print(f"seed {SEED}", file=sys.stderr)
    harness.main()
