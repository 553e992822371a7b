/* Opens N WebSocket connections to a Socket.IO server and reads all that it sends. One thread, epoll.
 *
 *   sioload --port P --control C --pid S --conns N [--connect 40{}] [--greeting EVENT] [--join '["join",{}]']
 *           [--echo '["echo",{}]'] [--event tok] [--warm W] [--settle SECONDS] --phase KIND:QUERY ...
 *
 * Each connection does the WebSocket handshake, sends what --connect says ("#" in it becomes a number of twelve
 * digits, another for each connection), waits for the event --greeting, sends --join and waits for its ack. Then:
 *   start:n=150&rate=50   GET /start?n=150&rate=50 of the control port; reads until every connection has got the
 *                         event "done" ({"n":K}), at most timeout=60 seconds
 *   echo:secs=4           every connection keeps one acknowledged event (--echo) under way
 *   idle:secs=5           reads, and answers pings
 * One line of JSON for the connecting and one for each phase. CPU and memory are those of process S, from /proc.
 * Latency is now minus the field "t" of an entry, microseconds of CLOCK_MONOTONIC.
 * --warm opens W connections before memory is first read, so that what a server allocates once is not counted.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
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

enum state { DIALING, SHAKING, OPENING, CONNECTING, GREETING, JOINING, READY, DEAD };

struct conn {
  int fd;
  enum state state;
  uint32_t kept, room;   /* bytes of a frame that is not whole yet, and how many fit */
  uint8_t *partial;
  uint64_t count;
  int64_t announced;     /* how many entries "done" said there were, -1 before it came */
  uint32_t ack_id;
  int64_t sent_at;
};

struct usage { double user, sys, busy, own; long rss_kb; };

static const char *connect_text = "40", *greeting = "", *join_text = "", *echo_text = "[\"echo\",{}]", *event = "tok";
static int port, control, conns = 100, warm, server_pid;
static double settle = 1.0;
static struct conn *all;
static int epoll, opened, ready, dead;
static struct sockaddr_in address;

/* of the running phase */
static bool echoing;
static uint64_t units, frames;
static int64_t first_at, last_at, echo_until;
static int finished;

/* latencies: 64 steps for each power of two, microseconds */
#define STEPS 64
static uint32_t histogram[40 * STEPS];
static uint64_t measured;
static int64_t longest;

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static void note_latency(int64_t us) {
  if (us < 0) us = 0;
  int index = (int)us;
  if (us >= STEPS) {
    int power = 63 - __builtin_clzll(us);
    index = (power - 5) * STEPS + (int)((us >> (power - 6)) & 63);
  }
  if (index < 40 * STEPS) histogram[index]++;
  measured++;
  if (us > longest) longest = us;
}

static int64_t quantile(double q) {
  uint64_t wanted = (uint64_t)(q * measured), seen = 0;
  for (int i = 0; i < 40 * STEPS; i++) {
    seen += histogram[i];
    if (seen <= wanted) continue;
    if (i < STEPS) return i;
    int power = i / STEPS + 5;
    return ((int64_t)1 << power) + ((int64_t)(i % STEPS) << (power - 6));
  }
  return longest;
}

/* CPU seconds of the server, of this process, and of the whole machine */
static struct usage usage(void) {
  struct usage u = {0};
  char name[64], line[4096];
  double hz = sysconf(_SC_CLK_TCK);
  FILE *f;
  snprintf(name, sizeof name, "/proc/%d/stat", server_pid);
  if ((f = fopen(name, "r"))) {
    unsigned long user = 0, sys = 0;
    char *rest = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    if (rest) sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys);
    u.user = user / hz, u.sys = sys / hz;
    fclose(f);
  }
  snprintf(name, sizeof name, "/proc/%d/status", server_pid);
  if ((f = fopen(name, "r"))) {
    while (fgets(line, sizeof line, f))
      if (!strncmp(line, "VmRSS:", 6)) u.rss_kb = atol(line + 6);
    fclose(f);
  }
  if ((f = fopen("/proc/stat", "r"))) {
    unsigned long v[8] = {0};
    if (fscanf(f, "cpu %lu %lu %lu %lu %lu %lu %lu", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6) == 7)
      u.busy = (v[0] + v[1] + v[2] + v[5] + v[6]) / hz;
    fclose(f);
  }
  struct rusage own;
  getrusage(RUSAGE_SELF, &own);
  u.own = own.ru_utime.tv_sec + own.ru_stime.tv_sec + (own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
  return u;
}

