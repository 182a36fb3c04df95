/* Rule: directories, links, rename, unlink of open files, permissions and their errors, as one ordinary user sees them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void result(const char *what, long rc) { printf("%s %ld %s\n", what, rc, rc < 0 ? strerror(errno) : "-"); }
static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write(fd, text, strlen(text));
  close(fd);
}
static const char *get(const char *path) {
  static char text[64];
  int fd = open(path, O_RDONLY);
  if (fd < 0) return strerror(errno);
  ssize_t n = read(fd, text, sizeof text - 1);
  text[n > 0 ? n : 0] = 0;
  close(fd);
  return text;
}
static void kind(const char *path) {
  struct stat st;
  if (lstat(path, &st)) printf("%s: %s\n", path, strerror(errno));
  else printf("%s: %c %o links %d\n", path, S_ISDIR(st.st_mode) ? 'd' : S_ISLNK(st.st_mode) ? 'l' : S_ISREG(st.st_mode) ? 'f' : '?', st.st_mode & 07777, S_ISDIR(st.st_mode) ? 0 : (int)st.st_nlink);
}

int main(void) {
  umask(022);
  result("mkdir", mkdir("d", 0777));
  result("mkdir again", mkdir("d", 0777));
  result("mkdir deep", mkdir("no/d", 0777));
  result("mkdir sub", mkdir("d/sub", 0700));
  kind("d"), kind("d/sub");
  put("d/a", "content a");
  kind("d/a");
  result("rmdir full", rmdir("d"));
  result("rmdir file", rmdir("d/a"));
  result("unlink dir", unlink("d/sub"));
  result("link", link("d/a", "hard"));
  kind("hard");
  put("hard", "through the link");
  puts(get("d/a"));
  result("symlink", symlink("d/a", "soft"));
  result("symlink again", symlink("x", "soft"));
  kind("soft");
  puts(get("soft"));
  char text[64] = {0};
  result("readlink", readlink("soft", text, sizeof text));
  puts(text);
  result("readlink short", readlink("soft", text, 2));
  result("readlink file", readlink("hard", text, sizeof text));
  result("dangling", symlink("nowhere", "dangling"));
  puts(get("dangling"));
  result("loop", symlink("loop2", "loop1") + symlink("loop1", "loop2"));
  puts(get("loop1"));
  result("nofollow", open("soft", O_RDONLY | O_NOFOLLOW));
  result("symlink dir", symlink("d", "dd"));
  puts(get("dd/a"));
  puts(get("dd/../hard"));
  result("rename", rename("d/a", "d/b"));
  puts(get("d/a"));
  puts(get("d/b"));
  put("d/c", "other");
  result("rename over", rename("d/c", "d/b"));
  puts(get("d/b"));
  puts(get("hard"));
  result("rename missing", rename("nope", "x"));
  result("rename dir over file", rename("d", "hard"));
  result("rename file over dir", rename("hard", "d"));
  result("rename into itself", rename("d", "d/sub/x"));
  result("rename same", rename("hard", "hard"));
  result("rename dir", rename("d", "e"));
  kind("e/sub");
  puts(get("dd/b"));
  result("noreplace", renameat2(AT_FDCWD, "hard", AT_FDCWD, "soft", RENAME_NOREPLACE));
  int fd = open("hard", O_RDWR);
  result("unlink open", unlink("hard"));
  kind("hard");
  result("read unlinked", read(fd, text, 7));
  struct stat st;
  fstat(fd, &st);
  printf("%d %ld\n", (int)st.st_nlink, (long)st.st_size);
  result("write unlinked", write(fd, "more", 4));
  close(fd);
  result("chmod", chmod("e/b", 0400));
  kind("e/b");
  result("access r", access("e/b", R_OK));
  result("access x", access("e/b", X_OK));
  result("access f", access("gone", F_OK));
  result("chmod dir", chmod("e", 01755));
  kind("e");
  result("empty path", open("", O_RDONLY));
  char long_name[300];
  memset(long_name, 'n', 299), long_name[299] = 0;
  result("long name", open(long_name, O_CREAT | O_WRONLY, 0600));
  static char long_path[PATH_MAX + 100];
  for (size_t i = 0; i < sizeof long_path - 2; i += 2) memcpy(long_path + i, "./", 3);
  result("long path", open(long_path, O_RDONLY));
  result("trailing slash file", open("e/b/", O_RDONLY));
  result("dots", open("e/./sub/.././b", O_RDONLY) >= 0);
  result("chdir", chdir("e/sub"));
  puts(get("../b"));
  result("chdir file", chdir("../b"));
  char *cwd = getcwd(NULL, 0);
  printf("%s\n", strcmp(cwd + strlen(cwd) - 6, "/e/sub") ? "elsewhere" : "/e/sub");
  result("getcwd short", getcwd(text, 2) ? 0 : -1);
  result("back", chdir("../.."));
  char *real = realpath("dd/../e/./b", NULL), *base = getcwd(NULL, 0);
  printf("%d\n", real ? -2 : errno == ENOENT);
  real = realpath("e/sub/..", NULL);
  printf("%s\n", real && !strncmp(real, base, strlen(base)) ? real + strlen(base) : "?");
  int dir = open("e", O_RDONLY | O_DIRECTORY);
  fd = openat(dir, "new", O_CREAT | O_WRONLY, 0666);
  kind("e/new");
  result("faccessat", faccessat(dir, "new", W_OK, 0));
  result("unlinkat", unlinkat(dir, "new", 0));
  result("mkdirat", mkdirat(dir, "m", 0755));
  result("unlinkat dir", unlinkat(dir, "m", AT_REMOVEDIR));
  result("read dir", read(dir, text, 4));
  result("fchdir", fchdir(dir));
  kind("b");
  result("remove", remove("sub") + remove("b"));
  result("rmdir dot", rmdir("."));
  chdir("..");
  result("rmdir", rmdir("e"));
  umask(0);
  result("umask", (long)umask(077));
  put("private", "");
  kind("private");
  char name[201], longest[4096];
  memset(name, 'd', 200), name[200] = 0;
  for (int depth = 0; depth < 21; depth++) mkdir(name, 0700), chdir(name);
  result("getcwd deep", syscall(SYS_getcwd, longest, sizeof longest));
  result("getcwd deep and short", syscall(SYS_getcwd, longest, 8));
  char *deep = getcwd(NULL, 0);
  printf("%d\n", deep && strlen(deep) > 21 * 201);
  for (int depth = 0; depth < 21; depth++) chdir(".."), rmdir(name);
  return 0;
}
