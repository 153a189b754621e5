#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flylocal/config/app_config.hpp"
#include "flylocal/config/fields.hpp"

/// One reader per section family of fly.toml. Each takes the section's Field, reports to its log and returns
/// what could be read; after an error the result is not used by anyone, so readers may leave defaults behind.
namespace flylocal::config {

using KeptValues = std::map<std::string, boost::json::value>;

/// The process groups that entries may name.
struct KnownGroups {
  bool declared = false;  ///< the file has a [processes] section
  std::vector<std::string> names{"app"};
};

/// What follows when an entry names a group that does not exist.
enum class UnknownGroup {
  kError,    ///< flyctl refuses the file
  kWarning,  ///< flyctl silently applies the entry to nothing
};

// process_sections.cpp
std::map<std::string, std::string> read_processes(const Field& section);
std::map<std::string, std::string> read_env(const Field& section);
/// Reads `processes = [...]` of an entry.
std::vector<std::string> read_group_list(TableFields& entry, const KnownGroups& groups,
                                         UnknownGroup consequence);
/// A command line whose quotes have to close for flyctl to split it.
std::optional<std::string> read_command(const Field& field);
KillSignal read_kill_signal(const Field& field);
/// 0 to 300 s.
Duration read_kill_timeout(const Field& field, IntegerMeans meaning);

// service_sections.cpp
HttpService read_http_service(const Field& section, const KnownGroups& groups);
std::vector<Service> read_services(const Field& section, const KnownGroups& groups);

// service_options.cpp
TlsOptions read_tls_options(const Field& table);
HttpOptions read_http_options(const Field& table);
ProxyProtocolVersion read_proxy_proto_options(const Field& table);
Concurrency read_concurrency_table(const Field& table);
/// Either a table or the old text "soft,hard".
Concurrency read_concurrency(const Field& field);

// check_sections.cpp
enum class CheckPlace { kServices, kHttpService };
void read_service_checks(const Field& section, CheckType type, CheckPlace place,
                         std::vector<ServiceCheck>& checks);
std::vector<MachineCheck> read_machine_checks(const Field& section);
/// `http_service_port` is the port of checks that name none.
std::vector<TopLevelCheck> read_top_level_checks(const Field& section, std::optional<Port> http_service_port,
                                                 const KnownGroups& groups);

// machine_sections.cpp
void read_mounts(const Field& section, const KnownGroups& groups, std::vector<Mount>& mounts);
void read_vm(const Field& section, const KnownGroups& groups, std::vector<VmSettings>& vm);
std::vector<Restart> read_restart(const Field& section, const KnownGroups& groups);
std::vector<GuestFile> read_files(const Field& section, const KnownGroups& groups);
std::vector<StaticMapping> read_statics(const Field& section);
void read_metrics(const Field& section, const KnownGroups& groups, std::vector<Metrics>& metrics);

// build_sections.cpp
Build read_build(const Field& section, KeptValues& kept);
Deploy read_deploy(const Field& section, KeptValues& kept);
/// What [experimental] may still say for keys that have moved to the top level.
struct MovedFromExperimental {
  std::optional<Field> kill_timeout;
  std::optional<Metrics> metrics;
};
Experimental read_experimental(const Field& section, KeptValues& kept, MovedFromExperimental& moved);

}  // namespace flylocal::config
