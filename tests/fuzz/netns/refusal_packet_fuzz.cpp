#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "netns/refusal_watch.hpp"

using namespace flylocal::netns;

namespace {

constexpr std::size_t kHeaders = 40 + 20;  // IPv6 without extensions, TCP without options

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

/// A packet is understood exactly when both headers are there, and what it is understood as stands in it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto refusal = read_refusal(std::span(data, size));
  require(refusal.has_value() == (size >= kHeaders));
  if (!refusal) return 0;
  const auto server = refusal->server.to_bytes(), client = refusal->client.to_bytes();
  require(std::memcmp(server.data(), data + 8, server.size()) == 0);
  require(std::memcmp(client.data(), data + 24, client.size()) == 0);
  require(refusal->port == data[40] * 256 + data[41]);
  return 0;
}
