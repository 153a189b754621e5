#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// Octets of DNS messages, made and read without the code under test.
namespace wire {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::uint16_t kA = 1, kNs = 2, kSoa = 6, kMx = 15, kTxt = 16, kAaaa = 28, kOpt = 41,
                               kHttps = 65, kAxfr = 252, kAny = 255;

inline void put16(Bytes& out, unsigned value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}

inline void put(Bytes& out, std::string_view text) {
  out.insert(out.end(), text.begin(), text.end());
}

/// "a.b" as length-prefixed labels with the root; no escapes.
inline Bytes name(std::string_view text) {
  Bytes out;
  while (!text.empty()) {
    auto label = text.substr(0, text.find('.'));
    out.push_back(static_cast<std::uint8_t>(label.size()));
    put(out, label);
    text.remove_prefix(std::min(label.size() + 1, text.size()));
  }
  out.push_back(0);
  return out;
}

inline Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

struct Header {
  std::uint16_t id = 0x1234;
  std::uint16_t flags = 0x0100;  // RD
  std::uint16_t questions = 1, answers = 0, authorities = 0, additionals = 0;
};

inline Bytes header(Header h) {
  Bytes out;
  for (unsigned value : {h.id, h.flags, h.questions, h.answers, h.authorities, h.additionals})
    put16(out, value);
  return out;
}

inline Bytes question(std::string_view qname, std::uint16_t type, std::uint16_t qclass = 1) {
  Bytes out = name(qname);
  put16(out, type);
  put16(out, qclass);
  return out;
}

inline Bytes query(std::string_view qname, std::uint16_t type, Header h = {}) {
  return header(h) + question(qname, type);
}

inline Bytes opt(std::uint16_t udp_size, std::uint32_t extended = 0, const Bytes& options = {}) {
  Bytes out{0};
  put16(out, kOpt);
  put16(out, udp_size);
  put16(out, extended >> 16);
  put16(out, extended & 0xFFFF);
  put16(out, static_cast<unsigned>(options.size()));
  return out + options;
}

inline Bytes edns_query(std::string_view qname, std::uint16_t type, std::uint16_t udp_size,
                        std::uint32_t extended = 0) {
  return query(qname, type, {.additionals = 1}) + opt(udp_size, extended);
}

/// A record owned by the name at offset 12.
inline Bytes record(std::uint16_t type, std::uint32_t ttl, const Bytes& data) {
  Bytes out{0xC0, 12};
  put16(out, type);
  put16(out, 1);
  put16(out, ttl >> 16);
  put16(out, ttl & 0xFFFF);
  put16(out, static_cast<unsigned>(data.size()));
  return out + data;
}

struct Record {
  std::string owner;
  std::uint16_t type = 0;
  std::uint16_t record_class = 0;
  std::uint32_t ttl = 0;
  Bytes data;
};

struct Message {
  std::uint16_t id = 0;
  bool response = false, authoritative = false, truncated = false, recursion_desired = false,
       recursion_available = false;
  unsigned opcode = 0, rcode = 0;
  std::string qname;
  std::uint16_t qtype = 0;
  std::size_t questions = 0, size = 0;
  std::vector<Record> answers, authorities, additionals;

  const Record* opt() const {
    for (auto& r : additionals) {
      if (r.type == kOpt) return &r;
    }
    return nullptr;
  }
};

class Reader {
 public:
  explicit Reader(const Bytes& bytes) : bytes_(bytes) {}
  unsigned u8() { return bytes_.at(at_++); }
  unsigned u16() {
    unsigned high = u8();
    return high << 8 | u8();
  }
  std::string name() {
    std::string text;
    std::size_t back = 0;
    for (int steps = 0; steps < 200; ++steps) {
      unsigned length = u8();
      if (length >= 0xC0) {
        std::size_t target = (length & 0x3F) << 8 | u8();
        if (back == 0) back = at_;
        at_ = target;
      } else if (length == 0) {
        if (back != 0) at_ = back;
        return text.empty() ? "." : text;
      } else {
        for (unsigned i = 0; i < length; ++i) text += static_cast<char>(u8());
        text += '.';
      }
    }
    throw std::runtime_error("name does not end");
  }
  Record record() {
    Record r;
    r.owner = name();
    r.type = static_cast<std::uint16_t>(u16());
    r.record_class = static_cast<std::uint16_t>(u16());
    r.ttl = u16() << 16;
    r.ttl |= u16();
    unsigned size = u16();
    for (unsigned i = 0; i < size; ++i) r.data.push_back(static_cast<std::uint8_t>(u8()));
    return r;
  }
  std::size_t at() const { return at_; }

 private:
  const Bytes& bytes_;
  std::size_t at_ = 0;
};

/// Throws std::out_of_range when the message is cut and std::runtime_error when it has octets too many.
inline Message decode(const Bytes& bytes) {
  Reader in(bytes);
  Message m;
  m.size = bytes.size();
  m.id = static_cast<std::uint16_t>(in.u16());
  unsigned flags = in.u16();
  m.response = flags & 0x8000;
  m.opcode = flags >> 11 & 15;
  m.authoritative = flags & 0x0400;
  m.truncated = flags & 0x0200;
  m.recursion_desired = flags & 0x0100;
  m.recursion_available = flags & 0x0080;
  m.rcode = flags & 15;
  m.questions = in.u16();
  unsigned answers = in.u16(), authorities = in.u16(), additionals = in.u16();
  for (std::size_t i = 0; i < m.questions; ++i) {
    m.qname = in.name();
    m.qtype = static_cast<std::uint16_t>(in.u16());
    in.u16();
  }
  for (unsigned i = 0; i < answers; ++i) m.answers.push_back(in.record());
  for (unsigned i = 0; i < authorities; ++i) m.authorities.push_back(in.record());
  for (unsigned i = 0; i < additionals; ++i) m.additionals.push_back(in.record());
  if (in.at() != bytes.size()) throw std::runtime_error("octets behind the message");
  return m;
}

/// The text of a TXT record: its character-strings joined.
inline std::string text(const Record& record) {
  std::string out;
  for (std::size_t at = 0; at < record.data.size(); at += 1u + record.data[at]) {
    for (std::size_t i = 1; i <= record.data[at]; ++i) out += static_cast<char>(record.data.at(at + i));
  }
  return out;
}

}  // namespace wire
