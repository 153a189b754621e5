#include "proxy/http_session.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>

namespace flylocal::proxy {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kHostLine = " HTTP/1.1\r\nHost: ";
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\n";
// After an answer that ends the connection: closing with unread bytes would reset it under the client's eyes.
constexpr auto kLingerLimit = 1s;
constexpr std::size_t kLingerBytes = 1024 * 1024;

/// RFC 9110 9.2.2
bool is_idempotent(std::string_view method) {
  constexpr std::string_view kIdempotent[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return std::find(std::begin(kIdempotent), std::end(kIdempotent), method) != std::end(kIdempotent);
}

/// Nothing is one, too: the field is not there.
bool is_region_name(std::string_view text) {
  return text.size() <= RequestId::kMaxRegion && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

/// Before the first head the host is known from TLS, or when it does not matter.
std::chrono::milliseconds head_limit_of(const Worker& worker, const Arrival& arrival) {
  const PublishedPort* port = worker.snapshot->find_port(arrival.listener);
  const Backend* backend = port ? worker.snapshot->find_backend(*port, arrival.server_name) : nullptr;
  return backend && backend->http.head_limit ? *backend->http.head_limit : worker.options.head_limit;
}

/// As the request log shows it.
std::string_view load_text(const Choice& choice) {
  return choice.load == LoadClass::below_soft ? "below its soft limit" : "at its soft limit";
}

http1::BodyScanner scanner_for(const http1::Fields& fields) {
  return fields.chunked ? http1::BodyScanner::chunked()
                        : http1::BodyScanner::length(fields.content_length.value_or(0));
}

}  // namespace

HttpSession::HttpSession(Worker& worker, Arrival how, std::unique_ptr<Channel> client)
    : Session(*worker.poller, std::move(how), std::move(client)),
      worker_(worker),
      client_ip_(address_text(arrival.client.address())),
      dialled_ip_(address_text(arrival.dialled.address())),
      head_limit_(head_limit_of(worker, arrival)),
      request_pump_(worker.buffers),
      answer_pump_(worker.buffers),
      relay_(request_pump_, answer_pump_) {}

Flow<HttpSession::End> HttpSession::run() {
  After after = After::keep;
  while (after == After::keep) {
    HeadResult head = co_await read_head();
    if (head == HeadResult::ended) co_return End::over;
    if (head == HeadResult::http2) co_return End::http2;
    served_any_ = true;
    after = head == HeadResult::complete ? co_await serve() : co_await answer_with(page_);
  }
  if (after == After::close) co_await linger();
  co_return End::over;
}

bool HttpSession::client_left() {
  if (client().broken()) return true;
  if (!client().peer_ended()) return false;
  // The end may stand behind a body or behind further requests that were not read yet.
  if (request_.has_body && request_.open) return false;
  Buffer& in = request_pump_.in();
  if (!in.empty()) return false;
  Transfer got = client().read(in.space());
  in.commit(got.bytes);
  return got.status == Transfer::Status::closed || got.status == Transfer::Status::failed;
}

void HttpSession::on_machine_leaves(std::string_view machine_id) {
  if (!frames_ || machine_.upstream->machine_id != machine_id) return;
  owes_farewell_ = true;
  worker_.poller->schedule(wakeup);
}

Flow<HttpSession::HeadResult> HttpSession::read_head() {
  request_pump_.clear_prefix();
  answer_pump_.clear_prefix();
  request_ = {};
  answer_ = {};
  compression_.reset();
  deadline.set_after(worker_.options.keep_alive_limit);
  Buffer& in = request_pump_.in();
  std::size_t searched = 0;
  bool begun = false;
  for (;;) {
    if (!in.empty()) in.consume(http1::leading_empty_lines(in.bytes()));
    if (!in.empty()) {
      if (!begun) deadline.set_after(head_limit_);
      begun = true;
      http1::HeadEnd end = http1::find_head_end(in.bytes(), searched);
      if (end.error) co_return refuse(*end.error);
      if (end.size > 0) {
        // RFC 9113 3.4: what follows the empty line is not there yet perhaps, and is for the other session to check.
        if (!served_any_ && !arrival.http2 && in.bytes().starts_with(kHttp2Preface)) co_return HeadResult::http2;
        auto error = http1::parse_request_head(in.bytes().substr(0, end.size), worker_.request_head);
        if (error) co_return refuse(*error);
        request_.edge_region = worker_.request_head.fields.value(http1::FieldId::flylocal_edge_region);
        if (!is_region_name(request_.edge_region)) {
          request_.edge_region.clear();
          co_return refuse({400, "flylocal-edge-region does not name a region", "ams, for example"});
        }
        prepare_request(worker_.request_head);
        in.consume(end.size);
        if (request_.has_body) request_pump_.absorb_body();
        deadline.clear();
        co_return HeadResult::complete;
      }
      searched = in.bytes().size();
      if (in.full()) co_return refuse({431, "the head is larger than 64 KiB", "RFC 6585 5"});
    } else if (worker_.phase != Worker::Phase::serving && !client().readable()) {
      co_return HeadResult::ended;
    }
    Transfer got = client().read(in.space());
    in.commit(got.bytes);
    if (got.status == Transfer::Status::moved) continue;
    if (got.status != Transfer::Status::blocked) co_return HeadResult::ended;
    co_await wakeup.wait();
    if (must_stop()) co_return HeadResult::ended;
    if (!deadline.passed() || (!begun && client().readable())) continue;
    if (!begun) co_return HeadResult::ended;
    co_return refuse({408, "the head did not come to its end in time", "RFC 9110 15.5.9"});
  }
}

HttpSession::HeadResult HttpSession::refuse(const http1::HeadError& error) {
  count(worker_.stats.bad_requests);
  deadline.clear();
  request_.arrived = worker_.poller->now();
  request_.at = std::chrono::system_clock::now();
  request_.id = RequestId(request_.at,
                          edge_region(worker_.snapshot->find_port(arrival.listener)), worker_.random);
  page_ = page_for_bad_request(error);
  return HeadResult::refused;
}

void HttpSession::prepare_request(const http1::RequestHead& head) {
  count(worker_.stats.requests);
  auto now = std::chrono::system_clock::now();
  request_.arrived = worker_.poller->now();
  request_.at = now;
  const PublishedPort* port = worker_.snapshot->find_port(arrival.listener);
  request_.id = RequestId(now, edge_region(port), worker_.random);
  request_.method_size = static_cast<std::uint32_t>(head.method.size());
  request_.target_size = static_cast<std::uint32_t>(head.target.size());
  request_.host_size = static_cast<std::uint32_t>(head.host.size());
  request_.version = head.version;
  request_.page_format = choose_format(head.fields.value(http1::FieldId::accept));
  request_.keep_alive = head.keep_alive();
  request_.is_head = head.method == "HEAD";
  request_.is_idempotent = is_idempotent(head.method);
  request_.has_body = head.has_body();
  request_.wants_upgrade = head.wants_upgrade();
  request_.open = true;
  if (port) apply_early_options(*port, head);

  ClientFacts client_facts{
      .client_ip = client_ip_,
      .dialled_ip = port && !port->public_address.empty() ? port->public_address : dialled_ip_,
      .external_port = port ? port->external_port : std::uint16_t{0},
      .edge_region = edge_region(port),
      .secure = arrival.secure,
      .http2 = arrival.http2};
  RequestFacts request_facts{.request_id = request_.id.text(),
                             .arrived = now,
                             .trace_id = {worker_.random(), worker_.random()},
                             .span_id = worker_.random()};
  append_request_head(request_pump_.prefix(), head, client_facts, request_facts);
  request_pump_.begin_body(scanner_for(head.fields), Pump::Encoding::verbatim);
}

std::string_view HttpSession::edge_region(const PublishedPort* port) const {
  return edge_region_of(worker_, port, request_.edge_region);
}

/// What has to be known before there is a machine, or while the request's fields are at hand.
void HttpSession::apply_early_options(const PublishedPort& port, const http1::RequestHead& head) {
  bool any = std::any_of(port.backends.begin(), port.backends.end(), [](const Backend& backend) {
    return backend.http.force_https || backend.http.compress;
  });
  const Backend* backend = any ? worker_.snapshot->find_backend(port, head.host) : nullptr;
  if (!backend) return;
  if (backend->http.force_https && !arrival.secure) request_.https_port = backend->https_port;
  if (backend->http.compress) request_.coding = choose_coding(head.fields);
}

/// platform.md 4.3: no machine hears of the request.
ErrorPage HttpSession::page_for_https() const {
  std::string_view name = host().empty() ? dialled_ip_ : host();
  // A bracketed IPv6 address has colons of its own.
  name = name.substr(0, name.starts_with('[') ? name.find(']') + 1 : name.find(':'));
  ErrorPage page;
  page.status = 301;
  page.location = fmt::format("https://{}{}{}", name, *request_.https_port == 443 ? "" : fmt::format(":{}", *request_.https_port),
                              target() == "*" ? "/" : target());
  return page;
}

AnswerFacts HttpSession::answer_facts() const {
  return {.server = worker_.options.server,
          .request_id = request_.id.text(),
          .http2 = arrival.http2,
          .options = machine_.backend ? &machine_.backend->http : nullptr};
}

std::string_view HttpSession::target() const {
  if (request_.target_size == 0) return {};  // a head that was refused
  return std::string_view(request_pump_.prefix()).substr(request_.method_size + 1, request_.target_size);
}

std::string_view HttpSession::host() const {
  if (request_.host_size == 0) return {};
  return std::string_view(request_pump_.prefix())
      .substr(request_.method_size + 1 + request_.target_size + kHostLine.size(), request_.host_size);
}

/// All that was sent of it can be sent again.
bool HttpSession::is_whole() const { return !request_.has_body || request_pump_.body_untouched(); }

bool HttpSession::may_repeat() const { return request_.is_idempotent && is_whole(); }

Flow<HttpSession::After> HttpSession::serve() {
  if (request_.https_port) co_return co_await answer_with(page_for_https());
  // What can neither be repeated nor be sent again when a machine's end crosses it gets a connection of its own.
  Reuse reuse = may_repeat()             ? Reuse::any
                : request_pump_.ended() ? Reuse::known_open
                                         : Reuse::shared_only;
  for (;;) {
    co_await dial(worker_, *this,
                  {.host = host(),
                   .edge_region = request_.edge_region,
                   .reuse = reuse,
                   .broken = request_.broken_machines},
                  machine_);
    request_.retries += machine_.failures;
    if (machine_.outcome == Dialled::Outcome::given_up) {
      record("");
      co_return After::drop;
    }
    if (machine_.outcome != Dialled::Outcome::connected) {
      // What a machine did to the request says more than that no other one was found.
      if (!request_.broken_machines.empty()) co_return co_await answer_with(page_);
      co_return co_await answer_with(page_for_failed_dial(machine_, host()));
    }
    answer_.connected = worker_.poller->now();
    if (machine_.reused && !may_repeat()) machine_.connection->mark_request();
    switch (co_await exchange()) {
      case Step::retry:
        // The machine may have closed more pooled connections than this one.
        reuse = Reuse::none;
        ++request_.retries;
        ++request_.repeats;
        count(worker_.stats.retries);
        // Its place at the machine is free again, perhaps for this very request.
        machine_ = {};
        request_pump_.rewind_prefix();
        request_.cut = false;
        request_.awaits_fate = false;
        request_.open = true;
        continue;
      case Step::done:
        finish_exchange();
        if (answer_.upgraded) co_return After::drop;
        co_return answer_.keeps_client && !request_.open && !request_.cut ? After::keep : After::close;
      case Step::no_answer:
        co_return co_await answer_with(page_);
      default:
        co_return After::drop;
    }
  }
}

void HttpSession::finish_exchange() {
  answer_.complete = true;
  record("");
  bool reusable = answer_.keeps_machine && !answer_.upgraded && !request_.open && !request_.cut &&
                  answer_pump_.in().empty() && worker_.phase == Worker::Phase::serving &&
                  machine_.service->concurrency.type == ConcurrencyType::requests;
  if (reusable) worker_.pool.put_back(std::move(machine_.connection));
  answer_pump_.in().clear();
  machine_ = {};
}

Flow<HttpSession::After> HttpSession::answer_with(const ErrorPage& page) {
  bool keep = request_.keep_alive && !request_.has_body && worker_.phase == Worker::Phase::serving;
  answer_.status = page.status;
  answer_.complete = true;
  page_ = page;
  page_.request_id = request_.id.text();
  answer_pump_.in().clear();
  if (answer_pump_.prefix_written()) answer_pump_.clear_prefix();
  bool has_body = page_.location.empty() && !worker_.options.faithful_errors;
  std::string body = has_body ? render(page_, request_.page_format) : std::string();
  std::string& out = answer_pump_.prefix();
  out += fmt::format("HTTP/1.1 {} {}\r\n", page_.status, reason_phrase(page_.status));
  if (!page_.location.empty()) out += fmt::format("location: {}\r\n", page_.location);
  if (has_body) out += fmt::format("content-type: {}\r\ncache-control: no-store\r\n", content_type(request_.page_format));
  if (has_body && !page_.code.empty()) out += fmt::format("flylocal-error: {}\r\n", page_.code);
  out += fmt::format("content-length: {}\r\n", body.size());
  if (!keep) {
    out += "connection: close\r\n";
  } else if (request_.version == http1::Version::http10) {
    out += "connection: keep-alive\r\n";
  }
  append_proxy_fields(out, answer_facts());
  out += "\r\n";
  if (!request_.is_head) out += body;
  answer_pump_.begin_body(http1::BodyScanner::none(), Pump::Encoding::verbatim);

  machine_.connection.reset();
  machine_.load = {};
  record(page_.code);
  machine_ = {};
  deadline.set_after(worker_.options.head_limit);
  for (;;) {
    Pump::Outcome outcome = answer_pump_.flush(client());
    if (outcome == Pump::Outcome::finished) break;
    if (outcome == Pump::Outcome::sink_failed) co_return After::drop;
    co_await wakeup.wait();
    if (must_stop() || deadline.passed()) co_return After::drop;
  }
  deadline.clear();
  co_return keep ? After::keep : After::close;
}

Flow<> HttpSession::linger() {
  Buffer& in = request_pump_.in();
  bool unread = !in.empty() || client().readable() || (request_.has_body && request_.open);
  if (!unread) co_return;
  client().shutdown_write();
  deadline.set_after(kLingerLimit);
  for (std::size_t dropped = 0; dropped < kLingerBytes;) {
    in.clear();
    Transfer got = client().read(in.space());
    in.commit(got.bytes);
    dropped += got.bytes;
    if (got.status == Transfer::Status::moved) continue;
    if (got.status != Transfer::Status::blocked) break;
    co_await wakeup.wait();
    if (must_stop() || deadline.passed()) break;
  }
}

void HttpSession::record(std::string_view error) {
  if (answer_.status == 0) {
    count(worker_.stats.aborted);
  } else {
    count(worker_.stats.answers[answer_.status / 100]);
  }
  auto now = Clock::now();
  RequestRecord record;
  record.at = request_.at;
  record.edge_region = edge_region(worker_.snapshot->find_port(arrival.listener));
  record.client = client_ip_;
  record.protocol = arrival.http2                               ? ClientProtocol::http2
                    : request_.version == http1::Version::http10 ? ClientProtocol::http10
                                                                 : ClientProtocol::http11;
  record.secure = arrival.secure;
  if (machine_.service) record.app = machine_.service->app;
  // A machine that was only tried is told by the retries.
  if (machine_.upstream && answer_.connected != Clock::time_point{}) {
    record.machine = machine_.upstream->machine_id;
    record.region = machine_.upstream->region;
    record.reused = machine_.reused;
    record.choice = load_text(machine_.choice);
    record.connect = answer_.connected - request_.arrived;
  }
  if (answer_.seen) record.first_byte = answer_.first_byte - request_.arrived;
  record.request_id = request_.id.text();
  record.method = method();
  record.target = target();
  record.host = host();
  record.status = answer_.status;
  record.error = error;
  record.aborted = !answer_.complete;
  record.retries = request_.retries;
  record.woken = machine_.woken;
  record.wake = machine_.wake_time;
  record.queue = machine_.queue_time;
  record.bytes_up = request_pump_.bytes_written();
  record.bytes_down = answer_pump_.bytes_written();
  record.total = now - request_.arrived;
  worker_.edge->log.note(record);
  if (worker_.options.on_request) worker_.options.on_request(record);
}

}  // namespace flylocal::proxy