static void drop(struct conn *c) {
  if (c->state == DEAD) return;
  if (c->state == READY) ready--;
  c->state = DEAD;
  dead++;
  close(c->fd);
}

static void send_text(struct conn *c, const char *text, size_t length, int opcode) {
  static const uint8_t mask[4] = {0x12, 0x9a, 0x4f, 0xe3};
  uint8_t frame[2048];
  size_t head = 2;
  if (length > 2000) exit(3);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (length < 126 ? length : 126);
  if (length >= 126) frame[2] = length >> 8, frame[3] = length, head = 4;
  memcpy(frame + head, mask, 4);
  head += 4;
  for (size_t i = 0; i < length; i++) frame[head + i] = text[i] ^ mask[i & 3];
  if (send(c->fd, frame, head + length, MSG_NOSIGNAL) != (ssize_t)(head + length)) drop(c);
}

static void send_event(struct conn *c, const char *array) {
  char text[2000];
  int length = snprintf(text, sizeof text, "42%u%s", c->ack_id, array);
  c->sent_at = now_us();
  send_text(c, text, length, 1);
}

static void send_connect(struct conn *c) {
  char text[2000];
  const char *hash = strchr(connect_text, '#');
  int length = hash ? snprintf(text, sizeof text, "%.*s%012d%s", (int)(hash - connect_text), connect_text,
                               (int)(c - all), hash + 1)
                    : snprintf(text, sizeof text, "%s", connect_text);
  send_text(c, text, length, 1);
}

static void dial(int index) {
  struct conn *c = &all[index];
  int one = 1;
  c->announced = -1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) fail("socket");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct linger at_once = {1, 0}; /* no ports in TIME_WAIT */
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  if (connect(c->fd, (void *)&address, sizeof address) < 0 && errno != EINPROGRESS) fail("connect");
  struct epoll_event e = {.events = EPOLLOUT, .data.u32 = index};
  epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e);
  opened++;
}

static void shake(struct conn *c, int index) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  char text[1024];
  int length = snprintf(text, sizeof text,
                        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                        port);
  if (error || send(c->fd, text, length, MSG_NOSIGNAL) != length) return drop(c);
  c->state = SHAKING;
  struct epoll_event e = {.events = EPOLLIN, .data.u32 = index};
  epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static bool is_event(const uint8_t *text, size_t length, const char *name) {
  const uint8_t *array = memchr(text, '[', length < 32 ? length : 32);
  size_t size = strlen(name), left = array ? length - (array - text) : 0;
  return left > size + 2 && array[1] == '"' && !memcmp(array + 2, name, size) && array[size + 2] == '"';
}

static int64_t number_after(const uint8_t *text, size_t length, const char *key) {
  const uint8_t *found = memmem(text, length, key, strlen(key)), *end = text + length;
  if (!found) return -1;
  int64_t value = 0;
  for (found += strlen(key); found < end && *found >= '0' && *found <= '9'; found++) value = value * 10 + (*found - '0');
  return value;
}

static void on_ready(struct conn *c, const uint8_t *text, size_t length, int64_t now) {
  if (text[1] == '3' && echoing) {
    note_latency(now - c->sent_at);
    units++;
    c->ack_id++;
    if (now < echo_until) send_event(c, echo_text);
    else finished++;
  } else if (text[1] == '2' && is_event(text, length, event)) {
    c->count++;
    units++;
    if (!first_at) first_at = now;
    last_at = now;
    int64_t sent = number_after(text, length, "\"t\":");
    if (sent >= 0) note_latency(now - sent);
  } else if (text[1] == '2' && is_event(text, length, "done")) {
    c->announced = number_after(text, length, "\"n\":");
    finished++;
  }
}

