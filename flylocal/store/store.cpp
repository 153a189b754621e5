#include "flylocal/store/store.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <optional>

#include "flylocal/platform/identifiers.hpp"

namespace flylocal::store {
namespace fs = std::filesystem;
namespace {

constexpr int kSchemaVersion = 1;
constexpr int kApplicationId = 0x666c796c;  // "flyl", so that file(1) and we know whose database it is
constexpr int kEventsKeptPerMachine = 200;

constexpr const char* kSchema = R"sql(
CREATE TABLE network (
  organization TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL UNIQUE,
  PRIMARY KEY (organization, name));
CREATE TABLE machine (
  id TEXT PRIMARY KEY, app TEXT NOT NULL, process_group TEXT NOT NULL, region TEXT NOT NULL, ordinal INTEGER NOT NULL,
  ipv4_block INTEGER NOT NULL UNIQUE, machine_part INTEGER NOT NULL, created_ms INTEGER NOT NULL,
  UNIQUE (app, process_group, region, ordinal));
CREATE TABLE volume (
  id TEXT PRIMARY KEY, machine TEXT NOT NULL, name TEXT NOT NULL, created_ms INTEGER NOT NULL,
  UNIQUE (machine, name));
CREATE TABLE event (
  number INTEGER PRIMARY KEY, machine TEXT NOT NULL, type TEXT NOT NULL, status TEXT NOT NULL, source TEXT NOT NULL,
  detail TEXT NOT NULL, at_ms INTEGER NOT NULL);
CREATE INDEX event_by_machine ON event (machine, number);
)sql";

std::int64_t to_milliseconds(std::chrono::system_clock::time_point at) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
}
std::chrono::system_clock::time_point from_milliseconds(std::int64_t value) {
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(value));
}

}  // namespace

struct Store::Impl {
  explicit Impl(fs::path where)
      : directory(std::move(where)),
        path(directory / "state.db"),
        database(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 2000) {}

  Error error(const char* act, const SQLite::Exception& failure) const {
    const int code = failure.getErrorCode();
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
      return {fmt::format("the store {} is damaged ({}); it was not touched. To start afresh, move it away: mv {} {}.damaged",
                          path.string(), failure.what(), path.string(), path.string())};
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
      return {fmt::format("the store {} is in use by another program ({})", path.string(), failure.what())};
    return {fmt::format("{}: {}: {}", path.string(), act, failure.what())};
  }

  /// Runs `work` in a transaction; what SQLite throws becomes an Error.
  template <class Work>
  auto transact(const char* act, Work work) -> decltype(work()) {
    try {
      SQLite::Transaction transaction(database);
      auto result = work();
      if (result) transaction.commit();
      return result;
    } catch (const SQLite::Exception& failure) {
      return error(act, failure);
    }
  }

  SQLite::Statement query(const char* sql) { return {database, sql}; }

  std::optional<Error> prepare() {
    const int version = database.execAndGet("PRAGMA user_version").getInt();
    const int owner = database.execAndGet("PRAGMA application_id").getInt();
    const int tables = database.execAndGet("SELECT count(*) FROM sqlite_master").getInt();
    if (owner != kApplicationId && (owner != 0 || tables > 0))
      return Error{fmt::format("{} is a database of another program; move it away", path.string())};
    if (version > kSchemaVersion)
      return Error{fmt::format("the store {} was written by a newer flylocal (schema {}, this one knows {}); it was not "
                               "touched. Use the newer flylocal, or another XDG_STATE_HOME",
                               path.string(), version, kSchemaVersion)};
    // With a write-ahead log a commit costs no fsync, and a killed process leaves a consistent database.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    if (tables == 0) {
      SQLite::Transaction transaction(database);
      database.exec(kSchema);
      database.exec(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, kSchemaVersion));
      transaction.commit();
    }
    return std::nullopt;
  }

  std::uint32_t free_ipv4_block() {
    auto used = query("SELECT ipv4_block FROM machine ORDER BY ipv4_block");
    std::uint32_t block = 0;
    while (used.executeStep() && used.getColumn(0).getUInt() == block) ++block;
    return block;
  }

  fs::path directory;
  fs::path path;
  SQLite::Database database;
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const fs::path& state_directory) {
  std::unique_ptr<Impl> impl;
  try {
    impl = std::make_unique<Impl>(state_directory);
    if (auto problem = impl->prepare()) return *problem;
    return Store(std::move(impl));
  } catch (const SQLite::Exception& failure) {
    if (impl) return impl->error("open", failure);
    return Error{fmt::format("open the store {}: {}", (state_directory / "state.db").string(), failure.what())};
  }
}

Result<platform::NetworkNumber> Store::network(const std::string& organization, const std::string& name) {
  return impl_->transact("look a network up", [&]() -> Result<platform::NetworkNumber> {
    auto known = impl_->query("SELECT number FROM network WHERE organization = ? AND name = ?");
    known.bind(1, organization);
    known.bind(2, name);
    if (known.executeStep()) return known.getColumn(0).getUInt();
    for (unsigned attempt = 0;; ++attempt) {
      const platform::NetworkNumber number = platform::network_number(organization, name, attempt);
      auto taken = impl_->query("SELECT 1 FROM network WHERE number = ?");
      taken.bind(1, static_cast<std::int64_t>(number));
      if (taken.executeStep()) continue;
      auto insert = impl_->query("INSERT INTO network VALUES (?, ?, ?)");
      insert.bind(1, organization);
      insert.bind(2, name);
      insert.bind(3, static_cast<std::int64_t>(number));
      insert.exec();
      return number;
    }
  });
}

