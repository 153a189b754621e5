#pragma once

#include <boost/intrusive/list.hpp>
#include <map>
#include <memory>

#include "flylocal/base/async.hpp"
#include "flylocal/base/unique_fd.hpp"

/// Theory of operation. The proxy's sockets do not sit in Asio's reactor but in an epoll set of their own,
/// which is one readable descriptor to Asio. Three things follow. A socket is registered once, edge-triggered
/// for both directions, and remembers what epoll said, so that no read is tried in vain and none needs
/// re-arming. A session waits for all its sockets and its deadline at once, in one coroutine, which turns
/// "answer while the request is still being sent" and "client gone while we wait for the machine" into plain
/// conditions. And a batch of events costs Asio one turn.
///
/// A round has two halves: first every event is noted on its socket, which puts the owner in a queue; then
/// the owners take their turns. Owners leave the queue when they are destroyed, so that one turn may end
/// other sessions or close other sockets of the same batch.
namespace flylocal::proxy {

class Deadline;
class Poller;
class Socket;

using Clock = std::chrono::steady_clock;

/// Something that goes on when one of its sockets or its deadline has news.
class Turn
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual void take_turn() = 0;
  /// It will be the next one to take its turn. Meanwhile its memory may come into the cache, which is too small for
  /// all sessions of a busy proxy.
  virtual void expect() const {}

 protected:
  Turn() = default;
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() = default;
};

/// The event loop of the proxy's sockets, on one io_context and its one thread.
class Poller : public std::enable_shared_from_this<Poller> {
 public:
  /// Throws std::system_error when the kernel gives no epoll descriptor.
  explicit Poller(Executor executor);

  void start();
  /// No turn is taken afterwards.
  void stop();

  /// Queues `turn`, once, for the round after this one.
  void schedule(Turn& turn);

  /// The time at which the present round began.
  Clock::time_point now() const { return now_; }
  const Executor& executor() const { return executor_; }

 private:
  friend class Deadline;
  friend class Socket;
  using Turns = boost::intrusive::list<Turn, boost::intrusive::constant_time_size<false>>;
  using Alarms = std::multimap<Clock::time_point, Deadline*>;

  void add(int fd, Socket& socket);
  void remove(int fd);
  void await_events();
  void post_rounds();
  void run_rounds();
  bool run_round();
  void await_alarm();
  void ring_alarms();

  Executor executor_;
  int epoll_fd_;  // owned by descriptor_
  Descriptor descriptor_;
  Turns turns_;
  Alarms alarms_;
  Timer alarm_timer_;
  Clock::time_point alarm_at_ = Clock::time_point::max();
  Clock::time_point now_ = Clock::now();
  bool running_ = false;
  bool posted_ = false;
  bool stopped_ = false;
};

/// Schedules its owner's turn when a time has come. Moving the time later, or clearing it, costs nothing:
/// the poller's alarm stays where it is and looks again when it rings.
class Deadline {
 public:
  Deadline(Poller& poller, Turn& owner) : poller_(poller), owner_(owner) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() { disarm(); }

  void set(Clock::time_point due) {
    due_ = due;
    if (due < armed_at_) arm(due);
  }
  void set_after(Clock::duration duration) { set(poller_.now() + duration); }
  void clear() { due_ = Clock::time_point::max(); }
  bool passed() const { return due_ <= poller_.now(); }

 private:
  friend class Poller;
  void arm(Clock::time_point at);
  void disarm();

  Poller& poller_;
  Turn& owner_;
  Clock::time_point due_ = Clock::time_point::max();
  Clock::time_point armed_at_ = Clock::time_point::max();
  Poller::Alarms::iterator alarm_;
};

}  // namespace flylocal::proxy
