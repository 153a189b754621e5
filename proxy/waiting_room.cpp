#include "proxy/waiting_room.hpp"

#include <algorithm>

namespace flylocal::proxy {

class WaitingRoom::Line {
 public:
  explicit Line(const Service& service)
      : app_(service.app), group_(service.group), port_(service.internal_port) {
    serve_with(service);
  }

  bool is_for(const Service& service) const {
    return port_ == service.internal_port && app_ == service.app && group_ == service.group;
  }
  /// The machines whose room is this line's.
  void serve_with(const Service& service) {
    loads_.clear();
    for (const Upstream& upstream : service.upstreams) loads_.push_back(upstream.load);
  }
  bool is_served_with(const UpstreamLoad& load) const {
    return std::any_of(loads_.begin(), loads_.end(), [&](const auto& own) { return own.get() == &load; });
  }
  void call_first() {
    auto uncalled = std::find_if(places.begin(), places.end(), [](const Place& place) { return !place.called(); });
    if (uncalled != places.end()) uncalled->call();
  }
  void call_all() {
    for (Place& place : places) place.call();
  }

  boost::intrusive::list<Place, boost::intrusive::constant_time_size<false>> places;
  std::size_t size = 0;

 private:
  std::string app_;
  std::string group_;
  std::uint16_t port_;
  std::vector<std::shared_ptr<UpstreamLoad>> loads_;
};

WaitingRoom::WaitingRoom(Stats& stats) : stats_(stats) {}

WaitingRoom::~WaitingRoom() = default;

std::size_t WaitingRoom::waiting_for(const Service& service) const {
  for (const Line& line : lines_) {
    if (line.is_for(service)) return line.size;
  }
  return 0;
}

void WaitingRoom::on_room(const UpstreamLoad& load) {
  for (Line& line : lines_) {
    if (line.is_served_with(load)) line.call_first();
  }
}

void WaitingRoom::on_snapshot(const RoutingSnapshot& snapshot, Poller& poller) {

  for (Line& line : lines_) {
    auto service = std::find_if(snapshot.services.begin(), snapshot.services.end(),
                                [&](const Service& one) { return line.is_for(one); });
    if (service != snapshot.services.end()) line.serve_with(*service);
    line.call_all();
  }
  for (Watch& watch : watches_) poller.schedule(watch.turn_);
}

WaitingRoom::Line& WaitingRoom::enter(const Service& service) {
  for (Line& line : lines_) {
    if (line.is_for(service)) return line;
  }
  return lines_.emplace_back(service);
}

WaitingRoom::Place::Place(WaitingRoom& room, Poller& poller, Turn& turn, const Service& service)
    : room_(room), poller_(poller), turn_(turn), line_(room.enter(service)) {
  line_.places.push_back(*this);
  ++line_.size;
  room_.stats_.waiting_now.fetch_add(1, std::memory_order_relaxed);
}

WaitingRoom::Place::~Place() {
  unlink();
  --line_.size;
  room_.stats_.waiting_now.fetch_sub(1, std::memory_order_relaxed);
  if (line_.size == 0) {
    room_.lines_.remove_if([this](const Line& line) { return &line == &line_; });
  } else if (called_) {
    line_.call_first();
  }
}

bool WaitingRoom::Place::is_for(const Service& service) const {
  return line_.is_for(service);
}

void WaitingRoom::Place::call() {
  called_ = true;
  poller_.schedule(turn_);
}

}  // namespace flylocal::proxy
