#include "flylocal/report/name_world.hpp"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

#include "dns/record_text.hpp"
#include "dns/resolv_conf.hpp"
#include "flylocal/report/advice.hpp"
#include "flylocal/report/machine_view.hpp"

namespace flylocal::report {
namespace {

using namespace std::chrono_literals;

// A client that asks for A asks for AAAA in the same breath, if it does.
constexpr auto kCertainAfter = 2s;
constexpr std::size_t kRecordsAtOnce = 256;

std::string network_name(const project::AppSpec& app) { return fmt::format("{}/{}", app.organization, app.network); }

NameWorld::App app_of(sandbox::Sandbox& sandbox, const project::AppSpec& spec) {
  NameWorld::App app;
  app.name = spec.name;
  app.network = network_name(spec);
  for (const auto& machine : sandbox.machines()) {
    const store::MachineRecord& record = machine->spec().record;
    if (record.app != spec.name) continue;
    app.machines.push_back({record.id, record.region, record.process_group, record.six_pn, machine->is_started(), std::string(sandbox::name(machine->state())),
                            {{"fly_process_group", record.process_group}, {"fly_platform_version", "v2"}}});
  }
  return app;
}

/// What came of the newest question for an address of `name`, which is lower case and has no last dot.
Task<std::optional<NameWorld::LastAnswer>> last_answer(const sandbox::Sandbox& sandbox, std::string name) {
  const auto wanted = dns::Name::from_text(name);
  std::optional<NameWorld::LastAnswer> last;
  if (!wanted) co_return last;
  const std::uint64_t end = sandbox.dns().logged_end();
  for (std::uint64_t next = end > dns::QueryLog::kSlots ? end - dns::QueryLog::kSlots : 0; next < end;) {
    const auto records = co_await sandbox.dns().logged_since(next, kRecordsAtOnce);
    if (records.empty()) break;
    next = records.back().number + 1;
    for (const dns::QueryRecord& record : records) {
      if (!(record.name == *wanted) || (record.type != dns::RecordType::a && record.type != dns::RecordType::aaaa)) continue;
      const auto message = dns::read_message(record.response);
      if (!message) continue;
      NameWorld::LastAnswer answer;
      answer.type = dns::type_text(record.type);
      answer.rcode = dns::rcode_text(message->rcode);
      for (const auto& one : message->answers)
        if (one.type == record.type) answer.answers.push_back(one.data);
      answer.ago = std::chrono::duration_cast<std::chrono::seconds>(std::max(0ns, std::chrono::nanoseconds(std::chrono::system_clock::now() - record.at)));
      // Of a pair of questions the one that found something tells more.
      const bool is_other_half = last && last->type != answer.type && !last->answers.empty() && answer.answers.empty() && last->ago - answer.ago <= 1s;
      if (!is_other_half) last = std::move(answer);
    }
  }
  co_return last;
}

}  // namespace

std::vector<std::string> parse_search_domains(std::string_view text) {
  std::vector<std::string> domains;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key != "search" && key != "domain") continue;
    domains.clear();
    for (std::string word; words >> word && word.front() != '#' && word.front() != ';';) domains.push_back(word);
  }
  return domains;
}

Task<NameWorld> view_names(sandbox::Sandbox& sandbox, const project::AppSpec& asker, std::string_view name) {
  const auto parsed = dns::Name::from_text(name);
  std::string plain = parsed ? parsed->lower_case().text() : std::string();
  if (plain.ends_with('.')) plain.pop_back();
  // What follows has to wait for the server's thread; machines may come and go meanwhile, so they are read after it.
  const std::vector<dns::AddressQuestion> questions = co_await sandbox.address_questions();
  NameWorld world;
  world.last_answer = co_await last_answer(sandbox, plain);
  world.asker = asker.name;
  world.network = network_name(asker);
  for (const project::AppSpec& app : sandbox.apps())
    if (!app.is_fixture) world.apps.push_back(app_of(sandbox, app));
  for (const dns::AddressQuestion& one : questions) {
    if (one.name != plain || !one.asked_ipv4 || one.asked_ipv6 || std::chrono::steady_clock::now() - one.first_asked < kCertainAfter) continue;
    for (const auto& machine : sandbox.machines()) {
      if (machine->spec().address.six_pn != one.client) continue;
      const MachineView view = view_machine(sandbox, *machine);
      world.ipv4_askers.push_back({machine->spec().record.app, machine->id(), one.name, advise(view, program_on(view, 0), "asks-ipv4-only", 0)});
    }
  }
  std::ifstream file("/etc/resolv.conf");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  for (const auto& upstream : dns::parse_resolv_conf(text, [](const std::string& interface) { return ::if_nametoindex(interface.c_str()); }))
    world.upstreams.push_back(upstream.address().to_string());
  world.search_domains = parse_search_domains(text);
  co_return world;
}

}  // namespace flylocal::report
