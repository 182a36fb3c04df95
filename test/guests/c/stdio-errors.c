/* Rule: perror and strerror name every error as Linux does; ferror sticks until clearerr (C99 7.19.10). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  for (int e = 0; e <= 134; e++) printf("%d %s\n", e, strerror(e));
  printf("%s\n", strerror(-1));
  FILE *f = fopen("ro", "w");
  fputs("x", f);
  fclose(f);
  f = fopen("ro", "r");
  errno = 0;
  int put = fputc('y', f);
  printf("%d %d %d\n", put, ferror(f) != 0, errno == EBADF);
  clearerr(f);
  printf("%d %c\n", ferror(f), fgetc(f));
  close(fileno(f));
  errno = 0;
  rewind(f);
  fgetc(f);
  printf("%d %d\n", ferror(f) != 0, errno == EBADF);
  errno = 0;
  int closed = fclose(f);
  printf("%d %d\n", closed, errno == EBADF);
  int saved = dup(2);
  int fd = open("err", O_RDWR | O_CREAT | O_TRUNC, 0600);
  dup2(fd, 2);
  errno = ENOENT;
  perror("prefix");
  errno = EACCES;
  perror(NULL);
  errno = 0;
  perror("fine");
  dup2(saved, 2);
  char text[256] = {0};
  lseek(fd, 0, SEEK_SET);
  int got = (int)read(fd, text, sizeof text - 1);
  printf("%d\n%s", got, text);
  return 0;
}
