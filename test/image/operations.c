// Random operations on the files of a directory, from a seed: what one run does another does too. Prints each answer, then the tree.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned state;
static unsigned next(unsigned below) { state = state * 1103515245u + 12345u; return (state >> 8) % below; }

static const char *directories[] = { ".", "a", "b", "a/x", "a/y", "b/x", "new", "a/new" };
static const char *names[] = { "one", "two", "three", "link", "big", "x", "y", "new" };
static char path[2][64];
// One draw a statement: the order in which C evaluates arguments differs between machines.
static const char *pick(int slot) {
  unsigned directory = next(8), name = next(8);
  snprintf(path[slot], sizeof path[slot], "%s/%s", directories[directory], names[name]);
  return path[slot];
}

static int fill(int fd, off_t offset, int length) {
  char bytes[20000];
  for (int i = 0; i < length; i++) bytes[i] = (char)next(256);
  return (int)pwrite(fd, bytes, length, offset);
}

static int write_some(int fd, off_t offset, int length) {
  if (fd < 0) return fd;
  int answer = fill(fd, offset, length);
  close(fd);
  return answer;
}

static int operate(void) {
  unsigned what = next(14), size = next(20000), offset = next(200000), coin = next(2), third = next(3);
  const char *from = pick(0), *to = pick(1), *name = names[next(8)];
  int fd, answer;
  switch (what) {
    case 0: case 1: return write_some(open(from, O_WRONLY | O_CREAT | (coin ? O_TRUNC : 0) | (third ? 0 : O_EXCL), 0644), coin ? 0 : offset / 8, 1 + size / 2);
    case 2: case 3: return write_some(open(from, O_RDWR), offset, 1 + size);
    case 4: return truncate(from, third ? size : offset);
    case 5: return unlink(from);
    case 6: case 7: return rename(from, to);
    case 8: return mkdir(from, 0755);
    case 9: return rmdir(from);
    case 10: return link(from, to);
    case 11: return symlink(name, from);
    case 12: return chmod(from, coin ? 0740 : 0755);
    default:
      fd = open(from, O_RDWR);
      if (fd < 0) return fd;
      answer = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset / 2, 1 + size);
      close(fd);
      return answer;
  }
}

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void tree(const char *where) {
  DIR *dir = opendir(where);
  char *found[256];
  int count = 0;
  if (!dir) return;
  for (struct dirent *entry; (entry = readdir(dir)) && count < 256;) if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) found[count++] = strdup(entry->d_name);
  closedir(dir);
  qsort(found, count, sizeof *found, compare);
  for (int i = 0; i < count; i++) {
    char child[512], buffer[65536];
    struct stat st;
    unsigned sum = 0;
    ssize_t got;
    snprintf(child, sizeof child, "%s/%s", where, found[i]);
    if (lstat(child, &st)) continue;
    if (S_ISREG(st.st_mode)) {
      int fd = open(child, O_RDONLY);
      while ((got = read(fd, buffer, sizeof buffer)) > 0) for (ssize_t k = 0; k < got; k++) sum = sum * 31 + (unsigned char)buffer[k];
      close(fd);
    } else if (S_ISLNK(st.st_mode)) for (got = readlink(child, buffer, sizeof buffer); got-- > 0;) sum = sum * 31 + (unsigned char)buffer[got];
    printf("%s %o %d %ld %u\n", child, st.st_mode, (int)st.st_nlink, S_ISDIR(st.st_mode) ? 0L : (long)st.st_size, sum);
    if (S_ISDIR(st.st_mode)) tree(child);
  }
}

int main(int argc, char **argv) {
  if (chdir(getenv("WORK") ? getenv("WORK") : "/work")) return 1;
  state = (unsigned)atoi(argv[1]);
  for (int i = atoi(argv[2]); i > 0; i--) { int answer = operate(); printf("%d", answer < 0 ? -errno : answer); printf(i % 20 == 1 ? "\n" : " "); }
  tree(".");
  return 0;
}
