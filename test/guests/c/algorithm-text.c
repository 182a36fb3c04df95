/* Rule: text algorithms: word counts, edit distance, common subsequence, substring search, palindromes, permutations.
 * stdin: the cat sat on the mat\nthe dog ate the cat\nand then the mat\nA man, a plan, a canal: Panama\n
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int least(int a, int b) { return a < b ? a : b; }
static int edit(const char *a, const char *b) {
  int n = (int)strlen(a), m = (int)strlen(b), row[m + 1];
  for (int j = 0; j <= m; j++) row[j] = j;
  for (int i = 1; i <= n; i++) {
    int corner = row[0];
    row[0] = i;
    for (int j = 1; j <= m; j++) {
      int above = row[j];
      row[j] = least(least(above, row[j - 1]) + 1, corner + (a[i - 1] != b[j - 1]));
      corner = above;
    }
  }
  return row[m];
}
static int common(const char *a, const char *b, char *out) {
  int n = (int)strlen(a), m = (int)strlen(b), t[n + 1][m + 1];
  memset(t, 0, sizeof t);
  for (int i = n - 1; i >= 0; i--) for (int j = m - 1; j >= 0; j--) t[i][j] = a[i] == b[j] ? t[i + 1][j + 1] + 1 : t[i + 1][j] > t[i][j + 1] ? t[i + 1][j] : t[i][j + 1];
  for (int i = 0, j = 0; i < n && j < m;) if (a[i] == b[j]) *out++ = a[i], i++, j++; else if (t[i + 1][j] >= t[i][j + 1]) i++; else j++;
  *out = 0;
  return t[0][0];
}
static int search(const char *text, const char *word) {
  int n = (int)strlen(word), fail[n + 1], k = -1, found = 0;
  fail[0] = -1;
  for (int i = 0; i < n; i++) {
    while (k >= 0 && word[i] != word[k]) k = fail[k];
    fail[i + 1] = ++k;
  }
  k = 0;
  for (; *text; text++) {
    while (k >= 0 && *text != word[k]) k = fail[k];
    if (++k == n) found++, k = fail[k];
  }
  return found;
}
struct word { char text[32]; int count; };
static int by_count(const void *a, const void *b) {
  const struct word *x = a, *y = b;
  return x->count != y->count ? y->count - x->count : strcmp(x->text, y->text);
}
static int permutations;
static void permute(char *s, int at) {
  if (!s[at]) { if (++permutations % 24 == 0) printf("%s ", s); return; }
  for (int i = at; s[i]; i++) {
    char t = s[at];
    s[at] = s[i], s[i] = t;
    permute(s, at + 1);
    t = s[at], s[at] = s[i], s[i] = t;
  }
}

int main(void) {
  struct word words[64];
  int n = 0;
  char line[256];
  while (fgets(line, sizeof line, stdin)) {
    char letters[256];
    int k = 0;
    for (char *p = line; *p; p++) if (isalpha((unsigned char)*p)) letters[k++] = (char)tolower((unsigned char)*p);
    letters[k] = 0;
    int palindrome = 1;
    for (int i = 0; i < k / 2; i++) palindrome &= letters[i] == letters[k - 1 - i];
    printf("%d ", palindrome);
    for (char *w = strtok(line, " ,:\n"); w; w = strtok(NULL, " ,:\n")) {
      int i = 0;
      while (i < n && strcmp(words[i].text, w)) i++;
      if (i == n) strcpy(words[n].text, w), words[n++].count = 0;
      words[i].count++;
    }
  }
  puts("");
  qsort(words, (size_t)n, sizeof *words, by_count);
  for (int i = 0; i < n; i++) printf("%s=%d ", words[i].text, words[i].count);
  char out[128];
  printf("\n%d %d %d\n", edit("kitten", "sitting"), edit("", "abc"), edit("intention", "execution"));
  int length = common("AGGTABXYZQRS", "GXTXAYBZRQS", out);
  printf("%d %s\n", length, out);
  printf("%d %d\n", search("abababababab", "abab"), search("mississippi", "issi"));
  char s[] = "abcde";
  permute(s, 0);
  printf("%d\n", permutations);
  for (int i = 0; i < 3; i++) printf("%.*s|", i * 2, "rotate me");
  for (char *p = out; *p; p++) *p = (char)((*p - 'A' + 13) % 26 + 'A');
  puts(out);
  return 0;
}
