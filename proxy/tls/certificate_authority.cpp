#include "proxy/tls/certificate_authority.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <random>

#include "flylocal/base/unique_fd.hpp"

namespace flylocal::proxy::tls {
namespace {

namespace fs = std::filesystem;
using std::chrono::days;
using std::chrono::system_clock;

constexpr const char* kKeyFile = "ca-key.pem";
constexpr const char* kCertificateFile = "ca.pem";
constexpr const char* kIssuedDirectory = "issued";
constexpr mode_t kSecret = 0600, kPublic = 0644, kOwnDirectory = 0700;
constexpr std::size_t kMaxFile = 64 * 1024;
constexpr days kAuthorityLife{3652};
// The CA/Browser Forum's and the browsers' limit.
constexpr days kLeafLife{397};
// A guest's or a container's clock may be behind.
constexpr days kClockTolerance{1};
constexpr std::size_t kMaxCommonName = 64;  // RFC 5280 A.1, ub-common-name
constexpr std::size_t kMaxHostName = 253;

/// With what OpenSSL said.
Error failure(std::string_view act) { return {fmt::format("{}: {}", act, take_openssl_error())}; }

std::string text_of(BIO& memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(&memory, &data);
  return {data, static_cast<std::size_t>(std::max(size, 0L))};
}

std::string pem_of(X509& certificate) {
  Bio memory(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(memory.get(), &certificate);
  return text_of(*memory);
}

std::string pem_of(EVP_PKEY& key) {
  Bio memory(BIO_new(BIO_s_secmem()));
  PEM_write_bio_PrivateKey(memory.get(), &key, nullptr, nullptr, 0, nullptr, nullptr);
  return text_of(*memory);
}

Result<std::string> read_file(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("read " + path.string(), errno);
  std::string text(kMaxFile, '\0');
  const ssize_t got = ::read(fd.get(), text.data(), text.size());
  if (got < 0) return system_error("read " + path.string(), errno);
  text.resize(static_cast<std::size_t>(got));
  return Result<std::string>(boost::system::in_place_value, std::move(text));
}

enum class Durable { yes, no };

/// Writes beside the file and renames, so that nobody ever sees half of it.
Result<> write_file(const fs::path& path, std::string_view text, mode_t mode, Durable durable) {
  std::string temporary = path.string() + ".XXXXXX";
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));  // 0600
  if (!fd) return system_error("write " + path.string(), errno);
  const bool written = ::fchmod(fd.get(), mode) == 0 &&
                       ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       (durable == Durable::no || ::fsync(fd.get()) == 0) && ::rename(temporary.c_str(), path.c_str()) == 0;
  if (written) return {};
  const int error = errno;
  ::unlink(temporary.c_str());
  return system_error("write " + path.string(), error);
}

PrivateKey make_key() { return PrivateKey(EVP_EC_gen("P-256")); }

bool set_random_serial(X509& certificate) {
  std::unique_ptr<BIGNUM, Releaser<BN_free>> number(BN_new());
  constexpr int kBits = 127;  // RFC 5280 4.1.2.2: positive, 20 octets at most
  return number && BN_rand(number.get(), kBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

bool set_life(X509& certificate, days life) {
  const auto begins = system_clock::now() - kClockTolerance;
  // Both ends count (RFC 5280 4.1.2.5).
  const auto ends = begins + life - std::chrono::seconds(1);
  return ASN1_TIME_set(X509_getm_notBefore(&certificate), system_clock::to_time_t(begins)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(&certificate), system_clock::to_time_t(ends)) != nullptr;
}

bool add_text(X509_NAME* name, const char* field, std::string_view text) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

bool add_extension(X509& certificate, X509& issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, Releaser<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension && X509_add_ext(&certificate, extension.get(), -1) == 1;
}

/// What certificates of both kinds have. The subject's fields are still to come.
Certificate blank_certificate(EVP_PKEY& key, days life) {
  Certificate certificate(X509_new());
  constexpr long kVersion3 = 2;
  const bool made = certificate && X509_set_version(certificate.get(), kVersion3) == 1 && set_random_serial(*certificate) &&
                    set_life(*certificate, life) && X509_set_pubkey(certificate.get(), &key) == 1 &&
                    add_text(X509_get_subject_name(certificate.get()), "O", "flylocal");
  return made ? std::move(certificate) : nullptr;
}

Result<Certificate> make_authority_certificate(EVP_PKEY& key) {
  // Browsers tell authorities apart by name; somebody may trust those of two hosts.
  const std::string name = fmt::format("flylocal local authority {:06x}", std::random_device()() & 0xffffff);
  Certificate certificate = blank_certificate(key, kAuthorityLife);
  const bool made = certificate && add_text(X509_get_subject_name(certificate.get()), "CN", name) &&
                    X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get())) == 1 &&
                    add_extension(*certificate, *certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    add_extension(*certificate, *certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    add_extension(*certificate, *certificate, NID_subject_key_identifier, "hash") &&
                    X509_sign(certificate.get(), &key, EVP_sha256()) > 0;
  if (!made) return failure("make the certificate of the local authority");
  return certificate;
}

/// Letters, digits, dots and hyphens: what may stand in an extension's text and in a file's name.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxHostName && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
         });
}

