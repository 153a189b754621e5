// What an upstream resolver may send, handed to whoever asked, at once and from the cache. The question is the reply's own
// wherever it has one, so that the octets behind it are read: a reply to another question is refused before that.

#include <chrono>
#include <cstdint>
#include <vector>

#include "dns/answer_cache.hpp"
#include "dns/responder.hpp"
#include "tests/fuzz/dns/world.hpp"

using namespace flylocal::dns;
using flylocal::dns::fuzz::require;

namespace {

constexpr std::uint8_t kTcp = 1, kNoEdns = 4, kSmallSize = 8;
constexpr std::uint16_t kId = 0x1234;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::split({data, size});
  if (!input) return 0;
  const auto transport = input->options & kTcp ? Transport::tcp : Transport::udp;
  Query query = parse_query(input->query).query;
  query.id = kId;
  query.opcode = Opcode::query;
  query.edns = Edns{};
  if (input->options & kSmallSize) query.edns->udp_size = kMinUdpSize;
  if (input->options & kNoEdns) query.edns.reset();
  const auto reply = parse_response(input->reply);
  if (reply && reply->question) {
    query.name = reply->question->name.lower_case();  // whatever the upstream's spelling, the asker's comes back
    query.type = reply->question->type;
    query.record_class = reply->question->record_class;
  }

  std::vector<std::uint8_t> response;
  const Relayed relayed = relay(query, input->reply, transport, response);
  const std::size_t limit = transport == Transport::tcp ? kMaxMessageSize : query.edns ? query.edns->udp_size : kMinUdpSize;
  require(response.size() >= kHeaderSize && response.size() <= limit);
  const auto parsed = parse_response(response);
  require(parsed.has_value() && parsed->id == query.id);
  require(parsed->question && parsed->question->name.wire() == query.name.wire() && parsed->question->type == query.type);
  require(parsed->truncated == (relayed == Relayed::truncated));
  if (relayed == Relayed::failed) require(parsed->rcode == Rcode::server_failure && parsed->answer_ends.empty());
  if (relayed == Relayed::whole) {
    require(reply.has_value() && parsed->end == response.size());
    require(parsed->rcode == reply->rcode && parsed->answer_ends.size() == reply->answer_ends.size());
  }
  // An OPT record speaks for one hop (RFC 6891 6.1.1): the asker gets one if it sent one. Only one that is not the last record stays.
  const bool stays = relayed == Relayed::whole && reply->opt && reply->opt->end != reply->end;
  require(stays || parsed->truncated || parsed->opt.has_value() == query.edns.has_value());

  // An answer that was kept is the same but for its TTLs.
  AnswerCache cache;
  const QuestionKey key(query);
  const AnswerCache::TimePoint now{std::chrono::hours{1}};
  cache.store(key, input->reply, now);
  for (const auto age : {std::chrono::seconds{0}, std::chrono::seconds{1}, std::chrono::seconds{3600}}) {
    const auto kept = cache.find(key, now + age);
    if (!kept) continue;
    require(reply.has_value() && !reply->truncated);
    std::vector<std::uint8_t> again;
    require(relay(query, *kept, transport, again) == relayed && again.size() == response.size());
    const auto parsed_again = parse_response(again);
    require(parsed_again && parsed_again->rcode == parsed->rcode && parsed_again->answer_ends == parsed->answer_ends);
  }
  return 0;
}
