#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "flylocal/report/explanation.hpp"
#include "flylocal/report/forms.hpp"
#include "flylocal/report/plain_text.hpp"
#include "flylocal/report/wording.hpp"

namespace flylocal::report {
namespace {

namespace json = boost::json;

constexpr std::string_view kSchemaUri = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

json::object rule(const Explanation& one) {
  std::string text = fmt::format("{}\n\nOn Fly.io: {}", one.found, one.on_fly);
  std::string markdown = fmt::format("{}\n\n**On Fly.io:** {}", one.found, one.on_fly);
  if (!one.fix.empty()) {
    text += fmt::format("\n\nWhat to do: {}", one.fix);
    markdown += fmt::format("\n\n**What to do:** {}", one.fix);
  }
  return {{"id", one.code},
          {"shortDescription", {{"text", one.title}}},
          {"fullDescription", {{"text", one.found}}},
          {"help", {{"text", std::move(text)}, {"markdown", std::move(markdown)}}}};
}

/// A result's message (SARIF 2.1.0, 3.11.5 and 3.11.6): braces are doubled, since single ones hold placeholders, and a blank keeps
/// what a program said from being an embedded link.
std::string message_text(const Result& result) {
  std::string text = result.message + "\n" + attempt(result);
  for (const std::string& line : result.evidence) text += "\n" + line;
  if (!result.fix.empty()) text += "\nfix: " + result.fix;
  std::string escaped;
  for (const char c : plain_text(text)) {
    if (c == '(' && escaped.ends_with(']')) escaped += ' ';
    if (c == '{' || c == '}') escaped += c;
    escaped += c;
  }
  return escaped;
}

std::string_view level(Severity severity) {
  switch (severity) {
    case Severity::kOk: return "none";
    case Severity::kNote: return "note";
    case Severity::kWarning: return "warning";
    case Severity::kPending:
    case Severity::kProblem: return "error";
  }
  return "";
}

json::object location(const MachineReport& machine) {
  const std::string app = plain_line(machine.app), id = plain_line(machine.machine);
  return {{"physicalLocation", {{"artifactLocation", {{"uri", "fly.toml"}}}, {"region", {{"startLine", 1}}}}},
          {"logicalLocations", json::array{json::object{{"name", app}, {"fullyQualifiedName", app}, {"kind", "app"}},
                                           json::object{{"name", id}, {"fullyQualifiedName", app + "/" + id}, {"kind", "machine"}}}}};
}

json::object sarif_result(const MachineReport& machine, const Result& result) {
  json::object made{{"ruleId", plain_line(result.code)},
                    {"level", level(result.severity)},
                    {"message", {{"text", message_text(result)}}},
                    {"locations", json::array{location(machine)}},
                    // What makes it the same result as in an earlier run, where ids and addresses may have been others.
                    {"partialFingerprints",
                     {{"flylocal/1", plain_line(fmt::format("{}/{}/{}/{}/{}", machine.app, machine.process_group, name(result.path), result.port,
                                                            result.code))}}},
                    {"properties",
                     {{"process_group", plain_line(machine.process_group)},
                      {"region", plain_line(machine.region)},
                      {"path", name(result.path)},
                      {"port", result.port},
                      {"target", plain_line(result.target)},
                      {"reach", name(result.reach)},
                      {"severity", name(result.severity)}}}};
  if (const Explanation* known = explain(result.code)) made["ruleIndex"] = known - explanations().data();
  return made;
}

}  // namespace

std::string to_sarif(const Report& report, std::string_view version) {
  json::array rules, results;
  for (const Explanation& one : explanations()) rules.push_back(rule(one));
  for (const MachineReport& machine : report.machines)
    for (const Result& result : machine.results)
      if (result.severity != Severity::kOk) results.push_back(sarif_result(machine, result));
  return json::serialize(json::object{
      {"$schema", kSchemaUri},
      {"version", "2.1.0"},
      {"runs", json::array{json::object{{"tool", {{"driver", {{"name", "flylocal"}, {"version", version}, {"rules", std::move(rules)}}}}},
                                        {"results", std::move(results)}}}}});
}

}  // namespace flylocal::report
