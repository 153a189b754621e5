#include "flylocal/cli/log_text.hpp"

#include <fmt/format.h>

#include "flylocal/cli/output.hpp"

namespace flylocal::cli {

std::string log_text(const sandbox::LogLine& line) {
  const std::string text = printable(line.text);
  return fmt::format("{} {}  {}", paint(colour_of(line.machine), fmt::format("{}[{}]", line.app, line.machine)), line.region,
                     line.source == sandbox::LogLine::Source::kApp ? text : paint(Colour::kDim, text));
}

}  // namespace flylocal::cli
