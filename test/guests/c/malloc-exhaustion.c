/* Rule: when the address space's limit is reached malloc returns NULL with ENOMEM; after free there is memory again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int main(void) {
  errno = 0;
  void *p = malloc((size_t)1 << 50);
  printf("%d %d\n", p == NULL, errno == ENOMEM);
  errno = 0;
  void *m = mmap(NULL, (size_t)1 << 50, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("%d %d\n", m == MAP_FAILED, errno == ENOMEM);
  static char *chain[64];
  for (int round = 0; round < 3; round++) {
    int got = 0;
    for (int i = 0; i < 64; i++) {
      chain[i] = malloc(1 << 20);
      if (!chain[i]) break;
      memset(chain[i], i, 4096);
      got++;
    }
    long sum = 0;
    for (int i = 0; i < got; i++) sum += chain[i][100], free(chain[i]);
    printf("%d %ld\n", got, sum);
  }
  p = malloc(1000);
  printf("%d\n", p != NULL);
  free(p);
  return 0;
}
