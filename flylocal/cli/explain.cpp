#include "flylocal/cli/explain.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <vector>

#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/cli/sandbox_client.hpp"
#include "flylocal/config/closest_name.hpp"
#include "flylocal/report/proxy_code_explanation.hpp"

namespace flylocal::cli {
namespace {

namespace json = boost::json;
using report::Explanation;

constexpr std::size_t kColumns = 96;

/// One line of text, in lines of at most kColumns.
std::string wrapped(std::string_view text) {
  std::string lines = " ";
  std::size_t column = 1;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (column + 1 + word.size() > kColumns) {
      lines += "\n ";
      column = 1;
    }
    lines += fmt::format(" {}", word);
    column += 1 + word.size();
  }
  return lines + "\n";
}

/// A paragraph under its heading; what is a line in it begins a line.
std::string paragraph(std::string_view heading, std::string_view text) {
  std::string lines = "\n" + paint(Colour::kBold, heading) + "\n";
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    lines += wrapped(line);
  }
  return lines;
}

json::object to_json(const Explanation& one) {
  return {{"code", one.code}, {"title", one.title}, {"found", one.found}, {"on_fly", one.on_fly}, {"fix", one.fix}};
}

void list_all(bool as_json) {
  json::array all;
  std::vector<std::vector<std::string>> rows{{"CODE", "MEANING"}};
  for (const auto& table_of : {report::explanations(), report::proxy_code_explanations()}) {
    for (const Explanation& one : table_of) {
      all.push_back(to_json(one));
      rows.push_back({std::string(one.code), std::string(one.title)});
    }
  }
  if (as_json) say(json::serialize(all));
  else fmt::print("{}", table(rows));
}

}  // namespace

int explain(const ExplainOptions& options) {
  if (options.code.empty()) {
    list_all(options.json);
    return kOk;
  }
  const Explanation* one = report::explain(options.code);
  if (!one) one = report::explain_proxy_code(options.code);
  if (!one) {
    std::vector<std::string_view> codes;
    for (const Explanation& known : report::explanations()) codes.push_back(known.code);
    for (const Explanation& known : report::proxy_code_explanations()) codes.push_back(known.code);
    const std::string_view meant = config::closest_name(options.code, codes);
    complain(fmt::format("there is no code {}; {}", options.code,
                         meant.empty() ? "`flylocal explain` lists them" : fmt::format("did you mean {}?", meant)));
    return kCannotRun;
  }
  if (options.json) {
    say(json::serialize(to_json(*one)));
    return kOk;
  }
  fmt::print("{}: {}\n{}{}{}", paint(Colour::kBold, one->code), one->title, paragraph("What flylocal saw", one->found),
             paragraph("On Fly.io", one->on_fly), one->fix.empty() ? "" : paragraph("What to do", one->fix));
  return kOk;
}

int explain_name(const ExplainNameOptions& options) {
  auto client = connect_to_sandbox();
  if (!client) return kCannotRun;
  auto answer = client->call("GET", fmt::format("/flylocal/v1/dns/explain?name={}&app={}", api::url_encode(options.name), api::url_encode(options.app)));
  if (!answer) {
    complain(answer.error().message);
    return kCannotRun;
  }
  const json::object& one = answer->as_object();
  const json::value& resolves = one.at("resolves");
  const int code = resolves.is_bool() && !resolves.get_bool() ? kProblem : kOk;
  if (options.json) {
    say(json::serialize(one));
    return code;
  }
  auto text = [&](std::string_view key) { return printable_lines(text_of(one, key)); };
  fmt::print("{}: {}  [{}]\n", paint(Colour::kBold, text("name")), text("title"), paint(code == kOk ? Colour::kGreen : Colour::kRed, text("code")));
  std::vector<std::vector<std::string>> rows{{"ADDRESS", "APP", "MACHINE", "REGION", "PROCESS"}};
  bool has_machines = false;
  for (const json::value& value : one.at("targets").as_array()) {
    const json::object& target = value.as_object();
    rows.push_back({text_of(target, "address"), text_of(target, "app"), text_of(target, "machine"), text_of(target, "region"), text_of(target, "process_group")});
    has_machines |= !rows.back()[2].empty();
  }
  if (has_machines) {
    fmt::print("\n{}", table(rows));
  } else {
    for (std::size_t i = 1; i < rows.size(); ++i) fmt::print("{}{}\n", i == 1 ? "\n" : "", rows[i][0]);
  }
  fmt::print("{}{}{}", paragraph("What the sandbox answers", text("found")), paragraph("On Fly.io", text("on_fly")),
             text("fix").empty() ? "" : paragraph("What to do", text("fix")));
  return code;
}

}  // namespace flylocal::cli
