/* Rule: plain char is unsigned in this ABI and wchar_t signed; promotions follow.
 * oracle: qemu
 */
#include <limits.h>
#include <stdio.h>
#include <wchar.h>

int main(void) {
  char c = (char)0xff;
  wchar_t w = (wchar_t)-1;
  printf("%d %d %d %d\n", c, CHAR_MIN, CHAR_MAX, w < 0);
  printf("%d %d %zu %zu\n", "\x80"[0] > 0, (signed char)c, sizeof(long), sizeof(wchar_t));
  return 0;
}
