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
  void call_first(Call what) {
    auto first = std::find_if(places.begin(), places.end(), [what](const Place& place) { return place.call_ < what; });
    if (first != places.end()) {
      first->call(what);
    } else if (what == Call::room) {
      ++spare_room;
    }
  }
  void call_all() {
    for (Place& place : places) place.call(Call::routing);
  }

  Places<InLine> places;
  std::size_t size = 0;
  /// Came when all were called already: for those who come next.
  std::size_t spare_room = 0;

 private:
  std::string app_;
  std::string group_;
  std::uint16_t port_;
  std::vector<std::shared_ptr<UpstreamLoad>> loads_;
};

WaitingRoom::WaitingRoom() = default;

WaitingRoom::~WaitingRoom() = default;

std::size_t WaitingRoom::waiting_for(const Service& service) const {
  for (const Line& line : lines_) {
    if (line.is_for(service)) return line.size;
  }
  return 0;
}

void WaitingRoom::on_room(const UpstreamLoad& load) {
  for (Line& line : lines_) {
    if (line.is_served_with(load)) line.call_first(Call::room);
  }
}

void WaitingRoom::on_snapshot(const RoutingSnapshot& snapshot) {
  for (Line& line : lines_) {
    auto service = std::find_if(snapshot.services.begin(), snapshot.services.end(),
                                [&](const Service& one) { return line.is_for(one); });
    if (service != snapshot.services.end()) line.serve_with(*service);
    line.call_all();
  }
}

WaitingRoom::Line& WaitingRoom::enter(const Service& service) {
  for (Line& line : lines_) {
    if (line.is_for(service)) return line;
  }
  return lines_.emplace_back(service);
}

WaitingRoom::Place::Place(WaitingRoom& room, Bell& bell, Turn& turn, const Service& service, Counter& waiting_now)
    : room_(room), bell_(bell), turn_(turn), line_(room.enter(service)), waiting_now_(waiting_now) {
  line_.places.push_back(*this);
  ++line_.size;
  waiting_now_.add(1);
  if (line_.spare_room == 0) return;
  --line_.spare_room;
  call(Call::room);
}

WaitingRoom::Place::~Place() {
  Hook<InLine>::unlink();
  --line_.size;
  waiting_now_.subtract(1);
  if (line_.size == 0) {
    room_.lines_.remove_if([this](const Line& line) { return &line == &line_; });
  } else if (called()) {
    line_.call_first(call_);
  }
}

bool WaitingRoom::Place::is_for(const Service& service) const {
  return line_.is_for(service);
}

void WaitingRoom::Place::found_none() {
  line_.spare_room = 0;
}

void WaitingRoom::Place::call_next() {
  const auto behind = std::next(line_.places.iterator_to(*this));
  const auto uncalled = std::find_if(behind, line_.places.end(), [](const Place& place) { return !place.called(); });
  if (uncalled != line_.places.end()) uncalled->call(Call::routing);
}

void WaitingRoom::Place::call(Call what) {
  call_.store(std::max(call_.load(std::memory_order_relaxed), what), std::memory_order_relaxed);
  if (Hook<Called>::is_linked()) return;
  const bool silent = bell_.called_.empty();
  bell_.called_.push_back(*this);
  if (silent) bell_.ring_();
}

WaitingRoom::Bell::Bell(std::function<void()> ring) : ring_(std::move(ring)) {}

void WaitingRoom::Bell::answer(Poller& poller) {
  while (!called_.empty()) {
    poller.schedule(called_.front().turn_);
    called_.pop_front();
  }
}

}  // namespace flylocal::proxy
