#include "flylocal/report/host_refusal.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "tests/unit/report/answers.hpp"

using namespace flylocal::report;
using namespace flylocal::report::tests;

namespace {

HttpAnswer with_body(int status, std::string body) {
  HttpAnswer result = answer(status);
  result.body = std::move(body);
  return result;
}

}  // namespace

TEST_CASE("frameworks that refuse a host are known by their own words") {
  struct Case {
    int status;
    const char* body;
    const char* words;
    const char* fix;  ///< how it begins
  };
  const Case cases[] = {
      {400, "<html>\n<body>\n  <h1>Bad Request (400)</h1><p></p>\n</body>", "Bad Request (400)", "Django: ALLOWED_HOSTS"},
      {400, "<title>DisallowedHost\n at /</title>", "DisallowedHost", "Django"},
      {400, "<pre class=\"exception_value\">Invalid HTTP_HOST header: shop.fly.dev. You may need to add it</pre>", "Invalid HTTP_HOST header: shop.fly.dev. You may need to add it", "Django"},
      {403, "<header>\n  <h1>Blocked host: shop.fly.dev</h1>", "Blocked host: shop.fly.dev", "Rails: config.hosts"},
      {403, "<h1>Blocked hosts: shop.fly.dev</h1>", "Blocked hosts: shop.fly.dev", "Rails"},
      {403, "Host not permitted", "Host not permitted", "Sinatra"},
      {400, "Invalid host header", "Invalid host header", "Starlette"},
      {400, "<p>Host &#39;shop.fly.dev&#39; is not trusted.</p>", "Host &#39;shop.fly.dev&#39; is not trusted.", "Flask"},
      {400, "<HR><P>HTTP Error 400. The request hostname is invalid.</P>", "HTTP Error 400. The request hostname is invalid.", "ASP.NET"},
      {403, "Blocked request. This host (\"shop.fly.dev\") is not allowed.\nTo allow this host", "Blocked request. This host (\"shop.fly.dev\") is not allowed.", ""},
      {403, "Invalid Host header", "Invalid Host header", ""},
      {200, "Invalid Host header", "Invalid Host header", ""},
      {421, "", "HTTP/1.1 421", ""},
  };
  for (const Case& c : cases) {
    INFO(c.body);
    const auto refusal = find_host_refusal(with_body(c.status, c.body));
    REQUIRE(refusal);
    CHECK(refusal->words == c.words);
    CHECK_THAT(std::string(refusal->fix), Catch::StartsWith(c.fix));
    CHECK(refusal->fix.empty() == std::string_view(c.fix).empty());
  }
}

TEST_CASE("who turns everybody down for another reason does not refuse the host") {
  const HttpAnswer others[] = {
      with_body(400, "<html><head><title>400 Bad Request</title></head><body><center><h1>400 Bad Request</h1></center><hr><center>nginx</center>"),
      with_body(403, "<center><h1>403 Forbidden</h1></center><hr><center>nginx/1.22.1</center>"),
      with_body(403, "{\"message\":\"Missing Authentication Token\"}"),
      with_body(400, "{\"error\":\"missing parameter: host\"}"),
      with_body(403, ""),
      with_body(401, "Blocked host"),
      with_body(404, "Blocked host"),
      with_body(200, "How to mend: Invalid Host header"),
      other(HttpAnswer::Kind::kClosed, "Blocked host"),
  };
  for (const HttpAnswer& one : others) {
    INFO(one.status << " " << one.body);
    CHECK_FALSE(find_host_refusal(one));
  }
}

TEST_CASE("the log tells of a host by its name, the newest line first") {
  const std::vector<std::string> lines = {"[HostAuthorization] Blocked host: a.fly.dev", "Invalid HTTP_HOST header: 'a.fly.dev'. You may need to add it", "GET / 400",
                                          "Blocked host: b.fly.dev"};
  const auto refusal = find_host_refusal(lines, "a.fly.dev");
  REQUIRE(refusal);
  CHECK_THAT(refusal->words, Catch::StartsWith("Invalid HTTP_HOST header: 'a.fly.dev'"));
  CHECK_FALSE(find_host_refusal(lines, "c.fly.dev"));
  CHECK_FALSE(find_host_refusal(std::vector<std::string>{"GET http://a.fly.dev/ 403"}, "a.fly.dev"));
}
