#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "proxy/routing.hpp"
#include "proxy/tls/certificate_authority.hpp"

namespace flylocal::proxy::tls {

/// Certificates that are ready for handshakes, one for each name; signs when a name is first asked for. What else
/// TlsOptions choose (versions, ALPN) belongs to each handshake and needs no certificate of its own.
/// Any thread may call any member. Sessions can be resumed for as long as the cache lives, by tickets (RFC 5077, RFC 8446 4.6.1): it keeps no state of them.
class LeafCache {
 public:
  static constexpr std::size_t kMaxLeaves = 256;

  /// Throws std::bad_alloc when OpenSSL has no memory.
  explicit LeafCache(std::shared_ptr<const CertificateAuthority> authority);
  LeafCache(const LeafCache&) = delete;
  LeafCache& operator=(const LeafCache&) = delete;

  /// A connection before its handshake, which does not know yet which certificate it needs.
  Connection new_connection();

  /// Gives the connection the name's certificate. Error: it cannot be made, e.g. for something that is no host name.
  Result<> show(SSL& connection, std::string_view name, bool self_signed);

  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return leaves_.size();
  }

 private:
  struct Entry {
    std::string key;
    Context context;
    std::chrono::steady_clock::time_point made;
  };
  /// With the lock held; valid until it is released.
  Result<SSL_CTX*> context_for(std::string_view name, bool self_signed);
  Context new_context() const;

  std::shared_ptr<const CertificateAuthority> authority_;
  Context entrance_;          ///< its ticket keys are those of all connections
  mutable std::mutex mutex_;  ///< for what follows
  std::list<Entry> leaves_;   ///< the one that was used last comes first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
};

}  // namespace flylocal::proxy::tls
