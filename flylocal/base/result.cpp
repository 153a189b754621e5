#include "flylocal/base/result.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace flylocal {

Error system_error(std::string_view act_and_object, int errno_value) {
  std::error_code code(errno_value, std::generic_category());
  return {fmt::format("{}: {}", act_and_object, code.message()), code};
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::runtime_error(error.message);
}

}  // namespace flylocal
