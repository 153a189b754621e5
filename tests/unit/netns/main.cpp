// Namespaces need privilege, gained before any thread exists; the tests then run in a namespace of their own and
// never see the host's network.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include <cstdlib>
#include <iostream>

#include "netns/privilege.hpp"

int main(int argc, char** argv) {
  auto privilege = flylocal::netns::acquire_privilege();
  if (!privilege) {
    std::cerr << "skipped: " << privilege.error().message << '\n';
    const char* must = std::getenv("FLYLOCAL_NETNS_MUST_WORK");
    return must && *must == '1' ? 1 : 77;
  }
  return Catch::Session().run(argc, argv);
}
