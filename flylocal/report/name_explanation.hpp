#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flylocal::report {

/// All that says why a name has an address, or none: the sandbox as one app's network sees it.
struct NameWorld {
  struct Machine {
    std::string id, region, process_group;
    boost::asio::ip::address_v6 six_pn;
    bool is_started = false;
    std::string state;  ///< in the platform's words, e.g. "stopped"
    std::map<std::string, std::string> metadata;
  };
  struct App {
    std::string name;
    std::string network;  ///< "organization/network"
    std::vector<Machine> machines;
    std::vector<boost::asio::ip::address_v6> flycast;
  };
  struct Host {  ///< a public name that the sandbox answers itself
    std::string name;
    std::vector<boost::asio::ip::address> addresses;
  };
  struct Peer {
    std::string name;
    boost::asio::ip::address_v6 address;
  };
  /// A machine that asked for the IPv4 addresses of a name and never for the IPv6 ones.
  struct Ipv4Asker {
    std::string app, machine;
    std::string name;  ///< lower case, without the last dot
    std::string fix;   ///< for the machine's program, as advise() has it
  };
  /// What came of the last question for the name that is explained.
  struct LastAnswer {
    std::string type;   ///< "AAAA"
    std::string rcode;  ///< "NOERROR"
    std::vector<std::string> answers;
    std::chrono::seconds ago{};
  };
  std::vector<App> apps;   ///< of all networks
  std::string asker;       ///< the app that asks
  std::string network;     ///< its network
  std::vector<Peer> peers;
  std::optional<boost::asio::ip::address_v6> api;  ///< of _api.internal
  std::vector<Host> public_hosts;
  std::vector<std::string> upstreams;       ///< who is asked for all other names
  std::vector<std::string> search_domains;  ///< of this host
  std::vector<Ipv4Asker> ipv4_askers;
  std::optional<LastAnswer> last_answer;
};

/// What a name stands for; fields that do not apply are empty.
struct NameTarget {
  std::string address;
  std::string app, machine, region, process_group;
};

struct NameExplanation {
  std::string name;              ///< lower case, without the last dot
  std::string code;              ///< "resolves", "all-stopped", ...: stable
  std::optional<bool> resolves;  ///< to an address; nothing where only the outside knows
  std::string title;             ///< one line
  std::string found;             ///< what the resolver of the sandbox answers, and why
  std::string on_fly;            ///< what Fly.io does
  std::string fix;               ///< what to do; may be empty, may have several lines
  std::vector<NameTarget> targets;
};

/// Why `name` has an address, or none, when a machine of `world.asker` asks for it.
NameExplanation explain_name(std::string_view name, const NameWorld& world);

}  // namespace flylocal::report
