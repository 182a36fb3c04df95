#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
  struct utsname u; uname(&u); printf("%s %s %s %s\n", u.sysname, u.nodename, u.release, u.machine);
  printf("ids %d %d %d %d same %d\n", getuid(), geteuid(), getgid(), getegid(), getpid() == gettid());
  printf("setuid %d %d\n", setuid(getuid()), setuid(0));
  struct rlimit r; getrlimit(RLIMIT_NOFILE, &r); printf("files %d\n", (int)r.rlim_cur);
  r.rlim_cur = 8; setrlimit(RLIMIT_NOFILE, &r); int fd, last = -1; while ((fd = open("/dev/null", O_RDONLY)) >= 0) last = fd; printf("last %d errno %d\n", last, errno);
  char name[16]; prctl(PR_SET_NAME, "a name that is too long"); prctl(PR_GET_NAME, name); printf("%s\n", name);
  cpu_set_t c; sched_getaffinity(0, sizeof c, &c); printf("cpus %d\n", CPU_COUNT(&c));
  printf("page %ld secure %ld entry %d random %d\n", getauxval(AT_PAGESZ), getauxval(AT_SECURE), getauxval(AT_ENTRY) != 0, *(uint64_t *)getauxval(AT_RANDOM) != 0);
  printf("execfn %s\n", (char *)getauxval(AT_EXECFN));
  uint64_t a = 0, b = 0; printf("random %zd %d\n", getrandom(&a, 8, 0), (getrandom(&b, 8, 0), a != b));
  printf("wait %d errno %d\n", wait(0), errno);
  printf("nosys %ld %d\n", syscall(999), errno); printf("nosys %ld %d\n", syscall(-5), errno);
  close(4); char link[64] = {0}; readlink("/proc/self/exe", link, 63); printf("exe %s\n", link);
  FILE *f = fopen("/proc/self/maps", "r"); char line[256]; int stack = 0, n = 0; while (f && fgets(line, 256, f)) { n++; stack += strstr(line, "[stack]") != 0; } printf("maps %d stack %d\n", n > 3, stack);
  struct sysinfo si; sysinfo(&si); printf("ram %lu\n", si.totalram);
  for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
  printf("\n"); return 0;
}
