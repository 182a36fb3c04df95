/* Rule: opendir, readdir, scandir, glob, ftw, fnmatch and mkstemp walk what was made (POSIX). */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char seen[64][64];
static int seen_count;
static int by_name(const void *a, const void *b) { return strcmp(a, b); }
static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  snprintf(seen[seen_count++], 64, "%s %d %d %ld", path, type, ftw->level, S_ISREG(st->st_mode) ? (long)st->st_size : -1L);
  return 0;
}
static int hidden(const struct dirent *d) { return d->d_name[0] != '.'; }
static int entry_order(const FTSENT **a, const FTSENT **b) { return strcmp((*a)->fts_name, (*b)->fts_name); }

int main(void) {
  static const char *const files[] = {"t/one.c", "t/two.c", "t/three.h", "t/.hidden", "t/x/deep.c", "t/x/y/deeper.txt"};
  mkdir("t", 0755), mkdir("t/x", 0755), mkdir("t/x/y", 0755), mkdir("t/empty", 0755);
  for (int i = 0; i < 6; i++) {
    int fd = open(files[i], O_CREAT | O_WRONLY, 0644);
    write(fd, "twelve bytes", (size_t)i * 2);
    close(fd);
  }
  symlink("one.c", "t/link");
  DIR *d = opendir("t");
  struct dirent *e;
  int dots = 0;
  while ((e = readdir(d))) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) dots++;
    snprintf(seen[seen_count++], 64, "%s %d", e->d_name, e->d_type);
  }
  qsort(seen, (size_t)seen_count, 64, by_name);
  for (int i = 0; i < seen_count; i++) puts(seen[i]);
  rewinddir(d);
  int again = 0;
  while (readdir(d)) again++;
  printf("%d %d %d\n", dots, again == seen_count, dirfd(d) > 2);
  closedir(d);
  errno = 0;
  d = opendir("t/one.c");
  printf("%d %d\n", d == NULL, errno == ENOTDIR);
  struct dirent **list;
  int n = scandir("t", &list, hidden, alphasort);
  for (int i = 0; i < n; i++) printf("%s ", list[i]->d_name), free(list[i]);
  free(list);
  puts("");
  seen_count = 0;
  printf("%d\n", nftw("t", visit, 8, FTW_PHYS));
  qsort(seen, (size_t)seen_count, 64, by_name);
  for (int i = 0; i < seen_count; i++) puts(seen[i]);
  char *roots[] = {"t", NULL};
  FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, entry_order);
  for (FTSENT *x; (x = fts_read(fts));) printf("%s/%d ", x->fts_path, x->fts_info);
  puts("");
  fts_close(fts);
  glob_t g;
  static const char *const patterns[] = {"t/*.c", "t/*", "t/[ot]*", "t/*/*.c", "t/?????", "none*", "t/{one,two}.c"};
  for (int i = 0; i < 7; i++) {
    int rc = glob(patterns[i], GLOB_BRACE, NULL, &g);
    printf("%s %d:", patterns[i], rc);
    for (size_t j = 0; j < g.gl_pathc; j++) printf(" %s", g.gl_pathv[j]);
    puts("");
    if (!rc) globfree(&g);
  }
  printf("%d %d %d %d\n", fnmatch("*.c", "a.c", 0), fnmatch("*.c", "a/b.c", FNM_PATHNAME) != 0, fnmatch("[!a]x", "bx", 0), fnmatch("*", ".h", FNM_PERIOD) != 0);
  char template[] = "tmpXXXXXX", dir_template[] = "dirXXXXXX";
  int fd = mkstemp(template);
  struct stat st;
  fstat(fd, &st);
  printf("%d %o %d\n", fd > 2, st.st_mode & 07777, strncmp(template, "tmp", 3) || strcmp(template, "tmpXXXXXX") == 0);
  int made = mkdtemp(dir_template) != NULL;
  printf("%d %d\n", made, access(dir_template, W_OK));
  char p1[] = "/usr/lib/", p2[] = "/usr/lib/";
  printf("%s %s\n", dirname(p1), basename(p2));
  return 0;
}
