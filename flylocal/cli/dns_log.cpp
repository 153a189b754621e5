#include "flylocal/cli/dns_log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <vector>

#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/cli/sandbox_client.hpp"

namespace flylocal::cli {
namespace {

namespace json = boost::json;

std::string time_text(std::chrono::milliseconds since_epoch) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch);
  return fmt::format("{:%H:%M:%S}.{:03}", fmt::localtime(static_cast<std::time_t>(seconds.count())), (since_epoch - seconds).count());
}

bool flag_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  return value && value->is_bool() && value->get_bool();
}

/// The answer in words, and its colour.
std::pair<std::string, Colour> answer_text(const json::object& question) {
  const std::string rcode = text_of(question, "rcode");
  const json::array& answers = question.at("answers").as_array();
  std::vector<std::string> texts;
  for (const json::value& one : answers) texts.push_back(printable(std::string_view(one.as_string())));
  // The log keeps the first records of a long answer.
  if (flag_of(question, "cut")) texts.emplace_back("...");
  const std::string tc = flag_of(question, "truncated") ? " (truncated, to be asked over TCP)" : "";
  if (rcode == "NXDOMAIN") return {"NXDOMAIN", Colour::kRed};
  if (rcode != "NOERROR") return {rcode.empty() ? "an answer that cannot be read" : rcode, Colour::kRed};
  if (texts.empty()) return {fmt::format("no {} record{}", text_of(question, "type"), tc), Colour::kYellow};
  return {fmt::format("{}{}", fmt::join(texts, ", "), tc), Colour::kNone};
}

}  // namespace

std::string dns_log_text(const json::object& question) {
  const std::string app = text_of(question, "app"), machine = text_of(question, "machine");
  // flylocal's own questions have no machine; those of a machine that is gone have an address only.
  std::string who = app.empty() ? text_of(question, "client") : machine.empty() ? app : fmt::format("{}[{}]", app, machine);
  const auto [answer, colour] = answer_text(question);
  const double took = question.at("took_ms").to_number<double>();
  const int decimals = took < 0.0095 ? 3 : took < 0.095 ? 2 : took < 10 ? 1 : 0;
  const std::string tcp = text_of(question, "transport") == "tcp" ? ", tcp" : "";
  const std::string origin = text_of(question, "origin");
  // A message without a question that can be read has the type 0.
  const std::string asked = text_of(question, "type") == "TYPE0"
                                ? "(no question that can be read)"
                                : fmt::format("{} {}", text_of(question, "type"), text_of(question, "name"));
  return fmt::format("{} {} {} -> {} {}", paint(Colour::kDim, time_text(std::chrono::milliseconds(question.at("timestamp").as_int64()))),
                     paint(colour_of(machine.empty() ? who : machine), who), printable(asked), paint(colour, answer),
                     paint(Colour::kDim, fmt::format("({}{:.{}f} ms{})", origin == "none" ? "" : origin + ", ", took, decimals, tcp)));
}

int dns_log(const DnsLogOptions& options) {
  auto client = connect_to_sandbox();
  if (!client) return kCannotRun;
  auto status = fetch_status(*client);
  if (!status) return kCannotRun;
  constexpr std::string_view kOwnQuestions = "flylocal";
  const bool is_own = options.app == kOwnQuestions && options.machine.empty();
  const bool named = !is_own && (!options.app.empty() || !options.machine.empty());
  if (named && !choose_machine(*status, options.app, options.machine)) return kCannotRun;
  std::string target = fmt::format("/flylocal/v1/dns/log?follow={}&app={}&machine={}&name={}", options.follow ? 1 : 0,
                                   api::url_encode(options.app), api::url_encode(options.machine), api::url_encode(options.name));
  if (options.count) target += fmt::format("&limit={}", *options.count);
  auto done = client->stream(target, [&](const std::string& text) {
    if (options.json) {
      say(text);
      return std::ferror(stdout) == 0;
    }
    boost::system::error_code error;
    json::value value = json::parse(text, error);
    if (error || !value.is_object()) return true;
    const json::object& line = value.get_object();
    if (const json::value* missed = line.if_contains("missed"))
      say(paint(Colour::kDim, fmt::format("{} question{} not shown: they came faster than they could be read",
                                          missed->to_number<std::uint64_t>(), missed->to_number<std::uint64_t>() == 1 ? "" : "s")));
    else say(dns_log_text(line));
    return std::ferror(stdout) == 0;
  });
  if (done) return kOk;
  complain(done.error().message);
  return kProblem;
}

}  // namespace flylocal::cli
