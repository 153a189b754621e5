#pragma once

#include <memory>
#include <string>

#include "proxy/worker.hpp"

namespace flylocal::proxy::tls {

/// A client that has come through TLS.
struct Entered {
  std::unique_ptr<Channel> channel;  ///< null: it did not
  Arrival arrival;                   ///< with `secure` and `server_name`
  std::string protocol;              ///< by ALPN; empty without
};

/// Takes a client of a port with the tls or the pg_tls handler through its handshake, within
/// Options::tls_handshake_limit. Clients that speak plain HTTP or plain PostgreSQL are told so, in their language.
/// Whose name has no certificate is turned away (PT05): a name needs to be one of the port's routes; a client that
/// names an address, localhost or nothing gets the default backend.
Flow<Entered> enter(Worker& worker, Arrival arrival, UniqueFd client);

}  // namespace flylocal::proxy::tls
