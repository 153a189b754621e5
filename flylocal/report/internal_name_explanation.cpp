#include "flylocal/report/internal_name_explanation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>

#include "dns/label_form.hpp"

namespace flylocal::report {
namespace {

using App = NameWorld::App;
using Machine = NameWorld::Machine;

constexpr std::string_view kForms =
    "APP, global.APP, REGION.APP, GROUP.process.APP, MACHINE.vm.APP, topN.nearest.of.APP and VALUE.KEY.kv._metadata.APP, each with "
    ".internal";
constexpr std::string_view kStartedOnly =
    "Names under .internal hold started machines only, and nobody starts a machine because its name is looked up.";
constexpr std::string_view kControlSocketHint =
    "From this host the Machines API is on flylocal's control socket: curl --unix-socket ~/.local/state/flylocal/control.sock "
    "http://localhost/v1/apps/APP/machines";

/// "1 machine", "3 machines".
std::string machine_count(std::size_t count) {
  return fmt::format("{} machine{}", count, count == 1 ? "" : "s");
}

std::string process_group(const Machine& machine) { return machine.process_group; }
std::string id(const Machine& machine) { return machine.id; }
std::string region(const Machine& machine) { return machine.region; }

/// The different values that machines have, in the order of the machines.
std::vector<std::string> values(const std::vector<Machine>& machines, const std::function<std::string(const Machine&)>& of) {
  std::vector<std::string> result;
  for (const Machine& machine : machines) {
    std::string value = of(machine);
    if (!value.empty() && std::find(result.begin(), result.end(), value) == result.end()) result.push_back(std::move(value));
  }
  return result;
}

std::vector<Machine> matching(const std::vector<Machine>& machines, const std::function<bool(const Machine&)>& fits) {
  std::vector<Machine> chosen;
  std::copy_if(machines.begin(), machines.end(), std::back_inserter(chosen), fits);
  return chosen;
}

bool has(const std::vector<std::string>& words, const std::string& word) { return std::find(words.begin(), words.end(), word) != words.end(); }

std::string no_data(std::string_view why) { return fmt::format("The resolver answers NOERROR and no records. {}", why); }

/// The machines that a name stands for.
struct Chosen {
  std::vector<Machine> machines;
  std::string what;          ///< "region ams"
  bool is_one = false;       ///< the name is one machine's own
  std::size_t nearest = 0;   ///< so many of them are answered; 0: all
};

/// The explanation of one name, being found.
class Explainer {
 public:
  Explainer(std::string_view name, const NameWorld& world, const VisibleApps& apps) : name_(name), world_(world), apps_(apps) {}

  NameExplanation explain(const Labels& labels) const {
    if (labels.empty())
      return explained("apex", false, "internal is the zone of all private names, and has no address itself",
                       "The resolver answers with no data: there is no host of that name.", "The same.",
                       fmt::format("Ask for one of the names below it: {}.", kForms));
    if (labels.back().starts_with('_')) return explain_special(labels);
    const App* app = apps_.find(labels.back());
    if (!app) return explain_unknown_app(labels);
    if (!apps_.is_near(*app))
      return explained_as_far(
          *app, world_, "The resolver answers that the name does not exist (NXDOMAIN): machines see the names of their own 6PN network only.",
          "The same. An app is in the network in which it was made and cannot be moved; networks reach each other by public addresses, or "
          "by a Flycast address "
          "that was made for the other network.",
          fmt::format("In flylocal.toml of both apps the same network and organization; or ask as that app: flylocal explain dns {} -a {}.\n"
                      "On Fly.io: fly ips allocate-v6 --private --network NETWORK -a {}, and then {}.flycast.",
                      name_, app->name, app->name, app->name));
    return explain_app(*app, {labels.begin(), labels.end() - 1});
  }

 private:
  // ---- names without an app

  NameExplanation explain_special(const Labels& labels) const {
    switch (special_form(labels)) {
      case SpecialForm::kApi: return explain_api();
      case SpecialForm::kPeer: return explain_peer(labels.front());
      case SpecialForm::kText: return explain_text_name();
      case SpecialForm::kNone: break;
    }
    return explained("unknown-form", false, fmt::format("{}.internal is none of the platform's names", labels.back()),
                     "The resolver answers that the name does not exist (NXDOMAIN).", std::string(kNoSuchNameOnFly),
                     "The names that begin with _ are _apps, _instances and _peer (TXT), PEER._peer and _api.");
  }

