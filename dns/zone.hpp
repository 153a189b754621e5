#pragma once

#include <boost/asio/ip/address_v6.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dns/name.hpp"

namespace flylocal::dns {

/// Which 6PN network: bits 16 to 47 of its addresses (platform.md 2.1).
enum class NetworkId : std::uint32_t {};

enum class MachineState { started, not_started };

/// What the DNS knows of a machine.
struct Machine {
  std::string id;  ///< 14 lower-case hexadecimal digits on the platform
  std::string region;
  std::string process_group;
  boost::asio::ip::address_v6 six_pn;
  MachineState state = MachineState::not_started;
  std::map<std::string, std::string> metadata;
};

struct App {
  std::string name;
  std::vector<Machine> machines;  ///< in the order of their creation: answers keep it
};

/// One 6PN network and the apps that can be seen from it. Apps have distinct names.
struct Network {
  NetworkId id{};
  std::vector<App> apps;
};

/// The platform's TTL (platform.md 3.4), also of negative answers.
inline constexpr std::chrono::seconds kTtl{5};

/// The records of one existing name. A name may exist without any.
struct RecordSets {
  std::vector<boost::asio::ip::address_v6> addresses;  ///< AAAA
  std::optional<std::string> text;                     ///< one TXT record, at any length
};

/// The `.internal` names below one app (platform.md 3.1, 3.2).
class AppZone {
 public:
  explicit AppZone(const App& app);

  /// `below_app` is the lower-case wire form of the labels in front of the app's. Null: no such name.
  const RecordSets* find(std::string_view below_app) const;

 private:
  void register_machine(const Machine& machine, std::initializer_list<std::string_view> labels);

  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, RecordSets, Hash, std::equal_to<>> names_;
  RecordSets existing_but_empty_;
};

/// `.internal` as one network sees it.
class NetworkZone {
 public:
  explicit NetworkZone(const Network& network);

  /// The records of `name`, which must end in `internal.`; null: NXDOMAIN. A name that could exist for a
  /// known app but has no started machine exists without records (platform.md 10, row 1).
  const RecordSets* find(const Name& name) const;

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, AppZone, Hash, std::equal_to<>> apps_;
  RecordSets app_list_;
  RecordSets apex_;
};

/// All that is answered under `.internal`, at one moment. Immutable, so that it is read without a lock; every
/// answer is indexed when it is made, so that a query is a hash look-up whatever the number of machines.
class ZoneSnapshot {
 public:
  /// Names that no query can spell (an empty label, or one over 63 octets) are left out.
  explicit ZoneSnapshot(const std::vector<Network>& networks);

  /// Null for a network that the snapshot does not hold.
  const NetworkZone* find(NetworkId network) const;

 private:
  std::unordered_map<NetworkId, NetworkZone> networks_;
};

}  // namespace flylocal::dns
