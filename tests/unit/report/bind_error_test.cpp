#include "flylocal/report/bind_error.hpp"

#include <catch2/catch.hpp>
#include <ostream>
#include <vector>

using namespace flylocal::report;
using Kind = BindError::Kind;

namespace flylocal::report {

std::ostream& operator<<(std::ostream& out, BindError::Kind kind) { return out << "kind " << static_cast<int>(kind); }

}  // namespace flylocal::report

namespace {

struct Case {
  const char* command;
  std::vector<std::string> lines;  ///< oldest first
};

struct Telling : Case {
  Kind kind;
  std::size_t line = 0;  ///< which of them tells
};

std::optional<BindError> find(const Case& c) { return find_bind_error(c.lines, c.command); }

}  // namespace

TEST_CASE("what servers print when they cannot listen tells why (bindcatalog section 6)") {
  const Kind name = Kind::kNameNotAccepted, in_use = Kind::kAddressInUse, collide = Kind::kWildcardsCollide, denied = Kind::kPermissionDenied,
             not_here = Kind::kAddressNotHere, family = Kind::kFamilyNotSupported;
  const Telling cases[] = {
      // A name that is not accepted.
      {{"lighttpd -D -f lighttpd.conf", {"(network.c.353) getaddrinfo failed: Name or service not known 'fly-local-6pn'"}}, name},
      {{"busybox httpd -f -p fly-local-6pn:8080 -h /var/www/html", {"httpd: bad address 'fly-local-6pn:8080'"}}, name},
      {{"redis-server redis.conf", {"1:M 22 Nov 2024 10:00:00.000 # Warning: Could not create server TCP listening socket fly-local-6pn:6379: Name or service not known",
                                    "1:M 22 Nov 2024 10:00:00.000 # Failed listening on port 6379 (tcp), aborting."}}, name},
      {{"redis-server --protected-mode no --bind -fly-local-6pn 127.0.0.1", {"# Warning: Could not create server TCP listening socket fly-local-6pn:6379: Name or service not known"}}, name},
      {{"etcd --listen-client-urls http://fly-local-6pn:2379", {"expected IP in URL for binding (http://fly-local-6pn:2379)"}}, name},
      {{"python3 -c HTTPServer(('fly-local-6pn', 8000), H)", {"socket.gaierror: [Errno -2] Name or service not known"}}, name},
      {{"flask run --host fly-local-6pn", {"Name or service not known"}}, name},
      {{"python manage.py runserver fly-local-6pn:8000", {"Watching for file changes with StatReloader", "Error: [Errno -2] Name or service not known"}}, name, 1},
      {{"gunicorn wsgi:app -b fly-local-6pn:8000", {"[ERROR] Can't connect to ('fly-local-6pn', 8000)", "[ERROR] Retrying in 1 second.", "[ERROR] Can't connect to ('fly-local-6pn', 8000)"}}, name, 2},
      {{"hypercorn asgi:app -b fly-local-6pn:8000", {"socket.gaierror: [Errno -2] Name or service not known"}}, name},
      {{"daphne -b fly-local-6pn asgi:app", {"Listen failure: Couldn't listen on fly-local-6pn:8000: [Errno -2] Name or service not known."}}, name},
      {{"java -Djava.net.preferIPv4Stack=true S http fly-local-6pn", {"Exception in thread \"main\" java.nio.channels.UnresolvedAddressException"}}, name},
      {{"socat TCP-LISTEN:8080,fork,bind=fly-local-6pn PIPE", {"2024/11/22 E getaddrinfo(\"fly-local-6pn\", \"NULL\", {1,2,1,6}, {}): Name or service not known"}}, name},
      {{"surreal start --bind fly-local-6pn:8000", {"error: invalid value \"fly-local-6pn:8000\" for '--bind <LISTEN_ADDRESSES>': invalid socket address syntax"}}, name},
      {{"haproxy -f haproxy.cfg", {"[ALERT]    (1) : config : parsing [haproxy.cfg:5] : 'bind fly-local-6pn:80' : invalid address: 'fly-local-6pn' in 'fly-local-6pn:80'"}}, name},
      {{"/app/server", {"listen tcp4: address fly-local-6pn: no suitable address found"}}, name},
      // The port is taken.
      {{"node server.js", {"Error: listen EADDRINUSE: address already in use :::8080", "    at Server.setupListenHandle [as _listen2] (node:net:1463:16)"}}, in_use},
      {{"python app.py", {"OSError: [Errno 98] Address already in use"}}, in_use},
      {{"flask run", {"Address already in use", "Port 5000 is in use by another program. Either identify and stop that program, or start the server with a different port."}}, in_use, 1},
      {{"bundle exec puma -b tcp://0.0.0.0:3000", {"Address already in use - bind(2) for \"0.0.0.0\" port 3000 (Errno::EADDRINUSE)"}}, in_use},
      {{"/app/server", {"listen tcp :8080: bind: address already in use"}}, in_use},
      {{"target/release/app", {"called `Result::unwrap()` on an `Err` value: Os { code: 98, kind: AddrInUse, message: \"Address already in use\" }"}}, in_use},
      {{"mix phx.server", {"[error] Failed to start Ranch listener MyApp.Endpoint.HTTP in :ranch_tcp:listen([port: 4000]) for reason :eaddrinuse (address already in use)"}}, in_use},
      {{"postgres", {"LOG:  could not bind IPv4 address \"0.0.0.0\": Address already in use", "HINT:  Is another postmaster already running on port 5432?",
                     "WARNING:  could not create listen socket for \"*\"", "FATAL:  could not create any TCP/IP sockets"}}, in_use},
      {{"ng serve", {"An unhandled exception occurred: Port 4200 is already in use. Use '--port' to specify a different port."}}, in_use},
      {{"vite --strictPort", {"error when starting dev server:", "Error: Port 5173 is already in use"}}, in_use, 1},
      {{"next start", {"Port 3000 is in use."}}, in_use},
      {{"react-scripts start", {"Something is already running on port 3000."}}, in_use},
      {{"bun server.ts", {"error: Failed to start server. Is port 3000 in use?"}}, in_use},
      {{"java -jar app.jar", {"Web server failed to start. Port 8080 was already in use."}}, in_use},
      {{"java -jar app.jar", {"Caused by: java.net.BindException: Address already in use"}}, in_use},
      {{"dotnet app.dll", {"Failed to bind to address http://[::]:5000: address already in use."}}, in_use},
      {{"dotnet app.dll", {" ---> Microsoft.AspNetCore.Connections.AddressInUseException: Only one usage of each socket address"}}, in_use},
      {{"bin/app start", {"** (EXIT) shutdown: failed to start child: :listener ** (EXIT) :eaddrinuse"}}, in_use},
      {{"bin/app start", {"[error] Running AppWeb.Endpoint with Bandit 1.5.7 at http failed, port 4000 already in use"}}, in_use},
      {{"php -S 0.0.0.0:8080", {"Failed to listen on 0.0.0.0:8080 (reason: Address already in use)"}}, in_use},
      {{"deno run -A main.ts", {"error: Uncaught (in promise) AddrInUse: Address already in use (os error 98)"}}, in_use},
      // Both wildcards.
      {{"hypercorn -b 0.0.0.0:8000 -b [::]:8000", {"OSError: [Errno 98] Address already in use"}}, collide},
      {{"puma -b tcp://0.0.0.0:3000 -b tcp://[::]:3000", {"Address already in use - bind(2) for \"::\" port 3000 (Errno::EADDRINUSE)"}}, collide},
      {{"gunicorn -b 0.0.0.0:8000 -b [::]:8000 wsgi:app", {"[ERROR] Connection in use: ('::', 8000)", "[ERROR] Retrying in 1 second.", "[ERROR] Can't connect to ('::', 8000)"}}, collide, 0},
      {{"server --host 0.0.0.0 --host ::", {"bind: Address already in use"}}, collide},
      {{"ruby -e Rack::Server.start(Host: '0.0.0.0')", {"Address already in use - bind(2) for \"0.0.0.0\" port 3000"}}, in_use},
      // A port below 1024.
      {{"node server.js", {"Error: listen EACCES: permission denied 0.0.0.0:80"}}, denied},
      {{"nginx", {"nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)"}}, denied},
      {{"apache2", {"(13)Permission denied: AH00072: make_sock: could not bind to address [::]:80"}}, denied},
      {{"/app/server", {"listen tcp :80: bind: permission denied"}}, denied},
      {{"python app.py", {"PermissionError: [Errno 13] Permission denied"}}, denied},
      {{"java -jar app.jar", {"Caused by: java.net.BindException: Permission denied"}}, denied},
      {{"mix phx.server", {"Failed to start Ranch listener MyApp.Endpoint.HTTP in :ranch_tcp:listen([port: 80]) for reason :eacces (permission denied)"}}, denied},
      {{"php -S 0.0.0.0:80", {"Failed to listen on 0.0.0.0:80 (reason: Permission denied)"}}, denied},
      {{"dotnet app.dll", {" ---> System.Net.Sockets.SocketException (13): Permission denied"}}, denied},
      {{"bin/app start", {"{:shutdown, {:failed_to_start_child, :listener, :eacces}}"}}, denied},
      {{"rebar3 shell", {"{listen_error,http,eacces}"}}, denied},
      // An address of another machine, a family that the socket does not have.
      {{"node server.js", {"Error: listen EADDRNOTAVAIL: address not available 10.0.0.5:8080"}}, not_here},
      {{"/app/server", {"listen tcp 10.0.0.5:8080: bind: cannot assign requested address"}}, not_here},
      {{"nginx", {"nginx: [emerg] bind() to 10.0.0.5:80 failed (99: Cannot assign requested address)"}}, not_here},
      {{"rebar3 shell", {"{listen_error,http,eaddrnotavail}"}}, not_here},
      {{"python server.py", {"  File \"server.py\", line 4, in <module>", "socket.gaierror: [Errno -9] Address family for hostname not supported"}}, family, 1},
      {{"nginx", {"nginx: [emerg] socket() [::]:80 failed (97: Address family not supported by protocol)"}}, family},
  };
  for (const Telling& c : cases) {
    const auto error = find(c);
    INFO(c.command << ": " << c.lines[c.line]);
    REQUIRE(error);
    CHECK(error->kind == c.kind);
    CHECK(error->line == c.lines[c.line]);
    CHECK(error->is_certain);
  }
}