  NameExplanation explain_api() const {
    const std::string on_fly = "The Machines API answers at http://_api.internal:4280, on every network.";
    if (!world_.api)
      return explained("not-offered", false, "the Machines API is not offered at _api.internal here", "The resolver answers that the name does not exist (NXDOMAIN).", on_fly,
                       std::string(kControlSocketHint));
    auto out = explained("resolves", true, "the Machines API",
                         "The resolver answers with the address that the Machines API has on this network. Here nobody listens on its port 4280.", on_fly,
                         std::string(kControlSocketHint));
    out.targets.push_back({world_.api->to_string(), "", "", "", ""});
    return out;
  }

  NameExplanation explain_peer(const std::string& label) const {
    std::vector<std::string> names;
    for (const auto& peer : world_.peers) {
      names.push_back(peer.name);
      if (lower_text(peer.name) != label) continue;
      auto out = explained("resolves", true, fmt::format("the WireGuard peer {}", peer.name), "The resolver answers with the peer's address on this network.",
                           "The same.");
      out.targets.push_back({peer.address.to_string(), "", "", "", ""});
      return out;
    }
    return explained("no-such-peer", false, fmt::format("no peer {} on this network", label), fmt::format("The resolver answers that the name does not exist (NXDOMAIN). The peers with a name are: {}.", list_text(names)),
                     "The same: named WireGuard peers only. Those that flyctl makes for itself (interactive-...) have no name.");
  }

  NameExplanation explain_text_name() const {
    return explained("text-name", false, "this name has text, no address",
                     "The resolver has a TXT record for it. Asked for an address it answers NOERROR and no records.", "The same.",
                     fmt::format("Ask for TXT: flylocal dig {} TXT, or dns.resolveTxt, net.LookupTXT and the like in a program.", name_));
  }

  // ---- names of apps

  /// What people write instead of the platform's forms, most telling first; empty when it is none of that.
  std::string suggestion(const Labels& labels) const {
    const std::string& label = labels.back();
    auto suggest = [](const std::string& name, std::string_view why) { return fmt::format("Did you mean {}? {}", name, why); };
    for (const App* app : apps_.near())
      for (const Machine& machine : app->machines)
        if (machine.id == label) return suggest(fmt::format("{}.vm.{}.internal", machine.id, app->name), "A machine's name has its app's behind it.");
    for (const App* app : apps_.near())
      if (labels.size() == 1 && label != "app" && has(values(app->machines, process_group), label))
        return suggest(fmt::format("{}.process.{}.internal", label, app->name), fmt::format("{} is a process group of {}.", label, app->name));
    const App* first = apps_.find(labels.front());
    if (labels.size() > 1 && first && apps_.is_near(*first))
      return suggest(fmt::format("{}.internal", fmt::join(labels.rbegin(), labels.rend(), ".")), "The app's name comes last, in front of .internal.");
    const std::string meant = closest_word(label, apps_.near_names());
    if (meant.empty()) return {};
    Labels corrected = labels;
    corrected.back() = meant;
    return suggest(fmt::format("{}.internal", fmt::join(corrected, ".")), "");
  }

  NameExplanation explain_unknown_app(const Labels& labels) const {
    std::string fix = suggestion(labels);
    if (fix.empty()) fix = "Start the app together with this one: flylocal up DIR DIR2. Its name is `app` in its fly.toml.";
    return explained("no-such-app", false, fmt::format("no app {} in this sandbox", labels.back()),
                     fmt::format("The resolver answers that the name does not exist (NXDOMAIN). Apps on the network {}: {}.", world_.network,
                                 list_text(apps_.near_names())),
                     std::string(kNoSuchNameOnFly), std::move(fix));
  }

  NameExplanation explain_app(const App& app, const Labels& below) const {
    const AppForm form = app_form(below);
    switch (form.kind) {
      case AppForm::Kind::kAll: return explain_machines(app, {app.machines, "all machines"});
      case AppForm::Kind::kText: return explain_text_name();
      case AppForm::Kind::kMachine: return explain_machine(app, form.value);
      case AppForm::Kind::kGroup: return explain_group(app, form.value);
      case AppForm::Kind::kRegion: return explain_region(app, form.value);
      case AppForm::Kind::kMetadata: return explain_metadata(app, form.value, form.key);
      case AppForm::Kind::kNearest: return explain_machines(app, {app.machines, "all machines, nearest first,", false, form.count});
      case AppForm::Kind::kHalf:
        return explained("unknown-form", false, "the name is half of one: something has to stand in front of it",
                         "The resolver answers NOERROR and no records: there are names below this one, and no host of this name.", "The same.",
                         form_hint(app, below));
      case AppForm::Kind::kNone: break;
    }
    return explained("unknown-form", false, fmt::format("{} is none of the forms that names of app {} have", name_, app.name),
                     "The resolver answers that the name does not exist (NXDOMAIN). An app has no subdomains.", std::string(kNoSuchNameOnFly),
                     form_hint(app, below));
  }

