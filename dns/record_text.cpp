#include "dns/record_text.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>

namespace flylocal::dns {
namespace {

struct Named {
  std::string_view name;
  std::uint16_t value;
};

constexpr Named kTypes[] = {{"A", 1},       {"NS", 2},      {"CNAME", 5},   {"SOA", 6},     {"PTR", 12},    {"HINFO", 13},  {"MX", 15},
                            {"TXT", 16},    {"RP", 17},     {"AAAA", 28},   {"LOC", 29},    {"SRV", 33},    {"NAPTR", 35},  {"DNAME", 39},
                            {"OPT", 41},    {"DS", 43},     {"SSHFP", 44},  {"RRSIG", 46},  {"NSEC", 47},   {"DNSKEY", 48}, {"NSEC3", 50},
                            {"TLSA", 52},   {"CDS", 59},    {"CDNSKEY", 60}, {"SVCB", 64},  {"HTTPS", 65},  {"SPF", 99},    {"IXFR", 251},
                            {"AXFR", 252},  {"ANY", 255},   {"CAA", 257}};
constexpr Named kClasses[] = {{"IN", 1}, {"CH", 3}, {"HS", 4}, {"NONE", 254}, {"ANY", 255}};
constexpr Named kRcodes[] = {{"NOERROR", 0}, {"FORMERR", 1}, {"SERVFAIL", 2}, {"NXDOMAIN", 3}, {"NOTIMP", 4},   {"REFUSED", 5},   {"YXDOMAIN", 6},
                             {"YXRRSET", 7}, {"NXRRSET", 8}, {"NOTAUTH", 9},  {"NOTZONE", 10}, {"BADVERS", 16}, {"BADCOOKIE", 23}};
constexpr Named kOpcodes[] = {{"QUERY", 0}, {"IQUERY", 1}, {"STATUS", 2}, {"NOTIFY", 4}, {"UPDATE", 5}};
// RFC 8914 4; those that a resolver of ours or an upstream is likely to send.
constexpr Named kExtendedErrors[] = {{"Other", 0},           {"Stale Answer", 3},  {"DNSSEC Bogus", 6}, {"Not Ready", 14},
                                     {"Blocked", 15},        {"Filtered", 17},     {"Prohibited", 18},  {"Not Supported", 21},
                                     {"No Reachable Authority", 22}, {"Network Error", 23}, {"Invalid Data", 24}};

template <std::size_t size>
std::string text_of(const Named (&names)[size], std::uint16_t value, std::string_view prefix) {
  for (const Named& one : names)
    if (one.value == value) return std::string(one.name);
  return fmt::format("{}{}", prefix, value);
}

template <std::size_t size>
std::optional<std::uint16_t> value_of(const Named (&names)[size], std::string_view text, std::string_view prefix) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  for (const Named& one : names)
    if (one.name == upper) return one.value;
  if (!upper.starts_with(prefix) || upper.size() == prefix.size()) return std::nullopt;
  std::uint16_t value = 0;
  const auto [end, failed] = std::from_chars(upper.data() + prefix.size(), upper.data() + upper.size(), value);
  return failed == std::errc{} && end == upper.data() + upper.size() ? std::optional(value) : std::nullopt;
}

std::string hexadecimal(std::span<const std::uint8_t> octets) {
  std::string text;
  for (std::uint8_t octet : octets) fmt::format_to(std::back_inserter(text), "{:02x}", octet);
  return text;
}

/// A <character-string> in quotes (RFC 1035 5.1).
std::string quoted(std::span<const std::uint8_t> octets) {
  std::string text = "\"";
  for (std::uint8_t octet : octets) {
    if (octet == '"' || octet == '\\') text += '\\';
    if (octet >= 0x20 && octet < 0x7f) text += static_cast<char>(octet);
    else fmt::format_to(std::back_inserter(text), "\\{:03}", octet);
  }
  return text + '"';
}

/// Reads the fields of a record's data in turn. After the first that is not there, all others are empty, and is_good()
/// is false.
class DataReader {
 public:
  DataReader(std::span<const std::uint8_t> message, std::size_t begin, std::size_t size) : message_(message), at_(begin), end_(begin + size) {}

  bool is_good() const { return good_; }
  bool at_end() const { return at_ == end_; }

  std::uint32_t value(std::size_t octets) {
    std::uint32_t result = 0;
    for (std::uint8_t octet : take(octets)) result = result << 8 | octet;
    return result;
  }
  std::string number(std::size_t octets) { return std::to_string(value(octets)); }

  std::string name() {
    // The name's own octets must lie in the data; what it points at is anywhere before.
    const auto parsed = good_ ? Name::parse(message_.first(end_), at_) : std::nullopt;
    if (!parsed || at_ > end_) good_ = false;
    return good_ ? parsed->text() : std::string();
  }
  std::string string() { return quoted(take(value(1))); }
  std::string rest_quoted() { return quoted(take(end_ - at_)); }
  std::string rest_hexadecimal() { return hexadecimal(take(end_ - at_)); }

