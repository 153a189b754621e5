#include "flylocal/report/name_explanation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>

#include "dns/name.hpp"
#include "flylocal/config/closest_name.hpp"

namespace flylocal::report {
namespace {

using Labels = std::vector<std::string>;
using App = NameWorld::App;
using Machine = NameWorld::Machine;

constexpr std::string_view kForms =
    "APP, global.APP, REGION.APP, GROUP.process.APP, MACHINE.vm.APP, topN.nearest.of.APP and VALUE.KEY.kv._metadata.APP, each with "
    ".internal";
constexpr std::string_view kStartedOnly =
    "Names under .internal hold started machines only, and nobody starts a machine because its name is looked up.";
constexpr std::string_view kNoSuchNameOnFly =
    "The same: the name does not exist (NXDOMAIN). getaddrinfo says \"Name or service not known\", Node says ENOTFOUND.";

Labels labels_of(std::string_view name) {
  Labels labels;
  while (!name.empty()) {
    labels.emplace_back(name.substr(0, name.find('.')));
    name.remove_prefix(std::min(labels.back().size() + 1, name.size()));
  }
  return labels;
}

bool is_region_form(std::string_view label) {
  return label.size() == 3 && std::all_of(label.begin(), label.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

/// "a, b and c".
std::string list(const std::vector<std::string>& words) {
  if (words.empty()) return "none";
  if (words.size() == 1) return words.front();
  return fmt::format("{} and {}", fmt::join(words.begin(), words.end() - 1, ", "), words.back());
}

/// "1 machine", "3 machines".
std::string machine_count(std::size_t count) {
  return fmt::format("{} machine{}", count, count == 1 ? "" : "s");
}

/// The different values that machines have, in the order of the machines.
std::vector<std::string> values(const std::vector<Machine>& machines, const std::function<std::string(const Machine&)>& of) {
  std::vector<std::string> result;
  for (const Machine& machine : machines) {
    std::string value = of(machine);
    if (!value.empty() && std::find(result.begin(), result.end(), value) == result.end()) result.push_back(std::move(value));
  }
  return result;
}

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
  const std::vector<std::string_view> views(candidates.begin(), candidates.end());
  return std::string(config::closest_name(word, views));
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) { return dns::lower_case(c); });
  return result;
}

/// The explanation of one name, being found.
class Explainer {
 public:
  Explainer(std::string name, const NameWorld& world) : world_(world) {
    out_.name = std::move(name);
    for (const App& app : world_.apps) (app.network == world_.network ? near_ : far_).push_back(&app);
  }

  NameExplanation explain() {
    const Labels labels = labels_of(out_.name);
    const std::string& top = labels.back();
    if (const auto host =
            std::find_if(world_.public_hosts.begin(), world_.public_hosts.end(), [&](auto& one) { return lower(one.name) == out_.name; });
        host != world_.public_hosts.end())
      explain_public_host(*host);
    else if (top == "internal") explain_internal({labels.begin(), labels.end() - 1});
    else if (top == "flycast") explain_flycast({labels.begin(), labels.end() - 1});
    else if (top == "localhost") explain_localhost();
    else if (top == "arpa") explain_reverse();
    else if (out_.name.ends_with(".fly.dev") && find_app(labels.front())) explain_fly_dev(*find_app(labels.front()));
    else if (!explain_without_internal(labels)) explain_outside(labels);
    return std::move(out_);
  }

 private:
  void say(std::string code, std::optional<bool> resolves, std::string title, std::string found, std::string on_fly, std::string fix = {}) {
    out_.code = std::move(code);
    out_.resolves = resolves;
    out_.title = std::move(title);
    out_.found = std::move(found);
    out_.on_fly = std::move(on_fly);
    out_.fix = std::move(fix);
  }

  const App* find_app(std::string_view name) const {
    for (const auto* apps : {&near_, &far_})
      for (const App* app : *apps)
        if (lower(app->name) == name) return app;
    return nullptr;
  }
  bool is_near(const App& app) const { return app.network == world_.network; }

  std::vector<std::string> near_names() const {
    std::vector<std::string> names;
    for (const App* app : near_) names.push_back(lower(app->name));
    return names;
  }

  void add_target(const App& app, const Machine& machine) {
    out_.targets.push_back({machine.six_pn.to_string(), app.name, machine.id, machine.region, machine.process_group});
  }

