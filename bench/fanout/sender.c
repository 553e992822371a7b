/* What sending costs at the least: the same frames over N sockets, one send() for each entry and socket. No queues,
 * no pings, no parsing. Prints its port and its control port, whose /start?n=&rate=&burst= begins.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 65536
enum stage { NONE, SHAKING, CONNECTING, OPEN };

static const char HANDSHAKE[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static const char TAKEN[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static enum stage stages[MOST]; /* by file descriptor */
static int followers[MOST], places[MOST], count;
static int epoll;
static long total, sent, burst;
static double rate;
static int64_t began;
static bool running;

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static size_t frame(char *out, const char *text) {
  size_t length = strlen(text), head = length < 126 ? 2 : 4;
  out[0] = (char)0x81;
  out[1] = length < 126 ? length : 126;
  if (head == 4) out[2] = length >> 8, out[3] = length & 255;
  memcpy(out + head, text, length);
  return head + length;
}

/* Waits for a reader that is slow: there is no queue. */
static void send_all(int fd, const char *bytes, size_t size) {
  while (size) {
    ssize_t done = send(fd, bytes, size, MSG_NOSIGNAL);
    if (done < 0 && errno == EAGAIN) {
      struct pollfd writable = {fd, POLLOUT, 0};
      poll(&writable, 1, -1);
    } else if (done < 0) return;
    else bytes += done, size -= done;
  }
}

static void send_text(int fd, const char *text) {
  char bytes[512];
  send_all(fd, bytes, frame(bytes, text));
}

static void to_all(const char *text) {
  char bytes[512];
  size_t size = frame(bytes, text);
  for (int i = 0; i < count; i++) send_all(followers[i], bytes, size);
}

/* As long as Greenroom's: the payload, then where the entry stands in its room. */
static void send_entry(int64_t t) {
  char text[500];
  snprintf(text, sizeof text,
           "42[\"tok\",{\"chat_id\":\"3f2b8c1e-9a4d-4c57-8d0e-5b6a7c8d9e0f\",\"content_type\":\"delta\","
           "\"content\":\" word\",\"t\":%lld,\"room\":\"guest_5b6a7c8d-9a4d-4c57-8d0e-3f2b8c1e9e0f\","
           "\"offset\":%ld,\"at\":1700000000000}]",
           (long long)t, sent);
  to_all(text);
  sent++;
}

/* Sends what is due; returns for how many milliseconds nothing is. */
static int produce(void) {
  if (!running) return -1;
  int64_t now = now_us(), due = rate > 0 ? began + (int64_t)(sent * 1e6 / rate) : now;
  if (due > now) return (int)((due - now + 999) / 1000);
  for (long i = 0; i < burst && sent < total; i++) send_entry(now - due > 2000 ? due : now);
  if (sent < total) return 0;
  char text[64];
  snprintf(text, sizeof text, "42[\"done\",{\"n\":%ld}]", sent);
  to_all(text);
  running = false;
  return -1;
}

static double parameter(const char *query, const char *name, double otherwise) {
  char key[16];
  snprintf(key, sizeof key, "%s=", name);
  const char *found = strstr(query, key);
  return found ? atof(found + strlen(key)) : otherwise;
}

static void obey(int listener) {
  char request[1024] = {0};
  int fd = accept(listener, NULL, NULL);
  if (recv(fd, request, sizeof request - 1, 0) > 0) {
    total = parameter(request, "?n", parameter(request, "&n", 0));
    rate = parameter(request, "rate", 0);
    burst = parameter(request, "burst", 1);
    sent = 0, began = now_us(), running = true;
    send_all(fd, TAKEN, sizeof TAKEN - 1);
  }
  close(fd);
}

static void leave(int fd) {
  if (stages[fd] == OPEN) {
    followers[places[fd]] = followers[--count];
    places[followers[places[fd]]] = places[fd];
  }
  stages[fd] = NONE;
  close(fd);
}

static void join(int listener) {
  int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd < 0 || fd >= MOST) exit(1);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  stages[fd] = SHAKING;
  struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

/* A client's first message is its HTTP request, its second the CONNECT; nothing else matters. */
static void hear(int fd) {
  char bytes[4096];
  if (recv(fd, bytes, sizeof bytes, 0) <= 0) return leave(fd);
  if (stages[fd] == SHAKING) {
    send_all(fd, HANDSHAKE, sizeof HANDSHAKE - 1);
    send_text(fd, "0{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":20000,\"pingTimeout\":10000}");
    stages[fd] = CONNECTING;
  } else if (stages[fd] == CONNECTING) {
    stages[fd] = OPEN;
    followers[count] = fd;
    places[fd] = count++;
    send_text(fd, "40{\"sid\":\"x\"}");
  }
}

static int listening(int *port) {
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof where;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (void *)&where, sizeof where) || listen(fd, 4096)) exit(1);
  getsockname(fd, (void *)&where, &size);
  *port = ntohs(where.sin_port);
  struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
  return fd;
}

int main(void) {
  int port, control_port;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  epoll = epoll_create1(0);
  int clients = listening(&port), control = listening(&control_port);
  printf("%d %d\n", port, control_port);
  fflush(stdout);
  for (;;) {
    struct epoll_event events[256];
    int found = epoll_wait(epoll, events, 256, produce());
    for (int i = 0; i < found; i++) {
      int fd = events[i].data.fd;
      if (fd == clients) join(fd);
      else if (fd == control) obey(fd);
      else hear(fd);
    }
  }
}
