#include "proxy/stats.hpp"

namespace flylocal::proxy {

void add(Stats& total, const Counters& part) {
  total.clients += part.clients;
  total.tls_handshakes += part.tls_handshakes;
  total.tls_resumed += part.tls_resumed;
  total.tls_failures += part.tls_failures;
  total.requests += part.requests;
  total.bad_requests += part.bad_requests;
  total.aborted += part.aborted;
  for (std::size_t i = 0; i < total.answers.size(); ++i) total.answers[i] += part.answers[i];
  total.upstream_connects += part.upstream_connects;
  total.upstream_reuses += part.upstream_reuses;
  total.upstream_failures += part.upstream_failures;
  total.upstream_idle += part.upstream_idle;
  total.retries += part.retries;
  total.queued += part.queued;
  total.waiting_now += part.waiting_now;
  total.queue_refusals += part.queue_refusals;
  total.wakes += part.wakes;
  total.wake_failures += part.wake_failures;
}

}  // namespace flylocal::proxy
