#include "proxy/io/poller.hpp"

#include <sys/epoll.h>

#include <array>
#include <system_error>

#include "proxy/io/socket.hpp"

namespace flylocal::proxy {
namespace {

constexpr int kEventsPerRound = 256;
// Other work on the io_context gets its turn at least after so many rounds.
constexpr int kRoundsPerVisit = 32;
// Of so many events ahead the socket is fetched into the cache.
constexpr int kSocketsAhead = 8;

int open_epoll() {
  int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return fd;
}

}  // namespace

Poller::Poller(Executor executor)
    : executor_(executor),
      epoll_fd_(open_epoll()),
      descriptor_(executor, epoll_fd_),
      alarm_timer_(executor) {}

void Poller::start() {
  await_events();
}

void Poller::stop() {
  stopped_ = true;
  turns_.clear();
  descriptor_.close();
  alarm_timer_.cancel();
}

void Poller::schedule(Turn& turn) {
  if (turn.is_linked()) return;
  turns_.push_back(turn);
  if (!running_) post_rounds();
}

void Poller::post_rounds() {
  if (posted_ || stopped_) return;
  posted_ = true;
  asio::post(executor_, [self = shared_from_this()] {
    self->posted_ = false;
    self->run_rounds();
  });
}

void Poller::add(int fd, Socket& socket) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &socket;
  if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) < 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

void Poller::remove(int fd) {
  // Closing is not enough: a child that was just cloned may still hold the descriptor, and its events would
  // name a socket that is gone.
  if (!stopped_) ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
}

void Poller::await_events() {
  descriptor_.async_wait(asio::posix::descriptor_base::wait_read,
                         [self = shared_from_this()](boost::system::error_code error) {
                           if (error || self->stopped_) return;
                           self->run_rounds();
                           if (!self->stopped_) self->await_events();
                         });
}

void Poller::run_rounds() {
  running_ = true;
  for (int round = 0; round < kRoundsPerVisit && !stopped_ && run_round(); ++round) {
  }
  running_ = false;
  if (!turns_.empty()) post_rounds();
}

bool Poller::run_round() {
  std::array<epoll_event, kEventsPerRound> events;
  int count = ::epoll_wait(epoll_fd_, events.data(), kEventsPerRound, 0);
  now_ = Clock::now();
  for (int i = 0; i < count; ++i) {
    if (i + kSocketsAhead < count) __builtin_prefetch(events[i + kSocketsAhead].data.ptr);
    static_cast<Socket*>(events[i].data.ptr)->note(events[i].events);
  }
  if (turns_.empty()) return false;
  Turns round;
  round.swap(turns_);
  while (!round.empty() && !stopped_) {
    Turn& turn = round.front();
    round.pop_front();
    if (!round.empty()) round.front().expect();
    turn.take_turn();
  }
  return true;
}

void Poller::await_alarm() {
  if (alarms_.empty() || stopped_ || alarms_.begin()->first >= alarm_at_) return;
  alarm_at_ = alarms_.begin()->first;
  alarm_timer_.expires_at(alarm_at_);
  alarm_timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error && !self->stopped_) self->ring_alarms();
  });
}

void Poller::ring_alarms() {
  now_ = Clock::now();
  alarm_at_ = Clock::time_point::max();
  while (!alarms_.empty() && alarms_.begin()->first <= now_) {
    Deadline& deadline = *alarms_.begin()->second;
    deadline.disarm();
    if (deadline.due_ <= now_) {
      schedule(deadline.owner_);
    } else if (deadline.due_ != Clock::time_point::max()) {
      deadline.arm(deadline.due_);
    }
  }
  await_alarm();
}

void Deadline::arm(Clock::time_point at) {
  disarm();
  armed_at_ = at;
  alarm_ = poller_.alarms_.emplace(at, this);
  poller_.await_alarm();
}

void Deadline::disarm() {
  if (armed_at_ == Clock::time_point::max()) return;
  armed_at_ = Clock::time_point::max();
  poller_.alarms_.erase(alarm_);
}

}  // namespace flylocal::proxy
