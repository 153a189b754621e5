#pragma once

#include <boost/asio/ip/udp.hpp>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dns/zone.hpp"
#include "flylocal/launch/file_problem.hpp"

namespace flylocal::launch {

inline constexpr std::string_view kProjectFileName = "flylocal.toml";
inline constexpr unsigned kMaxMachineCount = 1000;

/// [[machines]]: how many machines of a process group run in a region.
struct MachineCount {
  std::string group;   ///< Empty: the default group.
  std::string region;  ///< Empty: fly.toml's primary_region.
  unsigned count = 1;  ///< 0 to kMaxMachineCount
  int line = 0;
  int group_line = 0;  ///< 0 where `group` is not given
};

/// [commands]: what a process group runs here, instead of everything that fly.toml and the Dockerfile say.
struct CommandOverride {
  std::vector<std::string> argv;  ///< Not empty.
  int line = 0;
};

/// [[expect]]: an intentional binding, so that reports do not call it a mistake.
struct Expectation {
  std::uint16_t six_pn_port = 0;  ///< `6pn`: this port is meant to be reachable over 6PN only.
  int line = 0;
};

/// The kinds of addresses that an app can have on Fly.io, as `fly ips list` tells them apart.
enum class IpAddressKind { kV4, kSharedV4, kV6, kPrivateV6 };

/// [dns]: how the sandbox's resolver is to work. What is not said is left to others.
struct DnsChoices {
  std::optional<dns::AnswerOrder> order;
  std::optional<bool> reverse_names;
  std::vector<boost::asio::ip::udp::endpoint> servers;  ///< Who is asked for names outside; empty: not said.
};

/// flylocal.toml beside fly.toml: what fly.toml cannot say. Every part is optional.
struct ProjectFile {
  std::string organization = "personal";
  std::string network = "default";
  std::vector<MachineCount> machines;
  std::map<std::uint16_t, std::uint16_t> ports;  ///< [ports]: a service's external port -> port on the host.
  std::map<std::uint16_t, int> port_lines;       ///< The line of each.
  std::map<std::string, std::uint16_t> edges;  ///< [edges]: region -> port on the host whose clients are near that region.
  std::map<std::string, CommandOverride> commands;
  std::optional<std::string> secrets_file;  ///< As written; relative to flylocal.toml's directory.
  int secrets_file_line = 0;
  std::map<std::string, std::string> env;  ///< [env]: over fly.toml's [env], below the secrets.
  std::vector<Expectation> expect;
  /// What the app has on Fly.io; empty: not said.
  std::set<IpAddressKind> ip_addresses;
  /// The app's own host names on Fly.io, in lower case, each once: `domains`, and those of [tls].
  std::vector<std::string> domains;
  DnsChoices dns;
};

/// Either the file's contents, or the problems that kept us from them (all of them).
struct ProjectFileReading {
  std::optional<ProjectFile> file;
  std::vector<FileProblem> problems;
};

/// Reads flylocal.toml. The file is ours alone, so an unknown key is a problem and not a warning.
ProjectFileReading read_project_file(std::string_view text, const std::string& file_name);

/// The same for a file of at most 1 MiB; one that does not exist reads as an empty one.
ProjectFileReading load_project_file(const std::filesystem::path& path);

}  // namespace flylocal::launch
