#include "flylocal/api/console_frames.hpp"

#include <catch2/catch.hpp>

using namespace flylocal::api;

namespace {

/// Every frame that `bytes` hold.
std::vector<Frame> read(FrameReader& reader, std::string_view bytes) {
  reader.feed(bytes);
  std::vector<Frame> frames;
  while (auto frame = reader.next()) frames.push_back(std::move(*frame));
  return frames;
}

std::string head(unsigned char type, std::uint32_t length) { return std::string(1, static_cast<char>(type)) + encode_number(length); }

}  // namespace

TEST_CASE("numbers are four octets, the highest first") {
  struct Case {
    std::uint32_t value;
    std::string octets;
  };
  const Case cases[] = {
      {0, std::string("\0\0\0\0", 4)}, {1, std::string("\0\0\0\1", 4)}, {0x01020304, "\x01\x02\x03\x04"}, {0xffffffff, "\xff\xff\xff\xff"},
  };
  for (const Case& c : cases) {
    CHECK(encode_number(c.value) == c.octets);
    CHECK(decode_number(c.octets) == c.value);
  }
}

TEST_CASE("a frame is its type, its length and its payload") {
  CHECK(encode_frame(FrameType::kOutput, "hi") == std::string("\x03\0\0\0\x02hi", 7));
  CHECK(encode_frame(FrameType::kInputEnd, "") == std::string("\x01\0\0\0\0", 5));
}

TEST_CASE("frames of every type come back as they were, in whatever portions") {
  const std::vector<Frame> sent = {
      {FrameType::kInput, "ls\n"},          {FrameType::kInputEnd, ""},
      {FrameType::kResize, std::string("\0\x18\0\x50", 4)}, {FrameType::kOutput, std::string("\0\xff\r\n", 4)},
      {FrameType::kError, std::string(100'000, 'e')},       {FrameType::kExit, encode_number(137)},
  };
  std::string stream;
  for (const Frame& frame : sent) stream += encode_frame(frame.type, frame.payload);
  for (const std::size_t portion : {stream.size(), std::size_t{1}, std::size_t{3}, std::size_t{4096}}) {
    INFO(portion);
    FrameReader reader;
    std::vector<Frame> received;
    for (std::size_t at = 0; at < stream.size(); at += portion)
      for (Frame& frame : read(reader, std::string_view(stream).substr(at, portion))) received.push_back(std::move(frame));
    REQUIRE(received.size() == sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
      CHECK(received[i].type == sent[i].type);
      CHECK(received[i].payload == sent[i].payload);
    }
    CHECK_FALSE(reader.broken());
    CHECK_FALSE(reader.next());
  }
}

TEST_CASE("the largest payload passes, a larger one breaks the stream as soon as its length is known") {
  FrameReader largest;
  const std::vector<Frame> frames = read(largest, encode_frame(FrameType::kOutput, std::string(kMaxFramePayload, 'x')));
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].payload.size() == kMaxFramePayload);

  FrameReader larger;
  CHECK(read(larger, head(3, kMaxFramePayload + 1)).empty());
  CHECK(larger.broken());
}

TEST_CASE("a type that does not exist breaks the stream, and nothing is read from it any more") {
  for (const int type : {6, 127, 128, 255}) {
    INFO(type);
    FrameReader reader;
    CHECK(read(reader, encode_frame(FrameType::kInput, "before")).size() == 1);
    CHECK(read(reader, head(static_cast<unsigned char>(type), 0)).empty());
    CHECK(reader.broken());
    CHECK(read(reader, encode_frame(FrameType::kInput, "after")).empty());
    CHECK(reader.broken());
  }
}

TEST_CASE("an unfinished frame is no frame and no error") {
  const std::string whole = encode_frame(FrameType::kInput, "payload");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    FrameReader reader;
    CHECK(read(reader, std::string_view(whole).substr(0, length)).empty());
    CHECK_FALSE(reader.broken());
  }
}
