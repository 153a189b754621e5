#include "proxy/error_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>

#include "flylocal/base/utf8.hpp"

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
  for (char c : to_valid_utf8(text)) {
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

/// "Connection refused (PC01)"; nothing for a machine that was connected to.
std::string error_line(const FailedAttempt& attempt) {
  return attempt.error == 0 ? std::string() : fmt::format("{} ({})", error_text(attempt.error), connect_code(attempt.error));
}

/// Says more of a verdict of the bind report or of a code of the platform.
std::string explain_command(std::string_view code) { return fmt::format("flylocal explain {}", code); }

std::string service_line(const ErrorPage& page) {
  return page.port == 0 ? page.app : fmt::format("{}, internal port {}", page.app, page.port);
}

std::string headline(const ErrorPage& page) {
  return fmt::format("{} {}{}{}", page.status, reason_phrase(page.status), page.code.empty() ? "" : " ",
                     page.code);
}

/// Under its name, each line after the first as far to the right as the first.
void append_lines(std::string& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  const std::string indent(name.size() + 2, ' ');
  out.append(name).append(": ");
  for (bool first = true; first || !text.empty(); first = false) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (!first) out += indent;
    out.append(text.substr(0, end)) += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string render_text(const ErrorPage& page) {
  std::string out = fmt::format("{}\n\n{}\n", headline(page), page.message);
  if (!page.app.empty()) append_lines(out, "app", service_line(page));
  for (const FailedAttempt& attempt : page.attempts) {
    const std::string error = error_line(attempt);
    out += fmt::format("tried: machine {} at {}{}{}\n", attempt.machine, address_text(attempt.address), error.empty() ? "" : ": ", error);
    append_lines(out, "  found", attempt.finding.message);
    for (const std::string& line : attempt.finding.evidence) append_lines(out, "  seen", line);
    append_lines(out, "  fix", attempt.finding.fix);
    if (!attempt.finding.code.empty()) append_lines(out, "  more", explain_command(attempt.finding.code));
  }
  for (const auto& line : page.absent) append_lines(out, "not available", line);
  for (const auto& host : page.hosts) append_lines(out, "known host", host);
  append_lines(out, "fix", page.fix);
  if (!page.code.empty()) append_lines(out, "more", explain_command(page.code));
  append_lines(out, "request", page.request_id);
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

std::string json_or_null(std::string_view text) { return text.empty() ? "null" : as_json(text); }

std::string finding_json(const Finding& finding) {
  if (finding.code.empty()) return "null";
  return fmt::format(R"({{"code":{},"message":{},"evidence":{},"fix":{},"explain":{}}})", as_json(finding.code), as_json(finding.message),
                     json_list(finding.evidence), json_or_null(finding.fix), as_json(explain_command(finding.code)));
}

std::string render_json(const ErrorPage& page) {
  std::string attempts;
  for (const auto& attempt : page.attempts) {
    if (!attempts.empty()) attempts += ',';
    attempts += fmt::format(R"({{"machine":{},"address":{},"error":{},"code":{},"finding":{}}})",
                            as_json(attempt.machine), as_json(address_text(attempt.address)),
                            attempt.error ? as_json(error_text(attempt.error)) : "null",
                            attempt.error ? as_json(connect_code(attempt.error)) : "null", finding_json(attempt.finding));
  }
  return fmt::format(
      R"({{"status":{},"code":{},"error":{},"fix":{},"app":{},"port":{},"attempts":[{}],"absent":{},"hosts":{},"explain":{},"request_id":{}}})"
      "\n",
      page.status, json_or_null(page.code), as_json(page.message), json_or_null(page.fix), json_or_null(page.app),
      page.port ? fmt::to_string(page.port) : "null", attempts, json_list(page.absent), json_list(page.hosts),
      page.code.empty() ? "null" : as_json(explain_command(page.code)), as_json(page.request_id));
}

// Nothing is loaded from elsewhere, and the reader's choice of light or dark is followed.
constexpr std::string_view kStyle = R"(:root{color-scheme:light dark;--back:#f6f5fa;--card:#fff;--text:#1c1a27;--dim:#6a6680;--line:#dedbe8;--bad:#b3261e;--good:#e8f5ec;--goodline:#2e7d4f}
@media(prefers-color-scheme:dark){:root{--back:#14131a;--card:#1e1c27;--text:#eceaf4;--dim:#a09bb5;--line:#353144;--bad:#ff8a80;--good:#173223;--goodline:#66bb85}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:16px/1.55 system-ui,sans-serif}
main{max-width:52rem;margin:0 auto;padding:3rem 1.25rem}
h1{margin:0 0 .5rem;font-size:1.6rem;color:var(--bad)}
h2{margin:1.6rem 0 .5rem;font-size:1rem}
h1 code{margin-left:.5rem;padding:.1rem .5rem;border:1px solid;border-radius:.4rem;font-size:1rem}
section{margin:1rem 0;padding:1rem 1.25rem;background:var(--card);border:1px solid var(--line);border-radius:.6rem}
section>:first-child{margin-top:0}
section>:last-child{margin-bottom:0}
p{margin:.5rem 0}
code,pre{font:.9rem/1.5 ui-monospace,monospace}
pre{margin:.5rem 0;padding:.75rem 1rem;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid var(--line);border-radius:.4rem}
.fix{background:var(--good);border-color:var(--goodline)}
.dim,footer{color:var(--dim)}
footer{margin-top:2rem;font-size:.85rem})";

constexpr std::string_view kWhatToDo = "What to do";

void append_html_list(std::string& out, std::string_view heading, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  fmt::format_to(std::back_inserter(out), "<h2>{}</h2>\n<pre{}>", heading, heading == kWhatToDo ? " class=\"fix\"" : "");
  for (std::size_t i = 0; i < lines.size(); ++i) out.append(i == 0 ? "" : "\n").append(as_html(lines[i]));
  out += "</pre>\n";
}

void append_html_attempt(std::string& out, const FailedAttempt& attempt) {
  const Finding& finding = attempt.finding;
  fmt::format_to(std::back_inserter(out), "<section>\n<p>Machine <code>{}</code> at <code>{}</code><br><span class=\"dim\">{}</span></p>\n",
                 as_html(attempt.machine), as_html(address_text(attempt.address)), as_html(error_line(attempt)));
  if (!finding.message.empty()) fmt::format_to(std::back_inserter(out), "<p><b>{}</b></p>\n", as_html(finding.message));
  append_html_list(out, "What was seen", finding.evidence);
  if (!finding.fix.empty()) append_html_list(out, kWhatToDo, {finding.fix});
  if (!finding.code.empty())
    fmt::format_to(std::back_inserter(out), "<p class=\"dim\">Verdict <code>{}</code>; more: <code>{}</code></p>\n", as_html(finding.code),
                   as_html(explain_command(finding.code)));
  out += "</section>\n";
}

std::string render_html(const ErrorPage& page) {
  const std::string status = fmt::format("{} {}", page.status, reason_phrase(page.status));
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n<title>{}</title>\n<style>{}</style>\n<main>\n<h1>{}{}</h1>\n<p>{}</p>\n",
      as_html(headline(page)), kStyle, status, page.code.empty() ? "" : fmt::format("<code>{}</code>", as_html(page.code)),
      as_html(page.message));
  if (!page.app.empty()) fmt::format_to(std::back_inserter(out), "<p class=\"dim\">App {}</p>\n", as_html(service_line(page)));
  for (const FailedAttempt& attempt : page.attempts) append_html_attempt(out, attempt);
  append_html_list(out, "Not available", page.absent);
  append_html_list(out, "Known hosts", page.hosts);
  if (!page.fix.empty()) append_html_list(out, kWhatToDo, {page.fix});
  if (!page.code.empty()) fmt::format_to(std::back_inserter(out), "<p class=\"dim\">More: <code>{}</code></p>\n", as_html(explain_command(page.code)));
  fmt::format_to(std::back_inserter(out),
                 "<footer>Request <code>{}</code>. flylocal's proxy answers here; on Fly.io the body is empty.</footer>\n</main>\n</html>\n",
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

std::string_view connect_code(int error) {
  switch (error) {
    case ECONNREFUSED:
      return "PC01";
    case ECONNRESET:
      return "PC03";
    case ECONNABORTED:
      return "PC04";
    case ETIMEDOUT:
      return "PC05";
    default:
      return "PC06";
  }
}

std::string_view reason_phrase(std::uint16_t status) {
  switch (status) {
    case 301:
      return "Moved Permanently";
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
    case 504:
      return "Gateway Timeout";
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
    page.port = dialled.service->internal_port;
    page.absent = dialled.service->absent;
  }
  switch (dialled.outcome) {
    case Dialled::Outcome::unknown_host:
      page.status = 404;
      page.message = fmt::format("No app here answers to the host name \"{}\".", host);
      for (const auto& [name, index] : dialled.port->routes) page.hosts.push_back(name);
      std::sort(page.hosts.begin(), page.hosts.end());
      page.fix = "Use one of the known hosts, or list this name under domains in flylocal.toml.";
      break;
    case Dialled::Outcome::no_machine:
      page.code = "PR04";
      page.message = fmt::format("App {} has no started machine that offers this service.", page.app);
      page.fix = "`flylocal machine list` shows the machines and `flylocal logs` why they ended; `flylocal machine start ID` starts one.";
      break;
    case Dialled::Outcome::unreachable:
      // PM05: the machine was started for the request and does not take it.
      page.code = dialled.woken.empty() ? "PR03" : "PM05";
      page.attempts = dialled.failed;
      page.message = fmt::format("No machine of app {} took the connection on port {} (attempts that failed: {}).",
                                 page.app, dialled.service->internal_port, dialled.failures);
      if (std::any_of(page.attempts.begin(), page.attempts.end(), [](const auto& attempt) { return attempt.finding.code.empty(); }))
        page.fix = fmt::format("Fly Proxy connects to the machine's private IPv4 address: the app has to listen on 0.0.0.0:{0} or [::]:{0}. "
                               "`flylocal check` says what it does.", page.port);
      break;
    case Dialled::Outcome::overloaded:
      page.code = dialled.failed.empty() ? "PR04" : "PR03";
      page.attempts = dialled.failed;
      page.message = fmt::format("Every healthy machine of app {} stayed at its hard limit of {} for too long.",
                                 page.app, dialled.service->concurrency.hard_limit.value_or(0));
      page.fix = "Raise hard_limit in fly.toml, or run more machines: `flylocal scale count N`.";
      break;
    case Dialled::Outcome::queue_full:
      page.code = "PR04";
      page.message = fmt::format("Too many requests wait for a machine of app {} already.", page.app);
      page.fix = "Raise hard_limit in fly.toml, or run more machines: `flylocal scale count N`.";
      break;
    case Dialled::Outcome::unhealthy:
      page.code = "PR04";
      page.message = fmt::format("No machine of app {} passes its service checks.", page.app);
      page.fix = "`flylocal checks list` shows what each check got.";
      break;
    case Dialled::Outcome::cordoned:
      page.code = "PR04";
      page.message = fmt::format("All machines of app {} are cordoned.", page.app);
      page.fix = "`flylocal machine uncordon ID` lets requests reach a machine again.";
      break;
    case Dialled::Outcome::wake_failed:
      page.code = "PM07";
      page.message = fmt::format("Machine {} of app {} was to be started for this request, but its start failed.",
                                 dialled.woken, page.app);
      page.fix = "`flylocal logs` shows what the machine said.";
      break;
    case Dialled::Outcome::wake_late:
      page.code = "PM03";
      page.message = fmt::format("Machine {} of app {} was started for this request, but was not ready in time.",
                                 dialled.woken, page.app);
      page.fix = "`flylocal logs` shows what the machine said.";
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
  page.port = dialled.service->internal_port;
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
