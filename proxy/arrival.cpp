#include "proxy/arrival.hpp"

#include <fmt/format.h>

namespace flylocal::proxy {
namespace {

/// Asio's own goes through printf, which took a tenth of a short connection's instructions.
std::string text_of(const asio::ip::address_v4& address) {
  const auto octets = address.to_bytes();
  return fmt::format(FMT_STRING("{}.{}.{}.{}"), octets[0], octets[1], octets[2], octets[3]);
}

}  // namespace

std::string address_text(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return text_of(asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()));
  }
  return address.is_v4() ? text_of(address.to_v4()) : address.to_string();
}

}  // namespace flylocal::proxy
