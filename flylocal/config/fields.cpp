#include "flylocal/config/fields.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "flylocal/config/closest_name.hpp"
#include "flylocal/config/quotes.hpp"

namespace flylocal::config {
namespace {

const TomlTable kNoEntries;

bool same_but_for_case(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

/// The whole number in a value; flyctl's JSON step makes 8.0 the same as 8.
std::optional<std::int64_t> whole_number(const TomlNode& node) {
  if (const auto* number = std::get_if<std::int64_t>(&node.value)) return *number;
  if (const auto* number = std::get_if<double>(&node.value)) {
    constexpr double kExact = 9007199254740992.0;  // 2^53
    if (std::isfinite(*number) && std::abs(*number) <= kExact && std::trunc(*number) == *number) {
      return static_cast<std::int64_t>(*number);
    }
  }
  return std::nullopt;
}

std::optional<std::int64_t> decimal_digits(std::string_view text) {
  if (text.empty() || text.size() > 9) return std::nullopt;
  std::int64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::string listed(const std::vector<std::string_view>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += in_quotes(words[i]);
  }
  return out;
}

}  // namespace

void ProblemLog::add(Problem problem) {
  problem.file = file_;
  problems_.push_back(std::move(problem));
}

std::vector<Problem> ProblemLog::take() {
  std::stable_sort(problems_.begin(), problems_.end(), [](const Problem& a, const Problem& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  return std::move(problems_);
}

bool ProblemLog::is_top_level(std::string_view key) const {
  return std::find(top_level_keys_.begin(), top_level_keys_.end(), key) != top_level_keys_.end();
}

std::string key_path(std::string_view parent, std::string_view key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  const std::string last = bare ? std::string(key) : in_quotes(key);
  return parent.empty() ? last : fmt::format("{}.{}", parent, last);
}

void Field::report(Problem::Severity severity, std::string message, std::string allowed,
                   std::string suggestion) const {
  Problem problem;
  problem.severity = severity;
  problem.line = place().line;
  problem.column = place().column;
  problem.key = key_;
  if (!allowed.empty()) problem.found = shown(*node_);
  problem.allowed = std::move(allowed);
  problem.message = std::move(message);
  problem.suggestion = std::move(suggestion);
  log_->add(std::move(problem));
}

void Field::wrong(std::string allowed, std::string suggestion) const {
  report(Problem::Severity::kError, {}, std::move(allowed), std::move(suggestion));
}
void Field::error(std::string message, std::string suggestion) const {
  report(Problem::Severity::kError, std::move(message), {}, std::move(suggestion));
}
void Field::warning(std::string message, std::string suggestion) const {
  report(Problem::Severity::kWarning, std::move(message), {}, std::move(suggestion));
}
void Field::notice(std::string message, std::string suggestion) const {
  report(Problem::Severity::kNotice, std::move(message), {}, std::move(suggestion));
}

std::optional<std::string> Field::text() const {
  const auto* value = std::get_if<std::string>(&node_->value);
  if (!value) {
    wrong("text in quotes");
    return std::nullopt;
  }
  // Names, paths, commands and variables all end up in C strings.
  if (value->find('\0') != std::string::npos) {
    wrong("text without a NUL character");
    return std::nullopt;
  }
  return *value;
}

std::optional<std::string> Field::text_not_empty() const {
  auto value = text();
  if (value && value->empty()) {
    wrong("text that is not empty");
    return std::nullopt;
  }
  return value;
}

std::optional<bool> Field::boolean() const {
  if (const auto* value = std::get_if<bool>(&node_->value)) return *value;
  const auto* written = std::get_if<std::string>(&node_->value);
  wrong("true or false",
        written && (*written == "true" || *written == "false") ? "Remove the quotes" : std::string());
  return std::nullopt;
}

std::optional<int> Field::integer(int least, int most) const {
  const auto value = whole_number(*node_);
  if (value && *value >= least && *value <= most) return static_cast<int>(*value);
  const auto* written = std::get_if<std::string>(&node_->value);
  const bool too_large = value && *value > most;
  wrong(most == std::numeric_limits<int>::max() && !too_large ? fmt::format("a whole number, {} or more", least)
                                                : fmt::format("a whole number from {} to {}", least, most),
        written && decimal_digits(*written) ? "Remove the quotes" : std::string());
  return std::nullopt;
}

std::optional<Port> Field::port(PortNotation notation) const {
  auto value = whole_number(*node_);
  const auto* written = std::get_if<std::string>(&node_->value);
  std::string advice;
  if (written) {
    const auto digits = decimal_digits(*written);
    if (notation == PortNotation::kNumberOrText) {
      value = digits;
    } else if (digits) {
      advice = "Remove the quotes: flyctl reads a port as text only in [[services]]";
    }
  }
  if (value && *value >= 1 && *value <= 65535) return static_cast<Port>(*value);
  wrong("a port from 1 to 65535", std::move(advice));
  return std::nullopt;
}

namespace {

std::int64_t nanoseconds_per(IntegerMeans meaning) {
  switch (meaning) {
    case IntegerMeans::kSeconds:
      return 1'000'000'000;
    case IntegerMeans::kMilliseconds:
    case IntegerMeans::kMillisecondsByTheManual:
      return 1'000'000;
    case IntegerMeans::kNanoseconds:
      return 1;
  }
  return 1;
}

}  // namespace

std::optional<Duration> Field::duration(IntegerMeans meaning) const {
  const std::string kAllowed = "a duration such as \"10s\", \"500ms\" or \"1m30s\"";
  if (const auto* written = std::get_if<std::string>(&node_->value)) {
    if (written->empty() && (meaning == IntegerMeans::kSeconds || meaning == IntegerMeans::kMilliseconds)) {
      notice("empty text means that it is not set");
      return std::nullopt;
    }
    const auto parsed = parse_go_duration(*written);
    if (!parsed) {
      wrong(kAllowed, fmt::format("Go's duration notation: {}", parsed.error().message));
      return std::nullopt;
    }
    if (parsed->count() < 0) {
      wrong(kAllowed, "It cannot be negative");
      return std::nullopt;
    }
    return *parsed;
  }

  std::optional<std::int64_t> number = whole_number(*node_);
  if (const auto* fraction = std::get_if<double>(&node_->value); fraction && !number) {
    if (std::isfinite(*fraction) && std::abs(*fraction) < 1e15) {
      number = static_cast<std::int64_t>(*fraction);
      warning(fmt::format("flyctl drops the fraction of {} and reads {}", *fraction, *number),
              "Write the duration as text with a unit, such as \"1.5s\"");
    }
  }
  const std::int64_t unit = nanoseconds_per(meaning);
  if (!number || *number < 0 || *number > std::numeric_limits<std::int64_t>::max() / unit) {
    wrong(kAllowed);
    return std::nullopt;
  }
  if (meaning == IntegerMeans::kNanoseconds && *number != 0) {
    warning(fmt::format("flyctl reads the bare number {} here as nanoseconds", *number),
            fmt::format("Write a unit, such as \"{}s\"", *number));
  } else if (meaning == IntegerMeans::kMillisecondsByTheManual && *number != 0) {
    notice(fmt::format("read as {} milliseconds, as the manual says; flyctl itself reads nanoseconds here",
                       *number),
           fmt::format("Write a unit, such as \"{}ms\"", *number));
  }
  return Duration(*number * unit);
}

std::vector<Field> Field::items() const {
  std::vector<Field> out;
  const TomlArray* items = node_->array();
  if (!items) {
    wrong("a list in [ ]");
    return out;
  }
  out.reserve(items->size());
  for (std::size_t i = 0; i < items->size(); ++i) {
    out.emplace_back((*items)[i], fmt::format("{}[{}]", key_, i), *log_);
  }
  return out;
}

std::vector<std::string> Field::texts() const {
  std::vector<std::string> out;
  if (!node_->array()) {
    const auto* written = std::get_if<std::string>(&node_->value);
    wrong("a list of texts", written ? fmt::format("Write [{}]", in_quotes(*written)) : std::string());
    return out;
  }
  for (const Field& item : items()) {
    if (auto value = item.text()) out.push_back(std::move(*value));
  }
  return out;
}

std::vector<std::string> Field::text_or_texts() const {
  if (std::holds_alternative<std::string>(node_->value)) {
    auto value = text();
    return value ? std::vector<std::string>{std::move(*value)} : std::vector<std::string>{};
  }
  if (!node_->array()) {
    wrong("text or a list of texts");
    return {};
  }
  return texts();
}

std::map<std::string, std::string> Field::text_map() const {
  std::map<std::string, std::string> out;
  if (!node_->table()) {
    wrong("a table of texts");
    return out;
  }
  for (auto& [name, field] : TableFields(*this).all()) {
    if (auto value = field.text()) out.insert_or_assign(name, std::move(*value));
  }
  return out;
}

std::vector<Field> Field::tables(TableShape shape) const {
  const std::string list_form = fmt::format("[[{}]]", key_);
  if (node_->table()) {
    if (shape == TableShape::kListOrSingle) return {*this};
    wrong(fmt::format("a list of tables, {}", list_form),
          fmt::format("Write {} instead of [{}]", list_form, key_));
    return {};
  }
  if (!node_->array()) {
    wrong(shape == TableShape::kListOrSingle
              ? fmt::format("a table [{}] or a list of tables {}", key_, list_form)
              : fmt::format("a list of tables, {}", list_form));
    return {};
  }
  std::vector<Field> out;
  for (const Field& item : items()) {
    if (item.node().table()) {
      out.push_back(item);
    } else {
      item.wrong("a table");
    }
  }
  return out;
}

void Field::not_among(const std::vector<std::string_view>& words) const {
  const auto* written = std::get_if<std::string>(&node_->value);
  const std::string_view closest = written ? closest_name(*written, words) : std::string_view();
  wrong(listed(words), closest.empty() ? std::string() : fmt::format("Did you mean {}?", in_quotes(closest)));
}

TableFields::TableFields(const Field& table) : self_(table), entries_(table.node().table()) {
  if (!entries_) {
    self_.wrong(fmt::format("a table, [{}]", self_.key()));
    entries_ = &kNoEntries;
  }
  asked_for_.resize(entries_->size());
}

Field TableFields::field_of(const TomlEntry& entry) const {
  return Field(entry.node, key_path(self_.key(), entry.key), self_.log());
}

std::optional<Field> TableFields::find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  const TomlEntry* found = nullptr;
  for (std::size_t i = 0; i < entries_->size(); ++i) {
    const TomlEntry& entry = (*entries_)[i];
    if (!same_but_for_case(entry.key, key)) continue;
    asked_for_[i] = true;
    // The lower-case spelling wins in flyctl: it comes last in the sorted JSON that flyctl decodes.
    if (!found || entry.key == key) found = &entry;
  }
  if (!found) return std::nullopt;
  Field field = field_of(*found);
  for (const TomlEntry& entry : *entries_) {
    if (entry.key == key || !same_but_for_case(entry.key, key)) continue;
    if (&entry == found) {
      field.notice(fmt::format("the key is usually written {}", in_quotes(key)),
                   "flyctl accepts it in this case, though not together with every old form of the value");
    } else {
      field_of(entry).warning(fmt::format("ignored: the table also has {}", in_quotes(found->key)),
                              "Remove one of them");
    }
  }
  return field;
}

std::optional<Field> TableFields::require(std::string_view key, std::string_view example) {
  auto field = find(key);
  if (!field) {
    self_.error(fmt::format("{} is missing", in_quotes(key)), fmt::format("Add a line such as: {}", example));
  }
  return field;
}

void TableFields::keep(std::string_view key, std::map<std::string, boost::json::value>& kept) {
  if (const auto field = find(key)) {
    kept.insert_or_assign(field->key(), to_json(field->node()));
    field->notice("accepted, has no effect locally");
  }
}

void TableFields::obsolete(std::string_view key) {
  if (const auto field = find(key))
    field->notice("a key of earlier days, which flyctl ignores", "You can remove it");
  known_.pop_back();
}

void TableFields::misplaced(std::string_view key, std::string_view advice) {
  if (const auto field = find(key)) field->warning("flyctl ignores this key here", std::string(advice));
  known_.pop_back();
}

void TableFields::report_unknown() {
  for (std::size_t i = 0; i < entries_->size(); ++i) {
    if (asked_for_[i]) continue;
    const TomlEntry& entry = (*entries_)[i];
    Problem problem;
    problem.severity = Problem::Severity::kWarning;
    problem.line = entry.place.line;
    problem.column = entry.place.column;
    problem.key = key_path(self_.key(), entry.key);
    problem.message = "unknown key, which flyctl ignores";
    if (!self_.key().empty() && self_.log().is_top_level(entry.key)) {
      problem.suggestion =
          fmt::format("Below [{}] the line belongs to it: move it above the first [section]", self_.key());
    } else if (const auto closest = closest_name(entry.key, known_); !closest.empty()) {
      problem.suggestion = fmt::format("Did you mean {}?", in_quotes(closest));
    }
    self_.log().add(std::move(problem));
  }
}

std::vector<std::pair<std::string, Field>> TableFields::all() const {
  std::vector<std::pair<std::string, Field>> out;
  out.reserve(entries_->size());
  for (const TomlEntry& entry : *entries_) out.emplace_back(entry.key, field_of(entry));
  return out;
}

}  // namespace flylocal::config
