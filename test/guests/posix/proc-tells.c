/* What /proc tells of sockets, locks, memory and settings; names that are written to comm; personality.
 * oracle: host */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[1 << 20];

static char *get(const char *path) {
  int fd = open(path, O_RDONLY); size_t at = 0; ssize_t n;
  if (fd < 0) { printf("%s: %s\n", path, strerrorname_np(errno)); text[0] = 0; return text; }
  while ((n = read(fd, text + at, sizeof text - 1 - at)) > 0) at += n;
  text[at] = 0; close(fd); return text;
}

/* The line of a table that has all the words. */
static char *line(const char *path, const char *one, const char *two) {
  static char found[512]; found[0] = 0;
  for (char *at = get(path); *at; at = strchr(at, '\n') + 1) {
    *strchr(at, '\n') = 0;
    if (found[0] == 0 && strstr(at, one) && strstr(at, two)) snprintf(found, sizeof found, "%s", at);
    at[strlen(at)] = '\n';
  }
  return found;
}

static unsigned long inode(int fd) { struct stat st; fstat(fd, &st); return st.st_ino; }

/* Fields 2 to 4 (places, state), queues and the inode of a row with this port at our side. */
static void row(const char *name, const char *table, int port, int fd) {
  char word[64], local[64], remote[64], state[8], queues[32], out[512]; unsigned uid; unsigned long ino = 0;
  snprintf(word, sizeof word, strstr(table, "6") ? ": 00000000000000000000000000000000:%04X " : ": 0100007F:%04X ", port); snprintf(out, sizeof out, "%s", line(table, word, ""));
  if (sscanf(out, " %*d: %63s %63s %7s %31s %*s %*s %u %*u %lu", local, remote, state, queues, &uid, &ino) != 6) { printf("%s: none '%s'\n", name, out); return; }
  *strrchr(local, ':') = 0; if (strtoul(strrchr(remote, ':') + 1, NULL, 16)) *strrchr(remote, ':') = 0;
  printf("%s: %s %s %s %s, %s, %s, width %zu\n", name, local, remote, state, queues, uid == getuid() ? "own" : "other", ino == inode(fd) ? "found" : "no inode", strstr(table, "6") ? 0 : strlen(out));
}

static int port(int fd) { struct sockaddr_in6 a; socklen_t n = sizeof a; getsockname(fd, (void *) &a, &n); return ntohs(a.sin6_port); }

static void sockets(void) {
  struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }; struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
  int listener = socket(AF_INET, SOCK_STREAM, 0), any = socket(AF_INET6, SOCK_STREAM, 0), datagram = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), idle = socket(AF_INET, SOCK_STREAM, 0);
  bind(listener, (void *) &four, sizeof four); listen(listener, 5); bind(any, (void *) &six, sizeof six); listen(any, 5); bind(datagram, (void *) &four, sizeof four); bind(idle, (void *) &four, sizeof four);
  row("listens", "/proc/net/tcp", port(listener), listener); row("of both kinds", "/proc/net/tcp6", port(any), any); row("datagrams", "/proc/self/net/udp", port(datagram), datagram); row("bound only", "/proc/net/tcp", port(idle), idle);
  four.sin_port = htons(port(listener)); connect(client, (void *) &four, sizeof four); row("connects", "/proc/net/tcp", port(client), client); row("waits", "/proc/net/tcp", port(listener), listener);
  int served = accept(listener, NULL, NULL); write(served, "12345", 5); usleep(20000); row("has input", "/proc/net/tcp", port(client), client);
  shutdown(served, SHUT_WR); usleep(20000); row("half closed", "/proc/net/tcp", port(client), client);
  printf("%s\n%s\n", strncmp(get("/proc/net/tcp6"), "  sl  local_address                         remote_address                        st tx_queue", 80) ? "another head" : "the head", line("/proc/net/udp", "drops", ""));
  struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "proc-tells.socket" }, hidden = { .sun_family = AF_UNIX, .sun_path = "\0a name" };
  int by_path = socket(AF_UNIX, SOCK_STREAM, 0), abstract = socket(AF_UNIX, SOCK_DGRAM, 0), pair[2]; char word[32];
  unlink(name.sun_path); bind(by_path, (void *) &name, sizeof name); listen(by_path, 3); bind(abstract, (void *) &hidden, sizeof(sa_family_t) + 7); socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
  int each[] = { by_path, abstract, pair[0] };
  for (int i = 0; i < 3; i++) { snprintf(word, sizeof word, " %5lu", inode(each[i])); char *at = line("/proc/net/unix", word, ": "); if (*at) { char *flags = strstr(at, ": ") + 20; printf("unix: %.16s%s\n", flags, strstr(at, word) + strlen(word)); } else puts("unix: none"); }
  unlink(name.sun_path);
}

