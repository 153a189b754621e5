#pragma once

#include <string>

#include "flylocal/report/http_verdict.hpp"

/// What programs answer, for the tests of what is made of it.
namespace flylocal::report::tests {

inline HttpAnswer answer(int status, std::string location = "") {
  HttpAnswer result;
  result.kind = HttpAnswer::Kind::kAnswered;
  result.reach = Reach::kReachable;
  result.status = status;
  result.location = std::move(location);
  result.words = "HTTP/1.1 " + std::to_string(status);
  return result;
}

/// Anything else than an HTTP answer.
inline HttpAnswer other(HttpAnswer::Kind kind, std::string words = "") {
  HttpAnswer result;
  result.kind = kind;
  result.reach = kind == HttpAnswer::Kind::kNoConnection ? Reach::kRefused : Reach::kReachable;
  result.words = std::move(words);
  return result;
}

/// The program was asked once, for the host shop.fly.dev.
inline HttpEvidence asked(HttpAnswer answer) {
  HttpEvidence seen;
  seen.host = "shop.fly.dev";
  seen.asked = std::move(answer);
  return seen;
}

}  // namespace flylocal::report::tests
