#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/dial.hpp"

/// Answers that the proxy gives by itself. On the platform they have no body; here they are there to be read
/// by the developer of the app, and say which machine, which address and why.
namespace flylocal::proxy {

enum class PageFormat : std::uint8_t { text, json, html };

/// What the client likes to get, by its Accept field: HTML for browsers, JSON for those who ask for it.
PageFormat choose_format(std::string_view accept);

struct ErrorPage {
  std::uint16_t status = 0;
  std::string_view code;  ///< the platform's error code (platform.md 4.8); empty where it has none
  std::string message;    ///< one sentence
  std::string fix;        ///< what to do when no attempt's finding says it; may be empty
  std::string app;        ///< empty when not known
  std::uint16_t port = 0;  ///< the service's internal_port; 0: not known
  std::vector<FailedAttempt> attempts;
  std::vector<std::string> absent;  ///< machines that cannot take traffic, and why
  std::vector<std::string> hosts;   ///< host names that would have been known
  std::string request_id;
  std::string location;  ///< of a redirect, which has no body; else empty
};

/// The platform's code for a connection to a machine that failed (platform.md 4.8); `error` is an errno.
std::string_view connect_code(int error);

ErrorPage page_for_bad_request(const http1::HeadError& error);
/// For a dial that did not end with a connection.
ErrorPage page_for_failed_dial(const Dialled& dialled, std::string_view host);
/// For a machine that took the request and gave no usable answer.
ErrorPage page_for_broken_answer(const Dialled& dialled, std::string_view what);

std::string_view content_type(PageFormat format);
std::string render(const ErrorPage& page, PageFormat format);

/// The reason phrase of the statuses the proxy answers with.
std::string_view reason_phrase(std::uint16_t status);

}  // namespace flylocal::proxy
