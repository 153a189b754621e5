#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dns/message.hpp"

/// Messages in the presentation form of master files (RFC 1035 5.1), as people read them. Everything here takes any
/// octets; what it returns is printable ASCII.
namespace flylocal::dns {

/// "AAAA"; "TYPE731" for a type without a name (RFC 3597 5).
std::string type_text(RecordType type);
/// The reverse, whatever the case; empty when the text names no type.
std::optional<RecordType> type_of_text(std::string_view text);
/// "IN"; "CLASS32" for a class without a name.
std::string class_text(RecordClass record_class);
std::optional<RecordClass> class_of_text(std::string_view text);
/// "NXDOMAIN"; "RCODE12" for one without a name.
std::string rcode_text(Rcode rcode);
std::string opcode_text(Opcode opcode);

/// The data of a record, which are `size` octets from `begin` of the message. In the form of RFC 3597 5 (`\# 2 0a00`)
/// where the type is unknown, or the data are not what the type wants.
std::string data_text(std::span<const std::uint8_t> message, RecordType type, std::size_t begin, std::size_t size);

struct RecordText {
  std::string owner;
  std::uint32_t ttl = 0;  ///< in seconds
  RecordClass record_class{};
  RecordType type{};
  std::string data;
};

/// A message of any kind. Sections hold what could be read.
struct MessageText {
  struct Question {
    std::string name;
    RecordType type{};
    RecordClass record_class{};
  };
  struct EdnsText {
    unsigned version = 0;
    unsigned udp_size = 0;
    bool dnssec_ok = false;
    std::vector<std::string> options;  ///< "COOKIE: 0123", "EDE: 22 (No Reachable Authority)", "OPT=9: 00"
  };
  std::uint16_t id = 0;
  Opcode opcode{};
  Rcode rcode{};                   ///< with the high bits of the OPT record
  std::vector<std::string> flags;  ///< those that are set: "qr", "aa", "tc", "rd", "ra", "ad", "cd"
  bool truncated = false;
  std::array<unsigned, 4> counts{};  ///< what the header says: questions, answers, authority, additional
  std::vector<Question> questions;
  std::vector<RecordText> answers, authority, additional;  ///< without OPT
  std::optional<EdnsText> edns;
  bool is_whole = true;  ///< false: the octets end, or make no sense, before all is read that the header announces
};

/// Empty when the octets do not even hold a header.
std::optional<MessageText> read_message(std::span<const std::uint8_t> message);

}  // namespace flylocal::dns
