/* POSIX message queues: names, order, limits, waiting, time-outs, notices, polling, many processes and threads.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char name[64];
static const char *word(long result) {
  static char text[16][32]; static int turn;
  char *out = text[turn++ & 15];
  if (result >= 0) snprintf(out, 32, "%ld", result); else snprintf(out, 32, "%s", strerrorname_np(errno));
  return out;
}
static const char *opened(mqd_t q) { const char *text = q < 0 ? word(-1) : "ok"; if (q >= 0) mq_close(q); return text; }
static mqd_t make(int flags, long count, long size) { struct mq_attr a = { .mq_maxmsg = count, .mq_msgsize = size }; return mq_open(name, flags | O_CREAT, 0600, &a); }
static void show(mqd_t q) { struct mq_attr a = { 0 }; long r = mq_getattr(q, &a); printf("%s: %lx %ld %ld %ld\n", word(r), a.mq_flags, a.mq_maxmsg, a.mq_msgsize, a.mq_curmsgs); }
static void put(mqd_t q, const char *text, unsigned priority) { long r = mq_send(q, text, strlen(text), priority); if (r < 0) printf("put %s: %s\n", text, word(r)); }
static void get(mqd_t q) { char text[64] = ""; unsigned priority = 77; long r = mq_receive(q, text, sizeof text, &priority); printf("%s %.*s %u\n", word(r), r < 0 ? 0 : (int)r, text, r < 0 ? 0 : priority); }
static void join(pid_t child) { int status; waitpid(child, &status, 0); printf("child %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)); }
/* Until the task sleeps, which it does in its one call only: what follows then happens in one order on the host as well. */
static void settle(pid_t process, pid_t task) {
  char path[64], line[512], state = 0;
  snprintf(path, sizeof path, "/proc/%d/task/%d/stat", process, task);
  while (state != 'S') {
    sched_yield();
    int fd = open(path, O_RDONLY); long n = read(fd, line, sizeof line - 1); close(fd);
    if (n <= 0) { printf("lost\n"); return; }
    line[n] = 0; state = strrchr(line, ')')[2];
  }
}

static void names(void) {
  printf("%s", opened(mq_open("none", O_RDWR))); printf(" %s", opened(mq_open("/none", O_RDWR))); printf(" %s", opened(mq_open("/", O_CREAT | O_RDWR, 0600, 0))); puts("");
  printf("%s", opened(mq_open("/a/b", O_CREAT | O_RDWR, 0600, 0))); printf(" %s", opened(mq_open("/..", O_CREAT | O_RDWR, 0600, 0))); printf(" %s", opened(mq_open("/.", O_RDWR))); puts("");
  char longer[300]; memset(longer, 'x', sizeof longer); longer[0] = '/'; longer[257] = 0; printf("%s\n", opened(mq_open(longer, O_CREAT | O_RDWR, 0600, 0)));
  longer[256] = 0; printf("%s", opened(mq_open(longer, O_CREAT | O_RDWR, 0600, 0))); printf(" %s", word(mq_unlink(longer))); puts("");
  printf("%s", opened(make(O_RDWR, 0, 8))); printf(" %s", opened(make(O_RDWR, 8, 0))); printf(" %s", opened(make(O_RDWR, -1, 8))); puts("");
  mqd_t q = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0640, 0); show(q); printf("cloexec %d\n", fcntl(q, F_GETFD));
  printf("%s", opened(make(O_RDWR | O_EXCL, 2, 8))); printf(" %s", opened(make(O_RDWR, 0, 0))); puts("");
  struct stat s; fstat(q, &s); printf("%o %ld %lu\n", s.st_mode, (long)s.st_size, (unsigned long)s.st_nlink); fchmod(q, 0400);
  mqd_t w = mq_open(name, O_WRONLY); char b[8192]; printf("%s\n", word(mq_receive(w, b, sizeof b, 0))); mqd_t r = mq_open(name, O_RDONLY); printf("%s\n", word(mq_send(r, "x", 1, 0)));
  printf("%s", word(mq_send(99, "x", 1, 0))); printf(" %s", word(mq_send(1, "x", 1, 0))); printf(" %s", word(mq_receive(0, b, sizeof b, 0))); puts("");
  mq_close(w); mq_close(r); printf("%s", word(mq_unlink(name))); printf(" %s", word(mq_unlink(name))); puts(""); put(q, "still", 1); show(q); printf("%s\n", opened(mq_open(name, O_RDWR))); mq_close(q);
  struct rlimit limit = { 100, 819200 }; setrlimit(RLIMIT_MSGQUEUE, &limit); printf("%s\n", opened(make(O_RDWR, 10, 400))); mq_unlink(name); limit.rlim_cur = 819200; setrlimit(RLIMIT_MSGQUEUE, &limit);
}

