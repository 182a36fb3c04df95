/* Rule: getopt and getopt_long permute, abbreviate and complain as GNU's do.
 * args: -a -b value file1 --long=7 --flag -ccc --opt -- -x file2
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void parse(int argc, char **argv, const char *shorts) {
  int flag = 0, c;
  const struct option longs[] = {{"long", required_argument, NULL, 'L'}, {"flag", no_argument, &flag, 42}, {"optional", optional_argument, NULL, 'O'}, {0}};
  optind = 0, opterr = 0;
  while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
    if (c == '?' || c == ':') printf("%c(%d) ", c, optopt);
    else if (c) printf("%c=%s ", c, optarg ? optarg : "-");
    else printf("flag=%d ", flag);
  }
  printf("|");
  for (int i = optind; i < argc; i++) printf(" %s", argv[i]);
  puts("");
}

int main(int argc, char **argv) {
  char *copy[32];
  memcpy(copy, argv, sizeof *argv * (size_t)(argc + 1));
  parse(argc, copy, "ab:c");
  memcpy(copy, argv, sizeof *argv * (size_t)(argc + 1));
  parse(argc, copy, "+ab:c");
  memcpy(copy, argv, sizeof *argv * (size_t)(argc + 1));
  parse(argc, copy, "-ab:c");
  char *bad[] = {"p", "-z", "--long", "--unknown", "--flag=x", NULL};
  parse(5, bad, ":a");
  char *missing[] = {"p", "-b", NULL};
  parse(2, missing, ":b:");
  char *optional[] = {"p", "--optional", "--optional=3", "-avalue", NULL};
  parse(4, optional, "a:");
  char *list = strdup("ro,size=10,bogus"), *value;
  char *const tokens[] = {"ro", "size", NULL};
  while (*list) {
    int which = getsubopt(&list, tokens, &value);
    printf("%d:%s ", which, value ? value : "-");
  }
  puts("");
  return 0;
}