  std::string address(int family) {
    const auto octets = take(family == AF_INET ? 4 : 16);
    char text[INET6_ADDRSTRLEN];
    return good_ && ::inet_ntop(family, octets.data(), text, sizeof text) ? text : std::string();
  }

  std::span<const std::uint8_t> take(std::size_t octets) {
    if (!good_ || end_ - at_ < octets) {
      good_ = false;
      return {};
    }
    at_ += octets;
    return message_.subspan(at_ - octets, octets);
  }

  /// What `octets` octets from here hold, as a reader of its own.
  DataReader part(std::size_t octets) {
    const std::size_t begin = at_;
    const bool fits = !take(octets).empty() || octets == 0;
    DataReader reader(message_, begin, fits ? octets : 0);
    reader.good_ = good_;
    return reader;
  }
  void fail() { good_ = false; }

 private:
  std::span<const std::uint8_t> message_;
  std::size_t at_, end_;
  bool good_ = true;
};

/// The value of one parameter, with its "=" (RFC 9460 2.1); fails the reader when it is not what its key wants.
std::string parameter_value(std::uint16_t key, DataReader& value) {
  std::string text;
  auto add = [&text](const std::string& one) { text += (text.empty() ? "=" : ",") + one; };
  switch (key) {
    case 0:  // mandatory
      while (value.is_good() && !value.at_end()) {
        constexpr Named kKeys[] = {{"alpn", 1}, {"no-default-alpn", 2}, {"port", 3}, {"ipv4hint", 4}, {"ech", 5}, {"ipv6hint", 6}};
        add(text_of(kKeys, static_cast<std::uint16_t>(value.value(2)), "key"));
      }
      return text;
    case 1:  // alpn; the quotes of each id are one pair around all
      while (value.is_good() && !value.at_end()) {
        const std::string id = value.string();
        add(id.substr(1, id.size() - 2));
      }
      return text.empty() ? text : "=\"" + text.substr(1) + "\"";
    case 3: add(value.number(2)); return text;
    case 4:
    case 6:
      while (value.is_good() && !value.at_end()) add(value.address(key == 4 ? AF_INET : AF_INET6));
      return text;
    default: return value.at_end() ? text : "=" + value.rest_quoted();
  }
}

/// SVCB and HTTPS (RFC 9460 2.1).
std::string service_binding(DataReader& data) {
  constexpr Named kKeys[] = {{"mandatory", 0}, {"alpn", 1}, {"no-default-alpn", 2}, {"port", 3}, {"ipv4hint", 4}, {"ech", 5}, {"ipv6hint", 6}};
  std::string text = data.number(2);
  text += " " + data.name();
  while (data.is_good() && !data.at_end()) {
    const auto key = static_cast<std::uint16_t>(data.value(2));
    const std::size_t size = data.value(2);
    DataReader value = data.part(size);
    text += " " + text_of(kKeys, key, "key") + parameter_value(key, value);
    if (!value.is_good() || !value.at_end()) data.fail();
  }
  return text;
}

std::string known_data(RecordType type, DataReader& data) {
  std::string text;
  auto add = [&text](const std::string& field) { text += (text.empty() ? "" : " ") + field; };
  switch (static_cast<std::uint16_t>(type)) {
    case 1: return data.address(AF_INET);
    case 28: return data.address(AF_INET6);
    case 2:
    case 5:
    case 12:
    case 39: return data.name();
    case 15:
      add(data.number(2));
      add(data.name());
      return text;
    case 33:
      for (int i = 0; i < 3; ++i) add(data.number(2));
      add(data.name());
      return text;
    case 6:
      for (int i = 0; i < 2; ++i) add(data.name());
      for (int i = 0; i < 5; ++i) add(data.number(4));
      return text;
    case 13:
    case 16:
    case 99:
      do add(data.string());
      while (data.is_good() && !data.at_end());
      return text;
    case 35:
      for (int i = 0; i < 2; ++i) add(data.number(2));
      for (int i = 0; i < 3; ++i) add(data.string());
      add(data.name());
      return text;
    case 257: {
      add(data.number(1));
      const auto tag = data.take(data.value(1));
      if (tag.empty() || !std::all_of(tag.begin(), tag.end(), [](std::uint8_t c) { return std::isalnum(c); })) data.fail();
      add(std::string(tag.begin(), tag.end()));
      add(data.rest_quoted());
      return text;
    }
    case 64:
    case 65: return service_binding(data);
    default: data.fail(); return text;
  }
}

MessageText::EdnsText read_edns(std::span<const std::uint8_t> message, std::uint16_t udp_size, std::uint32_t ttl, std::size_t begin, std::size_t size) {
  constexpr std::uint16_t kCookie = 10, kExtendedError = 15;
  MessageText::EdnsText edns;
  edns.udp_size = udp_size;
  edns.version = ttl >> 16 & 0xff;
  edns.dnssec_ok = (ttl & 0x8000) != 0;
  DataReader data(message, begin, size);
  while (data.is_good() && !data.at_end()) {
    const auto code = static_cast<std::uint16_t>(data.value(2));
    const std::size_t length = data.value(2);
    DataReader option = data.part(length);
    if (!data.is_good()) break;
    if (code == kExtendedError && length >= 2) {
      const auto error = static_cast<std::uint16_t>(option.value(2));
      edns.options.push_back(fmt::format("EDE: {} ({})", error, text_of(kExtendedErrors, error, "code ")));
      if (!option.at_end()) edns.options.back() += ": " + option.rest_quoted();
    } else if (code == kCookie) {
      edns.options.push_back("COOKIE: " + option.rest_hexadecimal());
    } else {
      edns.options.push_back(fmt::format("OPT={}: {}", code, option.rest_hexadecimal()));
    }
  }
  return edns;
}

}  // namespace

