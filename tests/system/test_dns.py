"""`.internal` names and the 6PN networks, as machines and as `flylocal dig` see them."""
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

import harness

TWO_REGIONS = '[[machines]]\n  region = "ams"\n  count = 1\n[[machines]]\n  region = "iad"\n  count = 1\n'


class Asking:
    def dig(self, name, kind="AAAA", *options, code=0):
        done = self.stage.flylocal("dig", name, kind, *options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def short(self, name, kind="AAAA", *options, code=0):
        return sorted(self.dig(name, kind, "--short", *options, code=code).split("\n")[:-1])

    def addresses(self, app, **wanted):
        return sorted(m["private_ip"] for m in self.up.machines(app) if all(m[key] == value for key, value in wanted.items()))

    def ask_inside(self, transport, name, kind="AAAA", *options, app="one"):
        code = (harness.SOURCES / "apps" / "dns_client.py").read_text()
        machine = self.up.machines(app)[0]["id"]
        done = self.up.console(harness.python(), "-", transport, name, kind, *options, machine=machine, stdin=code)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def lookup(self, name, family="AF_UNSPEC", app="one"):
        """What getaddrinfo says inside a machine; None for a name that is not found."""
        code = ("import json, socket\ntry:\n"
                f"    found = socket.getaddrinfo({name!r}, 80, socket.{family}, socket.SOCK_STREAM)\n"
                "    print(json.dumps(sorted({f[4][0] for f in found})))\nexcept socket.gaierror:\n    print('null')\n")
        return json.loads(self.up.python(code, machine=self.up.machines(app)[0]["id"]))

    def dial(self, address, port, app="one", limit=60):
        """Connects from inside a machine to a server of apps/server.py; the answer, or the error's name."""
        code = ("import errno, http.client, json\n"
                f"c = http.client.HTTPConnection({address!r}, {port}, timeout={limit})\n"
                "try:\n    c.request('GET', '/')\n    print(json.dumps({'answer': json.loads(c.getresponse().read())}))\n"
                "except OSError as e:\n    print(json.dumps({'error': errno.errorcode.get(e.errno, repr(e))}))\n")
        return json.loads(self.up.python(code, machine=self.up.machines(app)[0]["id"]))


@harness.shared_as_root_and_user
class Names(Asking):
    """Two apps on one network, one of them in two regions and with two groups, and an app on another network."""

    @classmethod
    def prepare(cls):
        one = cls.stage.app("one", project_file=TWO_REGIONS)
        path = os.path.join(one, "fly.toml")
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace("[http_service]", '  jobs = "sleep 600"\n[http_service]'))
        cls.up = cls.stage.up(one, cls.stage.app("two", service=False),
                              cls.stage.app("far", service=False, project_file='network = "elsewhere"\n'))
        cls.up.wait_until_listening()
        for app in ("two", "far"):
            machine = cls.up.machine(app)["id"]
            harness.eventually(lambda: "listening" in cls.stage.flylocal("logs", "--machine", machine).stdout, f"{app} listens")

    # ---- names

    def test_an_app_has_the_addresses_of_all_its_machines(self):
        self.assertEqual(len(self.addresses("one")), 3)
        self.assertEqual(self.short("one.internal"), self.addresses("one"))
        self.assertEqual(self.short("global.one.internal"), self.addresses("one"))

    def test_a_region_has_its_machines(self):
        self.assertEqual(self.short("iad.one.internal"), self.addresses("one", region="iad"))
        self.assertEqual(len(self.short("iad.one.internal")), 1)

    def test_a_process_group_has_its_machines(self):
        self.assertEqual(self.short("jobs.process.one.internal"), self.addresses("one", process_group="jobs"))
        self.assertEqual(self.short("app.process.one.internal"), self.addresses("one", process_group="app"))

    def test_a_machine_has_a_name(self):
        machine = self.up.machines("one")[0]
        self.assertEqual(self.short(f"{machine['id']}.vm.one.internal"), [machine["private_ip"]])

    def test_an_a_query_is_answered_without_data(self):
        text = self.dig("one.internal", "A")
        self.assertIn("status: NOERROR", text)
        self.assertIn("ANSWER: 0", text)

    def test_an_unknown_app_does_not_exist(self):
        self.assertIn("status: NXDOMAIN", self.dig("none.internal", code=1))

    def test_a_known_app_without_machines_in_a_region_has_no_data(self):
        text = self.dig("syd.one.internal")
        self.assertIn("status: NOERROR", text)
        self.assertIn("ANSWER: 0", text)

    def test_apps_lists_the_apps_of_the_network(self):
        self.assertEqual(sorted(self.short("_apps.internal", "TXT")[0].strip('"').split(",")), ["one", "two"])
        self.assertEqual(self.short("_apps.internal", "TXT", "-a", "far"), ['"far"'])

    def test_names_are_found_whatever_their_case(self):
        self.assertEqual(self.short("ONE.Internal"), self.addresses("one"))

    def test_the_ttl_is_short(self):
        self.assertRegex(self.dig("two.internal"), r"two\.internal\.\t5\tIN\tAAAA\tfdaa:")

    def test_dig_over_tcp_answers_the_same(self):
        self.assertEqual(self.short("one.internal", "AAAA", "--tcp"), self.addresses("one"))

    def test_dig_refuses_a_type_that_is_none(self):
        done = self.stage.flylocal("dig", "one.internal", "BOGUS")
        self.assertEqual(done.returncode, 2)
        self.assertIn("BOGUS", done.stderr)

    def test_dig_prints_what_dig_users_expect(self):
        text = self.dig("one.internal", "AAAA", "-a", "two")
        self.assertRegex(text, r"(?m)^;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: \d+$")
        self.assertRegex(text, r"(?m)^;; flags: qr aa rd ra; QUERY: 1, ANSWER: 3, AUTHORITY: 0, ADDITIONAL: 1$")
        self.assertRegex(text, r"(?m)^;; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232$")
        self.assertRegex(text, r"(?m)^;; QUESTION SECTION:\n;one\.internal\.\s+IN\s+AAAA$")
        self.assertRegex(text, r"(?m)^;; ANSWER SECTION:\none\.internal\.\s+5\s+IN\s+AAAA\s+fdaa:")
        self.assertRegex(text, r"(?m)^;; Query time: \d+ msec\n;; SERVER: fdaa::3#53 \(UDP\)\n;; WHEN: .*\n;; MSG SIZE  rcvd: \d+$")
        text = self.dig("one.internal", "A", "+tcp", "+noedns")
        self.assertNotIn("PSEUDOSECTION", text)
        self.assertRegex(text, r"(?m)^;; AUTHORITY SECTION:\ninternal\.\s+5\s+IN\s+SOA\s")
        self.assertIn("(TCP)", text)

    def test_dig_takes_words_as_dig_does(self):
        self.assertEqual(self.short("one.internal", "+short"), self.addresses("one"))
        self.assertEqual(sorted(self.dig("AAAA", "one.internal", "+short").split()), self.addresses("one"))
        self.assertEqual(self.stage.flylocal("dig", "-t", "TXT", "_apps.internal", "+short").stdout.split(), self.short("_apps.internal", "TXT"))
        self.assertEqual(self.dig("one.internal", "A", "TXT", "AAAA", "+noall", "+answer").count("AAAA"), 3)
        self.assertNotIn(" rd", self.dig("one.internal", "AAAA", "+norecurse"))
        machine = self.up.machine("two")
        nibbles = ".".join(reversed(socket.inet_pton(socket.AF_INET6, machine["private_ip"]).hex()))
        self.assertIn(f";{nibbles}.ip6.arpa.", self.stage.flylocal("dig", "-x", machine["private_ip"]).stdout)
        done = self.stage.flylocal("dig", "one.internal", "+shrot")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("did you mean +short?", done.stderr)

    # ---- who asked what

    def log(self, *options):
        done = self.stage.flylocal("dns", "log", "--json", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_the_log_shows_what_a_machine_asked_and_the_answer(self):
        machine = self.up.machines("one")[0]
        before = time.time()
        self.ask_inside("tcp", "GLOBAL.one.internal")
        entry = self.log("--machine", machine["id"], "--name", "global.one")[-1]
        self.assertEqual({key: entry[key] for key in ("app", "machine", "client", "network", "transport", "name", "type", "rcode", "origin", "cut", "truncated")},
                         {"app": "one", "machine": machine["id"], "client": machine["private_ip"], "network": "personal/default", "transport": "tcp",
                          "name": "GLOBAL.one.internal", "type": "AAAA", "rcode": "NOERROR", "origin": "zone", "cut": False, "truncated": False})
        self.assertEqual(sorted(entry["answers"]), self.addresses("one"))
        self.assertLess(abs(entry["timestamp"] / 1000 - before), harness.PATIENCE)
        self.assertGreater(entry["took_ms"], 0)
        text = self.assert_ok(self.stage.flylocal("dns", "log", "--machine", machine["id"], "--name", "global.one", "-n", "1")).stdout
        self.assertRegex(text, rf"^[0-9:.]+ one\[{machine['id']}\] AAAA GLOBAL\.one\.internal -> fdaa:\S+, fdaa:\S+, fdaa:\S+ \(zone, [0-9.]+ ms, tcp\)\n$")

    def test_the_log_shows_what_had_no_answer(self):
        self.ask_inside("udp", "log-a.two.internal", app="far")
        self.ask_inside("udp", "one.internal", "A")
        self.assertIn("AAAA log-a.two.internal -> NXDOMAIN (zone, ", self.stage.flylocal("dns", "log", "-a", "far").stdout)
        self.assertIn("A one.internal -> no A record (zone, ", self.stage.flylocal("dns", "log", "-a", "one").stdout)

    def test_the_log_is_filtered(self):
        self.ask_inside("udp", "filter-me.internal", app="one")
        self.ask_inside("udp", "filter-me.internal", app="far")
        self.short("filter-me.internal", "A", code=1)
        self.assertEqual({entry["app"] for entry in self.log("--name", "Filter-Me")}, {"one", "far", "flylocal"})
        self.assertEqual({entry["app"] for entry in self.log("-a", "far")}, {"far"})
        self.assertEqual({entry["network"] for entry in self.log("-a", "far")}, {"personal/elsewhere"})
        self.assertEqual({(entry["app"], entry["machine"]) for entry in self.log("-a", "flylocal")}, {("flylocal", "")})
        self.assertEqual([entry["name"] for entry in self.log("--name", "filter-me", "-n", "1")], ["filter-me.internal"])
        self.assertEqual(self.log("-n", "0"), [])
        numbers = [entry["number"] for entry in self.log()]
        self.assertEqual(numbers, sorted(set(numbers)))
        done = self.stage.flylocal("dns", "log", "-a", "none")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("none", done.stderr)

    def test_following_shows_the_next_question(self):
        self.ask_inside("udp", "before.internal")
        follow = self.stage.popen(harness.binary(), "dns", "log", "-f", "--json", "-n", "0", stdout=subprocess.PIPE, text=True)
        shown = []
        reader = threading.Thread(target=lambda: shown.extend(follow.stdout), daemon=True)
        reader.start()

        def asked():
            # Until it follows, a question is one of those before.
            self.ask_inside("udp", "next.internal", app="far")
            return shown
        harness.eventually(asked, "a further question is shown")
        first = json.loads(shown[0])
        self.assertEqual((first["app"], first["name"], first["rcode"]), ("far", "next.internal", "NXDOMAIN"))
        follow.terminate()
        follow.wait(harness.PATIENCE)

    def test_a_reader_that_comes_late_is_told_what_it_missed(self):
        # More questions than the log holds, from one machine; the API is asked for all from the first on.
        code = ("import socket\ns = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\ns.connect(('fdaa::3', 53))\ns.settimeout(60)\n"
                "query = bytes.fromhex('000101000001000000000000') + b'\\4many\\10internal\\0\\0\\x1c\\0\\1'\n"
                "for _ in range(4200):\n    s.send(query)\n    s.recv(512)\nprint('done')\n")
        self.assertEqual(self.up.python(code, machine=self.up.machine("two")["id"]).strip(), "done")
        done = self.stage.run("curl", "--silent", "--max-time", "60", "--unix-socket", self.stage.control_socket, "http://localhost/flylocal/v1/dns/log?since=0")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(lines), 1 + 4096)
        self.assertEqual(lines[0], {"missed": lines[1]["number"]})
        self.assertGreaterEqual(lines[0]["missed"], 4200 - 4096)
        self.assertEqual([line["number"] for line in lines[1:]], list(range(lines[1]["number"], lines[1]["number"] + 4096)))

    # ---- why a name has no address

    def explained(self, name, *options):
        done = self.stage.flylocal("explain", "dns", name, "--json", *options)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        answer = json.loads(done.stdout)
        self.assertEqual(done.returncode, 1 if answer["resolves"] is False else 0)
        return answer

    def test_explanations_agree_with_the_resolver(self):
        machine = self.up.machines("one")[0]["id"]
        # Other tests let it ask for IPv4 addresses; that it asks for both makes this one the same in any order.
        self.ask_inside("udp", "one.internal")
        expected = {"one.internal": "resolves", "global.one.internal": "resolves", "iad.one.internal": "resolves", "jobs.process.one.internal": "resolves",
                    f"{machine}.vm.one.internal": "resolves", "localhost": "resolves", "syd.one.internal": "none-in-region", "cron.process.one.internal": "none-in-group",
                    "00000000000000.vm.one.internal": "no-such-machine", "vms.one.internal": "text-name", "_apps.internal": "text-name", "far.internal": "other-network",
                    "oen.internal": "no-such-app", "admin.one.internal": "unknown-form", "vm.one.internal": "unknown-form", "internal": "apex",
                    "all.one.internal": "unknown-form", "role.kv._metadata.one.internal": "unknown-form", "one-1.vm.one.internal": "no-such-machine",
                    "top01.nearest.of.one.internal": "unknown-form", "far.flycast": "other-network", "flycast": "apex"}
        for name, code in expected.items():
            explained = self.explained(name)
            self.assertEqual(explained["code"], code, name)
            answer = self.stage.flylocal("dig", name, "AAAA").stdout
            has_address = "ANSWER: 0" not in answer
            self.assertEqual(explained["resolves"], has_address, name)
            if has_address and name != "localhost":
                self.assertEqual(sorted(target["address"] for target in explained["targets"]), self.short(name), name)
            for rcode in ("NXDOMAIN", "NOERROR"):
                if rcode in explained["found"]:
                    self.assertIn(f"status: {rcode}", answer, name)

    def test_explain_dns_says_what_to_do(self):
        done = self.stage.flylocal("explain", "dns", "oen.internal")
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stdout.startswith("oen.internal: no app oen in this sandbox  [no-such-app]\n"), done.stdout)
        self.assertIn("Did you mean one.internal?", done.stdout)
        self.assertLessEqual(max(map(len, done.stdout.splitlines()[1:])), 100)
        self.assertIn("one.internal", self.explained("one")["fix"])
        self.assertEqual(self.explained("far.internal", "-a", "far")["code"], "resolves")
        self.assertEqual(self.explained("one.internal", "-a", "far")["code"], "other-network")
        self.assertEqual(self.explained("http://one.internal:8080/")["code"], "malformed")
        done = self.stage.flylocal("explain", "dns", "one.internal", "-a", "none")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("no app none", done.stderr)

    # ---- from inside

    def test_the_resolver_answers_inside_over_udp_and_tcp(self):
        for transport in ("udp", "tcp"):
            for recurse in ((), ("recurse",)):
                answer = self.ask_inside(transport, "one.internal", "AAAA", *recurse)
                self.assertEqual((answer["id"], answer["rcode"]), (4711, 0))
                self.assertEqual(sorted(a for a, _ in answer["records"]), self.addresses("one"))

    def test_txt_answers_inside(self):
        answer = self.ask_inside("udp", "regions.one.internal", "TXT")
        self.assertEqual(sorted(answer["records"][0][0].split(",")), ["ams", "iad"])

    def test_getaddrinfo_finds_apps_inside(self):
        self.assertEqual(self.lookup("one.internal"), self.addresses("one"))
        self.assertEqual(self.lookup("two.internal", "AF_INET6"), self.addresses("two"))
        self.assertIsNone(self.lookup("one.internal", "AF_INET"))
        self.assertIsNone(self.lookup("none.internal"))

    def test_etc_hosts_names_resolve_inside(self):
        machine = self.up.machines("one")[0]
        self.assertEqual(self.lookup("fly-local-6pn"), [machine["private_ip"]])
        self.assertEqual(self.lookup(machine["id"]), [machine["private_ipv4"]])

    # ---- 6PN

    def test_machines_of_a_network_reach_each_other_over_6pn(self):
        answer = self.dial("two.internal", 8080)
        self.assertEqual(answer["answer"]["app"], "two")
        self.assertEqual(answer["answer"]["peer"], self.up.machines("one")[0]["private_ip"])

    def test_machines_cannot_reach_each_other_over_ipv4(self):
        answer = self.dial(self.up.machine("two")["private_ipv4"], 8080, limit=4)
        self.assertIn("error", answer)

    def test_a_machine_reaches_itself_by_each_of_its_addresses(self):
        machine = self.up.machines("one")[0]
        for address in (machine["private_ip"], machine["private_ipv4"], "127.0.0.1", "::1"):
            self.assertEqual(self.dial(address, 8080)["answer"]["machine"], machine["id"], address)

    def test_another_networks_app_is_not_resolved(self):
        self.assertIsNone(self.lookup("far.internal"))
        self.assertIsNone(self.lookup("one.internal", app="far"))
        self.assertIn("status: NXDOMAIN", self.dig("far.internal", "AAAA", "-a", "one", code=1))

    def test_another_networks_app_resolves_its_own_name(self):
        self.assertEqual(self.lookup("far.internal", app="far"), self.addresses("far"))

    def test_another_network_is_not_reached_over_6pn_in_either_direction(self):
        far, two = self.up.machine("far"), self.up.machine("two")
        self.assertNotEqual(far["private_ip"].split(":")[1:3], two["private_ip"].split(":")[1:3])
        # What is dropped gives no sign, so that a limit has to do; within a network an answer takes milliseconds.
        self.assertIn("error", self.dial(far["private_ip"], 8080, app="one", limit=4))
        self.assertIn("error", self.dial(two["private_ip"], 8080, app="far", limit=4))

    def test_another_network_is_not_reached_over_ipv4(self):
        self.assertIn("error", self.dial(self.up.machine("far")["private_ipv4"], 8080, limit=4))

    def test_a_neighbours_address_cannot_be_borrowed_to_reach_another_network(self):
        code = ("import socket, errno\ns = socket.socket(socket.AF_INET6)\ns.settimeout(60)\n"
                "try:\n    s.bind(('fdaa:0:1::99', 0))\n    print('bound')\nexcept OSError as e:\n    print(errno.errorcode[e.errno])")
        self.assertEqual(self.up.python(code, machine=self.up.machine("two")["id"]).strip(), "EADDRNOTAVAIL")