  // ---- .internal

  void explain_internal(const Labels& labels) {
    if (labels.empty()) {
      say("apex", false, "internal is the zone of all private names, and has no address itself",
          "The resolver answers with no data: there is no host of that name.", "The same.",
          fmt::format("Ask for one of the names below it: {}.", kForms));
      return;
    }
    const std::string& app_label = labels.back();
    const Labels below(labels.begin(), labels.end() - 1);
    if (app_label.starts_with('_')) return explain_underscore(app_label, below);
    const App* app = find_app(app_label);
    if (!app) return explain_unknown_app(app_label, labels);
    if (!is_near(*app)) {
      say("other-network", false,
          fmt::format("app {} is in network {}, and {} asks from {}", app->name, app->network, world_.asker, world_.network),
          "The resolver answers that the name does not exist (NXDOMAIN): machines see the names of their own 6PN network only.",
          "The same. An app is in the network in which it was made and cannot be moved; networks reach each other by public addresses, or "
          "by a Flycast address "
          "that was made for the other network.",
          fmt::format(
              "In flylocal.toml of both apps the same network and organization; or ask as that app: flylocal explain dns {} -a {}.\n"
              "On Fly.io: fly ips allocate-v6 --private --network NETWORK -a {}, and then {}.flycast.",
              out_.name, app->name, app->name, app->name));
      return;
    }
    explain_app(*app, below);
  }

  void explain_underscore(const std::string& label, const Labels& below) {
    if (label == "_api" && below.empty()) {
      const std::string on_fly = "The Machines API answers at http://_api.internal:4280, on every network.";
      if (!world_.api) {
        say("not-offered", false, "the Machines API is not offered at _api.internal here",
            "The resolver has no address for it in this sandbox.", on_fly,
            "From this host the Machines API is on flylocal's control socket: curl --unix-socket ~/.local/state/flylocal/control.sock "
            "http://localhost/v1/apps/APP/machines");
        return;
      }
      out_.targets.push_back({world_.api->to_string(), "", "", "", ""});
      say("resolves", true, "the Machines API", "The resolver answers with the address of the Machines API on this network.", on_fly);
      return;
    }
    if (label == "_peer" && below.size() == 1) {
      for (const auto& peer : world_.peers) {
        if (lower(peer.name) != below.front()) continue;
        out_.targets.push_back({peer.address.to_string(), "", "", "", ""});
        say("resolves", true, fmt::format("the WireGuard peer {}", peer.name),
            "The resolver answers with the peer's address on this network.", "The same.");
        return;
      }
      std::vector<std::string> names;
      for (const auto& peer : world_.peers) names.push_back(peer.name);
      say("no-such-peer", false, fmt::format("no peer {} on this network", below.front()),
          fmt::format("The peers with a name are: {}.", list(names)),
          "The same: named WireGuard peers only. Those that flyctl makes for itself (interactive-...) have no name.");
      return;
    }
    const bool lists = (label == "_apps" && below.empty()) || (label == "_peer" && below.empty()) ||
                       (label == "_instances" && (below.empty() || below == Labels{"all"}));
    if (lists) return explain_text_name();
    say("unknown-form", false, fmt::format("{}.internal is none of the platform's names", label),
        "The resolver answers that the name does not exist (NXDOMAIN).", std::string(kNoSuchNameOnFly),
        "The names that begin with _ are _apps, _instances and _peer (TXT), PEER._peer and _api.");
  }

  void explain_text_name() {
    say("text-name", false, "this name has text, no address",
        "The resolver has a TXT record for it. Asked for an address it answers NOERROR and no records.", "The same.",
        fmt::format("Ask for TXT: flylocal dig {} TXT, or dns.resolveTxt, net.LookupTXT and the like in a program.", out_.name));
  }

