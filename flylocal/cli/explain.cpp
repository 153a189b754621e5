#include "flylocal/cli/explain.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <vector>

#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/config/closest_name.hpp"
#include "flylocal/report/explanation.hpp"

namespace flylocal::cli {
namespace {

namespace json = boost::json;
using report::Explanation;

constexpr std::size_t kColumns = 96;

/// A paragraph under its heading, in lines of at most kColumns.
std::string paragraph(std::string_view heading, std::string_view text) {
  std::string lines = "\n" + paint(Colour::kBold, heading) + "\n ";
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

json::object to_json(const Explanation& one) {
  return {{"code", one.code}, {"title", one.title}, {"found", one.found}, {"on_fly", one.on_fly}, {"fix", one.fix}};
}

void list_all(bool as_json) {
  json::array all;
  std::vector<std::vector<std::string>> rows{{"CODE", "MEANING"}};
  for (const Explanation& one : report::explanations()) {
    all.push_back(to_json(one));
    rows.push_back({std::string(one.code), std::string(one.title)});
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
  if (!one) {
    std::vector<std::string_view> codes;
    for (const Explanation& known : report::explanations()) codes.push_back(known.code);
    const std::string_view meant = config::closest_name(options.code, codes);
    complain(fmt::format("no verdict has the code {}; {}", options.code,
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

}  // namespace flylocal::cli
