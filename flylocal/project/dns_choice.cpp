#include "flylocal/project/dns_choice.hpp"

#include <fmt/format.h>

#include <optional>
#include <sstream>

namespace flylocal::project {
namespace {

using Servers = std::vector<boost::asio::ip::udp::endpoint>;

std::optional<dns::AnswerOrder> said(const std::optional<dns::AnswerOrder>& order) { return order; }
std::optional<bool> said(const std::optional<bool>& reverse) { return reverse; }
std::optional<Servers> said(const Servers& servers) { return servers.empty() ? std::nullopt : std::optional(servers); }

std::string text(dns::AnswerOrder order) { return order == dns::AnswerOrder::random ? "random" : "fixed"; }
std::string text(bool reverse) { return reverse ? "true" : "false"; }
std::string text(const Servers& servers) {
  std::ostringstream list;
  for (const auto& server : servers) list << (&server == &servers.front() ? "" : ", ") << server;
  return list.str();
}

/// Settles one key of [dns]. The command line needs no note: its user knows what it says.
template <class Value, class Member>
void settle(Value& value, const char* key, Member member, const launch::DnsChoices& command_line, const std::vector<AppSpec>& apps,
            std::vector<std::string>& notes) {
  if (const auto wanted = said(command_line.*member)) {
    value = *wanted;
    return;
  }
  const AppSpec* first = nullptr;
  for (const AppSpec& app : apps) {
    const auto wanted = said(app.dns.*member);
    if (!wanted) continue;
    if (!first) {
      first = &app;
      value = *wanted;
    } else if (*wanted != value) {
      notes.push_back(fmt::format("{}: flylocal.toml's dns.{} is {}, and {}'s is {}: one sandbox has one resolver, and the first "
                                  "project decides",
                                  app.name, key, text(*wanted), first->name, text(value)));
    }
  }
}

}  // namespace

DnsSettings choose_dns(const launch::DnsChoices& command_line, const std::vector<AppSpec>& apps) {
  using launch::DnsChoices;
  DnsSettings settings;
  settle(settings.order, "order", &DnsChoices::order, command_line, apps, settings.notes);
  settle(settings.reverse_names, "reverse", &DnsChoices::reverse_names, command_line, apps, settings.notes);
  settle(settings.servers, "servers", &DnsChoices::servers, command_line, apps, settings.notes);
  return settings;
}

}  // namespace flylocal::project
