#include "proxy/tls/leaf_cache.hpp"

#include <openssl/err.h>

#include <new>

#include "proxy/tls/tls_socket.hpp"

namespace flylocal::proxy::tls {
namespace {

// platform.md 4.3
constexpr const char* kTls13Ciphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* kTls12Ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305";
constexpr const char* kGroups = "X25519:P-256:P-384";
constexpr std::chrono::hours kLeafUse{24 * 90};
// Sessions of all names share the ticket keys; the name is in the ticket.
constexpr unsigned char kSessionContext[] = "flylocal";

}  // namespace

LeafCache::LeafCache(std::shared_ptr<const CertificateAuthority> authority)
    : authority_(std::move(authority)), entrance_(new_context()) {
  SSL_CTX_set_client_hello_cb(entrance_.get(), TlsSocket::on_client_hello, nullptr);
}

Context LeafCache::new_context() const {
  Context context(SSL_CTX_new(TLS_server_method()));
  if (!context) throw std::bad_alloc();
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(raw, 1);
  // Tickets hold the sessions; the server remembers none.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_session_id_context(raw, kSessionContext, sizeof kSessionContext - 1);
  SSL_CTX_set_alpn_select_cb(raw, TlsSocket::on_alpn, nullptr);
  const bool set = SSL_CTX_set_ciphersuites(raw, kTls13Ciphers) == 1 && SSL_CTX_set_cipher_list(raw, kTls12Ciphers) == 1 &&
                   SSL_CTX_set1_groups_list(raw, kGroups) == 1;
  if (!set) throw std::bad_alloc();
  return context;
}

Connection LeafCache::new_connection() {
  Connection connection(SSL_new(entrance_.get()));
  if (!connection) throw std::bad_alloc();
  SSL_set_accept_state(connection.get());
  return connection;
}

Result<> LeafCache::show(SSL& connection, std::string_view name, bool self_signed) {
  const std::lock_guard lock(mutex_);
  auto context = context_for(name, self_signed);
  if (!context) return context.error();
  // The connection holds the context from here on, so that the cache may drop it.
  if (!SSL_set_SSL_CTX(&connection, *context)) return Error{"set a connection's certificate: " + take_openssl_error()};
  return {};
}

Result<SSL_CTX*> LeafCache::context_for(std::string_view name, bool self_signed) {
  std::string key(1, self_signed ? '!' : '=');
  key += name;
  const auto now = std::chrono::steady_clock::now();
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    const auto entry = found->second;
    leaves_.splice(leaves_.begin(), leaves_, entry);
    if (now - entry->made < kLeafUse) return entry->context.get();
    by_key_.erase(found);
    leaves_.erase(entry);
  }
  auto leaf = self_signed ? self_signed_leaf(name) : authority_->issue(name);
  if (!leaf) return leaf.error();
  Context context = new_context();
  if (SSL_CTX_use_certificate(context.get(), leaf->certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), leaf->key.get()) != 1)
    return Error{"use a certificate: " + take_openssl_error()};
  if (leaves_.size() >= kMaxLeaves) {
    by_key_.erase(leaves_.back().key);
    leaves_.pop_back();
  }
  leaves_.push_front({std::move(key), std::move(context), now});
  by_key_.emplace(leaves_.front().key, leaves_.begin());
  return leaves_.front().context.get();
}

}  // namespace flylocal::proxy::tls
