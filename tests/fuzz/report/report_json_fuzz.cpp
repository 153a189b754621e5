#include <fuzzer/FuzzedDataProvider.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "flylocal/base/utf8.hpp"
#include "flylocal/report/report_json.hpp"

using namespace flylocal::report;
namespace json = boost::json;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// `value` as another process gets it.
json::value sent(const json::value& value) { return json::parse(json::serialize(value)); }

/// Written, sent and read again: neither the report changes, nor its JSON.
void check_round_trip(const Report& report) {
  const json::value written = sent(to_json(report));
  const auto again = from_json(written);
  require(again.has_value());
  require(sent(to_json(*again)) == written);
  require(again->is_good() == report.is_good() && again->machines.size() == report.machines.size());
}

Listener any_listener(FuzzedDataProvider& from) {
  Listener listener;
  listener.protocol = from.ConsumeBool() ? Listener::Protocol::kTcp : Listener::Protocol::kUdp;
  listener.address = from.ConsumeRandomLengthString();
  listener.port = from.ConsumeIntegral<std::uint16_t>();
  listener.v6_only = from.ConsumeBool();
  listener.queued = from.ConsumeIntegral<std::uint32_t>();
  listener.backlog = from.ConsumeIntegral<std::uint32_t>();
  listener.pid = from.ConsumeIntegral<int>();
  listener.process = from.ConsumeRandomLengthString();
  listener.command = from.ConsumeRandomLengthString();
  return listener;
}

Result any_result(FuzzedDataProvider& from) {
  Result result;
  result.path = from.PickValueInArray({Path::kProxy, Path::k6pn, Path::kPublished, Path::kUdp, Path::kCheck, Path::kDns});
  result.port = from.ConsumeIntegral<std::uint16_t>();
  result.target = from.ConsumeRandomLengthString();
  result.expected = from.ConsumeBool();
  result.reach = from.PickValueInArray({Reach::kReachable, Reach::kRefused, Reach::kTimedOut, Reach::kUntried});
  result.severity = from.PickValueInArray({Severity::kOk, Severity::kNote, Severity::kWarning, Severity::kPending, Severity::kProblem});
  result.code = from.ConsumeRandomLengthString();
  result.message = from.ConsumeRandomLengthString();
  while (from.ConsumeBool()) result.evidence.push_back(from.ConsumeRandomLengthString());
  result.fix = from.ConsumeRandomLengthString();
  return result;
}

/// One whose values are made of the octets.
Report any_report(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider from(data, size);
  Report report;
  MachineReport& machine = report.machines.emplace_back();
  machine.app = from.ConsumeRandomLengthString();
  machine.program = from.ConsumeRandomLengthString();
  if (from.ConsumeBool()) machine.listened_after = std::chrono::milliseconds(from.ConsumeIntegral<std::int64_t>());
  machine.grace_period = std::chrono::milliseconds(from.ConsumeIntegral<std::int64_t>());
  while (from.ConsumeBool()) machine.listeners.push_back(any_listener(from));
  while (from.ConsumeBool()) machine.results.push_back(any_result(from));
  return report;
}

void check_members(const Report& report) {
  const auto read = from_json(sent(to_json(report)));
  require(read.has_value() && read->machines.size() == 1);
  const MachineReport &before = report.machines[0], &after = read->machines[0];
  require(after.app == flylocal::to_valid_utf8(before.app) && after.program == flylocal::to_valid_utf8(before.program));
  require(after.listened_after == before.listened_after && after.grace_period == before.grace_period);
  require(after.listeners.size() == before.listeners.size() && after.results.size() == before.results.size());
  for (std::size_t i = 0; i < before.listeners.size(); ++i) {
    const Listener &was = before.listeners[i], &is = after.listeners[i];
    require(is.protocol == was.protocol && is.port == was.port && is.v6_only == was.v6_only);
    require(is.queued == was.queued && is.backlog == was.backlog && is.pid == was.pid);
    require(is.command == flylocal::to_valid_utf8(was.command));
  }
  for (std::size_t i = 0; i < before.results.size(); ++i) {
    const Result &was = before.results[i], &is = after.results[i];
    require(is.path == was.path && is.port == was.port && is.expected == was.expected);
    require(is.reach == was.reach && is.severity == was.severity);
    require(is.message == flylocal::to_valid_utf8(was.message) && is.evidence.size() == was.evidence.size());
  }
}

}  // namespace

/// The octets as JSON: a report or the reason why it is none. And as the values of a report, which come back as they were.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Report made = any_report(data, size);
  check_round_trip(made);
  check_members(made);

  boost::system::error_code error;
  const json::value value = json::parse({reinterpret_cast<const char*>(data), size}, error);
  if (error) return 0;
  const auto report = from_json(value);
  if (!report) {
    require(!report.error().message.empty());
    return 0;
  }
  check_round_trip(*report);
  return 0;
}
