/* Calls that wait while a signal comes: what there is to answer is answered, also when the handler does not restart calls: a child that ended, bytes in a pipe;
 * children that nobody waits for (SA_NOCLDWAIT, SIGCHLD ignored) give ECHILD when the last one has ended; with nothing to answer it is EINTR, or the call goes on, but never a wait of System V.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int seen;
static void handler(int signal) { seen = signal; }
static void on(int signal, void (*how)(int), int flags) {
  struct sigaction action = { .sa_handler = how, .sa_flags = flags };
  sigaction(signal, &action, NULL);
}
static int child(void (*body)(int), int argument) {
  fflush(stdout);
  int pid = fork();
  if (pid == 0) body(argument), _exit(3);
  return pid;
}
/* Until the parent sleeps: it is in the call that it is to be in. */
static void until_it_waits(void) {
  char name[32], text[512], *state = NULL;
  do {
    usleep(1000);
    snprintf(name, sizeof name, "/proc/%d/stat", getppid());
    int file = open(name, O_RDONLY);
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    text[size < 0 ? 0 : size] = 0, state = strrchr(text, ')');
  } while (state == NULL || state[2] != 'S');
}
static void ends(int unused) { (void)unused; until_it_waits(); }
static void signals(int times) { for (int i = 0; i < times; i++) until_it_waits(), kill(getppid(), SIGUSR1); }
static int pipes[2], gate[2];
static void signals_and_stays(int file) { char byte; signals(1); if (read(file, &byte, 1) != 1) _exit(1); }
static void stays(int file) { char byte; if (read(file, &byte, 1) != 1) _exit(1); }
static void writes(int file) {
  until_it_waits();
  if (write(file, "data", 4) != 4) _exit(1);
  kill(getppid(), SIGUSR1);
}

static void waits(const char *what, int flags, void (*how)(int)) {
  on(SIGCHLD, how, flags);
  seen = 0;
  int pid = child(ends, 0), status = -1, result = waitpid(pid, &status, 0), error = errno;
  printf("%s: %s %x %s seen %d\n", what, result == pid ? "child" : "none", status, result < 0 ? strerror(error) : "-", seen);
  if ((flags & SA_NOCLDWAIT) != 0 && ((flags & SA_RESTART) != 0 || how != handler)) return;
  if (how == SIG_IGN) return;
  seen = 0;
  int first = child(ends, 0), second = child(stays, gate[0]);
  siginfo_t info = { .si_pid = 0 };
  result = waitid(P_ALL, 0, &info, WEXITED), error = errno;
  printf("%s: waitid %d %s %s seen %d\n", what, result, result == 0 && info.si_pid == first ? "child" : "none", result < 0 ? strerror(error) : "-", seen);
  (void)second;
  if (write(gate[1], "x", 1) != 1) exit(1);
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) ;
  printf("%s: rest %s\n", what, strerror(errno));
}

/* Of System V no wait goes on after a handler, whatever its flags. */
static void system_v(void) {
  struct { long type; char bytes[4096]; } message = { 1 };
  struct sembuf down = { 0, -1, 0 };
  struct timespec long_time = { 1000, 0 };
  int queue = msgget(IPC_PRIVATE, 0600), full = msgget(IPC_PRIVATE, 0600), set = semget(IPC_PRIVATE, 1, 0600);
  while (msgsnd(full, &message, sizeof message.bytes, IPC_NOWAIT) == 0) ;
  on(SIGUSR1, handler, SA_RESTART);
  for (int call = 0; call < 4; call++) {
    int pid = child(signals, 1), result = call == 0 ? msgrcv(queue, &message, 1, 0, 0) : call == 1 ? msgsnd(full, &message, sizeof message.bytes, 0) : call == 2 ? semop(set, &down, 1) : semtimedop(set, &down, 1, &long_time);
    printf("System V %d: %d %s\n", call, result, strerror(errno));
    waitpid(pid, NULL, 0);
  }
  msgctl(queue, IPC_RMID, 0), msgctl(full, IPC_RMID, 0), semctl(set, 0, IPC_RMID);
}

int main(void) {
  char buffer[8];
  if (pipe(pipes) != 0 || pipe(gate) != 0) return 1;
  waits("handler", 0, handler), waits("restarting handler", SA_RESTART, handler), waits("no children kept", SA_NOCLDWAIT, handler);
  waits("no children kept, restarting", SA_NOCLDWAIT | SA_RESTART, handler), waits("ignored", 0, SIG_IGN), waits("default, none kept", SA_NOCLDWAIT, SIG_DFL);
  on(SIGCHLD, SIG_DFL, 0);
  on(SIGUSR1, handler, 0);
  seen = 0;
  int pid = child(signals_and_stays, gate[0]), status = -1, result = waitpid(pid, &status, 0);
  printf("another signal: %d %s seen %d\n", result, strerror(errno), seen);
  if (write(gate[1], "x", 1) != 1) return 1;
  result = waitpid(pid, &status, 0), printf("then: %s %x\n", result == pid ? "child" : "none", status);
  on(SIGUSR1, handler, SA_RESTART);
  pid = child(signals, 3), result = waitpid(pid, &status, 0);
  printf("restarting: %s %x seen %d\n", result == pid ? "child" : "none", status, seen);
  on(SIGUSR1, handler, 0);
  seen = 0;
  pid = child(writes, pipes[1]);
  ssize_t size = read(pipes[0], buffer, sizeof buffer);
  while (waitpid(pid, &status, 0) > 0 || errno == EINTR) ;
  printf("bytes and a signal: %zd seen %d %x\n", size, seen, status);
  pid = child(signals, 1);
  size = read(pipes[0], buffer, sizeof buffer);
  printf("no bytes: %zd %s\n", size, strerror(errno));
  waitpid(pid, &status, 0);
  system_v();
  return 0;
}
