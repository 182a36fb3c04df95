// Changes an image in every way a program can, then prints the tree: type, mode, links, size, time, a sum of the bytes. Deterministic.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int step;
static void check(int result) { printf("%d:%s ", step++, result < 0 ? "no" : "ok"); }

static void append(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_APPEND);
  check(fd);
  if (fd >= 0) { check((int)write(fd, text, strlen(text))); close(fd); }
}

static void show(const char *path) {
  struct stat st;
  if (lstat(path, &st)) { printf("%s gone\n", path); return; }
  unsigned sum = 0;
  char buffer[4096];
  if (S_ISREG(st.st_mode)) {
    int fd = open(path, O_RDONLY);
    for (ssize_t got; fd >= 0 && (got = read(fd, buffer, sizeof buffer)) > 0;) for (ssize_t i = 0; i < got; i++) sum = sum * 31 + (unsigned char)buffer[i];
    if (fd >= 0) close(fd);
  } else if (S_ISLNK(st.st_mode)) {
    ssize_t got = readlink(path, buffer, sizeof buffer);
    for (ssize_t i = 0; i < got; i++) sum = sum * 31 + (unsigned char)buffer[i];
  }
  printf("%s %o %d %ld %ld.%09ld %u %ld\n", path, st.st_mode, (int)st.st_nlink, S_ISDIR(st.st_mode) ? 0 : (long)st.st_size, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, sum, (long)st.st_blocks);
}

static void tree(const char *path) {
  show(path);
  DIR *dir = opendir(path);
  if (!dir) return;
  for (struct dirent *entry; (entry = readdir(dir));) {
    if (entry->d_name[0] == '.' && (!entry->d_name[1] || entry->d_name[1] == '.')) continue;
    char child[4096];
    snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
    struct stat st;
    if (!lstat(child, &st) && S_ISDIR(st.st_mode)) tree(child);
    else show(child);
  }
  closedir(dir);
}

int main(int argc, char **argv) {
  if (chdir(getenv("WORK") ? getenv("WORK") : "/work")) return 1;
  if (argc > 1 && !strcmp(argv[1], "look")) { tree("."); return 0; }
  append("text", "more\n");
  int fd = open("big", O_RDWR);
  check(fd);
  check((int)pwrite(fd, "in the middle", 13, 300000));
  check(ftruncate(fd, 500001));
  check((int)pwrite(fd, "far", 3, 900000));
  check(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5000, 20000));
  printf("data %ld hole %ld ", (long)lseek(fd, 505000, SEEK_DATA), (long)lseek(fd, 0, SEEK_HOLE));
  char *map = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map != MAP_FAILED) { memcpy(map + 100, "mapped", 6); check(msync(map, 8192, MS_SYNC)); munmap(map, 8192); }
  close(fd);
  check(unlink("gone"));
  check(unlink("hard2"));
  append("hard1", "one name less");
  check(rename("moved", "deep/elsewhere"));
  check(rename("dir", "renamed"));
  check(rmdir("empty"));
  check(mkdir("empty", 0700));
  check(link("text", "deep/second"));
  check(symlink("../text", "deep/link"));
  check(unlink("old-link"));
  check(chmod("mode", 0751));
  check(mkfifo("pipe", 0600));
  fd = open("new", O_CREAT | O_WRONLY, 0644);
  for (int i = 0; i < 3000; i++) dprintf(fd, "line %d\n", i);
  close(fd);
  fd = open("emptied", O_WRONLY | O_TRUNC);
  check(fd);
  close(fd);
  check(rmdir("deep"));
  fd = open("open-but-gone", O_RDONLY);
  check(unlink("open-but-gone"));
  struct timespec times[2] = { { 5, 6 }, { 1234567890, 987654321 } };
  check(utimensat(AT_FDCWD, "times", times, 0));
  printf("\n");
  tree(".");
  char left[64] = "";
  check((int)read(fd, left, 63));
  printf("%s\n", left);
  return 0;
}
