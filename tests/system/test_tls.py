"""Ports with the tls, pg_tls and proxy_proto handlers, and the local authority, as real clients meet them."""
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import stat

import harness

NAME = "hello.localhost"
SERVICES = """
[[services]]
  internal_port = 9001
  protocol = "tcp"
  processes = ["app"]
  [[services.ports]]
    port = 9001
    handlers = ["tls"]
    tls_options = { alpn = ["capitals"], versions = ["TLSv1.3"] }
[[services]]
  internal_port = 9002
  protocol = "tcp"
  processes = ["app"]
  [[services.ports]]
    port = 9002
    handlers = ["tls", "proxy_proto"]
  [[services.ports]]
    port = 9012
    handlers = ["proxy_proto"]
    proxy_proto_options = { version = "v2" }
[[services]]
  internal_port = 9003
  protocol = "tcp"
  processes = ["app"]
  [[services.ports]]
    port = 5432
    handlers = ["pg_tls"]
"""


def require(program):
    path = shutil.which(program, path=harness.program_path())
    if not path:
        raise AssertionError(f"{program} is not installed")
    return path


@harness.shared_as_root_and_user
class OneApp:
    @classmethod
    def prepare(cls):
        source = (harness.SOURCES / "apps" / "server.py").read_text()
        project = cls.stage.app("hello", program="handlers.py", files={"server.py": source}, toml=SERVICES,
                                project_file='[tls]\ndomains = ["hello.example"]\n')
        cls.up = cls.stage.up(project)
        cls.up.wait_until_listening()
        cls.port = cls.up.host_port(443)
        cls.certs = os.path.join(cls.stage.state_directory, "certs")
        cls.ca = os.path.join(cls.certs, "ca.pem")

    def url(self, path="/", name=NAME):
        return f"https://{name}:{self.port}{path}"

    def curl(self, *options, name=NAME, path="/"):
        return self.stage.run(require("curl"), "-sS", "--cacert", self.ca, "--resolve", f"{name}:{self.port}:127.0.0.1",
                              "-w", "\n%{http_version} %{ssl_verify_result}", *options, self.url(path, name))

    @contextlib.contextmanager
    def secure(self, external, name=NAME, alpn=None):
        context = ssl.create_default_context(cafile=self.ca)
        if alpn:
            context.set_alpn_protocols([alpn])
        with socket.create_connection(("127.0.0.1", self.up.host_port(external)), timeout=harness.PATIENCE) as plain:
            with context.wrap_socket(plain, server_hostname=name) as connection:
                yield connection

    # ---- tls and http

    def test_curl_gets_an_answer_over_each_version_of_tls(self):
        for options in (["--tlsv1.3"], ["--tlsv1.2", "--tls-max", "1.2"]):
            done = self.assert_ok(self.curl("--http1.1", *options))
            body, last = done.stdout.rsplit("\n", 1)
            self.assertEqual(json.loads(body)["app"], "hello")
            self.assertEqual(last, "1.1 0")
        refused = self.curl("--tls-max", "1.1", "--tlsv1.1")
        self.assertNotEqual(refused.returncode, 0)

    def test_a_browser_that_trusts_the_authority_loads_a_page_over_http2(self):
        if not (shutil.which("chromium") and shutil.which("certutil")):
            self.skipTest("chromium and certutil are not installed")
        home = self.stage.make_directory("browser")
        store = "sql:" + self.stage.make_directory("browser/.pki/nssdb")
        own = {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}
        self.assert_ok(self.stage.run("certutil", "-d", store, "-N", "--empty-password", env=own))

        def page():
            done = self.stage.run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
                                  f"--user-data-dir={home}/profile", "--dump-dom", self.url(), env=own)
            return done.stdout
        self.assertNotIn(self.up.machine()["id"], page())
        self.assert_ok(self.stage.run("certutil", "-d", store, "-A", "-t", "C,,", "-n", "flylocal", "-i", self.ca, env=own))
        seen = page()
        self.assertIn(self.up.machine()["id"], seen)
        self.assertIn("2 fly.io", seen)

    def test_without_the_authority_a_client_does_not_trust_the_certificate(self):
        done = self.stage.run(require("curl"), "-sS", "--resolve", f"{NAME}:{self.port}:127.0.0.1", self.url())
        self.assertEqual(done.returncode, 60, done.stderr)

    def test_every_name_of_the_app_has_a_certificate_and_others_have_none(self):
        for name in ("hello.localhost", "hello.fly.dev", "hello.example", "localhost", "127.0.0.1"):
            self.assert_ok(self.curl(name=name))
        unknown = self.curl(name="other.example")
        self.assertEqual(unknown.returncode, 35, unknown.stderr)

    def test_large_bodies_go_both_ways(self):
        path = os.path.join(self.stage.directory, "large")
        content = os.urandom(1 << 20) * 8
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o644)
        with open(path, "rb") as file:
            context = ssl.create_default_context(cafile=self.ca)
            connection = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=harness.PATIENCE)
            connection.request("POST", "/echo", body=file, headers={"Content-Length": str(len(content))})
            answer = connection.getresponse()
            self.assertEqual((answer.status, answer.read() == content), (200, True))
            connection.close()

    def test_plain_http_to_the_tls_port_is_told_the_url(self):
        answer = self.up.get("/path", port=self.port, headers={"Host": f"{NAME}:{self.port}"})
        self.assertEqual(answer.status, 400)
        self.assertIn(self.url("/path"), answer.text)

    def test_openssl_resumes_sessions(self):
        openssl = require("openssl")
        common = ["s_client", "-connect", f"127.0.0.1:{self.port}", "-servername", NAME, "-CAfile", self.ca, "-verify_return_error"]
        again = self.assert_ok(self.stage.run(openssl, *common, "-tls1_2", "-reconnect"))
        self.assertEqual(len(re.findall("^Reused, TLSv1.2", again.stdout, re.M)), 5, again.stdout)
        for version in ("-tls1_2", "-tls1_3"):
            session = os.path.join(self.stage.home, "session" + version)
            request = f"GET / HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n"
            self.assert_ok(self.stage.run(openssl, *common, version, "-ign_eof", "-sess_out", session, stdin=request))
            second = self.assert_ok(self.stage.run(openssl, *common, version, "-ign_eof", "-sess_in", session, stdin=request))
            self.assertRegex(second.stdout, "(?m)^Reused, TLSv1")
            self.assertIn('"app": "hello"', second.stdout)

    def test_node_trusts_the_authority_by_its_variable(self):
        code = f"fetch('https://localhost:{self.port}/').then(a => a.json()).then(a => console.log(a.app))"
        node = require("node")
        told = self.assert_ok(self.stage.run(node, "-e", code, env={"NODE_EXTRA_CA_CERTS": self.ca}))
        self.assertEqual(told.stdout.strip(), "hello")
        self.assertNotEqual(self.stage.run(node, "-e", code).returncode, 0)

    def test_python_trusts_the_authority_by_its_variable(self):
        code = f"import json, urllib.request as r; print(json.load(r.urlopen('https://localhost:{self.port}/'))['app'])"
        told = self.assert_ok(self.stage.run(harness.python(), "-c", code, env={"SSL_CERT_FILE": self.ca}))
        self.assertEqual(told.stdout.strip(), "hello")
        self.assertIn("CERTIFICATE_VERIFY_FAILED", self.stage.run(harness.python(), "-c", code).stderr)

    # ---- tls alone, with tls_options

    def test_a_tcp_service_behind_tls(self):
        with self.secure(9001, alpn="capitals") as connection:
            self.assertEqual((connection.version(), connection.selected_alpn_protocol()), ("TLSv1.3", "capitals"))
            file = connection.makefile("rwb")
            for line in (b"one\n", b"x" * 100000 + b"\n"):
                file.write(line)
                file.flush()
                self.assertEqual(file.readline(), line.upper())

    def test_alpn_that_the_port_does_not_have_is_refused(self):
        with self.assertRaisesRegex(ssl.SSLError, "(?i)no.application.protocol"), self.secure(9001, alpn="http/1.1"):
            pass

    # ---- proxy_proto

    def test_a_server_behind_tls_and_proxy_proto_learns_the_client(self):
        with self.secure(9002) as connection:
            file = connection.makefile("rwb")
            file.write(b"after\n")
            file.flush()
            port = connection.getsockname()[1]
            self.assertEqual(file.readline().decode(), f"PROXY TCP4 127.0.0.1 127.0.0.1 {port} 9002\r\n")
            self.assertEqual(file.readline(), b"after\n")

    def test_proxy_proto_version_2_over_both_ip_versions(self):
        for address, family, loopback in (("127.0.0.1", "11", "7f000001"), ("::1", "21", "0" * 31 + "1")):
            with socket.create_connection((address, self.up.host_port(9012)), timeout=harness.PATIENCE) as connection:
                file = connection.makefile("rwb")
                header = file.readline().decode().strip()
                size = len(loopback) + 4
                ports = f"{connection.getsockname()[1]:04x}{9012:04x}"
                self.assertEqual(header, f"0d0a0d0a000d0a515549540a21{family}{size:04x}{loopback * 2}{ports}")

    # ---- pg_tls

    def psql(self, **settings):
        settings = {"host": NAME, "hostaddr": "127.0.0.1", "port": self.up.host_port(5432), "user": "me", "dbname": "any",
                    "sslrootcert": self.ca, **settings}
        words = " ".join(f"{key}={value}" for key, value in settings.items())
        return self.stage.run(require("psql"), "-XAt", "-c", "select current_user", words)

    def test_psql_verifies_the_certificate_and_asks_the_server(self):
        self.assertEqual(self.assert_ok(self.psql(sslmode="verify-full")).stdout.strip(), "me")

    def test_psql_without_tls_is_told_to_use_it(self):
        done = self.psql(sslmode="disable")
        self.assertEqual(done.returncode, 2)
        self.assertIn("encrypted connections only", done.stderr)
        self.assertIn("sslmode=require", done.stderr)

    # ---- flylocal certs

    def test_the_key_is_the_owners_alone(self):
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.certs, "ca-key.pem")).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.ca).st_mode), 0o644)

    def test_certs_ca_tells_the_file_and_how_to_trust_it(self):
        text = self.assert_ok(self.stage.flylocal("certs", "ca")).stdout
        for word in (self.ca, "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "certutil", "policies.json", "update-ca-certificates"):
            self.assertIn(word, text)
        with open(self.ca) as file:
            pem = file.read()
        self.assertEqual(self.assert_ok(self.stage.flylocal("certs", "ca", "--pem")).stdout, pem)
        as_json = json.loads(self.assert_ok(self.stage.flylocal("certs", "ca", "--json")).stdout)
        self.assertEqual((as_json["path"], as_json["pem"]), (self.ca, pem))

    def test_certs_list_and_show_have_what_clients_saw(self):
        self.assert_ok(self.curl())
        with self.secure(443) as connection:
            serial = connection.getpeercert()["serialNumber"]
        listed = json.loads(self.assert_ok(self.stage.flylocal("certs", "list", "--json")).stdout)
        self.assertIn((NAME, serial), [(one["subject"], one["serial"]) for one in listed])
        self.assertIn(serial, self.assert_ok(self.stage.flylocal("certs", "list")).stdout)
        self.assertIn(serial, self.assert_ok(self.stage.flylocal("certs", "show", NAME)).stdout)
        unknown = self.stage.flylocal("certs", "show", "unknown.example")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("unknown.example has no certificate", unknown.stderr)


class TwoApps(harness.Case):
    def test_sni_chooses_between_apps_that_share_a_port(self):
        service = ('[[services]]\n  internal_port = 9001\n  protocol = "tcp"\n  processes = ["app"]\n'
                   '  [[services.ports]]\n    port = 9001\n    handlers = ["tls"]\n')
        shout = "import socketserver\nclass H(socketserver.StreamRequestHandler):\n  def handle(self): self.wfile.write(b'{}')\n" \
                "socketserver.ThreadingTCPServer.address_family = socketserver.socket.AF_INET6\n" \
                "socketserver.ThreadingTCPServer(('::', 9001), H).serve_forever()\n"
        projects = []
        for name in ("one", "two"):
            project = self.stage.app(name, service=False, toml=service)
            with open(os.path.join(project, "server.py"), "w") as file:
                file.write(shout.format(name))
            projects.append(project)
        up = self.stage.up(*projects)
        self.assertEqual(up.host_port(9001, app="one"), up.host_port(9001, app="two"))
        context = ssl.create_default_context(cafile=os.path.join(self.stage.state_directory, "certs", "ca.pem"))

        def ask(name):
            with socket.create_connection(("127.0.0.1", up.host_port(9001)), timeout=harness.PATIENCE) as plain:
                with context.wrap_socket(plain, server_hostname=name) as connection:
                    return connection.recv(100).decode()
        for name in ("one", "two"):
            self.assertEqual(ask(f"{name}.localhost"), name)
        # Two apps have no default between them.
        with self.assertRaisesRegex(ssl.SSLError, "(?i)unrecognized.name"):
            ask("localhost")


class Authority(harness.Case):
    needs_sandbox = False

    def test_certs_ca_makes_the_authority_once_and_list_begins_empty(self):
        self.assertIn("No certificate", self.assert_ok(self.stage.flylocal("certs", "list")).stdout)
        first = self.assert_ok(self.stage.flylocal("certs", "ca", "--pem")).stdout
        self.assertEqual(self.assert_ok(self.stage.flylocal("certs", "ca", "--pem")).stdout, first)

    def test_a_key_that_others_can_read_is_refused(self):
        self.assert_ok(self.stage.flylocal("certs", "ca"))
        os.chmod(os.path.join(self.stage.state_directory, "certs", "ca-key.pem"), 0o644)
        done = self.stage.flylocal("certs", "ca")
        self.assertEqual(done.returncode, 2)
        self.assertIn("chmod 600", done.stderr)


if __name__ == "__main__":
    harness.main()