static void on_text(struct conn *c, const uint8_t *text, size_t length, int64_t now) {
  if (length && text[0] == '2') return send_text(c, "3", 1, 1);
  if (c->state == OPENING && length && text[0] == '0') {
    c->state = CONNECTING;
    return send_connect(c);
  }
  if (length < 2 || text[0] != '4') return;
  if (c->state == READY) return on_ready(c, text, length, now);
  if (text[1] == '4') {
    fprintf(stderr, "refused: %.*s\n", (int)(length < 200 ? length : 200), text);
    return drop(c);
  }
  if (c->state == CONNECTING && text[1] == '0') c->state = *greeting ? GREETING : JOINING;
  else if (c->state == GREETING && text[1] == '2' && is_event(text, length, greeting)) c->state = JOINING;
  else if (c->state != JOINING || text[1] != '3') return;
  else c->ack_id++;
  if (c->state == JOINING && *join_text && c->ack_id == 0) return send_event(c, join_text);
  if (c->state == JOINING) c->state = READY, ready++;
}

/* Returns how many bytes were taken. */
static size_t parse(struct conn *c, const uint8_t *bytes, size_t size, int64_t now) {
  size_t at = 0;
  if (c->state == SHAKING) {
    const uint8_t *end = memmem(bytes, size, "\r\n\r\n", 4);
    if (!end) return 0;
    if (memcmp(bytes + 9, "101", 3)) {
      fprintf(stderr, "handshake refused: %.*s\n", (int)(size < 80 ? size : 80), bytes);
      drop(c);
      return size;
    }
    at = end + 4 - bytes;
    c->state = OPENING;
  }
  while (size - at >= 2 && c->state != DEAD) {
    size_t head = 2;
    uint64_t length = bytes[at + 1] & 127;
    int extra = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (size - at < head + extra) break;
    if (extra) length = 0;
    for (int i = 0; i < extra; i++) length = length << 8 | bytes[at + head++];
    if (size - at < head + length) break;
    int opcode = bytes[at] & 15;
    frames++;
    if (opcode == 1) on_text(c, bytes + at + head, length, now);
    else if (opcode == 9) send_text(c, (const char *)bytes + at + head, length, 10);
    else if (opcode == 8) drop(c);
    at += head + length;
  }
  return at;
}

static void take(struct conn *c) {
  static uint8_t buffer[1 << 20];
  memcpy(buffer, c->partial, c->kept);
  ssize_t got = recv(c->fd, buffer + c->kept, sizeof buffer - c->kept, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return drop(c);
  size_t size = c->kept + got, rest = size - parse(c, buffer, size, now_us());
  if (c->state == DEAD) return;
  if (rest > c->room) c->partial = realloc(c->partial, c->room = rest + 256);
  memcpy(c->partial, buffer + size - rest, rest);
  c->kept = rest;
}

static void pump(int ms) {
  static struct epoll_event events[1024];
  int count = epoll_wait(epoll, events, 1024, ms);
  for (int i = 0; i < count; i++) {
    struct conn *c = &all[events[i].data.u32];
    if (c->state == DIALING) shake(c, events[i].data.u32);
    else if (c->state != DEAD) take(c);
  }
}

static void pump_for(double seconds) {
  for (int64_t until = now_us() + (int64_t)(seconds * 1e6); now_us() < until;) pump(20);
}

static void open_until(int count) {
  int64_t progress = now_us();
  for (int before = -1; ready < count; pump(100)) {
    while (opened < count && opened - ready - dead < 64) dial(opened);
    if (ready != before) before = ready, progress = now_us();
    if (!dead && now_us() - progress < 15000000) continue;
    fprintf(stderr, "connecting failed: %d ready, %d dead of %d\n", ready, dead, count);
    exit(1);
  }
}

static void connect_all(void) {
  open_until(warm);
  if (warm) pump_for(settle);
  struct usage before = usage();
  int64_t began = now_us();
  open_until(conns);
  double seconds = (now_us() - began) / 1e6;
  struct usage after = usage();
  pump_for(settle);
  struct usage settled = usage();
  int made = conns - warm;
  printf("{\"phase\":\"connect\",\"units\":%d,\"seconds\":%.3f,\"user_s\":%.2f,\"sys_s\":%.2f,\"rss_kb\":%ld,"
         "\"rss_kb_each\":%.2f}\n",
         made, seconds, after.user - before.user, after.sys - before.sys, settled.rss_kb,
         (double)(settled.rss_kb - before.rss_kb) / made);
  fflush(stdout);
}

static void start(const char *query) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in where = address;
  where.sin_port = htons(control);
  if (connect(fd, (void *)&where, sizeof where) < 0) fail("control");
  char text[512];
  int length = snprintf(text, sizeof text, "GET /start?%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", query);
  if (send(fd, text, length, 0) != length) fail("control");
  fcntl(fd, F_SETFL, O_NONBLOCK);
  int64_t until = now_us() + 5000000;
  while (now_us() < until && recv(fd, text, sizeof text, 0) < 0) pump(1);
  close(fd);
}