/// Signed by `issuer`, or by itself where there is none.
Result<Leaf> make_leaf(std::string_view name, X509* issuer, EVP_PKEY* issuer_key) {
  if (!is_plain_name(name)) return Error{fmt::format("no certificate for {:?}: it is not a host name", name)};
  Leaf leaf;
  leaf.key = make_key();
  if (!leaf.key) return failure("make a key");
  leaf.certificate = blank_certificate(*leaf.key, kLeafLife);
  X509* const own = leaf.certificate.get();
  X509* const signer = issuer ? issuer : own;
  std::string names = fmt::format("DNS:{}", name);
  if (name != "localhost") names += ",DNS:localhost";
  names += ",IP:127.0.0.1,IP:::1";
  const bool made = own && (name.size() > kMaxCommonName || add_text(X509_get_subject_name(own), "CN", name)) &&
                    X509_set_issuer_name(own, X509_get_subject_name(signer)) == 1 &&
                    add_extension(*own, *signer, NID_basic_constraints, "critical,CA:FALSE") &&
                    add_extension(*own, *signer, NID_key_usage, "critical,digitalSignature") &&
                    add_extension(*own, *signer, NID_ext_key_usage, "serverAuth") &&
                    add_extension(*own, *signer, NID_subject_alt_name, names) &&
                    add_extension(*own, *signer, NID_subject_key_identifier, "hash") &&
                    (!issuer || add_extension(*own, *signer, NID_authority_key_identifier, "keyid:always")) &&
                    X509_sign(own, issuer_key ? issuer_key : leaf.key.get(), EVP_sha256()) > 0;
  if (!made) return failure(fmt::format("make a certificate for {}", name));
  return leaf;
}

Certificate parse_certificate(const std::string& pem) {
  Bio memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Certificate(PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
}

PrivateKey parse_key(const std::string& pem) {
  Bio memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  // An encrypted key: there is nobody to ask for its password.
  auto no_password = [](char*, int, int, void*) { return -1; };
  return PrivateKey(PEM_read_bio_PrivateKey(memory.get(), nullptr, no_password, nullptr));
}

constexpr std::string_view kStartAnew =
    "; to start anew remove the directory (clients then have to trust the new certificate)";

Result<PrivateKey> read_key(const fs::path& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return system_error("read " + path.string(), errno);
  if ((found.st_mode & 077) != 0)
    return Error{fmt::format("{} can be read by others (mode {:04o}), who could then pass for any site: chmod 600 it, or remove the "
                             "directory if others had access",
                             path.string(), found.st_mode & 07777)};
  auto pem = read_file(path);
  if (!pem) return pem.error();
  PrivateKey key = parse_key(*pem);
  if (!key) return Error{failure(fmt::format("{} is no key that can be used", path.string())).message + std::string(kStartAnew)};
  return key;
}

Result<Certificate> read_certificate(const fs::path& path, EVP_PKEY& key) {
  auto pem = read_file(path);
  if (!pem) return pem.error();
  Certificate certificate = parse_certificate(*pem);
  if (!certificate)
    return Error{failure(fmt::format("{} is no certificate that can be used", path.string())).message + std::string(kStartAnew)};
  if (X509_check_private_key(certificate.get(), &key) != 1) {
    ERR_clear_error();
    return Error{fmt::format("{} and {} beside it do not belong together{}", path.string(), kKeyFile, kStartAnew)};
  }
  if (X509_check_ca(certificate.get()) != 1)
    return Error{fmt::format("{} is not the certificate of an authority{}", path.string(), kStartAnew)};
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.get())) <= 0)
    return Error{fmt::format("the authority's certificate {} has expired{}", path.string(), kStartAnew)};
  return certificate;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

std::string common_name(const X509_NAME* name) {
  std::array<char, 256> text{};
  const int size = X509_NAME_get_text_by_NID(name, NID_commonName, text.data(), static_cast<int>(text.size()));
  return {text.data(), static_cast<std::size_t>(std::max(size, 0))};
}

system_clock::time_point time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return system_clock::from_time_t(::timegm(&parts));
}

std::vector<std::string> alternative_names(X509& certificate) {
  std::vector<std::string> names;
  std::unique_ptr<GENERAL_NAMES, Releaser<GENERAL_NAMES_free>> found(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; found && i < sk_GENERAL_NAME_num(found.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(found.get(), i);
    if (name->type == GEN_DNS) {
      names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                         static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      std::array<char, INET6_ADDRSTRLEN> text{};
      const int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
      if (::inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), text.data(), text.size())) names.emplace_back(text.data());
    }
  }
  return names;
}

std::optional<CertificateFacts> facts_of_file(const fs::path& path) {
  auto pem = read_file(path);
  if (!pem) return std::nullopt;
  Certificate certificate = parse_certificate(*pem);
  ERR_clear_error();
  if (!certificate) return std::nullopt;
  auto facts = facts_of(*certificate);
  return facts ? std::optional(std::move(*facts)) : std::nullopt;
}

