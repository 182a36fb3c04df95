/*
 * A bank in a hundred lines: accounts in an array, requests on standard input, answers on standard output, a record of every transfer in
 * /dev/out/records. It has no idea of transactions, no undo, no file of its own; and it has a bug, which ends it in the midst of a transfer.
 *
 *   transfer FROM TO AMOUNT   balance ACCOUNT   total
 *
 * One read gives one request: the machine's standard input carries messages.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ACCOUNTS 100

static long balance[ACCOUNTS];
static char *note[ACCOUNTS]; /* What to print on statements. Account 13 never got one. */

static void say(const char *text) { write(1, text, strlen(text)); }

static void transfer(int records, int from, int to, long amount) {
  char line[100];
  if (from < 0 || from >= ACCOUNTS || to < 0 || to >= ACCOUNTS || amount <= 0) { say("no: what is that?\n"); return; }
  if (balance[from] < amount) { say("no: too little money\n"); return; }
  balance[from] -= amount;
  snprintf(line, sizeof line, "%ld from %d to %d\n", amount, from, to);
  write(records, line, strlen(line));
  note[to][0]++; /* The bug: a null pointer for account 13. The money has left, and has not arrived. */
  balance[to] += amount;
  snprintf(line, sizeof line, "done: %ld and %ld left\n", balance[from], balance[to]);
  say(line);
}

int main(void) {
  static char notes[ACCOUNTS][16];
  char request[200], line[100];
  int records = open("/dev/out/records", O_WRONLY);
  for (int account = 0; account < ACCOUNTS; account++) {
    balance[account] = 1000;
    if (account != 13) note[account] = notes[account];
  }
  for (long length; (length = read(0, request, sizeof request - 1)) > 0;) {
    int a, b;
    long amount;
    request[length] = 0;
    if (sscanf(request, "transfer %d %d %ld", &a, &b, &amount) == 3) {
      transfer(records, a, b, amount);
    } else if (sscanf(request, "balance %d", &a) == 1 && a >= 0 && a < ACCOUNTS) {
      snprintf(line, sizeof line, "%ld\n", balance[a]);
      say(line);
    } else if (strncmp(request, "total", 5) == 0) {
      long total = 0;
      for (int account = 0; account < ACCOUNTS; account++) total += balance[account];
      snprintf(line, sizeof line, "%ld\n", total);
      say(line);
    } else {
      say("no: what is that?\n");
    }
  }
  return 0;
}
