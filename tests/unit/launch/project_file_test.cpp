#include "flylocal/launch/project_file.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>


using namespace flylocal::launch;
using Words = std::vector<std::string>;

TEST_CASE("flylocal.toml is read whole") {
  const auto reading = read_project_file(R"(organization = "acme"
network = "staging-2"
secrets_file = ".env.local"
ip_addresses = ["v4", "private_v6"]
domains = ["example.com", "WWW.Example.com", "example.com"]

[[machines]]
group = "web"
region = "iad"
count = 2

[[machines]]
count = 0

[ports]
80 = 8080
"443" = 8443

[commands]
web = "npm run 'dev server'"
worker = ["python", "-m", "worker"]

[env]
DEBUG = true
PORT = 8080
NAME = "x"

[[expect]]
6pn = 9090

[dns]
order = "random"
reverse = true
servers = ["9.9.9.9", "149.112.112.112"]

[tls]
domains = ["secure.example.com", "example.com"]
)",
                                         "flylocal.toml");
  INFO(render(reading.problems));
  REQUIRE(reading.file.has_value());
  const ProjectFile& file = *reading.file;
  CHECK(file.organization == "acme");
  CHECK(file.network == "staging-2");
  CHECK(file.secrets_file == ".env.local");
  CHECK(file.secrets_file_line == 3);
  REQUIRE(file.machines.size() == 2);
  CHECK((file.machines[0].group == "web" && file.machines[0].region == "iad" && file.machines[0].count == 2));
  CHECK((file.machines[1].group.empty() && file.machines[1].region.empty() && file.machines[1].count == 0));
  CHECK(file.machines[1].line == 12);
  CHECK(file.ports == std::map<std::uint16_t, std::uint16_t>{{80, 8080}, {443, 8443}});
  CHECK(file.commands.at("web").argv == Words{"npm", "run", "dev server"});
  CHECK(file.commands.at("web").line == 20);
  CHECK(file.commands.at("worker").argv == Words{"python", "-m", "worker"});
  CHECK(file.env == std::map<std::string, std::string>{{"DEBUG", "true"}, {"PORT", "8080"}, {"NAME", "x"}});
  REQUIRE(file.expect.size() == 1);
  CHECK(file.expect[0].six_pn_port == 9090);
  CHECK(file.ip_addresses == std::set{IpAddressKind::kV4, IpAddressKind::kPrivateV6});
  CHECK(file.domains == Words{"example.com", "www.example.com", "secure.example.com"});
  CHECK(file.dns.order == flylocal::dns::AnswerOrder::random);
  CHECK(file.dns.reverse_names == true);
  using boost::asio::ip::make_address;
  using Server = boost::asio::ip::udp::endpoint;
  CHECK(file.dns.servers == std::vector<Server>{{make_address("9.9.9.9"), 53}, {make_address("149.112.112.112"), 53}});
}

TEST_CASE("an empty flylocal.toml gives the platform's defaults") {
  const auto reading = read_project_file("", "flylocal.toml");
  REQUIRE(reading.file.has_value());
  CHECK(reading.file->organization == "personal");
  CHECK(reading.file->network == "default");
  CHECK(reading.file->machines.empty());
  CHECK_FALSE(reading.file->secrets_file.has_value());
  CHECK(reading.file->domains.empty());
  CHECK_FALSE(reading.file->dns.order.has_value());
  CHECK_FALSE(reading.file->dns.reverse_names.has_value());
  CHECK(reading.file->dns.servers.empty());
}

TEST_CASE("an edge is a region and a port of this host") {
  const auto reading = read_project_file("[edges]\nsyd = 9080\nams = 9081\n", "flylocal.toml");
  INFO(render(reading.problems));
  REQUIRE(reading.file.has_value());
  CHECK(reading.file->edges == std::map<std::string, std::uint16_t>{{"ams", 9081}, {"syd", 9080}});
  for (const char* wrong : {"edges = 1", "[edges]\nSYD = 9080", "[edges]\nsydney = 9080", "[edges]\nsyd = 0", "[edges]\nsyd = \"9080\"",
                            "[edges]\nsyd = 9080\nams = 9080"}) {
    INFO(wrong);
    const auto refused = read_project_file(wrong, "flylocal.toml");
    CHECK_FALSE(refused.file.has_value());
    CHECK(refused.problems.size() == 1);
  }
}

TEST_CASE("a name server that is none is a problem with its place") {
  const auto reading = read_project_file("[dns]\nservers = [\"9.9.9.9\",\n  \"dns.example\"]\n", "f");
  CHECK_FALSE(reading.file.has_value());
  REQUIRE(reading.problems.size() == 1);
  CHECK((reading.problems[0].line == 3 && reading.problems[0].column == 3 && reading.problems[0].key == "dns.servers"));
  CHECK_FALSE(reading.problems[0].message.empty());
}

