#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "proxy/dispatch.hpp"
#include "proxy/proxy.hpp"
#include "proxy/request_log.hpp"
#include "proxy/tls/leaf_cache.hpp"

namespace flylocal::proxy {

/// What all workers of one proxy share. Any thread may use any member.
struct Edge {
  explicit Edge(Options given)
      : options(std::move(given)), leaves(options.tls ? std::make_unique<tls::LeafCache>(options.tls) : nullptr) {}

  const Options options;
  Dispatch dispatch;
  RequestLog log;
  /// Null where there is no authority to sign certificates.
  const std::unique_ptr<tls::LeafCache> leaves;
  /// Of all workers: Options::max_clients is their limit.
  std::atomic<std::size_t> clients_now{0};
  /// Called on a worker's thread when there may be room for another client. Set before the first one.
  std::function<void()> on_client_left;
};

}  // namespace flylocal::proxy
