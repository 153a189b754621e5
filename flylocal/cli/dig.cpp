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

std::string type_name(int value) {
  for (const TypeName& type : kTypes)
    if (value == type.value) return type.name;
  return "TYPE" + std::to_string(value);  // RFC 3597 5
}

/// A record's data in the form of master files (RFC 1035 5.1); types that it does not know as RFC 3597 5 says.
class RecordText {
 public:
  RecordText(const ns_msg& message, const ns_rr& record)
      : message_(message), type_(ns_rr_type(record)), data_(ns_rr_rdata(record)), end_(data_ + ns_rr_rdlen(record)) {}

  std::string text() {
    switch (type_) {
      case ns_t_a: return address(AF_INET, 4);
      case ns_t_aaaa: return address(AF_INET6, 16);
      case ns_t_ns:
      case ns_t_cname:
      case ns_t_ptr: return name();
      case ns_t_mx: {
        const std::string preference = number(2);
        return preference + " " + name();
      }
      case ns_t_srv: {
        std::string fields;
        for (int i = 0; i < 3; ++i) fields += number(2) + " ";
        return fields + name();
      }
      case ns_t_soa: {
        std::string fields = name();
        fields += " " + name();
        for (int i = 0; i < 5; ++i) fields += " " + number(4);
        return fields;
      }
      case ns_t_txt: return strings();
      default: return unknown();
    }
  }

 private:
  std::string address(int family, std::ptrdiff_t size) {
    char text[64];
    return end_ - data_ == size && ::inet_ntop(family, data_, text, sizeof text) ? text : unknown();
  }
  std::string name() {
    char text[NS_MAXDNAME];
    const int used = ::dn_expand(ns_msg_base(message_), ns_msg_end(message_), data_, text, sizeof text);
    if (used < 0) return "?";
    data_ += used;
    return std::string(text) + ".";
  }
  std::string number(std::ptrdiff_t octets) {
    std::uint64_t value = 0;
    for (std::ptrdiff_t i = 0; i < octets && data_ < end_; ++i) value = value << 8 | *data_++;
    return std::to_string(value);
  }
  std::string strings() {
    std::string text;
    while (data_ < end_) {
      const std::ptrdiff_t length = std::min<std::ptrdiff_t>(*data_, end_ - data_ - 1);
      ++data_;
      text += text.empty() ? "\"" : " \"";
      for (std::ptrdiff_t i = 0; i < length; ++i) {
        const unsigned char c = *data_++;
        if (c == '"' || c == '\\') text += std::string("\\") + static_cast<char>(c);
        else text += c >= 0x20 && c < 0x7f ? std::string(1, static_cast<char>(c)) : fmt::format("\\{:03}", c);
      }
      text += "\"";
    }
    return text;
  }
  std::string unknown() {
    std::string text = fmt::format("\\# {}", end_ - data_);
    if (data_ < end_) text += " ";
    while (data_ < end_) text += fmt::format("{:02x}", *data_++);
    return text;
  }

  const ns_msg& message_;
  int type_;
  const unsigned char* data_;
  const unsigned char* end_;
};

void print_section(ns_msg& message, ns_sect section, const char* title, bool brief) {
  if (ns_msg_count(message, section) == 0) return;
  if (!brief) fmt::print("\n;; {} SECTION:\n", title);
  for (int i = 0; i < ns_msg_count(message, section); ++i) {
    ns_rr record;
    if (ns_parserr(&message, section, i, &record) != 0 || ns_rr_type(record) == ns_t_opt) continue;
    const std::string type = type_name(ns_rr_type(record));
    if (section == ns_s_qd) fmt::print(";{}.\t\tIN\t{}\n", ns_rr_name(record), type);
    else if (brief) fmt::print("{}\n", RecordText(message, record).text());
    else fmt::print("{}.\t{}\tIN\t{}\t{}\n", ns_rr_name(record), ns_rr_ttl(record), type, RecordText(message, record).text());
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
