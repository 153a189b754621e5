#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/io/buffer.hpp"
#include "proxy/io/socket.hpp"
#include "proxy/tls/leaf_cache.hpp"
#include "proxy/tls/openssl.hpp"

/// Theory of operation. OpenSSL reads and writes through a BIO of ours, which is the Socket below: so epoll's edges are
/// noted in one place, and a short read saves OpenSSL the call that would only say EAGAIN. What a Channel says of itself
/// (readable, writable) is what the Socket knows, and readable also when OpenSSL holds bytes that it has read ahead.
namespace flylocal::proxy::tls {

/// What the server shows a client that has said whom it wants.
struct Choice {
  std::string name;               ///< the certificate's
  bool self_signed = false;
  bool tls12 = true;
  bool tls13 = true;
  std::vector<std::string> alpn;  ///< what may be spoken, the preferred one first; empty: ALPN is not answered
};

/// The server's end of TLS over a connection. Until shake_hands() is done it is a plain connection, of which the first
/// bytes can be looked at with read_early().
/// write() keeps a record that the kernel did not take yet: after `blocked`, the same bytes have to be offered again,
/// with or without more behind them.
class TlsSocket final : public Socket {
 public:
  /// Chooses for a server name (lower case, without the root's dot; empty: the client sent none). Nothing: turned away.
  using Chooser = std::function<std::optional<Choice>(std::string_view server_name)>;
  enum class Shake { done, waiting, failed };

  TlsSocket(Poller& poller, Turn& owner, BufferPool& buffers, LeafCache& leaves);
  ~TlsSocket() override { TlsSocket::close(); }

  /// Plain bytes that came first; those that are not dropped begin the handshake.
  Transfer read_early();
  std::string_view early() const { return opening_->early.bytes(); }
  void drop_early(std::size_t count) { opening_->early.consume(count); }
  Transfer write_plain(std::string_view bytes);

  /// Goes on with the handshake as far as it can; call it again on news while it says `waiting`. Begin with `choose`.
  void begin_handshake(Chooser choose);
  Shake shake_hands();
  const std::string& server_name() const { return server_name_; }
  /// By ALPN (RFC 7301); empty without.
  const std::string& protocol() const { return protocol_; }
  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  /// Why it failed.
  const std::string& failure() const { return opening_->failure; }
  /// The platform's code for it (platform.md 4.8).
  std::string_view failure_code() const { return opening_->failure_code; }

  Transfer read(std::span<char> space) override;
  Transfer write(std::span<iovec> pieces) override;
  /// Sends close_notify, then the end of the stream.
  void shutdown_write() override;
  void close() override;
  void reset() override;

  /// OpenSSL's callbacks, for LeafCache to set.
  static int on_client_hello(SSL* ssl, int* alert, void*);
  static int on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                     unsigned offered_size, void*);

 private:
  /// What only the handshake needs.
  struct Opening {
    Opening(BufferPool& buffers, LeafCache& all) : early(buffers), leaves(all) {}
    Buffer early;
    LeafCache& leaves;
    Chooser choose;
    std::vector<std::string> alpn;
    std::string failure;
    std::string_view failure_code = "PT04";
  };
  struct Layer;  // the BIO

  int answer_hello(int& alert);
  Transfer put(const char* data, std::size_t size);
  Transfer fail(int reason);
  void finish_writing();

  Connection ssl_;
  std::unique_ptr<Opening> opening_;  ///< none once the handshake is done
  std::optional<Transfer> end_;       ///< what all further reads come to
  std::string server_name_;
  std::string protocol_;
  int os_error_ = 0;
  bool at_end_ = false;       ///< the peer's FIN was read
  bool wants_to_end_ = false; ///< close_notify did not go out yet
};

}  // namespace flylocal::proxy::tls
