"""Real servers, how they are told to listen, and who reaches them then.

A row is (name, words, outcome). The words take the place of {x} in the server's command and files; the outcome is what
real connects found when the row was written, so a server that changes its ways shows. To add a server: a Server with
its packages, its command line as it stands in fly.toml, and its rows; to see what it does: catalog.py --truth --only NAME.

In commands, files and setups these are replaced:
  {x} the row's words   {port} the row's port   {dir} the app's directory, which is also the working directory
  {programs} tests/catalog/programs   {built} what BUILDS made of them   {cache} build/catalog, with the node_modules
  {cpu} x64 or arm64, as npm's packages name it
"""
import dataclasses
import typing


# ---- who gets through -------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Outcome:
    """Who reaches a server that listens so, and which codes of the report fit."""
    name: str
    proxy: bool  # Fly Proxy's way for TCP; for UDP: the answer comes from fly-global-services
    six_pn: bool
    codes: tuple  # any of these for the path that the service needs
    udp: bool = False
    starts: bool = True


BOTH = Outcome("both", True, True, ("ok",))
PROXY = Outcome("proxy", True, False, ("ok", "ipv4-only"))
PRIVATE = Outcome("proxy", True, False, ("ok", "private-ipv4-only"))  # 172.19.x.2 itself and no wildcard
V6ONLY = Outcome("6pn", False, True, ("ipv6-only",))  # [::] with IPV6_V6ONLY
SIX_PN = Outcome("6pn", False, True, ("6pn-only",))  # the 6PN address itself
LOOPBACK = Outcome("loopback", False, False, ("loopback-only",))
GLOBAL = Outcome("global", False, False, ("global-services-only",))
WRONG_PORT = Outcome("wrong port", False, False, ("wrong-port",))
SILENT = Outcome("silent", False, False, ("nothing-listening",))
UDP_ONLY = Outcome("udp only", False, False, ("udp-only",))
# Programs that end instead of listening.
NAME = Outcome("fails", False, False, ("name-not-accepted",), starts=False)
# The same, where the error does not say that it is about the name.
NAME_UNSAID = Outcome("fails", False, False, ("name-not-accepted", "not-running"), starts=False)
FAMILY = Outcome("fails", False, False, ("family-not-supported",), starts=False)
WILDCARDS = Outcome("fails", False, False, ("wildcards-collide",), starts=False)
IN_USE = Outcome("fails", False, False, ("address-in-use",), starts=False)
CRASH = Outcome("fails", False, False, ("not-running",), starts=False)

UDP_OK = Outcome("udp", True, False, ("ok",), udp=True)
UDP_BOTH = Outcome("udp both", True, True, ("ok",), udp=True)
UDP_WRONG = Outcome("udp wrong", False, False, ("udp-wrong-source",), udp=True)
UDP_WRONG_BOTH = Outcome("udp wrong", False, True, ("udp-wrong-source",), udp=True)
UDP_SIX_PN = Outcome("udp 6pn", False, True, ("udp-unreachable",), udp=True)
UDP_NONE = Outcome("udp none", False, False, ("udp-unreachable",), udp=True)


@dataclasses.dataclass(frozen=True)
class Server:
    name: str
    run: str  # the command line in fly.toml
    rows: tuple
    port: int = 0  # internal_port
    http: bool = True  # http_service, else a raw TCP service
    debian: str = ""  # packages, separated by blanks
    npm: str = ""  # packages with the major version, which may decide what "default" means
    setup: str = ""  # shell, before the program
    files: dict = dataclasses.field(default_factory=dict)
    env: dict = dataclasses.field(default_factory=dict)
    build: str = ""  # an entry of BUILDS
    ask: str = "echo"  # the datagram that a UDP server answers: echo, dns or stun
    retries: int = 2  # restarts after a failure; the 10 that fly.toml means by default take a minute
    also: tuple = ()  # codes that fit besides the outcome's, of what the server says to a stranger


@dataclasses.dataclass(frozen=True)
class Case:
    """A row with its server's fields. `id` is the app's name as well."""
    id: str
    server: str
    words: str
    outcome: Outcome
    port: int
    run: str
    http: bool
    debian: tuple
    npm: tuple
    setup: str
    files: dict
    env: dict
    build: str
    ask: str
    retries: int
    also: tuple

    @property
    def udp(self):
        return self.outcome.udp


class Row(typing.NamedTuple):
    name: str
    words: str
    outcome: Outcome
    changes: dict


def row(name, words, outcome, **changes):
    """A row; `changes` are fields of Server that differ in it. `env` is added to the server's."""
    return Row(name, words, outcome, changes)


# ---- what is made before ----------------------------------------------------------------------------------------

# Name -> shell. $BUILT is an empty directory, $PROGRAMS and $CACHE as above.
BUILDS = {
    "go": 'GO111MODULE=off GOFLAGS= GOCACHE="$BUILT/cache" go build -o "$BUILT/listen-go" "$PROGRAMS/listen.go"',
    "rust": 'rustc -O -o "$BUILT/listen-rust" "$PROGRAMS/listen.rs"',
    "java": 'javac -d "$BUILT" "$PROGRAMS/Listen.java"',
    "erlang": 'erlc -o "$BUILT" "$PROGRAMS/echo.erl"',
    # Next.js wants its packages at or above the project, so this one is in the cache. It is kept: to build it takes long.
    "next": """cd "$CACHE" && mkdir -p next/pages && cd next
        echo 'module.exports = {output: "standalone"};' >next.config.js
        echo 'export default function Page() { return "ok"; }' >pages/index.js
        [ -f .next/standalone/server.js ] || [ -f .next/standalone/next/server.js ] ||
          NEXT_TELEMETRY_DISABLED=1 node ../node_modules/next/dist/bin/next build --webpack""",
}


# ---- configurations ---------------------------------------------------------------------------------------------

NGINX = """daemon off;
user root;
pid {dir}/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  server {
    {x}
    location / { return 200 "ok\\n"; }
  }
}
"""

APACHE = """ServerName app
ServerRoot {dir}
DefaultRuntimeDir {dir}
PidFile {dir}/pid
ErrorLog /dev/stderr
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
User www-data
Group www-data
DocumentRoot /usr/share/apache2/default-site
{x}
"""

LIGHTTPD = """server.document-root = "{dir}"
server.modules = ("mod_staticfile")
server.port = 80
index-file.names = ("index.html")
{x}
"""

