#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <catch2/catch.hpp>

#include "proxy/compression.hpp"
#include "proxy/request_id.hpp"
#include "proxy_world.hpp"

using namespace flylocal;
using namespace flylocal::proxy;
using namespace flylocal::proxy::test;
using namespace std::chrono_literals;

namespace {

/// Text that shrinks, but not to nothing.
std::string sample(std::size_t size) {
  std::string text;
  RandomBits random(42);
  while (text.size() < size) text += fmt::format("line {} of the sample\n", random() % 100000);
  text.resize(size);
  return text;
}

std::string unzip(std::string_view bytes, int window_bits) {
  z_stream stream{};
  REQUIRE(::inflateInit2(&stream, window_bits) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int result = Z_OK;
  while (result == Z_OK) {
    char part[65536];
    stream.next_out = reinterpret_cast<Bytef*>(part);
    stream.avail_out = sizeof part;
    result = ::inflate(&stream, Z_NO_FLUSH);
    out.append(part, sizeof part - stream.avail_out);
  }
  CHECK(result == Z_STREAM_END);
  CHECK(stream.avail_in == 0);
  ::inflateEnd(&stream);
  return out;
}

std::string decode(std::string_view coding, std::string_view bytes) {
  if (coding == "gzip") return unzip(bytes, 15 + 16);
  if (coding == "deflate") return unzip(bytes, 15);
  if (coding == "br") {
    std::unique_ptr<BrotliDecoderState, decltype(&::BrotliDecoderDestroyInstance)> state(
        ::BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), &::BrotliDecoderDestroyInstance);
    std::size_t left = bytes.size();
    const auto* next = reinterpret_cast<const std::uint8_t*>(bytes.data());
    std::string out;
    for (;;) {
      std::size_t no_room = 0;
      auto result = ::BrotliDecoderDecompressStream(state.get(), &left, &next, &no_room, nullptr, nullptr);
      std::size_t size = 0;
      const std::uint8_t* made = ::BrotliDecoderTakeOutput(state.get(), &size);
      out.append(reinterpret_cast<const char*>(made), size);
      if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) continue;
      CHECK(result == BROTLI_DECODER_RESULT_SUCCESS);
      CHECK(left == 0);
      return out;
    }
  }
  REQUIRE(coding == "zstd");
  std::unique_ptr<ZSTD_DCtx, decltype(&::ZSTD_freeDCtx)> context(::ZSTD_createDCtx(), &::ZSTD_freeDCtx);
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  std::string out;
  std::size_t left = 1;
  while (input.pos < input.size) {
    char part[65536];
    ZSTD_outBuffer output{part, sizeof part, 0};
    left = ::ZSTD_decompressStream(context.get(), &output, &input);
    REQUIRE_FALSE(::ZSTD_isError(left));
    out.append(part, output.pos);
  }
  CHECK(left == 0);
  return out;
}

Coding chosen(std::string fields) {
  http1::RequestHead head;
  std::string bytes = "GET / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
  REQUIRE_FALSE(http1::parse_request_head(bytes, head));
  return choose_coding(head.fields);
}

bool compressible(std::string fields, int status = 200) {
  http1::ResponseHead head;
  std::string bytes = fmt::format("HTTP/1.1 {} X\r\n{}\r\n", status, fields);
  REQUIRE_FALSE(http1::parse_response_head(bytes, head));
  return is_compressible(head);
}

std::string get(std::string_view accept_encoding, std::string_view method = "GET") {
  return fmt::format("{} / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: {}\r\n\r\n", method, accept_encoding);
}

/// The payload of a body in chunks; the trailers, if any, are left in `trailers`.
std::string read_chunks(Wire& client, std::string* trailers = nullptr) {
  std::string body;
  for (;;) {
    std::size_t size = std::stoul(client.read_until("\r\n"), nullptr, 16);
    if (size == 0) break;
    body += client.read_exactly(size);
    CHECK(client.read_exactly(2) == "\r\n");
  }
  for (std::string line; (line = client.read_until("\r\n")) != "\r\n";) {
    if (trailers) *trailers += line;
  }
  return body;
}

/// A world whose app asks for compression.
struct CompressingWorld : ProxyWorld {
  explicit CompressingWorld(const FakeMachine& app) : ProxyWorld({machine("m1", app.endpoint())}) {
    snapshot().ports[0].backends[0].http.compress = true;
    publish();
  }
};

}  // namespace

