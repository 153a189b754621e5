#include "proxy/tls/tls_socket.hpp"

#include <openssl/err.h>
#include <openssl/tls1.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

namespace flylocal::proxy::tls {
namespace {

constexpr std::size_t kRecordSize = SSL3_RT_MAX_PLAIN_LENGTH;

TlsSocket& socket_of(SSL* ssl) { return *static_cast<TlsSocket*>(SSL_get_app_data(ssl)); }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// RFC 6066 3: a list with one host name. Nothing: it is malformed.
std::optional<std::string> parse_server_name(std::span<const unsigned char> extension) {
  constexpr std::size_t kBeforeName = 5;
  constexpr unsigned char kHostName = 0;
  if (extension.size() < kBeforeName || extension[2] != kHostName) return std::nullopt;
  const std::size_t size = static_cast<std::size_t>(extension[3]) << 8 | extension[4];
  if (size == 0 || size > 255 || extension.size() < kBeforeName + size) return std::nullopt;
  std::string name(reinterpret_cast<const char*>(extension.data()) + kBeforeName, size);
  if (name.ends_with('.')) name.pop_back();
  std::transform(name.begin(), name.end(), name.begin(), lower);
  const bool clean = std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  return clean ? std::optional(std::move(name)) : std::nullopt;
}

}  // namespace

/// The socket as OpenSSL sees it.
struct TlsSocket::Layer {
  static TlsSocket& self(BIO* bio) { return *static_cast<TlsSocket*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* space, int size) {
    TlsSocket& socket = self(bio);
    BIO_clear_retry_flags(bio);
    if (socket.opening_ && !socket.opening_->early.empty()) {
      const std::string_view early = socket.opening_->early.bytes();
      const std::size_t count = std::min(early.size(), static_cast<std::size_t>(size));
      std::memcpy(space, early.data(), count);
      socket.opening_->early.consume(count);
      return static_cast<int>(count);
    }
    const Transfer got = socket.Socket::read({space, static_cast<std::size_t>(size)});
    switch (got.status) {
      case Transfer::Status::moved:
        return static_cast<int>(got.bytes);
      case Transfer::Status::blocked:
        BIO_set_retry_read(bio);
        return -1;
      case Transfer::Status::closed:
        socket.at_end_ = true;
        return 0;
      case Transfer::Status::failed:
        socket.os_error_ = got.error;
        return -1;
    }
    return -1;
  }

  static int write(BIO* bio, const char* data, int size) {
    TlsSocket& socket = self(bio);
    BIO_clear_retry_flags(bio);
    iovec piece{const_cast<char*>(data), static_cast<std::size_t>(size)};  // it is only read from
    const Transfer sent = socket.Socket::write({&piece, 1});
    if (sent.status == Transfer::Status::moved) return static_cast<int>(sent.bytes);
    if (sent.status == Transfer::Status::blocked) BIO_set_retry_write(bio);
    else socket.os_error_ = sent.error;
    return -1;
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    return command == BIO_CTRL_EOF && self(bio).at_end_ ? 1 : 0;
  }

  static const BIO_METHOD* method() {
    static const std::unique_ptr<BIO_METHOD, Releaser<BIO_meth_free>> made = [] {
      std::unique_ptr<BIO_METHOD, Releaser<BIO_meth_free>> fresh(
          BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "flylocal socket"));
      if (!fresh) throw std::bad_alloc();
      BIO_meth_set_read(fresh.get(), read);
      BIO_meth_set_write(fresh.get(), write);
      BIO_meth_set_ctrl(fresh.get(), control);
      return fresh;
    }();
    return made.get();
  }
};

TlsSocket::TlsSocket(Poller& poller, Turn& owner, BufferPool& buffers, LeafCache& leaves)
    : Socket(poller, owner), opening_(std::make_unique<Opening>(buffers, leaves)) {}

