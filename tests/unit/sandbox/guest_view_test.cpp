#include "flylocal/sandbox/guest_view.hpp"

#include <pwd.h>

#include <catch2/catch.hpp>

#include "tests/unit/temporary_directory.hpp"

using namespace flylocal;
using namespace flylocal::sandbox;
using flylocal::tests::ScopedVariable;

namespace {

store::MachineRecord machine() {
  store::MachineRecord record;
  record.id = "3d8d413b29d089";
  record.app = "web";
  record.process_group = "app";
  record.region = "lhr";
  record.six_pn = boost::asio::ip::make_address_v6("fdaa:0:18:a7b:7d:f066:b83b:2");
  return record;
}

netns::GuestNetwork address() {
  return {"veth0", boost::asio::ip::make_address_v4("172.19.132.34"), machine().six_pn};
}

std::string file(const std::string& path) {
  for (const netns::GuestFile& each : guest_files(machine(), address()))
    if (each.path == path) return each.content;
  FAIL("no " << path);
  return {};
}

using Environment = std::map<std::string, std::string>;

/// The environment as the program sees it; a name that comes twice fails.
Environment environment(const project::AppSpec& app, const project::GroupSpec& group) {
  Environment result;
  for (const std::string& entry : guest_environment(app, group, machine(), "01ARYZ6S41TSV4RRFFQ69G5FAV", "/home/run")) {
    const std::size_t equals = entry.find('=');
    REQUIRE(equals != std::string::npos);
    const bool is_new = result.emplace(entry.substr(0, equals), entry.substr(equals + 1)).second;
    INFO(entry);
    REQUIRE(is_new);
  }
  return result;
}

project::AppSpec app() {
  project::AppSpec spec;
  spec.name = "web";
  spec.primary_region = "iad";
  return spec;
}

project::GroupSpec group() {
  project::GroupSpec spec;
  spec.config.group = "worker";
  spec.config.guest.memory_mb = 512;
  return spec;
}

/// An unprivileged user's sandbox: root inside and, with /etc/subuid, a range above it.
netns::Privilege user_namespace(std::uint32_t further_ids) {
  netns::Privilege privilege;
  privilege.kind = netns::Privilege::Kind::kUserNamespace;
  privilege.uids = privilege.gids = {{0, 1000, 1}};
  if (further_ids > 0) {
    privilege.uids.push_back({1, 100000, further_ids});
    privilege.gids.push_back({1, 100000, further_ids});
  }
  return privilege;
}

}  // namespace

TEST_CASE("the hosts file has the platform's entries, each after its comment and with a TAB") {
  CHECK(file("/etc/hosts") ==
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "\n"
        "# Address in the 6PN private network for this app\n"
        "fdaa:0:18:a7b:7d:f066:b83b:2\tfly-local-6pn\n"
        "\n"
        "# Private address for this instance\n"
        "172.19.132.34\t3d8d413b29d089\n"
        "\n"
        "# Address used for global traffic routing\n"
        "172.19.132.35\tfly-global-services\n");
}

TEST_CASE("the resolver is fdaa::3 alone, after a TAB, and the hostname is the machine's id") {
  CHECK(file("/etc/resolv.conf") == "nameserver\tfdaa::3\n");
  CHECK(file("/etc/hostname") == "3d8d413b29d089\n");
}

TEST_CASE("the platform's variables are there with nothing else set") {
  CHECK(environment(app(), group()) == Environment{
                                           {"FLY_ALLOC_ID", "3d8d413b29d089"},
                                           {"FLY_APP_NAME", "web"},
                                           {"FLY_IMAGE_REF", "registry.fly.io/web:deployment-01ARYZ6S41TSV4RRFFQ69G5FAV"},
                                           {"FLY_MACHINE_ID", "3d8d413b29d089"},
                                           {"FLY_MACHINE_VERSION", "01ARYZ6S41TSV4RRFFQ69G5FAV"},
                                           {"FLY_PRIVATE_IP", "fdaa:0:18:a7b:7d:f066:b83b:2"},
                                           {"FLY_PROCESS_GROUP", "worker"},
                                           {"FLY_REGION", "lhr"},
                                           {"FLY_VM_MEMORY_MB", "512"},
                                           {"HOME", "/home/run"},
                                           {"PRIMARY_REGION", "iad"},
                                       });
}

TEST_CASE("each layer of the environment goes over the one below it") {
  // NAME is set in the layers that are spelled out in it: i(mage), f(ly.toml), l(ocal), s(ecrets).
  project::AppSpec spec = app();
  project::GroupSpec layers = group();
  auto image = [&](const char* name, const char* value) { layers.launch.env.push_back({name, value}); };
  for (const char* name : {"I", "IF", "IL", "IS", "IFLS"}) image(name, "image");
  for (const char* name : {"F", "IF", "FL", "FS", "IFLS"}) layers.config.env[name] = "fly.toml";
  for (const char* name : {"L", "IL", "FL", "LS", "IFLS"}) spec.local_env[name] = "flylocal.toml";
  for (const char* name : {"S", "IS", "FS", "LS", "IFLS"}) spec.secrets[name] = "secret";
  const Environment seen = environment(spec, layers);
  const Environment expected{{"I", "image"},          {"F", "fly.toml"},       {"L", "flylocal.toml"}, {"S", "secret"},
                             {"IF", "fly.toml"},      {"IL", "flylocal.toml"}, {"IS", "secret"},       {"FL", "flylocal.toml"},
                             {"FS", "secret"},        {"LS", "secret"},        {"IFLS", "secret"}};
  for (const auto& [name, value] : expected) {
    INFO(name);
    CHECK(seen.at(name) == value);
  }
}

