#include "flylocal/report/host_refusal.hpp"

#include <algorithm>

namespace flylocal::report {
namespace {

constexpr std::size_t kMostWords = 120;

struct Sign {
  std::string_view words;  ///< as the server writes them
  std::string_view fix;
};

constexpr std::string_view kDjango = "Django: ALLOWED_HOSTS = ['.fly.dev', '.internal'] in settings.py, and your own domain";
constexpr std::string_view kRails = "Rails: config.hosts << \".fly.dev\" << \".internal\", and your own domain, in config/environments";

// The first sign that fits decides. "Invalid Host header" is webpack-dev-server's, with a small h Starlette's.
constexpr Sign kSigns[] = {
    {"DisallowedHost", kDjango},
    {"Invalid HTTP_HOST header", kDjango},
    {"Bad Request (400)</h1>", kDjango},  // its page without DEBUG
    {"Blocked host", kRails},
    {"Host not permitted", "Sinatra: set :host_authorization, { permitted_hosts: ['.fly.dev', '.internal'] }, and your own domain"},
    {"Invalid host header", "Starlette or FastAPI: TrustedHostMiddleware with allowed_hosts=['*.fly.dev', '*.internal'], and your own domain"},
    {"&#39; is not trusted", "Flask: TRUSTED_HOSTS = ['.fly.dev', '.internal'] in its configuration, and your own domain"},
    {"The request hostname is invalid", "ASP.NET Core: \"AllowedHosts\": \"*\" in appsettings.json, or the names with \";\" between them"},
    {"Untrusted Host", "Symfony: framework.trusted_hosts; Laravel: trustHosts in bootstrap/app.php"},
    {"untrusted domain", "Nextcloud: trusted_domains in config/config.php"},
    {"Blocked request. This host", {}},
    {"This host is not allowed", {}},
    {"Invalid Host header", {}},
};

const Sign* find_sign(std::string_view text) {
  const auto found = std::find_if(std::begin(kSigns), std::end(kSigns), [&](const Sign& sign) { return text.find(sign.words) != std::string_view::npos; });
  return found == std::end(kSigns) ? nullptr : &*found;
}

/// The line of `text` around the place, without what surrounds it in HTML.
std::string words_at(std::string_view text, std::size_t place) {
  const std::size_t before = text.substr(0, place).find_last_of(">\n");
  text.remove_prefix(before == std::string_view::npos ? 0 : before + 1);
  std::string words;
  for (char c : text.substr(0, text.find_first_of("<\n"))) {
    if (words.size() >= kMostWords) break;
    if (c >= 0x20 && c < 0x7f && !(words.empty() && c == ' ')) words += c;
  }
  return words;
}

bool is_only(std::string_view body, std::string_view words) {
  while (!body.empty() && (body.back() == '\n' || body.back() == '\r')) body.remove_suffix(1);
  return body == words;
}

}  // namespace

std::optional<HostRefusal> find_host_refusal(const HttpAnswer& answer) {
  constexpr std::string_view kWithStatus200 = "Invalid Host header";  // webpack-dev-server before version 5
  if (answer.kind != HttpAnswer::Kind::kAnswered) return std::nullopt;
  if (answer.status == 200 && is_only(answer.body, kWithStatus200)) return HostRefusal{std::string(kWithStatus200), {}};
  if (!may_refuse_host(answer.status)) return std::nullopt;
  if (const Sign* sign = find_sign(answer.body)) return HostRefusal{words_at(answer.body, answer.body.find(sign->words)), sign->fix};
  constexpr int kMisdirected = 421;
  if (answer.status == kMisdirected) return HostRefusal{answer.words, {}};
  return std::nullopt;
}

std::optional<HostRefusal> find_host_refusal(std::span<const std::string> lines, std::string_view host) {
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const Sign* sign = line->find(host) == std::string::npos ? nullptr : find_sign(*line);
    if (sign) return HostRefusal{words_at(*line, line->find(sign->words)), sign->fix};
  }
  return std::nullopt;
}

}  // namespace flylocal::report
