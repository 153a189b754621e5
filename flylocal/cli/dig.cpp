#include "flylocal/cli/dig.hpp"

#include <arpa/nameser.h>
#include <fmt/format.h>
#include <resolv.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <optional>

#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/cli/sandbox_client.hpp"

namespace flylocal::cli {
namespace {

struct TypeName {
  const char* name;
  int value;
};
constexpr std::array kTypes{TypeName{"A", ns_t_a}, TypeName{"NS", ns_t_ns}, TypeName{"CNAME", ns_t_cname}, TypeName{"SOA", ns_t_soa},
                            TypeName{"PTR", ns_t_ptr}, TypeName{"MX", ns_t_mx}, TypeName{"TXT", ns_t_txt}, TypeName{"AAAA", ns_t_aaaa},
                            TypeName{"SRV", ns_t_srv}, TypeName{"HTTPS", 65}, TypeName{"ANY", ns_t_any}};

std::optional<int> type_value(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  for (const TypeName& type : kTypes)
    if (text == type.name) return type.value;
  return std::nullopt;
}

std::string rcode_name(int rcode) {
  constexpr std::array kNames{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
  return rcode >= 0 && static_cast<std::size_t>(rcode) < kNames.size() ? kNames[static_cast<std::size_t>(rcode)] : std::to_string(rcode);
}

void print_section(ns_msg& message, ns_sect section, const char* title, bool brief) {
  if (ns_msg_count(message, section) == 0) return;
  if (!brief) fmt::print("\n;; {} SECTION:\n", title);
  for (int i = 0; i < ns_msg_count(message, section); ++i) {
    ns_rr record;
    if (ns_parserr(&message, section, i, &record) != 0) continue;
    if (section == ns_s_qd) {
      fmt::print(";{}.\t\tIN\t{}\n", ns_rr_name(record), ns_rr_type(record) < 256 ? std::string(__p_type(ns_rr_type(record))) : std::to_string(ns_rr_type(record)));
      continue;
    }
    if (ns_rr_type(record) == ns_t_opt) continue;
    std::string text(64 * 1024, '\0');
    const int length = ns_sprintrr(&message, &record, nullptr, nullptr, text.data(), text.size());
    if (length < 0) continue;
    text.resize(static_cast<std::size_t>(length));
    if (!brief) {
      fmt::print("{}\n", text);
      continue;
    }
    // name TTL class type data: the data begin behind the type.
    const std::string type = __p_type(ns_rr_type(record));
    const std::size_t at = text.find(" " + type + " ");
    const std::size_t tab = text.find(" " + type + "\t");
    const std::size_t begin = std::min(at, tab);
    fmt::print("{}\n", begin == std::string::npos ? text : text.substr(begin + type.size() + 2));
  }
}

}  // namespace

int dig(const DigOptions& options) {
  auto type = type_value(options.type);
  if (!type) {
    complain(fmt::format("type: found {:?}, allowed: A, AAAA, TXT, SOA, NS, MX, SRV, PTR, CNAME, HTTPS, ANY", options.type));
    return kCannotRun;
  }
  unsigned char query[1024];
  const int length = ::res_mkquery(ns_o_query, options.name.c_str(), ns_c_in, *type, nullptr, 0, nullptr, query, sizeof query);
  if (length < 0) {
    complain(fmt::format("{:?} is not a domain name", options.name));
    return kCannotRun;
  }
  auto client = connect_to_sandbox();
  if (!client) return kCannotRun;
  const std::string body(reinterpret_cast<char*>(query), static_cast<std::size_t>(length));
  auto ask = [&](const char* transport) {
    return client->call_raw("POST", fmt::format("/flylocal/v1/dns?app={}&transport={}", api::url_encode(options.app), transport), body);
  };
  auto answer = ask(options.tcp ? "tcp" : "udp");
  ns_msg message{};
  auto parse = [&] {
    return answer && ns_initparse(reinterpret_cast<const unsigned char*>(answer->data()), static_cast<int>(answer->size()), &message) == 0;
  };
  bool parsed = parse();
  // As dig does: an answer that was cut is asked for again over TCP.
  if (parsed && !options.tcp && ns_msg_getflag(message, ns_f_tc)) {
    answer = ask("tcp");
    parsed = parse();
  }
  if (!answer) {
    complain(answer.error().message);
    return kCannotRun;
  }
  if (!parsed) {
    complain("the resolver's answer cannot be read");
    return kProblem;
  }
  const int rcode = ns_msg_getflag(message, ns_f_rcode);
  if (!options.brief) {
    std::string flags;
    for (auto [flag, name] : {std::pair{ns_f_qr, "qr"}, {ns_f_aa, "aa"}, {ns_f_tc, "tc"}, {ns_f_rd, "rd"}, {ns_f_ra, "ra"}})
      if (ns_msg_getflag(message, flag)) flags += std::string(" ") + name;
    fmt::print(";; status: {}, id: {}\n;; flags:{}; QUERY: {}, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {}\n", rcode_name(rcode), ns_msg_id(message),
               flags, ns_msg_count(message, ns_s_qd), ns_msg_count(message, ns_s_an), ns_msg_count(message, ns_s_ns), ns_msg_count(message, ns_s_ar));
    print_section(message, ns_s_qd, "QUESTION", false);
  }
  print_section(message, ns_s_an, "ANSWER", options.brief);
  if (!options.brief) print_section(message, ns_s_ns, "AUTHORITY", false);
  return rcode == 0 ? kOk : kProblem;
}

}  // namespace flylocal::cli