Transfer TlsSocket::read_early() {
  const Transfer got = Socket::read(opening_->early.space());
  opening_->early.commit(got.bytes);
  return got;
}

Transfer TlsSocket::write_plain(std::string_view bytes) {
  iovec piece{const_cast<char*>(bytes.data()), bytes.size()};  // it is only read from
  return Socket::write({&piece, 1});
}

void TlsSocket::begin_handshake(Chooser choose) {
  opening_->choose = std::move(choose);
  ssl_ = opening_->leaves.new_connection();
  BIO* bio = BIO_new(Layer::method());
  if (!bio) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
}

TlsSocket::Shake TlsSocket::shake_hands() {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  if (done == 1) {
    readable_ = readable_ || SSL_has_pending(ssl_.get()) == 1 || !opening_->early.empty();
    opening_.reset();
    return Shake::done;
  }
  const int reason = SSL_get_error(ssl_.get(), done);
  if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) return Shake::waiting;
  if (opening_->failure.empty()) {
    const bool broke = os_error_ != 0 || (at_end_ && ERR_peek_error() == 0);
    if (broke) opening_->failure_code = "PT07";
    opening_->failure = os_error_ != 0 ? std::strerror(os_error_) : broke ? "the client closed the connection" : take_openssl_error();
  }
  ERR_clear_error();
  return Shake::failed;
}

int TlsSocket::on_client_hello(SSL* ssl, int* alert, void*) { return socket_of(ssl).answer_hello(*alert); }

