#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "flylocal/report/http_answer.hpp"

using namespace flylocal::report;
using Kind = HttpAnswer::Kind;

namespace {

/// More than is read of any answer.
constexpr std::size_t kEndless = 64 * 1024;

void require(bool holds) {
  if (!holds) std::abort();
}

bool same(const HttpAnswer& a, const HttpAnswer& b) {
  return a.kind == b.kind && a.status == b.status && a.location == b.location && a.words == b.words;
}

void check(const HttpAnswer& answer) {
  require(answer.reach == Reach::kReachable);
  // Who wants TLS may have said so in HTTP.
  require(answer.kind == Kind::kAnswered || answer.kind == Kind::kTls || (answer.status == 0 && answer.location.empty()));
  require(std::all_of(answer.words.begin(), answer.words.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
  if (answer.kind != Kind::kAnswered) return;
  require((answer.status >= 200 && answer.status <= 999) || answer.status == 101);
  // The words are the status line; a longer one is cut off.
  constexpr std::size_t kCertainlyWhole = 100;
  require(answer.words.size() > kCertainlyWhole || answer.words.find(std::to_string(answer.status)) != std::string::npos);
  const std::string& location = answer.location;
  require(location.find('\n') == std::string::npos);
  constexpr std::string_view kSpace = " \t";
  require(location.empty() || (kSpace.find(location.front()) == std::string_view::npos && kSpace.find(location.back()) == std::string_view::npos));
}

}  // namespace

/// What came is understood in bounded time and space, and as soon as it is, more octets say nothing else.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  const auto whole = read_answer(octets, true);
  require(whole.has_value());
  check(*whole);
  if (const auto open = read_answer(octets, false)) check(*open);
  // The beginnings of a long input are left out here: one that is understood only for its length is another matter.
  constexpr std::size_t kShort = 1024;
  for (std::size_t come = 0; size <= kShort && come <= size; ++come) {
    const auto part = read_answer(octets.substr(0, come), false);
    if (!part) continue;
    check(*part);
    // The line may still grow where it is no HTTP; of HTTP the whole head is there.
    require(part->kind == Kind::kAnswered ? same(*part, *whole) : part->kind == whole->kind);
    break;
  }
  if (size == 0) return 0;
  std::string endless;
  while (endless.size() < kEndless) endless += octets;
  const auto enough = read_answer(endless, false);
  require(enough.has_value());
  check(*enough);
  return 0;
}