  static std::string form_hint(const App& app, const Labels& below) {
    std::string hint;
    if (has(values(app.machines, [](const Machine& m) { return lower_text(m.process_group); }), below.back()))
      hint = fmt::format("Did you mean {}.process.{}.internal?\n", below.back(), app.name);
    else if (has(values(app.machines, id), below.front())) hint = fmt::format("Did you mean {}.vm.{}.internal?\n", below.front(), app.name);
    return hint + fmt::format("The names with addresses are {}.", kForms);
  }

  NameExplanation explain_machine(const App& app, const std::string& wanted) const {
    auto chosen = matching(app.machines, [&](const Machine& m) { return m.id == wanted; });
    if (!chosen.empty()) return explain_machines(app, {std::move(chosen), fmt::format("machine {}", wanted), true});
    const auto ids = values(app.machines, id);
    const std::string meant = closest_word(wanted, ids);
    const std::string known = fmt::format("Its machines are {}.", list_text(ids));
    return explained("no-such-machine", false, fmt::format("app {} has no machine {}", app.name, wanted),
                     dns::is_machine_id_form(wanted)
                         ? no_data(known)
                         : fmt::format("The resolver answers that the name does not exist (NXDOMAIN): an id is 14 hexadecimal digits. {}", known),
                     "The same. An id goes with its machine: a deploy keeps the machines, scaling down and up makes new ones.",
                     meant.empty() ? fmt::format("Take {}.internal for all machines; flylocal machine list shows the ids.", app.name)
                                   : fmt::format("Did you mean {}.vm.{}.internal?", meant, app.name));
  }

  NameExplanation explain_group(const App& app, const std::string& wanted) const {
    auto chosen = matching(app.machines, [&](const Machine& m) { return lower_text(m.process_group) == wanted; });
    if (!chosen.empty()) return explain_machines(app, {std::move(chosen), fmt::format("process group {}", wanted)});
    const auto groups = values(app.machines, process_group);
    const std::string meant = closest_word(wanted, groups);
    return explained("none-in-group", false, fmt::format("app {} has no machine in process group {}", app.name, wanted),
                     no_data(fmt::format("Its machines are in {}.", list_text(groups))),
                     "The same. Process groups are the names in [processes] of fly.toml; without it there is one, called app.",
                     meant.empty() ? fmt::format("Let machines of the group run, if fly.toml has it: flylocal scale count {}=1 -a {}.", wanted, app.name)
                                   : fmt::format("Did you mean {}.process.{}.internal?", meant, app.name));
  }

  NameExplanation explain_region(const App& app, const std::string& wanted) const {
    auto chosen = matching(app.machines, [&](const Machine& m) { return m.region == wanted; });
    if (!chosen.empty()) return explain_machines(app, {std::move(chosen), fmt::format("region {}", wanted)});
    // "web" and "app" are common names of process groups.
    const bool is_group = has(values(app.machines, [](const Machine& m) { return lower_text(m.process_group); }), wanted);
    return explained(
        "none-in-region", false, fmt::format("app {} has no machine in region {}", app.name, wanted),
        no_data(fmt::format("Three letters in front of an app's name are a region. Its machines are in {}.", list_text(values(app.machines, region)))), "The same.",
        fmt::format("{}Take {}.internal for all regions, or top1.nearest.of.{}.internal for the nearest machine.\n"
                    "For a machine in that region: flylocal scale count 1 --region {} -a {}, or [[machines]] in flylocal.toml.",
                    is_group ? fmt::format("Did you mean {}.process.{}.internal?\n", wanted, app.name) : "", app.name, app.name, wanted, app.name));
  }

  NameExplanation explain_metadata(const App& app, const std::string& value, const std::string& key) const {
    auto value_of = [&](const Machine& m) {
      for (const auto& [one, text] : m.metadata)
        if (lower_text(one) == key) return text;
      return std::string();
    };
    auto chosen = matching(app.machines, [&](const Machine& m) { return lower_text(value_of(m)) == value; });
    if (!chosen.empty()) return explain_machines(app, {std::move(chosen), fmt::format("metadata {} = {}", key, value)});
    const auto known = values(app.machines, value_of);
    std::set<std::string> keys;
    for (const Machine& machine : app.machines)
      for (const auto& [one, text] : machine.metadata) keys.insert(one);
    return explained("none-with-metadata", false, fmt::format("app {} has no machine with metadata {} = {}", app.name, key, value),
                     no_data(known.empty() ? fmt::format("No machine has the key {}; the keys are {}.", key, list_text({keys.begin(), keys.end()}))
                                           : fmt::format("The values of {} are {}.", key, list_text(known))),
                     "The same. Metadata is set by fly machine update --metadata KEY=VALUE or by the Machines API.");
  }

