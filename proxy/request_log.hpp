#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace flylocal::proxy {

/// What a client spoke.
enum class ClientProtocol : std::uint8_t {
  http10,
  http11,
  http2,
  tcp,
  tls,  ///< a handshake that failed
};

/// "HTTP/1.0", "HTTP/1.1", "HTTP/2", "TCP", "TLS".
std::string_view name(ClientProtocol protocol);

/// One request that is over, or one connection of a port without the http handler, or a TLS handshake that failed. The
/// views are valid during the call only. What is no request has no method and no target, and status 0.
struct RequestRecord {
  std::chrono::system_clock::time_point at = {};  ///< when its head was there
  std::string_view edge_region = {};              ///< where it came in
  std::string_view client = {};                   ///< the client's address
  ClientProtocol protocol = ClientProtocol::http11;
  bool secure = false;       ///< over TLS that the proxy ended
  std::string_view app = {};      ///< empty when no service took the host name
  std::string_view machine = {};  ///< empty when no machine was reached
  std::string_view region = {};   ///< the machine's
  std::string_view choice = {};   ///< why that machine ("below its soft limit"); empty when none was reached
  std::string_view woken = {};    ///< the machine that was started while the request waited; empty: none
  std::string_view request_id = {};
  std::string_view method = {};
  std::string_view host = {};
  std::string_view target = {};
  std::uint16_t status = 0;   ///< 0: the client went away before there was an answer
  std::string_view error = {};     ///< the platform's code (PR03) when the proxy answered by itself or broke off
  std::string_view detail = {};    ///< what there is to say beyond the code
  bool aborted = false;       ///< the client went away, or was broken off, before the answer's end
  std::uint32_t retries = 0;  ///< attempts on a machine beyond the first
  bool reused = false;        ///< the connection to the machine came from the pool
  std::uint64_t bytes_up = 0;    ///< sent to the machine, heads and framing included
  std::uint64_t bytes_down = 0;  ///< sent to the client, likewise
  std::chrono::nanoseconds queue{0};       ///< waited for room at a machine
  std::chrono::nanoseconds wake{0};        ///< waited for a machine to start
  std::chrono::nanoseconds connect{0};     ///< from the request's head to a usable connection
  std::chrono::nanoseconds first_byte{0};  ///< from the request's head to the answer's first byte
  std::chrono::nanoseconds total{0};       ///< from the request's head to the answer's end
};

/// A record as it is read again: its texts are its own.
struct LoggedRequest {
  std::uint64_t number = 0;  ///< one more than the request's before it
  std::chrono::system_clock::time_point at;
  ClientProtocol protocol{};
  bool secure = false;
  bool aborted = false;
  bool reused = false;
  std::uint16_t status = 0;
  std::uint32_t retries = 0;
  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;
  std::chrono::nanoseconds queue{0}, wake{0}, connect{0}, first_byte{0}, total{0};
  std::string edge_region, client, app, machine, region, choice, woken, request_id, method, host, error, detail;
  std::string target;  ///< cut at RequestLog's room for texts
};

/// The last kSlots requests: a ring of slots and another one of their texts, so that a note costs no allocation. Both are
/// longer than a cache; they are written from front to back, which a processor sees and is ready for.
/// Any thread may call any member; they wait for each other, for a microsecond or, where many are read, some hundred.
class RequestLog {
 public:
  static constexpr std::size_t kSlots = 4096;
  /// Room for all texts of a request together. The target comes last and is cut; others are too short to be, but for
  /// host names and methods that nobody has.
  static constexpr std::size_t kTextRoom = 768;

  RequestLog();

  void note(const RequestRecord& record);

  /// The number that the next note gets.
  std::uint64_t end() const { return next_.load(std::memory_order_acquire); }

  /// At most `most` records from `number` on, oldest first. Those that are overwritten already are left out: then the
  /// first record's number is greater.
  std::vector<LoggedRequest> since(std::uint64_t number, std::size_t most) const;

 private:
  static constexpr std::size_t kTexts = 13;
  /// Holds the texts of kSlots requests, whatever their sizes: none of them lies across its end.
  static constexpr std::size_t kTextRing = (kSlots + 1) * kTextRoom;
  /// Everything of a record that is no text.
  struct Numbers {
    std::chrono::system_clock::time_point at;
    std::chrono::nanoseconds queue, wake, connect, first_byte, total;
    std::uint64_t bytes_up, bytes_down;
    std::uint32_t retries;
    std::uint16_t status;
    ClientProtocol protocol;
    bool secure, aborted, reused;
  };
  struct Slot {
    Numbers numbers;
    std::uint32_t text_begin;  ///< of its texts in texts_, one behind the other
    std::array<std::uint16_t, kTexts> sizes;
  };
  mutable std::mutex mutex_;
  std::vector<Slot> slots_;
  std::unique_ptr<char[]> texts_;  ///< of kTextRing
  std::size_t texts_end_ = 0;      ///< where the next texts begin
  std::atomic<std::uint64_t> next_{0};
};

}  // namespace flylocal::proxy
