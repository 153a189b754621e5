#include <catch2/catch.hpp>

#include "flylocal/launch/dockerfile.hpp"
#include "flylocal/launch/project_file.hpp"
#include "flylocal/launch/secrets_file.hpp"
#include "flylocal/launch/shell_words.hpp"

using namespace flylocal::launch;

namespace {

const std::string kDockerfile =
    "# escape=\\\nARG V=1\nFROM node:${V:-2} AS base\nWORKDIR \"/a b\"\nENV A=1 \\\n # c\n B='x y' C=\"$A\"\n"
    "RUN <<EOF\nx\nEOF\nFROM base\nCOPY --from=base [\"/a\", \"b/\"]\nEXPOSE 80-90/udp\nSHELL [\"sh\", "
    "\"-c\"]\n"
    "ENTRYPOINT [\"a\", \"\\u00e9\"]\nCMD run $X\n";
const std::string kProjectFile =
    "network = \"n\"\nsecrets_file = '.env'\n[[machines]]\ngroup = \"web\"\ncount = 2\n[ports]\n80 = "
    "8080\n[commands]\n"
    "web = \"a 'b c'\"\nx = [\"y\"]\n[env]\nA = 1.5\n[[expect]]\n6pn = 1\n";
const std::string kSecrets = "A=1 # c\nexport B='x\ny'\nC=\"a\\n\\\"\"\n";

void read_all(const std::string& text) {
  const DockerfileReading dockerfile = read_dockerfile(text);
  CHECK(dockerfile.image.has_value() == dockerfile.problems.empty());
  const ProjectFileReading project = read_project_file(text, "f");
  CHECK(project.file.has_value() == project.problems.empty());
  const SecretsReading secrets = read_secrets(text, "f");
  CHECK((secrets.problems.empty() || secrets.secrets.empty()));
  const auto words = split_shell_words(text);
  if (words) CHECK(split_shell_words(join_shell_words(*words)).value() == *words);
}

}  // namespace

TEST_CASE("no beginning of a file and no changed byte leaves a reader without an answer") {
  for (const std::string& text : {kDockerfile, kProjectFile, kSecrets}) {
    for (std::size_t length = 0; length <= text.size(); ++length) read_all(text.substr(0, length));
    for (std::size_t at = 0; at < text.size(); ++at) {
      for (const char c : {'\0', '\n', '"', '\'', '\\', '$', '[', '\xff', '{', '='}) {
        std::string changed = text;
        changed[at] = c;
        read_all(changed);
      }
    }
  }
}
