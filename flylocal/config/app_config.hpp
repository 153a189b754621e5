#pragma once

#include <boost/json/value.hpp>
#include <csignal>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flylocal/config/durations.hpp"

/// What a fly.toml says, as typed values. Old spellings are already translated, and every value is inside its
/// documented bounds (platform.md section 7); an absent optional means that the file does not say.
namespace flylocal::config {

/// A TCP or UDP port, 1 to 65535.
using Port = std::uint16_t;

/// Where in the file an entry begins, so that later diagnostics can point at it. Counted from 1.
struct Place {
  int line = 0;
  int column = 0;
  auto operator<=>(const Place&) const = default;
};

/// The signal that asks a machine to stop. The value is the kernel's number, for kill(2).
enum class KillSignal : int {
  kHup = SIGHUP,
  kInt = SIGINT,
  kQuit = SIGQUIT,
  kKill = SIGKILL,
  kUsr1 = SIGUSR1,
  kUsr2 = SIGUSR2,
  kTerm = SIGTERM,
  kStop = SIGSTOP,
};

enum class Handler { kHttp, kTls, kPgTls, kProxyProto };
enum class TransportProtocol { kTcp, kUdp };
enum class TlsVersion { kTls12, kTls13 };
enum class ProxyProtocolVersion { kV1, kV2 };
enum class AutoStop { kOff, kStop, kSuspend };
enum class ConcurrencyType { kConnections, kRequests };
enum class CheckType { kTcp, kHttp };
enum class HttpScheme { kHttp, kHttps };
enum class DeployStrategy { kRolling, kImmediate, kCanary, kBluegreen };
enum class RestartPolicy { kNever, kAlways, kOnFailure };

/// The spelling of fly.toml, e.g. "SIGINT", "proxy_proto", "on-failure".
std::string_view name(KillSignal value);
std::string_view name(Handler value);
std::string_view name(TransportProtocol value);
std::string_view name(TlsVersion value);
std::string_view name(ProxyProtocolVersion value);
std::string_view name(AutoStop value);
std::string_view name(ConcurrencyType value);
std::string_view name(CheckType value);
std::string_view name(HttpScheme value);
std::string_view name(DeployStrategy value);
std::string_view name(RestartPolicy value);

/// Ports `first` to `last`, both included; a single port has first == last.
struct PortRange {
  Port first = 0;
  Port last = 0;
  bool contains(Port port) const { return first <= port && port <= last; }
  bool overlaps(const PortRange& other) const { return first <= other.last && other.first <= last; }
  bool operator==(const PortRange&) const = default;
};

struct TlsOptions {
  std::vector<std::string> alpn;     ///< empty: the platform's default, h2 and http/1.1
  std::vector<TlsVersion> versions;  ///< empty: both
  bool default_self_signed = false;
};

/// Session replay cache, platform.md 5.6.
struct ReplayCacheRule {
  enum class KeyedBy { kCookie, kHeader };
  std::string path_prefix;
  std::chrono::seconds ttl{};
  KeyedBy keyed_by = KeyedBy::kCookie;
  std::string name;
  bool allow_bypass = false;
};

/// One line of http_options.response.headers.
struct ResponseHeaderRule {
  std::string name;
  std::optional<std::vector<std::string>> values;  ///< absent: the header is removed
};

struct HttpOptions {
  std::optional<bool> compress;
  bool h2_backend = false;  ///< speak h2c with prior knowledge to the machine
  std::optional<std::chrono::seconds> idle_timeout;
  std::optional<std::chrono::seconds> headers_read_timeout;
  std::vector<ResponseHeaderRule> response_headers;
  bool pristine = false;  ///< leave Server, Via, Fly-Request-Id and Fly-Cache-Status alone
  std::vector<ReplayCacheRule> replay_cache;
};

/// External ports of a service and what Fly Proxy does on them.
struct ServicePort {
  PortRange range;
  std::vector<Handler> handlers;  ///< in the file's order, without repetitions
  bool force_https = false;
  std::optional<TlsOptions> tls_options;
  std::optional<HttpOptions> http_options;
  ProxyProtocolVersion proxy_protocol_version = ProxyProtocolVersion::kV1;
  Place place;

