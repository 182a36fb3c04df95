/* A regular expression matcher by simulation of a nondeterministic automaton: letters, '.', classes, groups, '|', '*', '+', '?'. Counts where each of a few
   expressions matches in generated log lines. Argument: thousands of lines. Prints the matches and a checksum of their places. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { SET, SPLIT, ACCEPT };
enum { STATES = 256 };
struct state { enum kind kind; int next, other; uint32_t set[8]; };
struct part { int start, end; }; /* `end` is a SPLIT without targets, to be patched. */
struct machine { struct state states[STATES]; int count, start; };
static const char *cursor;
static struct machine *making;

static int make(enum kind kind) {
  struct state *state = &making->states[making->count];
  memset(state, 0, sizeof *state);
  state->kind = kind, state->next = state->other = -1;
  return making->count++;
}

static void patch(int end, int target) {
  if (making->states[end].next < 0) making->states[end].next = target;
  else making->states[end].other = target;
}

static struct part parse_either(void);

static void parse_class(uint32_t *set) {
  int negate = *cursor == '^' ? cursor++, 1 : 0;
  while (*cursor != ']') {
    unsigned from = (unsigned char)*cursor++, to = from;
    if (cursor[0] == '-' && cursor[1] != ']') to = (unsigned char)cursor[1], cursor += 2;
    for (unsigned c = from; c <= to; c++) set[c / 32] |= 1u << c % 32;
  }
  cursor++;
  if (negate) for (int i = 0; i < 8; i++) set[i] = ~set[i];
}

static struct part parse_one(void) {
  if (*cursor == '(') {
    cursor++;
    struct part inside = parse_either();
    cursor++;
    return inside;
  }
  struct part part = {make(SET), 0};
  uint32_t *set = making->states[part.start].set;
  char c = *cursor++;
  if (c == '[') parse_class(set);
  else if (c == '.') memset(set, 0xff, sizeof making->states[0].set);
  else set[(unsigned char)c / 32] |= 1u << (unsigned char)c % 32;
  part.end = make(SPLIT);
  making->states[part.start].next = part.end;
  return part;
}

static struct part parse_repeat(void) {
  struct part part = parse_one();
  while (*cursor == '*' || *cursor == '+' || *cursor == '?') {
    char c = *cursor++;
    int fork = make(SPLIT), end = make(SPLIT);
    patch(fork, part.start), patch(fork, end);
    patch(part.end, c == '?' ? end : fork);
    part = (struct part){c == '+' ? part.start : fork, end};
  }
  return part;
}

static struct part parse_either(void) {
  struct part all = parse_repeat();
  while (*cursor != 0 && *cursor != '|' && *cursor != ')') {
    struct part next = parse_repeat();
    patch(all.end, next.start);
    all.end = next.end;
  }
  if (*cursor != '|') return all;
  cursor++;
  struct part other = parse_either();
  int fork = make(SPLIT), end = make(SPLIT);
  patch(fork, all.start), patch(fork, other.start);
  patch(all.end, end), patch(other.end, end);
  return (struct part){fork, end};
}

static void compile(struct machine *machine, const char *expression) {
  making = machine, cursor = expression, machine->count = 0;
  struct part all = parse_either();
  patch(all.end, make(ACCEPT));
  machine->start = all.start;
}

static uint32_t marks[STATES], generation;

static int enter(const struct machine *machine, int *list, int size, int at) {
  while (at >= 0 && marks[at] != generation) {
    const struct state *state = &machine->states[at];
    marks[at] = generation;
    if (state->kind != SPLIT) return list[size] = at, size + 1;
    if (state->other >= 0) size = enter(machine, list, size, state->other);
    at = state->next;
  }
  return size;
}

/* The end of the leftmost-starting, longest match at or after `from`, or -1. */
static int search(const struct machine *machine, const char *line, int from, int length) {
  int lists[2][STATES];
  for (int start = from; start < length; start++) {
    int best = -1, now = 0, size;
    generation++;
    size = enter(machine, lists[0], 0, machine->start);
    for (int at = start; size > 0; at++) {
      int made = 0;
      unsigned c = at < length ? (unsigned char)line[at] : 0;
      generation++;
      for (int i = 0; i < size; i++) {
        const struct state *state = &machine->states[lists[now][i]];
        if (state->kind == ACCEPT) best = at;
        else if (at < length && (state->set[c / 32] >> c % 32 & 1)) made = enter(machine, lists[!now], made, state->next);
      }
      now = !now, size = made;
    }
    if (best > start) return best;
  }
  return -1;
}

static uint32_t random_below(uint64_t *seed, uint32_t bound) {
  *seed = *seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*seed >> 33) % bound;
}

static int generate(uint64_t *seed, char *line) {
  static const char *const words[] = {"open", "close", "read", "error", "warning", "timeout", "peer", "retry", "commit", "abort", "page", "root"};
  unsigned year = random_below(seed, 40), month = random_below(seed, 12), day = random_below(seed, 28), host = random_below(seed, 300);
  int length = sprintf(line, "%u-%02u-%02u host%u ", 1990 + year, 1 + month, 1 + day, host);
  for (uint32_t left = 3 + random_below(seed, 6); left > 0; left--) {
    length += sprintf(line + length, "%s ", words[random_below(seed, 12)]);
    if (random_below(seed, 4) == 0) length += sprintf(line + length, "0x%x ", (unsigned)random_below(seed, 1u << 30));
    if (random_below(seed, 6) == 0) length += sprintf(line + length, "user%u@example.org ", (unsigned)random_below(seed, 1000));
  }
  return length;
}

int main(int count, char **arguments) {
  long lines = (count > 1 ? atol(arguments[1]) : 10) * 1000L;
  static const char *const expressions[] = {"[0-9]+-[0-9]+-[0-9]+", "(error|warning|timeout) (peer|retry)+", "0x[0-9a-f]*(dead|beef|00)[0-9a-f]*", "[a-z0-9]+@[a-z]+.org", "(o|c)[^ ]*(e|n) .*(abort|commit)"};
  enum { EXPRESSIONS = sizeof expressions / sizeof *expressions };
  static struct machine machines[EXPRESSIONS];
  uint64_t seed = 7, matches = 0, digest = 0;
  for (int i = 0; i < EXPRESSIONS; i++) compile(&machines[i], expressions[i]);
  for (long n = 0; n < lines; n++) {
    char line[1024];
    int length = generate(&seed, line);
    for (int i = 0; i < EXPRESSIONS; i++)
      for (int at = 0; (at = search(&machines[i], line, at, length)) >= 0;) matches++, digest = digest * 31 + (uint64_t)at;
  }
  printf("regex %llu %016llx\n", (unsigned long long)matches, (unsigned long long)digest);
  return 0;
}