  void explain_unknown_app(const std::string& label, const Labels& labels) {
    const std::vector<std::string> names = near_names();
    std::string fix;
    auto suggest = [&](const std::string& name, std::string_view why) { fix = fmt::format("Did you mean {}? {}", name, why); };
    // What people write instead of the platform's forms, most telling first.
    for (const App* app : near_) {
      for (const Machine& machine : app->machines)
        if (fix.empty() && machine.id == label)
          suggest(fmt::format("{}.vm.{}.internal", machine.id, app->name), "A machine's name has its app's behind it.");
    }
    for (const App* app : near_) {
      const auto groups = values(app->machines, [](const Machine& m) { return m.process_group; });
      if (fix.empty() && labels.size() == 1 && label != "app" && std::find(groups.begin(), groups.end(), label) != groups.end())
        suggest(fmt::format("{}.process.{}.internal", label, app->name), fmt::format("{} is a process group of {}.", label, app->name));
    }
    if (fix.empty() && labels.size() > 1 && find_app(labels.front()) && is_near(*find_app(labels.front())))
      suggest(fmt::format("{}.internal", fmt::join(labels.rbegin(), labels.rend(), ".")),
              "The app's name comes last, in front of .internal.");
    if (const std::string meant = closest(label, names); fix.empty() && !meant.empty()) {
      Labels corrected = labels;
      corrected.back() = meant;
      suggest(fmt::format("{}.internal", fmt::join(corrected, ".")), "");
    }
    if (fix.empty()) fix = fmt::format("Start the app together with this one: flylocal up DIR DIR2. Its name is `app` in its fly.toml.");
    say("no-such-app", false, fmt::format("no app {} in this sandbox", label),
        fmt::format("The resolver answers that the name does not exist (NXDOMAIN). Apps on the network {}: {}.", world_.network,
                    list(names)),
        std::string(kNoSuchNameOnFly), std::move(fix));
  }

  void explain_app(const App& app, const Labels& below) {
    const auto& machines = app.machines;
    auto ids = values(machines, [](const Machine& m) { return m.id; });
    if (below.empty() || below == Labels{"global"}) return explain_machines(app, machines, "all machines", {});
    if (below == Labels{"vms"} || below == Labels{"regions"} || below == Labels{"all", "vms"} || below == Labels{"all", "regions"})
      return explain_text_name();
    if (below.size() == 2 && below[1] == "vm") {
      const auto chosen = matching(machines, [&](const Machine& m) { return m.id == below[0]; });
      if (!chosen.empty()) return explain_machines(app, chosen, fmt::format("machine {}", below[0]), "no-such-machine");
      const std::string meant = closest(below[0], ids);
      say("no-such-machine", false, fmt::format("app {} has no machine {}", app.name, below[0]),
          no_data(fmt::format("Its machines are {}.", list(ids))),
          "The same. An id goes with its machine: a deploy keeps the machines, scaling down and up makes new ones.",
          meant.empty() ? fmt::format("Take {}.internal for all machines; flylocal machine list shows the ids.", app.name)
                        : fmt::format("Did you mean {}.vm.{}.internal?", meant, app.name));
      return;
    }
    if (below.size() == 2 && below[1] == "process") {
      const auto chosen = matching(machines, [&](const Machine& m) { return lower(m.process_group) == below[0]; });
      if (!chosen.empty()) return explain_machines(app, chosen, fmt::format("process group {}", below[0]), {});
      const auto groups = values(machines, [](const Machine& m) { return m.process_group; });
      const std::string meant = closest(below[0], groups);
      say("none-in-group", false, fmt::format("app {} has no machine in process group {}", app.name, below[0]),
          no_data(fmt::format("Its machines are in {}.", list(groups))),
          "The same. Process groups are the names in [processes] of fly.toml; without it there is one, called app.",
          meant.empty() ? fmt::format("Let machines of the group run: flylocal scale count {}=1.", below[0])
                        : fmt::format("Did you mean {}.process.{}.internal?", meant, app.name));
      return;
    }
    if (below.size() == 4 && below[2] == "kv" && below[3] == "_metadata") return explain_metadata(app, below[0], below[1]);
    if (below.size() == 3 && below[1] == "nearest" && below[2] == "of" && below[0].starts_with("top"))
      return explain_nearest(app, below[0]);
    if (below.size() == 1 && is_region_form(below[0])) {
      const auto chosen = matching(machines, [&](const Machine& m) { return m.region == below[0]; });
      if (!chosen.empty()) return explain_machines(app, chosen, fmt::format("region {}", below[0]), {});
      const auto regions = values(machines, [](const Machine& m) { return m.region; });
      say("none-in-region", false, fmt::format("app {} has no machine in region {}", app.name, below[0]),
          no_data(fmt::format("Three letters in front of an app's name are a region. Its machines are in {}.", list(regions))), "The same.",
          fmt::format("Take {}.internal for all regions, or top1.nearest.of.{}.internal for the nearest machine.\n"
                      "For a machine in that region: flylocal scale count 1 --region {}, or [[machines]] in flylocal.toml.",
                      app.name, app.name, below[0]));
      return;
    }
    explain_unknown_form(app, below);
  }