TEST_CASE("the coding is what the client likes best, and of equals the platform's first") {
  CHECK(chosen("Accept-Encoding: gzip, deflate, br, zstd\r\n") == Coding::zstd);
  CHECK(chosen("Accept-Encoding: gzip, deflate, br\r\n") == Coding::br);
  CHECK(chosen("Accept-Encoding: deflate\r\nAccept-Encoding: gzip\r\n") == Coding::gzip);
  CHECK(chosen("Accept-Encoding: X-GZIP\r\n") == Coding::gzip);
  CHECK(chosen("Accept-Encoding: br;q=0.5, gzip;q=0.8\r\n") == Coding::gzip);
  CHECK(chosen("Accept-Encoding: br; Q=0.001 ,zstd;q=0\r\n") == Coding::br);
  CHECK(chosen("Accept-Encoding: *\r\n") == Coding::zstd);
  CHECK(chosen("Accept-Encoding: zstd;q=0, br;q=0, *;q=0.1\r\n") == Coding::gzip);
  CHECK(chosen("Accept-Encoding: gzip;q=0.5, identity\r\n") == Coding::identity);
  CHECK(chosen("Accept-Encoding: gzip;q=0.5, identity;q=0.5\r\n") == Coding::gzip);
  CHECK(chosen("Accept-Encoding: gzip;q=0\r\n") == Coding::identity);
  CHECK(chosen("Accept-Encoding: gzip;q=2x\r\n") == Coding::identity);
  CHECK(chosen("Accept-Encoding: *;q=0\r\n") == Coding::identity);
  CHECK(chosen("Accept-Encoding: compress, sdch\r\n") == Coding::identity);
  CHECK(chosen("Accept-Encoding:\r\n") == Coding::identity);
  CHECK(chosen("Accept: gzip\r\n") == Coding::identity);
}

TEST_CASE("only whole answers of some size that shrink and were not coded by the app are compressed") {
  CHECK(compressible("Content-Type: text/html; charset=utf-8\r\nContent-Length: 5000\r\n"));
  CHECK(compressible("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"));
  CHECK(compressible("Content-Type: image/SVG+xml\r\n"));
  CHECK(compressible("", 404));
  for (std::string fields :
       {"Content-Length: 255\r\n", "Content-Encoding: none\r\n", "Content-Encoding: gzip\r\n", "content-encoding: identity\r\n",
        "Content-Type: text/event-stream\r\n", "Content-Type: application/grpc+proto\r\n", "Content-Type: image/png\r\n",
        "Content-Type: VIDEO/mp4\r\n", "Content-Type: font/woff2\r\n", "Content-Type: application/zip\r\n",
        "Content-Range: bytes 0-1/2\r\n", "Cache-Control: public, no-transform\r\n", "Repr-Digest: sha-256=:x:\r\n"}) {
    CAPTURE(fields);
    CHECK_FALSE(compressible(fields));
  }
  for (int status : {204, 206, 304}) CHECK_FALSE(compressible("", status));
}