TEST_CASE("what is not said in [dns] stays open, and false is said") {
  const auto reading = read_project_file("[dns]\nreverse = false\norder = \"fixed\"\n", "f");
  REQUIRE(reading.file.has_value());
  CHECK(reading.file->dns.reverse_names == false);
  CHECK(reading.file->dns.order == flylocal::dns::AnswerOrder::fixed);
  CHECK(reading.file->dns.servers.empty());
}

TEST_CASE("a domain is a host name that anybody could own") {
  const std::string longest_label(63, 'a');
  const std::string longest_name = longest_label + "." + longest_label + "." + longest_label + "." + std::string(61, 'a');
  struct Case {
    std::string name;
    bool good;
  };
  const Case cases[] = {
      {"example.com", true},           {"a.b", true},
      {"xn--mnchen-3ya.de", true},     {"1.example.com", true},
      {"4.a1", true},                  {longest_name, true},
      {longest_name + "a", false},     {longest_label + "a.com", false},
      {"", false},                     {"example", false},
      {"example.com.", false},         {".example.com", false},
      {"a..com", false},               {"-a.com", false},
      {"a-.com", false},               {"*.example.com", false},
      {"under_score.com", false},      {"example.com:80", false},
      {"http://example.com", false},   {"192.0.2.1", false},
      {"m\u00fcnchen.de", false},      {"example.fly.dev", false},
      {"fly.dev", false},              {"x.internal", false},
      {"app.flycast", false},          {"app.localhost", false},
      {"notfly.dev", true},            {"my-internal.net", true},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const auto reading = read_project_file("domains = [\"" + c.name + "\"]\n", "f");
    CHECK(reading.file.has_value() == c.good);
    if (reading.file) CHECK(reading.file->domains == Words{c.name});
  }
}

