#include "flylocal/report/report_json.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <initializer_list>
#include <limits>
#include <utility>

#include "flylocal/base/utf8.hpp"
#include "flylocal/report/explanation.hpp"

namespace flylocal::report {
namespace {

namespace json = boost::json;

constexpr std::initializer_list<Path> kPaths = {Path::kProxy, Path::k6pn, Path::kPublished, Path::kUdp, Path::kCheck, Path::kDns};
constexpr std::initializer_list<Reach> kReaches = {Reach::kReachable, Reach::kRefused, Reach::kTimedOut, Reach::kUntried};
constexpr std::initializer_list<Severity> kSeverities = {Severity::kOk, Severity::kNote, Severity::kWarning, Severity::kPending,
                                                         Severity::kProblem};
constexpr std::initializer_list<Listener::Protocol> kProtocols = {Listener::Protocol::kTcp, Listener::Protocol::kUdp};

json::object to_json(const Listener& listener) {
  return {{"protocol", name(listener.protocol)},
          {"address", to_valid_utf8(listener.address)},
          {"port", listener.port},
          {"v6_only", listener.v6_only},
          {"queued", listener.queued},
          {"backlog", listener.backlog},
          {"pid", listener.pid},
          {"process", to_valid_utf8(listener.process)},
          {"command", to_valid_utf8(listener.command)}};
}

json::value reachable(Reach reach) {
  if (reach == Reach::kUntried) return nullptr;
  return reach == Reach::kReachable;
}

json::object to_json(const Result& result) {
  json::array evidence;
  for (const std::string& line : result.evidence) evidence.emplace_back(to_valid_utf8(line));
  const Explanation* known = explain(result.code);
  return {{"path", name(result.path)},
          {"port", result.port},
          {"target", to_valid_utf8(result.target)},
          {"expected", result.expected},
          {"reachable", reachable(result.reach)},
          {"reach", name(result.reach)},
          {"severity", name(result.severity)},
          {"code", to_valid_utf8(result.code)},
          {"message", to_valid_utf8(result.message)},
          {"evidence", std::move(evidence)},
          {"on_fly", known ? known->on_fly : ""},
          {"fix", to_valid_utf8(result.fix)}};
}

json::object to_json(const MachineReport& machine) {
  json::array listeners, results;
  for (const Listener& one : machine.listeners) listeners.push_back(to_json(one));
  for (const Result& one : machine.results) results.push_back(to_json(one));
  json::value listened_after;
  if (machine.listened_after) listened_after = machine.listened_after->count();
  return {{"app", to_valid_utf8(machine.app)},
          {"process_group", to_valid_utf8(machine.process_group)},
          {"machine", to_valid_utf8(machine.machine)},
          {"region", to_valid_utf8(machine.region)},
          {"state", to_valid_utf8(machine.state)},
          {"program", to_valid_utf8(machine.program)},
          {"listened_after_ms", std::move(listened_after)},
          {"grace_period_ms", machine.grace_period.count()},
          {"listeners", std::move(listeners)},
          {"results", std::move(results)}};
}

/// The first thing that is not as it should be. All that is read afterwards does not count.
struct FirstError {
  std::optional<Error> error;

  /// `where` is the place's keys, e.g. "machines[0].app"; empty for the report itself.
  void note(std::string_view where, std::string_view reason) {
    if (error) return;
    error = Error{where.empty() ? fmt::format("the report {}", reason) : fmt::format("the report's {} {}", where, reason)};
  }
};

/// An object's members.
class Fields {
 public:
  Fields(const json::value& value, std::string where, FirstError& first) : object_(value.if_object()), where_(std::move(where)), first_(first) {
    if (!object_) first_.note(where_, "must be an object");
  }

  std::string text(std::string_view key) {
    const json::value* value = find(key);
    if (value && value->is_string()) return std::string(value->get_string());
    if (value) first_.note(place(key), "must be a string");
    return {};
  }

  bool flag(std::string_view key) {
    const json::value* value = find(key);
    if (value && value->is_bool()) return value->get_bool();
    if (value) first_.note(place(key), "must be true or false");
    return false;
  }

  template <class Number>
  Number number(std::string_view key) {
    const json::value* value = find(key);
    return value ? to_number<Number>(key, *value) : Number{};
  }

  std::chrono::milliseconds milliseconds(std::string_view key) { return std::chrono::milliseconds(number<std::int64_t>(key)); }

  std::optional<std::chrono::milliseconds> milliseconds_or_null(std::string_view key) {
    const json::value* value = find(key);
    if (!value || value->is_null()) return std::nullopt;
    return std::chrono::milliseconds(to_number<std::int64_t>(key, *value));
  }