HAPROXY = """defaults
  mode http
  timeout client 5s
  timeout connect 5s
  timeout server 5s
frontend web
  bind {x}
  http-request return status 200 content-type text/plain string ok
"""

CADDY = """{
  admin off
  auto_https off
}
{x}
"""

SQUID = """http_port {x}
http_access deny all
pid_filename none
access_log none
cache_log /dev/null
coredump_dir /
visible_hostname app
"""

TOMCAT = """<Server port="-1">
  <Service name="Catalina">
    <Connector port="8080" {x}/>
    <Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps"/></Engine>
  </Service>
</Server>
"""

PGBOUNCER = """[databases]
[pgbouncer]
{x}
unix_socket_dir =
auth_type = any
logfile =
pidfile =
"""

PHP_FPM = """[global]
error_log = /dev/stderr
daemonize = no
[www]
user = www-data
group = www-data
listen = {x}
pm = static
pm.max_children = 1
"""

RAILS_COMMAND = """APP_PATH = File.expand_path("../config/application", __dir__)
require "rails/commands"
"""
RAILS_APPLICATION = """require "rails"
require "action_controller/railtie"

class App < Rails::Application
  config.root = File.expand_path("..", __dir__)
  config.eager_load = false
  config.secret_key_base = "none"
  config.logger = Logger.new(STDERR)
  routes.append { root to: ->(env) { [200, {"Content-Type" => "text/plain"}, ["ok\\n"]] } }
end
"""
RAILS_RACK = """require_relative "config/application"
Rails.application.initialize!
run Rails.application
"""

PAGE = {"index.html": "ok\n"}

POSTGRES = "/usr/lib/postgresql/15/bin/"
AS_POSTGRES = "setpriv --reuid postgres --regid postgres --clear-groups "

# A machine's own setting, which makes [::] IPv6 alone for programs that do not set the option themselves.
BINDV6ONLY = "echo 1 >/proc/sys/net/ipv6/bindv6only"

BIND_TO_6PN = """sh -c 'exec {} [$FLY_PRIVATE_IP]:{port}'"""


# ---- web servers and proxies --------------------------------------------------------------------------------------

WEB_SERVERS = [
    Server("nginx", "nginx -p {dir} -c {dir}/nginx.conf", port=80, debian="nginx-light", files={"nginx.conf": NGINX}, rows=(
        row("default", "listen 80 default_server; listen [::]:80 default_server;", BOTH),
        row("v4", "listen 80;", PROXY),
        row("v6", "listen [::]:80;", V6ONLY),
        row("v6-off", "listen [::]:80 ipv6only=off;", BOTH),
        row("localhost", "listen localhost:80;", LOOPBACK),
        row("loopback", "listen 127.0.0.1:80;", LOOPBACK),
        row("6pn", "listen fly-local-6pn:80;", SIX_PN),
        row("global", "listen fly-global-services:80;", GLOBAL),
        row("wrong-port", "listen 80; listen [::]:80;", WRONG_PORT, port=8080),
    )),
    Server("apache", "apache2 -D FOREGROUND -f {dir}/apache.conf", port=80, debian="apache2-bin apache2-data",
           files={"apache.conf": APACHE}, rows=(
        row("default", "Listen 80", BOTH),
        row("v4", "Listen 0.0.0.0:80", PROXY),
        row("v6", "Listen [::]:80", BOTH),
        row("localhost", "Listen localhost:80", LOOPBACK),
        row("6pn", "Listen fly-local-6pn:80", SIX_PN),
    )),
    Server("lighttpd", "lighttpd -D -f {dir}/lighttpd.conf", port=80, debian="lighttpd",
           files={"lighttpd.conf": LIGHTTPD, **PAGE}, rows=(
        row("default", '$SERVER["socket"] == "[::]:80" {}', BOTH),
        row("v4", 'server.bind = "0.0.0.0"', PROXY),
        row("v6", 'server.bind = "[::]"', V6ONLY),
        row("loopback", 'server.bind = "127.0.0.1"', LOOPBACK),
        row("6pn", 'server.bind = "fly-local-6pn"', NAME),
        row("6pn-ipv6", 'server.use-ipv6 = "enable"\nserver.bind = "fly-local-6pn"', SIX_PN),
    )),
    Server("haproxy", "haproxy -db -f {dir}/haproxy.cfg", port=8080, debian="haproxy", files={"haproxy.cfg": HAPROXY}, rows=(
        row("default", ":8080", PROXY),
        row("star", "*:8080", PROXY),
        row("v6", ":::8080", BOTH),
        row("v4v6", ":::8080 v4v6", BOTH),
        row("v6only", ":::8080 v6only", V6ONLY),
        row("bindv6only", ":::8080", V6ONLY, setup=BINDV6ONLY),
        row("localhost", "localhost:8080", LOOPBACK),
        row("6pn", "fly-local-6pn:8080", SIX_PN),
    )),
    Server("caddy", "caddy run --config {dir}/Caddyfile --adapter caddyfile", port=8080, debian="caddy",
           files={"Caddyfile": CADDY}, env={"HOME": "{dir}"}, rows=(
        row("default", ":80 {\n  respond ok\n}", BOTH, port=80),
        row("site", "http://app.fly.dev {\n  respond ok\n}", BOTH, port=80),
        row("v4", ":8080 {\n  bind 0.0.0.0\n  respond ok\n}", BOTH),
        row("localhost", ":8080 {\n  bind localhost\n  respond ok\n}", LOOPBACK),
        row("6pn", ":8080 {\n  bind fly-local-6pn\n  respond ok\n}", SIX_PN),
    )),
    Server("varnish", "varnishd -F -j none -n {dir}/work -b none -a {x}", port=6081, debian="varnish gcc libc6-dev", http=False,
           also=("server-error",), rows=(
        row("default", ":6081", BOTH),
        row("6pn", "fly-local-6pn:6081", SIX_PN),
    )),
    Server("squid", "squid -N -d 1 -f {dir}/squid.conf", port=3128, debian="squid", files={"squid.conf": SQUID}, http=False, rows=(
        row("default", "3128", BOTH),
        row("v4", "0.0.0.0:3128", PROXY),
    )),
    Server("busybox", "busybox httpd -f -h {dir} -p {x}", port=8080, debian="busybox", files=PAGE, rows=(
        row("default", "8080", BOTH),
        row("v4", "0.0.0.0:8080", PROXY),
        row("loopback", "127.0.0.1:8080", LOOPBACK),
        row("6pn", "fly-local-6pn:8080", NAME),
        row("6pn-literal", "", SIX_PN, run=BIND_TO_6PN.replace("{}", "busybox httpd -f -h {dir} -p")),
    )),
    Server("tomcat", "/usr/share/tomcat10/bin/catalina.sh run", port=8080, debian="tomcat10-common openjdk-17-jre-headless",
           files={"base/conf/server.xml": TOMCAT}, setup="mkdir -p base/logs base/temp base/work base/webapps",
           env={"CATALINA_BASE": "{dir}/base", "CATALINA_HOME": "/usr/share/tomcat10"}, rows=(
        row("default", "", BOTH),
        row("v4", 'address="0.0.0.0"', BOTH),
        row("loopback", 'address="127.0.0.1"', LOOPBACK),
    )),
]