  // ---- machines

  NameExplanation explain_machines(const App& app, const Chosen& chosen) const {
    if (chosen.machines.empty())
      return explained("no-machines", false, fmt::format("app {} has no machines", app.name), no_data("It was scaled to zero."),
                       "The same, until fly scale count gives it machines.", fmt::format("flylocal scale count 1 -a {}", app.name));
    const auto started = matching(chosen.machines, [](const Machine& m) { return m.is_started; });
    if (started.empty()) return explain_stopped(app, chosen);

    std::string title = fmt::format("{} of app {}", chosen.what, app.name);
    std::string found;
    if (chosen.nearest > 0 && chosen.nearest < started.size()) {
      // Which ones they are depends on where the asker stands.
      title = fmt::format("the {} nearest to the asker of these machines of app {}", chosen.nearest, app.name);
      found = fmt::format("The resolver answers AAAA with the 6PN addresses of {} of them, nearest first, and A with no records.", chosen.nearest);
    } else {
      found = fmt::format("The resolver answers AAAA with the 6PN address of {}, and A with no records: private names have IPv6 addresses only.",
                          machine_count(started.size()));
      if (const std::size_t left_out = chosen.machines.size() - started.size(); left_out > 0)
        found += fmt::format(" {} not started, and left out.", left_out == 1 ? "1 is" : fmt::format("{} are", left_out));
    }
    NameExplanation out = explain_askers(std::move(title), std::move(found));
    for (const Machine& machine : started) out.targets.push_back({machine.six_pn.to_string(), app.name, machine.id, machine.region, machine.process_group});
    return out;
  }

  /// The name has addresses; who asks has to ask for these.
  NameExplanation explain_askers(std::string title, std::string found) const {
    std::vector<std::string> who, fixes;
    for (const auto& asker : world_.ipv4_askers) {
      if (asker.name != name_) continue;
      who.push_back(fmt::format("{} of {}", asker.machine, asker.app));
      std::string line = fmt::format("{}: {}", asker.app, asker.fix);
      if (!has(fixes, line)) fixes.push_back(std::move(line));
    }
    if (who.empty())
      return explained("resolves", true, std::move(title), std::move(found),
                       "The same. The name goes straight to the machines: no proxy, no load balancing, no start of stopped machines, and the program "
                       "must listen on IPv6.");
    return explained("asks-ipv4-only", true, fmt::format("the name has addresses, but {} asked for IPv4 ones only", list_text(who)),
                     found + fmt::format(" Machine {} asked for A and never for AAAA, so to its program the name looks unknown.", list_text(who)),
                     "The same, and the same error in the program.", fmt::format("{}", fmt::join(fixes, "\n")));
  }

  NameExplanation explain_stopped(const App& app, const Chosen& chosen) const {
    const std::vector<Machine>& machines = chosen.machines;
    std::vector<std::string> states;
    for (const Machine& machine : machines) states.push_back(fmt::format("{} is {}", machine.id, machine.state));
    std::string fix;
    if (!app.flycast.empty())
      fix = fmt::format("Use {}.flycast: on Fly.io it goes through Fly Proxy, which starts machines. Here nobody listens at its address yet.\n", app.name);
    else
      fix = fmt::format(
          "On Fly.io use Flycast, which goes through Fly Proxy and starts machines: fly ips allocate-v6 --private -a {}, and then "
          "{}.flycast.\n",
          app.name, app.name);
    fix += fmt::format("To start it by hand: flylocal machine start {}.", machines.front().id);
    const bool is_whole = machines.size() == app.machines.size();
    return explained(chosen.is_one ? "machine-stopped" : "all-stopped", false,
                     chosen.is_one ? fmt::format("machine {} is {}", machines.front().id, machines.front().state)
                     : is_whole    ? fmt::format("no machine of app {} is started", app.name)
                                   : fmt::format("no machine of {} of app {} is started", chosen.what, app.name),
                     no_data(fmt::format("{} {}.", kStartedOnly, list_text(states))),
                     "The same: a name whose machines are all stopped, suspended or autostopped has no address.", std::move(fix));
  }

  const std::string_view name_;
  const NameWorld& world_;
  const VisibleApps& apps_;
};

}  // namespace

NameExplanation explain_internal_name(std::string_view name, const Labels& below_internal, const NameWorld& world, const VisibleApps& apps) {
  return Explainer(name, world, apps).explain(below_internal);
}

}  // namespace flylocal::report
