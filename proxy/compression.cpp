#include "proxy/compression.hpp"

#include <brotli/encode.h>
#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <new>
#include <stdexcept>

namespace flylocal::proxy {
namespace {

using http1::equals_ignoring_case;

// What is shorter hardly shrinks: the names of the coding's fields alone take some fifty bytes.
constexpr std::uint64_t kSmall = 256;
// Quick settings, as for answers that are made anew each time.
constexpr int kZlibLevel = 5;
constexpr int kZstdLevel = 3;
constexpr int kBrotliQuality = 4;
// 2 to this many bytes are looked back on. Browsers take at least 23 (RFC 8878 3.1.1.1.2, RFC 7932 9.1).
constexpr int kWindowBits = 18;
// RFC 1950 and, with 16 added, RFC 1952.
constexpr int kZlibWindowBits = 15;
constexpr int kGzipHeader = 16;
constexpr int kZlibMemory = 8;
constexpr std::size_t kOutputStep = 16 * 1024;
// Others get their turn after so many bytes of input.
constexpr std::size_t kBytesPerTurn = 256 * 1024;

/// The client gets what there is, and sees that it does not end.
Pump::Outcome break_off(Pump& pump, Channel& sink, Pump::Outcome outcome) {
  pump.flush(sink);
  return outcome;
}

constexpr std::array kCodings = {Coding::zstd, Coding::br, Coding::gzip, Coding::deflate};

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// The part before `mark`, trimmed, which is taken off `text` together with the mark.
std::string_view take_until(std::string_view& text, char mark) {
  const std::size_t at = std::min(text.find(mark), text.size());
  const std::string_view part = trim(text.substr(0, at));
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

/// A weight in thousandths (RFC 9110 12.4.2); what cannot be read refuses the coding.
int read_weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return 0;
  int weight = (text[0] - '0') * 1000;
  if (text.size() > 1 && text[1] != '.') return 0;
  int unit = 100;
  for (char digit : text.substr(std::min<std::size_t>(2, text.size()))) {
    if (digit < '0' || digit > '9') return 0;
    weight += (digit - '0') * unit;
    unit /= 10;
  }
  return std::min(weight, 1000);
}

int weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view parameter = take_until(parameters, ';');
    const std::string_view key = take_until(parameter, '=');
    if (equals_ignoring_case(key, "q")) return read_weight(trim(parameter));
  }
  return 1000;
}

bool is_named(std::string_view coding, Coding which) {
  return equals_ignoring_case(coding, name(which)) || (which == Coding::gzip && equals_ignoring_case(coding, "x-gzip"));
}

bool starts_ignoring_case(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() && equals_ignoring_case(text.substr(0, lower.size()), lower);
}

/// Whether a body of this media type gets smaller, and may come late. Types that nobody knows are taken to be text.
bool shrinks(std::string_view media_type) {
  std::string_view type = trim(media_type.substr(0, media_type.find(';')));
  constexpr std::string_view kPlainImages[] = {"image/svg+xml", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon",
                                               "image/x-ms-bmp"};
  constexpr std::string_view kDense[] = {
      "image/",           "video/",          "audio/",           "font/woff",        "application/font-woff", "application/zip",
      "application/gzip", "application/x-gzip", "application/zstd", "application/x-brotli", "application/x-bzip", "application/x-xz",
      "application/x-7z", "application/vnd.rar", "application/x-rar", "application/pdf", "application/octet-stream",
      "application/java-archive", "application/epub+zip", "application/vnd.openxmlformats", "application/vnd.oasis.opendocument",
      "multipart/byteranges",
      // Read piece by piece.
      "application/grpc", "text/event-stream", "multipart/x-mixed-replace"};
  const auto is_type = [type](std::string_view known) { return equals_ignoring_case(type, known); };
  if (std::any_of(std::begin(kPlainImages), std::end(kPlainImages), is_type)) return true;
  return std::none_of(std::begin(kDense), std::end(kDense),
                      [type](std::string_view beginning) { return starts_ignoring_case(type, beginning); });
}

