#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flylocal/base/result.hpp"
#include "proxy/tls/openssl.hpp"

namespace flylocal::proxy::tls {

/// A certificate with its key.
struct Leaf {
  Certificate certificate;
  PrivateKey key;
};

/// A certificate in plain values, for people.
struct CertificateFacts {
  std::string subject;               ///< the common name; empty where a name is too long for one
  std::string issuer;                ///< the common name
  std::vector<std::string> names;    ///< subject alternative names: host names and addresses
  std::string serial;                ///< hexadecimal
  std::string sha256;                ///< of the certificate, hexadecimal with colons
  std::chrono::system_clock::time_point begins;
  std::chrono::system_clock::time_point ends;
  std::string pem;
};

/// Signs the certificates that the local proxy shows: ECDSA with P-256. Clients that trust its certificate trust them.
/// Everything but open() may be called from any thread.
class CertificateAuthority {
 public:
  /// Takes the authority that is in `directory`, or makes one there, ten years long (the directory 0700, the key's file
  /// 0600, the certificate's 0644; each file is complete or not there, and several processes may come at once).
  /// Error: the directory cannot be written, a file cannot be read, does not belong to the other one, has expired, or
  /// the key may be read by others than its owner. Nothing that exists is ever replaced.
  static Result<std::shared_ptr<const CertificateAuthority>> open(const std::filesystem::path& directory);

  /// A certificate for one host name, and for localhost, 127.0.0.1 and ::1: 397 days, which is what browsers take at
  /// most; for TLS servers only. What was issued last for each name is kept as a file, for list(); a file that cannot
  /// be written is logged.
  Result<Leaf> issue(std::string_view name) const;

  const std::filesystem::path& certificate_path() const { return certificate_path_; }
  const CertificateFacts& facts() const { return facts_; }

  /// The certificate that was issued last for each name, in the order of names. Without an authority: none.
  static std::vector<CertificateFacts> list(const std::filesystem::path& directory);
  /// Nothing: none was issued for `name`.
  static std::optional<CertificateFacts> find(const std::filesystem::path& directory, std::string_view name);

 private:
  CertificateAuthority(std::filesystem::path directory, Leaf own);
  void keep(std::string_view name, X509& certificate) const;

  std::filesystem::path directory_;
  std::filesystem::path certificate_path_;
  Leaf own_;
  CertificateFacts facts_;
};

/// A certificate that signs itself, for a name that no authority vouches for (tls_options.default_self_signed).
Result<Leaf> self_signed_leaf(std::string_view name);

/// Error: not one.
Result<CertificateFacts> facts_of(X509& certificate);

}  // namespace flylocal::proxy::tls