static double parameter(const char *query, const char *name, double otherwise) {
  size_t size = strlen(name);
  for (const char *at = query; at; at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL)
    if (!strncmp(at, name, size) && at[size] == '=') return atof(at + size + 1);
  return otherwise;
}

static void run(const char *phase) {
  const char *query = strchr(phase, ':') + 1;
  double seconds = parameter(query, "secs", 3);
  memset(histogram, 0, sizeof histogram);
  measured = units = frames = 0;
  longest = first_at = last_at = 0;
  finished = 0;
  for (int i = 0; i < conns; i++) all[i].count = 0, all[i].announced = -1;
  struct usage before = usage();
  int64_t began = now_us();
  if (*phase == 's') {
    int64_t hard = began + (int64_t)(parameter(query, "timeout", 60) * 1e6);
    for (start(query); finished < conns - dead && now_us() < hard;) pump(100);
  } else if (*phase == 'e') {
    echoing = true;
    echo_until = began + (int64_t)(seconds * 1e6);
    for (int i = 0; i < conns; i++) send_event(&all[i], echo_text);
    while (finished < conns - dead && now_us() < echo_until + 3000000) pump(100);
    echoing = false;
  } else pump_for(seconds);
  struct usage after = usage();
  double wall = (now_us() - began) / 1e6, active = last_at ? (last_at - first_at) / 1e6 : wall;
  int64_t sent = -1;
  for (int i = 0; i < conns; i++)
    if (all[i].announced > sent) sent = all[i].announced;
  double cpu = after.user - before.user + after.sys - before.sys, own = after.own - before.own;
  printf("{\"phase\":\"%s\",\"units\":%llu,\"seconds\":%.3f,\"lost\":%lld,\"dead\":%d,\"p50_us\":%lld,\"p90_us\":%lld,"
         "\"p99_us\":%lld,\"max_us\":%lld,\"user_s\":%.2f,\"sys_s\":%.2f,\"rss_kb\":%ld,\"generator\":%.2f,\"others\":%.2f}\n",
         phase, (unsigned long long)units, active, sent < 0 ? -1LL : (long long)(sent * conns - (int64_t)units), dead,
         (long long)quantile(.5), (long long)quantile(.9), (long long)quantile(.99), (long long)longest,
         after.user - before.user, after.sys - before.sys, after.rss_kb, own / wall,
         (after.busy - before.busy - cpu - own) / wall);
  fflush(stdout);
  pump_for(0.3);
}

int main(int count, char **arguments) {
  const char *phases[32];
  int found = 0;
  static const struct option options[] = {
      {"port", 1, 0, 'p'}, {"control", 1, 0, 'c'}, {"pid", 1, 0, 'i'}, {"conns", 1, 0, 'n'}, {"connect", 1, 0, 'C'},
      {"greeting", 1, 0, 'g'}, {"join", 1, 0, 'j'}, {"echo", 1, 0, 'e'}, {"event", 1, 0, 'v'}, {"warm", 1, 0, 'w'},
      {"settle", 1, 0, 's'}, {"phase", 1, 0, 'f'}, {0}};
  for (int option; (option = getopt_long(count, arguments, "", options, 0)) != -1;) switch (option) {
    case 'p': port = atoi(optarg); break;
    case 'c': control = atoi(optarg); break;
    case 'i': server_pid = atoi(optarg); break;
    case 'n': conns = atoi(optarg); break;
    case 'C': connect_text = optarg; break;
    case 'g': greeting = optarg; break;
    case 'j': join_text = optarg; break;
    case 'e': echo_text = optarg; break;
    case 'v': event = optarg; break;
    case 'w': warm = atoi(optarg); break;
    case 's': settle = atof(optarg); break;
    case 'f':
      if (found == 32 || !strchr(optarg, ':')) exit(1);
      phases[found++] = optarg;
      break;
    default: exit(1);
    }
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  epoll = epoll_create1(0);
  all = calloc(conns, sizeof *all);
  connect_all();
  for (int i = 0; i < found; i++) run(phases[i]);
  return dead ? 1 : 0;
}
