/* Five bodies under gravity, symplectic steps, doubles. Argument: steps in thousands. Prints the energy in 6 digits: the last bits depend on whether
   the compiler fuses multiply and add. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BODIES = 5 };
struct body { double x[3], v[3], mass; };

static double energy(const struct body *bodies) {
  double sum = 0;
  for (int i = 0; i < BODIES; i++) {
    const struct body *a = &bodies[i];
    sum += a->mass * (a->v[0] * a->v[0] + a->v[1] * a->v[1] + a->v[2] * a->v[2]) / 2;
    for (int j = i + 1; j < BODIES; j++) {
      double d0 = a->x[0] - bodies[j].x[0], d1 = a->x[1] - bodies[j].x[1], d2 = a->x[2] - bodies[j].x[2];
      sum -= a->mass * bodies[j].mass / sqrt(d0 * d0 + d1 * d1 + d2 * d2);
    }
  }
  return sum;
}

static void step(struct body *bodies, double dt) {
  for (int i = 0; i < BODIES; i++) {
    struct body *a = &bodies[i];
    for (int j = i + 1; j < BODIES; j++) {
      struct body *b = &bodies[j];
      double d0 = a->x[0] - b->x[0], d1 = a->x[1] - b->x[1], d2 = a->x[2] - b->x[2];
      double square = d0 * d0 + d1 * d1 + d2 * d2, pull = dt / (square * sqrt(square));
      double ma = a->mass * pull, mb = b->mass * pull;
      a->v[0] -= d0 * mb, a->v[1] -= d1 * mb, a->v[2] -= d2 * mb;
      b->v[0] += d0 * ma, b->v[1] += d1 * ma, b->v[2] += d2 * ma;
    }
  }
  for (int i = 0; i < BODIES; i++) for (int k = 0; k < 3; k++) bodies[i].x[k] += dt * bodies[i].v[k];
}

int main(int count, char **arguments) {
  long steps = (count > 1 ? atol(arguments[1]) : 100) * 1000L;
  struct body bodies[BODIES] = {{{0, 0, 0}, {0, 0, 0}, 40}};
  for (int i = 1; i < BODIES; i++) { /* Circular orbits, tilted a little, so far apart that none comes near another. */
    double radius = 3 * i * i, speed = sqrt(40 / radius), mass = 0.01 / i;
    bodies[i] = (struct body){{radius, 0, 0.1 * i}, {0, speed, 0.01 * i}, mass};
    bodies[0].v[1] -= speed * mass / 40, bodies[0].v[2] -= 0.01 * i * mass / 40;
  }
  printf("nbody %.6f\n", energy(bodies));
  for (long i = 0; i < steps; i++) step(bodies, 0.001);
  printf("nbody %.6f\n", energy(bodies));
  return 0;
}