@harness.as_root_and_user
class Changes(Asking):
    def test_a_stopped_machine_leaves_the_names_and_comes_back(self):
        self.up = self.stage.up(self.stage.app("one", project_file=TWO_REGIONS))
        every = self.addresses("one")
        self.assertEqual(self.short("one.internal"), every)
        machine = next(m for m in self.up.machines() if m["region"] == "iad")
        self.assert_ok(self.stage.flylocal("machine", "stop", machine["id"]))
        left = [address for address in every if address != machine["private_ip"]]
        self.assertEqual(self.short("one.internal"), left)
        self.assertEqual(self.short("iad.one.internal"), [])
        self.assertEqual(self.short(f"{machine['id']}.vm.one.internal"), [])
        self.assertEqual(self.short("regions.one.internal", "TXT"), ['"ams"'])
        self.assert_ok(self.stage.flylocal("machine", "start", machine["id"]))
        self.assertEqual(self.short("one.internal"), every)

    def test_a_name_whose_machines_are_stopped_is_explained(self):
        self.up = self.stage.up(self.stage.app("one", service=False))
        machine = self.up.machine()["id"]
        self.assert_ok(self.stage.flylocal("machine", "stop", machine))
        done = self.stage.flylocal("explain", "dns", "one.internal")
        self.assertEqual(done.returncode, 1)
        self.assertIn("[all-stopped]", done.stdout)
        self.assertIn(f"{machine} is stopped", done.stdout)
        self.assertIn(f"flylocal machine start {machine}", done.stdout)
        self.assertIn("one.flycast", done.stdout)
        self.assert_ok(self.stage.flylocal("machine", "start", machine))
        self.assertIn("[resolves]", self.assert_ok(self.stage.flylocal("explain", "dns", "one.internal")).stdout)
        self.assert_ok(self.stage.flylocal("scale", "count", "0"))
        self.assertIn("[no-machines]", self.stage.flylocal("explain", "dns", "one.internal").stdout)

    def test_who_asked_for_ipv4_only_is_named_with_the_fix(self):
        self.up = self.stage.up(self.stage.app("one", service=False))
        machine = self.up.machine()["id"]
        self.assertIsNone(self.lookup("one.internal", "AF_INET"))
        # A question for AAAA may follow that for A, so the verdict takes two seconds.
        text = harness.eventually(lambda: (text := self.stage.flylocal("explain", "dns", "one.internal").stdout) and "[asks-ipv4-only]" in text and text,
                                  lambda: self.stage.flylocal("explain", "dns", "one.internal").stdout)
        self.assertIn(machine, text)
        self.assertIn("create_connection", text)  # what helps a Python program
        self.assertEqual(self.lookup("one.internal", "AF_INET6"), self.addresses("one"))
        self.assertIn("[resolves]", self.stage.flylocal("explain", "dns", "one.internal").stdout)

    def test_names_are_answered_while_machines_come_and_go(self):
        # Each change moves ports of the network's bridge; nobody who was there before may notice.
        self.up = self.stage.up(self.stage.app("one"))
        keeper = self.up.machine()["id"]
        for count in (4, 1, 5, 2, 6, 1):
            self.assert_ok(self.stage.flylocal("scale", "count", str(count)))
            self.assertEqual(self.short("one.internal"), self.addresses("one"))
            answer = self.ask_inside("udp", "one.internal")
            self.assertEqual(sorted(a for a, _ in answer["records"]), self.addresses("one"))
            self.assertIn(keeper, [m["id"] for m in self.up.machines()])

    def test_a_neighbour_that_was_restarted_is_reached_again(self):
        self.up = self.stage.up(self.stage.app("one", service=False), self.stage.app("two", service=False))
        two = self.up.machine("two")

        def reached():
            return self.dial(two["private_ip"], 8080).get("answer")
        harness.eventually(reached, "two answers")
        self.assert_ok(self.stage.flylocal("machine", "restart", two["id"]))
        # Once the program listens, the first connection must get through.
        harness.eventually(lambda: self.stage.flylocal("logs", "--machine", two["id"]).stdout.count("listening") == 2, "it listens again")
        self.assertIn("answer", self.dial(two["private_ip"], 8080, limit=4))

    def test_a_crashed_machine_leaves_the_names(self):
        self.up = self.stage.up(self.stage.app("one", toml='[[restart]]\n  policy = "never"\n'))
        self.assertEqual(self.short("one.internal"), self.addresses("one"))
        self.up.wait_until_listening()
        self.up.get("/exit?code=3")
        self.up.wait_for_state("stopped")
        self.assertEqual(self.short("one.internal"), [])