static void order(void) {
  mqd_t q = make(O_RDWR, 5, 16); mq_unlink(name); show(q);
  put(q, "low", 1); put(q, "high", 9); put(q, "low too", 1); put(q, "top", 32767); put(q, "", 0); put(q, "too far", 32768); put(q, "seventeen letters", 3);
  show(q); struct mq_attr a = { .mq_flags = O_NONBLOCK, .mq_maxmsg = 99 }, old; printf("%s", word(mq_setattr(q, &a, &old))); printf(" %lx\n", old.mq_flags); put(q, "full", 0); show(q); a.mq_flags = O_NONBLOCK | O_APPEND; printf("%s\n", word(mq_setattr(q, &a, 0)));
  char small[15]; printf("%s\n", word(mq_receive(q, small, sizeof small, 0))); printf("%d\n", fcntl(q, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
  for (int i = 0; i < 6; i++) get(q);
  struct timespec t = { 0, 1000000000 }; printf("%s", word(mq_timedsend(q, "x", 1, 0, &t))); printf(" %s", word(mq_timedreceive(q, small, 15, 0, &t))); printf(" %s", word(syscall(SYS_mq_timedsend, q, (void *)8, 1, 0, 0))); puts("");
  printf("%s", word(syscall(SYS_mq_timedsend, q, "x", 1, 0, (void *)8))); printf(" %s", word(syscall(SYS_mq_timedreceive, q, (void *)8, 16, 0, 0))); puts("");
  put(q, "lost", 0); printf("%s\n", word(syscall(SYS_mq_timedreceive, q, (void *)8, 16, 0, 0))); show(q);
  put(q, "twelve bytes", 0); char line[100] = ""; printf("%s %s", word(pread(q, line, 99, 0)), line); printf("%s", word(write(q, "x", 1))); printf(" %s", word(pread(q, line, 5, 6))); puts(""); get(q);
  a.mq_flags = 0; mq_setattr(q, &a, 0); clock_gettime(CLOCK_REALTIME, &t); t.tv_nsec += 30000000; if (t.tv_nsec >= 1000000000) { t.tv_sec++; t.tv_nsec -= 1000000000; }
  char room[16]; printf("%s", word(mq_timedreceive(q, room, 16, 0, &t))); t.tv_sec = 0; printf(" %s", word(mq_timedreceive(q, room, 16, 0, &t))); for (int i = 0; i < 5; i++) put(q, "fill", 0); printf(" %s\n", word(mq_timedsend(q, "x", 1, 0, &t))); mq_close(q);
}

static mqd_t shared; static char heard[8][17]; static pid_t tids[8];
static void *hear(void *at) { long n = (long)at; tids[n] = gettid(); long r = mq_receive(shared, heard[n], 16, 0); if (r >= 0) heard[n][r] = 0; else strcpy(heard[n], strerrorname_np(errno)); return 0; }
static void *say(void *at) { long n = (long)at; char text[16]; tids[n] = gettid(); snprintf(text, sizeof text, "from %ld", n); strcpy(heard[n], mq_send(shared, text, strlen(text), 0) < 0 ? "bad" : "sent"); return 0; }
static void start(pthread_t *t, void *(*run)(void *), long n) { tids[n] = 0; pthread_create(t, 0, run, (void *)n); while (*(volatile pid_t *)&tids[n] == 0) sched_yield(); settle(getpid(), tids[n]); }
static void waiting(void) {
  pthread_t t[3]; shared = make(O_RDWR, 1, 16); mq_unlink(name);
  for (long n = 0; n < 3; n++) start(&t[n], hear, n);
  struct mq_attr a = { .mq_flags = O_NONBLOCK }; mq_setattr(shared, &a, 0); char room[16];
  put(shared, "first", 0); printf("%s\n", word(mq_receive(shared, room, 16, 0))); put(shared, "second", 0); put(shared, "third", 7); put(shared, "kept", 0); a.mq_flags = 0; mq_setattr(shared, &a, 0);
  for (int n = 0; n < 3; n++) { pthread_join(t[n], 0); printf("%s\n", heard[n]); }
  for (long n = 0; n < 3; n++) start(&t[n], say, n);
  for (int n = 0; n < 4; n++) get(shared);
  for (int n = 0; n < 3; n++) { pthread_join(t[n], 0); printf("%s\n", heard[n]); }
  show(shared); mq_close(shared);
}

static volatile sig_atomic_t told, told_value, told_code, told_own;
static void hears(int signal, siginfo_t *info, void *context) { (void)signal; (void)context; told++; told_value = info->si_value.sival_int; told_code = info->si_code; told_own = info->si_pid == getpid() && info->si_uid == getuid(); }
static void nothing(int signal) { (void)signal; }
static void by_thread(union sigval value) { put(shared, value.sival_ptr == heard ? "told in a thread" : "wrong", 0); }
static void notices(void) {
  mqd_t q = make(O_RDWR, 4, 16); struct sigaction action = { .sa_sigaction = hears, .sa_flags = SA_SIGINFO }; sigaction(SIGUSR1, &action, 0);
  struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 41 }, none = { .sigev_notify = SIGEV_NONE }, bad = { .sigev_notify = 9 }, loud = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65 };
  printf("%s", word(mq_notify(q, &bad))); printf(" %s", word(mq_notify(q, &loud))); printf(" %s", word(mq_notify(1, &e))); printf(" %s", word(mq_notify(q, 0))); puts(""); put(q, "before", 0);
  printf("%s", word(mq_notify(q, &e))); printf(" %s", word(mq_notify(q, &none))); puts(""); put(q, "not first", 0); printf("told %d\n", told); get(q); get(q); put(q, "first", 0); printf("told %d %d %d %d\n", told, told_value, told_code, told_own); get(q); put(q, "again", 0); printf("told %d\n", told); get(q);
  mq_notify(q, &e); char line[100] = ""; pread(q, line, 99, 0); *strstr(line, "_PID") = 0; printf("%s\n", line); pid_t child = fork();
  if (child == 0) { printf("%s", word(mq_notify(q, &e))); printf(" %s", word(mq_notify(q, 0))); puts(""); mq_close(q); fflush(stdout); _exit(0); }
  join(child); put(q, "from us", 0); printf("told %d\n", told); get(q); mq_notify(q, &e); mqd_t other = mq_open(name, O_RDWR); mq_close(other); put(q, "closed", 0); printf("told %d\n", told); get(q);
  mq_notify(q, &e); shared = q; pthread_t t; start(&t, hear, 0); put(q, "to the waiting", 0); pthread_join(t, 0); printf("told %d %s\n", told, heard[0]); put(q, "now", 0); printf("told %d\n", told); get(q);
  printf("%s", word(mq_notify(q, &none))); printf(" %s", word(mq_notify(q, &none))); put(q, "quiet", 0); get(q); printf(" %s\n", word(mq_notify(q, 0)));
  struct sigaction plain = { .sa_handler = nothing }, restarted = { .sa_handler = nothing, .sa_flags = SA_RESTART }; sigaction(SIGALRM, &plain, 0);
  struct itimerval soon = { { 0, 20000 }, { 0, 20000 } }; setitimer(ITIMER_REAL, &soon, 0); get(q); soon.it_interval.tv_usec = 0; sigaction(SIGALRM, &restarted, 0); setitimer(ITIMER_REAL, &soon, 0); struct timespec late; clock_gettime(CLOCK_REALTIME, &late); late.tv_nsec += 60000000; if (late.tv_nsec >= 1000000000) { late.tv_sec++; late.tv_nsec -= 1000000000; }
  char room[16]; printf("%s\n", word(mq_timedreceive(q, room, 16, 0, &late)));
  mqd_t reply = shared = mq_open("/stillpoint-reply", O_CREAT | O_RDWR, 0600, &(struct mq_attr){ .mq_maxmsg = 2, .mq_msgsize = 64 }); mq_unlink("/stillpoint-reply");
  struct sigevent threaded = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = by_thread, .sigev_value.sival_ptr = heard }; printf("%s\n", word(mq_notify(q, &threaded))); put(q, "wake", 0); get(reply); get(q);
  printf("%s", word(mq_notify(q, &threaded))); printf(" %s", word(mq_notify(q, 0))); puts(""); put(q, "nobody", 0); get(q); mq_close(reply); mq_unlink(name); mq_close(q);
}

