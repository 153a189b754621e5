#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace flylocal::proxy {

/// Every buffer's size. A message's head has to fit in one, so this is also the limit of heads.
inline constexpr std::size_t kBufferSize = 64 * 1024;

/// Memory for bytes under way. Connections share it: one that has no bytes holds none, and the block that
/// was last put back, which the processor's cache still has, is the next one taken.
class BufferPool {
 public:
  using Block = std::unique_ptr<char[]>;

  Block take() {
    if (spare_.empty()) return std::make_unique_for_overwrite<char[]>(kBufferSize);
    Block block = std::move(spare_.back());
    spare_.pop_back();
    return block;
  }
  void put_back(Block block) {
    if (spare_.size() < kSpareBlocks) spare_.push_back(std::move(block));
  }

 private:
  static constexpr std::size_t kSpareBlocks = 128;
  std::vector<Block> spare_;
};

/// Bytes that were read and not yet used up, at most kBufferSize of them.
class Buffer {
 public:
  explicit Buffer(BufferPool& pool) : pool_(pool) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { clear(); }

  bool empty() const { return begin_ == end_; }
  bool full() const { return end_ - begin_ == kBufferSize; }
  std::string_view bytes() const { return {block_.get() + begin_, end_ - begin_}; }

  /// Where to read to; may move the bytes. Follow with commit() of what was read, also when it is nothing.
  std::span<char> space() {
    if (!block_) block_ = pool_.take();
    if (begin_ > 0 && end_ > kBufferSize / 2) {
      std::memmove(block_.get(), block_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    return {block_.get() + end_, kBufferSize - end_};
  }
  void commit(std::size_t count) {
    end_ += count;
    if (empty()) clear();
  }
  void consume(std::size_t count) {
    begin_ += count;
    if (empty()) clear();
  }
  void clear() {
    begin_ = end_ = 0;
    if (block_) pool_.put_back(std::move(block_));
  }

 private:
  BufferPool& pool_;
  BufferPool::Block block_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace flylocal::proxy
