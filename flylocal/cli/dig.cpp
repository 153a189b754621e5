#include "flylocal/cli/dig.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <iterator>
#include <optional>
#include <random>

#include "dns/record_text.hpp"
#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/cli/sandbox_client.hpp"
#include "flylocal/cli/version.hpp"
#include "flylocal/config/closest_name.hpp"

namespace flylocal::cli {
namespace {

constexpr std::string_view kServer = "fdaa::3";

/// A switch as dig spells it: "+name" sets it, "+noname" clears it.
struct Switch {
  std::string_view name;
  bool DigRequest::*value;
};
constexpr Switch kSwitches[] = {{"short", &DigRequest::brief},         {"tcp", &DigRequest::tcp},     {"vc", &DigRequest::tcp},
                                {"recurse", &DigRequest::recurse},     {"rec", &DigRequest::recurse}, {"cdflag", &DigRequest::checking_disabled},
                                {"cd", &DigRequest::checking_disabled}, {"dnssec", &DigRequest::dnssec_ok}, {"do", &DigRequest::dnssec_ok},
                                {"edns", &DigRequest::edns}};
struct Part {
  std::string_view name;
  bool DigParts::*value;
};
constexpr Part kParts[] = {{"cmd", &DigParts::cmd},       {"comments", &DigParts::comments},   {"question", &DigParts::question},
                           {"answer", &DigParts::answer}, {"authority", &DigParts::authority}, {"additional", &DigParts::additional},
                           {"stats", &DigParts::stats}};

/// Applies one "+..." word; what is wrong with it, otherwise.
std::optional<std::string> apply_option(std::string_view word, DigRequest& request) {
  std::string_view name = word.substr(1);
  constexpr std::string_view kBufferSize = "bufsize=";
  if (name.starts_with(kBufferSize)) {
    const std::string_view digits = name.substr(kBufferSize.size());
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), request.udp_size);
    if (failed == std::errc{} && end == digits.data() + digits.size()) return std::nullopt;
    return fmt::format("{}: allowed: +bufsize=0 to +bufsize=65535", word);
  }
  const bool on = !name.starts_with("no");
  const std::string_view bare = on ? name : name.substr(2);
  if (bare == "ignore") {
    request.retry_over_tcp = !on;
    return std::nullopt;
  }
  if (bare == "all") {
    for (const Part& part : kParts) request.parts.*part.value = on;
    return std::nullopt;
  }
  for (const Switch& one : kSwitches) {
    if (bare != one.name) continue;
    request.*one.value = on;
    return std::nullopt;
  }
  for (const Part& part : kParts) {
    if (bare != part.name) continue;
    request.parts.*part.value = on;
    return std::nullopt;
  }
  std::vector<std::string_view> known{"ignore", "all", "bufsize=N"};
  for (const Switch& one : kSwitches) known.push_back(one.name);
  for (const Part& part : kParts) known.push_back(part.name);
  const std::string_view meant = config::closest_name(bare, known);
  return fmt::format("{} is not known{}; known, also with no in front: +{}", word, meant.empty() ? "" : fmt::format("; did you mean +{}{}?", on ? "" : "no", meant),
                     fmt::join(known, " +"));
}

constexpr std::string_view kSomeTypes = "A, AAAA, TXT, SOA, NS, MX, SRV, PTR, CNAME, HTTPS, ANY, TYPE65280";

/// A name as it was typed, with the dot that ends it.
std::string absolute(const std::string& name) { return name.ends_with('.') ? name : name + "."; }

std::string record_line(const dns::RecordText& record) {
  return fmt::format("{}\t{}\t{}\t{}\t{}\n", record.owner, record.ttl, dns::class_text(record.record_class), dns::type_text(record.type), record.data);
}

std::string section(std::string_view title, bool titled, const std::vector<dns::RecordText>& records) {
  if (records.empty()) return {};
  std::string text = titled ? fmt::format("\n;; {} SECTION:\n", title) : "";
  for (const dns::RecordText& record : records) text += record_line(record);
  return text;
}

std::string header_text(const dns::MessageText& answer) {
  return fmt::format(";; ->>HEADER<<- opcode: {}, status: {}, id: {}\n;; flags: {}; QUERY: {}, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {}\n",
                     dns::opcode_text(answer.opcode), dns::rcode_text(answer.rcode), answer.id, fmt::join(answer.flags, " "), answer.counts[0],
                     answer.counts[1], answer.counts[2], answer.counts[3]);
}

