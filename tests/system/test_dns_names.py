"""Every name that a machine can ask for, with real machines behind it: what is answered, to whom, and how soon."""
import ipaddress
import json
import os
import socket
import threading

import harness

NO_ERROR, NAME_ERROR = 0, 3
PUBLIC_IPV4 = ipaddress.ip_network("198.18.0.0/16")
PUBLIC_IPV6 = ipaddress.ip_network("2001:2::/48")


class Asking:
    """Questions from inside machines. `self.up` is the sandbox."""

    def ask(self, *questions, app="one", machine=None, server="-", transport="udp", repeats=1):
        code = (harness.SOURCES / "apps" / "dns_questions.py").read_text()
        machine = machine or self.up.machines(app)[0]["id"]
        done = self.up.console(harness.python(), "-", transport, server, str(repeats), *questions, machine=machine, stdin=code)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def records(self, question, **where):
        """The data of the answers, of the type that was asked for and no other."""
        answer = self.ask(question, **where)[0]
        self.assertEqual(answer.get("rcode"), NO_ERROR, f"{question}: {answer}")
        self.assertEqual({kind for kind, _, _ in answer["answers"]} - {question.split()[1]}, set(), answer)
        return [data for _, data, _ in answer["answers"]]

    def text(self, question, **where):
        """The one TXT record's text."""
        records = self.records(f"{question} TXT", **where)
        self.assertEqual(len(records), 1, records)
        return records[0]

    def addresses(self, app="one", **wanted):
        return sorted(m["private_ip"] for m in self.up.machines(app) if all(m[key] == value for key, value in wanted.items()))

    def prefix(self, app):
        return next(one["six_pn_prefix"] for one in self.up.status()["apps"] if one["name"] == app).removesuffix("::/48")

    def get_inside(self, url, app="one", machine=None):
        """What an HTTP client inside a machine gets: the app's answer, or the error's name."""
        authority = os.path.join(self.stage.state_directory, "certs", "ca.pem")
        code = ("import errno, json, ssl, urllib.error, urllib.request\n"
                "try:\n"
                f"    with urllib.request.urlopen({url!r}, timeout=60, context=ssl.create_default_context(cafile={authority!r})) as answer:\n"
                "        print(json.dumps({'answer': json.loads(answer.read())}))\n"
                "except urllib.error.URLError as e:\n"
                "    print(json.dumps({'error': errno.errorcode.get(getattr(e.reason, 'errno', None), repr(e.reason))}))\n")
        return json.loads(self.up.python(code, machine=machine or self.up.machines(app)[0]["id"]))


def add_group(directory, line):
    """Adds a process group to a project of Stage.app()."""
    path = os.path.join(directory, "fly.toml")
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace("[processes]\n", f"[processes]\n  {line}\n", 1))


class NameServer:
    """A resolver on the host's loopback that knows an address for every name, and remembers who was asked for."""
    IPV4, IPV6 = "203.0.113.7", "2001:db8::7"

    def __init__(self, case):
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        case.callback(self.socket.close)
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                query, client = self.socket.recvfrom(4096)
            except OSError:
                return
            end = query.index(b"\0", 12) + 5
            self.asked.append(query[12:end - 4].lower())
            kind = query[end - 4:end - 2]
            data = {b"\0\x01": socket.inet_pton(socket.AF_INET, self.IPV4), b"\0\x1c": socket.inet_pton(socket.AF_INET6, self.IPV6)}.get(kind)
            # A compressed name, class IN, ten seconds.
            answer = b"\xc0\x0c" + kind + b"\0\x01\0\0\0\x0a" + len(data).to_bytes(2, "big") + data if data else b""
            counts = b"\0\x01" + (b"\0\x01" if data else b"\0\0") + b"\0\0\0\0"
            self.socket.sendto(query[:2] + b"\x81\x80" + counts + query[12:end] + answer, client)

    def was_asked(self, name):
        wire = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
        return wire in self.asked


