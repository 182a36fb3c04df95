/* The victim of the kill torture: reads words from a channel, keeps a table in memory and a log file in its file system, and writes
 * what it learns. Usage: job INPUT OUT [RW]. OUT `-` is standard output. With RW it rewrites records of a random-access channel.
 * Ends with a digest of everything it did, so that any lost or repeated step shows. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t table[1 << 16];
static uint64_t state = 88172645463325252ull;

static uint64_t mix(uint64_t value) {
  state ^= value;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

int main(int count, char **arguments) {
  if (count < 3) return 2;
  FILE *input = fopen(arguments[1], "r");
  FILE *out = strcmp(arguments[2], "-") == 0 ? stdout : fopen(arguments[2], "w");
  int rw = count > 3 ? open(arguments[3], O_RDWR) : -1;
  if (input == NULL || out == NULL || (count > 3 && rw < 0)) return 3;
  FILE *log = fopen("/tmp/log", "w+");
  char line[256];
  long lines = 0;
  while (fgets(line, sizeof line, input) != NULL) {
    uint64_t hash = 14695981039346656037ull;
    for (char *at = line; *at; at++) hash = (hash ^ (unsigned char)*at) * 1099511628211ull;
    for (int round = 0; round < 60; round++) table[mix(hash) & 0xffff] += hash;
    lines++;
    if (lines % 50 == 0) fprintf(out, "%ld %016llx\n", lines, (unsigned long long)state);
    if (lines % 97 == 0) fprintf(log, "%ld %llx\n", lines, (unsigned long long)table[hash & 0xffff]);
    if (rw >= 0 && lines % 20 == 0) {
      uint64_t record[4];
      off_t at = (off_t)(hash % 4096) * (off_t)sizeof record;
      ssize_t got = pread(rw, record, sizeof record, at);
      if (got < (ssize_t)sizeof record) memset((char *)record + (got > 0 ? got : 0), 0, sizeof record - (size_t)(got > 0 ? got : 0));
      record[lines & 3] += state;
      if (pwrite(rw, record, sizeof record, at) != sizeof record) return 4;
    }
    if (lines % 1000 == 0) fflush(out);
  }
  rewind(log);
  uint64_t digest = state;
  while (fgets(line, sizeof line, log) != NULL) for (char *at = line; *at; at++) digest = digest * 31 + (unsigned char)*at;
  for (int slot = 0; slot < 1 << 16; slot++) digest = digest * 31 + table[slot];
  fprintf(out, "end %ld %016llx\n", lines, (unsigned long long)digest);
  return fclose(out) == 0 ? 0 : 5;
}
