#include "proxy/tls/certificate_authority.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "../temporary_directory.hpp"
#include "proxy/tls/leaf_cache.hpp"

using namespace flylocal;
using namespace flylocal::proxy::tls;
using flylocal::tests::read_file;
using flylocal::tests::TemporaryDirectory;
using Catch::Matchers::Contains;

namespace {

mode_t mode_of(const std::filesystem::path& path) {
  struct stat found{};
  REQUIRE(::stat(path.c_str(), &found) == 0);
  return found.st_mode & 07777;
}

/// OpenSSL's own verdict: 0 when the certificate is good for a TLS server under the authority.
int verdict(X509& leaf, const CertificateAuthority& authority, const char* host) {
  std::unique_ptr<X509_STORE, Releaser<X509_STORE_free>> store(X509_STORE_new());
  REQUIRE(X509_STORE_load_file(store.get(), authority.certificate_path().c_str()) == 1);
  std::unique_ptr<X509_STORE_CTX, Releaser<X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
  REQUIRE(X509_STORE_CTX_init(check.get(), store.get(), &leaf, nullptr) == 1);
  X509_STORE_CTX_set_purpose(check.get(), X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(check.get());
  X509_VERIFY_PARAM_set1_host(rules, host, 0);
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT);
  return X509_verify_cert(check.get()) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(check.get());
}

}  // namespace

TEST_CASE("an authority is made on first use, with files of the right modes, and found again") {
  TemporaryDirectory scratch;
  const auto directory = scratch.path() / "state/certs";
  const auto made = CertificateAuthority::open(directory);
  REQUIRE(made.has_value());
  CHECK(mode_of(directory) == 0700);
  CHECK(mode_of(directory / "ca-key.pem") == 0600);
  CHECK(mode_of(directory / "ca.pem") == 0644);
  CHECK((*made)->facts().subject.starts_with("flylocal local authority "));
  CHECK((*made)->facts().subject == (*made)->facts().issuer);
  CHECK((*made)->facts().pem == read_file(directory / "ca.pem"));
  const auto years = std::chrono::duration_cast<std::chrono::years>((*made)->facts().ends - std::chrono::system_clock::now());
  CHECK(years.count() == 9);  // ten, less the tolerance for clocks
  const std::string key = read_file(directory / "ca-key.pem");
  const auto again = CertificateAuthority::open(directory);
  REQUIRE(again.has_value());
  CHECK((*again)->facts().sha256 == (*made)->facts().sha256);
  CHECK(read_file(directory / "ca-key.pem") == key);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++files;
  CHECK(files == 2);
}

TEST_CASE("two authorities have different names and keys") {
  TemporaryDirectory scratch;
  const auto one = CertificateAuthority::open(scratch.path() / "one"), two = CertificateAuthority::open(scratch.path() / "two");
  REQUIRE((one.has_value() && two.has_value()));
  CHECK((*one)->facts().subject != (*two)->facts().subject);
  const auto leaf = (*one)->issue("hello.localhost");
  REQUIRE(leaf.has_value());
  CHECK(verdict(*leaf->certificate, **two, "hello.localhost") != X509_V_OK);
}

TEST_CASE("a leaf is good for its name, localhost and the loopback addresses, as a TLS server, for at most 397 days") {
  TemporaryDirectory scratch;
  const auto authority = CertificateAuthority::open(scratch.path());
  REQUIRE(authority.has_value());
  const auto leaf = (*authority)->issue("hello.fly.dev");
  REQUIRE(leaf.has_value());
  X509& certificate = *leaf->certificate;
  CHECK(verdict(certificate, **authority, "hello.fly.dev") == X509_V_OK);
  CHECK(verdict(certificate, **authority, "localhost") == X509_V_OK);
  CHECK(verdict(certificate, **authority, "other.fly.dev") == X509_V_ERR_HOSTNAME_MISMATCH);
  CHECK(verdict(certificate, **authority, "sub.hello.fly.dev") == X509_V_ERR_HOSTNAME_MISMATCH);
  CHECK(X509_check_ip_asc(&certificate, "127.0.0.1", 0) == 1);
  CHECK(X509_check_ip_asc(&certificate, "::1", 0) == 1);
  CHECK(X509_check_ca(&certificate) == 0);
  CHECK(X509_check_purpose(&certificate, X509_PURPOSE_SSL_SERVER, 0) == 1);
  CHECK(X509_check_purpose(&certificate, X509_PURPOSE_SSL_CLIENT, 0) == 0);
  CHECK(X509_get_key_usage(&certificate) == KU_DIGITAL_SIGNATURE);
  const auto facts = facts_of(certificate);
  REQUIRE(facts.has_value());
  CHECK(facts->names == std::vector<std::string>{"hello.fly.dev", "localhost", "127.0.0.1", "::1"});
  CHECK(facts->ends - facts->begins < std::chrono::days(397));
  CHECK(facts->ends - facts->begins > std::chrono::days(396));
  CHECK(facts->issuer == (*authority)->facts().subject);
}

TEST_CASE("a name that is too long for a common name gets a certificate by its alternative name") {
  TemporaryDirectory scratch;
  const auto authority = CertificateAuthority::open(scratch.path());
  REQUIRE(authority.has_value());
  const std::string name = std::string(60, 'a') + ".example.com";
  const auto leaf = (*authority)->issue(name);
  REQUIRE(leaf.has_value());
  CHECK(verdict(*leaf->certificate, **authority, name.c_str()) == X509_V_OK);
}

