#pragma once

#include <span>
#include <string_view>

namespace flylocal::report {

/// What a verdict's code means, at length. The texts are data: explanation.cpp is one table, in the order of the README.
struct Explanation {
  std::string_view code;
  std::string_view title;   ///< one line, without a full stop
  std::string_view found;   ///< what flylocal saw
  std::string_view on_fly;  ///< what Fly.io does then, with the words that a user would see there
  std::string_view fix;     ///< what to do; empty when all is well
};

/// All codes that a report can hold, by group.
std::span<const Explanation> explanations();

/// The one of a code; null when there is no such code.
const Explanation* explain(std::string_view code);

}  // namespace flylocal::report