@harness.shared_as_root_and_user
class Names(Asking):
    """An app in two regions with two groups, one without a service beside it, and one on another network."""

    @classmethod
    def prepare(cls):
        cls.server = NameServer(cls.stage)
        regions = '[[machines]]\n  region = "ams"\n  count = 1\n[[machines]]\n  region = "iad"\n  count = 1\n'
        one = cls.stage.app("one", project_file='ip_addresses = ["v4", "private_v6"]\ndomains = ["shop.example", "WWW.shop.example"]\n' + regions)
        add_group(one, 'jobs = "sleep 600"')
        two = cls.stage.app("two", service=False)
        far = cls.stage.app("far", project_file='network = "elsewhere"\n')
        cls.up = cls.stage.up(one, two, far, options=("--dns", cls.server.address))
        for app in ("one", "far"):
            cls.up.wait_until_listening(headers={"Host": f"{app}.localhost"})

    def one_machine(self, **wanted):
        return next(m for m in self.up.machines("one") if all(m[key] == value for key, value in wanted.items()))

    # ---- AAAA

    def test_each_address_name_has_the_machines_that_it_stands_for(self):
        self.assertEqual(len(self.addresses()), 3)
        web = self.one_machine(region="iad")
        table = {
            "one.internal": self.addresses(),
            "global.one.internal": self.addresses(),
            "ams.one.internal": self.addresses(region="ams"),
            "iad.one.internal": self.addresses(region="iad"),
            "app.process.one.internal": self.addresses(process_group="app"),
            "jobs.process.one.internal": self.addresses(process_group="jobs"),
            f"{web['id']}.vm.one.internal": [web["private_ip"]],
            "top9.nearest.of.one.internal": self.addresses(),
            "jobs.fly_process_group.kv._metadata.one.internal": self.addresses(process_group="jobs"),
            "v2.fly_platform_version.kv._metadata.one.internal": self.addresses(),
            "two.internal": self.addresses("two"),
            "_api.internal": ["fdaa::3"],
        }
        for transport in ("udp", "tcp"):
            for server in ("fdaa::3", f"{self.prefix('one')}::3"):
                answers = self.ask(*(f"{name} AAAA" for name in table), server=server, transport=transport)
                for (name, expected), answer in zip(table.items(), answers):
                    with self.subTest(name=name, server=server, transport=transport):
                        self.assertEqual(answer.get("rcode"), NO_ERROR, answer)
                        self.assertEqual(sorted(data for _, data, _ in answer["answers"]), expected)
                        self.assertEqual({(kind, ttl) for kind, _, ttl in answer["answers"]}, {("AAAA", 5)})

    def test_the_nearest_machine_is_that_of_the_askers_own_region(self):
        for region in ("ams", "iad"):
            here = self.one_machine(region=region)["id"]
            nearest = self.records("top1.nearest.of.one.internal AAAA", machine=here)
            self.assertEqual(len(nearest), 1)
            self.assertIn(nearest[0], self.addresses(region=region))
        everything = self.records("top3.nearest.of.one.internal AAAA", machine=self.one_machine(region="iad")["id"])
        self.assertEqual(everything[:1], self.addresses(region="iad"))
        self.assertEqual(sorted(everything[1:]), self.addresses(region="ams"))

    def test_flylocal_is_a_peer_of_the_network(self):
        address = self.records("flylocal._peer.internal AAAA")
        self.assertEqual(len(address), 1)
        self.assertTrue(address[0].startswith(self.prefix("one") + ":"), address)
        self.assertTrue(address[0].endswith(":0:a:2"), address)

    def test_an_app_with_a_private_address_has_a_flycast_name(self):
        address = self.records("one.flycast AAAA")
        self.assertEqual(len(address), 1)
        self.assertTrue(address[0].startswith(self.prefix("one") + ":0:1::"), address)
        self.assertEqual(self.ask("two.flycast AAAA")[0]["answers"], [])

    # ---- TXT

    def test_the_lists_of_machines(self):
        pairs = sorted(f"{m['id']} {m['region']}" for m in self.up.machines("one"))
        for name in ("vms.one.internal", "all.vms.one.internal"):
            self.assertEqual(sorted(self.text(name).split(",")), pairs)
        for name in ("regions.one.internal", "all.regions.one.internal"):
            self.assertEqual(sorted(self.text(name).split(",")), ["ams", "iad"])

    def test_the_lists_of_the_network(self):
        self.assertEqual(self.text("_apps.internal").split(","), ["one", "two"])
        self.assertEqual(self.text("_peer.internal"), "flylocal")
        instances = sorted(f"instance={m['id']},app={m['app']},ip={m['private_ip']},region={m['region']}"
                           for m in self.up.machines() if m["app"] in ("one", "two"))
        for name in ("_instances.internal", "all._instances.internal"):
            for transport in ("udp", "tcp"):
                answer = self.ask(f"{name} TXT", transport=transport)[0]
                if not answer["truncated"]:
                    self.assertEqual(sorted(answer["answers"][0][1].split(";")), instances)
                else:
                    self.assertEqual(transport, "udp")

    # ---- what is not there

    def test_a_name_without_such_records_is_not_an_unknown_name(self):
        questions = ["one.internal A", "one.internal MX", "_apps.internal AAAA", "syd.one.internal AAAA", "one.flycast A"]
        for question, answer in zip(questions, self.ask(*questions)):
            with self.subTest(question=question):
                self.assertEqual((answer["rcode"], answer["answers"], answer["authority"]), (NO_ERROR, [], ["SOA"]))

    def test_an_unknown_name_does_not_exist(self):
        questions = ["none.internal AAAA", "none.internal A", "vms.none.internal TXT", "none.flycast AAAA", "nobody._peer.internal AAAA"]
        for question, answer in zip(questions, self.ask(*questions)):
            with self.subTest(question=question):
                self.assertEqual((answer["rcode"], answer["answers"], answer["authority"]), (NAME_ERROR, [], ["SOA"]))

    def test_names_are_found_in_any_case_and_echoed_as_they_came(self):
        answer = self.ask("oNe.InTeRnAl AAAA")[0]
        self.assertEqual(answer["echo"], "oNe.InTeRnAl")
        self.assertEqual(sorted(data for _, data, _ in answer["answers"]), self.addresses())

    def test_addresses_have_no_names(self):
        address = ipaddress.ip_address(self.addresses()[0])
        self.assertEqual(self.ask(f"{address.reverse_pointer} PTR")[0]["answers"], [])

    # ---- another network

    def test_another_network_sees_nothing_of_it(self):
        machine = self.up.machines("one")[0]["id"]
        names = ["one.internal AAAA", f"{machine}.vm.one.internal AAAA", "top3.nearest.of.one.internal AAAA", "vms.one.internal TXT",
                 "all.vms.one.internal TXT"]
        for server in ("fdaa::3", f"{self.prefix('far')}::3"):
            for question, answer in zip(names, self.ask(*names, app="far", server=server)):
                with self.subTest(question=question, server=server):
                    self.assertEqual((answer.get("rcode"), answer.get("answers")), (NAME_ERROR, []))
        self.assertEqual(self.ask("one.flycast AAAA", app="far")[0]["answers"], [])
        self.assertEqual(self.text("_apps.internal", app="far"), "far")
        self.assertEqual({part.split(",")[1] for part in self.text("all._instances.internal", app="far").split(";")}, {"app=far"})
        self.assertEqual(self.records("far.internal AAAA", app="far"), self.addresses("far"))
        self.assertNotEqual(self.records("flylocal._peer.internal AAAA", app="far"), self.records("flylocal._peer.internal AAAA"))

    def test_another_networks_resolver_does_not_answer(self):
        self.assertIn("error", self.ask("one.internal AAAA", app="far", server=f"{self.prefix('one')}::3")[0])

    # ---- public names

    def test_a_public_name_is_the_proxys_for_everybody(self):
        for name in ("one.fly.dev", "shop.example", "www.shop.example", "WWW.Shop.Example"):
            seen = {app: self.records(f"{name} A", app=app) for app in ("one", "two", "far")}
            with self.subTest(name=name):
                self.assertEqual(len(seen["one"]), 1)
                self.assertIn(ipaddress.ip_address(seen["one"][0]), PUBLIC_IPV4)
                self.assertEqual(seen["two"], seen["one"])
                self.assertEqual(seen["far"], seen["one"])
                # Its ip_addresses name no public IPv6 address.
                self.assertEqual(self.records(f"{name} AAAA"), [])
        self.assertNotEqual(self.records("far.fly.dev A"), self.records("one.fly.dev A"))
        # Where ip_addresses say nothing, an app with a service has both.
        self.assertIn(ipaddress.ip_address(self.records("far.fly.dev AAAA")[0]), PUBLIC_IPV6)

    def test_the_name_of_an_app_without_public_addresses_is_not_asked_of_others(self):
        for kind in ("A", "AAAA"):
            self.assertEqual(self.ask(f"two.fly.dev {kind}")[0]["answers"], [])
        self.assertFalse(self.server.was_asked("two.fly.dev"))

    def test_other_names_are_asked_of_the_name_server_that_was_named(self):
        for name in ("elsewhere.fly.dev", "api.shop.example", "example"):
            self.assertEqual(self.records(f"{name} A"), [NameServer.IPV4])
            self.assertTrue(self.server.was_asked(name))
        self.assertEqual(self.records("elsewhere.fly.dev AAAA"), [NameServer.IPV6])
        self.assertFalse([name for name in self.server.asked if name.endswith((b"\x08internal\0", b"\x07flycast\0"))])

    def test_a_machine_that_calls_a_public_name_reaches_the_sandboxs_proxy(self):
        web = set(m["id"] for m in self.up.machines("one") if m["process_group"] == "app")
        for caller in ("one", "two", "far"):
            for host in ("one.fly.dev", "shop.example", "www.shop.example"):
                with self.subTest(caller=caller, host=host):
                    got = self.get_inside(f"http://{host}/path", app=caller)
                    self.assertIn("answer", got)
                    answer = got["answer"]
                    headers = {name.lower(): value for name, value in answer["headers"]}
                    self.assertEqual((answer["app"], answer["path"], headers["host"]), ("one", "/path", host))
                    self.assertIn(answer["machine"], web)
                    self.assertEqual(headers["fly-client-ip"], self.up.machines(caller)[0]["private_ipv4"])
                    self.assertEqual(headers["x-forwarded-for"].split(", ")[-1], self.records("one.fly.dev A")[0])
                    self.assertEqual(headers["fly-forwarded-port"], "80")

    def test_each_app_answers_at_its_own_address_over_both_families(self):
        ipv4, ipv6 = self.records("far.fly.dev A")[0], self.records("far.fly.dev AAAA")[0]
        for url in ("http://far.fly.dev/", f"http://{ipv4}/", f"http://[{ipv6}]/"):
            self.assertEqual(self.get_inside(url)["answer"]["app"], "far", url)

    def test_a_public_port_with_tls_has_a_certificate_of_the_local_authority(self):
        answer = self.get_inside("https://one.fly.dev/")["answer"]
        self.assertEqual(answer["app"], "one")
        self.assertIn(["X-Forwarded-Proto", "https"], answer["headers"])
        self.assertEqual(self.get_inside("https://shop.example/")["answer"]["app"], "one")

    def test_a_domain_is_a_host_name_on_the_published_port_too(self):
        port = self.up.host_port(app="one")
        for host in ("shop.example", "www.shop.example", f"SHOP.example:{port}", "one.fly.dev"):
            self.assertEqual(self.up.get(port=port, headers={"Host": host}).json()["app"], "one", host)
        self.assertEqual(self.up.get(port=port, headers={"Host": "api.shop.example"}).status, 404)


