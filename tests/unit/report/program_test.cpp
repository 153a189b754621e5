#include "flylocal/report/program.hpp"

#include <catch2/catch.hpp>

#include <cctype>
#include <set>

#include "flylocal/report/program_table.hpp"

using namespace flylocal::report;

namespace {

struct Process {
  std::string_view name;  ///< /proc/PID/comm
  std::vector<std::string> command_line;
  std::string_view id;  ///< of the row; empty: unknown
};

std::string_view id_of(const Process& process) {
  const Program* program = recognise({process.name, process.command_line});
  return program ? program->id : std::string_view{};
}

void check(const std::vector<Process>& processes) {
  for (const Process& process : processes) {
    std::string line;
    for (const std::string& word : process.command_line) line += " [" + word + "]";
    INFO(process.name << ":" << line);
    CHECK(id_of(process) == process.id);
  }
}

std::vector<std::string_view> texts_of(const Program& program) {
  return {program.listen, program.six_pn, program.port, program.hosts, program.udp, program.client};
}

/// What stands between braces where that is one lower-case word: the form of a placeholder.
std::set<std::string> placeholders_in(std::string_view text) {
  std::set<std::string> found;
  for (std::size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1)) {
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) break;
    const std::string_view inside = text.substr(open + 1, close - open - 1);
    if (!inside.empty() && inside.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos) found.emplace(inside);
  }
  return found;
}

