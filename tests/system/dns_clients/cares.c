/* c-ares. Arguments and output: ../test_dns_clients.py */
#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>

static void print_failure(int status) {
  if (status == ARES_ENODATA) printf("nodata");
  else if (status == ARES_ENOTFOUND) printf("nxdomain");
  else printf("error %s", ares_strerror(status));
}

static void take_addresses(void *argument, int status, int timeouts, struct ares_addrinfo *found) {
  const char *separator = "";
  struct ares_addrinfo_node *one;
  (void)argument, (void)timeouts;
  if (status != ARES_SUCCESS) {
    print_failure(status);
    return;
  }
  for (one = found->nodes; one; one = one->ai_next) {
    char text[INET6_ADDRSTRLEN];
    const void *address = one->ai_family == AF_INET6 ? (const void *)&((struct sockaddr_in6 *)one->ai_addr)->sin6_addr
                                                     : (const void *)&((struct sockaddr_in *)one->ai_addr)->sin_addr;
    printf("%s%s", separator, inet_ntop(one->ai_family, address, text, sizeof text));
    separator = ",";
  }
  ares_freeaddrinfo(found);
}

static void take_text(void *argument, int status, int timeouts, unsigned char *message, int size) {
  struct ares_txt_reply *parts = NULL, *one;
  (void)argument, (void)timeouts;
  if (status == ARES_SUCCESS) status = ares_parse_txt_reply(message, size, &parts);
  if (status != ARES_SUCCESS) print_failure(status);
  for (one = parts; one; one = one->next) printf("%.*s", (int)one->length, (const char *)one->txt);
  if (parts) ares_free_data(parts);
}

static void run(ares_channel channel) {
  for (;;) {
    fd_set reading, writing;
    struct timeval limit;
    int count;
    FD_ZERO(&reading);
    FD_ZERO(&writing);
    count = ares_fds(channel, &reading, &writing);
    if (count == 0) return;
    select(count, &reading, &writing, NULL, ares_timeout(channel, NULL, &limit));
    ares_process(channel, &reading, &writing);
  }
}

int main(int argc, char **argv) {
  ares_channel channel;
  int i;
  if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS || ares_init(&channel) != ARES_SUCCESS) return 1;
  for (i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "txt") == 0) {
      ares_query(channel, argv[i + 1], 1, 16, take_text, NULL);
    } else {
      struct ares_addrinfo_hints hints;
      memset(&hints, 0, sizeof hints);
      hints.ai_family = *argv[i] == '6' ? AF_INET6 : *argv[i] == '4' ? AF_INET : AF_UNSPEC;
      hints.ai_socktype = SOCK_STREAM;
      ares_getaddrinfo(channel, argv[i + 1], NULL, &hints, take_addresses, NULL);
    }
    run(channel);
    printf("\n");
  }
  ares_destroy(channel);
  ares_library_cleanup();
  return 0;
}
