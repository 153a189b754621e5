#include "flylocal/report/name_world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <unordered_map>

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

/// Each machine's state in the platform's words, by its id.
using States = std::unordered_map<std::string_view, std::string_view>;

NameWorld::App app_of(const States& states, const project::AppSpec& spec, const dns::App& named) {
  NameWorld::App app{spec.name, network_name(spec), {}, named.flycast};
  for (const dns::Machine& one : named.machines)
    app.machines.push_back({one.id, one.region, one.process_group, one.six_pn, one.state == dns::MachineState::started, std::string(states.at(one.id)), one.metadata});
  return app;
}

/// What the DNS itself answers from.
void add_names(NameWorld& world, sandbox::Sandbox& sandbox, const project::AppSpec& asker) {
  const dns::World names = sandbox.names();
  States states;
  for (const auto& machine : sandbox.machines()) states.emplace(machine->id(), sandbox::name(machine->state()));
  for (const dns::Network& network : names.networks) {
    for (const dns::App& named : network.apps) {
      const project::AppSpec* spec = sandbox.find_app(named.name);
      if (spec) world.apps.push_back(app_of(states, *spec, named));
    }
    if (network.id != static_cast<dns::NetworkId>(sandbox.network_of_app(asker).number)) continue;
    world.api = network.api;
    for (const dns::Peer& peer : network.peers) world.peers.push_back({peer.name, peer.address});
  }
  for (const dns::PublicHost& host : names.public_hosts) {
    NameWorld::Host& out = world.public_hosts.emplace_back();
    out.name = host.name;
    if (host.ipv4) out.addresses.push_back(*host.ipv4);
    if (host.ipv6) out.addresses.push_back(*host.ipv6);
  }
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
  add_names(world, sandbox, asker);
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
  world.search_domains = dns::parse_resolv_conf(text).search;
  for (const auto& upstream : sandbox.upstream_resolvers()) world.upstreams.push_back(upstream.address().to_string());
  co_return world;
}

}  // namespace flylocal::report
