#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "flylocal/report/bind_error.hpp"

using namespace flylocal::report;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool same(const std::optional<BindError>& a, const std::optional<BindError>& b) {
  return a.has_value() == b.has_value() && (!a || (a->kind == b->kind && a->line == b->line));
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

}  // namespace

/// The first line is a program's command line, the others are its log. The newest line that tells of a failure by itself
/// is the one that is found, in whatever case it is written.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  auto take_line = [&] {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return std::string(line);
  };
  const std::string command = take_line();
  std::vector<std::string> lines;
  while (!rest.empty()) lines.push_back(take_line());

  const auto found = find_bind_error(lines, command);
  std::optional<BindError> newest;
  for (const std::string& line : lines) {
    const auto alone = find_bind_error(std::span(&line, 1), command);
    const std::string shouted = upper(line);
    const auto loud = find_bind_error(std::span(&shouted, 1), command);
    require(loud.has_value() == alone.has_value());
    if (!alone) continue;
    require(alone->line == line && loud->kind == alone->kind);
    newest = alone;
  }
  require(same(found, newest));
  // Both wildcards are in the command or nowhere.
  if (found && found->kind == BindError::Kind::kWildcardsCollide)
    require(command.find("0.0.0.0") != std::string::npos && command.find("::") != std::string::npos);
  return 0;
}
