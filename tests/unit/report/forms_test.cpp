#include "flylocal/report/forms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <sstream>

#include "flylocal/base/utf8.hpp"
#include "flylocal/report/explanation.hpp"
#include "flylocal/report/plain_text.hpp"
#include "flylocal/report/report_json.hpp"
#include "flylocal/report/wording.hpp"

using namespace flylocal::report;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

/// All octets, and what means something in one of the forms.
std::string nasty_text() {
  std::string text;
  for (int octet = 0; octet < 256; ++octet) text += static_cast<char>(octet);
  return text + "]]> <!-- &lt; \"quoted\" 'single' | cell | ``` ```` **bold** [link](https://example.com) {0} {{ %0A %25 "
                "\r\n::error file=x::y\n##[error]z\n\x1b[1;31mred\x1b[0m gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\x80 "
                "\xef\xbf\xbf \xef\xbf\xbe \xed\xa0\x80 \xc2\x9b" "1m \xf0\x9f\x9a";
}

/// A machine with one result.
Report one(Result result) {
  Report report;
  MachineReport& machine = report.machines.emplace_back();
  machine.app = "hello";
  machine.process_group = "app";
  machine.machine = "3d8d413b29d089";
  machine.region = "iad";
  machine.state = "started";
  machine.program = "gunicorn";
  machine.listened_after = 310ms;
  machine.results.push_back(std::move(result));
  return report;
}

Result loopback() {
  return {Path::kProxy, 8080, "172.19.0.2:8080", true, Reach::kRefused, Severity::kProblem, "loopback-only",
          "gunicorn listens on 127.0.0.1:8080 only", {"127.0.0.1:8080, gunicorn (pid 12)"}, "gunicorn --bind [::]:8080"};
}

Report of_severity(Severity severity) {
  Result result = loopback();
  result.severity = severity;
  return one(result);
}

