#include "flylocal/launch/host_files.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/unit/launch/fake_host.hpp"

using namespace flylocal::launch;
namespace fs = std::filesystem;

TEST_CASE("this host tells programs, files and directories apart") {
  const fs::path directory = fs::temp_directory_path() / ("flylocal-host-test-" + std::to_string(::getpid()));
  fs::create_directories(directory / "bin");
  std::ofstream(directory / "bin/tool") << "#!/bin/sh\n";
  std::ofstream(directory / "text") << "x";
  fs::permissions(directory / "bin/tool", fs::perms::owner_all);
  fs::permissions(directory / "text", fs::perms::owner_read);
  fs::create_symlink("nowhere", directory / "dangling");
  const ThisHost host;
  CHECK(host.exists(directory / "text"));
  CHECK_FALSE(host.exists(directory / "absent"));
  CHECK_FALSE(host.exists(directory / "dangling"));
  CHECK(host.is_directory(directory / "bin"));
  CHECK_FALSE(host.is_directory(directory / "text"));
  CHECK(host.is_executable(directory / "bin/tool"));
  CHECK_FALSE(host.is_executable(directory / "text"));
  CHECK_FALSE(host.is_executable(directory / "bin"));
  CHECK(host.has_user("root"));
  CHECK_FALSE(host.has_user("no-such-user-here"));
  CHECK(find_in_path("tool", "/nonexistent:bin:/bin", directory, host) == directory / "bin/tool");
  fs::remove_all(directory);
}

TEST_CASE("a program is looked up in PATH from the left") {
  FakeHost host;
  host.program("/usr/bin/node").program("/opt/bin/node").file("/opt/data/node").program("/proj/bin/x");
  const auto find = [&](std::string_view name, std::string_view path) {
    const auto found = find_in_path(name, path, "/proj", host);
    return found ? found->string() : "";
  };
  CHECK(find("node", "/opt/bin:/usr/bin") == "/opt/bin/node");
  CHECK(find("node", "/opt/data:/usr/bin") == "/usr/bin/node");
  CHECK(find("x", "::bin:") == "/proj/bin/x");
  CHECK(find("x", "") == "");
  CHECK(find("", "/usr/bin") == "");
  CHECK(find("../bin/node", "/usr/bin") == "");
}
