#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flylocal/config/app_config.hpp"
#include "flylocal/config/enum_names.hpp"
#include "flylocal/config/problem.hpp"
#include "flylocal/config/toml_tree.hpp"

/// The reader between a TOML tree and a typed model. A Field is one value with its dotted path; asked for a
/// type, it gives the value or reports what stands there and what may. A TableFields is one table: it
/// remembers which keys it was asked for, so that the rest can be reported as unknown, with the nearest known
/// one.
namespace flylocal::config {

/// Collects the problems of one file.
class ProblemLog {
 public:
  /// `top_level_keys` are explained when they turn up inside a section: in TOML a line below [section]
  /// belongs to it, which is easily forgotten when adding one at the end of a file. The strings have to
  /// outlive the log.
  explicit ProblemLog(std::string file, std::span<const std::string_view> top_level_keys = {})
      : file_(std::move(file)), top_level_keys_(top_level_keys) {}
  void add(Problem problem);
  /// All problems in the order of the file.
  std::vector<Problem> take();
  bool is_top_level(std::string_view key) const;

 private:
  std::string file_;
  std::span<const std::string_view> top_level_keys_;
  std::vector<Problem> problems_;
};

/// What a bare number means as a duration (platform.md 7.4).
enum class IntegerMeans {
  kSeconds,
  kMilliseconds,
  kNanoseconds,              ///< flyctl's decoder, untouched: nearly always a mistake, so a warning
  kMillisecondsByTheManual,  ///< the manual's meaning where flyctl's is nanoseconds: a notice
};

/// flyctl accepts a port as text in some places.
enum class PortNotation { kNumber, kNumberOrText };

/// Where one entry may be written as a table instead of a list of tables.
enum class TableShape { kListOnly, kListOrSingle };

class Field {
 public:
  Field(const TomlNode& node, std::string key, ProblemLog& log)
      : node_(&node), key_(std::move(key)), log_(&log) {}

  const TomlNode& node() const { return *node_; }
  const std::string& key() const { return key_; }
  Place place() const { return node_->place; }
  ProblemLog& log() const { return *log_; }

  /// Error: the value here is not what is `allowed`.
  void wrong(std::string allowed, std::string suggestion = {}) const;
  void error(std::string message, std::string suggestion = {}) const;
  void warning(std::string message, std::string suggestion = {}) const;
  void notice(std::string message, std::string suggestion = {}) const;

  // Each of these reports an error and is empty when the value has another type or is out of bounds.
  std::optional<std::string> text() const;
  std::optional<std::string> text_not_empty() const;
  std::optional<bool> boolean() const;
  std::optional<int> integer(int least, int most) const;
  std::optional<Port> port(PortNotation notation) const;
  /// Never negative. Empty text is "not set", with a notice, except where a number means nanoseconds.
  std::optional<Duration> duration(IntegerMeans meaning) const;
  std::vector<std::string> texts() const;
  /// One text or a list of texts.
  std::vector<std::string> text_or_texts() const;
  std::map<std::string, std::string> text_map() const;
  /// The items of a list, as key[0], key[1], ...
  std::vector<Field> items() const;
  /// The tables of a list of tables. A single table keeps its plain key.
  std::vector<Field> tables(TableShape shape) const;

  template <class Enum, std::size_t kSize>
  std::optional<Enum> choice(const EnumNames<Enum, kSize>& names) const {
    const auto found = text();
    if (!found) return std::nullopt;
    for (const auto& entry : names) {
      if (entry.name == *found) return entry.value;
    }
    std::vector<std::string_view> words;
    for (const auto& entry : names) words.push_back(entry.name);
    not_among(words);
    return std::nullopt;
  }
  /// Reports that the text here is none of `words`.
  void not_among(const std::vector<std::string_view>& words) const;

 private:
  void report(Problem::Severity severity, std::string message, std::string allowed,
              std::string suggestion) const;

  const TomlNode* node_;
  std::string key_;
  ProblemLog* log_;
};

class TableFields {
 public:
  /// `table` holds a table; anything else is reported and read as an empty one.
  explicit TableFields(const Field& table);

  bool empty() const { return entries_->empty(); }
  const Field& self() const { return self_; }

  /// The value under `key`. Case does not matter, as in flyctl; a different case is noticed.
  std::optional<Field> find(std::string_view key);
  /// The value under `key`; its absence is an error that shows `example`, the line to add.
  std::optional<Field> require(std::string_view key, std::string_view example);
  /// Keeps the value of a key that has no effect here, under its full path, and says so.
  void keep(std::string_view key, std::map<std::string, boost::json::value>& kept);
  /// A key that flyctl once had and now ignores.
  void obsolete(std::string_view key);
  /// A key that is ignored at this place though one could think otherwise.
  void misplaced(std::string_view key, std::string_view advice);
  /// Warns of every key that was not asked for.
  void report_unknown();
  /// All entries as fields, for tables whose keys are names given by the user.
  std::vector<std::pair<std::string, Field>> all() const;

 private:
  Field field_of(const TomlEntry& entry) const;

  Field self_;
  const TomlTable* entries_;
  std::vector<bool> asked_for_;
  std::vector<std::string_view> known_;
};

/// `parent.key`, with quotes around keys that TOML would want quoted.
std::string key_path(std::string_view parent, std::string_view key);

}  // namespace flylocal::config