# ---- databases and queues: raw TCP --------------------------------------------------------------------------------

DATABASES = [
    Server("redis", 'redis-server --save "" --dir {dir} {x}', port=6379, http=False, debian="redis-server",
           also=("client-refused",), rows=(
        row("default", "", BOTH),
        row("debian", "--bind 127.0.0.1 -::1", LOOPBACK),
        row("v4", "--protected-mode no --bind 0.0.0.0", PROXY),
        row("v6", "--protected-mode no --bind ::", V6ONLY),
        row("stars", "--bind * -::*", BOTH),
        row("pair", "--bind 0.0.0.0 ::", BOTH),
        row("6pn", "--protected-mode no --bind fly-local-6pn", NAME),
        row("6pn-minus", "--protected-mode no --bind -fly-local-6pn 127.0.0.1", NAME),
        row("6pn-literal", "", SIX_PN,
            run="sh -c 'exec redis-server --save \"\" --dir {dir} --protected-mode no --bind $FLY_PRIVATE_IP'"),
        row("wrong-port", "--protected-mode no --port 6380", WRONG_PORT),
    )),
    Server("postgres", AS_POSTGRES + POSTGRES + "postgres -D {dir}/data -c unix_socket_directories= {x}", port=5432, http=False,
           debian="postgresql-15", also=("client-refused",),
           setup="if [ ! -d data ]; then\n  install -d -o postgres -g postgres -m 700 data\n  " + AS_POSTGRES + POSTGRES +
                 "initdb -D {dir}/data --no-sync -A trust >/dev/null\nfi", rows=(
        row("default", "", LOOPBACK),
        row("star", "-c listen_addresses=*", BOTH),
        row("v4", "-c listen_addresses=0.0.0.0", PROXY),
        row("v6", "-c listen_addresses=::", V6ONLY),
        row("pair", "-c listen_addresses=0.0.0.0,::", BOTH),
        row("localhost", "-c listen_addresses=localhost", LOOPBACK),
        row("6pn", "-c listen_addresses=fly-local-6pn", SIX_PN),
        row("6pn-soft", "-c listen_addresses=fly-local-6pn,nosuch.internal", SIX_PN),
        row("nosuch", "-c listen_addresses=nosuch.internal", CRASH),
    )),
    Server("pgbouncer", "pgbouncer -u nobody {dir}/pgbouncer.ini", port=6432, http=False, debian="pgbouncer",
           files={"pgbouncer.ini": PGBOUNCER}, rows=(
        row("star", "listen_addr = *", BOTH),
        row("v4", "listen_addr = 0.0.0.0", PROXY),
        row("v6", "listen_addr = ::", V6ONLY),
        row("localhost", "listen_addr = localhost", LOOPBACK),
        row("6pn", "listen_addr = fly-local-6pn", SIX_PN),
    )),
    Server("mariadb", "mariadbd --no-defaults --user=root --skip-grant-tables --datadir={dir} --socket={dir}/socket "
           "--pid-file={dir}/pid {x}", port=3306, http=False, debian="mariadb-server", also=("client-refused",), rows=(
        row("default", "", BOTH),
        row("debian", "--bind-address=127.0.0.1", LOOPBACK),
        row("v4", "--bind-address=0.0.0.0", PROXY),
        row("v6", "--bind-address=::", V6ONLY),
        row("star", "--bind-address=*", BOTH),
        row("localhost", "--bind-address=localhost", LOOPBACK),
        row("6pn", "--bind-address=fly-local-6pn", SIX_PN),
    )),
    Server("memcached", "memcached -u nobody {x}", port=11211, http=False, debian="memcached", rows=(
        row("default", "", BOTH),
        row("debian", "-l 127.0.0.1", LOOPBACK),
        row("v4", "-l 0.0.0.0", PROXY),
        row("v6", "-l ::", V6ONLY),
        row("6pn", "-l fly-local-6pn", SIX_PN),
    )),
    Server("mosquitto", "mosquitto -c {dir}/mosquitto.conf", port=1883, http=False, debian="mosquitto",
           files={"mosquitto.conf": "user root\n{x}\n"}, rows=(
        row("default", "", LOOPBACK),
        row("v4", "listener 1883 0.0.0.0", PROXY),
        row("v6", "listener 1883 ::", V6ONLY),
        row("6pn", "listener 1883 fly-local-6pn", SIX_PN),
    )),
    Server("nats", "nats-server {x}", port=4222, http=False, debian="nats-server", rows=(
        row("default", "", BOTH),
        row("v4", "-a 0.0.0.0", BOTH),
        row("v6", "-a ::", BOTH),
        row("6pn", "-a fly-local-6pn", SIX_PN),
    )),
    Server("rabbitmq", "/usr/lib/rabbitmq/bin/rabbitmq-server", port=5672, http=False, debian="rabbitmq-server",
           files={"rabbitmq.conf": "{x}\n", "enabled_plugins": "[].\n"},
           env={"HOME": "{dir}", "RABBITMQ_NODENAME": "rabbit@localhost", "RABBITMQ_MNESIA_BASE": "{dir}/mnesia",
                "RABBITMQ_LOG_BASE": "{dir}/log", "RABBITMQ_LOGS": "-", "RABBITMQ_CONFIG_FILE": "{dir}/rabbitmq.conf",
                "RABBITMQ_ENABLED_PLUGINS_FILE": "{dir}/enabled_plugins", "RABBITMQ_PID_FILE": "{dir}/pid"}, rows=(
        row("default", "", BOTH),
        row("v4", "listeners.tcp.1 = 0.0.0.0:5672", PROXY),
    )),
    Server("etcd", "etcd --data-dir {dir}/data --listen-peer-urls http://127.0.0.1:2380 "
           "--advertise-client-urls http://127.0.0.1:2379 {x}", port=2379, http=False, debian="etcd-server", rows=(
        row("default", "--listen-client-urls http://localhost:2379", LOOPBACK),
        row("v4", "--listen-client-urls http://0.0.0.0:2379", BOTH),
        row("v6", "--listen-client-urls http://[::]:2379", BOTH),
        row("6pn", "--listen-client-urls http://fly-local-6pn:2379", NAME_UNSAID),
    )),
    Server("beanstalkd", "beanstalkd {x}", port=11300, http=False, debian="beanstalkd", rows=(
        row("default", "", PROXY),
        row("v6", "-l ::", BOTH),
        row("6pn", "-l fly-local-6pn", SIX_PN),
    )),
    Server("prometheus", "prometheus --config.file={dir}/prometheus.yml --storage.tsdb.path={dir}/data {x}", port=9090,
           debian="prometheus", files={"prometheus.yml": "{}\n"}, rows=(
        row("default", "", BOTH),
    )),
    Server("php-fpm", "php-fpm8.2 -F -O -y {dir}/php-fpm.conf", port=9000, http=False, debian="php8.2-fpm",
           files={"php-fpm.conf": PHP_FPM}, rows=(
        row("port", "9000", BOTH),
        row("v4", "0.0.0.0:9000", PROXY),
        row("v6", "[::]:9000", BOTH),
        row("loopback", "127.0.0.1:9000", LOOPBACK),
    )),
]


