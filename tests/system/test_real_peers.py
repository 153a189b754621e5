"""Clients and servers that people use, at the two ends of the proxy: WebSockets of Python and of Node (its server over HTTP/2, too), Go's net/http, nginx and HAProxy
behind proxy_proto, PostgreSQL behind pg_tls. Those that are not installed are left out by name.

websocket.py and websocket.cjs in http_clients do the same with the URL that they get: they send "hello", then 2 MB of octets, and print
what came back and how much; after a ping and its pong they ask to be left with the code 4001, and print code and reason.
"""
import glob
import importlib.util
import os
import re
import shutil
import socket
import ssl
import unittest

import harness

CLIENTS = harness.SOURCES / "http_clients"
NODE_MODULES = "/usr/share/nodejs"
NGINX = """daemon off;
pid {dir}/nginx.pid;
error_log stderr;
events {{ }}
http {{
  access_log off;
  server {{
    listen 8080 proxy_protocol;
    location / {{ return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port"; }}
  }}
}}
"""
HAPROXY = """defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend web
  bind 0.0.0.0:8080 accept-proxy
  http-request return status 200 content-type text/plain lf-string "%ci %cp %fp"
"""
# PostgreSQL does not run as root.
POSTGRES = """set -e
export PATH={path}:$PATH
as="setpriv --reuid nobody --regid nogroup --clear-groups"
install -d -o nobody -g nogroup -m 700 data
echo secret > password
chmod 644 password
$as initdb -D data -U me --pwfile password -A scram-sha-256 --no-sync --no-locale -E UTF8 > /dev/null
echo "host all all 0.0.0.0/0 scram-sha-256" >> data/pg_hba.conf
exec $as postgres -D data -F -c listen_addresses=0.0.0.0 -c port=8080 -c unix_socket_directories=
"""


def raw_service(external, *handlers, version="v1"):
    listed = ", ".join(f'"{handler}"' for handler in handlers)
    options = f'\n    proxy_proto_options = {{ version = "{version}" }}' if "proxy_proto" in handlers else ""
    return f"""
[[services]]
  internal_port = 8080
  protocol = "tcp"
  processes = ["app"]
  [[services.ports]]
    port = {external}
    handlers = [{listed}]{options}
"""


def need(program):
    path = shutil.which(program, path=harness.program_path() + ":/usr/local/sbin:/usr/sbin:/sbin")
    if not path:
        raise unittest.SkipTest(f"{program} is not installed")
    return path


def need_websockets():
    if not importlib.util.find_spec("websockets"):
        raise unittest.SkipTest("Python's websockets is not installed")


def need_ws():
    if not os.path.isdir(os.path.join(NODE_MODULES, "ws")):
        raise unittest.SkipTest("Node's ws is not installed")


def ca_of(stage):
    return os.path.join(stage.state_directory, "certs", "ca.pem")


class WebSocketClients:
    """What they do with the app `chat`, once it is up."""

    def check(self, *words, **env):
        for url in (f"ws://localhost:{self.up.host_port(80)}/", f"wss://localhost:{self.up.host_port(443)}/"):
            with self.subTest(url=url):
                told = self.assert_ok(self.stage.run(*words, url, env=env)).stdout
                self.assertEqual(told.splitlines(), ["hello", "2097152", "4001 as you wish"])

    def test_python(self):
        self.check(harness.python(), str(CLIENTS / "websocket.py"), SSL_CERT_FILE=ca_of(self.stage))

    def test_node(self):
        need_ws()
        self.check(need("node"), str(CLIENTS / "websocket.cjs"), NODE_PATH=NODE_MODULES, NODE_EXTRA_CA_CERTS=ca_of(self.stage))


@harness.shared_as_root_and_user
class WebSockets(WebSocketClients):
    @classmethod
    def prepare(cls):
        need_websockets()
        cls.up = cls.stage.up(cls.stage.app("chat", program="chat.py", arguments="8080"))
        harness.eventually(lambda: cls.up.get().status == 426, "the server's word that it is for WebSockets")


@harness.shared_as_root_and_user
class WebSocketsOverHttp2(WebSocketClients):
    """The app speaks HTTP/2, and the clients do not know."""

    @classmethod
    def prepare(cls):
        need_websockets()
        need_ws()
        project = cls.stage.project({
            "fly.toml": f"""app = "chat"
primary_region = "ams"
[env]
  NODE_PATH = "{NODE_MODULES}"
[processes]
  app = "{need("node")} chat_http2.cjs 8080"
[http_service]
  internal_port = 8080
  processes = ["app"]
  [http_service.http_options]
    h2_backend = true
""",
            "chat_http2.cjs": (harness.SOURCES / "apps" / "chat_http2.cjs").read_text()}, "chat")
        cls.up = cls.stage.up(project)
        harness.eventually(lambda: cls.up.get().status == 426, "the server's word that it is for WebSockets")


@harness.as_root_and_user
class LeavingMachine:
    """The machine that autostop takes has a WebSocket open."""

    def test_the_client_is_told_and_the_others_go_on(self):
        need_websockets()
        self.up = self.stage.up(
            self.stage.app("chat", program="chat.py", arguments="8080", toml='  auto_stop_machines = "stop"\n  min_machines_running = 0\n',
                           project_file='[[machines]]\n  region = "ams"\n  count = 2\n'),
            options=["--no-http-probe"])
        harness.eventually(lambda: self.up.get().status == 426 and [one["state"] for one in self.up.machines()] == ["started", "started"],
                           "both machines")
        told = self.assert_ok(self.stage.run(harness.python(), str(CLIENTS / "leaving.py"), f"ws://localhost:{self.up.host_port(80)}/",
                                             harness.binary())).stdout
        self.assertRegex(told, r"^\d+ left with 1001, \d+ go on\n$")
        left, staying = (int(number) for number in re.findall(r"\d+(?= left| go)", told))
        self.assertEqual(left + staying, 16)
        self.assertTrue(left and staying, told)


