#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "flylocal/report/program.hpp"

using namespace flylocal::report;
using Words = std::vector<std::string>;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// `words` as a shell's text that means them: a backslash before each character.
std::string shell_text(const Words& words) {
  std::string text;
  for (const std::string& word : words) {
    for (char c : word) (text += '\\') += c;
    text += ' ';
  }
  return text;
}

/// Whether it is a command as a person writes it. A title that a program gave itself, the sign of a login shell and
/// assignments mean something only where they stand.
bool is_plain(const Words& words) {
  return !words.empty() && !words[0].starts_with('-') && words[0].find_first_of(" :=") == std::string::npos;
}

/// What starts a command must not make another program of it, nor hide it where there is no room for too many of such.
void check_starters(const Words& words) {
  constexpr std::size_t kFew = 32;
  std::size_t octets = 0;
  for (const std::string& word : words) octets += word.size() + 1;
  const Program* direct = recognise({"", words});
  Words with_env = {"env"};
  with_env.insert(with_env.end(), words.begin(), words.end());
  for (const Words& started : {with_env, Words{"sh", "-c", shell_text(words)}}) {
    const Program* through = recognise({"", started});
    require(through == direct || (!through && octets > kFew));
  }
}

}  // namespace

/// Fields that end with a NUL, as in /proc/PID/cmdline: the process's name, then its arguments.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  Words fields;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    fields.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (fields.empty()) return 0;
  const std::string name = std::move(fields.front());
  Words words(fields.begin() + 1, fields.end());

  const Program* program = recognise({name, words});
  const auto all = programs();
  require(!program || (program >= all.data() && program < all.data() + all.size()));
  std::erase(words, "");
  // An argument that is empty says nothing.
  require(recognise({name, words}) == program);
  if (is_plain(words)) check_starters(words);
  return 0;
}