  /// The one of `choices` whose name the member is.
  template <class Choice>
  Choice choice(std::string_view key, std::initializer_list<Choice> choices) {
    const std::string word = text(key);
    for (const Choice one : choices)
      if (word == name(one)) return one;
    first_.note(place(key), fmt::format("cannot be \"{}\"", word));
    return *choices.begin();
  }

  /// What `read` makes of each value of an array; its second argument is the value's place.
  template <class Value>
  std::vector<Value> list(std::string_view key, Value (*read)(const json::value&, std::string, FirstError&)) {
    std::vector<Value> values;
    const json::value* value = find(key);
    if (value && !value->is_array()) first_.note(place(key), "must be an array");
    if (!value || !value->is_array()) return values;
    for (const json::value& one : value->get_array()) values.push_back(read(one, fmt::format("{}[{}]", place(key), values.size()), first_));
    return values;
  }

 private:
  std::string place(std::string_view key) const { return where_.empty() ? std::string(key) : fmt::format("{}.{}", where_, key); }

  const json::value* find(std::string_view key) {
    if (!object_) return nullptr;
    const json::value* value = object_->if_contains(key);
    if (!value) first_.note(place(key), "is missing");
    return value;
  }

  template <class Number>
  Number to_number(std::string_view key, const json::value& value) {
    boost::system::error_code error;
    const Number number = value.to_number<Number>(error);
    if (!error) return number;
    using Limits = std::numeric_limits<Number>;
    first_.note(place(key), fmt::format("must be a whole number from {} to {}", Limits::min(), Limits::max()));
    return Number{};
  }

  const json::object* object_;
  std::string where_;
  FirstError& first_;
};

Listener read_listener(const json::value& value, std::string where, FirstError& first) {
  Fields fields(value, std::move(where), first);
  Listener listener;
  listener.protocol = fields.choice("protocol", kProtocols);
  listener.address = fields.text("address");
  listener.port = fields.number<std::uint16_t>("port");
  listener.v6_only = fields.flag("v6_only");
  listener.queued = fields.number<std::uint32_t>("queued");
  listener.backlog = fields.number<std::uint32_t>("backlog");
  listener.pid = fields.number<int>("pid");
  listener.process = fields.text("process");
  listener.command = fields.text("command");
  return listener;
}

std::string read_line(const json::value& value, std::string where, FirstError& first) {
  if (value.is_string()) return std::string(value.get_string());
  first.note(where, "must be a string");
  return {};
}

Result read_result(const json::value& value, std::string where, FirstError& first) {
  Fields fields(value, std::move(where), first);
  Result result;
  result.path = fields.choice("path", kPaths);
  result.port = fields.number<std::uint16_t>("port");
  result.target = fields.text("target");
  result.expected = fields.flag("expected");
  result.reach = fields.choice("reach", kReaches);
  result.severity = fields.choice("severity", kSeverities);
  result.code = fields.text("code");
  result.message = fields.text("message");
  result.evidence = fields.list("evidence", &read_line);
  result.fix = fields.text("fix");
  return result;
}

MachineReport read_machine(const json::value& value, std::string where, FirstError& first) {
  Fields fields(value, std::move(where), first);
  MachineReport machine;
  machine.app = fields.text("app");
  machine.process_group = fields.text("process_group");
  machine.machine = fields.text("machine");
  machine.region = fields.text("region");
  machine.state = fields.text("state");
  machine.program = fields.text("program");
  machine.listened_after = fields.milliseconds_or_null("listened_after_ms");
  machine.grace_period = fields.milliseconds("grace_period_ms");
  machine.listeners = fields.list("listeners", &read_listener);
  machine.results = fields.list("results", &read_result);
  return machine;
}

}  // namespace

json::object to_json(const Report& report) {
  json::array machines;
  for (const MachineReport& one : report.machines) machines.push_back(to_json(one));
  return {{"schema", kReportSchema}, {"ok", report.is_good()}, {"machines", std::move(machines)}};
}

flylocal::Result<Report> from_json(const json::value& value) {
  FirstError first;
  Fields fields(value, "", first);
  const std::string schema = fields.text("schema");
  if (schema != kReportSchema) first.note("schema", fmt::format("is \"{}\", and this flylocal reads {}", schema, kReportSchema));
  Report report;
  report.machines = fields.list("machines", &read_machine);
  if (first.error) return std::move(*first.error);
  return report;
}

}  // namespace flylocal::report
