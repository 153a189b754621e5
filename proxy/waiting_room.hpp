#pragma once

#include <boost/intrusive/list.hpp>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "proxy/io/poller.hpp"
#include "proxy/routing.hpp"
#include "proxy/stats.hpp"

/// Theory of operation. A request that no machine can take now stands in its service's line. All places of a
/// line wait for the same: room at a machine of the service. Room comes about in two ways only: a machine has
/// done a request, which calls one place, the first that is not called yet; or the routing changes, which
/// calls all of them in their order. A request that comes while others stand in line goes to its end without
/// looking for a machine, so nobody is overtaken. Nothing is polled.
namespace flylocal::proxy {

class WaitingRoom {
 private:
  using AutoUnlink = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

 public:
  /// The order of arrival for one service.
  class Line;
  class Place;
  /// Gives `turn` a turn at each change of routing for as long as it exists.
  class Watch : public AutoUnlink {
   public:
    Watch(WaitingRoom& room, Turn& turn) : turn_(turn) { room.watches_.push_back(*this); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    friend class WaitingRoom;
    Turn& turn_;
  };

  explicit WaitingRoom(Stats& stats);
  WaitingRoom(const WaitingRoom&) = delete;
  WaitingRoom& operator=(const WaitingRoom&) = delete;
  ~WaitingRoom();

  bool empty() const { return lines_.empty(); }
  /// How many stand in line for this service, known by app, group and port in whichever snapshot.
  std::size_t waiting_for(const Service& service) const;

  /// A machine has one request less in progress.
  void on_room(const UpstreamLoad& load);
  /// Machines came, went or changed.
  void on_snapshot(const RoutingSnapshot& snapshot, Poller& poller);

 private:
  Line& enter(const Service& service);

  Stats& stats_;
  std::list<Line> lines_;  // one for each service that cannot serve all of its requests now: few
  boost::intrusive::list<Watch, boost::intrusive::constant_time_size<false>> watches_;
};

/// One request's place in the line of its service. Leaves the line when it is destroyed.
class WaitingRoom::Place : public WaitingRoom::AutoUnlink {
 public:
  /// At the line's end. `turn` is taken when the place is called.
  Place(WaitingRoom& room, Poller& poller, Turn& turn, const Service& service);
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  /// A call that was not answered goes to the next one.
  ~Place();

  bool called() const { return called_; }
  /// Looks for a machine, which uses the call up.
  void answer_call() { called_ = false; }
  /// When the place is left, the next one looks for a machine.
  void pass_call_on() { called_ = true; }
  /// The service may be another one after a change of routing.
  bool is_for(const Service& service) const;

 private:
  friend class WaitingRoom;
  friend class Line;
  void call();

  WaitingRoom& room_;
  Poller& poller_;
  Turn& turn_;
  Line& line_;
  bool called_ = false;
};

/// Counts a request or connection as in progress on a machine for as long as it exists.
class LoadTicket {
 public:
  LoadTicket() = default;
  LoadTicket(std::shared_ptr<UpstreamLoad> load, WaitingRoom& room) : load_(std::move(load)), room_(&room) {
    load_->current.fetch_add(1, std::memory_order_relaxed);
    load_->total.fetch_add(1, std::memory_order_relaxed);
  }
  LoadTicket(LoadTicket&&) noexcept = default;
  LoadTicket& operator=(LoadTicket&& other) noexcept {
    if (this != &other) {
      give_back();
      load_ = std::move(other.load_);
      room_ = other.room_;
    }
    return *this;
  }
  ~LoadTicket() { give_back(); }

 private:
  void give_back() {
    if (!load_) return;
    load_->current.fetch_sub(1, std::memory_order_relaxed);
    if (!room_->empty()) room_->on_room(*load_);
    load_.reset();
  }
  std::shared_ptr<UpstreamLoad> load_;
  WaitingRoom* room_ = nullptr;
};

}  // namespace flylocal::proxy
