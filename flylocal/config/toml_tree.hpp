#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "flylocal/config/app_config.hpp"
#include "flylocal/config/problem.hpp"

/// A TOML document as plain values that remember their place. The only contact with the TOML library is in
/// the .cpp, so that the section readers stay small to compile and free of its types.
namespace flylocal::config {

struct TomlEntry;
struct TomlNode;

/// A date or time, in TOML's notation.
struct TomlDateTime {
  std::string text;
};

using TomlArray = std::vector<TomlNode>;
/// In the order of the file.
using TomlTable = std::vector<TomlEntry>;

struct TomlNode {
  std::variant<std::string, std::int64_t, double, bool, TomlDateTime, TomlArray, TomlTable> value;
  Place place;

  const TomlTable* table() const { return std::get_if<TomlTable>(&value); }
  const TomlArray* array() const { return std::get_if<TomlArray>(&value); }
};

struct TomlEntry {
  std::string key;
  Place place;  ///< of the key
  TomlNode node;
};

/// Reads a document. A syntax error is one Problem without its file name. Nesting and dotted keys deeper than
/// any sensible configuration are refused before they can exhaust the stack.
boost::system::result<TomlTable, Problem> parse_toml(std::string_view text);

/// The value as an error message shows it: "80a", 8080, [a list], {a table}.
std::string shown(const TomlNode& node);

/// The value as JSON; dates become text, and numbers that JSON lacks (nan, inf) become text too.
boost::json::value to_json(const TomlNode& node);

}  // namespace flylocal::config
