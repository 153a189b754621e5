#include "flylocal/cli/requests.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <vector>

#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/cli/sandbox_client.hpp"

namespace flylocal::cli {
namespace {

namespace json = boost::json;

std::string clock_text(std::chrono::milliseconds since_epoch) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch);
  return fmt::format("{:%H:%M:%S}.{:03}", fmt::localtime(static_cast<std::time_t>(seconds.count())), (since_epoch - seconds).count());
}

std::string duration_text(double milliseconds) {
  if (milliseconds >= 9999.5) return fmt::format("{:.1f} s", milliseconds / 1000);
  const int decimals = milliseconds < 0.095 ? 2 : milliseconds < 10 ? 1 : 0;
  return fmt::format("{:.{}f} ms", milliseconds, decimals);
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  if (bytes < 1'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

/// "connect 0.2 ms"; nothing when it does not apply.
std::string time_text(const json::object& request, std::string_view what, std::string_view key) {
  const json::value& time = request.at(json::string_view(key.data(), key.size()));
  return time.is_null() ? std::string() : fmt::format("{} {}", what, duration_text(time.to_number<double>()));
}

Colour colour_of_status(std::int64_t status) {
  return status >= 500 ? Colour::kRed : status >= 400 ? Colour::kYellow : status >= 300 ? Colour::kCyan : Colour::kGreen;
}

}  // namespace

std::string request_text(const json::object& request) {
  const std::string machine = text_of(request, "machine"), app = text_of(request, "app"), error = text_of(request, "error");
  const std::string protocol = text_of(request, "protocol");
  const bool is_tcp = protocol == "TCP", secure = request.at("secure").as_bool(), aborted = request.at("aborted").as_bool();
  const std::string method = text_of(request, "method");
  // A head that was refused has none.
  const std::string what = is_tcp           ? fmt::format("TCP {}", app)
                           : protocol == "TLS" ? fmt::format("TLS {}", text_of(request, "host"))
                           : method.empty() ? "(refused)"
                                            : fmt::format("{} {}{}{}", method, secure ? "https://" : "", text_of(request, "host"), text_of(request, "target"));
  const json::value& status = request.at("status");
  std::string outcome;
  if (!status.is_null()) outcome = paint(colour_of_status(status.as_int64()), fmt::format("{}", status.as_int64()));
  if (!error.empty()) outcome += (outcome.empty() ? "" : " ") + paint(Colour::kRed, error);
  if (aborted) outcome += (outcome.empty() ? "" : " ") + paint(Colour::kYellow, "aborted");
  if (outcome.empty()) outcome = paint(Colour::kGreen, "closed");

  std::vector<std::string> notes;
  const auto note = [&notes](std::string text) {
    if (!text.empty()) notes.push_back(std::move(text));
  };
  note(printable(text_of(request, "detail")));
  const std::string woken = text_of(request, "woken");
  note(time_text(request, woken.empty() ? "wake" : "wake of " + woken, "wake_ms"));
  note(time_text(request, "queue", "queue_ms"));
  note(request.at("reused").as_bool() ? "connection reused" : time_text(request, "connect", "connect_ms"));
  note(time_text(request, "first byte", "first_byte_ms"));
  note(time_text(request, "total", "total_ms"));
  if (const auto retries = request.at("retries").to_number<std::uint64_t>(); retries > 0) note(fmt::format("{} {}", retries, retries == 1 ? "retry" : "retries"));
  if (is_tcp || (aborted && protocol != "TLS"))
    note(fmt::format("{} up, {} down", size_text(request.at("bytes_up").to_number<std::uint64_t>()), size_text(request.at("bytes_down").to_number<std::uint64_t>())));
  if (protocol == "HTTP/2" || protocol == "HTTP/1.0") note(protocol);

  const std::string where = machine.empty() ? std::string() : " " + paint(colour_of(machine), fmt::format("{}[{}]", machine, text_of(request, "region")));
  return fmt::format("{} {} {} {}{} {}", paint(Colour::kDim, clock_text(std::chrono::milliseconds(request.at("timestamp").as_int64()))),
                     printable(text_of(request, "edge_region")), printable(what), outcome, where, paint(Colour::kDim, fmt::format("{}", fmt::join(notes, ", "))));
}

int requests(const RequestsOptions& options) {
  auto client = connect_to_sandbox();
  if (!client) return kCannotRun;
  if (!options.app.empty()) {
    auto status = fetch_status(*client);
    if (!status || !choose_machine(*status, options.app, "")) return kCannotRun;
  }
  std::string target = fmt::format("/flylocal/v1/requests?follow={}&app={}", options.follow ? 1 : 0, api::url_encode(options.app));
  if (options.count) target += fmt::format("&limit={}", *options.count);
  auto done = client->stream(target, [&](const std::string& text) {
    if (options.json) {
      say(text);
      return std::ferror(stdout) == 0;
    }
    boost::system::error_code error;
    json::value value = json::parse(text, error);
    if (error || !value.is_object()) return true;
    const json::object& line = value.get_object();
    if (const json::value* missed = line.if_contains("missed"))
      say(paint(Colour::kDim, fmt::format("{} request{} not shown: they came faster than they could be read",
                                          missed->to_number<std::uint64_t>(), missed->to_number<std::uint64_t>() == 1 ? "" : "s")));
    else say(request_text(line));
    return std::ferror(stdout) == 0;
  });
  if (done) return kOk;
  complain(done.error().message);
  return kProblem;
}

}  // namespace flylocal::cli
