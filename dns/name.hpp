#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "flylocal/base/result.hpp"

namespace flylocal::dns {

/// A domain name as a value, kept in uncompressed wire form (RFC 1035 3.1): always absolute, always within
/// the limits of RFC 1035 2.3.4, never on the heap. Names keep the case they came with and compare without it
/// (RFC 4343). A default Name is the root.
class Name {
 public:
  static constexpr std::size_t kMaxLabelSize = 63;
  static constexpr std::size_t kMaxWireSize = 255;  ///< with the length octets and the root's zero
  static constexpr std::size_t kMaxLabels = 127;    ///< 255 octets hold no more, the root's not counted

  Name() = default;

  /// Reads the name that starts at `offset` of a message, following compression pointers (RFC 1035 4.1.4),
  /// and moves `offset` behind it. Empty, with `offset` unchanged, when the name leaves the message, breaks a
  /// limit, or has a pointer that does not point backwards.
  static std::optional<Name> parse(std::span<const std::uint8_t> message, std::size_t& offset);

  /// As parse(), into this name: without a copy. False, with the name unchanged or cut, where parse() is empty.
  bool read(std::span<const std::uint8_t> message, std::size_t& offset);

  /// Reads presentation form (RFC 1035 5.1): labels separated by dots, with or without the last dot, `\.` and
  /// `\DDD` for octets that have no other spelling.
  static Result<Name> from_text(std::string_view text);

  /// Presentation form with the last dot; octets that are not printable are escaped.
  std::string text() const;

  /// The wire form, up to and with the root's zero.
  std::string_view wire() const { return {reinterpret_cast<const char*>(wire_.data()), size_}; }

  /// The same name with A-Z as a-z: equal names have equal lower-case wire forms.
  Name lower_case() const;

  /// Puts `label` behind the existing labels. False, and nothing changed, when it is empty or breaks a limit.
  bool append_label(std::string_view label);

  friend bool operator==(const Name& left, const Name& right);

 private:
  bool read_plain(std::span<const std::uint8_t> message, std::size_t& offset);

  std::array<std::uint8_t, kMaxWireSize + 1> wire_{};  // a whole number of words
  std::uint8_t size_ = 1;
};

/// Where the labels of a name begin. Refers to the name, which has to outlive it.
class Labels {
 public:
  explicit Labels(const Name& name);

  std::size_t size() const { return size_; }
  /// The text of one label; 0 is the leftmost.
  std::string_view operator[](std::size_t index) const;
  /// Wire octets in front of label `index`; `offset(size())` is where the root's zero stands.
  std::size_t offset(std::size_t index) const { return offsets_[index]; }

 private:
  std::string_view wire_;
  std::array<std::uint8_t, Name::kMaxLabels + 1> offsets_;
  std::size_t size_ = 0;
};

/// Moves `offset` behind the name at it without following pointers; false when it leaves the message.
bool skip_name(std::span<const std::uint8_t> message, std::size_t& offset);

/// ASCII only, as RFC 4343 has it.
constexpr char lower_case(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace flylocal::dns
