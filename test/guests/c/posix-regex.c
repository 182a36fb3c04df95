/* Rule: regcomp and regexec: classes, repetition, groups, back references, anchors, errors (POSIX). */
#include <regex.h>
#include <stdio.h>
#include <string.h>

static void match(const char *pattern, const char *text, int flags) {
  regex_t re;
  regmatch_t m[6];
  int rc = regcomp(&re, pattern, flags);
  printf("/%s/ \"%s\" ", pattern, text);
  if (rc) {
    char message[64];
    regerror(rc, &re, message, sizeof message);
    printf("error: %s\n", message);
    return;
  }
  rc = regexec(&re, text, 6, m, 0);
  printf("%s groups %zu:", rc ? "no" : "yes", re.re_nsub);
  for (size_t i = 0; !rc && i <= re.re_nsub && i < 6; i++) printf(" [%d,%d)%.*s", (int)m[i].rm_so, (int)m[i].rm_eo, m[i].rm_so < 0 ? 0 : (int)(m[i].rm_eo - m[i].rm_so), m[i].rm_so < 0 ? "" : text + m[i].rm_so);
  puts("");
  regfree(&re);
}

int main(void) {
  const int e = REG_EXTENDED;
  match("a+b*c?", "xaaabbd", e), match("^(ab|cd)+$", "abcdab", e), match("([0-9]{3})-([0-9]{4})", "call 555-1234 now", e);
  match("[[:alpha:]_][[:alnum:]_]*", "  _name42 = 1", e), match("(a*)(ab)*(b*)", "abb", e), match("(.)(.)\\2\\1", "xabbay", 0);
  match("\\(.\\)\\(.\\)\\2\\1", "xabbay", 0), match("HELLO", "say hello", e | REG_ICASE), match("^b", "a\nb", e | REG_NEWLINE), match("a.c", "a\nc", e | REG_NEWLINE);
  match("", "anything", e), match("x{2,3}", "xxxxx", e), match("[^a-z]+", "abcXYZ123def", e), match("(((a)))", "a", e), match("a|b|", "c", e);
  match("[", "x", e), match("(", "x", e), match("*", "x", e), match("a{2", "x", e), match("[z-a]", "x", e), match("\\", "x", e), match("[[:nope:]]", "x", e);
  match("(x+x+)+y", "xxxxxxxxxxxxxxxxy", e), match("\\bword\\b", "a word here", e), match("\\<w\\w*\\>", "some words", e);
  return 0;
}