@harness.as_root_and_user
class Changes(Asking):
    """What a machine's state changes is there in the next query."""

    def test_stopped_started_and_scaled_machines(self):
        self.up = self.stage.up(self.stage.app("one", project_file='[[machines]]\n  region = "ams"\n  count = 2\n'),
                                self.stage.app("two", service=False))
        observer = self.up.machine("two")["id"]

        def seen():
            """All that one look from another machine tells of the app."""
            addresses, vms, every, regions, instances, nearest = self.ask(
                "one.internal AAAA", "vms.one.internal TXT", "all.vms.one.internal TXT", "regions.one.internal TXT",
                "_instances.internal TXT", "top9.nearest.of.one.internal AAAA", machine=observer)
            self.assertEqual(sorted(data for _, data, _ in addresses["answers"]), sorted(data for _, data, _ in nearest["answers"]))
            ids = {part.split()[0] for part in vms["answers"][0][1].split(",") if part}
            listed = {part.split(",")[0].removeprefix("instance=") for part in instances["answers"][0][1].split(";") if ",app=one," in part}
            self.assertEqual(ids, listed)
            return (sorted(data for _, data, _ in addresses["answers"]), ids, {part.split()[0] for part in every["answers"][0][1].split(",") if part},
                    regions["answers"][0][1])
        both = self.up.machines("one")
        ids = {m["id"] for m in both}
        self.assertEqual(seen(), (self.addresses(), ids, ids, "ams"))

        gone, left = both
        self.assert_ok(self.stage.flylocal("machine", "stop", gone["id"]))
        self.assertEqual(seen(), ([left["private_ip"]], {left["id"]}, ids, "ams"))
        self.assertEqual(self.ask(f"{gone['id']}.vm.one.internal AAAA", machine=observer)[0]["answers"], [])

        self.assert_ok(self.stage.flylocal("machine", "stop", left["id"]))
        self.assertEqual(seen(), ([], set(), ids, ""))
        nothing = self.ask("one.internal AAAA", machine=observer)[0]
        self.assertEqual((nothing["rcode"], nothing["authority"]), (NO_ERROR, ["SOA"]))

        self.assert_ok(self.stage.flylocal("machine", "start", gone["id"], left["id"]))
        self.assertEqual(seen(), (self.addresses(), ids, ids, "ams"))

        self.assert_ok(self.stage.flylocal("scale", "count", "2", "-a", "one", "--region", "syd"))
        self.assertEqual(len(self.addresses(region="syd")), 2)
        addresses, started, deployed, regions = seen()
        self.assertEqual(addresses, self.addresses())
        self.assertEqual(started, {m["id"] for m in self.up.machines("one")})
        self.assertEqual(deployed, started)
        self.assertEqual(sorted(regions.split(",")), ["ams", "syd"])
        self.assertEqual(sorted(self.records("syd.one.internal AAAA", machine=observer)), self.addresses(region="syd"))

        self.assert_ok(self.stage.flylocal("scale", "count", "0", "-a", "one", "--region", "syd"))
        self.assertEqual(seen(), (sorted(m["private_ip"] for m in both), ids, ids, "ams"))

    def test_a_region_that_is_no_more_is_far_away_and_near_to_itself(self):
        places = "".join(f'[[machines]]\n  region = "{region}"\n  count = 1\n' for region in ("sea", "syd", "sjc"))
        self.up = self.stage.up(self.stage.app("one", project_file=places))
        address = {m["region"]: m["private_ip"] for m in self.up.machines()}
        machine = {m["region"]: m["id"] for m in self.up.machines()}
        self.assertEqual(self.records("top3.nearest.of.one.internal AAAA", machine=machine["sjc"]), [address["sjc"], address["syd"], address["sea"]])
        self.assertEqual(self.records("top1.nearest.of.one.internal AAAA", machine=machine["sea"]), [address["sea"]])

    def test_an_app_has_the_same_flycast_and_public_addresses_at_the_next_run(self):
        project = self.stage.app("one", project_file='ip_addresses = ["v4", "v6", "private_v6"]\n')
        questions = ("one.flycast AAAA", "one.fly.dev A", "one.fly.dev AAAA")
        self.up = self.stage.up(project)
        before = [answer["answers"] for answer in self.ask(*questions)]
        self.assertTrue(all(before), before)
        self.up.stop()
        self.up = self.stage.up(self.stage.app("beside", service=False), project)
        self.assertEqual([answer["answers"] for answer in self.ask(*questions)], before)


