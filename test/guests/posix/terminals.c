/* Pseudo-terminals: what the line discipline does to input, echo and output; sessions, the foreground group and its signals; ends and hang-ups.
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
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
static int fails(long result, int error) { return result == -1 && errno == error; }
static void show(const char *label, const char *bytes, long length) {
  printf("%s %ld:", label, length);
  for (long i = 0; i < length; i++) if (bytes[i] < 32 || bytes[i] > 126 || bytes[i] == '\\') printf("\\%02x", (unsigned char)bytes[i]); else putchar(bytes[i]);
  printf("\n");
}
static struct termios usual;
enum { SOON = 20, LATER = 400 }; /* Milliseconds to wait for more, and for the first. */
static int master, slave;
static long drain(int fd, char *into, int size, int first) { /* What is there now; the host's terminals take a moment, a busy host's a longer one. */
  struct pollfd one = {fd, POLLIN, 0}; long total = 0;
  for (int wait = first; total < size && poll(&one, 1, wait) > 0 && (one.revents & POLLIN); wait = SOON) { long n = read(fd, into + total, size - total); if (n <= 0) break; total += n; }
  return total;
}
/* Types at the master with these settings; shows what is echoed and every read of the slave. */
static void type(const char *label, const struct termios *how, const char *keys, int length) {
  char text[512]; struct pollfd ready = {slave, POLLIN, 0};
  tcsetattr(slave, TCSANOW, how); write(master, keys, length);
  printf("-- %s\n", label); show("echo", text, drain(master, text, sizeof text, LATER));
  for (int wait = LATER; poll(&ready, 1, wait) > 0 && (ready.revents & POLLIN); wait = SOON) { long n = read(slave, text, sizeof text); show("read", text, n); }
  tcflush(slave, TCIOFLUSH); drain(master, text, sizeof text, SOON); tcsetattr(slave, TCSANOW, &usual);
}
#define TYPE(label, how, keys) type(label, how, keys, sizeof keys - 1)
static void put(const char *label, const struct termios *how, const char *bytes) {
  char text[512]; tcsetattr(slave, TCSANOW, how); write(slave, bytes, strlen(bytes)); show(label, text, drain(master, text, sizeof text, LATER)); tcsetattr(slave, TCSANOW, &usual);
}
static void discipline(void) {
  struct termios t = usual; char text[64];
  TYPE("a line", &usual, "hello\rworld\n"); TYPE("no end yet", &usual, "half"); TYPE("erase", &usual, "helpx\177\177lo\n"); TYPE("kill", &usual, "wrong line\025right\n"); TYPE("word", &usual, "one two  \027three\n");
  TYPE("controls", &usual, "a\001b\033c\td\177\177e\n"); TYPE("tabs", &usual, "ab\tc\td\177\177\177x\n"); TYPE("end of file", &usual, "abc\004def\n\004"); TYPE("literal", &usual, "a\026\003b\026\177c\n"); TYPE("reprint", &usual, "ab\022c\n"); TYPE("erase at start", &usual, "\177\177\025ok\n");
  t.c_lflag &= ~ECHO; TYPE("no echo", &t, "secret\177X\n"); t.c_lflag |= ECHONL; TYPE("echo of the end", &t, "x\n");
  t = usual; t.c_lflag &= ~ECHOCTL; TYPE("plain controls", &t, "a\001\177b\n"); t = usual; t.c_lflag &= ~(ECHOE | ECHOKE); TYPE("no visual erase", &t, "ab\177c\025d\n"); t = usual; t.c_lflag &= ~ECHOK; TYPE("kill without a new line", &t, "ab\025c\n");
  t = usual; t.c_iflag |= INLCR; t.c_iflag &= ~ICRNL; TYPE("swapped ends", &t, "a\rb\nc\n"); t = usual; t.c_iflag |= IGNCR; TYPE("no returns", &t, "a\r\rb\n"); t = usual; t.c_iflag |= ISTRIP; TYPE("seven bits", &t, "\341\342\n");
  t = usual; t.c_iflag |= IUTF8; TYPE("utf-8", &t, "a\303\251\342\202\254\177\177z\n"); t = usual; t.c_cc[VEOL] = ';'; TYPE("another end", &t, "one;two;three\n");
  t = usual; cfmakeraw(&t); TYPE("raw", &t, "a\r\n\003\004\177z"); t.c_cc[VMIN] = 3; TYPE("at least three", &t, "ab"); TYPE("more than three", &t, "abcd"); t.c_cc[VMIN] = 0; t.c_cc[VTIME] = 1; tcsetattr(slave, TCSANOW, &t); printf("nothing in time %zd\n", read(slave, text, 8));
  t.c_cc[VTIME] = 0; tcsetattr(slave, TCSANOW, &t); printf("nothing at once %zd\n", read(slave, text, 8));
  t = usual; t.c_lflag &= ~ICANON; TYPE("characters", &t, "ab\177\n\004");
  put("output", &usual, "a\nb\tc\r\n"); t = usual; t.c_oflag &= ~ONLCR; put("bare", &t, "a\nb\n"); t = usual; t.c_oflag |= OCRNL; put("returns", &t, "a\rb\n"); t = usual; t.c_oflag |= XTABS; put("spaces", &t, "a\tbc\t\b\tx\n"); t = usual; t.c_oflag &= ~OPOST; put("as it is", &t, "a\n\tb\n");
  t = usual; t.c_oflag |= ONOCR; put("no return at the start", &t, "\r\ra\r\rb\n"); put("", &usual, "");
  write(master, "later\n", 6); t = usual; t.c_lflag &= ~ICANON; tcsetattr(slave, TCSANOW, &t); show("in the other mode", text, read(slave, text, 64)); tcsetattr(slave, TCSANOW, &usual);
  write(master, "abcdef\n", 7); int count; poll(&(struct pollfd){slave, POLLIN, 0}, 1, -1); ioctl(slave, FIONREAD, &count); show("a part", text, read(slave, text, 4)); show("the rest", text, read(slave, text, 64)); printf("had %d\n", count); drain(master, text, 64, SOON);
  char longer[5000]; memset(longer, 'x', sizeof longer); fcntl(master, F_SETFL, O_NONBLOCK); for (int at = 0; at < 5000;) { long n = write(master, longer + at, 5000 - at); if (n <= 0) break; at += n; } write(master, "\n", 1); fcntl(master, F_SETFL, 0);
  char big[8192]; printf("too long %zd\n", read(slave, big, sizeof big)); tcflush(slave, TCIOFLUSH); drain(master, big, sizeof big, SOON); drain(master, big, sizeof big, SOON);
}
static void on_signal(int signal) { char text[16]; int n = snprintf(text, 16, "<%d>", signal); write(slave, text, n); }
static void wait_for(const char *word) { /* Reads the master up to the end of the word; what comes behind it is for the next. */
  static char text[512]; static int length; char *found;
  while ((text[length] = 0, found = strstr(text, word)) == NULL) { long n = read(master, text + length, 511 - length); if (n <= 0) break; length += n; }
  int used = found == NULL ? length : found - text + (int)strlen(word); show("saw", text, used); memmove(text, text + used, length -= used);
}
static void sessions(void) {
  int status; pid_t child = fork(); char text[64];
  if (child == 0) {
    setsid(); printf("none yet %d ", fails(open("/dev/tty", O_RDWR), ENXIO)); ioctl(slave, TIOCSCTTY, 0); int own = open("/dev/tty", O_RDWR);
    printf("own %d session %d group %d\n", own >= 0, tcgetsid(slave) == getpid(), tcgetpgrp(own) == getpid()); fflush(stdout);
    sigset_t all, none; sigfillset(&all); sigemptyset(&none); sigprocmask(SIG_BLOCK, &all, 0); /* In a handler too: whoever reads what it writes may send the next signal at once. */
    for (int s = 1; s < 32; s++) if (s == SIGINT || s == SIGQUIT || s == SIGWINCH || s == SIGHUP || s == SIGCONT) sigaction(s, &(struct sigaction){.sa_handler = on_signal, .sa_mask = all}, 0);
    write(slave, "go", 2); for (int i = 0; i < 3; i++) sigsuspend(&none); sigprocmask(SIG_SETMASK, &none, 0);
    pid_t job = fork(); /* A job in the background that reads is stopped until it is in the foreground. */
    if (job == 0) { setpgid(0, 0); for (int s = 1; s < 32; s++) signal(s, SIG_DFL); char one[8] = {0}; long n = read(slave, one, 8); _exit(n == 3 && one[0] == 'y' ? 5 : 1); }
    setpgid(job, job); waitpid(job, &status, WUNTRACED); int was = WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN;
    signal(SIGTTOU, SIG_IGN); tcsetpgrp(slave, job); kill(-job, SIGCONT); write(slave, "type", 4); waitpid(job, &status, 0); tcsetpgrp(slave, getpid());
    dprintf(slave, "stopped %d then %d;", was, WEXITSTATUS(status));
    job = fork(); if (job == 0) { setpgid(0, 0); signal(SIGTTOU, SIG_DFL); struct termios t; tcgetattr(slave, &t); t.c_lflag |= TOSTOP; tcsetattr(slave, TCSANOW, &t); _exit(3); }
    setpgid(job, job); waitpid(job, &status, WUNTRACED); was = WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU; kill(-job, SIGKILL); waitpid(job, &status, 0);
    dprintf(slave, "setting stopped %d;", was);
    job = fork(); if (job == 0) { setpgid(0, 0); signal(SIGTTIN, SIG_IGN); _exit(fails(read(slave, text, 1), EIO) ? 4 : 1); }
    setpgid(job, job); waitpid(job, &status, 0); dprintf(slave, "ignoring %d!", WEXITSTATUS(status)); pause(); _exit(9);
  }
  wait_for("go"); write(master, "\003", 1); wait_for("<2>"); write(master, "\034", 1); wait_for("<3>"); struct winsize w = {30, 90, 0, 0}, back; ioctl(master, TIOCSWINSZ, &w); wait_for("<28>"); ioctl(slave, TIOCGWINSZ, &back); printf("window %d %d\n", back.ws_row, back.ws_col);
  wait_for("type"); write(master, "yes", 2); write(master, "\n", 1); wait_for("!"); printf("foreground %d\n", tcgetpgrp(master) == child);
  kill(child, SIGKILL); wait(&status); printf("no session %d\n", tcgetpgrp(master));
}
static void ends(void) {
  int status, other; char text[16];
  close(slave); struct pollfd one = {master, POLLIN, 0}; poll(&one, 1, -1); printf("hung %d read %d\n", one.revents & POLLHUP, fails(read(master, text, 1), EIO));
  slave = open(ptsname(master), O_RDWR | O_NOCTTY); one.revents = 0; printf("again %d %d\n", slave >= 0, poll(&one, 1, 0));
  pid_t child = fork();
  if (child == 0) { close(master); setsid(); ioctl(slave, TIOCSCTTY, 0); signal(SIGHUP, SIG_DFL); write(slave, "x", 1); pause(); _exit(0); }
  read(master, text, 1); close(master); waitpid(child, &status, 0); printf("killed by %d\n", WTERMSIG(status));
  printf("end %zd write %d name %d\n", read(slave, text, 1), fails(write(slave, "x", 1), EIO), fails(ioctl(slave, TCGETS, text), EIO));
  master = posix_openpt(O_RDWR | O_NOCTTY); int number; ioctl(master, TIOCGPTN, &number); char name[64]; snprintf(name, 64, "/dev/pts/%d", number); printf("locked %d same %d", fails(open(name, O_RDWR | O_NOCTTY), EIO), strcmp(name, ptsname(master)));
  grantpt(master); unlockpt(master); other = open(name, O_RDWR | O_NOCTTY); struct stat s; fstat(other, &s); printf(" tty %d %d name %d device %d %d mode %d\n", isatty(master), isatty(other), strcmp(ttyname(other), name), major(s.st_rdev), (int)minor(s.st_rdev) == number, S_ISCHR(s.st_mode) && (s.st_mode & 0707) == 0600);
  printf("seek %d not of a session %d\n", fails(lseek(other, 0, SEEK_SET), ESPIPE), fails(tcgetpgrp(other), ENOTTY));
}
int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  if (openpty(&master, &slave, NULL, NULL, NULL) != 0) { perror("openpty"); return 1; }
  tcgetattr(slave, &usual); printf("flags %o %o %o %o\n", usual.c_iflag, usual.c_oflag, usual.c_cflag & 0777, usual.c_lflag); for (int i = 0; i < 17; i++) printf("%d ", usual.c_cc[i]); printf("\n");
  discipline(); sessions(); ends();
  return 0;
}