  void explain_unknown_form(const App& app, const Labels& below) {
    std::string fix;
    const auto groups = values(app.machines, [](const Machine& m) { return lower(m.process_group); });
    const auto ids = values(app.machines, [](const Machine& m) { return m.id; });
    auto has = [](const std::vector<std::string>& words, const std::string& word) {
      return std::find(words.begin(), words.end(), word) != words.end();
    };
    if (has(groups, below.back())) fix = fmt::format("Did you mean {}.process.{}.internal?\n", below.back(), app.name);
    else if (has(ids, below.front())) fix = fmt::format("Did you mean {}.vm.{}.internal?\n", below.front(), app.name);
    fix += fmt::format("The names with addresses are {}.", kForms);
    static const std::set<Labels> kBetween{{"vm"}, {"process"}, {"all"}, {"of"}, {"nearest", "of"}, {"_metadata"}, {"kv", "_metadata"}};
    if (kBetween.contains(below)) {
      say("unknown-form", false, "the name is half of one: something has to stand in front of it",
          "The resolver answers NOERROR and no records: there are names below this one, and no host of this name.", "The same.",
          std::move(fix));
      return;
    }
    say("unknown-form", false, fmt::format("{} is none of the forms that names of app {} have", out_.name, app.name),
        "The resolver answers that the name does not exist (NXDOMAIN). An app has no subdomains.", std::string(kNoSuchNameOnFly),
        std::move(fix));
  }

  void explain_metadata(const App& app, const std::string& value, const std::string& key) {
    auto value_of = [&](const Machine& m) {
      for (const auto& [one, text] : m.metadata)
        if (lower(one) == key) return text;
      return std::string();
    };
    const auto chosen = matching(app.machines, [&](const Machine& m) { return !value.empty() && lower(value_of(m)) == value; });
    if (!chosen.empty()) return explain_machines(app, chosen, fmt::format("metadata {} = {}", key, value), {});
    const auto known = values(app.machines, value_of);
    std::set<std::string> keys;
    for (const Machine& machine : app.machines)
      for (const auto& [one, text] : machine.metadata) keys.insert(one);
    say("none-with-metadata", false, fmt::format("app {} has no machine with metadata {} = {}", app.name, key, value),
        no_data(known.empty() ? fmt::format("No machine has the key {}; the keys are {}.", key, list({keys.begin(), keys.end()}))
                              : fmt::format("The values of {} are {}.", key, list(known))),
        "The same. Metadata is set by fly machine update --metadata KEY=VALUE or by the Machines API.");
  }

  void explain_nearest(const App& app, const std::string& label) {
    unsigned wanted = 0;
    const auto [end, failed] = std::from_chars(label.data() + 3, label.data() + label.size(), wanted);
    if (failed != std::errc{} || end != label.data() + label.size() || wanted == 0)
      return explain_unknown_form(app, {label, "nearest", "of"});
    const auto started = matching(app.machines, [](const Machine& m) { return m.is_started; });
    explain_machines(app, app.machines, "all machines, nearest first,", {});
    if (wanted >= started.size()) return;
    // Which ones they are depends on where the asker stands.
    out_.title = fmt::format("the {} nearest to the asker of these machines of app {}", wanted, app.name);
    out_.found =
        fmt::format("The resolver answers AAAA with the 6PN addresses of {} of them, nearest first, and A with no records.", wanted);
  }

  static std::vector<Machine> matching(const std::vector<Machine>& machines, const std::function<bool(const Machine&)>& fits) {
    std::vector<Machine> chosen;
    std::copy_if(machines.begin(), machines.end(), std::back_inserter(chosen), fits);
    return chosen;
  }

  static std::string no_data(std::string_view why) { return fmt::format("The resolver answers NOERROR and no records. {}", why); }

