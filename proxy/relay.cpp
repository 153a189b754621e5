#include "proxy/relay.hpp"

namespace flylocal::proxy {

void Relay::begin() {
  up_ = down_ = Direction::open;
  to_upstream_.begin_body(http1::BodyScanner::until_close(), Pump::Encoding::verbatim);
  to_client_.begin_body(http1::BodyScanner::until_close(), Pump::Encoding::verbatim);
}

Relay::Direction Relay::advance(Pump& pump, Direction direction, Channel& source, Channel& sink, bool& busy) {
  if (direction != Direction::open) return direction;
  switch (pump.run(source, sink)) {
    case Pump::Outcome::waiting:
      return Direction::open;
    case Pump::Outcome::busy:
      busy = true;
      return Direction::open;
    case Pump::Outcome::finished:
      sink.shutdown_write();
      return Direction::ended;
    case Pump::Outcome::sink_failed:
      // What the other side sent before it broke is still to be delivered; its own read tells of the break.
      return Direction::ended;
    default:
      return Direction::broken;
  }
}

Relay::Outcome Relay::step(Channel& client, Channel& upstream) {
  bool busy = false;
  up_ = advance(to_upstream_, up_, client, upstream, busy);
  down_ = advance(to_client_, down_, upstream, client, busy);
  if (up_ == Direction::broken || down_ == Direction::broken || client.broken()) return Outcome::broken;
  if (up_ == Direction::ended && down_ == Direction::ended) return Outcome::finished;
  return busy ? Outcome::busy : Outcome::waiting;
}

}  // namespace flylocal::proxy