class HostsResolver(Asking, harness.Case):
    """Names that are not the platform's, forwarded to a resolver that the test plays on the host's loopback."""
    kind = "root"

    def test_other_names_are_asked_of_the_hosts_resolver(self):
        asked = []
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        try:
            server.bind(("127.77.0.53", 53))
        except OSError as error:
            self.skipTest(f"cannot listen on port 53 of a loopback address: {error}")

        def serve():
            while True:
                try:
                    query, client = server.recvfrom(4096)
                except OSError:
                    return
                asked.append(query)
                question = query[12:query.index(b"\0", 12) + 5]
                # A compressed name, class IN, ten seconds, 2001:db8::7.
                answer = b"\xc0\x0c\x00\x1c\x00\x01\x00\x00\x00\x0a\x00\x10" + socket.inet_pton(socket.AF_INET6, "2001:db8::7")
                server.sendto(query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + question + answer, client)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()

        # Only this flylocal sees the other resolv.conf: in a mount namespace of its own.
        resolv = os.path.join(self.stage.directory, "resolv.conf")
        with open(resolv, "w") as file:
            file.write("nameserver 127.77.0.53\n")
        project = self.stage.app("one")
        log = os.path.join(self.stage.directory, "output")
        with open(log, "wb") as output:
            process = self.stage.popen("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolv,
                                       harness.binary(), "up", project, stdout=output, stderr=subprocess.STDOUT)
        harness.eventually(lambda: process.poll() is not None or self.stage.flylocal("dig", "one.internal", "--short").stdout.startswith("fdaa:"),
                           lambda: pathlib.Path(log).read_text())
        self.assertIsNone(process.poll())
        self.assertEqual(self.short("outside.example"), ["2001:db8::7"])
        self.assertTrue(any(b"\x07outside\x07example\x00" in query.lower() for query in asked), asked)
        self.assertEqual(self.short("outside.example", "AAAA", "--tcp"), ["2001:db8::7"])
        self.assertFalse([query for query in asked if b"\x08internal\x00" in query.lower()])
        self.assertRegex(self.stage.flylocal("dns", "log", "--name", "outside").stdout, r"flylocal AAAA outside\.example -> 2001:db8::7 \((upstream|cache), ")
        explained = json.loads(self.stage.flylocal("explain", "dns", "outside.example", "--json").stdout)
        self.assertEqual((explained["code"], explained["resolves"]), ("outside", True))
        self.assertIn("2001:db8::7", explained["found"])


if __name__ == "__main__":
    harness.main()