  /// A name that stands for these machines of the app.
  void explain_machines(const App& app, const std::vector<Machine>& machines, std::string_view what, std::string_view one_machine) {
    if (machines.empty()) {
      say("no-machines", false, fmt::format("app {} has no machines", app.name), no_data("It was scaled to zero."),
          "The same, until fly scale count gives it machines.", fmt::format("flylocal scale count 1 -a {}", app.name));
      return;
    }
    for (const Machine& machine : machines)
      if (machine.is_started) add_target(app, machine);
    if (out_.targets.empty()) return explain_stopped(app, machines, what, one_machine);
    std::vector<NameWorld::Ipv4Asker> askers;
    for (const auto& asker : world_.ipv4_askers)
      if (asker.name == out_.name) askers.push_back(asker);
    const std::string stopped =
        out_.targets.size() == machines.size()
            ? ""
            : fmt::format(" {} not started, and left out.", machines.size() - out_.targets.size() == 1
                                                                ? "1 is"
                                                                : fmt::format("{} are", machines.size() - out_.targets.size()));
    const std::string found = fmt::format(
        "The resolver answers AAAA with the 6PN address of {}, and A with no records: private names have IPv6 addresses only.{}",
        machine_count(out_.targets.size()), stopped);
    if (askers.empty()) {
      say("resolves", true, fmt::format("{} of app {}", what, app.name), found,
          "The same. The name goes straight to the machines: no proxy, no load balancing, no start of stopped machines, and the program "
          "must listen on IPv6.");
      return;
    }
    std::vector<std::string> who;
    std::vector<std::string> fixes;
    for (const auto& asker : askers) {
      who.push_back(fmt::format("{} of {}", asker.machine, asker.app));
      const std::string line = fmt::format("{}: {}", asker.app, asker.fix);
      if (std::find(fixes.begin(), fixes.end(), line) == fixes.end()) fixes.push_back(line);
    }
    say("asks-ipv4-only", true, fmt::format("the name has addresses, but {} asked for IPv4 ones only", list(who)),
        found + fmt::format(" Machine {} asked for A and never for AAAA, so to its program the name looks unknown.", list(who)),
        "The same, and the same error in the program.", fmt::format("{}", fmt::join(fixes, "\n")));
  }

  void explain_stopped(const App& app, const std::vector<Machine>& machines, std::string_view what, std::string_view one_machine) {
    std::vector<std::string> states;
    for (const Machine& machine : machines) states.push_back(fmt::format("{} is {}", machine.id, machine.state));
    std::string fix;
    if (!app.flycast.empty()) fix = fmt::format("Use {}.flycast: it goes through Fly Proxy, which starts machines.\n", app.name);
    else
      fix = fmt::format(
          "On Fly.io use Flycast, which goes through Fly Proxy and starts machines: fly ips allocate-v6 --private -a {}, and then "
          "{}.flycast.\n",
          app.name, app.name);
    fix += fmt::format("To start it by hand: flylocal machine start {}.", machines.front().id);
    const bool single = !one_machine.empty();
    const bool whole = machines.size() == app.machines.size();
    say(single ? "machine-stopped" : "all-stopped", false,
        single  ? fmt::format("machine {} is {}", machines.front().id, machines.front().state)
        : whole ? fmt::format("no machine of app {} is started", app.name)
                : fmt::format("no machine of {} of app {} is started", what, app.name),
        no_data(fmt::format("{} {}.", kStartedOnly, list(states))),
        "The same: a name whose machines are all stopped, suspended or autostopped has no address.", std::move(fix));
  }

  // ---- other private names

