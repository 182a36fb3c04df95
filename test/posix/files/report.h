/* Prints calls with their result and errno, for programs whose oracle is Linux on the host. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int checks;

static void report(int line, const char *text, long result, int error) {
  checks++;
  if (result == -1) printf("%d %s = -1 %s\n", line, text, strerrorname_np(error) ? strerrorname_np(error) : "?");
  else printf("%d %s = %ld\n", line, text, result);
}

/* The result as it is, for calls with a deterministic value. */
#define R(call) do { errno = 0; long r_ = (long)(call); int e_ = errno; report(__LINE__, #call, r_, e_); } while (0)
/* Only whether it worked: for calls that give a descriptor. */
#define OPEN(variable, call) do { errno = 0; variable = (call); int e_ = errno; report(__LINE__, #call, variable >= 0 ? variable : -1, e_); } while (0)