static void locks(void) {
  int fd = open("proc-tells.file", O_RDWR | O_CREAT, 0600), other = open("proc-tells.file", O_RDWR); char word[32];
  struct flock range = { .l_type = F_WRLCK, .l_start = 10, .l_len = 5 }, rest = { .l_type = F_RDLCK, .l_start = 100 };
  fcntl(fd, F_SETLK, &range); fcntl(other, F_OFD_SETLK, &rest); flock(fd, LOCK_SH);
  snprintf(word, sizeof word, ":%lu ", inode(fd));
  for (int i = 0; i < 3; i++) {
    char kind[16], how[16]; int pid; char range[64]; char *at = line("/proc/locks", (const char *[]) { "POSIX", "OFDLCK", "FLOCK" }[i], word);
    if (sscanf(at, "%*d: %15s ADVISORY %15s %d %*s %63[^\n]", kind, how, &pid, range) == 4) printf("lock: %s %s, %s, %s\n", kind, how, pid == getpid() ? "own" : pid == -1 ? "nobody's" : "another's", range); else printf("lock: '%s'\n", at);
  }
  unlink("proc-tells.file"); close(fd); close(other);
}

/* A number of kilobytes in smaps, of the mapping that begins at an address. */
static long amount(void *start, const char *what) {
  char head[32]; snprintf(head, sizeof head, "%08lx-", (unsigned long) start); char *at = strstr(get("/proc/self/smaps"), head); if (!at) { snprintf(head, sizeof head, "%lx-", (unsigned long) start); at = strstr(text, head); }
  at = at ? strstr(at, what) : NULL; return at ? atol(at + strlen(what)) : -1;
}

static void memory(void) {
  char *place = mmap(NULL, 12 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); mprotect(place + 4096, 8 * 4096, PROT_READ | PROT_WRITE); memset(place + 4096, 1, 8 * 4096);
  printf("smaps: size %ld, resident %ld, private %ld, anonymous %ld; ", amount(place + 4096, "Size:"), amount(place + 4096, "Rss:"), amount(place + 4096, "Private_Dirty:"), amount(place + 4096, "Anonymous:"));
  printf("reserved %ld, resident %ld; flags %s\n", amount(place + 9 * 4096, "Size:"), amount(place + 9 * 4096, "Rss:"), strstr(get("/proc/self/smaps"), "VmFlags: rd ") ? "told" : "not told");
  get("/proc/self/smaps_rollup"); printf("rollup: %s, %s\n", strstr(text, "[rollup]\nRss: ") ? "told" : "not told", strstr(text, "\nPss_Anon: ") ? "by kind" : "no kinds");
  char own[512] = {0}, *at; ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1); int named = 0; unsigned long from, to, offset;
  for (at = get("/proc/self/maps"); n > 0 && *at; at = strchr(at, '\n') + 1) if (sscanf(at, "%lx-%lx %*s %lx", &from, &to, &offset) == 3 && from <= (unsigned long) memory && (unsigned long) memory < to) named = !strncmp(strchr(at, '/') ? strchr(at, '/') : "", own, n);
  printf("maps: the program's code %s\n", named ? "has its path" : "has no path");
}

static void setting(const char *path) { char *at = get(path); printf("%s: %s", path, *at ? at : "\n"); }
static int shaped(const char *at) { for (int i = 0; i < 36; i++) if (i == 8 || i == 13 || i == 18 || i == 23 ? at[i] != '-' : !strchr("0123456789abcdef", at[i])) return 0; return at[36] == '\n' && at[37] == 0 && at[14] == '4'; }