  bool has(Handler handler) const;
};

/// Per machine and service, platform.md 4.6.
struct Concurrency {
  ConcurrencyType type = ConcurrencyType::kConnections;
  int soft_limit = 20;
  std::optional<int> hard_limit;
};

/// What a check uses where the file is silent (platform.md 4.7).
inline constexpr Duration kDefaultCheckInterval = std::chrono::seconds(15);
inline constexpr Duration kDefaultCheckTimeout = std::chrono::seconds(2);
inline constexpr Duration kDefaultCheckGracePeriod = std::chrono::seconds(1);

struct CheckTiming {
  std::optional<Duration> interval;
  std::optional<Duration> timeout;
  std::optional<Duration> grace_period;
};

/// The request of an http check.
struct CheckRequest {
  std::string method = "GET";
  std::string path = "/";
  HttpScheme scheme = HttpScheme::kHttp;
  bool tls_skip_verify = false;
  std::optional<std::string> tls_server_name;
  std::map<std::string, std::string> headers;
};

/// A check on a service's internal port; it decides whether Fly Proxy routes to the machine.
struct ServiceCheck {
  CheckType type = CheckType::kTcp;
  CheckTiming timing;
  CheckRequest request;  ///< of http checks only
  Place place;
};

/// A `[checks.NAME]` entry; it never affects routing.
struct TopLevelCheck {
  std::string name;
  CheckType type = CheckType::kTcp;
  Port port = 0;
  std::optional<std::string> kind;
  CheckTiming timing;
  CheckRequest request;
  std::vector<std::string> processes;
  Place place;
};

/// A test machine that flyctl starts at deploy; kept, not run.
struct MachineCheck {
  std::vector<std::string> command;
  std::string image;
  std::vector<std::string> entrypoint;
  std::optional<KillSignal> kill_signal;
  std::optional<Duration> kill_timeout;
};

/// What [http_service] and [[services]] share.
struct ServiceSettings {
  Port internal_port = 0;
  std::vector<std::string> processes;  ///< process groups; empty: the default group
  AutoStop auto_stop_machines = AutoStop::kOff;
  std::optional<bool> auto_start_machines;  ///< absent means true
  int min_machines_running = 0;             ///< honoured in the primary region only
  Concurrency concurrency;
  std::vector<ServiceCheck> checks;
  std::vector<MachineCheck> machine_checks;
  Place place;
};

struct HttpService : ServiceSettings {
  bool force_https = false;
  std::optional<TlsOptions> tls_options;
  std::optional<HttpOptions> http_options;
};

struct Service : ServiceSettings {
  /// Absent in the file is not the same as tcp: flyctl then counts it neither as TCP nor as UDP (7.3).
  std::optional<TransportProtocol> protocol;
  std::vector<ServicePort> ports;
};

struct Mount {
  std::string source;
  std::string destination;  ///< absolute, not "/"
  std::optional<int> initial_size_gb;
  std::optional<int> snapshot_retention_days;
  std::optional<bool> scheduled_snapshots;
  std::optional<int> auto_extend_threshold_percent;
  std::optional<int> auto_extend_increment_gb;
  std::optional<int> auto_extend_limit_gb;
  std::vector<std::string> processes;
  Place place;
};

/// A [[vm]] entry as written; flatten() works out what a group gets.
struct VmSettings {
  std::optional<std::string> size;
  std::optional<int> memory_mb;
  std::optional<int> cpus;
  std::optional<std::string> cpu_kind;
  std::optional<int> max_memory_mb;
  std::optional<int> gpus;
  std::optional<std::string> gpu_kind;
  std::optional<std::string> host_dedication_id;
  std::optional<std::string> persist_rootfs;
  std::vector<std::string> kernel_args;
  std::vector<std::string> processes;  ///< empty: all groups
  Place place;
};

/// A file written into the machine; exactly one source is set.
struct GuestFile {
  std::string guest_path;
  std::optional<std::string> local_path;
  std::optional<std::string> secret_name;
  std::optional<std::string> raw_value;  ///< the text of fly.toml; flyctl base64-encodes it when it sends it
  std::vector<std::string> processes;
};

struct StaticMapping {
  std::string guest_path;
  std::string url_prefix;
  std::optional<std::string> tigris_bucket;
  std::optional<std::string> index_document;
};

struct Restart {
  RestartPolicy policy = RestartPolicy::kOnFailure;
  std::optional<int> retries;
  std::vector<std::string> processes;
};

struct Metrics {
  Port port = 0;
  std::string path;
  bool https = false;
  std::vector<std::string> processes;
};

struct Build {
  std::optional<std::string> image;
  std::optional<std::string> dockerfile;  ///< a path relative to fly.toml, or a URL
  std::optional<std::string> target;      ///< the Dockerfile stage to build
  std::optional<std::string> ignorefile;
  std::map<std::string, std::string> args;
};

struct Deploy {
  std::optional<DeployStrategy> strategy;  ///< absent: rolling
  std::optional<std::string> release_command;
  std::optional<Duration> release_command_timeout;
  std::optional<Duration> wait_timeout;
};

/// Overrides of the image's settings, platform.md 1.5. Empty lists are the same as absent ones.
struct Experimental {
  std::vector<std::string> cmd;
  std::vector<std::string> entrypoint;
  std::vector<std::string> exec;
};

struct AppConfig {
  std::string app;
  std::optional<std::string> primary_region;  ///< three lower-case letters
  KillSignal kill_signal = KillSignal::kInt;
  Duration kill_timeout = std::chrono::seconds(5);  ///< 0 to 300 s
  std::optional<int> swap_size_mb;
  std::optional<std::string> console_command;
  std::map<std::string, std::string> env;
  std::map<std::string, std::string>
      processes;  ///< group name -> command; an empty command means the image's
  Experimental experimental;
  Build build;
  Deploy deploy;
  std::optional<HttpService> http_service;
  std::vector<Service> services;
  std::vector<TopLevelCheck> checks;
  std::vector<Mount> mounts;
  std::vector<VmSettings> vm;
  std::vector<Restart> restart;
  std::vector<GuestFile> files;
  std::vector<StaticMapping> statics;
  std::vector<Metrics> metrics;
  /// What flyctl knows and flylocal has no use for, by dotted path ("build.builder"), as the file has it.
  std::map<std::string, boost::json::value> other;
};

}  // namespace flylocal::config
