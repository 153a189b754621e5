#include "flylocal/report/bind_error.hpp"

#include <algorithm>
#include <string_view>

namespace flylocal::report {
namespace {

using Kind = BindError::Kind;

/// Words, in lower case, by which a failure shows; the first group that fits decides.
struct Sign {
  Kind kind;
  std::string_view words;
};

// Collected from what the catalogue's servers print (bindcatalog section 6).
constexpr Sign kSigns[] = {
    {Kind::kAddressInUse, "address already in use"},
    {Kind::kAddressInUse, "eaddrinuse"},
    {Kind::kAddressInUse, "address in use"},
    {Kind::kAddressInUse, "addrinuse"},
    {Kind::kAddressInUse, "addressinuseexception"},                 // .NET
    {Kind::kAddressInUse, "something is already running on port"},  // create-react-app
    {Kind::kAddressInUse, "connection in use"},                      // gunicorn
    {Kind::kAddressNotHere, "invalid address: ('"},  // gunicorn
    {Kind::kAddressNotHere, "eaddrnotavail"},
    {Kind::kAddressNotHere, "cannot assign requested address"},
    {Kind::kAddressNotHere, "can't assign requested address"},
    {Kind::kFamilyNotSupported, "address family for hostname not supported"},
    {Kind::kFamilyNotSupported, "eafnosupport"},
    {Kind::kFamilyNotSupported, "address family not supported"},
};

/// Signs that a name was not understood; they tell of binding only where it is the one that stands for the 6PN address.
constexpr std::string_view kNameSigns[] = {
    "name or service not known",  "expected ip in url",       "bad address",          "invalid address",
    "unresolvedaddressexception", "temporary failure in name resolution", "failed to lookup address information",
    "no address associated",      "unknown host",             "could not resolve",    "cannot resolve",
    "can't resolve",              "host not found",           "getaddrinfo",          "enotfound",
    "can't connect to ('fly-local-6pn'", "invalid value",     "nodename nor servname", "cannot parse",
    "invalid host",               "not a valid ip",           "does not appear to be an ipv4 or ipv6",
    "no suitable address",
};

constexpr std::string_view kName = "fly-local-6pn";
/// Behind "port NUMBER": Angular, Vite, Next.js, Flask, Bandit, Spring Boot; Bun asks.
constexpr std::string_view kTakenSigns[] = {" is already in use", " was already in use", " already in use", " is in use", " in use?"};
/// By which a server tells that it goes on with another port, which is no failure.
constexpr std::string_view kGoingOn[] = {"trying", "using available", "instead", "another one"};

constexpr std::string_view kDenialSigns[] = {"eacces", "permission denied"};
/// By which a line tells of listening, as whole words: "bindings" and "listener" are something else.
constexpr std::string_view kListeningWords[] = {"bind", "bindexception", "listen", "listening"};
/// By which it tells of another host instead.
constexpr std::string_view kConnectingMarks[] = {"connect ", "connecting", "connect:", "connectexception", "connectionerror",
                                                 "dial ",    "upstream",   ".internal", ".flycast"};

bool contains_any(std::string_view line, std::span<const std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return line.find(word) != std::string_view::npos; });
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

bool has_both_wildcards(std::string_view command) {
  if (command.find("0.0.0.0") == std::string_view::npos) return false;
  // "::" between names is Ruby's or Perl's.
  auto is_name = [&](std::size_t at) { return at < command.size() && ((command[at] >= 'a' && command[at] <= 'z') || (command[at] >= 'A' && command[at] <= 'Z')); };
  for (std::size_t at = command.find("::"); at != std::string_view::npos; at = command.find("::", at + 1))
    if (!is_name(at + 2)) return true;
  return false;
}

bool contains_word(std::string_view line, std::string_view word) {
  auto is_letter = [&](std::size_t at) { return at < line.size() && line[at] >= 'a' && line[at] <= 'z'; };
  for (std::size_t at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1))
    if ((at == 0 || !is_letter(at - 1)) && !is_letter(at + word.size())) return true;
  return false;
}

/// "Port 4200 is already in use", of a server that does not go on with another one.
bool tells_of_taken_port(std::string_view line) {
  constexpr std::string_view kPort = "port ";
  if (contains_any(line, kGoingOn)) return false;
  for (std::size_t at = line.find(kPort); at != std::string_view::npos; at = line.find(kPort, at + 1)) {
    std::string_view rest = line.substr(at + kPort.size());
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    rest.remove_prefix(digits);
    if (digits > 0 && std::any_of(std::begin(kTakenSigns), std::end(kTakenSigns), [&](std::string_view sign) { return rest.starts_with(sign); })) return true;
  }
  return false;
}

/// Words of Rust and Deno for a denied system call, which do not tell whether it was of a socket or of a file.
bool is_denied_somewhere(std::string_view line) {
  return line.find("os { code: 13, kind: permissiondenied") != std::string_view::npos || line.ends_with("permission denied (os error 13)");
}

std::optional<Kind> kind_of(std::string_view line, std::string_view command) {
  const bool has_name = line.find(kName) != std::string_view::npos;
  const bool is_about_listening =
      has_name || std::any_of(std::begin(kListeningWords), std::end(kListeningWords), [&](std::string_view word) { return contains_word(line, word); });
  const bool is_about_others = !is_about_listening && contains_any(line, kConnectingMarks);
  for (const Sign& sign : kSigns) {
    if (is_about_others || line.find(sign.words) == std::string_view::npos) continue;
    return sign.kind == Kind::kAddressInUse && has_both_wildcards(command) ? Kind::kWildcardsCollide : sign.kind;
  }
  if (!is_about_others && tells_of_taken_port(line)) return Kind::kAddressInUse;
  // Erlang's tuple of a listener; .NET's word for a socket.
  if (line.find(":listener, :eacces") != std::string_view::npos || line.find("socketexception (13)") != std::string_view::npos) return Kind::kPermissionDenied;
  // Files are denied as well, and a program that was given the name looks others up, too.
  if (is_about_listening && contains_any(line, kDenialSigns)) return Kind::kPermissionDenied;
  // Python's words for a socket; behind those for a file stands its name.
  if (line.ends_with("[errno 13] permission denied")) return Kind::kPermissionDenied;
  const bool is_about_the_name = has_name || (command.find(kName) != std::string_view::npos && !is_about_others);
  if (is_about_the_name && contains_any(line, kNameSigns)) return Kind::kNameNotAccepted;
  return std::nullopt;
}

}  // namespace

std::optional<BindError> find_bind_error(std::span<const std::string> lines, std::string_view command) {
  for (auto line = lines.rbegin(); line != lines.rend(); ++line)
    if (auto kind = kind_of(lower(*line), command)) return BindError{*kind, *line};
    else if (is_denied_somewhere(lower(*line))) return BindError{Kind::kPermissionDenied, *line, false};
  return std::nullopt;
}

}  // namespace flylocal::report
