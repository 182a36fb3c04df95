/* Rule: conversions that the C library has built in: UTF-8, UCS-2, UCS-4, ASCII, and their errors. */
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>

static void convert(const char *to, const char *from, const char *text, size_t size) {
  iconv_t cd = iconv_open(to, from);
  printf("%s->%s ", from, to);
  if (cd == (iconv_t)-1) { printf("unavailable\n"); return; }
  char out[64], *in = (char *)text, *p = out;
  size_t left = size, room = sizeof out;
  errno = 0;
  size_t rc = iconv(cd, &in, &left, &p, &room);
  printf("%zd left %zu %s:", (ssize_t)rc, left, errno == EILSEQ ? "EILSEQ" : errno == EINVAL ? "EINVAL" : errno == E2BIG ? "E2BIG" : "-");
  for (char *q = out; q < p; q++) printf(" %02x", (unsigned char)*q);
  puts("");
  iconv_close(cd);
}

int main(void) {
  convert("UCS-4LE", "UTF-8", "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10);
  convert("UNICODEBIG", "UTF-8", "a\xf0\x9f\x98\x80", 5);
  convert("UTF-8", "UNICODELITTLE", "a\0\xac\x20\x3d\xd8\x00\xde", 8);
  convert("UTF-8", "UCS-4BE", "\0\0\0a\0\x01\xf6\0", 8);
  convert("ASCII", "UTF-8", "ab\xc3\xa9", 4);
  convert("UTF-8", "UTF-8", "ok\xff", 3);
  convert("UCS-4", "UTF-8", "cut\xe2\x82", 5);
  convert("UTF-8", "NO-SUCH-CHARSET", "x", 1);
  char many[100];
  memset(many, 'm', sizeof many);
  convert("UCS-4LE", "UTF-8", many, sizeof many);
  return 0;
}
