#pragma once

#include <optional>

/// What a test program does before its first test, while it has one thread. A value is the exit code of a program that
/// cannot run its tests. A module that needs it defines it in before_tests.cpp.
std::optional<int> before_tests();
