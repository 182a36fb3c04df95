/* Rule: mktime, gmtime, localtime, strftime, strptime and difftime on fixed instants and time zones (C99 7.23). */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void show(time_t t) {
  struct tm g, l;
  gmtime_r(&t, &g), localtime_r(&t, &l);
  char text[256];
  strftime(text, sizeof text, "%a %A %b %B %c|%C %d %D %e %F|%g %G %h %H %I|%j %m %M %p %r|%R %S %T %u %U|%V %w %W %x %X|%y %Y %z %Z %%", &l);
  printf("%lld %04d-%02d-%02d %02d:%02d:%02d %d %d\n%s %d\n", (long long)t, g.tm_year + 1900, g.tm_mon + 1, g.tm_mday, g.tm_hour, g.tm_min, g.tm_sec, g.tm_wday,
         g.tm_yday, text, l.tm_isdst);
  printf("%d %d\n", mktime(&l) == t, timegm(&g) == t);
}

int main(void) {
  static const time_t instants[] = {0, 1, -1, 86399, 951782400, 951868799, 1000000000, 1111885200, 1111885199, 1130634000, 2147483647, 2147483648, 4102444800, -2208988800, 253402300799};
  static const char *const zones[] = {"UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "NPT-5:45", "<-03>3"};
  for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) {
    setenv("TZ", zones[z], 1);
    tzset();
    printf("%s %s %s %ld %d\n", zones[z], tzname[0], tzname[1], timezone, daylight);
    for (size_t i = 0; i < sizeof instants / sizeof *instants; i++) show(instants[i]);
  }
  struct tm odd = {.tm_year = 123, .tm_mon = 14, .tm_mday = -5, .tm_hour = 50, .tm_min = -70, .tm_sec = 3700, .tm_isdst = -1};
  time_t t = mktime(&odd);
  printf("%lld %d %d %d %d %d %d %d\n", (long long)t, odd.tm_year, odd.tm_mon, odd.tm_mday, odd.tm_hour, odd.tm_min, odd.tm_sec, odd.tm_wday);
  struct tm parsed = {0};
  char *end = strptime("2024-02-29 23:59:58 rest", "%Y-%m-%d %H:%M:%S", &parsed);
  printf("[%s] %d %d %d %d\n", end, parsed.tm_year, parsed.tm_mon, parsed.tm_yday, parsed.tm_wday);
  fputs(asctime(&parsed), stdout);
  fputs(ctime(&(time_t){1000000000}), stdout);
  printf("%.1f %d\n", difftime(1000, 400), strptime("x", "%d", &parsed) == NULL);
  char tiny[4];
  printf("%zu\n", strftime(tiny, sizeof tiny, "%Y-%m", &parsed));
  return 0;
}
