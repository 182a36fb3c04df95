/* SIGIO and the signals of F_SETSIG: who owns a file with O_ASYNC hears of what comes, and of ends.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static volatile int count; static volatile siginfo_t last; static char room[64];
static const char *word(long result) { return result >= 0 ? "ok" : strerrorname_np(errno); }
static void note(int signal, siginfo_t *info, void *context) { count++; last = *info; }
static void heard(const char *what) { printf(" %s %d", what, count); count = 0; }
static void turn_on(int file) { fcntl(file, F_SETOWN, getpid()); fcntl(file, F_SETFL, O_ASYNC | O_NONBLOCK); }

static void owners(void) {
  int ends[2]; pipe(ends); struct f_owner_ex owner = {F_OWNER_PID, getpid()};
  printf("owner %d", fcntl(ends[0], F_GETOWN)); printf(" %s", word(fcntl(ends[0], F_SETOWN, getpid()))); printf(" %d", fcntl(ends[0], F_GETOWN) == getpid()); printf(" %s", word(fcntl(ends[0], F_SETOWN, 999999)));
  printf(" %s", word(fcntl(ends[0], F_SETOWN, -getpgrp()))); printf(" %d", fcntl(ends[0], F_GETOWN) == -getpgrp()); printf(" %s", word(fcntl(ends[0], F_SETOWN_EX, &owner)));
  owner.type = 9; printf(" %s", word(fcntl(ends[0], F_SETOWN_EX, &owner))); fcntl(ends[0], F_GETOWN_EX, &owner); printf(" %d %d", owner.type, owner.pid == getpid());
  printf("; signal %d", fcntl(ends[0], F_GETSIG)); printf(" %s", word(fcntl(ends[0], F_SETSIG, SIGRTMIN))); printf(" %d", fcntl(ends[0], F_GETSIG) == SIGRTMIN); printf(" %s\n", word(fcntl(ends[0], F_SETSIG, 99)));
  int event = eventfd(0, 0), on = 1; fcntl(event, F_SETFL, O_ASYNC); printf("of events %d", (fcntl(event, F_GETFL) & O_ASYNC) != 0); printf(" %s\n", word(ioctl(event, FIOASYNC, &on)));
}
static void pipes(void) {
  int ends[2]; pipe(ends); turn_on(ends[0]); printf("pipe:");
  write(ends[1], "a", 1); heard("written"); printf(" code %d", last.si_code); write(ends[1], "b", 1); heard("again"); read(ends[0], room, 2); heard("read");
  fcntl(ends[0], F_SETSIG, SIGRTMIN); write(ends[1], "c", 1); heard("chosen"); printf(" %d code %d file %d band %lx", last.si_signo == SIGRTMIN, last.si_code, last.si_fd == ends[0], (long)last.si_band);
  fcntl(ends[0], F_SETSIG, 0); fcntl(ends[0], F_SETFL, O_NONBLOCK); write(ends[1], "d", 1); heard("off");
  fcntl(ends[0], F_SETFL, O_ASYNC); pid_t child = fork(); if (child == 0) { close(ends[0]); raise(SIGKILL); } close(ends[1]); while (count == 0) pause(); waitpid(child, 0, 0); printf(" ended %d\n", count > 0); count = 0;
}
static void sockets(void) {
  int ends[2]; socketpair(AF_UNIX, SOCK_STREAM, 0, ends); turn_on(ends[0]); printf("stream:");
  write(ends[1], "a", 1); heard("written"); read(ends[0], room, 1); heard("read"); write(ends[0], "b", 1); read(ends[1], room, 1); heard("taken"); shutdown(ends[1], SHUT_WR); heard("shut"); close(ends[1]); heard("closed");
  int on = 1; socketpair(AF_UNIX, SOCK_DGRAM, 0, ends); ioctl(ends[0], FIOASYNC, &on); write(ends[1], "a", 1); heard("; nobody"); fcntl(ends[0], F_SETOWN, getpid()); write(ends[1], "b", 1); heard("datagram");
  int listener = socket(AF_INET, SOCK_STREAM, 0), caller = socket(AF_INET, SOCK_STREAM, 0); struct sockaddr_in here = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}}; socklen_t length = sizeof here;
  bind(listener, (void *)&here, length); listen(listener, 1); getsockname(listener, (void *)&here, &length); turn_on(listener); connect(caller, (void *)&here, length); printf("; call %d", count > 0); count = 0;
  int other = accept(listener, 0, 0); count = 0; turn_on(other); write(caller, "c", 1); while (count == 0) pause(); heard("internet"); printf("\n");
}
static void others(void) {
  int watch = inotify_init(); turn_on(watch); inotify_add_watch(watch, ".", IN_CREATE); printf("watch:"); close(open("made", O_CREAT, 0600)); heard("made"); 
  int master = posix_openpt(O_RDWR | O_NOCTTY); grantpt(master); unlockpt(master); int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
  fcntl(terminal, F_SETFL, O_ASYNC | O_NONBLOCK); printf("; terminal: owner %d", fcntl(terminal, F_GETOWN) == getpid()); write(master, "line\n", 5); while (count == 0) pause(); printf(" typed %d\n", count > 0); count = 0;
}
static void groups(void) {
  int ends[2], told[2]; pipe(ends); pipe(told); fflush(stdout);
  pid_t child = fork(); if (child == 0) { setpgid(0, 0); write(told[1], "r", 1); while (count == 0) pause(); printf("group: child"); heard("heard"); fflush(stdout); _exit(0); }
  read(told[0], room, 1); fcntl(ends[0], F_SETOWN, -child); fcntl(ends[0], F_SETFL, O_ASYNC); write(ends[1], "x", 1); waitpid(child, 0, 0); heard("maker"); printf("\n");
}
int main(void) {
  struct sigaction how = {.sa_sigaction = (void *)note, .sa_flags = SA_SIGINFO | SA_RESTART}; sigaction(SIGIO, &how, 0); sigaction(SIGRTMIN, &how, 0);
  owners(); pipes(); sockets(); others(); groups();
  return 0;
}
