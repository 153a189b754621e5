#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "dns/name.hpp"

namespace flylocal::dns {

/// RR TYPEs and QTYPEs we act on; a query may carry any other value.
enum class RecordType : std::uint16_t {
  a = 1,
  ns = 2,
  soa = 6,
  ptr = 12,
  txt = 16,
  aaaa = 28,
  opt = 41,
  ixfr = 251,
  axfr = 252,
  any = 255,
};

enum class RecordClass : std::uint16_t { in = 1, chaos = 3 };

enum class Opcode : std::uint8_t { query = 0 };

/// RFC 1035 4.1.1; values over 15 need EDNS (RFC 6891 6.1.3).
enum class Rcode : std::uint16_t {
  no_error = 0,
  format_error = 1,
  server_failure = 2,
  name_error = 3,
  not_implemented = 4,
  refused = 5,
  bad_version = 16,
};

inline constexpr std::size_t kHeaderSize = 12;
inline constexpr std::size_t kMaxMessageSize = 65535;  ///< what a TCP length prefix can say
inline constexpr std::size_t kMinUdpSize = 512;        ///< without EDNS (RFC 1035 4.2.1)
/// What we send and accept over UDP with EDNS: never fragmented on a path with IPv6's minimal MTU of 1280.
inline constexpr std::size_t kMaxUdpSize = 1232;

/// What an OPT record says (RFC 6891 6.1).
struct Edns {
  std::uint16_t udp_size = kMaxUdpSize;
  bool dnssec_ok = false;
};

/// A well-formed query with its one question.
struct Query {
  std::uint16_t id = 0;
  Opcode opcode = Opcode::query;
  bool recursion_desired = false;
  bool checking_disabled = false;
  Name name;  ///< in the case in which it was asked
  RecordType type{};
  RecordClass record_class = RecordClass::in;
  std::optional<Edns> edns;
};

/// What the octets of a query turned out to be.
struct QueryReading {
  enum class Verdict {
    well_formed,
    not_a_query,  ///< too short for a header, or itself a response: answering could start a loop
    rejected,     ///< to be answered with `rejection`
  };
  Verdict verdict = Verdict::not_a_query;
  Rcode rejection = Rcode::no_error;
  bool has_question = false;  ///< name, type and class of the query are set, also when rejected
};

/// Reads a query into `query`, which has to be a new one.
QueryReading read_query(std::span<const std::uint8_t> message, Query& query);

struct ParsedQuery : QueryReading {
  Query query;
};
ParsedQuery parse_query(std::span<const std::uint8_t> message);

/// Writes one message, never more than `limit` octets of it. Usage: start(), then the question, then records
/// in the order of the sections, then finish().
class MessageWriter {
 public:
  enum class Section { answer = 0, authority = 1, additional = 2 };
  struct Flags {
    bool response = false;
    bool authoritative = false;
    bool recursion_available = false;
  };

  /// Writes into `message`, whose content is replaced and whose memory is used again.
  MessageWriter(std::vector<std::uint8_t>& message, std::size_t limit);

  /// The header and, where the query has EDNS, room for an OPT record that finish() writes.
  void start(const Query& query, Flags flags);
  void question(const Query& query);

  /// The first of the `count` records in `octets`, which are complete and of one size, as many as fit. Returns how many
  /// were written.
  std::size_t records(Section section, std::span<const std::uint8_t> octets, std::size_t count);

  void set_truncated() { truncated_ = true; }

  /// Completes the header and the OPT record.
  void finish(Rcode rcode);

 private:
  std::vector<std::uint8_t>& message_;
  std::size_t limit_;
  std::optional<Edns> edns_;
  std::uint16_t counts_[3] = {0, 0, 0};
  bool truncated_ = false;
};

/// A query of our own for the question of `query`, with the same CD, EDNS and DO: what an upstream resolver
/// is asked. The OPT record is made anew, as it speaks for one hop only (RFC 6891 6.1.1).
std::vector<std::uint8_t> write_query(const Query& query, std::uint16_t id);

/// A response of another server, and where its parts lie.
struct Response {
  struct Question {
    Name name;
    RecordType type{};
    RecordClass record_class{};
  };
  std::uint16_t id = 0;
  bool truncated = false;
  Rcode rcode = Rcode::no_error;     ///< without the high bits that an OPT record may hold
  std::optional<Question> question;  ///< servers that could not read the query send none back
  std::size_t answers_begin = 0;     ///< behind the question
  // Only of a response that is not truncated:
  std::vector<std::size_t> answer_ends;  ///< the end of each record of the answer section
  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  std::optional<Range> opt;
  std::size_t additionals_begin = 0;
  std::size_t end = 0;  ///< behind the last record; anything further is not part of the message
};
/// Empty when the octets are no well-formed response with at most one question.
std::optional<Response> parse_response(std::span<const std::uint8_t> message);

inline constexpr std::size_t kOptSize = 11;
/// Appends an OPT record of ours; `rcode` gives the high bits of the response code.
void put_opt(std::vector<std::uint8_t>& out, const Edns& edns, Rcode rcode);

// Numbers in network order.
void put_u16(std::vector<std::uint8_t>& out, std::uint16_t value);
void put_u32(std::vector<std::uint8_t>& out, std::uint32_t value);
// In the next two, `offset` and the octet behind it have to be inside `message`.
void set_u16(std::span<std::uint8_t> message, std::size_t offset, std::uint16_t value);
std::uint16_t get_u16(std::span<const std::uint8_t> message, std::size_t offset);

}  // namespace flylocal::dns
