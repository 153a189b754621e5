#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include "tests/unit/before_tests.hpp"

int main(int argc, char** argv) {
  if (auto code = before_tests()) return *code;
  return Catch::Session().run(argc, argv);
}
