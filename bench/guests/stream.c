/* System-call-heavy: copies standard input to standard output in small pieces. Argument: bytes a piece. */
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **arguments) {
  static char buffer[65536];
  size_t size = (size_t)(count > 1 ? atoi(arguments[1]) : 512);
  for (ssize_t got; (got = read(0, buffer, size)) > 0;)
    if (write(1, buffer, (size_t)got) != got) return 1;
  return 0;
}
