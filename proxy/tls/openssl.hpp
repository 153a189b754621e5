#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

/// OpenSSL's objects with owners.
namespace flylocal::proxy::tls {

template <auto release>
struct Releaser {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};

using Certificate = std::unique_ptr<X509, Releaser<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Releaser<EVP_PKEY_free>>;
using Context = std::unique_ptr<SSL_CTX, Releaser<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, Releaser<SSL_free>>;
using Bio = std::unique_ptr<BIO, Releaser<BIO_free_all>>;

/// What OpenSSL last complained of on this thread, in its words; takes it all from its queue.
std::string take_openssl_error();

}  // namespace flylocal::proxy::tls