# ---- JavaScript ---------------------------------------------------------------------------------------------------

NODE_MODULES = {"NODE_PATH": "{cache}/node_modules"}


def framework(name, *rows, npm):
    return Server(name, "node {programs}/frameworks.js " + name + " 3000 {x}", rows, port=3000, debian="nodejs", npm=npm,
                  env=NODE_MODULES, also=("not-http", "closes-connection", "check-not-2xx") if name == "ws" else ())


JAVASCRIPT = [
    Server("node", "node {programs}/http.js {x}", port=3000, debian="nodejs", rows=(
        row("default", "3000", BOTH),
        row("v4", "3000 0.0.0.0", PROXY),
        row("v6", "3000 ::", BOTH),
        row("bindv6only", "3000 ::", BOTH, setup=BINDV6ONLY),  # libuv switches the option off itself
        row("localhost", "3000 localhost", LOOPBACK),
        row("loopback", "3000 127.0.0.1", LOOPBACK),
        row("localhost-v4", "3000 localhost", LOOPBACK, env={"NODE_OPTIONS": "--dns-result-order=ipv4first"}),
        row("6pn", "3000 fly-local-6pn", SIX_PN),
        row("global", "3000 fly-global-services", GLOBAL),
        row("v6only", """'{"port":3000,"host":"::","ipv6Only":true}'""", V6ONLY),
        row("wrong-port", "3000", WRONG_PORT, port=8080),
        row("machine-id", "", PRIVATE, run="sh -c 'exec node {programs}/http.js 3000 $FLY_MACHINE_ID'"),
        row("no-module", "", CRASH, run="node {dir}/nosuch.js"),
    )),
    framework("express", row("default", "", BOTH), row("v4", "0.0.0.0", PROXY), row("6pn", "fly-local-6pn", SIX_PN), npm="express@5"),
    framework("koa", row("default", "", BOTH), row("v4", "0.0.0.0", PROXY), npm="koa@3"),
    framework("fastify", row("default", "", LOOPBACK), row("v4", "0.0.0.0", PROXY), row("v6", "::", BOTH),
              row("6pn", "fly-local-6pn", SIX_PN), npm="fastify@5"),
    framework("hapi", row("default", "", BOTH), row("v4", "0.0.0.0", PROXY), row("v6", "::", BOTH),
              row("6pn", "fly-local-6pn", SIX_PN), npm="@hapi/hapi@21"),
    framework("hono", row("default", "", BOTH), row("v4", "0.0.0.0", PROXY), row("v6", "::", BOTH),
              row("6pn", "fly-local-6pn", SIX_PN), npm="hono@4 @hono/node-server@2"),
    framework("socket.io", row("default", "", BOTH), npm="socket.io@4"),
    framework("ws", row("default", "", BOTH), npm="ws@8"),
    Server("vite", "node {cache}/node_modules/vite/bin/vite.js {x}", port=5173, debian="nodejs", npm="vite@8",
           files={**PAGE, "dist/index.html": "ok\n"}, also=("host-refused",), rows=(
        row("default", "", LOOPBACK),
        row("host", "--host", BOTH),
        row("v4", "--host 0.0.0.0", PROXY),
        row("preview", "preview", LOOPBACK, port=4173),
    )),
    Server("webpack-dev-server", "node {cache}/node_modules/webpack-cli/bin/cli.js serve --mode development --port 8080", port=8080,
           debian="nodejs", npm="webpack@5 webpack-cli@7 webpack-dev-server@5", files={"src/index.js": "1;\n"},
           also=("host-refused",), rows=(
        row("default", "", BOTH),
    )),
    Server("next", "node {cache}/node_modules/next/dist/bin/next start {cache}/next {x}", port=3000, debian="nodejs",
           npm="next@16 react@19 react-dom@19", build="next", env={"NEXT_TELEMETRY_DISABLED": "1"}, rows=(
        row("start", "", BOTH),
        row("start-v4", "-H 0.0.0.0", PROXY),
        row("start-v6", "-H ::", BOTH),
        row("start-6pn", "-H fly-local-6pn", SIX_PN),
        row("standalone-localhost", "", LOOPBACK, run="node {cache}/next/.next/standalone/next/server.js", env={"HOSTNAME": "localhost"}),
        row("standalone-id", "", PRIVATE, run="sh -c 'HOSTNAME=$FLY_MACHINE_ID exec node {cache}/next/.next/standalone/next/server.js'"),
        row("standalone-v6", "", BOTH, run="node {cache}/next/.next/standalone/next/server.js", env={"HOSTNAME": "::"}),
    )),
    Server("http-server", "node {cache}/node_modules/http-server/bin/http-server {dir} -p 8080", port=8080, debian="nodejs",
           npm="http-server@14", files=PAGE, rows=(
        row("default", "", PROXY),
    )),
    Server("serve", "node {cache}/node_modules/serve/build/main.js -l 3000 {dir}", port=3000, debian="nodejs", npm="serve@14",
           files=PAGE, rows=(
        row("default", "", BOTH),
    )),
    Server("json-server", "node {cache}/node_modules/json-server/lib/cli/bin.js {dir}/db.json", port=3000, debian="nodejs",
           npm="json-server@0.17", files={"db.json": '{"posts": []}\n'}, rows=(
        row("default", "", LOOPBACK),
    )),
    Server("bun", "{cache}/node_modules/@oven/bun-linux-{cpu}/bin/bun run {dir}/server.js", port=3000, npm="bun@1",
           files={"server.js": "Bun.serve({port: 3000, {x} fetch: () => new Response('ok\\n')});\n"}, rows=(
        row("default", "", BOTH),
        row("v4", "hostname: '0.0.0.0',", PROXY),
        row("v6", "hostname: '::',", BOTH),
        row("localhost", "hostname: 'localhost',", LOOPBACK),
        row("6pn", "hostname: 'fly-local-6pn',", SIX_PN),
    )),
    Server("deno", "{cache}/node_modules/@deno/linux-{cpu}-glibc/deno run --no-config --allow-net {dir}/server.ts", port=8000, npm="deno@2",
           files={"server.ts": "Deno.serve({{x}}, () => new Response('ok\\n'));\n"},
           env={"DENO_DIR": "{dir}/cache", "DENO_NO_UPDATE_CHECK": "1"}, rows=(
        row("default", "", PROXY),
        row("v6", "hostname: '::'", BOTH),
        row("localhost", "hostname: 'localhost'", LOOPBACK),
        row("6pn", "hostname: 'fly-local-6pn'", SIX_PN),
    )),
]