static void polling(void) {
  mqd_t q = make(O_RDWR, 1, 16); struct pollfd p = { .fd = q, .events = POLLIN | POLLOUT }; poll(&p, 1, 0); printf("%x\n", p.revents); put(q, "one", 0); poll(&p, 1, 0); printf("%x\n", p.revents);
  int e = epoll_create1(0); struct epoll_event event = { .events = EPOLLIN | EPOLLET }; printf("%s", word(epoll_ctl(e, EPOLL_CTL_ADD, q, &event))); printf(" %d", epoll_wait(e, &event, 1, 0)); printf(" %d\n", epoll_wait(e, &event, 1, 0)); get(q);
  pid_t child = fork(); if (child == 0) { mqd_t own = mq_open(name, O_WRONLY); for (int i = 0; i < 20; i++) { char text[8]; snprintf(text, 8, "%d", i); put(own, text, i); } _exit(0); }
  int sum = 0; for (int i = 0; i < 20; i++) { char text[16] = ""; p.events = POLLIN; poll(&p, 1, -1); mq_receive(q, text, 16, 0); sum = sum * 7 % 10007 + atoi(text); } printf("%d\n", sum); join(child);
  child = fork(); if (child == 0) { alarm(0); signal(SIGTERM, SIG_DFL); char text[16]; mq_receive(q, text, 16, 0); _exit(0); }
  settle(child, child); kill(child, SIGTERM); join(child); put(q, "unheard", 0); get(q); mq_close(q); printf("%s\n", word(mq_unlink(name)));
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0); snprintf(name, sizeof name, "/stillpoint-%d", getpid()); alarm(60);
  names(); order(); waiting(); notices(); polling();
  return 0;
}
