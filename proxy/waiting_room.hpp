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
/// done a request, which calls one place, the first that is not called yet, or else the next one that comes; or the
/// routing changes, which calls all of them in their order, and the next one whenever one of them takes a machine.
/// A request that comes while others stand in line goes to its end without looking for a machine. Nothing is polled.
/// Requests of several threads stand in one line. A place that is called by another thread is told by its own: the
/// call rings that thread's bell. So those that are called at once look in their order on each thread, and between
/// threads as these get to it; one that comes too late keeps its place. All members are for whoever holds the Dispatch, unless they say otherwise.
namespace flylocal::proxy {

class WaitingRoom {
 public:
  /// The order of arrival for one service.
  class Line;
  class Place;
  class Bell;
  /// What a place is called for, the stronger one later.
  enum class Call : std::uint8_t {
    none,
    room,     ///< of one request
    routing,  ///< nobody knows how much room there is: whoever finds some calls the next one
  };

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
  bool called() const { return call_.load(std::memory_order_relaxed) != Call::none; }
  /// Looks for a machine, which uses the call up.
  Call answer_call() { return call_.exchange(Call::none, std::memory_order_relaxed); }
  /// Looked and found no room.
  void found_none();
  /// The first one behind that is not called yet looks for a machine.
  void call_next();
  /// When the place is left, the next one is called for this.
  void pass_on(Call call) { call_.store(call, std::memory_order_relaxed); }
  /// The service may be another one after a change of routing.
  bool is_for(const Service& service) const;

 private:
  friend class WaitingRoom;
  friend class Line;
  friend class Bell;
  void call(Call what);

  WaitingRoom& room_;
  Bell& bell_;
  Turn& turn_;
  Line& line_;
  Counter& waiting_now_;
  std::atomic<Call> call_{Call::none};
};

/// How a thread hears that places of its requests are called.
class WaitingRoom::Bell {
 public:
  /// `ring` is called on any thread when the first place of its own is called.
  explicit Bell(std::function<void()> ring);

  /// On the bell's own thread: those that were called get their turns.
  void answer(Poller& poller);

 private:
  friend class Place;
  std::function<void()> ring_;
  Places<Called> called_;
};

}  // namespace flylocal::proxy