Result<MachineRecord> Store::machine(const std::string& app, const std::string& process_group, const std::string& region,
                                     int ordinal, platform::NetworkNumber network) {
  return impl_->transact("look a machine up", [&]() -> Result<MachineRecord> {
    MachineRecord machine{{}, app, process_group, region, ordinal, 0, {}, std::chrono::system_clock::now()};
    std::uint32_t machine_part = 0;
    auto known = impl_->query(
        "SELECT id, ipv4_block, machine_part, created_ms FROM machine "
        "WHERE app = ? AND process_group = ? AND region = ? AND ordinal = ?");
    known.bind(1, app);
    known.bind(2, process_group);
    known.bind(3, region);
    known.bind(4, ordinal);
    if (known.executeStep()) {
      machine.id = known.getColumn(0).getString();
      machine.ipv4_block = known.getColumn(1).getUInt();
      machine_part = known.getColumn(2).getUInt();
      machine.created_at = from_milliseconds(known.getColumn(3).getInt64());
    } else {
      machine.id = platform::new_machine_id();
      machine.ipv4_block = impl_->free_ipv4_block();
      if (machine.ipv4_block >= platform::kIpv4Blocks)
        return Error{fmt::format("all {} private IPv4 blocks are taken by machines of earlier runs; remove {} to forget them",
                                 platform::kIpv4Blocks, impl_->path.string())};
      machine_part = static_cast<std::uint32_t>(platform::random_bits());
      auto insert = impl_->query("INSERT INTO machine VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
      insert.bind(1, machine.id);
      insert.bind(2, app);
      insert.bind(3, process_group);
      insert.bind(4, region);
      insert.bind(5, ordinal);
      insert.bind(6, static_cast<std::int64_t>(machine.ipv4_block));
      insert.bind(7, static_cast<std::int64_t>(machine_part));
      insert.bind(8, to_milliseconds(machine.created_at));
      insert.exec();
    }
    machine.six_pn = platform::six_pn_address(network, region, machine_part);
    return machine;
  });
}

Result<VolumeRecord> Store::volume(const MachineRecord& machine, const std::string& name) {
  auto volume = impl_->transact("look a volume up", [&]() -> Result<VolumeRecord> {
    auto known = impl_->query("SELECT id FROM volume WHERE machine = ? AND name = ?");
    known.bind(1, machine.id);
    known.bind(2, name);
    if (known.executeStep()) return VolumeRecord{known.getColumn(0).getString(), name, {}};
    VolumeRecord made{platform::new_volume_id(), name, {}};
    auto insert = impl_->query("INSERT INTO volume VALUES (?, ?, ?, ?)");
    insert.bind(1, made.id);
    insert.bind(2, machine.id);
    insert.bind(3, name);
    insert.bind(4, to_milliseconds(std::chrono::system_clock::now()));
    insert.exec();
    return made;
  });
  if (!volume) return volume;
  volume->directory = impl_->directory / "volumes" / volume->id;
  std::error_code failed;
  fs::create_directories(volume->directory, failed);
  if (failed) return Error{fmt::format("make the volume {}: {}", volume->directory.string(), failed.message()), failed};
  return volume;
}

Result<> Store::add_event(const std::string& machine_id, const EventRecord& event) {
  return impl_->transact("write an event", [&]() -> Result<> {
    auto insert = impl_->query("INSERT INTO event (machine, type, status, source, detail, at_ms) VALUES (?, ?, ?, ?, ?, ?)");
    insert.bind(1, machine_id);
    insert.bind(2, event.type);
    insert.bind(3, event.status);
    insert.bind(4, event.source);
    insert.bind(5, event.detail);
    insert.bind(6, to_milliseconds(event.at));
    insert.exec();
    auto trim = impl_->query(
        "DELETE FROM event WHERE machine = ?1 AND number <= "
        "(SELECT number FROM event WHERE machine = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)");
    trim.bind(1, machine_id);
    trim.bind(2, kEventsKeptPerMachine);
    trim.exec();
    return {};
  });
}

Result<std::vector<EventRecord>> Store::events(const std::string& machine_id, int limit) {
  return impl_->transact("read events", [&]() -> Result<std::vector<EventRecord>> {
    auto rows = impl_->query(
        "SELECT type, status, source, detail, at_ms FROM event WHERE machine = ? ORDER BY number DESC LIMIT ?");
    rows.bind(1, machine_id);
    rows.bind(2, limit);
    std::vector<EventRecord> events;
    while (rows.executeStep())
      events.push_back({rows.getColumn(0).getString(), rows.getColumn(1).getString(), rows.getColumn(2).getString(),
                        rows.getColumn(3).getString(), from_milliseconds(rows.getColumn(4).getInt64())});
    return events;
  });
}

}  // namespace flylocal::store