TEST_CASE("what Rust and Deno say of a denied call may be about a file") {
  for (const char* line : {"called `Result::unwrap()` on an `Err` value: Os { code: 13, kind: PermissionDenied, message: \"Permission denied\" }",
                           "Error: Permission denied (os error 13)", "error: Uncaught (in promise) PermissionDenied: Permission denied (os error 13)"}) {
    INFO(line);
    const auto error = find({"target/release/app", {line}});
    REQUIRE(error);
    CHECK(error->kind == Kind::kPermissionDenied);
    CHECK_FALSE(error->is_certain);
  }
  // With a word of listening there is no doubt, with a file's name neither.
  CHECK(find({"app", {"failed to bind: Os { code: 13, kind: PermissionDenied, message: \"Permission denied\" }"}})->is_certain);
  CHECK_FALSE(find({"deno run main.ts", {"PermissionDenied: Permission denied (os error 13): open '/data/db'"}}));
}

TEST_CASE("of several failures the newest counts") {
  const std::vector<std::string> lines = {"Error: listen EADDRINUSE: address already in use :::8080", "Restarting", "Error: listen EACCES: permission denied 0.0.0.0:80", "Bye"};
  const auto error = find_bind_error(lines, "node server.js");
  REQUIRE(error);
  CHECK(error->kind == Kind::kPermissionDenied);
  CHECK(error->line == lines[2]);
}