std::string edns_text(const dns::MessageText::EdnsText& edns) {
  std::string text = fmt::format("\n;; OPT PSEUDOSECTION:\n; EDNS: version: {}, flags:{}; udp: {}\n", edns.version, edns.dnssec_ok ? " do" : "", edns.udp_size);
  for (const std::string& option : edns.options) text += fmt::format("; {}\n", option);
  return text;
}

struct Exchange {
  std::string answer;
  std::chrono::milliseconds took{};
  bool over_tcp = false;
};

std::string answer_text(const DigRequest& request, const dns::MessageText& answer, const Exchange& exchange) {
  const DigParts& parts = request.parts;
  std::string text;
  if (request.brief) {
    for (const dns::RecordText& record : answer.answers) text += record.data + "\n";
    return text;
  }
  if (parts.comments) {
    text += ";; Got answer:\n" + header_text(answer);
    if (!answer.is_whole) text += ";; WARNING: the message ends before all that its header announces\n";
    if (answer.edns) text += edns_text(*answer.edns);
  }
  if (parts.question && !answer.questions.empty()) {
    if (parts.comments) text += fmt::format("{};; QUESTION SECTION:\n", answer.edns ? "" : "\n");
    for (const auto& question : answer.questions)
      text += fmt::format(";{}\t\t{}\t{}\n", question.name, dns::class_text(question.record_class), dns::type_text(question.type));
  }
  if (parts.answer) text += section("ANSWER", parts.comments, answer.answers);
  if (parts.authority) text += section("AUTHORITY", parts.comments, answer.authority);
  if (parts.additional) text += section("ADDITIONAL", parts.comments, answer.additional);
  if (parts.stats)
    text += fmt::format("\n;; Query time: {} msec\n;; SERVER: {}#53 ({})\n;; WHEN: {:%a %b %d %H:%M:%S %Z %Y}\n;; MSG SIZE  rcvd: {}\n", exchange.took.count(), kServer,
                        exchange.over_tcp ? "TCP" : "UDP", fmt::localtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())), exchange.answer.size());
  return text;
}

}  // namespace

std::string reverse_name(const boost::asio::ip::address& address) {
  std::string name;
  if (address.is_v4()) {
    const auto octets = address.to_v4().to_bytes();
    for (auto octet = octets.rbegin(); octet != octets.rend(); ++octet) name += fmt::format("{}.", *octet);
    return name + "in-addr.arpa";
  }
  const auto octets = address.to_v6().to_bytes();
  for (auto octet = octets.rbegin(); octet != octets.rend(); ++octet) name += fmt::format("{:x}.{:x}.", *octet & 0xf, *octet >> 4);
  return name + "ip6.arpa";
}

Result<DigRequest> read_dig_words(const DigOptions& options) {
  DigRequest request;
  request.tcp = options.tcp;
  request.brief = options.brief;
  std::vector<std::string> bare;
  for (const std::string& word : options.words) {
    if (word.starts_with('+')) {
      if (auto problem = apply_option(word, request)) return Error{*problem};
    } else if (word.starts_with('@')) {
      if (std::string_view(word).substr(1) != kServer)
        return Error{fmt::format("{}: flylocal dig asks {}, the sandbox's resolver; -a APP chooses the network", word, kServer)};
    } else {
      bare.push_back(word);
    }
  }
  boost::system::error_code no_address;
  if (!options.reverse.empty()) {
    const auto address = boost::asio::ip::make_address(options.reverse, no_address);
    if (no_address) return Error{fmt::format("-x: found {:?}, allowed: an IPv4 or IPv6 address", options.reverse)};
    request.name_text = reverse_name(address);
    if (options.types.empty()) request.types.push_back(static_cast<dns::RecordType>(12));
  }
  for (const std::string& type : options.types) {
    const auto value = dns::type_of_text(type);
    if (!value) return Error{fmt::format("type: found {:?}, allowed: {}", type, kSomeTypes)};
    request.types.push_back(*value);
  }
  for (std::size_t i = 0; i < bare.size(); ++i) {
    const std::string& word = bare[i];
    const auto type = dns::type_of_text(word);
    const auto record_class = dns::class_of_text(word);
    // A type stands behind the name or, as in `dig MX example.com`, before it.
    const bool is_name_to_come = request.name_text.empty() && i + 1 == bare.size();
    if (type && !is_name_to_come) request.types.push_back(*type);
    else if (record_class && !is_name_to_come) request.record_class = *record_class;
    else if (request.name_text.empty()) request.name_text = word;
    else return Error{fmt::format("type: found {:?}, allowed: {}", word, kSomeTypes)};
  }
  if (request.name_text.empty()) return Error{"which name? e.g. flylocal dig hello.internal; or -x ADDRESS"};
  auto name = dns::Name::from_text(request.name_text);
  if (!name) return Error{fmt::format("{:?} is not a domain name: {}", request.name_text, name.error().message)};
  request.name = *name;
  if (request.types.empty()) request.types.push_back(dns::RecordType::aaaa);
  return request;
}

