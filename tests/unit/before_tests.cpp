#include "tests/unit/before_tests.hpp"

// A program with a definition of its own does not take this one out of the library.
std::optional<int> before_tests() { return std::nullopt; }
