// A one-thread HTTP server on a dual-stack socket: right for Fly Proxy and for 6PN.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, [](int) { _exit(0); });
  const int port = argc > 1 ? std::atoi(argv[1]) : 8080;
  const int listener = socket(AF_INET6, SOCK_STREAM, 0);
  const int on = 1, off = 0;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<unsigned short>(port));
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, 128) != 0) {
    std::perror("listen");
    return 1;
  }
  std::printf("listening on [::]:%d\n", port);
  std::fflush(stdout);
  const char* greeting = std::getenv("GREETING");
  const std::string body = std::string(greeting ? greeting : "Hello") + "\n";
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
  for (;;) {
    const int client = accept(listener, nullptr, nullptr);
    if (client < 0) continue;
    char request[4096];
    if (read(client, request, sizeof request) > 0 && write(client, answer.data(), answer.size()) < 0) std::perror("write");
    close(client);
  }
}
