#include "proxy/http_session.hpp"

#include <fmt/format.h>

#include <utility>

/// The part of a session that passes one request to a machine and its answer back.
namespace flylocal::proxy {
namespace {

// A request may be what breaks its machines: it does not get all of them.
constexpr std::uint32_t kMaxRepeats = 3;
// For the reset that follows when a machine's kernel drops a request: one way to the machine and back.
constexpr auto kFateLimit = std::chrono::milliseconds(200);

}  // namespace

Flow<HttpSession::Step> HttpSession::exchange() {
  const auto idle_limit = machine_.backend->http.idle_timeout;
  std::pair<std::uint64_t, std::size_t> moved;
  if (idle_limit) deadline.set_after(*idle_limit);
  for (;;) {
    Step next = step();
    if (idle_limit) {
      const std::uint64_t taken = compression_ ? compression_->bytes_taken() : 0;
      const std::pair now_moved(request_pump_.bytes_written() + answer_pump_.bytes_written() + taken,
                                answer_pump_.in().bytes().size());
      if (std::exchange(moved, now_moved) != now_moved) deadline.set_after(*idle_limit);
      else if (next == Step::wait && !request_.awaits_fate && deadline.passed()) next = on_idle(*idle_limit);
      if (next != Step::wait && next != Step::yield) deadline.clear();
    }
    if (next == Step::wait) {
      co_await wakeup.wait();
    } else if (next == Step::yield) {
      co_await wakeup.yield();
    } else {
      co_return next;
    }
    if (must_stop()) {
      record("");
      co_return Step::broken_off;
    }
  }
}

/// Moves what can move now, in both directions.
HttpSession::Step HttpSession::step() {
  if (answer_.upgraded) return step_upgraded();
  bool busy = false;
  if (request_.open) {
    Step step = step_request();
    if (step != Step::wait && step != Step::yield) return step;
    busy = step == Step::yield;
  }
  if (client_left()) {
    record("");
    return Step::broken_off;
  }
  if (answer_.status == 0) {
    if (auto step = step_answer_head()) return busy && *step == Step::wait ? Step::yield : *step;
    if (answer_.upgraded) return step_upgraded();
  }
  Step step = step_answer_body();
  return busy && step == Step::wait ? Step::yield : step;
}

HttpSession::Step HttpSession::step_request() {
  switch (request_pump_.run(client(), machine_.connection->channel())) {
    case Pump::Outcome::waiting:
      return Step::wait;
    case Pump::Outcome::busy:
      return Step::yield;
    case Pump::Outcome::finished:
      request_.open = false;
      return Step::wait;
    case Pump::Outcome::sink_failed:
      // The machine may have answered before it stopped reading.
      request_.open = false;
      request_.cut = true;
      return Step::wait;
    case Pump::Outcome::malformed:
      count(worker_.stats.bad_requests);
      if (answer_.status != 0) {
        record("");
        return Step::broken_off;
      }
      page_ = page_for_bad_request({400, request_pump_.error(), "the body's framing"});
      return Step::no_answer;
    default:
      record("");
      return Step::broken_off;
  }
}

/// Nothing: the head is here and was begun to be passed on.
std::optional<HttpSession::Step> HttpSession::step_answer_head() {
  Buffer& in = answer_pump_.in();
  for (;;) {
    if (!in.empty()) {
      http1::HeadEnd end = http1::find_head_end(in.bytes(), answer_.searched);
      if (end.error) return no_answer("its answer's head is malformed: a line ends with a line feed alone");
      if (end.size > 0) {
        auto step = take_answer_head(in.bytes().substr(0, end.size));
        if (step) return step;
        in.consume(end.size);
        answer_.searched = 0;
        if (answer_.status != 0) return {};
        continue;
      }
      answer_.searched = in.bytes().size();
      if (in.full()) return no_answer("its answer's head is larger than 64 KiB");
    }
    Transfer got = machine_.connection->channel().read(in.space());
    in.commit(got.bytes);
    switch (got.status) {
      case Transfer::Status::moved:
        if (!answer_.seen) answer_.first_byte = worker_.poller->now();
        answer_.seen = true;
        break;
      case Transfer::Status::blocked:
        if (answer_pump_.flush(client()) != Pump::Outcome::sink_failed) return Step::wait;
        record("");
        return Step::broken_off;
      case Transfer::Status::closed:
        return on_machine_ended("closed the connection before its answer was complete");
      case Transfer::Status::failed:
        return on_machine_ended("reset the connection before its answer was complete");
    }
  }
}

std::optional<HttpSession::Step> HttpSession::take_answer_head(std::string_view bytes) {
  http1::ResponseHead& head = worker_.response_head;
  if (auto error = http1::parse_response_head(bytes, head)) {
    return no_answer(std::string("its answer's head is malformed: ").append(error->what));
  }
  if (head.status == 101) {
    if (!request_.wants_upgrade || request_.open)
      return no_answer("it switched protocols without being asked to");
    answer_.upgraded = true;
    begin_answer(head);
    relay_.begin();
    if (http1::equals_ignoring_case(head.fields.upgrade, "websocket")) {
      frames_ = std::make_unique<WebSocketFrames>();
      answer_pump_.follow(*frames_);
    }
    return {};
  }
  if (head.status < 200) {
    if (answer_pump_.prefix().size() > kBufferSize) return no_answer("it sent interim answers without end");
    pass_interim(head);
    return {};
  }
  begin_answer(head);
  return {};
}

void HttpSession::pass_interim(const http1::ResponseHead& head) {
  // RFC 9110 15.2: an HTTP/1.0 client does not know them.
  if (request_.version == http1::Version::http10) return;
  append_response_head(answer_pump_.prefix(), head, AnswerFraming::none, ConnectionNote::none, answer_facts());
}

/// RFC 9112 6.3
void HttpSession::begin_answer(const http1::ResponseHead& head) {
  using http1::BodyScanner;
  answer_.status = head.status;
  bool old_client = request_.version == http1::Version::http10;
  bool bodiless = request_.is_head || head.status < 200 || head.status == 204 || head.status == 304;
  bool delimited = bodiless || head.fields.chunked || head.fields.content_length;
  auto scanner = BodyScanner::none();
  auto encoding = Pump::Encoding::verbatim;
  auto framing = AnswerFraming::none;
  if (bodiless) {
    if (request_.is_head || head.status == 304) framing = AnswerFraming::content_length;
  } else if (head.fields.chunked) {
    scanner = BodyScanner::chunked();
    encoding = old_client ? Pump::Encoding::payload_only : Pump::Encoding::verbatim;
    framing = old_client ? AnswerFraming::until_close : AnswerFraming::chunked;
  } else if (head.fields.content_length) {
    scanner = BodyScanner::length(*head.fields.content_length);
    framing = AnswerFraming::content_length;
  } else {
    scanner = BodyScanner::until_close();
    encoding = old_client ? Pump::Encoding::verbatim : Pump::Encoding::into_chunks;
    framing = old_client ? AnswerFraming::until_close : AnswerFraming::chunked;
  }
  AnswerFacts facts = answer_facts();
  if (facts.options && facts.options->compress && !bodiless && !old_client && begin_compression(head, scanner, facts)) {
    scanner = BodyScanner::none();
    encoding = Pump::Encoding::verbatim;
    framing = AnswerFraming::chunked;
  }
  answer_.keeps_machine = delimited && head.keep_alive();
  answer_.ends_with_connection = framing == AnswerFraming::until_close;
  // A client that is still sending when the answer comes may never send the rest.
  answer_.keeps_client = request_.keep_alive && !answer_.ends_with_connection && !request_.open &&
                         !request_.cut && worker_.phase == Worker::Phase::serving;
  auto note = ConnectionNote::none;
  if (answer_.upgraded) {
    note = ConnectionNote::upgrade;
  } else if (!answer_.keeps_client) {
    note = ConnectionNote::close;
  } else if (old_client) {
    note = ConnectionNote::keep_alive;
  }
  append_response_head(answer_pump_.prefix(), head, framing, note, facts);
  answer_pump_.begin_body(scanner, encoding);
}

/// False: the body is passed on as it is.
bool HttpSession::begin_compression(const http1::ResponseHead& head, http1::BodyScanner scanner, AnswerFacts& facts) {
  if (!is_compressible(head)) return false;
  facts.varies = true;
  if (request_.coding == Coding::identity) return false;
  facts.coding = name(request_.coding);
  compression_ = std::make_unique<CompressedBody>(request_.coding, scanner);
  return true;
}

HttpSession::Step HttpSession::step_answer_body() {
  Channel& machine = machine_.connection->channel();
  switch (compression_ ? compression_->run(answer_pump_, machine, client()) : answer_pump_.run(machine, client())) {
    case Pump::Outcome::waiting:
      return Step::wait;
    case Pump::Outcome::busy:
      return Step::yield;
    case Pump::Outcome::finished:
      return Step::done;
    case Pump::Outcome::sink_failed:
      record("");
      return Step::broken_off;
    default:
      // Half an answer has gone out: the client can only be told by breaking off.
      count(worker_.stats.upstream_failures);
      machine_.upstream->load->failures.fetch_add(1, std::memory_order_relaxed);
      record("PU02");
      if (answer_.ends_with_connection) client().reset();
      return Step::broken_off;
  }
}

HttpSession::Step HttpSession::step_upgraded() {
  Channel& machine = machine_.connection->channel();
  Relay::Outcome outcome = relay_.step(client(), machine);
  if (owes_farewell_ && outcome == Relay::Outcome::waiting && frames_->between_frames()) {
    owes_farewell_ = false;
    answer_pump_.prefix() += kGoingAway;
    outcome = relay_.step(client(), machine);
  }
  switch (outcome) {
    case Relay::Outcome::waiting:
      return Step::wait;
    case Relay::Outcome::busy:
      return Step::yield;
    case Relay::Outcome::finished:
      return Step::done;
    default:
      record("");
      client().reset();
      machine.reset();
      return Step::broken_off;
  }
}

HttpSession::Step HttpSession::on_machine_ended(std::string_view how) {
  if (!answer_.seen && request_.repeats < kMaxRepeats && may_send_again(how)) {
    deadline.clear();
    return Step::retry;
  }
  if (request_.awaits_fate && !deadline.passed()) return Step::wait;
  deadline.clear();
  return no_answer(how);
}

/// Nothing of it was sent, or it may be sent twice and there is another machine for it, or nobody can have read it.
bool HttpSession::may_send_again(std::string_view how) {
  if (!request_pump_.prefix_touched()) return true;
  if (machine_.connection->was_refused() && request_pump_.body_untouched()) return true;
  if (may_repeat()) {
    if (machine_.reused) return true;
    // Not by the connection's age but by what the machine did: only another one may do better.
    request_.broken_machines.push_back(machine_.upstream->machine_id);
    const bool has_other = has_other_machine(worker_, *this, host(), request_.broken_machines);
    if (has_other) no_answer(how);  // counted here; another machine may still answer
    return has_other;
  }
  if (!machine_.reused || !is_whole()) return false;
  const auto fate = machine_.connection->fate_of_request();
  if (fate == UpstreamConnection::Fate::undecided && !request_.awaits_fate) {
    request_.awaits_fate = true;
    deadline.set_after(kFateLimit);
  }
  return fate == UpstreamConnection::Fate::dropped;
}

HttpSession::Step HttpSession::no_answer(std::string_view what) {
  count(worker_.stats.upstream_failures);
  machine_.upstream->load->failures.fetch_add(1, std::memory_order_relaxed);
  page_ = page_for_broken_answer(machine_, what);
  if (machine_.connection->is_not_http2()) {
    page_.code = "PU01";
    page_.message = fmt::format("Machine {} does not speak HTTP/2 in plain text, which h2_backend asks of it.",
                                machine_.upstream->machine_id);
  }
  return Step::no_answer;
}

/// platform.md 4.3: nothing went to the machine or came from it for as long as the app's idle_timeout says. A client
/// that has seen none of the answer is told; any other one only sees the connection close.
HttpSession::Step HttpSession::on_idle(std::chrono::milliseconds limit) {
  if (answer_.status == 0) {
    Step step = no_answer(fmt::format("neither sent nor took a byte for {} ms, which is the app's idle_timeout", limit.count()));
    page_.status = 504;
    return step;
  }
  record(answer_.upgraded ? "" : "PU02");
  if (answer_.ends_with_connection) client().reset();
  return Step::broken_off;
}

}  // namespace flylocal::proxy