FOUR = "[[machines]]\n  count = 4\n"


@harness.as_root_and_user
class Settings(Asking):
    def orders(self, project_file="", options=()):
        """The orders of the addresses in sixty answers."""
        self.up = self.stage.up(self.stage.app("one", project_file=FOUR + project_file), options=options)
        orders = {tuple(data for _, data, _ in answer["answers"]) for answer in self.ask("one.internal AAAA", repeats=60)}
        for order in orders:
            self.assertEqual(sorted(order), self.addresses())
        return orders

    def test_addresses_come_in_the_order_of_their_machines(self):
        self.assertEqual(self.orders(), {tuple(m["private_ip"] for m in self.up.machines())})

    def test_a_random_order_is_another_one_now_and_then(self):
        self.assertGreater(len(self.orders(project_file='[dns]\norder = "random"\n')), 1)
        # What is nearest is sorted all the same: in one region, by age.
        nearest = {tuple(data for _, data, _ in answer["answers"]) for answer in self.ask("top4.nearest.of.one.internal AAAA", repeats=20)}
        self.assertEqual(nearest, {tuple(m["private_ip"] for m in self.up.machines())})

    def test_the_command_line_goes_before_flylocal_toml(self):
        self.assertEqual(len(self.orders(project_file='[dns]\norder = "random"\n', options=("--dns-order", "fixed"))), 1)

    def test_reverse_names_for_those_who_want_them(self):
        self.up = self.stage.up(self.stage.app("one"), options=("--ptr",))
        machine = self.up.machine()
        pointer = ipaddress.ip_address(machine["private_ip"]).reverse_pointer
        self.assertEqual(self.records(f"{pointer} PTR"), [f"{machine['id']}.vm.one.internal"])
        code = f"import socket\nprint(socket.gethostbyaddr({machine['private_ip']!r})[0])"
        # The machine's own hosts file has names for its own address; a name of the resolver is asked for by another.
        self.assert_ok(self.stage.flylocal("scale", "count", "2"))
        other = next(m for m in self.up.machines() if m["id"] != machine["id"])
        self.assertEqual(self.up.python(code, machine=other["id"]).strip(), f"{machine['id']}.vm.one.internal")

    def test_reverse_names_by_flylocal_toml(self):
        self.up = self.stage.up(self.stage.app("one", project_file="[dns]\nreverse = true\n"))
        machine = self.up.machine()
        pointer = ipaddress.ip_address(machine["private_ip"]).reverse_pointer
        self.assertEqual(self.records(f"{pointer} PTR"), [f"{machine['id']}.vm.one.internal"])

    def test_the_name_servers_of_flylocal_toml_are_asked_unless_the_command_line_names_others(self):
        of_the_file, of_the_line = NameServer(self.stage), NameServer(self.stage)
        project = self.stage.app("one", project_file=f'[dns]\nservers = ["{of_the_file.address}"]\n')
        self.up = self.stage.up(project)
        self.assertEqual(self.records("first.example A"), [NameServer.IPV4])
        self.up.stop()
        self.up = self.stage.up(project, options=("--dns", of_the_line.address))
        self.assertEqual(self.records("second.example A"), [NameServer.IPV4])
        self.assertTrue(of_the_file.was_asked("first.example"))
        self.assertFalse(of_the_file.was_asked("second.example"))
        self.assertTrue(of_the_line.was_asked("second.example"))

    def test_of_projects_that_differ_the_first_decides_and_the_other_is_told(self):
        self.up = self.stage.up(self.stage.app("one", project_file=FOUR + '[dns]\norder = "random"\n'),
                                self.stage.app("two", project_file='[dns]\norder = "fixed"\nreverse = true\n', service=False))
        self.assertIn("two: flylocal.toml's dns.order is fixed, and one's is random", self.up.output())
        orders = {tuple(data for _, data, _ in answer["answers"]) for answer in self.ask("one.internal AAAA", repeats=60)}
        self.assertGreater(len(orders), 1)
        machine = self.up.machine("two")
        pointer = ipaddress.ip_address(machine["private_ip"]).reverse_pointer
        self.assertEqual(self.records(f"{pointer} PTR"), [f"{machine['id']}.vm.two.internal"])

    def test_flylocal_test_takes_the_settings_too(self):
        server = NameServer(self.stage)
        code = (harness.SOURCES / "apps" / "dns_questions.py").read_text()
        path = os.path.join(self.stage.directory, "dns_questions.py")
        with open(path, "w") as file:
            file.write(code)
        done = self.stage.flylocal("test", self.stage.app("one"), "--inside", "--settle", "0", "--dns", server.address, "--",
                                   harness.python(), path, "udp", "-", "1", "outside.example A", "one.fly.dev A")
        self.assert_ok(done)
        outside, public = json.loads(done.stdout)
        self.assertEqual([data for _, data, _ in outside["answers"]], [NameServer.IPV4])
        self.assertIn(ipaddress.ip_address(public["answers"][0][1]), PUBLIC_IPV4)


