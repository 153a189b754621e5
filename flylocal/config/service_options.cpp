#include <algorithm>
#include <charconv>
#include <limits>

#include "flylocal/config/quotes.hpp"
#include "flylocal/config/sections.hpp"

/// The option tables inside services and ports (platform.md 4.3, 4.6).
namespace flylocal::config {
namespace {

constexpr int kNoLimit = std::numeric_limits<int>::max();

std::optional<std::chrono::seconds> read_seconds(const std::optional<Field>& field) {
  if (!field) return std::nullopt;
  if (const auto* written = std::get_if<std::string>(&field->node().value)) {
    const auto meant = parse_go_duration(*written);
    const bool whole = meant && meant->count() >= 0 && *meant % std::chrono::seconds(1) == Duration(0);
    field->wrong("a whole number of seconds",
                 whole ? fmt::format("Write {}", *meant / std::chrono::seconds(1)) : std::string());
    return std::nullopt;
  }
  const auto value = field->integer(0, kNoLimit);
  return value ? std::optional(std::chrono::seconds(*value)) : std::nullopt;
}

/// RFC 9110 5.5: white space around a value is none of it, and HTTP/2 refuses it (RFC 9113 8.2.1).
std::string without_blanks_around(std::string_view value) {
  const std::size_t begin = value.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return std::string(value.substr(begin, value.find_last_not_of(" \t") - begin + 1));
}

/// RFC 9110 5.5: a tab is the only one that a value may have.
bool has_control_character(std::string_view value) {
  return std::any_of(value.begin(), value.end(), [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

std::vector<ResponseHeaderRule> read_response_headers(const Field& table) {
  std::vector<ResponseHeaderRule> out;
  for (const auto& [name, field] : TableFields(table).all()) {
    const bool token = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return c > 0x20 && c < 0x7f &&
             std::string_view("\"(),/:;<=>?@[\\]{}").find(static_cast<char>(c)) == std::string_view::npos;
    });
    if (!token) {
      field.error("not usable as the name of a header");
      continue;
    }
    ResponseHeaderRule rule{name, std::nullopt};
    const auto* removed = std::get_if<bool>(&field.node().value);
    if (removed && *removed) {
      field.wrong("false to remove the header, or one or several texts to add it with");
      continue;
    }
    if (!removed) {
      rule.values = field.text_or_texts();
      if (std::any_of(rule.values->begin(), rule.values->end(), has_control_character))
        field.wrong("header values without line breaks and other control characters");
      for (std::string& value : *rule.values) value = without_blanks_around(value);
    }
    out.push_back(std::move(rule));
  }
  return out;
}

std::optional<ReplayCacheRule> read_replay_cache_rule(const Field& table) {
  TableFields fields(table);
  ReplayCacheRule rule;
  const auto prefix = fields.require("path_prefix", "path_prefix = \"/\"");
  const auto ttl = fields.require("ttl_seconds", "ttl_seconds = 60");
  const auto type = fields.require("type", "type = \"cookie\"");
  const auto name = fields.require("name", "name = \"session\"");
  if (prefix) rule.path_prefix = prefix->text().value_or("");
  if (ttl) {
    // The platform's shortest time is 10 s (platform.md 5.6).
    rule.ttl = std::chrono::seconds(ttl->integer(10, kNoLimit).value_or(10));
  }
  if (type) rule.keyed_by = type->choice(kKeyedByNames).value_or(ReplayCacheRule::KeyedBy::kCookie);
  if (name) rule.name = name->text_not_empty().value_or("");
  if (const auto bypass = fields.find("allow_bypass")) rule.allow_bypass = bypass->boolean().value_or(false);
  fields.report_unknown();
  return rule;
}

}  // namespace

TlsOptions read_tls_options(const Field& table) {
  TableFields fields(table);
  TlsOptions out;
  if (const auto alpn = fields.find("alpn")) out.alpn = alpn->texts();
  if (const auto versions = fields.find("versions")) {
    for (const Field& item : versions->items()) {
      if (const auto version = item.choice(kTlsVersionNames)) out.versions.push_back(*version);
    }
  }
  if (const auto field = fields.find("default_self_signed")) {
    out.default_self_signed = field->boolean().value_or(false);
  }
  fields.report_unknown();
  return out;
}

HttpOptions read_http_options(const Field& table) {
  TableFields fields(table);
  HttpOptions out;
  if (const auto field = fields.find("compress")) out.compress = field->boolean();
  if (const auto field = fields.find("h2_backend")) out.h2_backend = field->boolean().value_or(false);
  out.idle_timeout = read_seconds(fields.find("idle_timeout"));
  out.headers_read_timeout = read_seconds(fields.find("headers_read_timeout"));
  if (const auto field = fields.find("response")) {
    TableFields response(*field);
    if (const auto headers = response.find("headers")) out.response_headers = read_response_headers(*headers);
    if (const auto pristine = response.find("pristine")) out.pristine = pristine->boolean().value_or(false);
    response.report_unknown();
  }
  if (const auto field = fields.find("replay_cache")) {
    for (const Field& item : field->tables(TableShape::kListOnly)) {
      if (auto rule = read_replay_cache_rule(item)) out.replay_cache.push_back(std::move(*rule));
    }
  }
  fields.report_unknown();
  return out;
}

ProxyProtocolVersion read_proxy_proto_options(const Field& table) {
  TableFields fields(table);
  auto version = ProxyProtocolVersion::kV1;
  if (const auto field = fields.find("version"))
    version = field->choice(kProxyProtocolVersionNames).value_or(version);
  fields.report_unknown();
  return version;
}

Concurrency read_concurrency_table(const Field& table) {
  Concurrency out;
  if (!table.node().table()) {
    table.wrong("a table with type, soft_limit and hard_limit",
                "Write: concurrency = { type = \"requests\", soft_limit = 200, hard_limit = 250 }");
    return out;
  }
  TableFields fields(table);
  if (const auto field = fields.find("type"))
    out.type = field->choice(kConcurrencyTypeNames).value_or(out.type);
  const auto soft = fields.find("soft_limit");
  const auto hard = fields.find("hard_limit");
  // flyctl leaves out a limit of 0 when it sends the configuration, so 0 is the same as absent.
  if (soft) {
    const auto limit = soft->integer(0, kNoLimit);
    if (limit && *limit > 0) out.soft_limit = *limit;
    if (limit == 0) soft->notice(fmt::format("0 means not set, so the soft limit is {}", out.soft_limit));
  }
  if (hard) {
    const auto limit = hard->integer(0, kNoLimit);
    if (limit && *limit > 0) out.hard_limit = *limit;
    if (limit == 0) hard->notice("0 means not set, so there is no hard limit");
  }
  if (soft && out.hard_limit && out.soft_limit > *out.hard_limit) {
    soft->warning(fmt::format("the soft limit {} is never reached: the hard limit is {}", out.soft_limit,
                              *out.hard_limit));
  }
  fields.report_unknown();
  return out;
}

Concurrency read_concurrency(const Field& field) {
  if (field.node().table()) return read_concurrency_table(field);
  Concurrency out;
  const auto* written = std::get_if<std::string>(&field.node().value);
  const auto comma = written ? written->find(',') : std::string::npos;
  auto limit_of = [](std::string_view digits) -> std::optional<int> {
    int value = 0;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (code != std::errc() || end != digits.data() + digits.size() || value < 0) return std::nullopt;
    return value;
  };
  const auto soft =
      comma == std::string::npos ? std::nullopt : limit_of(std::string_view(*written).substr(0, comma));
  const auto hard =
      comma == std::string::npos ? std::nullopt : limit_of(std::string_view(*written).substr(comma + 1));
  if (!soft || !hard) {
    field.wrong("a table with type, soft_limit and hard_limit, or the old form \"SOFT,HARD\"",
                "Write: concurrency = { type = \"requests\", soft_limit = 200, hard_limit = 250 }");
    return out;
  }
  out.type = ConcurrencyType::kRequests;
  if (*soft > 0) out.soft_limit = *soft;
  if (*hard > 0) out.hard_limit = *hard;
  field.notice(
      fmt::format("an old form, read as type \"requests\", soft_limit {}, hard_limit {}", *soft, *hard));
  return out;
}

}  // namespace flylocal::config
