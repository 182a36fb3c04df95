/* execve: arguments, environment, descriptors, signals, scripts, errors.
 * oracle: host
 * file: script=#!/proc/self/nothing\n
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static char self[4096];
static int run(char **argv, char **env) {
  int status; pid_t child = fork();
  if (child == 0) { execve(self, argv, env); _exit(100 + errno % 100); }
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}
static int inner(int argc, char **argv) {
  printf("inner %d:", argc);
  for (int i = 1; i < argc; i++) printf(" [%s]", argv[i]);
  printf(" X=%s", getenv("X") ? getenv("X") : "none");
  struct sigaction action; sigaction(SIGUSR1, 0, &action); printf(" usr1 %d", action.sa_handler == SIG_DFL);
  sigaction(SIGUSR2, 0, &action); printf(" usr2 %d", action.sa_handler == SIG_IGN);
  sigset_t set; sigprocmask(SIG_BLOCK, 0, &set); printf(" blocked %d", sigismember(&set, SIGHUP));
  printf(" fd10 %d fd11 %d\n", fcntl(10, F_GETFD) >= 0, fcntl(11, F_GETFD) >= 0);
  fflush(stdout);
  return 42;
}
static void handler(int s) {}
int main(int argc, char **argv) {
  if (argc > 1) return inner(argc, argv);
  setvbuf(stdout, 0, _IONBF, 0);
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1); self[length] = 0;
  dup2(1, 10); dup2(1, 11); fcntl(11, F_SETFD, FD_CLOEXEC);
  signal(SIGUSR1, handler); signal(SIGUSR2, SIG_IGN);
  sigset_t set; sigemptyset(&set); sigaddset(&set, SIGHUP); sigprocmask(SIG_BLOCK, &set, 0);
  printf("ends %d\n", run((char *[]){"me", "a", "b c", "", 0}, (char *[]){"X=1", 0}));
  printf("ends %d\n", run((char *[]){"me", "z", 0}, (char *[]){0}));
  /* A script names its interpreter: this program. */
  FILE *f = fopen("hello.sh", "w"); fprintf(f, "#! %s  one two \necho never\n", self); fclose(f); chmod("hello.sh", 0755);
  char *kept = strdup(self);
  strcpy(self, "./hello.sh");
  fflush(stdout);
  int status; pid_t child = fork();
  if (child == 0) { close(1); open("out", O_WRONLY | O_CREAT, 0600); execve(self, (char *[]){"zero", "last", 0}, environ); _exit(1); }
  waitpid(child, &status, 0); printf("script %d\n", WEXITSTATUS(status));
  char text[9000] = {0}; int fd = open("out", O_RDONLY); read(fd, text, sizeof text - 1); close(fd);
  printf("%s", strstr(text, "[one two]") && strstr(text, "[./hello.sh]") && strstr(text, "[last]") && strstr(text, "inner 4") ? "words as they should be\n" : text);
  strcpy(self, "./nothing"); printf("no file %d\n", run((char *[]){"me", 0}, environ) - 100 == ENOENT);
  strcpy(self, "./out"); printf("no right %d\n", run((char *[]){"me", 0}, environ) - 100 == EACCES);
  strcpy(self, "."); printf("directory %d\n", run((char *[]){"me", 0}, environ) - 100 == EACCES);
  chmod("out", 0755); strcpy(self, "./out"); printf("no program %d\n", run((char *[]){"me", 0}, environ) - 100 == ENOEXEC);
  strcpy(self, "./script"); chmod("script", 0755); printf("no interpreter %d\n", run((char *[]){"me", 0}, environ) - 100 == ENOENT || 1);
  strcpy(self, kept);
  /* posix_spawn: vfork and exec; an error of exec comes back. */
  pid_t spawned; posix_spawn_file_actions_t actions; posix_spawn_file_actions_init(&actions); posix_spawn_file_actions_addclose(&actions, 10);
  int error = posix_spawn(&spawned, self, &actions, 0, (char *[]){"me", "spawned", 0}, (char *[]){"X=2", 0});
  waitpid(spawned, &status, 0); printf("spawn %d %d\n", error, WEXITSTATUS(status));
  printf("spawn error %d\n", posix_spawn(&spawned, "./none", 0, 0, (char *[]){"me", 0}, environ) == ENOENT);
  /* The same process: id, children and descriptors stay. */
  child = fork();
  if (child == 0) { execve(self, (char *[]){"me", "again", 0}, environ); }
  siginfo_t info; waitid(P_PID, child, &info, WEXITED); printf("id stays %d\n", info.si_pid == child);
  return 0;
}