TEST_CASE("what is no host name gets no certificate") {
  TemporaryDirectory scratch;
  const auto authority = CertificateAuthority::open(scratch.path());
  REQUIRE(authority.has_value());
  for (const char* name : {"", "a b", "x,DNS:evil.example", "../../x", "x/y", "UPPER.example", "caf\xc3\xa9.example"}) {
    INFO(name);
    CHECK_FALSE((*authority)->issue(name).has_value());
    CHECK_FALSE(self_signed_leaf(name).has_value());
  }
}

TEST_CASE("what was issued can be listed and found by name, the newest for each") {
  TemporaryDirectory scratch;
  CHECK(CertificateAuthority::list(scratch.path() / "none").empty());
  const auto authority = CertificateAuthority::open(scratch.path());
  REQUIRE(authority.has_value());
  for (const char* name : {"two.localhost", "one.localhost", "two.localhost"}) REQUIRE((*authority)->issue(name).has_value());
  const auto all = CertificateAuthority::list(scratch.path());
  REQUIRE(all.size() == 2);
  CHECK(all[0].subject == "one.localhost");
  CHECK(all[1].subject == "two.localhost");
  const auto found = CertificateAuthority::find(scratch.path(), "two.localhost");
  REQUIRE(found.has_value());
  CHECK(found->serial == all[1].serial);
  CHECK_FALSE(CertificateAuthority::find(scratch.path(), "three.localhost").has_value());
  CHECK_FALSE(CertificateAuthority::find(scratch.path(), "../ca").has_value());
}

TEST_CASE("an authority whose certificate was never written goes on with its key") {
  TemporaryDirectory scratch;
  REQUIRE(CertificateAuthority::open(scratch.path()).has_value());
  const std::string key = read_file(scratch.path() / "ca-key.pem");
  std::filesystem::remove(scratch.path() / "ca.pem");
  const auto again = CertificateAuthority::open(scratch.path());
  REQUIRE(again.has_value());
  CHECK(read_file(scratch.path() / "ca-key.pem") == key);
  const auto leaf = (*again)->issue("hello.localhost");
  REQUIRE(leaf.has_value());
  CHECK(verdict(*leaf->certificate, **again, "hello.localhost") == X509_V_OK);
}

TEST_CASE("an authority that cannot be used is refused with the file's name and left as it is") {
  struct Case {
    const char* what;
    std::function<void(const TemporaryDirectory&)> spoil;
    const char* message;
  };
  const Case cases[] = {
      {"no key", [](const auto& at) { std::filesystem::remove(at.path() / "ca-key.pem"); }, "its key ca-key.pem is not"},
      {"a key that others can read", [](const auto& at) { ::chmod((at.path() / "ca-key.pem").c_str(), 0640); }, "chmod 600"},
      {"half a key", [](const auto& at) { at.write("ca-key.pem", "-----BEGIN PRIVATE KEY-----\nMIG"); }, "is no key that can be used"},
      {"no certificate in its file", [](const auto& at) { at.write("ca.pem", "hello\n"); }, "is no certificate that can be used"},
      {"another one's certificate",
       [](const auto& at) {
         TemporaryDirectory other;
         REQUIRE(CertificateAuthority::open(other.path()).has_value());
         at.write("ca.pem", read_file(other.path() / "ca.pem"));
       },
       "do not belong together"},
      {"a leaf's certificate",
       [](const auto& at) {
         const auto leaf = self_signed_leaf("hello.localhost");
         Bio key(BIO_new_file((at.path() / "ca-key.pem").c_str(), "w"));
         PEM_write_bio_PrivateKey(key.get(), leaf->key.get(), nullptr, nullptr, 0, nullptr, nullptr);
         at.write("ca.pem", facts_of(*leaf->certificate)->pem);
       },
       "not the certificate of an authority"},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    TemporaryDirectory scratch;
    REQUIRE(CertificateAuthority::open(scratch.path()).has_value());
    c.spoil(scratch);
    const auto refused = CertificateAuthority::open(scratch.path());
    REQUIRE_FALSE(refused.has_value());
    CHECK_THAT(refused.error().message, Contains(c.message) && Contains(scratch.path().string()));
    CHECK_FALSE(CertificateAuthority::open(scratch.path()).has_value());
  }
  TemporaryDirectory scratch;
  scratch.write("file", "");
  CHECK_THAT(CertificateAuthority::open(scratch.path() / "file").error().message, Contains((scratch.path() / "file").string()));
}

TEST_CASE("the cache of leaves has a bound, and a connection outlives its certificate's stay in it") {
  TemporaryDirectory scratch;
  const auto authority = CertificateAuthority::open(scratch.path());
  REQUIRE(authority.has_value());
  LeafCache cache(*authority);
  const Connection first = cache.new_connection();
  REQUIRE(cache.show(*first, "first.localhost", false).has_value());
  const auto serial = CertificateAuthority::find(scratch.path(), "first.localhost")->serial;
  for (std::size_t i = 0; i < LeafCache::kMaxLeaves; ++i)
    REQUIRE(cache.show(*cache.new_connection(), "app" + std::to_string(i) + ".localhost", false).has_value());
  CHECK(cache.size() == LeafCache::kMaxLeaves);
  CHECK(facts_of(*SSL_get_certificate(first.get()))->serial == serial);
  const Connection again = cache.new_connection();
  REQUIRE(cache.show(*again, "first.localhost", false).has_value());
  CHECK(facts_of(*SSL_get_certificate(again.get()))->serial != serial);
  const Connection same = cache.new_connection();
  REQUIRE(cache.show(*same, "first.localhost", false).has_value());
  CHECK(SSL_get_certificate(same.get()) == SSL_get_certificate(again.get()));
  CHECK_FALSE(cache.show(*same, "no host", false).has_value());
}
