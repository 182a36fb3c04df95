/* Satisfiability by search: random 3-SAT near the threshold, unit propagation with two watched literals, the most active variable first, plain
   backtracking. Arguments: variables, formulas. Prints the answers and the work done. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VARIABLES_MAX = 400, CLAUSES_MAX = 2000 };
/* A literal is 2 * variable + (1 when negated). */
static int clauses[CLAUSES_MAX][3], clause_count, variables;
static int watchers[2 * VARIABLES_MAX], following[CLAUSES_MAX][2]; /* Lists of clause * 2 + place of the watched literal; -1 ends one. */
static signed char assigned[VARIABLES_MAX]; /* 0 unknown, 1 true, -1 false. */
static int trail[VARIABLES_MAX], trail_size, activity[VARIABLES_MAX];
static struct decision { int literal, trail_size, is_flipped; } decisions[VARIABLES_MAX];
static uint64_t propagations, conflicts;

static int value(int literal) { return literal & 1 ? -assigned[literal >> 1] : assigned[literal >> 1]; }
static void assign(int literal) { assigned[literal >> 1] = literal & 1 ? -1 : 1, trail[trail_size++] = literal; }

static int propagate(int from) { /* Returns whether no clause became false. */
  for (; from < trail_size; from++) {
    int falsified = trail[from] ^ 1, *link = &watchers[falsified];
    propagations++;
    while (*link >= 0) {
      int clause = *link >> 1, place = *link & 1, *c = clauses[clause], *next = &following[clause][place];
      if (value(c[1 - place]) > 0) { link = next; continue; }
      if (value(c[2]) >= 0) { /* The third literal is watched instead. */
        int after = *next, literal = c[2];
        c[2] = c[place], c[place] = literal;
        *next = watchers[literal], watchers[literal] = *link;
        *link = after;
        continue;
      }
      if (value(c[1 - place]) < 0) {
        for (int i = 0; i < 3; i++) activity[c[i] >> 1] += 64;
        return 0;
      }
      assign(c[1 - place]);
      link = next;
    }
  }
  return 1;
}

static int choose(void) {
  int best = -1;
  for (int i = 0; i < variables; i++) if (assigned[i] == 0 && (best < 0 || activity[i] > activity[best])) best = i;
  return best;
}

static int solve(void) {
  int depth = 0, from = 0;
  for (;;) {
    if (!propagate(from)) {
      if (++conflicts % 256 == 0) for (int i = 0; i < variables; i++) activity[i] /= 2;
      while (depth > 0 && decisions[depth - 1].is_flipped) depth--;
      if (depth == 0) return 0;
      struct decision *last = &decisions[depth - 1];
      while (trail_size > last->trail_size) assigned[trail[--trail_size] >> 1] = 0;
      last->is_flipped = 1, from = trail_size;
      assign(last->literal ^ 1);
      continue;
    }
    int variable = choose();
    if (variable < 0) return 1;
    decisions[depth++] = (struct decision){2 * variable, trail_size, 0};
    from = trail_size;
    assign(2 * variable);
  }
}

static void generate(uint64_t *seed) {
  clause_count = variables * 426 / 100, trail_size = 0;
  memset(assigned, 0, sizeof assigned), memset(watchers, 0xff, sizeof watchers), memset(activity, 0, sizeof activity);
  for (int i = 0; i < clause_count; i++) {
    for (int k = 0; k < 3; k++) {
      int literal;
      do literal = (int)((*seed = *seed * 6364136223846793005u + 1442695040888963407u) >> 33) % (2 * variables);
      while ((k > 0 && clauses[i][0] >> 1 == literal >> 1) || (k > 1 && clauses[i][1] >> 1 == literal >> 1));
      clauses[i][k] = literal, activity[literal >> 1]++;
    }
    for (int k = 0; k < 2; k++) following[i][k] = watchers[clauses[i][k]], watchers[clauses[i][k]] = i * 2 + k;
  }
}

int main(int count, char **arguments) {
  int formulas = count > 2 ? atoi(arguments[2]) : 4, satisfiable = 0;
  uint64_t seed = 11, digest = 0;
  variables = count > 1 ? atoi(arguments[1]) : 100;
  if (variables < 3 || variables > VARIABLES_MAX) return puts("sat: 3 to 400 variables"), 1;
  for (int i = 0; i < formulas; i++) {
    generate(&seed);
    int answer = solve();
    satisfiable += answer;
    if (answer) for (int v = 0; v < variables; v++) digest = digest * 3 + (uint64_t)(assigned[v] + 1);
  }
  printf("sat %d %llu %llu %016llx\n", satisfiable, (unsigned long long)conflicts, (unsigned long long)propagations, (unsigned long long)digest);
  return 0;
}