std::string type_text(RecordType type) { return text_of(kTypes, static_cast<std::uint16_t>(type), "TYPE"); }

std::optional<RecordType> type_of_text(std::string_view text) {
  const auto value = value_of(kTypes, text, "TYPE");
  return value ? std::optional(static_cast<RecordType>(*value)) : std::nullopt;
}

std::string class_text(RecordClass record_class) { return text_of(kClasses, static_cast<std::uint16_t>(record_class), "CLASS"); }

std::optional<RecordClass> class_of_text(std::string_view text) {
  const auto value = value_of(kClasses, text, "CLASS");
  return value ? std::optional(static_cast<RecordClass>(*value)) : std::nullopt;
}

std::string rcode_text(Rcode rcode) { return text_of(kRcodes, static_cast<std::uint16_t>(rcode), "RCODE"); }

std::string opcode_text(Opcode opcode) { return text_of(kOpcodes, static_cast<std::uint16_t>(opcode), "OPCODE"); }

std::string data_text(std::span<const std::uint8_t> message, RecordType type, std::size_t begin, std::size_t size) {
  begin = std::min(begin, message.size());
  size = std::min(size, message.size() - begin);
  DataReader data(message, begin, size);
  std::string text = known_data(type, data);
  if (data.is_good() && data.at_end()) return text;
  return fmt::format("\\# {}{}{}", size, size > 0 ? " " : "", hexadecimal(message.subspan(begin, size)));
}

std::optional<MessageText> read_message(std::span<const std::uint8_t> message) {
  if (message.size() < kHeaderSize) return std::nullopt;
  MessageText text;
  text.id = get_u16(message, 0);
  const std::uint16_t bits = get_u16(message, 2);
  constexpr std::pair<std::uint16_t, std::string_view> kFlags[] = {{0x8000, "qr"}, {0x0400, "aa"}, {0x0200, "tc"}, {0x0100, "rd"},
                                                                   {0x0080, "ra"}, {0x0020, "ad"}, {0x0010, "cd"}};
  for (const auto& [bit, name] : kFlags)
    if (bits & bit) text.flags.emplace_back(name);
  text.truncated = bits & 0x0200;
  text.opcode = static_cast<Opcode>(bits >> 11 & 0xf);
  unsigned rcode = bits & 0xf;
  for (std::size_t i = 0; i < text.counts.size(); ++i) text.counts[i] = get_u16(message, 4 + 2 * i);

  std::size_t offset = kHeaderSize;
  auto give_up = [&] {
    text.is_whole = false;
    text.rcode = static_cast<Rcode>(rcode);
    return text;
  };
  for (unsigned i = 0; i < text.counts[0]; ++i) {
    const auto name = Name::parse(message, offset);
    if (!name || message.size() - offset < 4) return give_up();
    text.questions.push_back({name->text(), static_cast<RecordType>(get_u16(message, offset)), static_cast<RecordClass>(get_u16(message, offset + 2))});
    offset += 4;
  }
  std::vector<RecordText>* const sections[] = {&text.answers, &text.authority, &text.additional};
  for (std::size_t section = 0; section < std::size(sections); ++section) {
    for (unsigned i = 0; i < text.counts[section + 1]; ++i) {
      constexpr std::size_t kFixedSize = 10;
      const auto owner = Name::parse(message, offset);
      if (!owner || message.size() - offset < kFixedSize) return give_up();
      const auto type = static_cast<RecordType>(get_u16(message, offset));
      const std::uint16_t record_class = get_u16(message, offset + 2);
      const std::uint32_t ttl = static_cast<std::uint32_t>(get_u16(message, offset + 4)) << 16 | get_u16(message, offset + 6);
      const std::size_t size = get_u16(message, offset + 8);
      offset += kFixedSize;
      if (message.size() - offset < size) return give_up();
      if (type == RecordType::opt) {
        text.edns = read_edns(message, record_class, ttl, offset, size);
        rcode = (rcode & 0xf) | (ttl >> 24) << 4;
      } else {
        sections[section]->push_back({owner->text(), ttl, static_cast<RecordClass>(record_class), type, data_text(message, type, offset, size)});
      }
      offset += size;
    }
  }
  text.rcode = static_cast<Rcode>(rcode);
  return text;
}

}  // namespace flylocal::dns
