/*
 * A ledger of 1000 accounts that takes one request a message on standard input and answers one line on standard output; every change is also
 * recorded as a line in /dev/out/log.
 *
 *   t FROM TO AMOUNT [NUMBER]   transfer: "ok FROM-BALANCE TO-BALANCE", or "poor"       s   sum of all accounts: "sum S"       b A   balance: "balance B"
 *   c FROM TO AMOUNT   the same transfer, but a null pointer is written in the middle         q   exit 0        x N   exit N       l   loops for ever
 *   g R   reads a register: "value V"       p R V   writes it: "set"
 *   d MIB              dirties that many MiB of memory      w TEXT   appends TEXT to /tmp/notes, "notes BYTES"     r   a random number
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACCOUNTS 1000
static long registers[16][512];
static long accounts[ACCOUNTS][64]; /* Half a KiB each: transfers touch different pages. */
static int records;

static void answer(const char *text) { write(1, text, strlen(text)); }

static void transfer(int from, int to, long amount, int crash, const char *number) {
  char line[128];
  if (accounts[from][0] < amount) { answer("poor\n"); return; }
  accounts[from][0] -= amount;
  if (crash) *(volatile int *)0 = 1;
  accounts[to][0] += amount;
  if (records >= 0) {
    int length = snprintf(line, sizeof line, "%d %d %ld%s\n", from, to, amount, number);
    write(records, line, length);
  }
  snprintf(line, sizeof line, "ok %ld %ld\n", accounts[from][0], accounts[to][0]);
  answer(line);
}

static char *dirt;

int main(void) {
  char request[4096], line[128];
  records = open("/dev/out/log", O_WRONLY);
  for (int i = 0; i < ACCOUNTS; i++) accounts[i][0] = 1000;
  for (;;) {
    long length = read(0, request, sizeof request - 1);
    if (length <= 0) return 0;
    request[length] = 0;
    int a, b;
    long n;
    switch (request[0]) {
      case 't': case 'c':
        line[0] = 0;
        if (sscanf(request + 1, "%d %d %ld%31[ 0-9]", &a, &b, &n, line) >= 3) transfer(a, b, n, request[0] == 'c', line);
        break;
      case 's': {
        long sum = 0;
        for (int i = 0; i < ACCOUNTS; i++) sum += accounts[i][0];
        snprintf(line, sizeof line, "sum %ld\n", sum);
        answer(line);
        break;
      }
      case 'b':
        snprintf(line, sizeof line, "balance %ld\n", accounts[atoi(request + 1)][0]);
        answer(line);
        break;
      case 'g':
        snprintf(line, sizeof line, "value %ld\n", registers[atoi(request + 1) & 15][0]);
        answer(line);
        break;
      case 'p':
        if (sscanf(request + 1, "%d %ld", &a, &n) == 2) registers[a & 15][0] = n;
        answer("set\n");
        break;
      case 'd': {
        long mib = atol(request + 1);
        dirt = realloc(dirt, (mib + 1) << 20);
        for (long at = 0; at < mib << 20; at += 4096) dirt[at] = (char)(at >> 12) + 1;
        answer("dirty\n");
        break;
      }
      case 'w': {
        struct stat facts;
        int file = open("/tmp/notes", O_WRONLY | O_CREAT | O_APPEND, 0644);
        write(file, request + 2, length - 2);
        fstat(file, &facts);
        close(file);
        snprintf(line, sizeof line, "notes %ld\n", (long)facts.st_size);
        answer(line);
        break;
      }
      case 'r': {
        uint64_t number;
        getrandom(&number, sizeof number, 0);
        snprintf(line, sizeof line, "random %llu\n", (unsigned long long)number);
        answer(line);
        break;
      }
      case 'q': return 0;
      case 'x': return atoi(request + 1);
      case 'l': for (volatile int i = 0;; i++) ;
      default: answer("what\n");
    }
  }
}