TEST_CASE("each mistake in flylocal.toml is named with its place") {
  struct Case {
    std::string text;
    Words problems;
  };
  const Case cases[] = {
      {"organisation = \"a\"\n", {"f:1:1: organisation: unknown key; did you mean organization?"}},
      {"[command]\nweb = \"x\"\n", {"f:1:2: command: unknown key; did you mean commands?"}},
      {"banana = 1\n",
       {"f:1:1: banana: unknown key; known here: organization, network, machines, ports, edges, commands, "
        "secrets_file, env, "
        "expect, ip_addresses, domains, dns, tls"}},
      {"network = 5\norganization = \"a b\"\n",
       {"f:1:11: network: found 5, allowed: a name of letters, digits, - and _",
        "f:2:16: organization: found \"a b\", allowed: a name of letters, digits, - and _"}},
      {"[machines]\ncount = 1\n",
       {"f:1:1: machines: found a table, allowed: one table for each entry, written [[machines]] with lines "
        "like count = "
        "2"}},
      {"machines = [1, 2]\n",
       {"f:1:12: machines: found a list, allowed: one table for each entry, written [[machines]] with lines "
        "like count "
        "= 2"}},
      {"[[machines]]\nregion = \"iad\"\n", {"f:1:1: machines[0]: count is missing, e.g. count = 2"}},
      {"[[machines]]\ncount = -1\ncuont = 2\nregion = \"Europe\"\ngroup = 1\n",
       {"f:2:9: machines[0].count: found -1, allowed: a number from 0 to 1000",
        "f:3:1: machines[0].cuont: unknown key; did you mean count?",
        "f:4:10: machines[0].region: found \"Europe\", allowed: a region's code of three small letters, e.g. "
        "\"iad\"",
        "f:5:9: machines[0].group: found 1, allowed: the name of a process group of fly.toml"}},
      {"[[machines]]\ncount = 1\n[[machines]]\ncount = 2\n",
       {"f:3:1: machines[1]: line 1 already counts the machines of this group and region"}},
      {"[ports]\n80 = 0\nhttp = 80\n443 = 8443\n444 = 8443\n081 = 1\n\"81\" = 2\n",
       {"f:2:6: ports.80: found 0, allowed: a port of this host from 1 to 65535",
        "f:3:1: ports.http: the key is a service's external port from 1 to 65535, e.g. 80 = 8080",
        "f:5:7: ports.444: port 8443 of this host is already taken by ports.443",
        "f:7:1: ports.81: port 81 is mapped a second time"}},
      {"[commands]\na = \"sh -c 'x\"\nb = \"\"\nc = 5\nd = [\"x\", 1]\n",
       {"f:2:5: commands.a: single quote at column 7 is not closed: sh -c 'x",
        "f:3:5: commands.b: found \"\", allowed: a command that is not empty",
        "f:4:5: commands.c: found 5, allowed: a command line or a list of words",
        "f:5:11: commands.d: found 1, allowed: a list of strings"}},
      {"[env]\nA = [1]\n\"B=C\" = \"x\"\n",
       {"f:2:5: env.A: found a list, allowed: a string, a number, true or false",
        "f:3:1: env.B=C: a variable's name is not empty and has no ="}},
      {"[commands]\na = [\"x\", \"\\u0000\"]\n[env]\nA = \"\\u0000\"\n",
       {"f:2:5: commands.a: an argument cannot have a NUL character",
        "f:4:5: env.A: a variable's value cannot have a NUL character"}},
      {"secrets_file = \"\"\n",
       {"f:1:16: secrets_file: found \"\", allowed: a path beside flylocal.toml, e.g. \".env.local\""}},
      {"[[expect]]\n6pn = \"x\"\n[[expect]]\n",
       {"f:2:7: expect[0].6pn: found \"x\", allowed: a port from 1 to 65535",
        "f:3:1: expect[1]: 6pn is missing, e.g. 6pn = 9090"}},
      {"ip_addresses = [\"v4\", \"v5\", 6]\n",
       {"f:1:23: ip_addresses: found \"v5\", allowed: a list of v4, shared_v4, v6 and private_v6, as `fly ips list` shows them",
        "f:1:29: ip_addresses: found 6, allowed: a list of v4, shared_v4, v6 and private_v6, as `fly ips list` shows them"}},
      {"domains = \"example.com\"\n",
       {"f:1:11: domains: found \"example.com\", allowed: a list of host names, e.g. [\"example.com\", \"www.example.com\"]"}},
      {"domains = [\"shop\", 7, \"db.Internal\"]\n",
       {"f:1:12: domains: found \"shop\", allowed: a list of host names, e.g. [\"example.com\", \"www.example.com\"]",
        "f:1:20: domains: found 7, allowed: a list of host names, e.g. [\"example.com\", \"www.example.com\"]",
        "f:1:23: domains: db.internal cannot be a domain of the app: names under internal are the platform's own"}},
      {"tls = true\n", {"f:1:7: tls: found true, allowed: a table, e.g. [tls] with the line domains = [\"example.com\"]"}},
      {"[tls]\ndomains = [\"a b.example\", \"x.fly.dev\"]\ndomain = 1\n",
       {"f:2:12: tls.domains: found \"a b.example\", allowed: a list of host names, e.g. [\"example.com\", \"www.example.com\"]",
        "f:2:27: tls.domains: x.fly.dev cannot be a domain of the app: names under fly.dev are the platform's own",
        "f:3:1: tls.domain: unknown key; did you mean domains?"}},
      {"dns = true\n", {"f:1:7: dns: found true, allowed: a table, e.g. [dns] with the line order = \"random\""}},
      {"[dns]\norder = \"shuffle\"\nreverse = 1\nservers = []\nserver = 1\n",
       {"f:2:9: dns.order: found \"shuffle\", allowed: \"fixed\" or \"random\"",
        "f:3:11: dns.reverse: found 1, allowed: true or false",
        "f:4:11: dns.servers: found a list, allowed: a list of name servers, e.g. [\"1.1.1.1\", \"[2606:4700:4700::1111]:53\"]",
        "f:5:1: dns.server: unknown key; did you mean servers?"}},
      {"[dns]\nservers = [\"9.9.9.9\", 9]\n",
       {"f:2:23: dns.servers: found 9, allowed: a list of name servers, e.g. [\"1.1.1.1\", \"[2606:4700:4700::1111]:53\"]"}},
      {"ip_addresses = \"v4\"\n",
       {"f:1:16: ip_addresses: found \"v4\", allowed: a list of v4, shared_v4, v6 and private_v6, as `fly ips list` shows them"}},
  };
  for (const Case& each : cases) {
    INFO(each.text);
    const auto reading = read_project_file(each.text, "f");
    CHECK_FALSE(reading.file.has_value());
    Words lines;
    for (const FileProblem& problem : reading.problems) lines.push_back(render(problem));
    CHECK(lines == each.problems);
  }
}

TEST_CASE("a flylocal.toml that is nested without end is refused, not followed") {
  std::string key = "a";
  for (int i = 0; i < 200'000; ++i) key += ".a";
  for (const std::string& text : {key + " = 1\n", "[" + key + "]\n", "a = " + std::string(200'000, '[')}) {
    const auto reading = read_project_file(text, "f");
    REQUIRE(reading.problems.size() == 1);
    CHECK(reading.problems[0].message.find("nested too deeply") == 0);
  }
}

TEST_CASE("a syntax error in flylocal.toml has its line and column") {
  const auto reading = read_project_file("network = \"a\"\n[ports\n", "flylocal.toml");
  REQUIRE(reading.problems.size() == 1);
  CHECK(reading.problems[0].line == 2);
  CHECK(reading.problems[0].column == 7);
  CHECK_FALSE(reading.problems[0].message.empty());
}

TEST_CASE("no flylocal.toml is the same as an empty one; one that cannot be read is a problem") {
  namespace fs = std::filesystem;
  const fs::path directory =
      fs::temp_directory_path() / ("flylocal-project-test-" + std::to_string(::getpid()));
  fs::create_directories(directory);
  CHECK(load_project_file(directory / "flylocal.toml").file.has_value());
  CHECK(render(load_project_file(directory).problems) ==
        directory.string() + ": is a directory, expected a file");
  std::ofstream(directory / "flylocal.toml") << "network = 'n'\n";
  CHECK(load_project_file(directory / "flylocal.toml").file->network == "n");
  fs::remove_all(directory);
}
