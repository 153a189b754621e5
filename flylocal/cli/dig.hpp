#pragma once

#include <boost/asio/ip/address.hpp>
#include <string>
#include <vector>

#include "dns/message.hpp"
#include "dns/name.hpp"
#include "flylocal/base/result.hpp"

namespace flylocal::cli {

/// What of an answer is printed; dig's names for it.
struct DigParts {
  bool cmd = true, comments = true, question = true, answer = true, authority = true, additional = true, stats = true;
};

struct DigOptions {
  std::vector<std::string> words{};  ///< as dig users type them: NAME, TYPEs, a CLASS, +OPTIONs
  std::vector<std::string> types{};  ///< -t
  std::string reverse{};             ///< -x: an address whose name is asked for
  std::string app{};                 ///< asks on this app's network
  bool tcp = false;
  bool brief = false;  ///< the records' data only
};

/// What DigOptions come to.
struct DigRequest {
  std::string name_text;  ///< as typed
  dns::Name name;
  std::vector<dns::RecordType> types;  ///< at least one, in the order in which they were given
  dns::RecordClass record_class = dns::RecordClass::in;
  bool tcp = false;
  bool brief = false;
  bool recurse = true;
  bool checking_disabled = false;
  bool dnssec_ok = false;
  bool edns = true;
  std::uint16_t udp_size = dns::kMaxUdpSize;
  bool retry_over_tcp = true;
  DigParts parts;
};
/// Error: which word is not understood, and what is.
Result<DigRequest> read_dig_words(const DigOptions& options);

/// The query for one type.
std::vector<std::uint8_t> dig_query(const DigRequest& request, dns::RecordType type, std::uint16_t id);

/// The name that a PTR record of the address has (RFC 1035 3.5, RFC 3596 2.5), e.g. "1.0.0.127.in-addr.arpa".
std::string reverse_name(const boost::asio::ip::address& address);

/// `flylocal dig`: asks the sandbox's resolver as a machine on the network would, and prints the answer in the
/// master-file form that dig users expect.
int dig(const DigOptions& options);

}  // namespace flylocal::cli