@harness.shared_as_root_and_user
class Go:
    @classmethod
    def prepare(cls):
        source = shutil.copy(CLIENTS / "client.go", cls.stage.make_directory("go"))
        cls.client = os.path.join(os.path.dirname(source), "client")
        own = {"GOCACHE": cls.stage.make_directory("go/cache"), "GO111MODULE": "off", "GOFLAGS": "", "CGO_ENABLED": "0"}
        built = cls.stage.run(need("go"), "build", "-o", cls.client, source, env=own, timeout=300)
        if built.returncode != 0:
            raise AssertionError(built.stderr)
        cls.up = cls.stage.up(cls.stage.app())
        cls.up.wait_until_listening()

    def check(self, url, protocol, **env):
        told = self.assert_ok(self.stage.run(self.client, url, env={"SSL_CERT_FILE": ca_of(self.stage), **env})).stdout
        self.assertEqual(told.splitlines(), [f"{protocol} 200 false", f"{protocol} 200 true"])

    def test_http1(self):
        self.check(f"http://localhost:{self.up.host_port(80)}", "HTTP/1.1")

    def test_http1_over_tls(self):
        self.check(f"https://localhost:{self.up.host_port(443)}", "HTTP/1.1", GODEBUG="http2client=0")

    def test_http2(self):
        self.check(f"https://localhost:{self.up.host_port(443)}", "HTTP/2.0")


class BehindProxyProto:
    """A server that knows the client from the PROXY header only."""
    services = raw_service(9001, "proxy_proto") + raw_service(9002, "tls", "proxy_proto", version="v2")

    def app(self, name, command, path, text):
        fly_toml = f'app = "{name}"\n[processes]\n  app = "{command}"\n{self.services}'
        directory = os.path.join(self.stage.directory, name)
        return self.stage.project({"fly.toml": fly_toml.replace("{dir}", directory), path: text.format(dir=directory)}, name)

    def ask(self, address, port, context):
        """Returns the client's own port, and what the server told."""
        with socket.create_connection((address, port), timeout=harness.PATIENCE) as connection:
            own_port = connection.getsockname()[1]
            if context:
                connection = context.wrap_socket(connection, server_hostname="localhost")
            with connection:
                connection.sendall(b"GET / HTTP/1.0\r\nHost: any\r\n\r\n")
                answer = b"".join(iter(lambda: connection.recv(4096), b""))
        return own_port, answer.split(b"\r\n\r\n", 1)[-1].decode()

    def is_there(self, up):
        try:
            return self.ask("127.0.0.1", up.host_port(9001), None)[1] != ""
        except ConnectionError:
            return False

    def check(self, up):
        harness.eventually(lambda: self.is_there(up), "an answer")
        context = ssl.create_default_context(cafile=ca_of(self.stage))
        for external, address in ((9001, "127.0.0.1"), (9001, "::1"), (9002, "127.0.0.1"), (9002, "::1")):
            with self.subTest(port=external, client=address):
                own_port, told = self.ask(address, up.host_port(external), context if external == 9002 else None)
                self.assertEqual(told.split(), [address, str(own_port), str(external)])


@harness.as_root_and_user
class Nginx(BehindProxyProto):
    def test_it_learns_the_client(self):
        need("nginx")
        self.check(self.stage.up(self.app("front", "nginx -p {dir} -e stderr -c {dir}/nginx.conf", "nginx.conf", NGINX)))


@harness.as_root_and_user
class Haproxy(BehindProxyProto):
    def test_it_learns_the_client(self):
        need("haproxy")
        self.check(self.stage.up(self.app("front", "haproxy -db -f {dir}/haproxy.cfg", "haproxy.cfg", HAPROXY)))


@harness.as_root_and_user
class Postgres:
    def test_psql_speaks_to_it_by_name_and_password(self):
        need("psql")
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
        if not programs:
            self.skipTest("PostgreSQL's server is not installed")
        directory = os.path.join(self.stage.directory, "store")
        toml = f'app = "store"\n[processes]\n  app = "sh -c \'cd {directory} && exec sh start.sh\'"\n' + raw_service(5432, "pg_tls")
        self.stage.project({"fly.toml": toml, "start.sh": POSTGRES.format(path=os.path.dirname(programs[-1]))}, "store")
        up = self.stage.up(directory)

        def psql(question, **settings):
            settings = {"host": "store.localhost", "hostaddr": "127.0.0.1", "port": up.host_port(5432), "user": "me", "dbname": "postgres",
                        "sslmode": "verify-full", "sslrootcert": ca_of(self.stage), "password": "secret", **settings}
            words = " ".join(f"{key}={value}" for key, value in settings.items())
            return self.stage.run(need("psql"), "-XAt", "-c", question, words)

        harness.eventually(lambda: psql("select 1").returncode == 0, "an answer of PostgreSQL")
        self.assertEqual(self.assert_ok(psql("select current_user")).stdout.strip(), "me")
        rows = self.assert_ok(psql("select repeat(md5(n::text), 100) from generate_series(1, 5000) n")).stdout.splitlines()
        self.assertEqual((len(rows), {len(row) for row in rows}), (5000, {3200}))
        self.assertIn("password authentication failed", psql("select 1", password="wrong").stderr)


if __name__ == "__main__":
    harness.run_with_modules("websockets")
    harness.main()
