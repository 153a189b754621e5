#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "flylocal/launch/project_file.hpp"
#include "flylocal/launch/secrets_file.hpp"
#include "flylocal/launch/shell_words.hpp"

// Each of the small readers either gives a value or says what is wrong, whatever the bytes are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flylocal::launch;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ProjectFileReading project = read_project_file(text, "flylocal.toml");
  if (project.file.has_value() != project.problems.empty()) std::abort();
  const SecretsReading secrets = read_secrets(text, ".env");
  if (!secrets.problems.empty() && !secrets.secrets.empty()) std::abort();
  const auto words = split_shell_words(text);
  if (words && split_shell_words(join_shell_words(*words)).value() != *words) std::abort();
  return 0;
}
