#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <stdexcept>

#include "proxy/tls/certificate_authority.hpp"
#include "proxy_world.hpp"

/// A TLS client for tests, blocking.
namespace flylocal::proxy::test {

/// What a client offers.
struct TlsOffer {
  std::string server_name = "hello.localhost";
  std::string alpn = {};  ///< one protocol
  int version = 0;   ///< e.g. TLS1_2_VERSION; 0: any
  SSL_SESSION* session = nullptr;
  bool verifies = true;
};

class TlsClient {
 public:
  /// Trusts the authority whose certificate is in `ca_file`.
  explicit TlsClient(const std::string& ca_file) : context_(SSL_CTX_new(TLS_client_method())) {
    if (SSL_CTX_load_verify_locations(context_.get(), ca_file.c_str(), nullptr) != 1)
      throw std::runtime_error("cannot read the authority's certificate");
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  }
  SSL_CTX* context() { return context_.get(); }

 private:
  tls::Context context_;
};

class TlsWire {
 public:
  TlsWire(TlsClient& client, std::uint16_t port, const TlsOffer& offer = {}) : TlsWire(client, dial(port), offer) {}
  /// Takes a connection whose plain part is over.
  TlsWire(TlsClient& client, UniqueFd socket, const TlsOffer& offer) : socket_(std::move(socket)), ssl_(SSL_new(client.context())) {
    SSL* const ssl = ssl_.get();
    SSL_set_fd(ssl, socket_.get());
    SSL_set_msg_callback(ssl, count_records);
    SSL_set_msg_callback_arg(ssl, this);
    if (!offer.server_name.empty()) SSL_set_tlsext_host_name(ssl, offer.server_name.c_str());
    if (offer.verifies) {
      SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
      if (!offer.server_name.empty()) SSL_set1_host(ssl, offer.server_name.c_str());
    }
    if (offer.version != 0) {
      SSL_set_min_proto_version(ssl, offer.version);
      SSL_set_max_proto_version(ssl, offer.version);
    }
    if (!offer.alpn.empty()) {
      const std::string wire = static_cast<char>(offer.alpn.size()) + offer.alpn;
      SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(wire.data()), static_cast<unsigned>(wire.size()));
    }
    if (offer.session) SSL_set_session(ssl, offer.session);
    ERR_clear_error();
    connected_ = SSL_connect(ssl) == 1;
    if (!connected_) failure_ = tls::take_openssl_error();
  }

  bool connected() const { return connected_; }
  const std::string& failure() const { return failure_; }
  SSL* ssl() { return ssl_.get(); }
  std::string version() { return SSL_get_version(ssl_.get()); }
  std::string cipher() { return SSL_get_cipher(ssl_.get()); }
  bool resumed() { return SSL_session_reused(ssl_.get()) == 1; }
  std::string protocol() {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  std::string certificate_name() {
    tls::Certificate certificate(SSL_get1_peer_certificate(ssl_.get()));
    return certificate ? tls::facts_of(*certificate).value().subject : "";
  }
  /// Application data records that came.
  int records() const { return records_; }

  bool write(std::string_view bytes) {
    return bytes.empty() || SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
  }
  std::string read_until(std::string_view mark) {
    while (seen_.find(mark) == std::string::npos && read_more()) {
    }
    const std::size_t found = seen_.find(mark);
    return take(found == std::string::npos ? seen_.size() : found + mark.size());
  }
  std::string read_exactly(std::size_t size) {
    while (seen_.size() < size && read_more()) {
    }
    return take(std::min(size, seen_.size()));
  }
  std::string read_to_end() {
    while (read_more()) {
    }
    return take(seen_.size());
  }
  /// After the end: whether the server said goodbye (close_notify).
  bool ended_properly() { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  void end_writing() { SSL_shutdown(ssl_.get()); }
  void close() { socket_.reset(); }

 private:
  static UniqueFd dial(std::uint16_t port) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    timeval patience{.tv_sec = kPatience.count() / 1000, .tv_usec = 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in address = address_of("127.0.0.1", port);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) throw std::runtime_error("cannot connect");
    return fd;
  }
  static void count_records(int sent, int, int kind, const void* bytes, std::size_t size, SSL*, void* self) {
    constexpr unsigned char kApplicationData = 23;
    if (sent == 0 && kind == SSL3_RT_HEADER && size > 0 && *static_cast<const unsigned char*>(bytes) == kApplicationData)
      ++static_cast<TlsWire*>(self)->records_;
  }
  std::string take(std::size_t size) {
    std::string taken = seen_.substr(0, size);
    seen_.erase(0, size);
    return taken;
  }
  bool read_more() {
    char bytes[16384];
    ERR_clear_error();
    const int got = SSL_read(ssl_.get(), bytes, sizeof bytes);
    if (got <= 0) return false;
    seen_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }

  UniqueFd socket_;
  tls::Connection ssl_;
  bool connected_ = false;
  std::string failure_;
  std::string seen_;
  int records_ = 0;
};

}  // namespace flylocal::proxy::test