# ---- Python -------------------------------------------------------------------------------------------------------

PYTHON = "/usr/bin/python3"
FROM_PROGRAMS = {"PYTHONPATH": "{programs}", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def python(name, words, *rows, debian="", port=8000, **named):
    return Server(name, PYTHON + " " + words, rows, port=port, debian="python3 " + debian, env=FROM_PROGRAMS, **named)


PYTHONS = [
    python("python", "-m http.server 8000 {x}",
           row("default", "", PROXY),
           row("v6", "--bind ::", BOTH),
           row("loopback", "--bind 127.0.0.1", LOOPBACK),
           row("6pn", "--bind fly-local-6pn", SIX_PN),
           row("wrong-port", "", WRONG_PORT, port=8080),
           row("silent", "", SILENT, run="sleep 3600"),
           row("udp-only", "", UDP_ONLY, run=PYTHON + " {programs}/serve.py udp_only 8000 0.0.0.0"),
           row("v6only", "", V6ONLY, run=PYTHON + " {programs}/serve.py v6only 8000 ::"),
           row("httpserver-v6", "", FAMILY, run=PYTHON + " {programs}/serve.py httpserver 8000 ::"),
           row("httpserver-6pn", "", NAME, run=PYTHON + " {programs}/serve.py httpserver 8000 fly-local-6pn"),
           # busybox goes into the background as soon as it holds the port.
           row("in-use", "", IN_USE, run="sh -c 'busybox httpd -p 127.0.0.1:8000; exec " + PYTHON + " -m http.server 8000'"),
           debian="busybox"),
    python("asyncio", "{programs}/serve.py start_server 8000 {x}",
           row("default", "", BOTH), row("empty", '""', BOTH), row("v4", "0.0.0.0", PROXY), row("v6", "::", V6ONLY),
           row("localhost", "localhost", LOOPBACK), row("6pn", "fly-local-6pn", SIX_PN)),
    python("flask", "-m flask --app flask_app run {x}",
           row("default", "", LOOPBACK), row("v4", "--host 0.0.0.0", PROXY), row("v6", "--host ::", BOTH),
           row("localhost", "--host localhost", LOOPBACK), row("6pn", "--host fly-local-6pn", NAME, retries=10),
           debian="python3-flask", port=5000),
    python("django", "{programs}/manage.py runserver {x}",
           row("default", "", LOOPBACK), row("v4", "0.0.0.0:8000", PROXY), row("zero", "0:8000", PROXY),
           row("v6", "-6 8000", LOOPBACK), row("6pn", "fly-local-6pn:8000", NAME), row("6pn-v6", "-6 fly-local-6pn:8000", SIX_PN),
           debian="python3-django", also=("host-refused", "check-not-2xx")),
    python("uvicorn", "-m uvicorn asgi:app {x}",
           row("default", "", LOOPBACK), row("v4", "--host 0.0.0.0", PROXY), row("v6", "--host ::", V6ONLY),
           row("empty", '--host ""', BOTH), row("localhost", "--host localhost", LOOPBACK), row("6pn", "--host fly-local-6pn", SIX_PN),
           debian="python3-uvicorn"),
    python("gunicorn", "/usr/bin/gunicorn wsgi:app {x}",
           row("default", "", LOOPBACK), row("v4", "-b 0.0.0.0:8000", PROXY), row("colon", "-b :8000", PROXY),
           row("v6", "-b [::]:8000", BOTH), row("localhost", "-b localhost:8000", LOOPBACK),
           row("6pn", "-b fly-local-6pn:8000", NAME), row("pair", "-b 0.0.0.0:8000 -b [::]:8000", WILDCARDS, retries=0),
           row("port-variable", "", PROXY, port=8080, env={"PORT": "8080"}),
           row("6pn-literal", "", SIX_PN, run=BIND_TO_6PN.replace("{}", "/usr/bin/gunicorn wsgi:app -b")),
           debian="gunicorn"),
    python("hypercorn", "-m hypercorn asgi:app {x}",
           row("default", "", LOOPBACK), row("v4", "-b 0.0.0.0:8000", PROXY), row("v6", "-b [::]:8000", BOTH),
           row("6pn", "-b fly-local-6pn:8000", NAME), row("pair", "-b 0.0.0.0:8000 -b [::]:8000", WILDCARDS),
           debian="python3-hypercorn"),
    python("daphne", "-m daphne {x} asgi:app",
           row("default", "", LOOPBACK), row("v4", "-b 0.0.0.0", PROXY), row("v6", "-b ::", BOTH), row("6pn", "-b fly-local-6pn", NAME),
           debian="python3-daphne"),
    python("aiohttp", "{programs}/serve.py aiohttp 8000 {x}",
           row("default", "", BOTH), row("v6", "::", V6ONLY), row("localhost", "localhost", LOOPBACK), row("6pn", "fly-local-6pn", SIX_PN),
           debian="python3-aiohttp"),
    python("tornado", "{programs}/serve.py tornado 8000 {x}",
           row("default", "", BOTH), row("v4", "0.0.0.0", PROXY), row("v6", "::", V6ONLY), row("6pn", "fly-local-6pn", SIX_PN),
           debian="python3-tornado"),
    python("waitress", "{programs}/serve.py waitress 8000 {x}",
           row("default", "", PROXY), row("star", "*", BOTH), row("v6", "::", V6ONLY), row("6pn", "fly-local-6pn", SIX_PN),
           debian="python3-waitress"),
    python("bottle", "{programs}/serve.py bottle 8080 {x}",
           row("default", "", LOOPBACK), row("v4", "0.0.0.0", PROXY), row("v6", "::", BOTH), debian="python3-bottle", port=8080,
           also=("check-not-2xx",)),
    python("cherrypy", "{programs}/serve.py cherrypy 8080 {x}",
           row("default", "", LOOPBACK), row("v4", "0.0.0.0", PROXY), row("v6", "::", BOTH), row("6pn", "fly-local-6pn", SIX_PN),
           debian="python3-cherrypy3", port=8080),
    python("grpc", "{programs}/serve.py grpc 8000 {x}",
           row("v4", "0.0.0.0", BOTH), row("v6", "[::]", BOTH), row("localhost", "localhost", LOOPBACK),
           row("6pn", "fly-local-6pn", SIX_PN), debian="python3-grpcio", http=False),
]


# ---- Ruby, PHP, Perl ------------------------------------------------------------------------------------------------

SCRIPTS = [
    Server("puma", "puma {x} {programs}/config.ru", port=3000, debian="puma", rows=(
        row("default", "", PROXY, port=9292),
        row("v4", "-b tcp://0.0.0.0:3000", PROXY),
        row("v6", "-b tcp://[::]:3000", BOTH),
        row("bindv6only", "-b tcp://[::]:3000", V6ONLY, setup=BINDV6ONLY),
        row("localhost", "-b tcp://localhost:3000", LOOPBACK),
        row("6pn", "-b tcp://fly-local-6pn:3000", SIX_PN),
        row("pair", "-b tcp://0.0.0.0:3000 -b tcp://[::]:3000", WILDCARDS),
    )),
    Server("rackup", "rackup {x} {programs}/config.ru", port=9292, debian="ruby-rack puma", rows=(
        row("default", "", LOOPBACK),
        row("production", "", PROXY, env={"RACK_ENV": "production"}),
        row("v6", "-o ::", BOTH),
        row("6pn", "-o fly-local-6pn", SIX_PN),
    )),
    Server("sinatra", "ruby {programs}/sinatra_app.rb {x}", port=4567, debian="ruby-sinatra puma", rows=(
        row("default", "", LOOPBACK),
        row("production", "", PROXY, env={"APP_ENV": "production"}),
        row("v6", "-o ::", BOTH),
        row("6pn", "-o fly-local-6pn", SIX_PN),
    )),
    Server("rails", "ruby bin/rails server {x}", port=3000, debian="ruby-railties ruby-actionpack puma",
           files={"bin/rails": RAILS_COMMAND, "config/application.rb": RAILS_APPLICATION, "config.ru": RAILS_RACK},
           also=("host-refused", "check-not-2xx"), rows=(
        row("development", "", LOOPBACK),
        row("production", "", PROXY, env={"RAILS_ENV": "production"}),
        row("v4", "-b 0.0.0.0", PROXY),
        row("v6", "-b ::", BOTH),
        row("6pn", "-b fly-local-6pn", SIX_PN),
    )),
    Server("webrick", "ruby -rwebrick -e 'WEBrick::HTTPServer.new(Port: 8000, DocumentRoot: \"{dir}\" {x}).start'", port=8000,
           debian="ruby-webrick", files=PAGE, rows=(
        row("default", "", BOTH),
        row("v4", ', BindAddress: "0.0.0.0"', PROXY),
        row("v6", ', BindAddress: "::"', V6ONLY),
        row("localhost", ', BindAddress: "localhost"', LOOPBACK),
        row("6pn", ', BindAddress: "fly-local-6pn"', SIX_PN),
    )),
    Server("ruby", "ruby -rsocket -e 's = TCPServer.new({x}); loop { c = s.accept; c.puts 1; c.close }'", port=8000, http=False,
           debian="ruby", rows=(
        row("default", "8000", PROXY),
        row("v4", '"0.0.0.0", 8000', PROXY),
        row("v6", '"::", 8000', BOTH),
        row("6pn", '"fly-local-6pn", 8000', SIX_PN),
    )),
    Server("thin", "thin start -R {programs}/config.ru -p 3000 {x}", port=3000, debian="thin", rows=(
        row("default", "", PROXY),
        row("v6", "-a ::", BOTH),
        row("6pn", "-a fly-local-6pn", SIX_PN),
    )),
    Server("unicorn", "unicorn {x} {programs}/config.ru", port=8080, debian="unicorn", rows=(
        row("default", "", PROXY),
        row("v6", "-l [::]:8080", BOTH),
    )),
    Server("php", "php8.2 -S {x} -t {programs}", port=8000, debian="php8.2-cli", rows=(
        row("localhost", "localhost:8000", LOOPBACK),
        row("v4", "0.0.0.0:8000", PROXY),
        row("v6", "[::]:8000", BOTH),
        row("6pn", "fly-local-6pn:8000", SIX_PN),
    )),
    Server("perl", "perl -e '{x} while (my $c = $s->accept) { print $c \"ok\\n\"; close $c }'", port=8000, http=False, debian="perl", rows=(
        row("inet", "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 8000, Listen => 5) or die;", PROXY),
        row("ip-v6", 'use IO::Socket::IP; my $s = IO::Socket::IP->new(LocalHost => "::", LocalPort => 8000, Listen => 5) or die;', BOTH),
    )),
    Server("mojolicious", "perl {programs}/mojo.pl daemon {x}", port=3000, debian="libmojolicious-perl", rows=(
        row("default", "", PROXY),
        row("v6", "-l http://[::]:3000", BOTH),
        row("6pn", "-l http://fly-local-6pn:3000", SIX_PN),
    )),
    Server("starman", "starman {programs}/app.psgi", port=5000, debian="starman", rows=(
        row("default", "", BOTH),
    )),
]


# ---- compiled languages and virtual machines ------------------------------------------------------------------------

JAVA = "java -Xmx64m -cp {built} {x}"
ERL = "erl -noshell -pa {built} -eval '{x}'"

COMPILED = [
    Server("go", "{built}/listen-go {x}", port=8080, debian="golang-go gcc libc6-dev", build="go", rows=(
        row("default", ":8080", BOTH),
        row("v4", "0.0.0.0:8080", BOTH),
        row("v6", "[::]:8080", BOTH),
        row("localhost", "localhost:8080", LOOPBACK),
        row("loopback", "127.0.0.1:8080", LOOPBACK),
        row("6pn", "fly-local-6pn:8080", SIX_PN),
        row("tcp4", "tcp4 :8080", PROXY),
        row("tcp6", "tcp6 :8080", V6ONLY),
    )),
    Server("rust", "{built}/listen-rust tcp {x}", port=8080, debian="rustc", build="rust", rows=(
        row("v4", "0.0.0.0:8080", PROXY),
        row("v6", "[::]:8080", BOTH),
        row("bindv6only", "[::]:8080", V6ONLY, setup=BINDV6ONLY),
        row("loopback", "127.0.0.1:8080", LOOPBACK),
        row("localhost", "localhost:8080", LOOPBACK),
        row("6pn", "fly-local-6pn:8080", SIX_PN),
        row("colon", ":8080", CRASH),
    )),
    Server("java", JAVA, port=8080, debian="openjdk-17-jdk-headless", build="java", rows=(
        row("socket", "Listen socket 8080", BOTH),
        row("socket-v4", "Listen socket 8080 0.0.0.0", BOTH),
        row("http", "Listen http 8080", BOTH),
        row("localhost", "Listen http 8080 localhost", LOOPBACK),
        row("6pn", "Listen http 8080 fly-local-6pn", SIX_PN),
        row("prefer-v4", "-Djava.net.preferIPv4Stack=true Listen socket 8080", PROXY),
        row("prefer-v4-6pn", "-Djava.net.preferIPv4Stack=true Listen http 8080 fly-local-6pn",
            NAME_UNSAID),
        row("prefer-v6-6pn", "-Djava.net.preferIPv6Addresses=true Listen http 8080 fly-local-6pn", SIX_PN),
    )),
    Server("erlang", ERL, port=4000, debian="erlang-base", build="erlang", env={"HOME": "{dir}"}, rows=(
        row("default", "echo:tcp(4000, []).", PROXY),
        row("v6", "echo:tcp(4000, [inet6]).", BOTH),
        row("v6-any", "echo:tcp(4000, [inet6, {ip, {0,0,0,0,0,0,0,0}}]).", BOTH),
        row("loopback", "echo:tcp(4000, [{ip, {127,0,0,1}}]).", LOOPBACK),
        row("6pn", 'echo:tcp(4000, echo:named({inet6, "fly-local-6pn"})).', SIX_PN),
    )),
    Server("erlang-distribution", "erl -noshell -name app@127.0.0.1 -kernel inet_dist_listen_min 9100 inet_dist_listen_max 9100 {x}",
           port=9100, http=False, debian="erlang-base", env={"HOME": "{dir}"}, rows=(
        row("default", "", PROXY),
        row("inet6", "", BOTH, run="erl -noshell -proto_dist inet6_tcp -name app@::1 -kernel inet_dist_listen_min 9100 "
                                   "inet_dist_listen_max 9100"),
    )),
    Server("epmd", "epmd", port=4369, http=False, debian="erlang-base", rows=(
        row("default", "", BOTH),
    )),
    Server("elixir", "elixir -pa {built} -e '{x}'", port=4000, debian="elixir", build="erlang", env={"HOME": "{dir}"}, rows=(
        row("v6", ":echo.tcp(4000, [:inet6, ip: {0, 0, 0, 0, 0, 0, 0, 0}])", BOTH),
        row("v4", ":echo.tcp(4000, [ip: {0, 0, 0, 0}])", PROXY),
    )),
]


# ---- tools ----------------------------------------------------------------------------------------------------------

TOOLS = [
    Server("socat", "socat {x} PIPE", port=8080, http=False, debian="socat", rows=(
        row("default", "TCP-LISTEN:8080,fork", PROXY),
        row("tcp6", "TCP6-LISTEN:8080,fork", BOTH),
        row("tcp6-only", "TCP6-LISTEN:8080,fork,ipv6only=1", V6ONLY),
        row("loopback", "TCP-LISTEN:8080,fork,bind=127.0.0.1", LOOPBACK),
        row("6pn", "TCP-LISTEN:8080,fork,bind=fly-local-6pn", NAME),
        row("tcp6-6pn", "TCP6-LISTEN:8080,fork,bind=fly-local-6pn", SIX_PN),
        row("global", "TCP-LISTEN:8080,fork,bind=fly-global-services", GLOBAL),
    )),
    Server("netcat", "nc.openbsd {x}", port=8080, http=False, debian="netcat-openbsd", rows=(
        row("default", "-lk -p 8080", PROXY),
        row("v6", "-6 -lk -p 8080", BOTH),
    )),
    Server("ncat", "ncat {x}", port=8080, http=False, debian="ncat", rows=(
        row("default", "-lk 8080", BOTH),
        row("v4", "-4 -lk 8080", PROXY),
    )),
]


# ---- UDP ------------------------------------------------------------------------------------------------------------

DNSMASQ = "dnsmasq --no-daemon --conf-file=/dev/null --user=root --pid-file --no-resolv --no-hosts --address=/app.example/192.0.2.1 " \
          "--port={port} {x}"
UNBOUND = """server:
  port: {port}
  username: ""
  chroot: ""
  directory: "{dir}"
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  module-config: "iterator"
  local-zone: "app.example." static
  local-data: "app.example. A 192.0.2.1"
  {x}
"""
NSD = """server:
  port: {port}
  username: root
  chroot: ""
  zonesdir: "{dir}"
  database: ""
  pidfile: ""
  xfrdfile: "{dir}/xfrd"
  xfrdir: "{dir}"
  zonelistfile: "{dir}/zones"
  server-count: 1
  {x}
remote-control:
  control-enable: no
zone:
  name: app.example
  zonefile: app.example.zone
"""
NAMED = """options {
  directory "{dir}";
  pid-file none;
  session-keyfile none;
  recursion no;
  listen-on port {port} { any; };
  listen-on-v6 port {port} { any; };
};
controls {};
zone "app.example" { type master; file "{dir}/app.example.zone"; };
"""
ZONE = "$TTL 60\n@ SOA ns hostmaster 1 60 60 60 60\n@ NS ns\nns A 192.0.2.1\n@ A 192.0.2.1\n"

UDP = [
    Server("udp-python", PYTHON + " {programs}/udp.py {x} {port}", debian="python3", env=FROM_PROGRAMS, rows=(
        row("default", '""', UDP_WRONG),
        row("v6", "::", UDP_WRONG_BOTH),
        row("global", "fly-global-services", UDP_OK),
        row("private", "", UDP_NONE, run="sh -c 'exec " + PYTHON + " {programs}/udp.py $FLY_MACHINE_ID {port}'"),
        row("loopback", "127.0.0.1", UDP_NONE),
        row("6pn", "fly-local-6pn", UDP_SIX_PN),
    )),
    Server("udp-node", "node {programs}/udp.js {x}", debian="nodejs", rows=(
        row("udp4", "udp4 {port}", UDP_WRONG),
        row("udp6", "udp6 {port}", UDP_WRONG_BOTH),
        row("global", "udp4 {port} fly-global-services", UDP_OK),
        row("6pn", "udp6 {port} fly-local-6pn", UDP_SIX_PN),
    )),
    Server("udp-go", "{built}/listen-go {x}", debian="golang-go gcc libc6-dev", build="go", rows=(
        row("default", "udp :{port}", UDP_WRONG_BOTH),
        row("udp4", "udp4 :{port}", UDP_WRONG),
        row("udp6", "udp6 :{port}", UDP_SIX_PN),
        row("global", "udp fly-global-services:{port}", UDP_OK),
        row("6pn", "udp fly-local-6pn:{port}", UDP_SIX_PN),
    )),
    Server("udp-rust", "{built}/listen-rust udp {x}", debian="rustc", build="rust", rows=(
        row("v4", "0.0.0.0:{port}", UDP_WRONG),
        row("v6", "[::]:{port}", UDP_WRONG_BOTH),
        row("global", "fly-global-services:{port}", UDP_OK),
    )),
    Server("udp-java", JAVA, debian="openjdk-17-jdk-headless", build="java", rows=(
        row("default", "Listen udp {port}", UDP_WRONG_BOTH),
        row("global", "Listen udp {port} fly-global-services", UDP_OK),
    )),
    Server("udp-erlang", ERL, debian="erlang-base", build="erlang", env={"HOME": "{dir}"}, rows=(
        row("default", "echo:udp({port}, []).", UDP_WRONG),
        row("v6", "echo:udp({port}, [inet6]).", UDP_WRONG_BOTH),
        row("global", 'echo:udp({port}, echo:named({inet, "fly-global-services"})).', UDP_OK),
    )),
    Server("udp-socat", "socat {x} PIPE", debian="socat", rows=(
        row("default", "UDP-RECVFROM:{port},fork", UDP_WRONG),
        row("udp6", "UDP6-RECVFROM:{port},fork", UDP_WRONG_BOTH),
        row("global", "UDP-RECVFROM:{port},fork,bind=fly-global-services", UDP_OK),
    )),
    Server("dnsmasq", DNSMASQ, debian="dnsmasq-base", ask="dns", port=53, rows=(
        row("default", "", UDP_BOTH),
        row("addresses", "", UDP_OK,
            run="sh -c 'exec " + DNSMASQ.replace("{x}", "--bind-interfaces --listen-address=$(hostname -I | cut -d\" \" -f1) "
                                                        "--listen-address=$(hostname -I | cut -d\" \" -f2)") + "'"),
    )),
    Server("unbound", "unbound -d -c {dir}/unbound.conf", debian="unbound", ask="dns", port=53, files={"unbound.conf": UNBOUND}, rows=(
        row("default", "", UDP_NONE),
        row("v4", "interface: 0.0.0.0", UDP_WRONG),
        row("automatic", "interface: 0.0.0.0\n  interface: ::0\n  interface-automatic: yes", UDP_BOTH),
    )),
    Server("nsd", "nsd -d -c {dir}/nsd.conf", debian="nsd", ask="dns", port=53, files={"nsd.conf": NSD, "app.example.zone": ZONE}, rows=(
        row("default", "", UDP_WRONG_BOTH),
    )),
    Server("bind9", "named -f -g -c {dir}/named.conf", debian="bind9", ask="dns", port=53,
           files={"named.conf": NAMED, "app.example.zone": ZONE}, rows=(
        row("default", "", UDP_BOTH),
    )),
    Server("coturn", "turnserver -n -p {port} --pidfile {dir}/pid --log-file stdout --no-tls --no-dtls --no-cli {x}", debian="coturn",
           ask="stun", port=3478, env={"HOME": "{dir}"}, rows=(
        row("default", "", UDP_BOTH),
        row("global", "", UDP_OK,
            run="sh -c 'exec turnserver -n -p {port} --pidfile {dir}/pid --log-file stdout --no-tls --no-dtls --no-cli "
                "--listening-ip=$(hostname -I | cut -d\" \" -f2)'"),
    )),
]

SERVERS = [*WEB_SERVERS, *DATABASES, *JAVASCRIPT, *PYTHONS, *SCRIPTS, *COMPILED, *TOOLS, *UDP]

# For the ordinary run of the tests: thirty cases of Python, Node and a few small packages, which show nearly every outcome.
SMALL = """
    nginx-default nginx-v6 nginx-6pn nginx-global lighttpd-6pn haproxy-default haproxy-v6only busybox-6pn
    redis-default redis-debian redis-v6 redis-6pn redis-wrong-port memcached-v6
    node-default node-localhost node-wrong-port node-machine-id node-no-module
    python-silent python-udp-only python-httpserver-v6 python-in-use asyncio-v6 socat-6pn netcat-default
    udp-python-default udp-python-global udp-python-loopback udp-node-6pn
""".split()


def cases():
    """Every row as a Case, in the order above."""
    made = []
    for server in SERVERS:
        for number, one in enumerate(server.rows):
            fields = {name: one.changes.get(name, getattr(server, name))
                      for name in ("port", "run", "http", "setup", "files", "build", "ask", "retries", "also")}
            # UDP ports are published under their own number: where the protocol has none, each case gets one to itself.
            if one.outcome.udp and not fields["port"]:
                fields["port"] = 7000 + len(made)
            made.append(Case(f"{server.name}-{one.name}".replace(".", ""), server.name, one.words, one.outcome,
                             debian=tuple(server.debian.split()), npm=tuple(server.npm.split()),
                             env={**server.env, **one.changes.get("env", {})}, **fields))
    return made
