"""Autostop and what the proxy is told of it: `flylocal tick` stops what is too much, and a request wakes it again."""
import json
import threading

import harness
from test_health import Machines, moody

STOPS = '  auto_stop_machines = "stop"\n'
SUSPENDS = '  auto_stop_machines = "suspend"\n'


class Ticks(Machines):
    def tick(self):
        return json.loads(self.assert_ok(self.stage.flylocal("tick", "--json")).stdout)["autostopped"]

    def states(self, up):
        return sorted(machine["state"] for machine in up.machines())

    def events(self, up, machine):
        found = [one for one in up.machines() if one["id"] == machine]
        return [(event["type"], event["source"], event.get("detail", "")) for event in found[0]["events"]]


@harness.as_root_and_user
class Autostop(Ticks):
    """Without the bind report's requests, each of which is one that wakes."""

    def test_a_pass_stops_one_machine_and_says_so(self):
        up = self.stage.up(moody(self.stage, toml=STOPS, count=3), options=("--no-http-probe", "--autostop-interval", "0"))
        done = self.assert_ok(self.stage.flylocal("tick")).stdout
        self.assertRegex(done, r"^stopped machine [0-9a-f]{14} of hello in ams: 2 of 3 left running$")
        self.assertEqual(self.states(up), ["started", "started", "stopped"])
        self.assertIn("autostop: more capacity than needed, stopping this machine; 2 of 3 left running in ams", self.messages())
        stopped = self.tick()
        self.assertEqual([(one["action"], one["left_running"], one["done"]) for one in stopped], [("stop", 1, True)])
        self.assertEqual(len(self.tick()), 1)
        self.assertEqual(self.states(up), ["stopped"] * 3)
        self.assertEqual(self.tick(), [])
        self.assertIn("No machine is more than is needed", self.assert_ok(self.stage.flylocal("tick")).stdout)
        self.assertIn(("stop", "user", ""), self.events(up, stopped[0]["machine"]))
        self.assertTrue(any(event[:2] == ("stopping", "proxy") for event in self.events(up, stopped[0]["machine"])))

    def test_the_restart_policy_leaves_it_stopped(self):
        up = self.stage.up(moody(self.stage, toml=STOPS + '[[restart]]\n  policy = "always"\n'), options=("--no-http-probe", "--autostop-interval", "0"))
        self.assertEqual(len(self.tick()), 1)
        self.assertEqual((up.machine()["state"], up.machine()["restart_count"]), ("stopped", 0))

    def test_min_machines_running_stays(self):
        up = self.stage.up(moody(self.stage, toml=STOPS + "  min_machines_running = 1\n", count=2), options=("--no-http-probe", "--autostop-interval", "0"))
        self.assertEqual(len(self.tick()), 1)
        self.assertEqual(self.tick(), [])
        self.assertEqual(self.states(up), ["started", "stopped"])

    def test_off_and_cordoned_machines_are_left_alone(self):
        up = self.stage.up(moody(self.stage, count=2), moody(self.stage, "other", STOPS, files={}), options=("--no-http-probe", "--autostop-interval", "0"))
        self.machine("cordon", up.machine("other")["id"])
        self.assertEqual(self.tick(), [])
        self.assertEqual(self.states(up), ["started"] * 3)

    def test_a_machine_with_a_request_is_not_stopped(self):
        up = self.stage.up(moody(self.stage, toml=STOPS), options=("--no-http-probe", "--autostop-interval", "0"))
        up.wait_until_listening()
        connection = up.connect()
        connection.sendall(b"GET /slow?seconds=3 HTTP/1.1\r\nhost: hello.localhost\r\n\r\n")
        harness.eventually(lambda: up.machine()["load"][0]["current"] == 1, "a request under way")
        self.assertEqual(self.tick(), [])
        self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 200"))
        connection.close()
        harness.eventually(lambda: up.machine()["load"][0]["current"] == 0, "no more load")
        self.assertEqual(len(self.tick()), 1)

    def test_suspend_is_another_way_and_large_machines_are_stopped_instead(self):
        up = self.stage.up(moody(self.stage, toml=SUSPENDS), moody(self.stage, "large", SUSPENDS + '[[vm]]\n  memory = "4gb"\n'),
                           options=("--no-http-probe", "--autostop-interval", "0"))
        self.assertEqual({one["app"]: one["action"] for one in self.tick()}, {"hello": "suspend", "large": "stop"})
        self.assertEqual((up.machine("hello")["state"], up.machine("large")["state"]), ("suspended", "stopped"))

    def test_it_happens_by_itself_at_its_interval(self):
        up = self.stage.up(moody(self.stage, toml=STOPS), options=("--no-http-probe", "--autostop-interval", "1s"), wait=False)
        up.wait_for_output("autostop: more capacity than needed")
        up.wait_for_state("stopped")

    def test_a_wrong_interval_is_refused(self):
        done = self.stage.flylocal("up", "--autostop-interval", "soon", moody(self.stage))
        self.assertEqual(done.returncode, 2)
        self.assertIn('--autostop-interval: found "soon"', done.stderr)


