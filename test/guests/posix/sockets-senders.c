/* SO_PASSCRED: who sent a message, as it was when it was sent; a stream is not read over two senders at once.
 * oracle: host */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child;
static void told(int socket, int on) { if (setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0) printf("PASSCRED: %s\n", strerrorname_np(errno)); }

static void get(int from, size_t length, int flags) {
  char control[256], text[64] = {0}; struct iovec part = {text, length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t n = recvmsg(from, &message, flags | MSG_DONTWAIT);
  if (n < 0) { printf(" %s", strerrorname_np(errno)); return; }
  printf(" %zd '%s'", n, text);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
    struct ucred u; if (c->cmsg_type == SCM_RIGHTS) { int fd; memcpy(&fd, CMSG_DATA(c), sizeof fd); close(fd); printf("+file"); continue; }
    memcpy(&u, CMSG_DATA(c), sizeof u);
    printf(" by %s%s", u.pid == 0 ? "nobody" : u.pid == getpid() ? "itself" : u.pid == child ? "the child" : "another", u.pid == 0 ? (u.uid == 65534 && u.gid == 65534 ? "" : "?") : u.uid == getuid() && u.gid == getgid() ? "" : ", other ids");
  }
  printf(";");
}

/* A message that says itself who sends it, or takes a file along. */
static void put(int to, const char *text, int type) {
  struct ucred own = { getpid(), getuid(), getgid() }; int fd = 0; char control[64] = {0}; struct iovec part = {(char *) text, strlen(text)};
  size_t length = type == SCM_CREDENTIALS ? sizeof own : sizeof fd;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(length)};
  struct cmsghdr *c = CMSG_FIRSTHDR(&message); c->cmsg_level = SOL_SOCKET; c->cmsg_type = type; c->cmsg_len = CMSG_LEN(length); memcpy(CMSG_DATA(c), type == SCM_CREDENTIALS ? (void *) &own : (void *) &fd, length);
  if (sendmsg(to, &message, 0) < 0) printf(" sendmsg: %s", strerrorname_np(errno));
}

static void by_child(int to, const char *first, const char *second) {
  child = fork();
  if (child == 0) { write(to, first, strlen(first)); if (second) write(to, second, strlen(second)); _exit(0); }
  waitpid(child, 0, 0);
}

static void pairs(int type) {
  int pair[2]; socketpair(AF_UNIX, type, 0, pair);
  printf("type %d, late:", type); write(pair[0], "before", 6); told(pair[1], 1); get(pair[1], 32, 0); put(pair[0], "says", SCM_CREDENTIALS); told(pair[1], 0); put(pair[0], "itself", SCM_CREDENTIALS); told(pair[1], 1); get(pair[1], 4, 0); get(pair[1], 32, 0);
  told(pair[1], 0); printf("\n sender's end:"); told(pair[0], 1); write(pair[0], "x", 1); told(pair[1], 1); get(pair[1], 32, 0); told(pair[0], 0);
  printf("\n child:"); by_child(pair[0], "one", "two"); get(pair[1], 32, MSG_PEEK); get(pair[1], 2, 0); get(pair[1], 32, 0); get(pair[1], 32, 0);
  printf("\n both:"); write(pair[0], "me", 2); by_child(pair[0], "him", "HIM"); write(pair[0], "me again", 8); for (int i = 0; i < 5; i++) get(pair[1], 32, 0);
  printf("\n not told:"); write(pair[0], "me", 2); by_child(pair[0], "him", 0); told(pair[1], 0); get(pair[1], 32, 0); get(pair[1], 32, 0);
  printf("\n from nobody:"); write(pair[0], "old", 3); told(pair[1], 1); write(pair[0], "new", 3); told(pair[1], 0); write(pair[0], "later", 5); told(pair[1], 1); for (int i = 0; i < 4; i++) get(pair[1], 32, 0);
  printf("\n files:"); write(pair[0], "a", 1); put(pair[0], "bcd", SCM_RIGHTS); write(pair[0], "e", 1); get(pair[1], 3, 0); get(pair[1], 32, 0); get(pair[1], 32, 0); printf("\n");
  close(pair[0]); close(pair[1]);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  pairs(SOCK_STREAM); pairs(SOCK_DGRAM); pairs(SOCK_SEQPACKET);
  int to = socket(AF_UNIX, SOCK_DGRAM, 0), from = socket(AF_UNIX, SOCK_DGRAM, 0); struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "senders.socket" };
  unlink(name.sun_path); if (bind(to, (void *) &name, sizeof name) < 0) return 1;
  told(to, 1); sendto(from, "unconnected", 11, 0, (void *) &name, sizeof name); printf("named:"); get(to, 32, 0); printf("\n"); unlink(name.sun_path);
  return 0;
}
