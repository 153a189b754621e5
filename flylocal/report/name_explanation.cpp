#include "flylocal/report/name_explanation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "dns/name.hpp"
#include "flylocal/platform/regions.hpp"
#include "flylocal/report/internal_name_explanation.hpp"
#include "flylocal/report/name_form.hpp"
#include "flylocal/report/visible_apps.hpp"

namespace flylocal::report {
namespace {

using App = NameWorld::App;

// ---- what is no name

NameExplanation not_a_name(std::string_view name, std::string title, std::string fix) {
  auto out = explained("malformed", false, std::move(title), "No question can be asked for it, so no program can look it up.", "The same.", std::move(fix));
  out.name = std::string(name);
  return out;
}

NameExplanation explain_address(const boost::asio::ip::address& address, const NameWorld& world) {
  auto out = explained("address", true, "an address, which needs no look-up", "Programs use it as it is.",
                       "6PN addresses change when a machine moves to another host; names do not.");
  out.name = address.to_string();
  out.targets.push_back({address.to_string(), "", "", "", ""});
  for (const App& app : world.apps)
    for (const NameWorld::Machine& machine : app.machines)
      if (address == boost::asio::ip::address(machine.six_pn)) {
        out.title = fmt::format("the 6PN address of machine {} of app {}", machine.id, app.name);
        out.targets = {{address.to_string(), app.name, machine.id, machine.region, machine.process_group}};
        out.fix = fmt::format("Its name is {}.vm.{}.internal.", machine.id, app.name);
      }
  return out;
}

// ---- private names beside .internal

NameExplanation explain_flycast(const Labels& below_flycast, const NameWorld& world, const VisibleApps& apps) {
  if (below_flycast.empty())
    return explained("apex", false, "flycast is the zone of all Flycast names, and has no address itself",
                     "The resolver answers NOERROR and no records: there is no host of that name.", "The same.", "Ask for APP.flycast.");
  const bool is_one_label = below_flycast.size() == 1;
  const App* app = is_one_label ? apps.find(below_flycast.front()) : nullptr;
  if (!app) {
    const std::string meant = closest_word(below_flycast.back(), apps.near_names());
    return explained(is_one_label ? "no-such-app" : "unknown-form", false,
                     is_one_label ? fmt::format("no app {} in this sandbox", below_flycast.front()) : "a Flycast name is APP.flycast, without anything in front",
                     "The resolver answers that the name does not exist (NXDOMAIN).", std::string(kNoSuchNameOnFly),
                     meant.empty() ? "" : fmt::format("Did you mean {}.flycast?", meant));
  }
  if (!apps.is_near(*app))
    return explained_as_far(*app, world, "The resolver answers that the name does not exist (NXDOMAIN): here an app has its Flycast address on its own network only.",
                            "The same, unless the app has an address that was made for the asker's network.",
                            fmt::format("On Fly.io: fly ips allocate-v6 --private --network NETWORK -a {}.\n"
                                        "To see it as that app does: flylocal explain dns {}.flycast -a {}.",
                                        app->name, app->name, app->name));
  if (app->flycast.empty())
    return explained("no-flycast-address", false, fmt::format("app {} has no Flycast address here", app->name), "The resolver answers NOERROR and no records.",
                     "The name has an address once one is allocated: fly ips allocate-v6 --private. Then it goes through Fly Proxy to the app's "
                     "services, and starts stopped machines.",
                     fmt::format("{}.internal goes straight to the app's started machines.\n"
                                 "In flylocal.toml of the app ip_addresses says which addresses it has; private_v6 is the Flycast one.",
                                 app->name));
  auto out = explained("resolves", true, fmt::format("the Flycast address of app {}", app->name),
                       "The resolver answers with the app's private address at Fly Proxy. Nobody listens there yet: connections to it fail.",
                       "At that address Fly Proxy serves the app's services, and starts stopped machines. A service must listen so that Fly Proxy "
                       "reaches it: on IPv4.",
                       fmt::format("Until then {}.internal goes straight to the app's started machines.", app->name));
  for (const auto& address : app->flycast) out.targets.push_back({address.to_string(), app->name, "", "", ""});
  return out;
}

NameExplanation explain_localhost() {
  auto out = explained("resolves", true, "the machine that asks, itself",
                       "localhost and all names below it are the asker's own loopback addresses (RFC 6761); nobody else is asked.",
                       "Every machine has a loopback of its own: localhost is never another machine, and never this host.");
  out.targets = {{"127.0.0.1", "", "", "", ""}, {"::1", "", "", "", ""}};
  return out;
}

NameExplanation explain_reverse() {
  return explained("reverse-name", false, "the name of an address, which has a PTR record at most",
                   "Names under arpa lead from addresses to names. They have no address themselves.", "Private addresses have no PTR records.",
                   "flylocal dig -x ADDRESS asks for the PTR record.");
}

// ---- public names

NameExplanation explain_public_host(const NameWorld::Host& host) {
  if (host.addresses.empty())
    return explained("not-published", false, fmt::format("the app of {} has no public address here", host.name),
                     "The sandbox answers for its apps' public names itself: NOERROR and no records. This app has no service, or ip_addresses in its "
                     "flylocal.toml names no public address.",
                     "Without a public address the name does not lead to the app: fly ips list shows what it has.",
                     "Inside of the sandbox take APP.internal.");
  auto out = explained("resolves", true, "a public name of an app in this sandbox",
                       "The sandbox answers it itself, with addresses of its own proxy: a machine that calls its app's public URL stays here.",
                       "The name leads to Fly's edge, and from there to the app.");
  for (const auto& address : host.addresses) out.targets.push_back({address.to_string(), "", "", "", ""});
  return out;
}

/// Who is asked for a name of the outside, and what came of it last.
std::string forwarded(const NameWorld& world) {
  std::string text = world.upstreams.empty() ? "The sandbox has no resolver to ask: such names end in SERVFAIL."
                                             : fmt::format("The sandbox asks {} for it.", list_text(world.upstreams));
  if (world.last_answer) {
    const auto& last = *world.last_answer;
    text += fmt::format(" The last question, for {} {} s ago, was answered with {}.", last.type, last.ago.count(),
                        last.answers.empty() ? (last.rcode == "NOERROR" ? "no records" : last.rcode) : list_text(last.answers));
  }
  return text;
}

/// Whether the labels in front of the app's name say that a name under .internal is meant, and not one of a domain of the world
/// whose top has the app's name.
bool is_clearly_ours(const Labels& below_app, const App& app) {
  const AppForm form = app_form(below_app);
  if (form.kind != AppForm::Kind::kRegion) return form.kind != AppForm::Kind::kNone && form.kind != AppForm::Kind::kHalf;
  const auto has_machine_there = [&](const NameWorld::Machine& machine) { return machine.region == form.value; };
  return platform::distance_km(form.value, form.value).has_value() || std::any_of(app.machines.begin(), app.machines.end(), has_machine_there);
}

/// A name of ours that lacks its end; nothing when it is none.
std::optional<NameExplanation> explain_without_internal(const Labels& labels, const NameWorld& world, const VisibleApps& apps) {
  const App* app = apps.find(labels.back());
  const std::string meant = app || labels.size() > 1 ? "" : closest_word(labels.back(), apps.near_names());
  if (!app && meant.empty()) return std::nullopt;
  if (app && !is_clearly_ours({labels.begin(), labels.end() - 1}, *app)) return std::nullopt;
  Labels full = labels;
  if (!app) full.back() = meant;
  std::string found = "Machines have no search domain, so the name is looked up as it stands. " + forwarded(world);
  if (!world.search_domains.empty())
    found += fmt::format(" This host has the search domain{} {}, which machines do not use.", world.search_domains.size() == 1 ? "" : "s",
                         list_text(world.search_domains));
  const bool found_outside = world.last_answer && !world.last_answer->answers.empty();
  return explained("without-internal", found_outside, "the name is not under .internal", std::move(found),
                   "The same: /etc/resolv.conf of a machine has one nameserver and no search line.",
                   fmt::format("Did you mean {}.internal?", fmt::join(full, ".")));
}

NameExplanation explain_outside(const std::string& name, const Labels& labels, const NameWorld& world) {
  const auto& last = world.last_answer;
  std::optional<bool> resolves;
  if (last) resolves = !last->answers.empty();
  std::string fix;
  if (world.upstreams.empty()) fix = "flylocal up --dns ADDRESS names a resolver; by default those of /etc/resolv.conf are asked.";
  else if (labels.size() == 1 && !world.search_domains.empty())
    fix = fmt::format("Machines have no search domain. If {}.{} is meant, write it in full.", name, world.search_domains.front());
  else if (last && last->rcode == "SERVFAIL")
    fix = fmt::format("Ask again: flylocal dig {}. SERVFAIL says that no resolver gave an answer; is the network up?", name);
  else if (!last) fix = fmt::format("Nobody has asked for it so far: flylocal dig {} A", name);
  return explained("outside", resolves, "a name of the outside, which the host's resolvers answer", forwarded(world),
                   "Fly.io's resolver asks the outside as well.", std::move(fix));
}

NameExplanation explain_known_name(const std::string& name, const NameWorld& world) {
  const VisibleApps apps(world);
  const Labels labels = labels_of(name);
  const Labels below_top(labels.begin(), labels.end() - 1);
  const auto host = std::find_if(world.public_hosts.begin(), world.public_hosts.end(), [&](auto& one) { return lower_text(one.name) == name; });
  if (host != world.public_hosts.end()) return explain_public_host(*host);
  if (labels.back() == "internal") return explain_internal_name(name, below_top, world, apps);
  if (labels.back() == "flycast") return explain_flycast(below_top, world, apps);
  if (labels.back() == "localhost") return explain_localhost();
  if (is_reverse_form(name)) return explain_reverse();
  if (auto without = explain_without_internal(labels, world, apps)) return std::move(*without);
  return explain_outside(name, labels, world);
}

}  // namespace

NameExplanation explain_name(std::string_view typed, const NameWorld& world) {
  boost::system::error_code no_address;
  const auto address = boost::asio::ip::make_address(std::string(typed), no_address);
  if (!no_address) return explain_address(address, world);
  if (const std::string_view host = host_within(typed); !host.empty())
    return not_a_name(typed, fmt::format("{} is more than a name", typed), fmt::format("The name in it is {}: flylocal explain dns {}", host, host));
  const auto parsed = dns::Name::from_text(typed);
  if (!parsed)
    return not_a_name(typed, parsed.error().message,
                      "A name has labels of 1 to 63 octets, with a dot between each two, and at most 253 octets in all.");
  std::string name = parsed->lower_case().text();
  if (name == ".") return not_a_name(".", "the root of all names, which has no address", "");
  name.pop_back();
  const bool odd =
      std::any_of(name.begin(), name.end(), [](unsigned char c) { return !(std::isalnum(c) || c == '-' || c == '_' || c == '.'); });
  if (odd) {
    NameExplanation out = not_a_name(name, fmt::format("{} has characters that names of hosts do not have", name),
                                     "Letters, digits, hyphens and underscores only.");
    out.found = "The resolver takes any octets, but there is no such name, and most programs refuse it before they ask.";
    return out;
  }
  NameExplanation out = explain_known_name(name, world);
  out.name = std::move(name);
  return out;
}

}  // namespace flylocal::report
