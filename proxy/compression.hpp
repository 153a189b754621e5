#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/http1/head.hpp"
#include "proxy/pump.hpp"

/// Answers that the proxy compresses for the app, where http_options.compress asks for it (platform.md 4.3).
namespace flylocal::proxy {

/// In the platform's order: of codings that a client likes equally, the first one is taken.
enum class Coding : std::uint8_t { zstd, br, gzip, deflate, identity };

/// As in Content-Encoding.
std::string_view name(Coding coding);

/// What the client likes best, by its Accept-Encoding fields (RFC 9110 12.5.3). `identity` where it names none of the
/// codings, or likes the plain bytes better.
Coding choose_coding(const http1::Fields& request);

/// Whether the app's answer to a GET, POST, ... would be compressed for a client that accepts it: the app has chosen
/// no coding, the body is whole, not known to be small, of a type that shrinks, and nobody reads it piece by piece as
/// Server-Sent Events and gRPC are.
bool is_compressible(const http1::ResponseHead& head);

/// Turns bytes into one of the codings. Keeps a window of at most 512 kB, however long the stream is.
class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Appends what comes out to `out`; often nothing, until enough is in.
  virtual void add(std::string_view bytes, std::string& out) = 0;
  /// Appends the rest.
  virtual void end(std::string& out) = 0;
};
/// `coding` is not identity. Throws std::bad_alloc.
std::unique_ptr<Encoder> make_encoder(Coding coding);

/// The body of one answer, taken out of its framing, compressed, and sent in chunks. Stands in for Pump::run(), and
/// uses the pump's buffer and prefix. It reads only after everything before has been written, so a slow client slows
/// the machine, and it holds a window and one buffer's worth of output. Output is not flushed when the app pauses: on
/// the platform an answer is buffered while it is compressed, too.
class CompressedBody {
 public:
  CompressedBody(Coding coding, http1::BodyScanner scanner)
      : encoder_(make_encoder(coding)), scanner_(scanner) {}

  /// The pump's prefix holds the answer's head, and its buffer what was read behind it.
  Pump::Outcome run(Pump& pump, Channel& source, Channel& sink);

  /// Of the body with its framing, so far.
  std::uint64_t bytes_taken() const { return bytes_taken_; }

 private:
  bool encode(Buffer& in, std::string& out);
  void end(std::string& out);

  std::unique_ptr<Encoder> encoder_;
  http1::BodyScanner scanner_;
  std::string trailers_;
  std::string encoded_;
  std::uint64_t bytes_taken_ = 0;
  bool ended_ = false;
};

}  // namespace flylocal::proxy
