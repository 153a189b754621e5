#include "proxy/io/flow_group.hpp"

#include <spdlog/spdlog.h>

#include "flylocal/base/run_to_end.hpp"

namespace flylocal::proxy {

/// A Flow with the chain that begins with it.
class FlowGroup::Running final : public Turn, private FlowChain {
 public:
  Running(FlowGroup& group, Flow<> flow) : group_(group), flow_(std::move(flow)) {
    flow_.handle_.promise().chain = this;
    pass_to(flow_.handle_);
  }

  void take_turn() override { go_on(); }
  std::list<Running>::iterator place;

 private:
  void on_end() override;

  FlowGroup& group_;
  Flow<> flow_;
};

void FlowGroup::Running::on_end() {
  try {
    flow_.handle_.promise().rethrow();
  } catch (const std::exception& error) {
    spdlog::error("client: {}", error.what());
  }
  FlowGroup& group = group_;
  group.running_.erase(place);
  if (group.running_.empty()) group.emptied_.notify_all();
}

FlowGroup::FlowGroup(Poller& poller) : poller_(poller), emptied_(poller.executor()) {}

FlowGroup::~FlowGroup() = default;

void FlowGroup::start(Flow<> flow) {
  auto place = running_.emplace(running_.end(), *this, std::move(flow));
  place->place = place;
  poller_.schedule(*place);
}

Task<> FlowGroup::wait() {
  // The Flows use what the caller's frames hold.
  co_await run_to_end(poller_.executor(), wait_until_empty());
}

Task<> FlowGroup::wait_until_empty() {
  while (!running_.empty()) co_await emptied_.wait();
}

}  // namespace flylocal::proxy