  void explain_flycast(const Labels& labels) {
    const App* app = labels.size() == 1 ? find_app(labels.back()) : nullptr;
    if (!app) {
      const std::string meant = labels.empty() ? "" : closest(labels.back(), near_names());
      say(labels.size() > 1 ? "unknown-form" : "no-such-app", false,
          labels.size() > 1 ? "a Flycast name is APP.flycast, without anything in front"
                            : fmt::format("no app {} in this sandbox", labels.empty() ? "" : labels.back()),
          "The resolver answers that the name does not exist (NXDOMAIN).", std::string(kNoSuchNameOnFly),
          meant.empty() ? "" : fmt::format("Did you mean {}.flycast?", meant));
      return;
    }
    if (app->flycast.empty()) {
      say("no-flycast-address", false, fmt::format("app {} has no Flycast address here", app->name),
          "The resolver has no address for the name.",
          "The name has an address once one is allocated: fly ips allocate-v6 --private. Then it goes through Fly Proxy to the app's "
          "services, and starts stopped machines.",
          fmt::format("{}.internal goes straight to the app's started machines.", app->name));
      return;
    }
    for (const auto& address : app->flycast) out_.targets.push_back({address.to_string(), app->name, "", "", ""});
    say("resolves", true, fmt::format("the Flycast address of app {}", app->name),
        "The resolver answers with the private address behind which the proxy serves the app's services; it starts stopped machines.",
        "The same. A service must listen so that Fly Proxy reaches it: on IPv4.");
  }

  void explain_localhost() {
    out_.targets = {{"127.0.0.1", "", "", "", ""}, {"::1", "", "", "", ""}};
    say("resolves", true, "the machine that asks, itself",
        "localhost and all names below it are the asker's own loopback addresses (RFC 6761); nobody else is asked.",
        "Every machine has a loopback of its own: localhost is never another machine, and never this host.");
  }

  void explain_reverse() {
    say("reverse-name", false, "the name of an address, which has a PTR record at most",
        "Names under arpa lead from addresses to names. They have no address themselves.", "Private addresses have no PTR records.",
        "flylocal dig -x ADDRESS asks for the PTR record.");
  }

  // ---- public names

  void explain_public_host(const NameWorld::Host& host) {
    if (host.addresses.empty()) {
      say("not-published", false, fmt::format("the app of {} has no public address here", host.name),
          "The sandbox answers for its apps' public names itself, and this app has no public service: the name has no addresses.",
          "Without a public address the name does not lead to the app: fly ips list shows what it has.",
          "Inside of the sandbox take APP.internal.");
      return;
    }
    for (const auto& address : host.addresses) out_.targets.push_back({address.to_string(), "", "", "", ""});
    say("resolves", true, "a public name of an app in this sandbox",
        "The sandbox answers it itself, with addresses of its own proxy: a machine that calls its app's public URL stays here.",
        "The name leads to Fly's edge, and from there to the app.");
  }

  void explain_fly_dev(const App& app) {
    say("not-published", std::nullopt, fmt::format("app {} has no public service here, so its fly.dev name is asked outside", app.name),
        forwarded(), "The name leads to Fly's edge, if the app was deployed with a public address.",
        fmt::format("Inside of the sandbox take {}.internal.", app.name));
  }

  /// A name of ours that lacks its end; false when it is none.
  bool explain_without_internal(const Labels& labels) {
    const App* app = find_app(labels.back());
    const std::string meant = app || labels.size() > 1 ? "" : closest(labels.back(), near_names());
    if (!app && meant.empty()) return false;
    // "app" may be a domain of the world, too.
    if (app && labels.size() > 1 && labels.back() != lower(app->name)) return false;
    Labels full = labels;
    if (!app) full.back() = meant;
    std::string found = "Machines have no search domain, so the name is looked up as it stands. " + forwarded();
    if (!world_.search_domains.empty())
      found += fmt::format(" This host has the search domain{} {}, which machines do not use.",
                           world_.search_domains.size() == 1 ? "" : "s", list(world_.search_domains));
    const bool found_outside = world_.last_answer && !world_.last_answer->answers.empty();
    say("without-internal", found_outside, "the name is not under .internal", std::move(found),
        "The same: /etc/resolv.conf of a machine has one nameserver and no search line.",
        fmt::format("Did you mean {}.internal?", fmt::join(full, ".")));
    return true;
  }

  std::string forwarded() const {
    std::string text = world_.upstreams.empty() ? "The sandbox has no resolver to ask: such names end in SERVFAIL."
                                                : fmt::format("The sandbox asks {} for it.", list(world_.upstreams));
    if (world_.last_answer) {
      const auto& last = *world_.last_answer;
      text += fmt::format(" The last question, for {} {} s ago, was answered with {}.", last.type, last.ago.count(),
                          last.answers.empty() ? (last.rcode == "NOERROR" ? "no records" : last.rcode) : list(last.answers));
    }
    return text;
  }

