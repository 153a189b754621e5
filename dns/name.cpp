#include "dns/name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

namespace flylocal::dns {
namespace {

// RFC 1035 4.1.4: the two high bits of a length octet tell a label (00) from a pointer (11). The other two
// kinds are not in use (RFC 6891 5).
constexpr std::uint8_t kKindMask = 0xC0;
constexpr std::uint8_t kPointer = 0xC0;
// The first octet behind the header: no name can begin in front of it.
constexpr std::size_t kFirstName = 12;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Eight octets with A-Z as a-z.
constexpr std::uint64_t lower_case_octets(std::uint64_t octets) {
  constexpr std::uint64_t kEach = 0x0101010101010101, kHigh = 0x80 * kEach;
  const std::uint64_t low = octets & ~kHigh;
  // The high bit of each octet: whether it is at least 'A', and whether it is above 'Z'.
  const std::uint64_t from_a = low + (0x80 - 'A') * kEach;
  const std::uint64_t above_z = low + (0x80 - 'Z' - 1) * kEach;
  const std::uint64_t upper = from_a & ~above_z & ~octets & kHigh;
  return octets | upper >> 2;  // 0x80 becomes 0x20, in which the cases differ
}

Error bad_name(std::string_view text, std::string_view reason) {
  return {fmt::format("domain name \"{}\": {}", text, reason)};
}

}  // namespace

std::optional<Name> Name::parse(std::span<const std::uint8_t> message, std::size_t& offset) {
  std::optional<Name> name(std::in_place);
  if (!name->read(message, offset)) name.reset();
  return name;
}

bool Name::read(std::span<const std::uint8_t> message, std::size_t& offset) {
  if (read_plain(message, offset)) return true;
  *this = Name();
  std::size_t position = offset;
  // Each pointer has to lead in front of where the octets that it continues began. So they decrease, and end.
  std::size_t run_start = offset;
  std::optional<std::size_t> end;  // behind the first pointer, if there is one
  for (;;) {
    if (position >= message.size()) return false;
    std::uint8_t length = message[position];
    if ((length & kKindMask) == kPointer) {
      if (position + 1 >= message.size()) return false;
      if (!end) end = position + 2;
      std::size_t target = static_cast<std::size_t>(length & ~kKindMask) << 8 | message[position + 1];
      if (target >= run_start || target < kFirstName) return false;
      position = run_start = target;
      continue;
    }
    if ((length & kKindMask) != 0) return false;
    if (length == 0) break;
    if (position + 1 + length > message.size()) return false;
    auto label = message.subspan(position + 1, length);
    if (!append_label({reinterpret_cast<const char*>(label.data()), label.size()})) return false;
    position += 1u + length;
  }
  offset = end.value_or(position + 1);
  return true;
}

/// A name without pointers, as the question of every query is. False, and nothing done, when it is no such name.
bool Name::read_plain(std::span<const std::uint8_t> message, std::size_t& offset) {
  std::size_t position = offset;
  while (position < message.size() && message[position] != 0) {
    if ((message[position] & kKindMask) != 0) return false;
    position += 1u + message[position];
  }
  const std::size_t size = position + 1 - offset;
  if (position >= message.size() || size > kMaxWireSize) return false;
  std::memcpy(wire_.data(), message.data() + offset, size);
  size_ = static_cast<std::uint8_t>(size);
  offset += size;
  return true;
}

Result<Name> Name::from_text(std::string_view text) {
  Name name;
  if (text == ".") return name;
  if (text.empty()) return bad_name(text, "is empty; the root is written \".\"");
  std::string label;
  std::size_t i = 0;
  while (i < text.size()) {
    char c = text[i++];
    if (c == '.') {
      if (!name.append_label(label)) {
        return bad_name(text, "a label is empty or over 63 octets, or the name is over 255");
      }
      label.clear();
    } else if (c != '\\') {
      label += c;
    } else if (i + 2 < text.size() && is_digit(text[i]) && is_digit(text[i + 1]) && is_digit(text[i + 2])) {
      int octet = (text[i] - '0') * 100 + (text[i + 1] - '0') * 10 + (text[i + 2] - '0');
      if (octet > 255) return bad_name(text, "\\DDD stands for one octet, so it is at most \\255");
      label += static_cast<char>(octet);
      i += 3;
    } else if (i < text.size() && !is_digit(text[i])) {
      label += text[i++];
    } else {
      return bad_name(text, "a backslash is followed by a character or by three digits");
    }
  }
  // A last dot has closed its label already. An escaped dot is part of a label, which is then not empty.
  if (!label.empty() && !name.append_label(label)) {
    return bad_name(text, "a label is over 63 octets, or the name is over 255");
  }
  return name;
}

std::string Name::text() const {
  Labels labels(*this);
  if (labels.size() == 0) return ".";
  std::string out;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    for (char c : labels[i]) {
      if (c == '.' || c == '\\' || c == '"' || c == '(' || c == ')' || c == ';' || c == '@' || c == '$') {
        out += '\\';
        out += c;
      } else if (c > ' ' && c <= '~') {
        out += c;
      } else {
        fmt::format_to(std::back_inserter(out), "\\{:03}", static_cast<std::uint8_t>(c));
      }
    }
    out += '.';
  }
  return out;
}

Name Name::lower_case() const {
  Name lower;
  lower.size_ = size_;
  // Length octets are at most 63 and so below 'A': the whole wire form can be folded at once, in words.
  for (std::size_t i = 0; i < size_; i += sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, wire_.data() + i, sizeof word);
    word = lower_case_octets(word);
    std::memcpy(lower.wire_.data() + i, &word, sizeof word);
  }
  return lower;
}

bool Name::append_label(std::string_view label) {
  if (label.empty() || label.size() > kMaxLabelSize) return false;
  if (size_ + 1 + label.size() > kMaxWireSize) return false;
  std::size_t at = size_ - 1u;  // where the root's zero is
  wire_[at] = static_cast<std::uint8_t>(label.size());
  std::copy(label.begin(), label.end(), wire_.begin() + at + 1);
  size_ = static_cast<std::uint8_t>(size_ + 1 + label.size());
  wire_[size_ - 1u] = 0;
  return true;
}

bool operator==(const Name& left, const Name& right) {
  return std::equal(left.wire_.begin(), left.wire_.begin() + left.size_, right.wire_.begin(),
                    right.wire_.begin() + right.size_, [](std::uint8_t a, std::uint8_t b) {
                      return lower_case(static_cast<char>(a)) == lower_case(static_cast<char>(b));
                    });
}

Labels::Labels(const Name& name) : wire_(name.wire()) {
  std::size_t position = 0;
  for (; wire_[position] != 0; position += 1u + static_cast<std::uint8_t>(wire_[position])) {
    offsets_[size_++] = static_cast<std::uint8_t>(position);
  }
  offsets_[size_] = static_cast<std::uint8_t>(position);
}

std::string_view Labels::operator[](std::size_t index) const {
  return wire_.substr(offsets_[index] + 1u, static_cast<std::uint8_t>(wire_[offsets_[index]]));
}

bool skip_name(std::span<const std::uint8_t> message, std::size_t& offset) {
  std::size_t position = offset;
  while (position < message.size()) {
    std::uint8_t length = message[position];
    if ((length & kKindMask) == kPointer) {
      if (position + 2 > message.size()) return false;
      offset = position + 2;
      return true;
    }
    if ((length & kKindMask) != 0) return false;
    position += 1u + length;
    if (length == 0) {
      offset = position;
      return true;
    }
  }
  return false;
}

}  // namespace flylocal::dns
