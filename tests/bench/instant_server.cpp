// The smallest HTTP server there can be: it listens a few system calls after its start, on [::]:PORT.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

int main(int argc, char** argv) {
  const int listener = ::socket(AF_INET6, SOCK_STREAM, 0);
  const int on = 1, off = 0;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 8080));
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener, 128) != 0) return 1;
  constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
  for (;;) {
    const int client = ::accept(listener, nullptr, nullptr);
    char request[4096];
    if (::read(client, request, sizeof request) > 0 && ::write(client, kAnswer.data(), kAnswer.size()) < 0) return 1;
    ::close(client);
  }
}
