/* getaddrinfo of the C library that it is built with. Arguments and output: ../test_dns_clients.py */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void ask(const char *kind, const char *name) {
  struct addrinfo hints, *found = NULL, *one;
  const char *separator = "";
  int error;
  memset(&hints, 0, sizeof hints);
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = *kind == '6' ? AF_INET6 : *kind == '4' ? AF_INET : AF_UNSPEC;
  error = getaddrinfo(name, NULL, &hints, &found);
#ifdef __GLIBC__
  /* musl has one error for both. */
  if (error == EAI_NODATA) error = 0;
  else if (error == EAI_NONAME) printf("nxdomain");
#else
  if (error == EAI_NONAME) printf("none");
#endif
  if (error && error != EAI_NONAME) printf("error %s", gai_strerror(error));
  if (!error && !found) printf("nodata");
  for (one = found; one; one = one->ai_next) {
    char text[INET6_ADDRSTRLEN];
    const void *address = one->ai_family == AF_INET6 ? (const void *)&((struct sockaddr_in6 *)one->ai_addr)->sin6_addr
                                                     : (const void *)&((struct sockaddr_in *)one->ai_addr)->sin_addr;
    printf("%s%s", separator, inet_ntop(one->ai_family, address, text, sizeof text));
    separator = ",";
  }
  printf("\n");
  if (found) freeaddrinfo(found);
}

int main(int argc, char **argv) {
  int i;
  for (i = 1; i + 1 < argc; i += 2) ask(argv[i], argv[i + 1]);
  return 0;
}