int TlsSocket::answer_hello(int& alert) {
  const unsigned char* extension = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl_.get(), TLSEXT_TYPE_server_name, &extension, &size) == 1) {
    auto name = parse_server_name({extension, size});
    if (!name) {
      alert = SSL_AD_DECODE_ERROR;
      opening_->failure = "the client's server name is malformed";
      return SSL_CLIENT_HELLO_ERROR;
    }
    server_name_ = std::move(*name);
  }
  std::optional<Choice> choice = opening_->choose(server_name_);
  if (!choice) {
    alert = SSL_AD_UNRECOGNIZED_NAME;
    opening_->failure_code = server_name_.empty() ? "PT06" : "PT05";
    opening_->failure = server_name_.empty() ? "the client names no server, and there is no default one" : "no certificate for the name " + server_name_;
    return SSL_CLIENT_HELLO_ERROR;
  }
  SSL_set_min_proto_version(ssl_.get(), choice->tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_set_max_proto_version(ssl_.get(), choice->tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  if (auto shown = opening_->leaves.show(*ssl_, choice->name, choice->self_signed); !shown) {
    alert = SSL_AD_INTERNAL_ERROR;
    opening_->failure = shown.error().message;
    return SSL_CLIENT_HELLO_ERROR;
  }
  opening_->alpn = std::move(choice->alpn);
  return SSL_CLIENT_HELLO_SUCCESS;
}

int TlsSocket::on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                       unsigned offered_size, void*) {
  TlsSocket& socket = socket_of(ssl);
  if (socket.opening_->alpn.empty()) return SSL_TLSEXT_ERR_NOACK;
  for (const std::string& wanted : socket.opening_->alpn) {
    for (unsigned at = 0; at < offered_size; at += 1U + offered[at]) {
      if (at + 1U + offered[at] > offered_size) break;
      if (std::string_view(reinterpret_cast<const char*>(offered) + at + 1, offered[at]) != wanted) continue;
      *out = offered + at + 1;
      *out_size = offered[at];
      socket.protocol_ = wanted;
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301 3.2: no_application_protocol
}

/// What a call that did not succeed came to.
Transfer TlsSocket::fail(int reason) {
  switch (reason) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {Transfer::Status::blocked};
    case SSL_ERROR_ZERO_RETURN:
      peer_ended_ = readable_ = true;
      end_ = Transfer{Transfer::Status::closed};
      return *end_;
    default:
      ERR_clear_error();
      broken_ = readable_ = true;
      end_ = Transfer{Transfer::Status::failed, 0, os_error_ != 0 ? os_error_ : EPROTO};
      return *end_;
  }
}

Transfer TlsSocket::read(std::span<char> space) {
  if (wants_to_end_) finish_writing();
  if (end_) return *end_;
  if (!readable_) return {Transfer::Status::blocked};
  ERR_clear_error();
  std::size_t total = 0;
  while (total < space.size()) {
    std::size_t got = 0;
    if (SSL_read_ex(ssl_.get(), space.data() + total, space.size() - total, &got) != 1) {
      const Transfer outcome = fail(SSL_get_error(ssl_.get(), 0));
      return total > 0 ? Transfer{Transfer::Status::moved, total} : outcome;
    }
    total += got;
    if (SSL_has_pending(ssl_.get()) != 1) return {Transfer::Status::moved, total};
  }
  readable_ = true;  // OpenSSL holds more, whatever the kernel has
  return {Transfer::Status::moved, total};
}

/// One record.
Transfer TlsSocket::put(const char* data, std::size_t size) {
  std::size_t sent = 0;
  if (SSL_write_ex(ssl_.get(), data, size, &sent) == 1) return {Transfer::Status::moved, sent};
  return fail(SSL_get_error(ssl_.get(), 0));
}

Transfer TlsSocket::write(std::span<iovec> pieces) {
  // The pieces of a small answer share a record, and so a packet.
  thread_local std::array<char, kRecordSize> gathered;
  if (!writable_) return {Transfer::Status::blocked};
  if (broken_) return {Transfer::Status::failed, 0, os_error_ != 0 ? os_error_ : EPIPE};
  ERR_clear_error();
  std::size_t total = 0, index = 0, offset = 0;
  while (index < pieces.size()) {
    const char* data = static_cast<const char*>(pieces[index].iov_base) + offset;
    std::size_t size = pieces[index].iov_len - offset;
    if (size < kRecordSize && index + 1 < pieces.size()) {
      std::size_t filled = 0;
      for (std::size_t i = index, from = offset; i < pieces.size() && filled < kRecordSize; ++i, from = 0) {
        const std::size_t part = std::min(pieces[i].iov_len - from, kRecordSize - filled);
        std::memcpy(gathered.data() + filled, static_cast<const char*>(pieces[i].iov_base) + from, part);
        filled += part;
      }
      data = gathered.data();
      size = filled;
    }
    if (size == 0) break;
    const Transfer sent = put(data, size);
    if (sent.status != Transfer::Status::moved) return total > 0 ? Transfer{Transfer::Status::moved, total} : sent;
    total += sent.bytes;
    offset += sent.bytes;
    while (index < pieces.size() && offset >= pieces[index].iov_len) offset -= pieces[index++].iov_len;
  }
  return {Transfer::Status::moved, total};
}

void TlsSocket::finish_writing() {
  ERR_clear_error();
  const int sent = SSL_shutdown(ssl_.get());
  if (sent < 0 && SSL_get_error(ssl_.get(), sent) == SSL_ERROR_WANT_WRITE) {
    wants_to_end_ = true;
    return;
  }
  ERR_clear_error();
  wants_to_end_ = false;
  Socket::shutdown_write();
}

void TlsSocket::shutdown_write() {
  if (!is_open()) return;
  if (opening_ || broken_) return Socket::shutdown_write();
  finish_writing();
}

void TlsSocket::close() {
  if (!is_open()) return;
  const bool owes_farewell = !opening_ && !broken_ && (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) == 0;
  if (owes_farewell) {
    // Whoever does not get it cannot tell the end from an attack (RFC 8446 6.1); one try must do.
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  Socket::close();
}

void TlsSocket::reset() {
  if (ssl_) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  Socket::reset();
}

}  // namespace flylocal::proxy::tls
