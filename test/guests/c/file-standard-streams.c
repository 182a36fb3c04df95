/* Rule: stdin is read to its end, closed and reopened streams behave; output order between layers is by flush.
 * stdin: first line\nsecond line\nthird without end
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>

int main(void) {
  char line[64];
  printf("%d %d\n", isatty(0), fileno(stdin));
  printf("[%s]\n", fgets(line, sizeof line, stdin) ? strtok(line, "\n") : "none");
  int c, count = 0;
  while ((c = getchar()) != EOF) count++;
  printf("%d %d\n", count, feof(stdin) != 0);
  clearerr(stdin);
  printf("%d\n", getchar());
  char byte;
  printf("%d\n", (int)read(0, &byte, 1));
  printf("buffered ");
  fflush(stdout);
  write(1, "direct\n", 7);
  close(0);
  int fd = open("/dev/null", O_RDONLY);
  printf("%d %d\n", fd, (int)read(fd, &byte, 1));
  fd = open("/dev/null", O_WRONLY);
  printf("%d\n", (int)write(fd, "gone", 4));
  fd = open("/dev/zero", O_RDONLY);
  memset(line, 1, sizeof line);
  int got = (int)read(fd, line, 32);
  printf("%d %d %d\n", got, line[31], line[32]);
  fputs("to stderr\n", stderr);
  FILE *out = fdopen(dup(1), "w");
  fprintf(out, "through a copy\n");
  fclose(out);
  puts("after");
  fclose(stdout);
  return 0;
}
