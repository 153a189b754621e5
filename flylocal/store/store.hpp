#pragma once

#include <boost/asio/ip/address_v6.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "flylocal/base/result.hpp"
#include "flylocal/platform/addressing.hpp"

namespace flylocal::store {

/// A machine's identity: what stays the same from one run to the next.
struct MachineRecord {
  std::string id;
  std::string app;
  std::string process_group;
  std::string region;
  int ordinal = 0;  ///< from 0, among the machines of one app, group and region
  std::uint32_t ipv4_block = 0;
  boost::asio::ip::address_v6 six_pn;
  std::chrono::system_clock::time_point created_at;
};

struct VolumeRecord {
  std::string id;
  std::string name;
  std::filesystem::path directory;  ///< on the host, below the state directory
};

/// Something that happened to a machine. platform facts 9.3
struct EventRecord {
  std::string type;    ///< launch, start, exit, stop, ...
  std::string status;  ///< the machine's state afterwards
  std::string source;  ///< flyd, user, proxy
  std::string detail;  ///< free text, e.g. "exit code 1"
  std::chrono::system_clock::time_point at;
};

/// flylocal's memory: an SQLite database in the state directory. Used by one thread.
///
/// A database that is damaged or was written by a newer flylocal is never touched: open() says so and how to
/// go on. Every call is a transaction of its own; a crash loses at most the newest events.
class Store {
 public:
  static Result<Store> open(const std::filesystem::path& state_directory);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  /// The number of a network; the first mention of one makes it.
  Result<platform::NetworkNumber> network(const std::string& organization, const std::string& name);
  /// The machine with this place in its app; the first mention makes it.
  Result<MachineRecord> machine(const std::string& app, const std::string& process_group, const std::string& region,
                                int ordinal, platform::NetworkNumber network);
  /// The volume `name` of a machine, made (with its directory) at the first mention.
  Result<VolumeRecord> volume(const MachineRecord& machine, const std::string& name);

  Result<> add_event(const std::string& machine_id, const EventRecord& event);
  /// The newest events of a machine, newest first.
  Result<std::vector<EventRecord>> events(const std::string& machine_id, int limit);

 private:
  struct Impl;  // keeps SQLiteCpp out of everyone's headers
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flylocal::store
