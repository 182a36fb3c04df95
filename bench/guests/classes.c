/* Small loops, one for each class of thing that a program may do all the time. Arguments: name, rounds (in units of the class). Prints a number that every
   machine must agree on. bench/classes.ts compares the time of a round with qemu-riscv64's. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <fenv.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static uint64_t seed = 1;
static uint64_t next(void) { return seed = seed * 6364136223846793005u + 1442695040888963407u; }

static _Atomic long counter, lock;
static long atomics(long n) { for (long i = 0; i < n; i++) atomic_fetch_add(&counter, i), atomic_fetch_or(&lock, i & 7); return counter ^ lock; }
static long compare_and_swap(long n) {
  long sum = 0;
  for (long i = 0; i < n; i++) {
    long expected = 0;
    while (!atomic_compare_exchange_weak(&lock, &expected, 1)) expected = 0;
    sum += i;
    atomic_store(&lock, 0);
  }
  return sum;
}
static long mutexes(long n) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  long sum = 0;
  for (long i = 0; i < n; i++) pthread_mutex_lock(&mutex), sum += i, pthread_mutex_unlock(&mutex);
  return sum;
}

static long nans(long n) {
  static double values[256];
  double sum = 0;
  for (int i = 0; i < 256; i++) values[i] = i % 8 == 0 ? NAN : i * 1.25;
  for (long i = 1; i <= n; i++) {
    double x = values[i & 255], y = values[(i * 3) & 255];
    if (isnan(x)) sum += 1; else if (x < y) sum += x;
    sum += fmax(x, y) * 0.001;
    if (isnan(sum)) sum = 0;
  }
  return (long)(sum * 1000);
}
static long infinities(long n) {
  static double distance[256];
  double best = 0;
  for (int i = 0; i < 256; i++) distance[i] = i % 3 == 0 ? i : INFINITY;
  for (long i = 0; i < n; i++) {
    double way = distance[i & 255] + distance[(i * 7) & 255] * 0.5;
    if (way < 300) best += way;
    if (best > 1e12) best = 0;
  }
  return (long)best;
}
static long subnormals(long n) {
  double x = 1e-300, sum = 0;
  for (long i = 0; i < n; i++) {
    x = x * 0.9999;
    if (x < 1e-310) x = 1e-300;
    sum += x * 1e300;
  }
  return (long)sum;
}
static long directed_rounding(long n) {
  volatile double x = 1.1;
  double low = 0, high = 0;
  for (long i = 0; i < n; i++) {
    fesetround(FE_DOWNWARD), low += x / 3;
    fesetround(FE_UPWARD), high += x / 3;
  }
  fesetround(FE_TONEAREST);
  return (long)((high - low) * 1e12) + (long)low;
}
static long conversions(long n) {
  double sum = 0;
  long whole = 0;
  for (long i = 1; i <= n; i++) {
    sum += (double)(i & 1023) * 0.1;
    if (sum > 1e6) sum -= 1e6;
    float half = (float)(int)(sum * 0.5) + 0.25f;
    whole += (long)sum ^ (int)half;
  }
  return whole;
}
static long libm(long n) {
  double sum = 0;
  for (long i = 1; i <= n; i++) { double x = i * 1e-4; sum += sin(x) * exp(-x * 0.01) + log(x + 1) + pow(x, 0.3) + atan2(x, sum + 1); }
  return (long)(sum * 1000);
}

static long pointer_chase(long n) {
  enum { NODES = 1 << 20 };
  static uint32_t after[NODES];
  for (uint32_t i = 0; i < NODES; i++) after[i] = i;
  for (uint32_t i = NODES - 1; i > 0; i--) { uint32_t j = (next() >> 33) % i, x = after[i]; after[i] = after[j], after[j] = x; }
  uint32_t at = 0;
  long sum = 0;
  for (long i = 0; i < n; i++) at = after[at], sum += at;
  return sum;
}
static long base64(long n) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static unsigned char in[3072], out[4096];
  long sum = 0;
  for (int i = 0; i < 3072; i++) in[i] = (unsigned char)(i * 131 >> 3);
  for (long r = 0; r < n; r++) {
    for (int i = 0, o = 0; i < 3072; i += 3, o += 4) {
      unsigned v = (unsigned)in[i] << 16 | in[i + 1] << 8 | in[i + 2];
      out[o] = letters[v >> 18], out[o + 1] = letters[v >> 12 & 63], out[o + 2] = letters[v >> 6 & 63], out[o + 3] = letters[v & 63];
    }
    sum += out[r & 4095], in[r % 3072]++;
  }
  return sum;
}
static long heap(long n) {
  static long queue[1 << 12];
  int size = 0;
  long sum = 0;
  for (long i = 0; i < n + 4000; i++) {
    long value = i < 4000 ? (long)(next() >> 40) : 0;
    if (i >= 4000) {
      long least = queue[0], last = queue[--size];
      int at = 0;
      for (int child = 1; child < size; child = 2 * at + 1) {
        if (child + 1 < size && queue[child + 1] < queue[child]) child++;
        if (queue[child] >= last) break;
        queue[at] = queue[child], at = child;
      }
      queue[at] = last, sum = sum * 31 + least, value = least + (long)(next() >> 52);
    }
    int at = size++;
    for (; at > 0 && queue[(at - 1) / 2] > value; at = (at - 1) / 2) queue[at] = queue[(at - 1) / 2];
    queue[at] = value;
  }
  return sum;
}
static long small_blocks(long n) {
  static void *blocks[4096];
  long sum = 0;
  for (long i = 0; i < n; i++) { uint64_t r = next(); int at = r >> 52; free(blocks[at]); blocks[at] = malloc(r >> 40 & 255); sum += blocks[at] != 0; }
  return sum;
}
static long misaligned(long n) {
  static unsigned char bytes[65536];
  uint64_t sum = 0, x;
  for (long i = 0; i < n; i++) { memcpy(&x, bytes + (i * 13 & 65000), 8), sum += x ^ (uint64_t)i, memcpy(bytes + (i * 7 & 65000), &sum, 8); }
  return (long)sum;
}
static long strings(long n) {
  char a[256], b[256];
  long sum = 0;
  for (long i = 0; i < n; i++) { int length = i % 200; memset(a, 'a' + (int)(i % 26), length), a[length] = 0; strcpy(b, a); sum += (long)strlen(b) + (strcmp(a, b) == 0) + (strchr(b, 'q') != 0); }
  return sum;
}
static jmp_buf place;
static long jumped;
__attribute__((noinline)) static void jump(long i) { jumped += i; if (i % 3 == 0) longjmp(place, 1); jumped ^= i; }
static long long_jumps(long n) { for (volatile long i = 0; i < n; i++) if (!setjmp(place)) jump(i); return jumped; }
static ucontext_t outer, inner;
static long switched;
static void coroutine(void) { for (;;) switched++, swapcontext(&inner, &outer); }
static long contexts(long n) {
  static char stack[65536];
  getcontext(&inner);
  inner.uc_stack.ss_sp = stack, inner.uc_stack.ss_size = sizeof stack, inner.uc_link = &outer;
  makecontext(&inner, coroutine, 0);
  for (long i = 0; i < n; i++) swapcontext(&outer, &inner);
  return switched;
}

static long system_calls(long n) { long sum = 0; for (long i = 0; i < n; i++) sum += syscall(SYS_getpid) > 0; return sum; }
static long clock_reads(long n) { struct timespec t; long sum = 0; for (long i = 0; i < n; i++) clock_gettime(CLOCK_MONOTONIC, &t), sum += t.tv_nsec >= 0; return sum; }
static long file_reads(long n) {
  char name[] = "/tmp/classXXXXXX", block[512];
  int file = mkstemp(name);
  long sum = 0;
  unlink(name);
  for (long i = 0; i < n; i++) { memset(block, (int)i, 512); if (pwrite(file, block, 512, i * 7 % 1000 * 512) != 512 || pread(file, block, 512, i * 3 % 1000 * 512) < 0) return -1; sum += block[7]; }
  close(file);
  return sum;
}
static long pipe_turns(long n) {
  int there[2], back[2];
  char byte;
  long sum = 0;
  if (pipe(there) != 0 || pipe(back) != 0) return -1;
  if (fork() == 0) {
    close(there[1]);
    while (read(there[0], &byte, 1) == 1) { byte++; if (write(back[1], &byte, 1) != 1) _exit(1); }
    _exit(0);
  }
  for (long i = 0; i < n; i++) { byte = (char)(i % 100); if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) return -1; sum += byte; }
  close(there[1]);
  wait(0);
  return sum;
}
static long socket_turns(long n) {
  int ends[2];
  char block[64] = {0};
  long sum = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return -1;
  if (fork() == 0) {
    close(ends[0]);
    for (ssize_t got; (got = read(ends[1], block, 64)) > 0;) if (write(ends[1], block, (size_t)got) != got) _exit(1);
    _exit(0);
  }
  close(ends[1]);
  for (long i = 0; i < n; i++) { struct pollfd wanted = {ends[0], POLLIN, 0}; block[0] = (char)i; if (write(ends[0], block, 64) != 64 || poll(&wanted, 1, -1) != 1) return -1; sum += read(ends[0], block, 64); }
  close(ends[0]);
  wait(0);
  return sum;
}
static long epoll_events(long n) {
  int set = epoll_create1(0), files[16];
  long sum = 0;
  for (int i = 0; i < 16; i++) { struct epoll_event event = {EPOLLIN, {.u32 = (uint32_t)i}}; files[i] = eventfd(0, EFD_NONBLOCK); epoll_ctl(set, EPOLL_CTL_ADD, files[i], &event); }
  for (long i = 0; i < n; i++) {
    uint64_t one = 1;
    struct epoll_event events[16];
    if (write(files[i % 16], &one, 8) != 8) return -1;
    for (int left = epoll_wait(set, events, 16, 0); left > 0; left--) if (read(files[events[left - 1].data.u32], &one, 8) == 8) sum += events[left - 1].data.u32;
  }
  return sum;
}
static volatile sig_atomic_t taken;
static void take(int signal) { (void)signal; taken++; }
static long signals(long n) { signal(SIGUSR1, take); for (long i = 0; i < n; i++) raise(SIGUSR1); return taken; }
static long forks(long n) { long sum = 0; for (long i = 0; i < n; i++) { int status; if (fork() == 0) _exit((int)(i & 7)); wait(&status); sum += WEXITSTATUS(status); } return sum; }
static void *add(void *to) { ++*(long *)to; return 0; }
static long threads(long n) { long sum = 0; for (long i = 0; i < n; i++) { pthread_t thread; pthread_create(&thread, 0, add, &sum); pthread_join(thread, 0); } return sum; }
static long mappings(long n) {
  long sum = 0;
  for (long i = 0; i < n; i++) { char *p = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); p[i & 65535] = 1; sum += p[4096] + p[i & 65535]; munmap(p, 65536); }
  return sum;
}

static const struct { const char *name; long (*run)(long); long unit; } classes[] = {
  {"atomics", atomics, 1000000}, {"compare-and-swap", compare_and_swap, 1000000}, {"mutexes", mutexes, 100000}, {"nans", nans, 100000}, {"infinities", infinities, 100000},
  {"subnormals", subnormals, 100000}, {"directed-rounding", directed_rounding, 10000}, {"conversions", conversions, 100000}, {"libm", libm, 10000}, {"pointer-chase", pointer_chase, 1000000},
  {"base64", base64, 100}, {"heap", heap, 100000}, {"small-blocks", small_blocks, 100000}, {"misaligned", misaligned, 1000000}, {"strings", strings, 10000}, {"long-jumps", long_jumps, 100000},
  {"contexts", contexts, 10000}, {"system-calls", system_calls, 10000}, {"clock-reads", clock_reads, 10000}, {"file-reads", file_reads, 1000}, {"pipe-turns", pipe_turns, 1000},
  {"socket-turns", socket_turns, 1000}, {"epoll-events", epoll_events, 1000}, {"signals", signals, 1000}, {"forks", forks, 10}, {"threads", threads, 100}, {"mappings", mappings, 1000},
};

int main(int count, char **arguments) {
  for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
    if (count < 2) puts(classes[i].name);
    else if (strcmp(arguments[1], classes[i].name) == 0) return printf("%s %ld\n", arguments[1], classes[i].run((count > 2 ? atol(arguments[2]) : 1) * classes[i].unit)), 0;
  }
  return count < 2 ? 0 : (fprintf(stderr, "classes: no class of that name\n"), 1);
}