TEST_CASE("nobody overrides the platform's own variables") {
  project::AppSpec spec = app();
  project::GroupSpec layers = group();
  for (const char* name : {"FLY_APP_NAME", "FLY_MACHINE_ID", "FLY_ALLOC_ID", "FLY_REGION", "FLY_PRIVATE_IP", "FLY_IMAGE_REF",
                           "FLY_MACHINE_VERSION", "FLY_VM_MEMORY_MB", "FLY_PROCESS_GROUP", "PRIMARY_REGION"}) {
    layers.launch.env.push_back({name, "image"});
    layers.config.env[name] = "fly.toml";
    spec.local_env[name] = "flylocal.toml";
    spec.secrets[name] = "secret";
  }
  CHECK(environment(spec, layers) == environment(app(), group()));
}

TEST_CASE("HOME is filled in only where nothing sets it") {
  project::GroupSpec layers = group();
  layers.launch.env.push_back({"HOME", "/root"});
  CHECK(environment(app(), layers).at("HOME") == "/root");
}

TEST_CASE("values come through as they are, with newlines and equals signs") {
  project::AppSpec spec = app();
  spec.secrets["KEY"] = "-----BEGIN KEY-----\na=b==\n-----END KEY-----\n";
  spec.secrets["EMPTY"] = "";
  const Environment seen = environment(spec, group());
  CHECK(seen.at("KEY") == spec.secrets["KEY"]);
  CHECK(seen.at("EMPTY").empty());
}

TEST_CASE("no USER, or root, is the machine's root with flylocal's own home") {
  const ScopedVariable home("HOME", "/home/me");
  for (const char* wanted : {"", "root", "0", "root:root", "0:0"}) {
    INFO(wanted);
    const RunUser user = find_run_user(wanted, user_namespace(0));
    CHECK_FALSE(user.user);
    CHECK(user.home == "/home/me");
    CHECK(user.note.empty());
  }
}

TEST_CASE("a USER that the host knows has its ids and its home") {
  const passwd* entry = ::getpwnam("nobody");
  REQUIRE(entry);
  const netns::GuestUser expected{entry->pw_uid, entry->pw_gid, {}};
  const std::string home = entry->pw_dir;
  for (const std::string& wanted : {std::string("nobody"), std::to_string(expected.uid)}) {
    INFO(wanted);
    const RunUser user = find_run_user(wanted, netns::Privilege{});
    REQUIRE(user.user);
    CHECK(user.user->uid == expected.uid);
    CHECK(user.user->gid == expected.gid);
    CHECK(user.home == home);
    CHECK(user.note.empty());
  }
}

TEST_CASE("a numeric USER needs no entry on the host; its home is / as on the platform") {
  REQUIRE(::getpwuid(54321) == nullptr);
  const RunUser alone = find_run_user("54321", netns::Privilege{});
  REQUIRE(alone.user);
  CHECK(alone.user->uid == 54321);
  CHECK(alone.home == "/");
  const RunUser with_group = find_run_user("54321:43210", netns::Privilege{});
  REQUIRE(with_group.user);
  CHECK(with_group.user->uid == 54321);
  CHECK(with_group.user->gid == 43210);
  CHECK(with_group.user->groups == std::vector<gid_t>{43210});
}

TEST_CASE("a USER that cannot be had is root instead, and the note says why") {
  struct Case {
    const char* name;
    std::string wanted;
    netns::Privilege privilege;
    const char* note;
  };
  const Case cases[] = {
      {"unknown user", "no-such-user-here", {}, "no such user"},
      {"unknown group", "nobody:no-such-group-here", {}, "no such group"},
      {"not mapped at all", "nobody", user_namespace(0), "unprivileged sandbox"},
      {"beyond the subordinate ids", "70000", user_namespace(65536), "unprivileged sandbox"},
      {"group beyond them", "1000:70000", user_namespace(65536), "unprivileged sandbox"},
      {"not a number after all", "12abc", {}, "no such user"},
      {"too large for an id", "99999999999", {}, "no such user"},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const RunUser user = find_run_user(c.wanted, c.privilege);
    CHECK_FALSE(user.user);
    CHECK_THAT(user.note, Catch::Contains("USER " + c.wanted));
    CHECK_THAT(user.note, Catch::Contains(c.note));
  }
}

TEST_CASE("with subordinate ids an unprivileged sandbox has other users, with the groups that are mapped") {
  const RunUser user = find_run_user("1234:5678", user_namespace(65536));
  REQUIRE(user.user);
  CHECK(user.user->uid == 1234);
  CHECK(user.user->gid == 5678);
  CHECK(user.note.empty());
}
