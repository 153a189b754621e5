#pragma once

#include "proxy/pump.hpp"

namespace flylocal::proxy {

/// Both directions of a connection that is passed on as it is. Each direction ends by itself: the end of
/// one is passed on as the end of that direction only (half-close).
class Relay {
 public:
  enum class Outcome {
    waiting,
    busy,      ///< wants another turn
    finished,  ///< both directions have ended properly
    broken,    ///< one side was reset
  };

  /// The pumps may hold bytes already read, and a prefix still to be written.
  Relay(Pump& to_upstream, Pump& to_client) : to_upstream_(to_upstream), to_client_(to_client) {}
  void begin();
  Outcome step(Channel& client, Channel& upstream);

 private:
  enum class Direction : std::uint8_t { open, ended, broken };
  static Direction advance(Pump& pump, Direction direction, Channel& source, Channel& sink, bool& busy);

  Pump& to_upstream_;
  Pump& to_client_;
  Direction up_ = Direction::open;
  Direction down_ = Direction::open;
};

}  // namespace flylocal::proxy
