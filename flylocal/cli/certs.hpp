#pragma once

#include <string>

namespace flylocal::cli {

struct CertsOptions {
  std::string name;
  bool pem = false;
  bool json = false;
};

/// `flylocal certs ca`: the local authority, which is made if there is none yet, and how clients come to trust it.
int certs_ca(const CertsOptions& options);

/// `flylocal certs list`: the certificates that were signed, on demand, so far.
int certs_list(const CertsOptions& options);

/// `flylocal certs show NAME`; the exit code is 1 when the name has none.
int certs_show(const CertsOptions& options);

/// What makes clients trust the certificate in `path`, for people.
std::string how_to_trust(const std::string& path);

}  // namespace flylocal::cli
