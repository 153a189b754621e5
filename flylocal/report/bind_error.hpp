#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace flylocal::report {

/// Why a program could not listen, as it says itself in its output.
struct BindError {
  enum class Kind {
    kNameNotAccepted,     ///< it could not make an address of the name fly-local-6pn
    kAddressInUse,        ///< EADDRINUSE
    kWildcardsCollide,    ///< EADDRINUSE of a program that was told to listen on 0.0.0.0 and on [::]
    kPermissionDenied,    ///< EACCES: a port below 1024 without the right to it
    kAddressNotHere,      ///< EADDRNOTAVAIL
    kFamilyNotSupported,  ///< an IPv4 socket that was given an IPv6 address
  } kind;
  std::string line;  ///< the program's words
  /// Whether they can mean nothing else. The words of some runtimes for a port that is denied are those for a file as well.
  bool is_certain = true;
};

/// The newest of `lines` (oldest first) that tells of such a failure of the program with this command line. A name that
/// could not be looked up counts only where the line or the command names fly-local-6pn: a program that cannot find its
/// database has another trouble.
std::optional<BindError> find_bind_error(std::span<const std::string> lines, std::string_view command);

}  // namespace flylocal::report
