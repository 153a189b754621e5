#pragma once

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <system_error>

namespace flylocal {

/// Why something did not work, in words for the person who has to act on it: the act, the object, the
/// reason and, where one is known, the next step. `code` is set when the kernel gave the reason.
struct Error {
  std::string message;
  std::error_code code{};
};

/// A value or an Error. Expected failures are returned; exceptions are for bugs.
template <class T = void>
using Result = boost::system::result<T, Error>;

/// The Error of a failed system call, e.g. system_error("open /dev/net/tun", errno):
/// "open /dev/net/tun: No such device".
Error system_error(std::string_view act_and_object, int errno_value);

/// Makes Result<T>::value() throw std::runtime_error with the message (found by argument-dependent lookup).
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& location);

}  // namespace flylocal