fs::path issued_file(const fs::path& directory, std::string_view name) {
  return directory / kIssuedDirectory / (std::string(name) + ".pem");
}

}  // namespace

std::string take_openssl_error() {
  std::string text = "no reason given";
  if (const unsigned long code = ERR_peek_last_error()) {
    const char* reason = ERR_reason_error_string(code);
    text = reason ? reason : fmt::format("OpenSSL error {:#x}", code);
  }
  ERR_clear_error();
  return text;
}

Result<CertificateFacts> facts_of(X509& certificate) {
  CertificateFacts facts;
  facts.subject = common_name(X509_get_subject_name(&certificate));
  facts.issuer = common_name(X509_get_issuer_name(&certificate));
  facts.names = alternative_names(certificate);
  std::unique_ptr<BIGNUM, Releaser<BN_free>> serial(ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr));
  char* hex = serial ? BN_bn2hex(serial.get()) : nullptr;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (!hex || X509_digest(&certificate, EVP_sha256(), digest.data(), &size) != 1) {
    OPENSSL_free(hex);
    return failure("read a certificate");
  }
  facts.serial = hex;
  OPENSSL_free(hex);
  for (unsigned i = 0; i < size; ++i) facts.sha256 += fmt::format("{}{:02X}", i == 0 ? "" : ":", digest[i]);
  facts.begins = time_of(X509_get0_notBefore(&certificate));
  facts.ends = time_of(X509_get0_notAfter(&certificate));
  facts.pem = pem_of(certificate);
  return facts;
}

Result<Leaf> self_signed_leaf(std::string_view name) { return make_leaf(name, nullptr, nullptr); }

CertificateAuthority::CertificateAuthority(fs::path directory, Leaf own)
    : directory_(std::move(directory)),
      certificate_path_(directory_ / kCertificateFile),
      own_(std::move(own)),
      facts_(facts_of(*own_.certificate).value()) {}

Result<std::shared_ptr<const CertificateAuthority>> CertificateAuthority::open(const fs::path& directory) {
  std::error_code failed;
  const bool made = fs::create_directories(directory, failed);
  if (failed) return Error{fmt::format("make the directory of the local authority {}: {}", directory.string(), failed.message()), failed};
  if (made) ::chmod(directory.c_str(), kOwnDirectory);
  // Held while files are made and read: two processes must not make two authorities.
  UniqueFd lock(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) return system_error("open " + directory.string(), errno);

  const fs::path key_path = directory / kKeyFile, certificate_path = directory / kCertificateFile;
  Leaf own;
  if (!is_there(key_path)) {
    if (is_there(certificate_path))
      return Error{fmt::format("{} is there, but its key {} is not{}", certificate_path.string(), kKeyFile, kStartAnew)};
    own.key = make_key();
    if (!own.key) return failure("make a key");
    if (auto written = write_file(key_path, pem_of(*own.key), kSecret, Durable::yes); !written) return written.error();
  } else {
    auto key = read_key(key_path);
    if (!key) return key.error();
    own.key = std::move(*key);
  }
  if (!is_there(certificate_path)) {
    auto certificate = make_authority_certificate(*own.key);
    if (!certificate) return certificate.error();
    own.certificate = std::move(*certificate);
    if (auto written = write_file(certificate_path, pem_of(*own.certificate), kPublic, Durable::yes); !written) return written.error();
  } else {
    auto certificate = read_certificate(certificate_path, *own.key);
    if (!certificate) return certificate.error();
    own.certificate = std::move(*certificate);
  }
  return std::shared_ptr<const CertificateAuthority>(new CertificateAuthority(directory, std::move(own)));
}

Result<Leaf> CertificateAuthority::issue(std::string_view name) const {
  auto leaf = make_leaf(name, own_.certificate.get(), own_.key.get());
  if (leaf) keep(name, *leaf->certificate);
  return leaf;
}

void CertificateAuthority::keep(std::string_view name, X509& certificate) const {
  std::error_code failed;
  fs::create_directory(directory_ / kIssuedDirectory, failed);
  if (auto written = write_file(issued_file(directory_, name), pem_of(certificate), kPublic, Durable::no); !written)
    spdlog::warn("a certificate will not be listed: {}", written.error().message);
}

std::vector<CertificateFacts> CertificateAuthority::list(const fs::path& directory) {
  std::vector<fs::path> paths;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(directory / kIssuedDirectory, failed))
    if (entry.path().extension() == ".pem") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<CertificateFacts> all;
  for (const fs::path& path : paths)
    if (auto facts = facts_of_file(path)) all.push_back(std::move(*facts));
  return all;
}

std::optional<CertificateFacts> CertificateAuthority::find(const fs::path& directory, std::string_view name) {
  return is_plain_name(name) ? facts_of_file(issued_file(directory, name)) : std::nullopt;
}

}  // namespace flylocal::proxy::tls
