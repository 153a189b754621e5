// The app behind the proxies whose speed is compared: light_app ADDRESS PORT BODY answers each request that has no body of its own
// with BODY, over connections that stay. It does nothing else, so that the host's time goes to the proxies. Ends by a signal.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/ip/address_v4.hpp>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>

#include "flylocal/base/unique_fd.hpp"
#include "netns/sockets.hpp"
#include "tests/bench/need.hpp"

using namespace flylocal;
using flylocal::bench::need;

namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";

struct Client {
  UniqueFd socket;
  std::string begun;  ///< of a head whose end is still to come
};

/// How many heads end in what the client has sent now.
std::size_t heads_in(Client& client, std::string_view bytes) {
  std::string_view rest = client.begun.empty() ? bytes : client.begun.append(bytes);
  std::size_t heads = 0;
  for (std::size_t end; (end = rest.find(kHeadEnd)) != std::string_view::npos; ++heads) rest.remove_prefix(end + kHeadEnd.size());
  client.begun = std::string(rest);
  return heads;
}

void watch(int news, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  ::epoll_ctl(news, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: light_app ADDRESS PORT BODY\n", stderr);
    return 2;
  }
  const UniqueFd listener = need(netns::listen_tcp({boost::asio::ip::make_address_v4(argv[1]), static_cast<std::uint16_t>(std::atoi(argv[2]))}));
  const std::string body = argv[3];
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  ::fcntl(listener.get(), F_SETFL, ::fcntl(listener.get(), F_GETFL) & ~O_NONBLOCK);
  const UniqueFd news(::epoll_create1(EPOLL_CLOEXEC));
  watch(news.get(), listener.get());
  std::unordered_map<int, Client> clients;
  std::array<epoll_event, 256> events;
  std::array<char, 16384> space;
  for (;;) {
    const int count = ::epoll_wait(news.get(), events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener.get()) {
        UniqueFd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!socket) continue;
        watch(news.get(), socket.get());
        const int number = socket.get();
        clients[number] = Client{std::move(socket), {}};
        continue;
      }
      const ssize_t got = ::recv(fd, space.data(), space.size(), 0);
      std::size_t heads = got > 0 ? heads_in(clients[fd], {space.data(), static_cast<std::size_t>(got)}) : 0;
      bool stays = got > 0;
      for (; stays && heads > 0; --heads) stays = ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(answer.size());
      if (!stays) clients.erase(fd);
    }
  }
}