static void settings(void) {
  char one[64], two[64];
  snprintf(one, 64, "%s", get("/proc/sys/kernel/random/uuid")); snprintf(two, 64, "%s", get("/proc/sys/kernel/random/uuid")); printf("uuid: %d %d, %s\n", shaped(one), shaped(two), strcmp(one, two) ? "differ" : "the same");
  snprintf(one, 64, "%s", get("/proc/sys/kernel/random/boot_id")); snprintf(two, 64, "%s", get("/proc/sys/kernel/random/boot_id")); printf("boot: %d, %s\n", shaped(one), strcmp(one, two) ? "differ" : "the same");
  setting("/proc/sys/kernel/cap_last_cap"); setting("/proc/sys/net/ipv4/ip_default_ttl"); setting("/proc/sys/kernel/overflowuid"); setting("/proc/sys/kernel/sem"); setting("/proc/sys/net/ipv4/tcp_keepalive_time");
  setting("/proc/self/setgroups"); setting("/proc/self/coredump_filter");
  const char *there[] = { "/proc/devices", "/proc/partitions", "/proc/diskstats", "/proc/sys/fs/file-nr", "/proc/sys/fs/inotify/max_user_watches", "/proc/self/schedstat", "/proc/self/uid_map", "/proc/net/arp", "/proc/net/sockstat", "/proc/net/packet" };
  for (size_t i = 0; i < sizeof there / sizeof *there; i++) printf("%d", access(there[i], R_OK));
  char target[64] = {0}; readlink("/proc/self/ns/pid", target, sizeof target - 1); printf("\nnamespace: %.5s\n", target);
  printf("stat: %s\n", strstr(get("/proc/stat"), "\nprocesses ") && strstr(text, "\nprocs_running ") ? "whole" : "parts");
}

static void *lives(void *go) { char byte; read(*(int *) go, &byte, 1); return NULL; }

static void names(void) {
  int go[2]; pthread_t thread; char name[32], path[64]; pipe(go); pthread_create(&thread, NULL, lives, go);
  printf("naming: %s", strerrorname_np(pthread_setname_np(thread, "another")) ?: "done"); printf(", %s", pthread_getname_np(thread, name, sizeof name) ? "not told" : name);
  printf(", too long %d\n", pthread_setname_np(thread, "a name of more than sixteen"));
  int fd = open("/proc/self/comm", O_WRONLY | O_TRUNC); printf("comm: %zd", write(fd, "a name of more than sixteen", 27)); close(fd); prctl(PR_GET_NAME, name); printf(" '%s' '%.15s'\n", name, get("/proc/self/comm"));
  fflush(stdout); pid_t child = fork();
  if (child == 0) { snprintf(path, sizeof path, "/proc/%d/comm", getppid()); fd = open(path, O_WRONLY); printf("of another: %s", fd < 0 ? strerrorname_np(errno) : "opened"); ssize_t n = write(fd, "x", 1); printf(" %zd %s\n", n, n < 0 ? strerrorname_np(errno) : ""); fflush(stdout); _exit(0); }
  waitpid(child, NULL, 0); close(go[1]); pthread_join(thread, NULL);
  fd = open("/proc/self/cmdline", O_WRONLY); printf("cmdline: %s\n", fd < 0 ? "refused" : "opened");
}

static void persona(void) {
  printf("personality: %x", personality(0xffffffff)); printf(" %x", personality(ADDR_NO_RANDOMIZE)); printf(" %x", personality(0xffffffff));
  fflush(stdout); pid_t child = fork(); if (child == 0) { printf(" child %x\n", personality(0xffffffff)); fflush(stdout); _exit(0); } waitpid(child, NULL, 0);
  setting("/proc/self/personality"); personality(0); printf("secure bits: %d\n", prctl(PR_GET_SECUREBITS));
}

int main(void) {
  if (geteuid() == 0) { chmod(".", 0777); setresgid(1000, 1000, 1000); setresuid(1000, 1000, 1000); prctl(PR_SET_DUMPABLE, 1); }
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  sockets(); locks(); memory(); settings(); fflush(stdout); names(); persona();
  return 0;
}