@harness.as_root_and_user
class Waking(Ticks):
    def wakes(self, toml, state, detail):
        up = self.stage.up(moody(self.stage, toml=toml), options=("--no-http-probe", "--autostop-interval", "0"))
        machine = up.wait_until_listening().text
        harness.eventually(lambda: up.machine()["load"][0]["current"] == 0, "no load")
        self.assertEqual(len(self.tick()), 1)
        self.assertEqual(up.machine()["state"], state)
        self.assertEqual(up.get().text, machine)
        self.assertIn(("start", "proxy", detail), self.events(up, machine))
        return up

    def test_a_request_starts_a_stopped_machine(self):
        self.wakes(STOPS, "stopped", "started by the proxy")

    def test_a_request_resumes_a_suspended_machine(self):
        up = self.wakes(SUSPENDS, "suspended", "resumed by the proxy")
        self.assertEqual(self.messages().count("listening"), 1)
        self.assertEqual(up.machine()["restart_count"], 0)

    def test_auto_start_machines_false_lets_it_sleep(self):
        up = self.stage.up(moody(self.stage, toml=STOPS + "  auto_start_machines = false\n"), options=("--no-http-probe", "--autostop-interval", "0"))
        up.wait_until_listening()
        harness.eventually(lambda: self.tick() or up.machine()["state"] == "stopped", "a stopped machine")
        self.assertEqual(up.get().status, 503)
        self.assertEqual(up.machine()["state"], "stopped")

    def test_no_request_is_lost_while_machines_come_and_go(self):
        up = self.stage.up(moody(self.stage, toml=STOPS, count=2), options=("--no-http-probe", "--autostop-interval", "0"))
        port = up.host_port()
        bad, ended = [], threading.Event()

        def ask():
            while not ended.is_set():
                answer = up.get(port=port)
                if answer.status != 200:
                    bad.append((answer.status, answer.text))

        clients = [threading.Thread(target=ask) for _ in range(3)]
        for client in clients:
            client.start()
        try:
            for _ in range(5):
                harness.eventually(self.tick, "a machine to stop")
                stopped = next(machine["id"] for machine in up.machines() if machine["state"] == "stopped")
                self.machine("start", stopped)
        finally:
            ended.set()
            for client in clients:
                client.join()
        self.assertEqual(bad, [])


@harness.as_root_and_user
class Edges(Ticks):
    def test_a_port_stands_for_another_regions_edge(self):
        project = self.stage.app("hello", project_file="[edges]\nsyd = 9080\n")
        up = self.stage.up(project, options=("--edge-region", "lhr"))
        up.wait_until_listening()
        region = {port["host_port"]: port["edge_region"] for port in up.status()["ports"]}
        self.assertEqual(region[9080], "syd")

        def edge(port):
            return [value for name, value in up.get(port=port).json()["headers"] if name.lower() == "fly-region"]

        self.assertEqual((edge(up.host_port()), edge(9080)), (["lhr"], ["syd"]))


if __name__ == "__main__":
    harness.main()
