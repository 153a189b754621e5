#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace flylocal::proxy {

/// What the proxy has done since it began. Written by the proxy's thread, read by any.
struct Stats {
  using Counter = std::atomic<std::uint64_t>;

  Counter clients{0};                ///< connections accepted
  Counter clients_now{0};            ///< of them, still open
  Counter tls_handshakes{0};         ///< that were completed
  Counter tls_resumed{0};            ///< of them, those of a session that was known
  Counter tls_failures{0};           ///< handshakes that failed or took too long
  Counter requests{0};               ///< heads that were understood
  Counter bad_requests{0};           ///< heads or bodies that were refused as malformed
  Counter aborted{0};                ///< requests whose client went away before the answer's end
  std::array<Counter, 6> answers{};  ///< by the status's first digit; [0] stays 0
  Counter upstream_connects{0};      ///< connections made to machines
  Counter upstream_reuses{0};        ///< requests that took a pooled connection
  Counter upstream_failures{0};      ///< connects that failed, and exchanges that a machine broke
  Counter upstream_idle{0};          ///< connections in the pool
  Counter retries{0};                ///< attempts beyond a request's first
  Counter queued{0};                 ///< requests that waited because no machine could take them at once
  Counter waiting_now{0};            ///< requests that wait for a machine, be it in a queue or for one to be woken
  Counter queue_refusals{0};         ///< requests that the full queue did not take, or that waited in vain
  Counter wakes{0};                  ///< machines asked to start for a request
  Counter wake_failures{0};          ///< of them, those that did not come
};

}  // namespace flylocal::proxy
