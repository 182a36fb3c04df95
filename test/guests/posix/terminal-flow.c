/* Pseudo-terminals with more input than one line discipline holds, signals while output waits to be read, and rarer settings.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { LINES = 500, LATER = 2000 };
static int master, slave;
static struct termios usual;
static void show(const char *label, const char *bytes, long length) {
  printf("%s %ld:", label, length);
  for (long i = 0; i < length; i++) if (bytes[i] < 32 || bytes[i] > 126) printf("\\%02x", (unsigned char)bytes[i]); else putchar(bytes[i]);
  printf("\n");
}
static long take(int fd, char *into, long wanted) { /* Reads until so many bytes have come; the host's terminals take a moment. */
  struct pollfd one = {fd, POLLIN, 0}; long total = 0;
  while (total < wanted && poll(&one, 1, LATER) > 0) { long n = read(fd, into + total, wanted - total); if (n <= 0) break; total += n; }
  return total;
}

/* Many lines, typed ahead of a reader that takes its time: none is lost. */
static void flows(int isRaw) {
  static char typed[LINES * 20], read_back[LINES * 20]; long length = 0, at = 0, got = 0;
  struct termios t = usual; t.c_lflag &= ~ECHO; if (isRaw) cfmakeraw(&t); tcsetattr(slave, TCSANOW, &t);
  for (int i = 0; i < LINES; i++) length += sprintf(typed + length, "this is line %d\n", i);
  fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
  while (got < length) {
    while (at < length) { long n = write(master, typed + at, length - at); if (n <= 0) break; at += n; }
    struct pollfd one = {slave, POLLIN, 0}; if (poll(&one, 1, LATER) <= 0) break;
    long n = read(slave, read_back + got, sizeof read_back - got); if (n <= 0) break;
    if (!isRaw && read_back[got + n - 1] != '\n') { printf("a part of a line\n"); break; }
    got += n;
  }
  printf("came %ld of %ld, the same %d\n", got, length, memcmp(typed, read_back, length) == 0);
  fcntl(master, F_SETFL, O_RDWR); tcsetattr(slave, TCSAFLUSH, &usual);
}

/* A writer that waits for a reader. */
static void waits(void) {
  static char block[100000]; int status; struct termios t = usual; cfmakeraw(&t); tcsetattr(slave, TCSANOW, &t);
  pid_t child = fork();
  if (child == 0) { for (long i = 0; i < (long)sizeof block; i++) block[i] = 'a' + i % 26; long done = 0; while (done < (long)sizeof block) { long n = write(master, block + done, sizeof block - done); if (n <= 0) _exit(1); done += n; } _exit(0); }
  long got = take(slave, block, sizeof block), wrong = 0; for (long i = 0; i < got; i++) wrong += block[i] != 'a' + i % 26;
  waitpid(child, &status, 0); printf("waited: %ld, wrong %ld, end %x\n", got, wrong, status); tcsetattr(slave, TCSANOW, &usual);
}

/* Output that has come to the master's side outlives a signal. */
static void signals(void) {
  char text[64]; int status; pid_t child = fork();
  if (child == 0) { setsid(); ioctl(slave, TIOCSCTTY, 0); write(slave, "ready", 5); for (;;) pause(); }
  struct pollfd one = {master, POLLIN, 0}; poll(&one, 1, -1); usleep(20000);
  write(master, "typed\003", 6); waitpid(child, &status, 0); printf("end %x\n", status);
  long n = take(master, text, 7); show("left", text, n);
  child = fork(); if (child == 0) { setsid(); ioctl(slave, TIOCSCTTY, 0); write(slave, "ready", 5); for (;;) pause(); }
  take(master, text, 5); printf("sent %d %d\n", ioctl(master, _IOW('T', 0x36, int), SIGQUIT), ioctl(master, _IOW('T', 0x36, int), SIGUSR1)); waitpid(child, &status, 0); printf("end %x\n", status & 0x7f);
}

static void settings(void) {
  char text[64]; struct termios t = usual; int count = 7;
  t.c_lflag &= ~ICANON; tcsetattr(slave, TCSANOW, &t); write(master, "a\rb\n", 4); show("echo", text, take(master, text, 7)); show("read", text, take(slave, text, 4));
  t = usual; t.c_iflag |= IUCLC; tcsetattr(slave, TCSANOW, &t); write(master, "LOWer\n", 6); show("echo", text, take(master, text, 7)); show("read", text, take(slave, text, 6));
  t = usual; t.c_iflag |= PARMRK; tcsetattr(slave, TCSANOW, &t); write(master, "\377x\n", 3); show("read", text, take(slave, text, 4)); take(master, text, 4);
  t = usual; t.c_oflag |= OLCUC; tcsetattr(slave, TCSANOW, &t); write(slave, "upper\n", 6); show("output", text, take(master, text, 7)); tcsetattr(slave, TCSANOW, &usual);
  printf("flow %d", tcflow(slave, TCIOFF)); show("", text, take(master, text, 1)); printf("flow %d", tcflow(slave, TCION)); show("", text, take(master, text, 1));
  write(slave, "x", 1); ioctl(slave, TIOCOUTQ, &count); printf("waiting to go out %d\n", count);
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  if (openpty(&master, &slave, NULL, NULL, NULL) != 0) { perror("openpty"); return 1; }
  tcgetattr(slave, &usual);
  flows(0); flows(1); waits(); signals(); settings();
  return 0;
}
