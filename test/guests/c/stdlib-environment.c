/* Rule: getenv, setenv, unsetenv, putenv and environ are one table (C99 7.20.4.5, POSIX). */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static const char *show(const char *name) {
  const char *v = getenv(name);
  return v ? v : "(none)";
}

int main(int argc, char **argv, char **envp) {
  printf("%d %d\n", argc, envp == environ);
  clearenv();
  printf("%d\n", environ == NULL);
  printf("%d %s\n", setenv("A", "1", 0), "");
  setenv("B", "two words", 1);
  setenv("A", "ignored", 0);
  printf("%s %s %s\n", show("A"), show("B"), show("C"));
  setenv("A", "replaced", 1);
  setenv("EMPTY", "", 1);
  static char put[] = "PUT=original";
  putenv(put);
  printf("%s [%s] %s\n", show("A"), show("EMPTY"), show("PUT"));
  strcpy(put + 4, "changed!");
  printf("%s\n", show("PUT"));
  unsetenv("B");
  putenv("A");
  printf("%s %s\n", show("A"), show("B"));
  errno = 0;
  int bad = setenv("X=Y", "1", 1);
  printf("%d %d\n", bad, errno == EINVAL);
  bad = setenv("", "1", 1);
  printf("%d\n", bad);
  int count = 0;
  for (int i = 0; i < 300; i++) {
    char name[16], value[32];
    snprintf(name, sizeof name, "V%d", i), snprintf(value, sizeof value, "value-%d", i * i);
    setenv(name, value, 1);
  }
  for (char **e = environ; *e; e++) count++;
  printf("%d %s\n", count, show("V299"));
  printf("%s %d\n", secure_getenv("V1"), getenv("V") == NULL);
  return 0;
}
