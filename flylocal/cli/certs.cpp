#include "flylocal/cli/certs.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/json.hpp>
#include <chrono>
#include <optional>
#include <vector>

#include "flylocal/cli/exit_code.hpp"
#include "flylocal/cli/output.hpp"
#include "flylocal/store/state_directory.hpp"
#include "proxy/tls/certificate_authority.hpp"

namespace flylocal::cli {
namespace {

namespace json = boost::json;
using proxy::tls::CertificateAuthority;
using proxy::tls::CertificateFacts;
using std::chrono::system_clock;

std::string day(system_clock::time_point time) { return fmt::format("{:%Y-%m-%d}", fmt::gmtime(system_clock::to_time_t(time))); }
std::string instant(system_clock::time_point time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(system_clock::to_time_t(time)));
}

json::object to_json(const CertificateFacts& facts) {
  json::array names;
  for (const std::string& name : facts.names) names.emplace_back(name);
  return {{"subject", facts.subject}, {"issuer", facts.issuer}, {"names", std::move(names)}, {"serial", facts.serial},
          {"sha256", facts.sha256},   {"not_before", instant(facts.begins)}, {"not_after", instant(facts.ends)}, {"pem", facts.pem}};
}

/// Of the names, the one that the certificate was made for.
std::string own_name(const CertificateFacts& facts) { return facts.names.empty() ? facts.subject : facts.names.front(); }

std::string describe(const CertificateFacts& facts) {
  std::string text = fmt::format("  Issuer:   {}\n", printable(facts.issuer));
  if (!facts.names.empty()) text += printable(fmt::format("  Names:    {}", fmt::join(facts.names, ", "))) + "\n";
  return text + fmt::format("  Valid:    {} to {}\n  Serial:   {}\n  SHA-256:  {}", day(facts.begins), day(facts.ends), facts.serial, facts.sha256);
}

std::optional<std::filesystem::path> directory() {
  auto found = store::certificates_directory();
  if (found) return *found;
  complain(found.error().message);
  return std::nullopt;
}

void print_pem(const CertificateFacts& facts) { fmt::print("{}", facts.pem); }

}  // namespace

std::string how_to_trust(const std::string& path) {
  return fmt::format(
      "curl        curl --cacert {0} https://APP.localhost:8443/\n"
      "            or for all of a shell: export CURL_CA_BUNDLE={0}\n"
      "Node        export NODE_EXTRA_CA_CERTS={0}\n"
      "Python      export SSL_CERT_FILE={0}        (requests: REQUESTS_CA_BUNDLE)\n"
      "Go          export SSL_CERT_FILE={0}\n"
      "psql        psql \"host=APP.localhost port=5432 sslmode=verify-full sslrootcert={0}\"\n"
      "Chromium    certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n flylocal -i {0}\n"
      "Firefox     certutil -d sql:PROFILE_DIRECTORY -A -t C,, -n flylocal -i {0}\n"
      "            or in policies.json: {{\"policies\": {{\"Certificates\": {{\"Install\": [\"{0}\"]}}}}}}\n"
      "Debian      sudo cp {0} /usr/local/share/ca-certificates/flylocal.crt && sudo update-ca-certificates\n"
      "Fedora      sudo trust anchor {0}\n"
      "\n"
      "CURL_CA_BUNDLE and SSL_CERT_FILE stand for all authorities of the program: other sites are no longer trusted then.\n"
      "Whoever has the key beside this file can pass for any site to those who trust it: it is for this host alone.",
      path);
}

int certs_ca(const CertsOptions& options) {
  const auto where = directory();
  if (!where) return kCannotRun;
  auto authority = CertificateAuthority::open(*where);
  if (!authority) {
    complain(authority.error().message);
    return kCannotRun;
  }
  const CertificateFacts& facts = (*authority)->facts();
  const std::string path = (*authority)->certificate_path().string();
  if (options.pem) {
    print_pem(facts);
  } else if (options.json) {
    json::object out = to_json(facts);
    out["path"] = path;
    say(json::serialize(out));
  } else {
    say(paint(Colour::kBold, facts.subject));
    say(fmt::format("  File:     {}", printable(path)));
    say(describe(facts));
    say("\n" + paint(Colour::kBold, "To trust it"));
    say(printable_lines(how_to_trust(path)));
  }
  return kOk;
}

int certs_list(const CertsOptions& options) {
  const auto where = directory();
  if (!where) return kCannotRun;
  const std::vector<CertificateFacts> all = CertificateAuthority::list(*where);
  if (options.json) {
    json::array out;
    for (const CertificateFacts& facts : all) out.push_back(to_json(facts));
    say(json::serialize(out));
  } else if (all.empty()) {
    say("No certificate was signed yet: a name gets one when a client first asks for it over TLS.");
  } else {
    std::vector<std::vector<std::string>> rows{{"NAME", "VALID UNTIL", "SERIAL"}};
    for (const CertificateFacts& facts : all) rows.push_back({printable(own_name(facts)), day(facts.ends), facts.serial});
    fmt::print("{}", table(rows));
  }
  return kOk;
}

int certs_show(const CertsOptions& options) {
  const auto where = directory();
  if (!where) return kCannotRun;
  const auto facts = CertificateAuthority::find(*where, options.name);
  if (!facts) {
    complain(fmt::format("{} has no certificate: a name gets one when a client first asks for it over TLS; `flylocal certs list` shows "
                         "those that have",
                         printable(options.name)));
    return kProblem;
  }
  if (options.pem) {
    print_pem(*facts);
  } else if (options.json) {
    say(json::serialize(to_json(*facts)));
  } else {
    say(paint(Colour::kBold, printable(own_name(*facts))));
    say(describe(*facts));
  }
  return kOk;
}

}  // namespace flylocal::cli