class Mistakes(harness.Case):
    needs_sandbox = False

    def test_what_is_no_name_server_is_refused_before_anything_runs(self):
        project = self.stage.app("one")
        for command in ("up", "check"):
            for word in ("dns.example", "fdaa::3", "1.2.3.4:0", ""):
                done = self.stage.flylocal(command, project, "--dns", word)
                self.assertEqual(done.returncode, 2, f"{word}: {done.stdout}{done.stderr}")
                self.assertIn("--dns", done.stderr, word)

    def test_an_order_is_fixed_or_random(self):
        done = self.stage.flylocal("up", self.stage.app("one"), "--dns-order", "shuffle")
        self.assertEqual(done.returncode, 2)
        self.assertIn("allowed: fixed, random", done.stderr)

    def test_a_domain_belongs_to_one_app(self):
        domains = 'domains = ["shop.example"]\n'
        done = self.stage.flylocal("up", self.stage.app("one", project_file=domains), self.stage.app("two", project_file=domains))
        self.assertEqual(done.returncode, 2)
        self.assertIn("shop.example is a domain of one and of two", done.stderr)

    def test_a_domain_that_cannot_be_is_named_with_its_place(self):
        done = self.stage.flylocal("up", self.stage.app("one", project_file='domains = ["one.fly.dev"]\n'))
        self.assertEqual(done.returncode, 2)
        self.assertIn("flylocal.toml:1:12: domains: one.fly.dev cannot be a domain of the app", done.stderr)


if __name__ == "__main__":
    harness.main()
