/* Rule: standard input is a stream: lines, blocks and single characters mix without loss.
 * stdin: alpha beta\n42 43\nlong line that is read in two pieces by fgets because the buffer is short\nraw block here\nend
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  char word[16], line[32], block[9] = {0};
  int a, b;
  printf("%d ", scanf("%15s", word));
  printf("%s\n", word);
  printf("[%c]", getchar());
  printf("%d ", scanf("%15s %d %d\n", word, &a, &b));
  printf("%s %d %d\n", word, a, b);
  for (int i = 0; i < 3; i++) {
    fgets(line, sizeof line, stdin);
    printf("<%s>", line);
  }
  puts("");
  size_t n = fread(block, 1, 8, stdin);
  printf("%zu %s\n", n, block);
  int c, rest = 0;
  while ((c = getc(stdin)) != EOF) rest = rest * 31 + c;
  printf("%d %d %d\n", rest, feof(stdin) != 0, (int)lseek(0, 0, SEEK_CUR));
  return 0;
}
