#include "proxy/websocket_accept.hpp"

#include <openssl/evp.h>

#include <array>
#include <new>

namespace flylocal::proxy {

std::string websocket_accept(std::string_view key) {
  constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  constexpr std::size_t kSha1Size = 20, kBase64Size = (kSha1Size + 2) / 3 * 4;
  const std::string text = std::string(key).append(kGuid);
  std::array<unsigned char, kSha1Size> digest;
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr) != 1) throw std::bad_alloc();
  std::array<unsigned char, kBase64Size + 1> base64;  // with the NUL that OpenSSL puts behind
  EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(digest.size()));
  return std::string(base64.begin(), base64.end() - 1);
}

}  // namespace flylocal::proxy