// Parentheses around a comparison keep Catch from printing all of a long text.
TEST_CASE("an encoder's output is what the coding's own library reads, in whatever portions the input comes") {
  const std::string text = sample(700'000);
  for (Coding coding : {Coding::zstd, Coding::br, Coding::gzip, Coding::deflate}) {
    CAPTURE(name(coding));
    for (std::size_t step : {std::size_t{1000}, std::size_t{65536}, text.size()}) {
      auto encoder = make_encoder(coding);
      std::string out;
      for (std::size_t at = 0; at < text.size(); at += step) encoder->add(std::string_view(text).substr(at, step), out);
      encoder->end(out);
      CHECK(out.size() < text.size() / 2);
      CHECK((decode(name(coding), out) == text));
    }
    std::string nothing;
    make_encoder(coding)->end(nothing);
    CHECK(decode(name(coding), nothing).empty());
  }
}

TEST_CASE("an answer is compressed on its way however it is framed, and the connections stay") {
  const std::string text = sample(300'000);
  const std::string chunks = fmt::format("{:x}\r\n{}\r\n{:x};x=1\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n", text.size() - 7, text.substr(0, text.size() - 7), 7,
                                         text.substr(text.size() - 7));
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: \"a\"\r\n";
  for (std::string coding : {"zstd", "br", "gzip", "deflate"}) {
    CAPTURE(coding);
    for (std::string answer : {head + fmt::format("Content-Length: {}\r\n\r\n", text.size()) + text, head + "Transfer-Encoding: chunked\r\n\r\n" + chunks}) {
      FakeMachine app(answering(answer));
      CompressingWorld world(app);
      Wire client = world.connect();
      for (int i = 0; i < 3; ++i) {
        client.write(get(coding));
        std::string got = client.read_head();
        CAPTURE(got);
        CHECK(has(got, "\r\ncontent-encoding: " + coding + "\r\nvary: Accept-Encoding\r\ntransfer-encoding: chunked\r\n"));
        CHECK(has(got, "\r\nETag: W/\"a\"\r\n"));
        CHECK_FALSE(has(got, "ontent-length"));
        std::string trailers;
        CHECK((decode(coding, read_chunks(client, &trailers)) == text));
        CHECK(trailers == (has(answer, "X-Sum") ? "X-Sum: 1\r\n" : ""));
      }
      CHECK(app.accepted() == 1);
    }
    FakeMachine closing([&](Wire& wire, int) {
      wire.read_head();
      wire.write(head + "\r\n" + text);
    });
    CompressingWorld world(closing);
    Wire client = world.connect();
    for (int i = 0; i < 2; ++i) {
      client.write(get(coding));
      CHECK(has(client.read_head(), "\r\ncontent-encoding: " + coding + "\r\n"));
      CHECK((decode(coding, read_chunks(client)) == text));
    }
  }
}

TEST_CASE("what is not to be compressed passes as it is") {
  const std::string text = sample(2000);
  auto answer = [&](std::string fields) {
    return fmt::format("HTTP/1.1 200 OK\r\n{}Content-Length: {}\r\n\r\n{}", fields, text.size(), text);
  };
  auto passes = [&](std::string bytes, std::string request, bool varies) {
    CAPTURE(bytes.substr(0, 80), request);
    FakeMachine app(answering(bytes));
    CompressingWorld world(app);
    Wire client = world.connect();
    client.write(request);
    std::string head = client.read_head();
    CHECK(has(head, "content-length: 2000\r\n"));
    CHECK(has(head, "vary: Accept-Encoding\r\n") == varies);
    CHECK_FALSE(has(head, "content-encoding: gzip"));
    if (!request.starts_with("HEAD")) CHECK((client.read_exactly(text.size()) == text));
  };
  passes(answer(""), get("identity"), true);
  passes(answer(""), kGet, true);
  passes(answer("Content-Encoding: none\r\n"), get("gzip"), false);
  passes(answer("Content-Type: image/jpeg\r\n"), get("gzip"), false);
  passes("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n", get("gzip", "HEAD"), false);
  passes(answer(""), "GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n", false);
}

TEST_CASE("the app decides: without compress nothing is") {
  FakeMachine app(answering(ok(sample(2000))));
  ProxyWorld world({machine("m1", app.endpoint())});
  Wire client = world.connect();
  client.write(get("gzip"));
  std::string head = client.read_head();
  CHECK(has(head, "content-length: 2000\r\n"));
  CHECK_FALSE(has(head, "vary"));
}

TEST_CASE("events are not held back, though the app asks for compression") {
  Notes steps;
  FakeMachine app([&](Wire& wire, int) {
    wire.read_head();
    wire.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
    eventually([&] { return steps.all().size() == 1; });
    wire.write("data: 2\n\n");
  });
  CompressingWorld world(app);
  Wire client = world.connect();
  client.write(get("gzip"));
  CHECK_FALSE(has(client.read_head(), "content-encoding"));
  CHECK(client.read_until("data: 1\n\n") == "9\r\ndata: 1\n\n");
  steps.add("first event seen");
  CHECK(client.read_until("data: 2\n\n") == "\r\n9\r\ndata: 2\n\n");
}

TEST_CASE("a client that does not read stops the machine, whatever is compressed on the way") {
  // Random bytes do not shrink, so that what is held back shows in what the machine could send.
  std::string noise(1 << 20, '\0');
  RandomBits random(1);
  for (char& c : noise) c = static_cast<char>(random());
  std::atomic<std::size_t> sent{0};
  constexpr std::size_t kWhole = 64;
  FakeMachine app([&](Wire& wire, int) {
    wire.read_head();
    wire.write(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", kWhole * noise.size()));
    for (std::size_t i = 0; i < kWhole && wire.write(noise); ++i) ++sent;
  });
  CompressingWorld world(app);
  Wire client = world.connect();
  client.write(get("gzip"));
  client.read_head();
  // The kernel's buffers on both sides hold some MB; when nothing moves for a while they are full.
  std::size_t before = 0;
  CHECK(eventually([&] {
    std::this_thread::sleep_for(200ms);
    return std::exchange(before, sent.load()) == sent.load() && before > 0;
  }));
  CHECK(sent < kWhole);
  std::string whole = decode("gzip", read_chunks(client));
  CHECK(whole.size() == kWhole * noise.size());
  CHECK((whole.substr(5 * noise.size(), noise.size()) == noise));
}

TEST_CASE("a machine that dies in a compressed answer, or breaks its framing, leaves an answer that does not end") {
  for (std::string rest : {"1000\r\nabc", "5\r\nabcdeXX"}) {
    CAPTURE(rest);
    FakeMachine app([&](Wire& wire, int) {
      wire.read_head();
      wire.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + rest);
    });
    CompressingWorld world(app);
    Wire client = world.connect();
    client.write(get("br"));
    CHECK(has(client.read_head(), "content-encoding: br"));
    CHECK_FALSE(has(client.read_to_end(), "0\r\n\r\n"));
    CHECK(eventually([&] { return world.stats().upstream_failures == 1; }));
  }
}
