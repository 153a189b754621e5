#include "proxy/error_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <system_error>

namespace flylocal::proxy {
namespace {

std::string error_text(int error) {
  return std::error_code(error, std::generic_category()).message();
}

std::string address_text(const asio::ip::tcp::endpoint& address) {
  return fmt::format("{}:{}", address.address().to_string(), address.port());
}

std::string as_json(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out += '"';
}

std::string as_html(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string attempt_line(const FailedAttempt& attempt) {
  std::string line = fmt::format("machine {} at {}", attempt.machine, address_text(attempt.address));
  if (attempt.error != 0) line += ": " + error_text(attempt.error);
  if (!attempt.finding.message.empty()) line += "; " + attempt.finding.message;
  return line;
}

std::string headline(const ErrorPage& page) {
  return fmt::format("{} {}{}{}", page.status, reason_phrase(page.status), page.code.empty() ? "" : " ",
                     page.code);
}

std::string render_text(const ErrorPage& page) {
  std::string out = fmt::format("{}\n\n{}\n", headline(page), page.message);
  auto to = std::back_inserter(out);
  if (!page.app.empty()) fmt::format_to(to, "app: {}\n", page.app);
  for (const auto& attempt : page.attempts) fmt::format_to(to, "tried: {}\n", attempt_line(attempt));
  for (const auto& line : page.absent) fmt::format_to(to, "not available: {}\n", line);
  for (const auto& host : page.hosts) fmt::format_to(to, "known host: {}\n", host);
  fmt::format_to(to, "request: {}\n", page.request_id);
  return out;
}

std::string json_list(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const auto& text : texts) {
    if (out.size() > 1) out += ',';
    out += as_json(text);
  }
  return out += ']';
}

std::string render_json(const ErrorPage& page) {
  std::string attempts;
  for (const auto& attempt : page.attempts) {
    if (!attempts.empty()) attempts += ',';
    attempts += fmt::format(R"({{"machine":{},"address":{},"error":{},"finding":{}}})",
                            as_json(attempt.machine), as_json(address_text(attempt.address)),
                            attempt.error ? as_json(error_text(attempt.error)) : "null",
                            attempt.finding.message.empty() ? "null" : as_json(attempt.finding.message));
  }
  return fmt::format(
      R"({{"status":{},"code":{},"error":{},"app":{},"attempts":[{}],"absent":{},"hosts":{},"request_id":{}}})"
      "\n",
      page.status, page.code.empty() ? "null" : as_json(page.code), as_json(page.message),
      page.app.empty() ? "null" : as_json(page.app), attempts, json_list(page.absent), json_list(page.hosts),
      as_json(page.request_id));
}

std::string render_html(const ErrorPage& page) {
  std::string title = as_html(headline(page));
  std::string out = fmt::format(
      "<!doctype html>\n<meta charset=\"utf-8\">\n<title>{0}</title>\n"
      "<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:48em;margin:3em auto;padding:0 1em}}"
      "li{{font-family:monospace}}</style>\n<h1>{0}</h1>\n<p>{1}</p>\n",
      title, as_html(page.message));
  auto to = std::back_inserter(out);
  if (!page.app.empty()) fmt::format_to(to, "<p>App: <b>{}</b></p>\n", as_html(page.app));
  auto list = [&to](std::string_view heading, const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    fmt::format_to(to, "<h2>{}</h2>\n<ul>\n", heading);
    for (const auto& line : lines) fmt::format_to(to, "<li>{}</li>\n", as_html(line));
    fmt::format_to(to, "</ul>\n");
  };
  std::vector<std::string> attempts;
  std::transform(page.attempts.begin(), page.attempts.end(), std::back_inserter(attempts), attempt_line);
  list("Tried", attempts);
  list("Not available", page.absent);
  list("Known hosts", page.hosts);
  fmt::format_to(to, "<p><small>Request {}, answered by flylocal's proxy</small></p>\n",
                 as_html(page.request_id));
  return out;
}

}  // namespace

PageFormat choose_format(std::string_view accept) {
  // Browsers name text/html first and put everything else behind it with a lower weight.
  std::size_t html = accept.find("text/html");
  std::size_t json = accept.find("application/json");
  if (html == json) return PageFormat::text;  // neither is there
  return html < json ? PageFormat::html : PageFormat::json;
}

std::string_view reason_phrase(std::uint16_t status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

ErrorPage page_for_bad_request(const http1::HeadError& error) {
  ErrorPage page;
  page.status = error.status;
  page.message =
      fmt::format("The request was refused and not passed on: {} ({}).", error.what, error.reference);
  return page;
}

ErrorPage page_for_failed_dial(const Dialled& dialled, std::string_view host) {
  ErrorPage page;
  page.status = 503;
  if (dialled.service) {
    page.app = dialled.service->app;
    page.absent = dialled.service->absent;
  }
  switch (dialled.outcome) {
    case Dialled::Outcome::unknown_host:
      page.status = 404;
      page.message = fmt::format("No app here answers to the host name \"{}\".", host);
      for (const auto& [name, index] : dialled.port->routes) page.hosts.push_back(name);
      std::sort(page.hosts.begin(), page.hosts.end());
      break;
    case Dialled::Outcome::no_machine:
      page.code = "PR04";
      page.message = fmt::format("App {} has no started machine that offers this service.", page.app);
      break;
    case Dialled::Outcome::unreachable:
      // PM05: the machine was started for the request and does not take it.
      page.code = dialled.woken.empty() ? "PR03" : "PM05";
      page.attempts = dialled.failed;
      page.message = fmt::format("No machine of app {} took the connection on port {} (attempts that failed: {}).",
                                 page.app, dialled.service->internal_port, dialled.failures);
      break;
    case Dialled::Outcome::overloaded:
      page.code = dialled.failed.empty() ? "PR04" : "PR03";
      page.attempts = dialled.failed;
      page.message = fmt::format("Every healthy machine of app {} stayed at its hard limit of {} for too long.",
                                 page.app, dialled.service->concurrency.hard_limit.value_or(0));
      break;
    case Dialled::Outcome::queue_full:
      page.code = "PR04";
      page.message = fmt::format("Too many requests wait for a machine of app {} already.", page.app);
      break;
    case Dialled::Outcome::unhealthy:
      page.code = "PR04";
      page.message = fmt::format("No machine of app {} passes its service checks.", page.app);
      break;
    case Dialled::Outcome::cordoned:
      page.code = "PR04";
      page.message = fmt::format("All machines of app {} are cordoned.", page.app);
      break;
    case Dialled::Outcome::wake_failed:
      page.code = "PM07";
      page.message = fmt::format("Machine {} of app {} was to be started for this request, but its start failed.",
                                 dialled.woken, page.app);
      break;
    case Dialled::Outcome::wake_late:
      page.code = "PM03";
      page.message = fmt::format("Machine {} of app {} was started for this request, but was not ready in time.",
                                 dialled.woken, page.app);
      break;
    default:
      page.code = "PR04";
      page.message = "Nothing is published on this port now.";
      break;
  }
  return page;
}

ErrorPage page_for_broken_answer(const Dialled& dialled, std::string_view what) {
  ErrorPage page;
  page.status = 502;
  page.code = "PU02";
  page.app = dialled.service->app;
  page.message = fmt::format("Machine {} took the request but {}.", dialled.upstream->machine_id, what);
  page.attempts.push_back(
      {dialled.upstream->machine_id, dialled.upstream->endpoint, 0, dialled.upstream->finding});
  return page;
}

std::string_view content_type(PageFormat format) {
  switch (format) {
    case PageFormat::json:
      return "application/json";
    case PageFormat::html:
      return "text/html; charset=utf-8";
    default:
      return "text/plain; charset=utf-8";
  }
}

std::string render(const ErrorPage& page, PageFormat format) {
  switch (format) {
    case PageFormat::json:
      return render_json(page);
    case PageFormat::html:
      return render_html(page);
    default:
      return render_text(page);
  }
}

}  // namespace flylocal::proxy
