/* Packet mode of a pseudo-terminal's master, terminals of one user alone, and erasing on paper (ECHOPRT).
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#ifndef TIOCGPKT
#define TIOCGPKT 0x80045438
#define TIOCGEXCL 0x80045440
#endif
enum { SOON = 80, LATER = 2000 };
static int master, slave;
static struct termios usual;
static const char *word(long result) { return result >= 0 ? "ok" : strerrorname_np(errno); }
static void heard(const char *what) { /* All that comes, one read a line of its own: data in one piece. */
  char bytes[256]; struct pollfd look = {master, POLLIN | POLLPRI, 0}; printf("%s:", what);
  for (int wait = LATER; poll(&look, 1, wait) > 0; wait = SOON) {
    long n = read(master, bytes, sizeof bytes); int events = look.revents; if (n <= 0) break;
    if (bytes[0] != 0 || n == 1) { printf(" status %d length %ld%s", bytes[0], n, events & POLLPRI ? " urgent" : ""); continue; }
    printf(" data "); for (long i = 1; i < n; i++) if (bytes[i] < 32 || bytes[i] > 126) printf("\\%02x", (unsigned char)bytes[i]); else putchar(bytes[i]);
  }
  printf("\n");
}
static void packets(void) {
  int value = 9; printf("packet mode %s", word(ioctl(slave, TIOCPKT, &value))); printf(" %s", word(ioctl(master, TIOCGPKT, &value))); printf(" %d", value);
  value = 1; printf(" %s", word(ioctl(master, TIOCPKT, &value))); value = 9; ioctl(master, TIOCGPKT, &value); printf(" %d\n", value);
  write(slave, "out\n", 4); heard("written"); write(master, "in\n", 3); heard("echoed");
  tcflush(slave, TCIFLUSH); heard("input dropped"); tcflush(slave, TCOFLUSH); heard("output dropped"); tcflush(slave, TCIOFLUSH); heard("both");
  tcflow(slave, TCOOFF); heard("stopped"); tcflow(slave, TCOON); heard("started"); tcflow(slave, TCOOFF); tcflow(slave, TCOON); heard("both");
  struct termios t = usual; t.c_iflag &= ~IXON; tcsetattr(slave, TCSANOW, &t); heard("no flow");
  tcsetattr(slave, TCSANOW, &usual); heard("flow"); write(master, "\x13", 1); heard("Ctrl-S"); write(master, "\x11", 1); heard("Ctrl-Q");
  char bytes[8]; write(slave, "abcdef", 6); struct pollfd look = {master, POLLIN, 0}; poll(&look, 1, LATER); long n = read(master, bytes, 4); printf("in parts %ld %d %.3s", n, bytes[0], bytes + 1); n = read(master, bytes, 8); printf(" %ld %d %.3s\n", n, bytes[0], bytes + 1);
  tcflush(slave, TCIFLUSH); value = 0; ioctl(master, TIOCPKT, &value); write(slave, "plain", 5); poll(&look, 1, LATER); n = read(master, bytes, 8); printf("off %ld %.5s\n", n, bytes);
}
static void alone(void) {
  int value = 9, other; printf("alone %s", word(ioctl(slave, TIOCEXCL))); ioctl(slave, TIOCGEXCL, &value); printf(" %d", value); fflush(stdout);
  if (fork() == 0) { printf(" open %s\n", word(open(ptsname(master), O_RDWR | O_NOCTTY))); fflush(stdout); _exit(0); }
  wait(0); ioctl(slave, TIOCNXCL); ioctl(slave, TIOCGEXCL, &value); printf("shared %d", value); other = open(ptsname(master), O_RDWR | O_NOCTTY); printf(" %s", word(other)); close(other);
  unsigned device; printf(" device %s", word(ioctl(slave, 0x80045432, &device))); printf(" %u", device >> 8); printf(" break %s", word(ioctl(slave, TIOCSBRK))); printf(" %s\n", word(ioctl(slave, TIOCCBRK)));
}
static void typed(const char *what, const char *bytes) {
  char echo[256], line[256]; long total = 0, length = strlen(bytes); struct pollfd look = {master, POLLIN, 0}; write(master, bytes, length);
  while (poll(&look, 1, total == 0 ? LATER : SOON) > 0) { long n = read(master, echo + total, sizeof echo - total); if (n <= 0) break; total += n; }
  printf("%s: ", what); for (long i = 0; i < total; i++) if (echo[i] < 32 || echo[i] > 126) printf("\\%02x", (unsigned char)echo[i]); else putchar(echo[i]);
  long n = read(slave, line, sizeof line); printf(" gives %.*s\n", (int)(n > 0 ? n - 1 : 0), line);
}
static void paper(void) {
  struct termios t = usual; t.c_lflag |= ECHOPRT; tcsetattr(slave, TCSANOW, &t);
  typed("erase", "abc\x7f\x7f" "d\n"); typed("all", "ab\x7f\x7f\x7f" "c\n"); typed("word", "one two\x17" "three\n"); typed("kill", "abc\x15" "d\n"); typed("again", "ab\x7f\x12" "c\n"); typed("control", "a\x16\x01\x7f" "b\n"); typed("end", "ab\x7f\n");
  t.c_iflag |= IUTF8; tcsetattr(slave, TCSANOW, &t); typed("wide", "a\xc3\xa9\x7f" "b\n");
}
int main(void) {
  setuid(1000); /* Root is never kept out. */
  master = posix_openpt(O_RDWR | O_NOCTTY); grantpt(master); unlockpt(master); slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  tcgetattr(slave, &usual);
  packets(); alone(); paper();
  return 0;
}
