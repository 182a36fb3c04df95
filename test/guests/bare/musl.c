/* musl's C library: formatted output, files, memory, time, environment, a thread. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *worker(void *argument) {
  *(int *)argument += 41;
  return argument;
}

int main(int count, char **arguments) {
  printf("%d %s %.17g %a\n", count, arguments[count - 1], sqrt(2), 0.1);
  FILE *file = fopen("note.txt", "w+");
  for (int index = 0; index < 1000; index++) fprintf(file, "%d,", index * index);
  fflush(file);
  rewind(file);
  long sum = 0;
  for (int value; fscanf(file, "%d,", &value) == 1;) sum += value;
  printf("%ld %s\n", sum, strerror(ENOENT));
  char *blocks[200];
  for (int index = 0; index < 200; index++) memset(blocks[index] = malloc((size_t)index * 997 + 1), index, (size_t)index * 997 + 1);
  unsigned check = 0;
  for (int index = 0; index < 200; index += 2) free(blocks[index]);
  for (int index = 1; index < 200; index += 2) check = check * 31 + (unsigned char)blocks[index][index * 997];
  struct tm when = {.tm_year = 126, .tm_mon = 10, .tm_mday = 23};
  char text[64];
  strftime(text, sizeof text, "%A %Y-%m-%d", (mktime(&when), &when));
  int answer = 1;
  pthread_t thread;
  if (pthread_create(&thread, NULL, worker, &answer) == 0) pthread_join(thread, NULL);
  printf("%u %s %d %s\n", check, text, answer, getenv("NOTHING") ? "set" : "unset");
  return 6;
}
