#pragma once

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <string>

#include "flylocal/config/app_config.hpp"
#include "flylocal/sandbox/worker_thread.hpp"

namespace flylocal::sandbox {

/// A check of a machine, with every value settled (platform facts 4.7 and 7.4).
struct CheckSpec {
  std::string name;         ///< "servicecheck-00-http-8080", or as [checks] has it
  bool of_service = false;  ///< decides whether Fly Proxy sends traffic to `port`
  config::CheckType type = config::CheckType::kTcp;
  config::Port port = 0;
  std::chrono::milliseconds interval{};
  std::chrono::milliseconds timeout{};  ///< for all of an attempt
  std::chrono::milliseconds grace_period{};
  config::CheckRequest request;  ///< of http checks
};

/// What an attempt found.
struct CheckOutcome {
  bool passed = false;
  std::string output;  ///< one line, at most kMaxCheckOutput octets
};
inline constexpr std::size_t kMaxCheckOutput = 256;

/// The request of an http check to `target`. The Host field is the machine's address unless the headers give another.
std::string check_request(const CheckSpec& check, const asio::ip::tcp::endpoint& target);

/// One line of printable text from what a server sent, cut to `most` octets.
std::string output_text(std::string_view octets, std::size_t most);

/// Makes a check once. The connection comes from `source`, an address of the network namespace that `thread` is in. Passed
/// are: for tcp a connection, for http an answer with a status of 200 to 299; redirects are not followed.
Task<CheckOutcome> attempt_check(WorkerThread& thread, asio::ip::address_v4 source, asio::ip::tcp::endpoint target, const CheckSpec& check);

}  // namespace flylocal::sandbox
