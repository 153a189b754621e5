#include "tests/unit/before_tests.hpp"

#include <cstdlib>
#include <iostream>

#include "netns/privilege.hpp"

// Namespaces need privilege, gained before any thread exists; the tests then run in a namespace of their own and
// never see the host's network.
std::optional<int> before_tests() {
  auto privilege = flylocal::netns::acquire_privilege();
  if (privilege) return std::nullopt;
  std::cerr << "skipped: " << privilege.error().message << '\n';
  const char* must = std::getenv("FLYLOCAL_NETNS_MUST_WORK");
  return must && *must == '1' ? 1 : 77;
}
