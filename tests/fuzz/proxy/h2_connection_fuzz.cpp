#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "proxy/h2/server_connection.hpp"
#include "proxy/worker.hpp"

using namespace flylocal;
using namespace flylocal::proxy;

namespace {

/// A client that has said all it will say, takes everything, and leaves after some rounds.
class SilentChannel final : public Channel {
 public:
  SilentChannel(Poller& poller, Turn& owner) : Channel(owner), poller_(poller) { readable_ = writable_ = true; }

  Transfer read(std::span<char>) override {
    if (rounds_left_ > 0) {
      --rounds_left_;
      poller_.schedule(*owner_);
      return {Transfer::Status::blocked};
    }
    peer_ended_ = true;
    return {Transfer::Status::closed};
  }
  Transfer write(std::span<iovec> pieces) override {
    std::size_t size = 0;
    for (const iovec& piece : pieces) size += piece.iov_len;
    return {Transfer::Status::moved, size};
  }
  void shutdown_write() override {}
  void close() override {}
  void reset() override {}

 private:
  Poller& poller_;
  int rounds_left_ = 20;
};

}  // namespace

/// Whatever a client sends, its connection and all its streams come to an end, and nothing is left of them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string kBegin("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
  std::string bytes = kBegin + std::string(reinterpret_cast<const char*>(data), size);
  asio::io_context context{1};
  auto worker = std::make_shared<Worker>(context.get_executor(), std::make_shared<Edge>(Options{}));
  worker->poller->start();
  Wakeup nobody(*worker->poller);
  worker->flows.start(serve_http2(*worker, {}, std::make_unique<SilentChannel>(*worker->poller, nobody), bytes));
  for (int rounds = 0; worker->flows.size() > 0; ++rounds) {
    if (rounds > 1000) std::abort();
    context.restart();
    context.poll();
  }
  if (!worker->sessions.empty()) std::abort();
  worker->poller->stop();
  return 0;
}