  void explain_outside(const Labels& labels) {
    const auto& last = world_.last_answer;
    std::optional<bool> resolves;
    if (last) resolves = !last->answers.empty();
    std::string fix;
    if (world_.upstreams.empty()) fix = "flylocal up --dns ADDRESS names a resolver; by default those of /etc/resolv.conf are asked.";
    else if (labels.size() == 1 && !world_.search_domains.empty())
      fix = fmt::format("Machines have no search domain. If {}.{} is meant, write it in full.", out_.name, world_.search_domains.front());
    else if (last && last->rcode == "SERVFAIL")
      fix = fmt::format("Ask again: flylocal dig {}. SERVFAIL says that no resolver gave an answer; is the network up?", out_.name);
    else if (!last) fix = fmt::format("Nobody has asked for it so far: flylocal dig {} A", out_.name);
    say("outside", resolves, "a name of the outside, which the host's resolvers answer", forwarded(),
        "Fly.io's resolver asks the outside as well.", std::move(fix));
  }

  const NameWorld& world_;
  std::vector<const App*> near_, far_;  // apps of the asker's network, and all others
  NameExplanation out_;
};

NameExplanation not_a_name(std::string_view name, std::string code, std::string title, std::string fix) {
  NameExplanation out;
  out.name = std::string(name);
  out.code = std::move(code);
  out.resolves = false;
  out.title = std::move(title);
  out.found = "No question can be asked for it, so no program can look it up.";
  out.on_fly = "The same.";
  out.fix = std::move(fix);
  return out;
}

/// The host of a URL or of "host:port"; empty when the text is neither.
std::string_view host_within(std::string_view text) {
  const std::size_t scheme = text.find("://");
  std::string_view host = scheme == std::string_view::npos ? text : text.substr(scheme + 3);
  host = host.substr(0, host.find('/'));
  if (const std::size_t at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  const std::size_t colon = host.find(':');
  if (colon != std::string_view::npos && host.find(':', colon + 1) == std::string_view::npos) host = host.substr(0, colon);
  return host.size() == text.size() ? std::string_view{} : host;
}

}  // namespace

NameExplanation explain_name(std::string_view typed, const NameWorld& world) {
  boost::system::error_code no_address;
  const auto address = boost::asio::ip::make_address(std::string(typed), no_address);
  if (!no_address) {
    NameExplanation out;
    out.name = address.to_string();
    out.code = "address";
    out.resolves = true;
    out.title = "an address, which needs no look-up";
    out.found = "Programs use it as it is.";
    out.on_fly = "6PN addresses change when a machine moves to another host; names do not.";
    out.targets.push_back({address.to_string(), "", "", "", ""});
    for (const auto& app : world.apps)
      for (const auto& machine : app.machines)
        if (address == boost::asio::ip::address(machine.six_pn)) {
          out.title = fmt::format("the 6PN address of machine {} of app {}", machine.id, app.name);
          out.targets = {{address.to_string(), app.name, machine.id, machine.region, machine.process_group}};
          out.fix = fmt::format("Its name is {}.vm.{}.internal.", machine.id, app.name);
        }
    return out;
  }
  if (const std::string_view host = host_within(typed); !host.empty())
    return not_a_name(typed, "malformed", fmt::format("{} is more than a name", typed),
                      fmt::format("The name in it is {}: flylocal explain dns {}", host, host));
  const auto parsed = dns::Name::from_text(typed);
  if (!parsed)
    return not_a_name(typed, "malformed", parsed.error().message,
                      "A name has labels of 1 to 63 octets, with a dot between each two, and at most 253 octets in all.");
  std::string name = parsed->lower_case().text();
  if (name == ".") return not_a_name(".", "malformed", "the root of all names, which has no address", "");
  name.pop_back();
  const bool odd =
      std::any_of(name.begin(), name.end(), [](unsigned char c) { return !(std::isalnum(c) || c == '-' || c == '_' || c == '.'); });
  if (odd) {
    NameExplanation out = not_a_name(name, "malformed", fmt::format("{} has characters that names of hosts do not have", name),
                                     "Letters, digits, hyphens and underscores only.");
    out.found = "The resolver takes any octets, but there is no such name, and most programs refuse it before they ask.";
    return out;
  }
  return Explainer(std::move(name), world).explain();
}

}  // namespace flylocal::report