class ZlibEncoder final : public Encoder {
 public:
  explicit ZlibEncoder(int window_bits) {
    if (::deflateInit2(&stream_, kZlibLevel, Z_DEFLATED, window_bits, kZlibMemory, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
  }
  ZlibEncoder(const ZlibEncoder&) = delete;
  ZlibEncoder& operator=(const ZlibEncoder&) = delete;
  ~ZlibEncoder() override { ::deflateEnd(&stream_); }

  void add(std::string_view bytes, std::string& out) override { run(bytes, out, Z_NO_FLUSH); }
  void end(std::string& out) override { run({}, out, Z_FINISH); }

 private:
  void run(std::string_view bytes, std::string& out, int how) {
    // zlib does not write through next_in.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      const std::size_t before = out.size();
      out.resize(before + kOutputStep);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = kOutputStep;
      ::deflate(&stream_, how);
      out.resize(out.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }
  z_stream stream_{};
};

class BrotliEncoder final : public Encoder {
 public:
  BrotliEncoder() : state_(::BrotliEncoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (!state_) throw std::bad_alloc();
    ::BrotliEncoderSetParameter(state_, BROTLI_PARAM_QUALITY, kBrotliQuality);
    ::BrotliEncoderSetParameter(state_, BROTLI_PARAM_LGWIN, kWindowBits);
  }
  BrotliEncoder(const BrotliEncoder&) = delete;
  BrotliEncoder& operator=(const BrotliEncoder&) = delete;
  ~BrotliEncoder() override { ::BrotliEncoderDestroyInstance(state_); }

  void add(std::string_view bytes, std::string& out) override { run(bytes, out, BROTLI_OPERATION_PROCESS); }
  void end(std::string& out) override { run({}, out, BROTLI_OPERATION_FINISH); }

 private:
  void run(std::string_view bytes, std::string& out, BrotliEncoderOperation how) {
    std::size_t left = bytes.size();
    const auto* next = reinterpret_cast<const std::uint8_t*>(bytes.data());
    do {
      std::size_t no_room = 0;
      if (!::BrotliEncoderCompressStream(state_, how, &left, &next, &no_room, nullptr, nullptr)) throw std::bad_alloc();
      std::size_t size = 0;
      const std::uint8_t* made = ::BrotliEncoderTakeOutput(state_, &size);
      out.append(reinterpret_cast<const char*>(made), size);
    } while (left > 0 || ::BrotliEncoderHasMoreOutput(state_) ||
             (how == BROTLI_OPERATION_FINISH && !::BrotliEncoderIsFinished(state_)));
  }
  BrotliEncoderState* state_;
};

class ZstdEncoder final : public Encoder {
 public:
  ZstdEncoder() : context_(::ZSTD_createCCtx()) {
    if (!context_) throw std::bad_alloc();
    ::ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, kZstdLevel);
    ::ZSTD_CCtx_setParameter(context_, ZSTD_c_windowLog, kWindowBits);
  }
  ZstdEncoder(const ZstdEncoder&) = delete;
  ZstdEncoder& operator=(const ZstdEncoder&) = delete;
  ~ZstdEncoder() override { ::ZSTD_freeCCtx(context_); }

  void add(std::string_view bytes, std::string& out) override { run(bytes, out, ZSTD_e_continue); }
  void end(std::string& out) override { run({}, out, ZSTD_e_end); }

 private:
  void run(std::string_view bytes, std::string& out, ZSTD_EndDirective how) {
    ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
    for (bool more = true; more;) {
      const std::size_t before = out.size();
      out.resize(before + kOutputStep);
      ZSTD_outBuffer output{out.data() + before, kOutputStep, 0};
      const std::size_t left = ::ZSTD_compressStream2(context_, &output, &input, how);
      out.resize(before + output.pos);
      // It fails for want of memory alone: the first bytes make it take its window.
      if (::ZSTD_isError(left)) throw std::bad_alloc();
      more = how == ZSTD_e_end ? left > 0 : input.pos < input.size;
    }
  }
  ZSTD_CCtx* context_;
};

}  // namespace

std::string_view name(Coding coding) {
  switch (coding) {
    case Coding::zstd:
      return "zstd";
    case Coding::br:
      return "br";
    case Coding::gzip:
      return "gzip";
    case Coding::deflate:
      return "deflate";
    default:
      return "identity";
  }
}

Coding choose_coding(const http1::Fields& request) {
  constexpr int kUnsaid = -1;
  std::array<int, kCodings.size()> weights;
  weights.fill(kUnsaid);
  int plain = kUnsaid;
  int others = kUnsaid;
  for (const http1::Field& field : request.list) {
    if (field.id != http1::FieldId::other || !equals_ignoring_case(field.name, "accept-encoding")) continue;
    for (std::string_view list = field.value; !list.empty();) {
      std::string_view parameters = take_until(list, ',');
      const std::string_view coding = take_until(parameters, ';');
      const int weight = weight_of(parameters);
      if (coding == "*") others = weight;
      if (equals_ignoring_case(coding, "identity")) plain = weight;
      for (std::size_t i = 0; i < kCodings.size(); ++i) {
        if (is_named(coding, kCodings[i])) weights[i] = weight;
      }
    }
  }
  Coding best = Coding::identity;
  // Plain bytes do without being named, and only come first when they are.
  int most = std::max(plain, 0);
  for (std::size_t i = 0; i < kCodings.size(); ++i) {
    const int weight = weights[i] == kUnsaid ? others : weights[i];
    const bool is_better = weight > most || (best == Coding::identity && weight == most && weight > 0);
    if (!is_better) continue;
    best = kCodings[i];
    most = weight;
  }
  return best;
}

bool is_compressible(const http1::ResponseHead& head) {
  if (head.status < 200 || head.status == 204 || head.status == 206 || head.status == 304) return false;
  if (!head.fields.chunked && head.fields.content_length && *head.fields.content_length < kSmall) return false;
  // The digests are of the bytes as the app sends them (RFC 9530).
  constexpr std::string_view kForbidding[] = {"content-encoding", "content-range", "content-md5", "digest", "content-digest",
                                              "repr-digest"};
  for (const http1::Field& field : head.fields.list) {
    if (field.id != http1::FieldId::other) continue;
    const auto is_field = [&field](std::string_view known) { return equals_ignoring_case(field.name, known); };
    if (std::any_of(std::begin(kForbidding), std::end(kForbidding), is_field)) return false;
    if (is_field("content-type") && !shrinks(field.value)) return false;
    // RFC 9110 7.7
    if (is_field("cache-control") && http1::list_contains(field.value, "no-transform")) return false;
  }
  return true;
}

std::unique_ptr<Encoder> make_encoder(Coding coding) {
  switch (coding) {
    case Coding::zstd:
      return std::make_unique<ZstdEncoder>();
    case Coding::br:
      return std::make_unique<BrotliEncoder>();
    case Coding::gzip:
      return std::make_unique<ZlibEncoder>(kZlibWindowBits + kGzipHeader);
    case Coding::deflate:
      return std::make_unique<ZlibEncoder>(kZlibWindowBits);
    default:
      throw std::invalid_argument("identity needs no encoder");
  }
}

/// Uses up what is in the buffer, and appends chunks. False: the framing is broken.
bool CompressedBody::encode(Buffer& in, std::string& out) {
  using Kind = http1::BodyScanner::Kind;
  while (!in.empty() && !scanner_.ended()) {
    const bool in_trailers = scanner_.in_trailers();
    const auto piece = scanner_.next(in.bytes());
    if (piece.kind == Kind::malformed) return false;
    if (piece.kind == Kind::more || piece.kind == Kind::end) break;
    const std::string_view bytes = in.bytes().substr(0, piece.size);
    if (piece.kind == Kind::payload) encoder_->add(bytes, encoded_);
    // The empty line after them is written by end().
    if (piece.kind == Kind::framing && in_trailers && bytes != "\r\n") trailers_ += bytes;
    bytes_taken_ += piece.size;
    in.consume(piece.size);
  }
  if (scanner_.ended()) {
    end(out);
  } else if (!encoded_.empty()) {
    fmt::format_to(std::back_inserter(out), "{:x}\r\n", encoded_.size());
    out.append(encoded_).append("\r\n");
    encoded_.clear();
  }
  return true;
}

void CompressedBody::end(std::string& out) {
  encoder_->end(encoded_);
  if (!encoded_.empty()) fmt::format_to(std::back_inserter(out), "{:x}\r\n", encoded_.size());
  out.append(encoded_).append(encoded_.empty() ? "0\r\n" : "\r\n0\r\n").append(trailers_).append("\r\n");
  encoded_ = {};
  ended_ = true;
}

Pump::Outcome CompressedBody::run(Pump& pump, Channel& source, Channel& sink) {
  std::size_t taken = 0;
  for (;;) {
    if (!ended_ && !pump.in().empty()) {
      taken += pump.in().bytes().size();
      pump.drop_written_prefix();
      if (!encode(pump.in(), pump.prefix())) return break_off(pump, sink, Pump::Outcome::malformed);
    }
    // A head goes out with the first of the body, or when that keeps one waiting.
    if (ended_ || pump.prefix_touched() || pump.prefix().size() > kOutputStep) {
      const Pump::Outcome outcome = pump.flush(sink);
      if (outcome != Pump::Outcome::finished || ended_) return outcome;
    }
    if (taken >= kBytesPerTurn) return Pump::Outcome::busy;
    const Transfer got = source.read(pump.in().space());
    pump.in().commit(got.bytes);
    switch (got.status) {
      case Transfer::Status::moved:
        break;
      case Transfer::Status::blocked: {
        const Pump::Outcome outcome = pump.flush(sink);
        return outcome == Pump::Outcome::finished ? Pump::Outcome::waiting : outcome;
      }
      case Transfer::Status::closed:
        if (!scanner_.is_until_close()) return break_off(pump, sink, Pump::Outcome::truncated);
        pump.drop_written_prefix();
        end(pump.prefix());
        break;
      case Transfer::Status::failed:
        return break_off(pump, sink, Pump::Outcome::source_failed);
    }
  }
}

}  // namespace flylocal::proxy
