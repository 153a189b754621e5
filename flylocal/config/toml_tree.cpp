#include "flylocal/config/toml_tree.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cmath>
#include <sstream>

#include "flylocal/config/quotes.hpp"
#include "flylocal/config/toml_precheck.hpp"

namespace flylocal::config {
namespace {

Place place_of(const toml::source_region& region) {
  return {static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
}

template <class DateOrTime>
TomlDateTime written(const DateOrTime& value) {
  std::ostringstream out;
  out << value;
  return {out.str()};
}

TomlNode copy(const toml::node& node);

TomlTable copy_table(const toml::table& table) {
  TomlTable out;
  out.reserve(table.size());
  for (const auto& [key, value] : table) {
    out.push_back({std::string(key.str()), place_of(key.source()), copy(value)});
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const TomlEntry& a, const TomlEntry& b) { return a.place < b.place; });
  return out;
}

TomlNode copy(const toml::node& node) {
  TomlNode out;
  out.place = place_of(node.source());
  switch (node.type()) {
    case toml::node_type::string:
      out.value = node.as_string()->get();
      break;
    case toml::node_type::integer:
      out.value = node.as_integer()->get();
      break;
    case toml::node_type::floating_point:
      out.value = node.as_floating_point()->get();
      break;
    case toml::node_type::boolean:
      out.value = node.as_boolean()->get();
      break;
    case toml::node_type::date:
      out.value = written(node.as_date()->get());
      break;
    case toml::node_type::time:
      out.value = written(node.as_time()->get());
      break;
    case toml::node_type::date_time:
      out.value = written(node.as_date_time()->get());
      break;
    case toml::node_type::array: {
      TomlArray items;
      items.reserve(node.as_array()->size());
      for (const toml::node& item : *node.as_array()) items.push_back(copy(item));
      out.value = std::move(items);
      break;
    }
    case toml::node_type::table:
      out.value = copy_table(*node.as_table());
      break;
    case toml::node_type::none:
      break;
  }
  return out;
}

Problem problem_at(Place place, std::string message) {
  Problem problem;
  problem.line = place.line;
  problem.column = place.column;
  problem.message = std::move(message);
  return problem;
}

}  // namespace

boost::system::result<TomlTable, Problem> parse_toml(std::string_view text) {
  if (auto refusal = precheck_toml(text)) return problem_at(refusal->place, std::move(refusal->message));
  try {
    return copy_table(toml::parse(text));
  } catch (const toml::parse_error& error) {
    return problem_at(place_of(error.source()), fmt::format("not valid TOML: {}", error.description()));
  }
}

std::string shown(const TomlNode& node) {
  struct Shower {
    std::string operator()(const std::string& text) const { return in_quotes(text); }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const {
      const std::string text = fmt::format("{}", number);
      return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
    }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(const TomlDateTime& time) const { return "the date or time " + time.text; }
    std::string operator()(const TomlArray& items) const {
      return items.empty() ? "an empty list" : fmt::format("a list of {}", items.size());
    }
    std::string operator()(const TomlTable& entries) const {
      return entries.empty() ? "an empty table" : "a table";
    }
  };
  return std::visit(Shower{}, node.value);
}

boost::json::value to_json(const TomlNode& node) {
  struct Converter {
    boost::json::value operator()(const std::string& text) const { return boost::json::value(text); }
    boost::json::value operator()(std::int64_t number) const { return number; }
    boost::json::value operator()(double number) const {
      if (std::isfinite(number)) return number;
      return boost::json::value(std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf");
    }
    boost::json::value operator()(bool value) const { return value; }
    boost::json::value operator()(const TomlDateTime& time) const { return boost::json::value(time.text); }
    boost::json::value operator()(const TomlArray& items) const {
      boost::json::array out;
      for (const TomlNode& item : items) out.push_back(to_json(item));
      return out;
    }
    boost::json::value operator()(const TomlTable& entries) const {
      boost::json::object out;
      for (const TomlEntry& entry : entries) out[entry.key] = to_json(entry.node);
      return out;
    }
  };
  return std::visit(Converter{}, node.value);
}

}  // namespace flylocal::config
