#include "flylocal/store/store.hpp"

#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <set>

#include "tests/unit/temporary_directory.hpp"

using namespace flylocal;
using namespace flylocal::store;
using flylocal::tests::read_file;
using flylocal::tests::TemporaryDirectory;

namespace {

constexpr platform::NetworkNumber kNetwork = 0x18;

Store open(const TemporaryDirectory& directory) {
  auto store = Store::open(directory.path());
  if (store.has_error()) FAIL(store.error().message);
  return std::move(*store);
}

std::string open_error(const TemporaryDirectory& directory) {
  auto store = Store::open(directory.path());
  REQUIRE(store.has_error());
  return store.error().message;
}

MachineRecord machine(Store& store, const std::string& app, int ordinal = 0, const std::string& group = "app",
                      const std::string& region = "iad") {
  auto found = store.machine(app, group, region, ordinal, kNetwork);
  if (found.has_error()) FAIL(found.error().message);
  return *found;
}

/// Another program's hands on a database.
class Database {
 public:
  explicit Database(const std::filesystem::path& path) { REQUIRE(sqlite3_open(path.c_str(), &handle_) == SQLITE_OK); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() { sqlite3_close(handle_); }
  void run(const std::string& sql) {
    INFO(sql);
    REQUIRE(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  }

 private:
  sqlite3* handle_ = nullptr;
};

/// The database file, after everything of the write-ahead log is in it.
std::string contents(const TemporaryDirectory& directory) { return read_file(directory.path() / "state.db"); }

}  // namespace

TEST_CASE("a machine has the same id and addresses when the store is opened again") {
  const TemporaryDirectory directory;
  std::optional<MachineRecord> first;
  {
    Store store = open(directory);
    first = machine(store, "web");
    CHECK(first->id.size() == 14);
    CHECK(first->app == "web");
    CHECK(first->process_group == "app");
    CHECK(first->region == "iad");
    CHECK(first->ordinal == 0);
  }
  Store store = open(directory);
  const MachineRecord again = machine(store, "web");
  CHECK(again.id == first->id);
  CHECK(again.ipv4_block == first->ipv4_block);
  CHECK(again.six_pn == first->six_pn);
  CHECK(std::chrono::abs(again.created_at - first->created_at) < std::chrono::milliseconds(1));
}

TEST_CASE("every place of an app has a machine of its own, with an IPv4 block of its own") {
  const TemporaryDirectory directory;
  Store store = open(directory);
  std::set<std::string> ids;
  std::set<std::uint32_t> blocks;
  std::set<std::string> addresses;
  for (const char* app : {"web", "api"})
    for (const char* group : {"app", "worker"})
      for (const char* region : {"iad", "lhr"})
        for (int ordinal = 0; ordinal < 3; ++ordinal) {
          const MachineRecord made = machine(store, app, ordinal, group, region);
          ids.insert(made.id);
          blocks.insert(made.ipv4_block);
          addresses.insert(made.six_pn.to_string());
        }
  CHECK(ids.size() == 24);
  CHECK(addresses.size() == 24);
  CHECK(blocks.size() == 24);
  CHECK(*blocks.begin() == 0);
  CHECK(*blocks.rbegin() == 23);
}

TEST_CASE("a machine that is asked for in another network keeps its id and moves its address") {
  const TemporaryDirectory directory;
  Store store = open(directory);
  const auto here = store.machine("web", "app", "iad", 0, 0x18);
  const auto there = store.machine("web", "app", "iad", 0, 0x19);
  REQUIRE(here.has_value());
  REQUIRE(there.has_value());
  CHECK(here->id == there->id);
  CHECK(here->six_pn != there->six_pn);
  CHECK(there->six_pn.to_string().starts_with("fdaa:0:19:a7b:"));
}

TEST_CASE("when all private IPv4 blocks are taken, the next machine is an error that says what to do") {
  const TemporaryDirectory directory;
  { open(directory); }
  Database(directory.path() / "state.db")
      .run("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < " +
           std::to_string(platform::kIpv4Blocks - 2) +
           ") INSERT INTO machine SELECT 'id' || i, 'full', 'app', 'iad', i, i, i, 0 FROM n");
  Store store = open(directory);
  CHECK(machine(store, "last").ipv4_block == platform::kIpv4Blocks - 1);
  const auto beyond = store.machine("beyond", "app", "iad", 0, kNetwork);
  REQUIRE(beyond.has_error());
  CHECK_THAT(beyond.error().message, Catch::Contains(std::to_string(platform::kIpv4Blocks)));
  CHECK_THAT(beyond.error().message, Catch::Contains("state.db"));
  // The refused one has left nothing behind, and known machines are found as before.
  CHECK(machine(store, "last").ipv4_block == platform::kIpv4Blocks - 1);
}

TEST_CASE("a network keeps its number, and no two have the same") {
  const TemporaryDirectory directory;
  // Two names with the same hash, as sure as there are more names than numbers.
  std::map<platform::NetworkNumber, std::string> seen;
  std::optional<std::pair<std::string, std::string>> colliding;
  for (int i = 0; !colliding && i < 100000; ++i) {
    const std::string name = "network-" + std::to_string(i);
    auto [place, is_new] = seen.emplace(platform::network_number("personal", name, 0), name);
    if (!is_new) colliding = {place->second, name};
  }
  REQUIRE(colliding);
  const auto& [one, other] = *colliding;

  std::optional<platform::NetworkNumber> first, second, standard;
  {
    Store store = open(directory);
    first = store.network("personal", one).value();
    second = store.network("personal", other).value();
    standard = store.network("personal", "default").value();
    CHECK(*first == platform::network_number("personal", one, 0));
    CHECK(*second == platform::network_number("personal", other, 1));
    CHECK(*standard == platform::network_number("personal", "default", 0));
  }
  Store store = open(directory);
  CHECK(store.network("personal", other).value() == *second);
  CHECK(store.network("personal", one).value() == *first);
  CHECK(store.network("personal", "default").value() == *standard);
  CHECK(store.network("acme", "default").value() != *standard);
}

TEST_CASE("a volume keeps its id and what is in its directory, and belongs to one machine") {
  const TemporaryDirectory directory;
  std::optional<VolumeRecord> first;
  {
    Store store = open(directory);
    first = store.volume(machine(store, "web"), "data").value();
    CHECK(first->id.starts_with("vol_"));
    CHECK(first->name == "data");
    CHECK(std::filesystem::is_directory(first->directory));
    CHECK(first->directory.string().starts_with(directory.path().string() + "/"));
    std::ofstream(first->directory / "kept") << "kept";
  }
  Store store = open(directory);
  const VolumeRecord again = store.volume(machine(store, "web"), "data").value();
  CHECK(again.id == first->id);
  CHECK(again.directory == first->directory);
  CHECK(read_file(again.directory / "kept") == "kept");
  CHECK(store.volume(machine(store, "web"), "other").value().id != first->id);
  CHECK(store.volume(machine(store, "web", 1), "data").value().id != first->id);
}

TEST_CASE("events come newest first, as they were written") {
  const TemporaryDirectory directory;
  const std::chrono::system_clock::time_point at(std::chrono::milliseconds(1700000000123));
  {
    Store store = open(directory);
    REQUIRE(store.add_event("m1", {"launch", "created", "user", "", at}).has_value());
    REQUIRE(store.add_event("m2", {"start", "started", "flyd", "", at}).has_value());
    REQUIRE(store.add_event("m1", {"exit", "stopped", "flyd", "exit code 1; it's \"quoted\"", at}).has_value());
  }
  Store store = open(directory);
  const std::vector<EventRecord> events = store.events("m1", 10).value();
  REQUIRE(events.size() == 2);
  CHECK(events[0].type == "exit");
  CHECK(events[0].status == "stopped");
  CHECK(events[0].source == "flyd");
  CHECK(events[0].detail == "exit code 1; it's \"quoted\"");
  CHECK(events[0].at == at);
  CHECK(events[1].type == "launch");
  CHECK(store.events("m1", 1).value().size() == 1);
  CHECK(store.events("nobody", 10).value().empty());
}

TEST_CASE("a machine that crashes for ever keeps a bounded number of events, the newest") {
  const TemporaryDirectory directory;
  Store store = open(directory);
  REQUIRE(store.add_event("quiet", {"launch", "created", "user", "", {}}).has_value());
  for (int i = 0; i < 450; ++i) REQUIRE(store.add_event("noisy", {"exit", "stopped", "flyd", std::to_string(i), {}}).has_value());
  const std::vector<EventRecord> events = store.events("noisy", 100000).value();
  REQUIRE(events.size() == 200);
  CHECK(events.front().detail == "449");
  CHECK(events.back().detail == "250");
  CHECK(store.events("quiet", 10).value().size() == 1);
}

TEST_CASE("a file that is no database is told as damage and stays as it is") {
  const TemporaryDirectory directory;
  const std::string garbage = "this was never a database\n" + std::string(8192, '\x5a');
  directory.write("state.db", garbage);
  const std::string message = open_error(directory);
  CHECK_THAT(message, Catch::Contains("damaged"));
  CHECK_THAT(message, Catch::Contains((directory.path() / "state.db").string()));
  CHECK_THAT(message, Catch::Contains("mv "));
  CHECK(contents(directory) == garbage);
}

TEST_CASE("a database whose inside is damaged is an error, not a crash, and stays as it is") {
  const TemporaryDirectory directory;
  {
    Store store = open(directory);
    for (int i = 0; i < 50; ++i) machine(store, "web", i);
  }
  std::string bytes = contents(directory);
  REQUIRE(bytes.size() > 8192);
  // Behind the first page, which tells what the file is.
  std::fill(bytes.begin() + 4096, bytes.end(), '\xa5');
  directory.write("state.db", bytes);
  auto store = Store::open(directory.path());
  std::string message;
  if (store.has_error()) {
    message = store.error().message;
  } else {
    auto found = store->machine("web", "app", "iad", 3, kNetwork);
    REQUIRE(found.has_error());
    message = found.error().message;
  }
  CHECK_THAT(message, Catch::Contains("damaged"));
  CHECK(contents(directory) == bytes);
}

TEST_CASE("the store of a newer flylocal is told as such and stays as it is") {
  const TemporaryDirectory directory;
  {
    Store store = open(directory);
    machine(store, "web");
  }
  Database(directory.path() / "state.db").run("PRAGMA user_version = 99");
  const std::string before = contents(directory);
  const std::string message = open_error(directory);
  CHECK_THAT(message, Catch::Contains("newer flylocal"));
  CHECK_THAT(message, Catch::Contains("99"));
  CHECK(contents(directory) == before);
}

TEST_CASE("another program's database is told as such and stays as it is") {
  for (const char* sql : {"CREATE TABLE song (title TEXT); INSERT INTO song VALUES ('a')",
                          "PRAGMA application_id = 252006674", "PRAGMA application_id = 1; CREATE TABLE machine (id TEXT)"}) {
    INFO(sql);
    const TemporaryDirectory directory;
    Database(directory.path() / "state.db").run(sql);
    const std::string before = contents(directory);
    CHECK_THAT(open_error(directory), Catch::Contains("another program"));
    CHECK(contents(directory) == before);
  }
}

TEST_CASE("a store that another program holds is told as in use") {
  const TemporaryDirectory directory;
  { open(directory); }
  Database holder(directory.path() / "state.db");
  holder.run("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE held (x)");
  CHECK_THAT(open_error(directory), Catch::Contains("in use by another program"));
}

TEST_CASE("a directory that does not exist is an error that names the store") {
  const TemporaryDirectory directory;
  auto store = Store::open(directory.path() / "missing");
  REQUIRE(store.has_error());
  CHECK_THAT(store.error().message, Catch::Contains((directory.path() / "missing" / "state.db").string()));
}
