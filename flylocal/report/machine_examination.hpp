#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "flylocal/report/attempt.hpp"
#include "flylocal/report/machine_results.hpp"
#include "flylocal/report/report.hpp"
#include "flylocal/sandbox/sandbox.hpp"

namespace flylocal::report {

struct ExaminationOptions {
  /// Ask HTTP services and make HTTP checks. Without it programs see connects and nothing else.
  bool http_probe = true;
  /// How long a verdict must have been good before it counts as certain: servers exist that listen, fail and exit.
  std::chrono::milliseconds settle{0};
  /// Hand causes to the proxy for its 503 answers. One examiner of a sandbox does that: another that looks less closely
  /// would take back what this one has found.
  bool tells_proxy = false;
  /// How long to wait for what is not good; none: patience() of the expectations.
  std::optional<std::chrono::milliseconds> time_limit = std::nullopt;
};

/// Looks at one machine, again and again, until its verdicts are certain; and from the beginning when its sockets or its
/// state have changed since.
///
/// Theory of operation. look() never waits: it reads the sockets, starts the real attempts (connects, requests,
/// datagrams) as tasks beside it, one of a kind at a time, and judges by those that have ended. What is tried belongs to
/// the sockets of its port as they were: when these change, what was tried is let go and tried anew.
class MachineExamination {
 public:
  using Clock = std::chrono::steady_clock;

  MachineExamination(sandbox::Sandbox& sandbox, std::shared_ptr<sandbox::Machine> machine, ExaminationOptions options, AttemptRunner attempts);

  /// One look. Cheap while all is certain and nothing has changed.
  void look();
  /// Whether waiting longer would change nothing.
  bool is_certain() const { return certain_; }
  const MachineReport& report() const { return report_; }
  /// Whether nothing has been found out about it yet, while there is something to find out.
  bool is_open(const Result& result) const;
  /// Grows with each time that the report was made anew.
  std::uint64_t version() const { return version_; }
  const sandbox::Machine& machine() const { return *machine_; }
  /// What all machines asked the resolver; asking for one family alone counts after a moment, so it may be told again.
  void set_questions(const std::vector<dns::AddressQuestion>& questions);

 private:
  /// What is tried of one TCP port.
  struct TcpAttempts {
    AttemptPtr<Reach> proxy, six_pn, published;
    AttemptPtr<std::string> greeting, six_pn_greeting;
    AttemptPtr<HttpEvidence> http;
    AttemptPtr<HttpAnswer> six_pn_http, published_http;
    AttemptPtr<bool> tls;
    AttemptPtr<std::pair<HttpAnswer, HttpAnswer>> proxy_line;
    TcpOutcomes outcomes() const;
  };
  /// A bound socket as far as a change of it matters.
  struct SocketTrait {
    netns::BoundSocket::Protocol protocol;
    boost::asio::ip::address address;
    std::uint16_t port;
    bool v6_only, is_full;
    std::uint32_t inode;
    bool operator==(const SocketTrait&) const = default;
    bool operator<(const SocketTrait& other) const {
      return std::tie(protocol, port, address, v6_only, is_full, inode) < std::tie(other.protocol, other.port, other.address, other.v6_only, other.is_full, other.inode);
    }
  };
  bool notice_changes();
  std::vector<SocketTrait> traits(const std::vector<netns::BoundSocket>& sockets) const;
  void forget_changed_ports(const std::vector<SocketTrait>& now);
  void try_everything();
  void try_six_pn_greeting(TcpAttempts& tried, std::uint16_t port);
  void try_service_port(const TcpExpectation& expected);
  void try_conversation(const TcpExpectation& expected, TcpAttempts& tried);
  void try_published(const TcpExpectation& expected, TcpAttempts& tried);
  Task<HttpAnswer> ask_published(asio::ip::tcp::endpoint target, bool secure);
  void try_check(std::size_t index);
  void judge();
  void settle();
  bool is_certain_result(const Result& result, Clock::duration stands) const;
  bool listens(netns::BoundSocket::Protocol protocol, std::uint16_t port) const;
  std::map<std::uint16_t, std::string> refused_over_six_pn() const;
  const sandbox::PublishedPort* published(std::uint16_t port) const;

  sandbox::Sandbox& sandbox_;
  std::shared_ptr<sandbox::Machine> machine_;
  const ExaminationOptions options_;
  const Expectations expectations_;
  const std::chrono::milliseconds time_limit_;
  AttemptRunner attempts_;
  const Origin proxy_side_, checker_side_, six_pn_side_, host_side_;

  MachineView view_;
  std::vector<SocketTrait> traits_;
  std::optional<sandbox::MachineState> state_seen_;
  Clock::time_point run_seen_{};
  std::size_t refusals_seen_ = 0;
  bool questions_changed_ = false;
  std::vector<std::string> asked_for_ipv4_only_;
  Clock::time_point begun_{};
  std::map<std::uint16_t, TcpAttempts> tcp_;
  std::map<std::uint16_t, AttemptPtr<UdpAnswer>> udp_;
  std::vector<AttemptPtr<HttpAnswer>> checks_;
  std::map<std::string, Clock::time_point> verdicts_since_;
  MachineReport report_;
  std::uint64_t version_ = 0;
  bool certain_ = false;
};

}  // namespace flylocal::report