/// Whether a number of three to five digits stands there: a port that someone forgot to replace.
bool has_fixed_port(std::string_view text) {
  std::size_t digits = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    if (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at]))) {
      ++digits;
    } else {
      const bool part_of_a_word = at > digits && std::isalpha(static_cast<unsigned char>(text[at - digits - 1]));
      const std::string_view number = text.substr(at - digits, digits);
      const bool no_port = number == "128" || number == "256";  // a backlog, and scram-sha-256
      if (digits >= 3 && digits <= 5 && !part_of_a_word && !no_port) return true;
      digits = 0;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("processes of Node.js and its kin are recognised, the framework before the runtime") {
  check({
      {"node", {"node", "server.js"}, "node"},
      {"node", {"/usr/local/bin/node", "--enable-source-maps", "-r", "dotenv/config", "dist/index.js"}, "node"},
      {"MainThread", {"node", "server.js"}, "node"},
      {"nodejs", {"/usr/bin/nodejs", "app.js"}, "node"},
      {"node", {"node", "/usr/local/bin/tsx", "server.ts"}, "node"},
      {"node", {"node", "-e", "require('http').createServer().listen(8080)"}, "node"},
      {"node", {"node", "nginx.js"}, "node"},
      {"node", {"node", "/srv/redis-server/index.js"}, "node"},
      {"node", {"node", "build/index.js"}, "node"},
      {"node", {"node", "build.js"}, "node"},
      {"node", {"node", "dist/main.js"}, "node"},
      {"node", {"node", "target/debug/server.js"}, "node"},
      {"node", {"node", "server.js", "vite"}, "node"},
      {"node", {"node", "/app/vite/server.js"}, "node"},
      {"next-server (v1", {"next-server (v16.4.6)", "", ""}, "next"},
      {"next-server (v1", {"next-server (v"}, "next"},
      {"next-server (v1", {"next-ser"}, "next"},  // no room for more of the title
      {"node", {"node", "/app/node_modules/.bin/next", "start", "-p", "8080"}, "next"},
      {"node", {"/usr/bin/node", "/app/node_modules/next/dist/bin/next", "dev"}, "next"},
      {"node", {"/usr/bin/node", "/app/node_modules/next/dist/server/lib/start-server.js"}, "next"},
      {"node", {"node", ".next/standalone/server.js"}, "next-standalone"},
      {"node", {"node", "/app/.next/standalone/server.js"}, "next-standalone"},
      {"node", {"node", "node_modules/.bin/vite", "--host", "::", "--port", "8080"}, "vite"},
      {"node", {"node", "/app/node_modules/vite/bin/vite.js"}, "vite"},
      {"node", {"node", "/app/node_modules/.pnpm/vite@8.3.8/node_modules/vite/bin/vite.js", "dev"}, "vite"},
      {"node", {"node", "node_modules/.bin/vite", "preview", "--port", "8080"}, "vite-preview"},
      {"node", {"node", "node_modules/.bin/vite", "--mode", "x", "preview"}, "vite"},
      {"webpack", {"webpack", ""}, "webpack-dev-server"},
      {"node", {"node", "/app/node_modules/.bin/webpack", "serve", "--mode", "development"}, "webpack-dev-server"},
      {"node", {"node", "/app/node_modules/.bin/webpack", "build"}, "node"},
      {"node", {"node", "/app/node_modules/.bin/webpack-dev-server"}, "webpack-dev-server"},
      {"node", {"node", "/app/node_modules/.bin/remix-serve", "build/index.js"}, "remix"},
      {"node", {"node", "/app/node_modules/@remix-run/serve/dist/cli.js", "build/index.js"}, "remix"},
      {"node", {"node", "node_modules/.bin/react-router-serve", "./build/server/index.js"}, "remix"},
      {"node", {"node", ".output/server/index.mjs"}, "nuxt"},
      {"node", {"node", "/app/node_modules/nuxt/bin/nuxt.mjs", "dev"}, "nuxt-dev"},
      {"node", {"node", "build"}, "sveltekit"},
      {"node", {"node", "-r", "dotenv/config", "/app/build"}, "sveltekit"},
      {"node", {"node", "./dist/server/entry.mjs"}, "astro"},
      {"http-server", {"http-server"}, "http-server"},
      {"node", {"node", "/usr/local/bin/http-server", "-p", "8080"}, "http-server"},
      {"node", {"node", "/usr/local/bin/serve", "-l", "8080"}, "serve"},
      {"node", {"node", "/app/node_modules/serve/build/main.js"}, "serve"},
      {"serve", {"/usr/bin/node", "/usr/local/bin/serve"}, "serve"},
      {"serve", {"serve"}, ""},  // a program of that name can be anything
      {"node", {"node", "node_modules/.bin/json-server", "db.json"}, "json-server"},
      {"node", {"node", "--enable-source-maps", "/app/dist/main"}, "nestjs"},
      {"node", {"node", "/app/node_modules/.bin/nest", "start"}, "nestjs"},
      {"node", {"node", "/app/node_modules/.bin/fastify", "start", "app.js"}, "fastify"},
      {"node", {"node", "./bin/www"}, "express"},
      {"node", {"node", "koa.js"}, "koa"},
      {"node", {"node", "src/hapi.mjs"}, "hapi"},
      {"node", {"node", "hono.ts"}, "hono"},
      {"bun", {"bun", "run", "server.ts"}, "bun"},
      {"bun", {"bun", "run", "serve"}, "bun"},
      {"bun", {"bun", "--bun", "run", "node_modules/.bin/vite", "--host"}, "vite"},
      {"bun", {"/usr/local/bin/bun", "index.ts"}, "bun"},
      {"deno", {"deno", "run", "-A", "main.ts"}, "deno"},
      {"deno", {"deno", "serve", "--port", "8080", "main.ts"}, "deno"},
      {"deno", {"deno", "run", "-A", "npm:vite@8.3.8", "--host"}, "vite"},
  });
}

TEST_CASE("processes of Python are recognised") {
  check({
      {"python3", {"python3", "app.py"}, "python"},
      {"python3.11", {"/usr/bin/python3.11", "-u", "/app/main.py"}, "python"},
      {"python", {"python", "-c", "import uvicorn; uvicorn.run('main:app')"}, "python"},
      {"python3", {"python3", "-c", "from multiprocessing.spawn import spawn_main", "--multiprocessing-fork"}, "python"},
      {"python3", {"python3", "/srv/gunicorn/app.py"}, "python"},
      {"python3", {"python3", "nginx.py"}, "python"},
      {"python3", {"python3", "manage.py", "migrate"}, "python"},
      {"python3", {"python3", "-m", "http.server", "8080", "--bind", "::"}, "http.server"},
      {"flask", {"/usr/local/bin/python3.12", "/usr/local/bin/flask", "run", "--host", "::"}, "flask"},
      {"python3", {"python3", "-m", "flask", "run"}, "flask"},
      {"python", {"python", "manage.py", "runserver", "[::]:8000"}, "django"},
      {"python3", {"/usr/bin/python3", "-Wa", "/app/manage.py", "runserver"}, "django"},
      {"manage.py", {"/usr/bin/python3", "./manage.py", "runserver", "0:8000"}, "django"},
      {"uvicorn", {"/app/.venv/bin/python", "/app/.venv/bin/uvicorn", "main:app", "--host", ""}, "uvicorn"},
      {"python3", {"python3", "-m", "uvicorn", "asgi:app", "--workers", "2"}, "uvicorn"},
      {"python3", {"python3", "-X", "dev", "-m", "uvicorn", "asgi:app"}, "uvicorn"},
      {"fastapi", {"/usr/local/bin/python3", "/usr/local/bin/fastapi", "run", "main.py"}, "fastapi"},
      {"gunicorn", {"/usr/bin/python3", "/usr/bin/gunicorn", "wsgi:app", "-b", "[::]:8000"}, "gunicorn"},
      {"gunicorn", {"/usr/bin/python3", "/usr/bin/gunicorn", "asgi:app", "-k", "uvicorn.workers.UvicornWorker"}, "gunicorn"},
      {"gunicorn: maste", {"gunicorn: master [wsgi:app]"}, "gunicorn"},
      {"hypercorn", {"/usr/bin/python3", "/usr/bin/hypercorn", "asgi:app"}, "hypercorn"},
      {"daphne", {"/usr/local/bin/python", "/usr/local/bin/daphne", "-b", "::", "asgi:app"}, "daphne"},
      {"python3", {"/usr/bin/python3", "-m", "daphne", "asgi:app"}, "daphne"},
      {"waitress-serve", {"/usr/bin/python3", "/usr/bin/waitress-serve", "--listen=*:8080", "wsgi:app"}, "waitress"},
      {"python3", {"python3", "-m", "waitress", "wsgi:app"}, "waitress"},
      {"python3", {"python3", "-m", "aiohttp.web", "-P", "8080", "web:init"}, "aiohttp"},
  });
}

TEST_CASE("processes of Ruby, Perl, PHP, Java, Erlang and .NET are recognised") {
  check({
      {"ruby", {"ruby", "app.rb"}, "ruby"},
      {"ruby3.1", {"/usr/bin/ruby3.1", "puma/app.rb"}, "ruby"},
      {"puma", {"puma 5.6.5 (tcp://0.0.0.0:8080) [app]"}, "puma"},
      {"ruby", {"puma 6.4.2 (tcp://localhost:3000) [blog]", "", ""}, "puma"},
      {"puma", {"puma: cluster worker 0: 384 [app]"}, "puma"},
      {"ruby", {"/usr/local/bin/ruby", "-W0", "/usr/local/bundle/bin/puma", "-C", "config/puma.rb"}, "puma"},
      {"rackup", {"puma 5.6.5 (tcp://[::]:8080) [app]"}, "rackup"},
      {"rackup", {"/usr/bin/ruby", "/usr/bin/rackup", "-s", "webrick"}, "rackup"},
      {"ruby", {"ruby", "bin/rails", "server", "-p", "8080"}, "rails"},
      {"rails", {"/usr/bin/ruby", "/usr/bin/rails", "s"}, "rails"},
      {"ruby", {"ruby", "bin/rails", "db:migrate"}, "ruby"},
      {"unicorn", {"unicorn master -l [::]:8080"}, "unicorn"},
      {"unicorn", {"unicorn worker[0] -l [::]:8080"}, "unicorn"},
      {"thin", {"/usr/bin/ruby", "/usr/bin/thin", "start", "-p", "8080"}, "thin"},
      {"ruby", {"ruby", "-run", "-e", "httpd", ".", "-p", "8080"}, "webrick"},
      {"ruby", {"ruby", "sinatra.rb", "-o", "::"}, "sinatra"},
      {"perl", {"perl", "server.pl"}, "perl"},
      {"perl", {"perl", "app.pl", "daemon", "-l", "http://[::]:8080"}, "mojolicious"},
      {"starman", {"starman master --port 8080"}, "starman"},
      {"php8.2", {"php8.2", "-S", "[::]:8080"}, "php-server"},
      {"php", {"php", "-S", "127.0.0.1:8000", "-t", "public", "public/index.php"}, "php-server"},
      {"php", {"php", "artisan", "serve"}, "laravel"},
      {"php",
       {"/usr/bin/php8.3", "-S", "127.0.0.1:8000", "/app/vendor/laravel/framework/src/Illuminate/Foundation/resources/server.php"},
       "laravel"},
      {"php", {"php", "artisan", "queue:work"}, "php"},
      {"php-fpm8.2", {"php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"}, "php-fpm"},
      {"php-fpm", {"php-fpm: pool www"}, "php-fpm"},
      {"java", {"java", "-jar", "/app/app.jar"}, "java"},
      {"java", {"java", "-jar", "/srv/nginx.jar"}, "java"},
      {"java", {"java", "-jar", "target/release/app.jar"}, "java"},
      {"java", {"java", "-cp", "/app/classes:/app/lib/*", "com.example.Main"}, "java"},
      {"java", {"/opt/java/bin/java", "-Xmx512m", "org.springframework.boot.loader.launch.JarLauncher"}, "spring-boot"},
      {"java", {"java", "-jar", "app.jar", "--server.port=8080"}, "spring-boot"},
      {"java", {"java", "-Dspring.profiles.active=prod", "-jar", "app.jar"}, "spring-boot"},
      {"java",
       {"/usr/bin/java", "-Dcatalina.home=/usr/share/tomcat10", "-classpath", "/usr/share/tomcat10/bin/bootstrap.jar",
        "org.apache.catalina.startup.Bootstrap", "start"},
       "tomcat"},
      {"beam.smp", {"/usr/lib/erlang/erts-13.1.5/bin/beam.smp", "--", "-root", "/usr/lib/erlang", "--", "-noshell"}, "erlang"},
      {"beam.smp",
       {"/usr/lib/erlang/erts-13.1.5/bin/beam.smp", "--", "-root", "/usr/lib/erlang", "--", "-s", "elixir", "start_cli", "-extra"},
       "elixir"},
      {"beam.smp",
       {"/usr/lib/erlang/erts-13.1.5/bin/beam.smp", "--", "-noshell", "-s", "elixir", "start_cli", "-extra", "/usr/bin/mix", "phx.server"},
       "phoenix"},
      {"beam.smp", {"/usr/lib/erlang/erts-13/bin/beam.smp", "--", "-noinput", "-s", "rabbit", "boot", "-boot", "start_sasl"}, "rabbitmq"},
      {"epmd", {"/usr/lib/erlang/erts-13.1.5/bin/epmd", "-daemon"}, "epmd"},
      {"erl_child_setup", {"erl_child_setup", "1024"}, ""},
      {"dotnet", {"dotnet", "App.dll"}, "dotnet"},
      {"App", {"/src/bin/Debug/net8.0/App"}, "dotnet"},
  });
}

TEST_CASE("programs of their own are recognised, whatever their arguments were overwritten with") {
  check({
      {"main", {"/tmp/go-build3372988012/b001/exe/main"}, "go"},
      {"go", {"/usr/local/go/bin/go", "run", "."}, "go"},
      {"go", {"go", "test", "./..."}, ""},
      {"app", {"target/debug/app"}, "rust"},
      {"app", {"/src/target/x86_64-unknown-linux-musl/release/app"}, "rust"},
      {"cargo", {"cargo", "run", "--release"}, "rust"},
      {"cargo", {"cargo", "build"}, ""},
      {"nginx", {"nginx: master process nginx -g daemon off;"}, "nginx"},
      {"nginx", {"nginx: worker process"}, "nginx"},
      {"nginx", {"/usr/sbin/nginx", "-g", "daemon off;"}, "nginx"},
      {"nginx", {}, "nginx"},
      {"caddy", {"caddy", "run", "--config", "/etc/caddy/Caddyfile"}, "caddy"},
      {"thrust", {"/usr/local/bundle/bin/thrust", "./bin/rails", "server"}, "thruster"},
      {"apache2", {"/usr/sbin/apache2", "-D", "FOREGROUND"}, "apache"},
      {"httpd", {"httpd", "-DFOREGROUND"}, "apache"},
      {"httpd", {"httpd", "-f", "-p", "8080", "-h", "/www"}, "busybox-httpd"},
      {"httpd", {"httpd", "-f", "-h", "/www"}, "busybox-httpd"},
      {"busybox", {"busybox", "httpd", "-f", "-p", "8080"}, "busybox-httpd"},
      {"busybox", {"busybox", "sleep", "9"}, ""},
      {"lighttpd", {"lighttpd", "-D", "-f", "/etc/lighttpd/lighttpd.conf"}, "lighttpd"},
      {"haproxy", {"haproxy", "-W", "-f", "h.cfg"}, "haproxy"},
      {"cache-main", {"varnishd", "-F", "-a", ":8080"}, "varnish"},
      {"squid", {"squid", "-N"}, "squid"},
      {"redis-server", {"redis-server *:6379"}, "redis"},
      {"redis-server", {"/usr/bin/redis-server 127.0.0.1:6379"}, "redis"},
      {"valkey-server", {"valkey-server *:6379"}, "redis"},
      {"keydb-server", {"keydb-server *:6379"}, "keydb"},
      {"redis-cli", {"redis-cli", "-h", "db.internal"}, ""},
      {"postgres", {"postgres"}, "postgresql"},
      {"postgres", {"postgres: checkpointer "}, "postgresql"},
      {"postgres", {"/usr/lib/postgresql/15/bin/postgres", "-D", "/var/lib/postgresql/15/main"}, "postgresql"},
      {"pgbouncer", {"pgbouncer", "-u", "nobody", "pb.ini"}, "pgbouncer"},
      {"mariadbd", {"/usr/sbin/mariadbd"}, "mysql"},
      {"mysqld", {"mysqld", "--bind-address=127.0.0.1"}, "mysql"},
      {"mysql", {"mysql", "-h", "db.internal"}, ""},
      {"memcached", {"memcached", "-u", "memcache"}, "memcached"},
      {"nats-server", {"nats-server", "-p", "4222"}, "nats"},
      {"mongod", {"mongod", "--bind_ip_all"}, "mongodb"},
      {"mosquitto", {"mosquitto", "-c", "m.conf"}, "mosquitto"},
      {"etcd", {"etcd"}, "etcd"},
      {"surreal", {"surreal", "start", "--bind", "[::]:8000"}, "surrealdb"},
      {"clickhouse-serv", {"/usr/bin/clickhouse-server", "--config-file=/etc/config.xml"}, "clickhouse"},
      {"meilisearch", {"/bin/meilisearch"}, "meilisearch"},
      {"beanstalkd", {"beanstalkd", "-l", "::"}, "beanstalkd"},
      {"pocketbase", {"/pb/pocketbase", "serve", "--http=127.0.0.1:8090"}, "pocketbase"},
      {"prometheus", {"/bin/prometheus", "--config.file=/etc/p.yml"}, "prometheus"},
      {"grafana", {"grafana", "server", "--homepath=/usr/share/grafana"}, "grafana"},
      {"sshd", {"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"}, "sshd"},
      {"socat", {"socat", "TCP-LISTEN:8080,fork", "PIPE"}, "socat"},
      {"ncat", {"ncat", "-lk", "8080"}, "ncat"},
      {"nc.openbsd", {"nc.openbsd", "-lk", "-p", "8080"}, "nc"},
      {"websocat", {"websocat", "-s", "8080"}, "websocat"},
      {"dnsmasq", {"dnsmasq", "-k"}, "dnsmasq"},
      {"unbound", {"unbound", "-d"}, "unbound"},
      {"named", {"/usr/sbin/named", "-f"}, "bind9"},
      {"nsd", {"nsd", "-d"}, "nsd"},
      {"turnserver", {"turnserver", "-n"}, "coturn"},
      {"coredns", {"/coredns", "-conf", "Corefile"}, "coredns"},
  });
}

TEST_CASE("a process that took its name away is recognised by its command line") {
  check({
      {" ", {"/usr/sbin/nginx", "-g", "daemon off;"}, "nginx"},
      {"   ", {"node", "server.js"}, "node"},
      {" gunicorn x", {"/usr/bin/python3", "app.py"}, "gunicorn"},
  });
}

TEST_CASE("what starts other programs is looked through") {
  check({
      {"sh", {"sh", "-c", "vite --host"}, "vite"},
      {"sh", {"/bin/sh", "-c", "exec nginx -g 'daemon off;'"}, "nginx"},
      {"bash", {"/bin/bash", "-lc", "python manage.py migrate && gunicorn app.wsgi -b 0.0.0.0:8080"}, "gunicorn"},
      {"sh", {"sh", "-c", "cd /app; PORT=8080 node server.js 2>&1 | tee log"}, "node"},
      {"sh", {"sh", "-c", "./bin/rails db:prepare && ./bin/rails server"}, "rails"},
      {"sh", {"sh", "-c", "while true; do nc -l -p 8080; done"}, "nc"},
      {"sh", {"sh", "-c", "echo \"nginx\"; sleep 9"}, ""},
      {"sh", {"sh", "-c", "sh -c 'sh -c \"redis-server\"'"}, "redis"},
      {"sh", {"sh", "-c", "command -v nginx && ./app"}, ""},
      {"sh", {"/bin/sh", "./nginx.sh"}, ""},
      {"nginx", {"/bin/sh", "/app/nginx"}, ""},
      {"sh", {"sh", "-c"}, ""},
      {"tini", {"tini", "--", "node", "server.js"}, "node"},
      {"dumb-init", {"/usr/bin/dumb-init", "--", "caddy", "run"}, "caddy"},
      {"env", {"env", "-u", "HOME", "PORT=8080", "uvicorn", "main:app"}, "uvicorn"},
      {"gosu", {"gosu", "redis", "redis-server"}, "redis"},
      {"npm exec serve", {"npm exec serve -l 8080"}, "serve"},
      {"node", {"npx", "serve", "-l", "8080"}, "serve"},
      {"node", {"npx", "-y", "vite@8", "preview"}, "vite-preview"},
      {"node", {"npx", "-p", "serve", "mytool"}, ""},
      {"node", {"npx", "tsx", "server.ts"}, "node"},
      {"npm run dev", {"npm run dev"}, ""},
      {"npm start", {"npm start"}, ""},
      {"yarn", {"yarn", "serve"}, ""},
      {"bundle", {"bundle", "exec", "puma", "-p", "8080"}, "puma"},
      {"uv", {"uv", "run", "--with", "x", "uvicorn", "main:app"}, "uvicorn"},
      {"poetry", {"poetry", "run", "gunicorn", "wsgi:app"}, "gunicorn"},
      {"iex", {"iex", "-S", "mix", "phx.server"}, "phoenix"},
  });
}

TEST_CASE("a name that only looks like a server's is not taken for it") {
  check({
      {"run", {"/opt/nginx-tests/run"}, ""},
      {"run", {"/opt/nginx/run"}, ""},
      {"nginx-exporter", {"nginx-exporter"}, ""},
      {"nginx tests", {"/opt/nginx tests"}, ""},
      {"app", {"./nginx tests/app"}, ""},
      {"myapp", {"/usr/local/bin/myapp", "nginx"}, ""},
      {"myapp", {"/app/myapp", "--upstream=redis-server"}, ""},
      {"vite", {"/app/vite"}, ""},
      {"tail", {"tail", "-f", "/var/log/nginx/access.log"}, ""},
      {"sleep", {"sleep", "infinity"}, ""},
      {"hallpass", {"/.fly/hallpass"}, ""},
      {"", {}, ""},
      {"", {""}, ""},
      {"", {" "}, ""},
      {" ", {" "}, ""},
      {" ", {"/app/run"}, ""},
      {":", {": x"}, ""},
      {"-", {"-"}, ""},
  });
}

TEST_CASE("every row has an id of its own, a title and a rule") {
  const auto rows = program_rows();
  REQUIRE(programs().size() == rows.size());
  std::set<std::string_view> ids;
  for (const Row& row : rows) {
    INFO(row.id);
    CHECK_FALSE(row.id.empty());
    CHECK_FALSE(row.title.empty());
    CHECK(ids.insert(row.id).second);
    const Rule& first = row.rules[0];
    CHECK_FALSE((first.names.empty() && first.scripts.empty() && first.paths.empty() && first.arguments.empty() && first.command.empty()));
  }
}

TEST_CASE("what is returned is one of programs(), with the texts of its row") {
  const std::vector<std::string> words = {"gunicorn: master [wsgi:app]"};
  const Program* program = recognise({"gunicorn", words});
  REQUIRE(program);
  CHECK(program >= programs().data());
  CHECK(program < programs().data() + programs().size());
  CHECK(program->title == "gunicorn");
  CHECK(program->listen == "gunicorn -b [::]:{port}");
  CHECK(program->client.find("gethostbyname") != std::string_view::npos);
}

TEST_CASE("the texts have no placeholder but {port}, and no port of their own") {
  for (const Program& program : programs()) {
    CHECK_FALSE(program.listen.empty());
    CHECK(program.port.find("{port}") != std::string_view::npos);
    for (std::string_view text : texts_of(program)) {
      INFO(program.id << ": " << text);
      const auto placeholders = placeholders_in(text);
      CHECK((placeholders.empty() || placeholders == std::set<std::string>{"port"}));
      CHECK_FALSE(has_fixed_port(text));
      CHECK(with_port(text, 8080).find("{port}") == std::string::npos);
      CHECK(text.find('\n') == std::string_view::npos);
    }
  }
}

TEST_CASE("a port takes the place of every {port}") {
  CHECK(with_port("listen {port}; listen [::]:{port};", 8080) == "listen 8080; listen [::]:8080;");
  CHECK(with_port("{port}", 1) == "1");
  CHECK(with_port("{port}{port}", 65535) == "6553565535");
  CHECK(with_port("listen({ port: {port}, host: '::' })", 3000) == "listen({ port: 3000, host: '::' })");
  CHECK(with_port("{ports} {por", 80) == "{ports} {por");
  CHECK(with_port("", 80).empty());
}
