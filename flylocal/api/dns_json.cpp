#include "flylocal/api/dns_json.hpp"

#include <boost/json.hpp>
#include <chrono>

#include "dns/record_text.hpp"

namespace flylocal::api {
namespace {

namespace json = boost::json;

std::string_view origin_name(dns::Origin origin) {
  switch (origin) {
    case dns::Origin::zone: return "zone";
    case dns::Origin::cache: return "cache";
    case dns::Origin::upstream: return "upstream";
    case dns::Origin::none: break;
  }
  return "none";
}

}  // namespace

json::object query_json(const dns::QueryRecord& record, const DnsClient& client) {
  const auto message = dns::read_message(record.response);
  json::array answers;
  if (message)
    for (const dns::RecordText& one : message->answers) {
      // What was asked for is told by its data; on the way to it there may be others, such as CNAME.
      const bool is_asked = one.type == record.type;
      answers.push_back(json::string(is_asked ? one.data : dns::type_text(one.type) + " " + one.data));
    }
  std::string name = record.name.text();
  if (name.size() > 1) name.pop_back();
  using Milliseconds = std::chrono::duration<double, std::milli>;
  return {{"number", record.number},
          {"timestamp", std::chrono::duration_cast<std::chrono::milliseconds>(record.at.time_since_epoch()).count()},
          {"app", client.app},
          {"machine", client.machine},
          {"client", record.client.to_string()},
          {"network", client.network},
          {"transport", record.transport == dns::Transport::tcp ? "tcp" : "udp"},
          {"name", name},
          {"type", dns::type_text(record.type)},
          {"rcode", message ? dns::rcode_text(message->rcode) : std::string()},
          {"answers", std::move(answers)},
          // Of a long answer the log keeps the first records.
          {"cut", record.response_size > record.response.size()},
          {"truncated", message && message->truncated},
          {"origin", origin_name(record.origin)},
          {"took_ms", std::chrono::duration_cast<Milliseconds>(record.took).count()}};
}

json::object explanation_json(const report::NameExplanation& explanation) {
  json::array targets;
  for (const report::NameTarget& target : explanation.targets)
    targets.push_back({{"address", target.address},
                       {"app", target.app},
                       {"machine", target.machine},
                       {"region", target.region},
                       {"process_group", target.process_group}});
  return {{"name", explanation.name},
          {"code", explanation.code},
          {"resolves", explanation.resolves ? json::value(*explanation.resolves) : json::value(nullptr)},
          {"title", explanation.title},
          {"found", explanation.found},
          {"on_fly", explanation.on_fly},
          {"fix", explanation.fix},
          {"targets", std::move(targets)}};
}

}  // namespace flylocal::api
