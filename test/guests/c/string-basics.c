/* Rule: string.h on every alignment and length, with guards around (C99 7.21). */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static unsigned char a[512], b[512];
static uint64_t digest;

static void mix(long v) { digest = (digest ^ (uint64_t)v) * 0x100000001b3u; }
static int sign(int v) { return (v > 0) - (v < 0); }

int main(void) {
  for (int off = 0; off < 16; off++)
    for (int len = 0; len < 130; len++) {
      for (int i = 0; i < 512; i++) a[i] = (unsigned char)(i * 7 + off), b[i] = 0xEE;
      memcpy(b + off, a + 3, (size_t)len);
      mix(b[off + len]), mix(off ? b[off - 1] : 0), mix(sign(memcmp(b + off, a + 3, (size_t)len)));
      memmove(a + off + 5, a + off, (size_t)len), mix(a[off + 5 + len / 2]);
      memmove(a + off, a + off + 5, (size_t)len), mix(a[off + len / 3]);
      memset(b + off, len, (size_t)len), mix(b[off + len]), mix(b[off + len / 2]);
      unsigned char *hit = memchr(b + off, 0xEE, 200);
      mix(hit ? hit - b : -1);
      for (int i = 0; i < len; i++) a[off + i] = (unsigned char)('a' + i % 26);
      a[off + len] = 0;
      char *s = (char *)a + off, *d = (char *)b;
      mix((long)strlen(s)), mix((long)strnlen(s, 60));
      strcpy(d + 3, s), mix(sign(strcmp(d + 3, s)));
      if (len) d[3 + len - 1] = 'Z', mix(sign(strcmp(d + 3, s))), mix(sign(strncmp(d + 3, s, (size_t)len - 1)));
      strncpy(d, s, 50), mix(d[49]), mix((unsigned char)d[50]);
      char *at = strchr(s, 'q');
      mix(at ? at - s : -1);
      at = strrchr(s, 'c'), mix(at ? at - s : -1);
    }
  printf("%016llx\n", (unsigned long long)digest);
  char text[64] = "the quick brown fox";
  printf("%zu %zu %s %s\n", strspn(text, "eht "), strcspn(text, "kx"), strpbrk(text, "wq"), strstr(text, "row"));
  char *state, *token, copy[] = ",a,,b;c,";
  for (token = strtok_r(copy, ",;", &state); token; token = strtok_r(NULL, ",;", &state)) printf("<%s>", token);
  char fields[] = "x::y:";
  char *rest = fields;
  while ((token = strsep(&rest, ":"))) printf("{%s}", token);
  puts("");
  strcat(text, "!"), strncat(text, "????", 2);
  printf("%s %d %d %d\n", text, sign(strcasecmp("HeLLo", "hEllO")), sign(strncasecmp("abcX", "ABCY", 4)), sign(strcoll("a", "b")));
  printf("%s %s %d\n", (char *)memmem("hello world", 11, "o w", 3), strcasestr("Some TEXT", "text"), sign(strverscmp("a10", "a9")));
  char *dup = strndup("duplicate", 4);
  char x[16];
  printf("%s %zu %s %s\n", dup, strxfrm(x, "trans", 16), x, basename("/a/b/c.txt"));
  printf("%s %s\n", stpcpy(x, "stp") == x + 3 ? "stpcpy" : "?", (char *)memccpy(x, "ab:cd", ':', 5) == x + 3 ? "memccpy" : "?");
  printf("%d %d\n", ffs(0x50), ffsll(1LL << 40));
  printf("%s\n", strfry(strcpy(x, "")));
  return 0;
}
