/*
 * A machine with files of the host: /dev/rw/data (random), /dev/rw/app (append), /dev/in/table (read only), real time and real randomness.
 *   w OFFSET TEXT   writes "TEXT" (four bytes) at an offset of data and shows eight bytes there       a TEXT   appends a line to app
 *   i OFFSET        eight bytes of table            t   a second and a random number            f PATH   the first eight bytes of a file
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

int main(void) {
  char request[256], line[300], bytes[64];
  int data = open("/dev/rw/data", O_RDWR), app = open("/dev/rw/app", O_RDWR | O_APPEND), table = open("/dev/in/table", O_RDONLY);
  for (long length; (length = read(0, request, 255)) > 0;) {
    char *rest = request;
    request[length] = 0;
    long at = strtol(request + 1, &rest, 10);
    if (request[0] == 'w') {
      pwrite(data, rest + 1, 4, at);
      pread(data, bytes, 8, at);
      snprintf(line, sizeof line, "%.8s", bytes);
    } else if (request[0] == 'a') {
      snprintf(line, sizeof line, "%s\n", request + 2);
      write(app, line, strlen(line));
      strcpy(line, "ok");
    } else if (request[0] == 'i') {
      long count = pread(table, bytes, 8, at);
      snprintf(line, sizeof line, "%.*s", (int)count, bytes);
    } else if (request[0] == 'f') {
      int file = open(request + 2, O_RDONLY);
      long count = read(file, bytes, 8);
      snprintf(line, sizeof line, "%.*s", count < 0 ? 4 : (int)count, count < 0 ? "none" : bytes);
      close(file);
    } else {
      struct timespec now;
      unsigned number;
      clock_gettime(CLOCK_REALTIME, &now);
      getrandom(&number, sizeof number, 0);
      snprintf(line, sizeof line, "%ld %u", (long)now.tv_sec, number);
    }
    write(1, line, strlen(line));
  }
  return 0;
}
