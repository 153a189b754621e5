#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <functional>
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
/// Requests of several threads stand in one line. A place that is called by another thread is told by its own: the
/// call rings that thread's bell. All members are for whoever holds the Dispatch, unless they say otherwise.
namespace flylocal::proxy {

class WaitingRoom {
 public:
  /// The order of arrival for one service.
  class Line;
  class Place;
  class Bell;

 private:
  template <class Tag>
  using Hook = boost::intrusive::list_base_hook<boost::intrusive::tag<Tag>,
                                                boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
  struct InLine {};
  struct Called {};
  template <class Tag>
  using Places = boost::intrusive::list<Place, boost::intrusive::base_hook<Hook<Tag>>,
                                        boost::intrusive::constant_time_size<false>>;

 public:
  WaitingRoom();
  WaitingRoom(const WaitingRoom&) = delete;
  WaitingRoom& operator=(const WaitingRoom&) = delete;
  ~WaitingRoom();

  bool empty() const { return lines_.empty(); }
  /// How many stand in line for this service, known by app, group and port in whichever snapshot.
  std::size_t waiting_for(const Service& service) const;

  /// A machine has one request less in progress.
  void on_room(const UpstreamLoad& load);
  /// Machines came, went or changed.
  void on_snapshot(const RoutingSnapshot& snapshot);

 private:
  Line& enter(const Service& service);

  std::list<Line> lines_;  // one for each service that cannot serve all of its requests now: few
};

/// One request's place in the line of its service. Leaves the line when it is destroyed.
class WaitingRoom::Place : public Hook<InLine>, public Hook<Called> {
 public:
  /// At the line's end. `turn` is taken when the place is called. `waiting_now` counts it.
  Place(WaitingRoom& room, Bell& bell, Turn& turn, const Service& service, Counter& waiting_now);
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  /// A call that was not answered goes to the next one.
  ~Place();

  /// May be asked at any time.
  bool called() const { return called_.load(std::memory_order_relaxed); }
  /// Looks for a machine, which uses the call up.
  void answer_call() { called_.store(false, std::memory_order_relaxed); }
  /// When the place is left, the next one looks for a machine.
  void pass_call_on() { called_.store(true, std::memory_order_relaxed); }
  /// The service may be another one after a change of routing.
  bool is_for(const Service& service) const;

 private:
  friend class WaitingRoom;
  friend class Line;
  friend class Bell;
  void call();

  WaitingRoom& room_;
  Bell& bell_;
  Turn& turn_;
  Line& line_;
  Counter& waiting_now_;
  std::atomic<bool> called_{false};
};

/// How a thread hears that places of its requests are called.
class WaitingRoom::Bell {
 public:
  /// `ring` is called on any thread, and not again before answer().
  explicit Bell(std::function<void()> ring);

  /// On the bell's own thread: those that were called get their turns.
  void answer(Poller& poller);

 private:
  friend class Place;
  std::function<void()> ring_;
  Places<Called> called_;
};

}  // namespace flylocal::proxy