std::vector<std::uint8_t> dig_query(const DigRequest& request, dns::RecordType type, std::uint16_t id) {
  std::vector<std::uint8_t> query;
  const bool edns = request.edns || request.dnssec_ok;
  dns::put_u16(query, id);
  dns::put_u16(query, static_cast<std::uint16_t>((request.recurse ? 0x0100 : 0) | (request.checking_disabled ? 0x0010 : 0)));
  for (std::uint16_t count : {1, 0, 0, edns ? 1 : 0}) dns::put_u16(query, count);
  const std::string_view name = request.name.wire();
  query.insert(query.end(), name.begin(), name.end());
  dns::put_u16(query, static_cast<std::uint16_t>(type));
  dns::put_u16(query, static_cast<std::uint16_t>(request.record_class));
  if (!edns) return query;
  query.push_back(0);  // the root owns the OPT record (RFC 6891 6.1.2)
  dns::put_u16(query, static_cast<std::uint16_t>(dns::RecordType::opt));
  dns::put_u16(query, request.udp_size);
  dns::put_u32(query, request.dnssec_ok ? 0x8000 : 0);
  dns::put_u16(query, 0);  // no options
  return query;
}

int dig(const DigOptions& options) {
  auto request = read_dig_words(options);
  if (!request) {
    complain(request.error().message);
    return kCannotRun;
  }
  auto client = connect_to_sandbox();
  if (!client) return kCannotRun;
  std::random_device random;
  int code = kOk;
  for (std::size_t i = 0; i < request->types.size(); ++i) {
    const dns::RecordType type = request->types[i];
    const auto query = dig_query(*request, type, static_cast<std::uint16_t>(random()));
    auto ask = [&](bool over_tcp) -> Result<Exchange> {
      const auto begun = std::chrono::steady_clock::now();
      auto answer = client->call_raw("POST", fmt::format("/flylocal/v1/dns?app={}&transport={}", api::url_encode(options.app), over_tcp ? "tcp" : "udp"),
                                     std::string(query.begin(), query.end()));
      if (!answer) return answer.error();
      const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
      return Exchange{std::move(*answer), took, over_tcp};
    };
    auto read = [](const Exchange& exchange) {
      return dns::read_message({reinterpret_cast<const std::uint8_t*>(exchange.answer.data()), exchange.answer.size()});
    };
    if (!request->brief && request->parts.cmd)
      fmt::print("{}; <<>> flylocal dig {} <<>> {} {}\n", i > 0 ? "\n" : "", kVersion, absolute(request->name_text), dns::type_text(type));
    auto exchange = ask(request->tcp);
    auto answer = exchange ? read(*exchange) : std::nullopt;
    // As dig does: an answer that was cut is asked for again over TCP.
    if (answer && answer->truncated && !request->tcp && request->retry_over_tcp) {
      if (!request->brief && request->parts.comments) fmt::print(";; Truncated, retrying in TCP mode.\n");
      exchange = ask(true);
      answer = exchange ? read(*exchange) : std::nullopt;
    }
    if (!exchange) {
      complain(exchange.error().message);
      return kCannotRun;
    }
    if (!answer) {
      complain("the resolver's answer cannot be read");
      return kProblem;
    }
    fmt::print("{}", answer_text(*request, *answer, *exchange));
    if (answer->rcode != dns::Rcode::no_error) code = kProblem;
  }
  return code;
}

}  // namespace flylocal::cli
