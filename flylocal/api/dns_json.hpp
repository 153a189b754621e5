#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "dns/query_log.hpp"
#include "flylocal/report/name_explanation.hpp"

namespace flylocal::api {

/// Who asked, in the sandbox's words.
struct DnsClient {
  std::string app;      ///< "flylocal" for flylocal's own peer; empty when the address is nobody's (any more)
  std::string machine;  ///< empty for the peer
  std::string network;  ///< "organization/network"
};

/// One line of /flylocal/v1/dns/log.
boost::json::object query_json(const dns::QueryRecord& record, const DnsClient& client);

boost::json::object explanation_json(const report::NameExplanation& explanation);

}  // namespace flylocal::api