/// Nothing but nasty text, wherever a text may be.
Report nasty_report() {
  const std::string nasty = nasty_text();
  Report report;
  MachineReport& machine = report.machines.emplace_back();
  machine.app = machine.process_group = machine.machine = machine.region = machine.state = machine.program = nasty;
  for (const Severity severity : {Severity::kOk, Severity::kNote, Severity::kWarning, Severity::kPending, Severity::kProblem})
    for (const Path path : {Path::kProxy, Path::kDns})
      machine.results.push_back({path, 80, nasty, false, Reach::kTimedOut, severity, nasty, nasty, {nasty, "", nasty + "2"}, nasty});
  return report;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// An element of an XML document.
struct Element {
  std::string name, text;
  std::map<std::string, std::string> attributes;
  std::vector<Element> children;

  const Element* child(std::string_view wanted) const {
    auto found = std::find_if(children.begin(), children.end(), [&](const Element& element) { return element.name == wanted; });
    return found == children.end() ? nullptr : &*found;
  }
};

/// Reads what to_junit() may write of XML 1.0, and fails the test on all else: a declaration, elements, attributes in double
/// quotes, text with the five entities that XML itself has.
class XmlReader {
 public:
  explicit XmlReader(std::string_view text) : rest_(text) {}

  Element document() {
    take("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    Element root = element();
    REQUIRE(rest_.empty());
    return root;
  }

 private:
  void take(std::string_view expected) {
    REQUIRE(std::string(rest_.substr(0, expected.size())) == expected);
    rest_.remove_prefix(expected.size());
  }

  std::string take_name() {
    const std::size_t end = rest_.find_first_not_of("abcdefghijklmnopqrstuvwxyz-_");
    REQUIRE(end != std::string_view::npos);
    REQUIRE(end > 0);
    const std::string taken(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return taken;
  }

  /// Character data up to `end`, which stays.
  std::string data(char end) {
    std::string text;
    while (!rest_.empty() && rest_.front() != end) {
      const char c = rest_.front();
      REQUIRE(c != '<');
      // XML 1.0, 2.2: of the control characters only these.
      REQUIRE((static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t'));
      if (c != '&') {
        text += c;
        rest_.remove_prefix(1);
        continue;
      }
      static const std::map<std::string_view, char> kEntities{{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
      const auto entity = kEntities.find(rest_.substr(0, rest_.find(';') + 1));
      REQUIRE(entity != kEntities.end());
      text += entity->second;
      rest_.remove_prefix(entity->first.size());
    }
    REQUIRE(flylocal::to_valid_utf8(text) == text);
    REQUIRE(text.find("\xef\xbf\xbe") == std::string::npos);
    REQUIRE(text.find("\xef\xbf\xbf") == std::string::npos);
    return text;
  }

  Element element() {
    Element made;
    take("<");
    made.name = take_name();
    while (rest_.starts_with(' ')) {
      take(" ");
      const std::string key = take_name();
      take("=\"");
      REQUIRE(made.attributes.emplace(key, data('"')).second);
      take("\"");
    }
    if (rest_.starts_with("/>")) {
      take("/>");
      return made;
    }
    take(">");
    for (;;) {
      made.text += data('<');
      if (rest_.starts_with("</")) break;
      made.children.push_back(element());
    }
    take("</" + made.name + ">");
    return made;
  }

  std::string_view rest_;
};

Element junit(const Report& report) {
  const std::string text = to_junit(report);
  return XmlReader(text).document();
}

json::object sarif_run(const Report& report) {
  const json::value log = json::parse(to_sarif(report, "1.2.3"));
  REQUIRE(log.at("version") == json::value("2.1.0"));
  REQUIRE(log.at("runs").as_array().size() == 1);
  return log.at("runs").at(0).as_object();
}

json::array sarif_results(const Report& report) { return sarif_run(report).at("results").as_array(); }

}  // namespace

TEST_CASE("a form is known by its name only") {
  const std::vector<std::string_view> names(form_names().begin(), form_names().end());
  CHECK(names == std::vector<std::string_view>{"text", "json", "junit", "sarif", "github", "markdown"});
  const Form forms[] = {Form::kText, Form::kJson, Form::kJunit, Form::kSarif, Form::kGithub, Form::kMarkdown};
  for (std::size_t i = 0; i < names.size(); ++i) CHECK(parse_form(names[i]) == forms[i]);
  for (const char* unknown : {"", "JSON", "jso", "json ", "xml"}) CHECK_FALSE(parse_form(unknown));
}

TEST_CASE("plain text has no control characters, and its UTF-8 is well-formed") {
  struct Case {
    const char* name;
    std::string text;
    std::string plain;
  };
  const Case cases[] = {
      {"nothing", "", ""},
      {"lines and tabs stay", "a\n\tb\n", "a\n\tb\n"},
      {"line ends of others", "a\r\nb", "a\nb"},
      {"control characters go", std::string("a\0\a\b\x7f" "b", 6), "ab"},
      {"colours go", "\x1b[1;31mred\x1b[0m", "red"},
      {"an unfinished sequence", "a\x1b[12", "a"},
      {"a sequence that no octet may end", "a\x1b[1\xc3\xbc", "a\xc3\xbc"},
      {"ESC at the end", "a\x1b", "a"},
      {"C1 control characters", "a\xc2\x9b" "b\xc2\x80\xc2\xa0", "ab\xc2\xa0"},
      {"noncharacters", "\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"no UTF-8", "\xff gr\xfc\xc3", "\xef\xbf\xbd gr\xef\xbf\xbd\xef\xbf\xbd"},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    CHECK(plain_text(c.text) == c.plain);
  }
  CHECK(plain_line("a\r\n\tb") == "a  b");
  CHECK(plain_lines("a\r\n\n b\n\n") == std::vector<std::string>{"a", "", " b"});
  CHECK(plain_lines("\n").empty());
}

TEST_CASE("junit: a suite for each machine, a case for each result, and the numbers fit") {
  Report report = one(loopback());
  Result good = loopback();
  good.severity = Severity::kOk;
  good.path = Path::kCheck;
  good.target = "GET /";
  report.machines[0].results.push_back(good);
  report.machines.push_back(report.machines[0]);
  report.machines.emplace_back();

  const Element root = junit(report);
  CHECK(root.name == "testsuites");
  CHECK(root.attributes.at("tests") == "4");
  CHECK(root.attributes.at("failures") == "2");
  REQUIRE(root.children.size() == 3);
  const Element& suite = root.children[0];
  CHECK(suite.attributes.at("name") == "hello machine 3d8d413b29d089 (app, iad)");
  CHECK(suite.attributes.at("tests") == "2");
  CHECK(suite.attributes.at("failures") == "1");
  CHECK(root.children[2].attributes.at("tests") == "0");
  std::map<std::string, std::string> properties;
  for (const Element& property : suite.child("properties")->children)
    properties[property.attributes.at("name")] = property.attributes.at("value");
  CHECK(properties.at("region") == "iad");
  CHECK(properties.at("listened_after_ms") == "310");

  REQUIRE(suite.children.size() == 3);
  CHECK(suite.children[1].attributes.at("classname") == "hello.app");
  CHECK(suite.children[1].attributes.at("name") == "Fly Proxy port 8080 (172.19.0.2:8080)");
  const Element* failure = suite.children[1].child("failure");
  REQUIRE(failure);
  CHECK(failure->attributes.at("type") == "loopback-only");
  CHECK(failure->attributes.at("message") == "gunicorn listens on 127.0.0.1:8080 only");
  CHECK_THAT(failure->text, Catch::Contains("\nFly Proxy 172.19.0.2:8080: refused\n") && Catch::Contains("fix: gunicorn --bind [::]:8080"));
  REQUIRE(suite.children[1].child("system-out"));
  CHECK(suite.children[1].child("system-out")->text == "127.0.0.1:8080, gunicorn (pid 12)");
  CHECK(suite.children[2].attributes.at("name") == "check port 8080 (GET /)");
  CHECK_FALSE(suite.children[2].child("failure"));
}

TEST_CASE("junit: what makes a report bad fails, and the rest is told and passes") {
  for (const Severity severity : {Severity::kOk, Severity::kNote, Severity::kWarning, Severity::kPending, Severity::kProblem}) {
    const Report report = of_severity(severity);
    INFO(name(severity));
    const Element root = junit(report);
    CHECK(root.attributes.at("failures") == (report.is_good() ? "0" : "1"));
    const Element* test = root.children[0].child("testcase");
    REQUIRE(test);
    CHECK((test->child("failure") == nullptr) == report.is_good());
    REQUIRE(test->child("system-out"));
    const std::string said = fmt::format("{} [loopback-only]: gunicorn listens", name(severity));
    const bool told = test->child("system-out")->text.find(said) != std::string::npos;
    CHECK(told == (severity == Severity::kNote || severity == Severity::kWarning));
  }
}

TEST_CASE("junit: any text leaves the XML well-formed, and comes back from it") {
  const Element root = junit(nasty_report());
  REQUIRE(root.children.size() == 1);
  const Element& suite = root.children[0];
  REQUIRE(suite.children.size() == 11);
  const Element* failure = suite.children.back().child("failure");
  REQUIRE(failure);
  CHECK(failure->attributes.at("type") == plain_line(nasty_text()));
  CHECK_THAT(failure->text, Catch::StartsWith(plain_text(nasty_text())));
  CHECK(junit(Report()).children.empty());
}

TEST_CASE("sarif: a rule for each code, with help") {
  const json::object driver = sarif_run(Report()).at("tool").at("driver").as_object();
  CHECK(driver.at("name") == json::value("flylocal"));
  CHECK(driver.at("version") == json::value("1.2.3"));
  const json::array& rules = driver.at("rules").as_array();
  REQUIRE(rules.size() == explanations().size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Explanation& explanation = explanations()[i];
    INFO(explanation.code);
    CHECK(rules[i].at("id").as_string() == explanation.code);
    CHECK(rules[i].at("shortDescription").at("text").as_string() == explanation.title);
    CHECK(rules[i].at("fullDescription").at("text").as_string() == explanation.found);
    for (const char* form : {"text", "markdown"}) {
      const std::string help(rules[i].at("help").at(form).as_string());
      for (const std::string_view part : {explanation.found, explanation.on_fly, explanation.fix})
        CHECK_THAT(help, Catch::Contains(std::string(part)));
    }
  }
}

TEST_CASE("sarif: a result that is not ok has its level, its rule, and its place") {
  CHECK(sarif_results(Report()).empty());
  CHECK(sarif_results(of_severity(Severity::kOk)).empty());
  const std::map<Severity, std::string> levels{
      {Severity::kNote, "note"}, {Severity::kWarning, "warning"}, {Severity::kPending, "error"}, {Severity::kProblem, "error"}};
  for (const auto& [severity, level] : levels) {
    const json::array results = sarif_results(of_severity(severity));
    REQUIRE(results.size() == 1);
    CHECK(results[0].at("level").as_string() == level);
  }

  const json::object run = sarif_run(one(loopback()));
  const json::value& result = run.at("results").at(0);
  CHECK(result.at("ruleId") == json::value("loopback-only"));
  const auto index = static_cast<std::size_t>(result.at("ruleIndex").to_number<int>());
  CHECK(run.at("tool").at("driver").at("rules").at(index).at("id") == json::value("loopback-only"));
  CHECK(result.at("message").at("text") == json::value("gunicorn listens on 127.0.0.1:8080 only\nFly Proxy 172.19.0.2:8080: refused\n"
                                                       "127.0.0.1:8080, gunicorn (pid 12)\nfix: gunicorn --bind [::]:8080"));
  REQUIRE(result.at("locations").as_array().size() == 1);
  const json::value& location = result.at("locations").at(0);
  CHECK(location.at("physicalLocation") == json::parse(R"({"artifactLocation": {"uri": "fly.toml"}, "region": {"startLine": 1}})"));
  REQUIRE(location.at("logicalLocations").as_array().size() == 2);
  CHECK(location.at("logicalLocations").at(0).at("name") == json::value("hello"));
  CHECK(location.at("logicalLocations").at(1).at("fullyQualifiedName") == json::value("hello/3d8d413b29d089"));
}

TEST_CASE("sarif: a code that no explanation has is no rule's") {
  Result result = loopback();
  result.code = "of-a-later-version";
  const json::array results = sarif_results(one(result));
  CHECK(results.at(0).at("ruleId") == json::value("of-a-later-version"));
  CHECK_FALSE(results.at(0).as_object().if_contains("ruleIndex"));
}

TEST_CASE("sarif: the same problem has the same fingerprint on another machine, and another path has another") {
  Report report = one(loopback());
  report.machines.push_back(report.machines[0]);
  report.machines[1].machine = "4d891e1b47a908";
  report.machines[1].results[0].target = "172.19.0.10:8080";
  report.machines.push_back(report.machines[0]);
  report.machines[2].results[0].path = Path::k6pn;
  const json::array results = sarif_results(report);
  REQUIRE(results.size() == 3);
  CHECK(results[0].at("partialFingerprints") == results[1].at("partialFingerprints"));
  CHECK(results[0].at("partialFingerprints") != results[2].at("partialFingerprints"));
}

TEST_CASE("sarif: a message's braces are no placeholders, and its brackets no link") {
  Result result = loopback();
  result.evidence = {"{0} [x](https://example.com)"};
  result.fix = "listen({ host: '::' })";
  const std::string text(sarif_results(one(result)).at(0).at("message").at("text").as_string());
  CHECK_THAT(text, Catch::Contains("{{0}} [x] (https://example.com)\n"));
  CHECK_THAT(text, Catch::EndsWith("fix: listen({{ host: '::' }})"));
}

TEST_CASE("sarif and json: any text leaves them valid") {
  const json::array results = sarif_results(nasty_report());
  CHECK(results.size() == 8);
  const std::string text(results.at(0).at("message").at("text").as_string());
  CHECK(plain_text(text) == text);
  CHECK(json::parse(json::serialize(to_json(nasty_report()))).is_object());
}

TEST_CASE("github: a command for each cause, none for what is ok") {
  CHECK(to_github(Report()).empty());
  CHECK(to_github(of_severity(Severity::kOk)).empty());
  const std::map<Severity, std::string> commands{{Severity::kNote, "::notice file=fly.toml,title="},
                                                 {Severity::kWarning, "::warning file=fly.toml,title="},
                                                 {Severity::kPending, "::error file=fly.toml,title="},
                                                 {Severity::kProblem, "::error file=fly.toml,title="}};
  for (const auto& [severity, command] : commands) CHECK_THAT(to_github(of_severity(severity)), Catch::StartsWith(command));

  // Two paths with the same cause are one annotation, which names both.
  Report report = one(loopback());
  report.machines[0].results.push_back(loopback());
  report.machines[0].results[1].path = Path::k6pn;
  report.machines[0].results[1].target = "[fdaa::2]:8080";
  CHECK(to_github(report) ==
        "::error file=fly.toml,title=hello port 8080%3A Listens on this machine's loopback alone::gunicorn listens on 127.0.0.1:8080 only "
        "[loopback-only]%0Amachine 3d8d413b29d089 (app, iad)%0AFly Proxy 172.19.0.2:8080: refused%0A6PN [fdaa::2]:8080: refused%0A"
        "127.0.0.1:8080, gunicorn (pid 12)%0Afix: gunicorn --bind [::]:8080");
}

TEST_CASE("github: a text can neither end its command nor begin another") {
  Result result = loopback();
  result.code = "50%, a:b\nc";
  result.message = "100% of a, b: c\r\n::error::x";
  CHECK_THAT(to_github(one(result)), Catch::StartsWith("::error file=fly.toml,title=hello port 8080%3A 50%25%2C a%3Ab%0Ac::"
                                                       "100%25 of a, b: c%0A::error::x [50%25, a:b%0Ac]%0A"));

  const std::vector<std::string> lines = lines_of(to_github(nasty_report()));
  // The two paths of each severity that is not ok have the same cause, and so have all severities.
  CHECK(lines.size() == 1);
  for (const std::string& line : lines) {
    CHECK_THAT(line, Catch::StartsWith("::error file=fly.toml,title="));
    const std::string properties = line.substr(8, line.find("::", 8) - 8);
    CHECK(std::count(properties.begin(), properties.end(), ',') == 1);
    CHECK(properties.find(':') == std::string::npos);
    CHECK(plain_text(line) == line);
  }
}

TEST_CASE("markdown: the heading tells it, a row per result, and each cause once with evidence and fix") {
  Report report = one(loopback());
  report.machines[0].results.push_back(loopback());
  report.machines[0].results[1].path = Path::k6pn;
  report.machines[0].results[1].target = "[fdaa::2]:8080";
  report.machines[0].results.push_back(loopback());
  report.machines[0].results[2].severity = Severity::kOk;
  report.machines[0].results[2].reach = Reach::kReachable;
  report.machines[0].results[2].path = Path::kPublished;
  report.machines[0].results[2].code = "ok";
  CHECK(to_markdown(report) ==
        "## \u274c Bind report: 1 problem\n"
        "\n"
        "| | App | Machine | Path | Target | Outcome | Code |\n"
        "|---|---|---|---|---|---|---|\n"
        "| \u274c | hello | 3d8d413b29d089 (app, iad) | Fly Proxy | 172.19.0.2:8080 | refused | loopback-only |\n"
        "| \u274c | hello | 3d8d413b29d089 (app, iad) | 6PN | \\[fdaa::2\\]:8080 | refused | loopback-only |\n"
        "| \u2705 | hello | 3d8d413b29d089 (app, iad) | published | 172.19.0.2:8080 | reachable | ok |\n"
        "\n"
        "### \u274c hello port 8080: Listens on this machine's loopback alone\n"
        "\n"
        "gunicorn listens on 127.0.0.1:8080 only (machine 3d8d413b29d089 (app, iad))\n"
        "\n"
        "```text\n"
        "127.0.0.1:8080, gunicorn (pid 12)\n"
        "```\n"
        "\n"
        "**Fix:** gunicorn --bind \\[::\\]:8080\n"
        "\n"
        "More on it: `flylocal explain loopback-only`");
}

TEST_CASE("markdown: notes are a line each, and no report is empty") {
  const std::string text = to_markdown(of_severity(Severity::kNote));
  CHECK_THAT(text, Catch::EndsWith("\n\n- \u2139\ufe0f hello port 8080: gunicorn listens on 127.0.0.1:8080 only (loopback-only)"));
  CHECK(text.find("###") == std::string::npos);
  CHECK(to_markdown(Report()) == "## \u2705 Bind report: no machines");
}

TEST_CASE("markdown: texts keep to their cell, their paragraph and their fence") {
  Result result = loopback();
  result.target = "a|b\nc <script> `x` \\";
  result.message = "- *no* list";
  result.evidence = {"```", "# no heading ````", "two\nlines"};
  result.fix = "listen 80;\n  listen [::]:80;\n";
  const std::string text = to_markdown(one(result));
  CHECK_THAT(text, Catch::Contains("| a\\|b c \\<script\\> \\`x\\` \\\\ |"));
  CHECK_THAT(text, Catch::Contains("\n\\- \\*no\\* list (machine"));
  CHECK_THAT(text, Catch::Contains("\n`````text\n```\n# no heading ````\ntwo\nlines\n`````\n"));
  CHECK_THAT(text, Catch::Contains("**Fix:**\n```text\nlisten 80;\n  listen [::]:80;\n```\n"));

  // A cell ends at each bar that no backslash is before: all rows have as many as their heading.
  const std::vector<std::string> lines = lines_of(to_markdown(nasty_report()));
  CHECK(std::count_if(lines.begin(), lines.end(), [](const std::string& line) { return line.starts_with("| "); }) == 11);
  for (const std::string& line : lines) {
    if (!line.starts_with("| ")) continue;
    int bars = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '\\') ++i;
      else bars += line[i] == '|';
    }
    CHECK(bars == 8);
  }
}

TEST_CASE("results of one cause are one group, and what is ok stays alone") {
  Report report = one(loopback());
  MachineReport& machine = report.machines[0];
  Result good = loopback();
  good.severity = Severity::kOk;
  Result note = loopback();
  note.severity = Severity::kNote;
  note.evidence = {"127.0.0.1:8080, gunicorn (pid 12)", "more"};
  note.fix.clear();
  Result elsewhere = loopback();
  elsewhere.port = 9090;
  machine.results = {note, good, loopback(), elsewhere, good};
  const std::vector<ResultGroup> all = groups(machine);
  REQUIRE(all.size() == 4);
  CHECK(all[0].results == std::vector<const Result*>{&machine.results[0], &machine.results[2]});
  CHECK(all[0].severity == Severity::kProblem);
  CHECK(all[0].evidence == std::vector<std::string>{"127.0.0.1:8080, gunicorn (pid 12)", "more"});
  CHECK(all[0].fixes == std::vector<std::string>{"gunicorn --bind [::]:8080"});
  CHECK(all[1].results.size() == 1);
  CHECK(all[2].first().port == 9090);
  CHECK(summary(report) == "2 problems");
  CHECK(worst_code(report) == "loopback-only");
  CHECK(worst_severity(of_severity(Severity::kOk)) == Severity::kOk);
  CHECK(worst_code(of_severity(Severity::kOk)).empty());
}
