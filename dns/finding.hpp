#pragma once

#include <array>
#include <span>
#include <vector>

#include "dns/record_set.hpp"

namespace flylocal::dns {

/// What a look-up in a zone found. Refers to the zone's records, or to memory of its own for what is put together per
/// query; that memory is used again from look-up to look-up.
class Finding {
 public:
  /// Back to: no such name.
  void clear() {
    exists_ = false;
    sorted_ = false;
    size_ = 0;
  }
  /// The name exists, maybe without records.
  void set_exists() { exists_ = true; }
  /// The name exists and has these records, where they are not empty.
  void add(const RecordSet& records) {
    exists_ = true;
    if (!records.empty()) sets_[size_++] = &records;
  }
  /// The order of the records is their meaning.
  void set_sorted() { sorted_ = true; }
  /// For add(), once per look-up.
  RecordSet& scratch() { return scratch_; }
  /// Memory for marks, all of them unset.
  std::vector<bool>& flags(std::size_t count) {
    flags_.assign(count, false);
    return flags_;
  }

  bool exists() const { return exists_; }
  bool is_sorted() const { return sorted_; }
  std::span<const RecordSet* const> sets() const { return {sets_.data(), size_}; }

 private:
  bool exists_ = false;
  bool sorted_ = false;
  std::size_t size_ = 0;
  std::array<const RecordSet*, 2> sets_{};
  RecordSet scratch_{RecordType::aaaa};
  std::vector<bool> flags_;
};

}  // namespace flylocal::dns