TEST_CASE("other troubles and everyday lines are no failures to listen") {
  const Case cases[] = {
      {"node server.js", {}},
      {"node server.js", {""}},
      {"node server.js", {"Server listening on http://[::]:8080"}},
      // Names of others that cannot be looked up.
      {"node worker.js", {"Error: getaddrinfo ENOTFOUND db.internal"}},
      {"node worker.js", {"[ioredis] Unhandled error event: Error: getaddrinfo ENOTFOUND redis.internal"}},
      {"python worker.py", {"socket.gaierror: [Errno -2] Name or service not known"}},
      {"python worker.py", {"psycopg2.OperationalError: could not translate host name \"db.internal\" to address: Name or service not known"}},
      {"bin/app start", {"** (DBConnection.ConnectionError) tcp connect (db.internal:5432): non-existing domain - :nxdomain"}},
      {"/app/worker", {"dial tcp: lookup db.internal on [fdaa::3]:53: no such host"}},
      {"target/release/worker", {"error: failed to lookup address information: Name or service not known"}},
      {"nginx", {"nginx: [emerg] host not found in upstream \"api.internal\" in /etc/nginx/conf.d/default.conf:3"}},
      {"haproxy -f haproxy.cfg", {"[ALERT] (1) : config : [haproxy.cfg:9] : 'server s1' : could not resolve address 'api.internal'"}},
      // Names that are no machine's own, which the explanation of a name that is not accepted does not fit.
      {"postgres -c listen_addresses=nosuch.internal",
       {"LOG:  could not translate host name \"nosuch.internal\", service \"5432\" to address: Name or service not known",
        "FATAL:  could not create any TCP/IP sockets"}},
      {"nginx", {"nginx: [emerg] host not found in \"nosuch:80\" of the \"listen\" directive in /etc/nginx/nginx.conf:5"}},
      {"target/release/app", {"TcpListener::bind(\":8080\"): failed to lookup address information: Name or service not known"}},
      // The same of a program that was given our name and takes it.
      {"next start -H fly-local-6pn", {"Error: getaddrinfo ENOTFOUND db.internal"}},
      {"uvicorn app:app --host fly-local-6pn", {"sqlalchemy.exc.OperationalError: could not translate host name \"db.flycast\" to address: Name or service not known"}},
      {"/app/server -addr fly-local-6pn:8080", {"dial tcp: lookup nosuch on [fdaa::3]:53: no such host"}},
      // Words with "bind" or "listen" in them.
      {"npm run build", {"[ERROR] Could not resolve \"better-sqlite3/bindings\""}},
      {"node worker.js", {"QueueListener: getaddrinfo ENOTFOUND db.internal"}},
      {"node server.js", {"MaxListenersExceededWarning: Possible EventEmitter memory leak detected. invalid value"}},
      // Files, and connections to others.
      {"node server.js", {"Error: EACCES: permission denied, open '/data/db.sqlite'"}},
      {"node server.js --host fly-local-6pn", {"Error: EACCES: permission denied, mkdir '/app/.cache'"}},
      {"python app.py", {"PermissionError: [Errno 13] Permission denied: '/data/log'"}},
      {"python app.py", {"redis.exceptions.ConnectionError: Error 99 connecting to localhost:6379. Cannot assign requested address."}},
      {"/app/worker", {"dial tcp [::1]:5432: connect: cannot assign requested address"}},
      {"node worker.js", {"Error: connect EADDRNOTAVAIL ::1:5432 - Local (:::0)"}},
      // Servers that go on with another port say so; what they say names no failure.
      {"vite", {"Port 3000 is in use, trying another one..."}},
      {"next dev", {" ⚠ Port 3000 is in use, using available port 3001 instead."}},
      {"astro dev", {"Port 4321 is in use, trying another one..."}},
      {"next dev", {"Port 3000 is in use by an unknown process, using available port 3001 instead."}},
      {"node server.js", {"support is in use", "serial port is already in use by another program", "port is already in use"}},
      // What visitors ask for.
      {"nginx", {"172.16.0.2 - - [22/Nov/2024:10:00:00 +0000] \"GET /docs/listen HTTP/1.1\" 200 512 \"-\" \"curl/7.88.1\""}},
  };
  for (const Case& c : cases) {
    const auto error = find(c);
    INFO(c.command << ": " << (c.lines.empty() ? "" : c.lines.back()));
    CHECK_FALSE(error);
  }
}
