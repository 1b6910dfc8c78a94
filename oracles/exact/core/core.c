/* Balls as pairs of doubles: a number h + l and a radius r, so that what is meant lies in [h+l-r, h+l+r].

   The derivation of every bound is in README.md beside this file; tests/oracles/exact/core holds each against
   Arb. IEEE 754 binary64, to nearest, without flushing, and no contraction (-ffp-contract=off) are believed.

   A program is an array of instructions, run one after another over blocks of BLOCK elements, so that what an
   instruction reads and writes stays in the first cache. What is not known has a radius that is not finite:
   every radius is computed from the midpoint, so that a NaN or an overflow makes it one. */

#include "ball.h"
#include "grow.h"
#include "rough.h"
#include "smooth.h"
#include "instruction.h"
#include "elementwise.h"
#include "rows.h"
#include "products.h"

/* Midpoints that are taken for exact: what is not known stays so. */
static int pointed(const instruction *q, double *arena) {
  double *r = arena + q->out + 2 * q->plane;
  for (int64_t i = 0; i < q->n; i++) r[i] = r[i] < INFINITY ? 0 : r[i];
  return 0;
}

/* Runs the instructions; 0, or 1 + the number of the first that cannot decide what it must; where all have a
   result, but some of several choices, minus which. */
EXPORT int64_t run(const instruction *program, int64_t count, double *arena) {
  int opened = 0;
  for (int64_t k = 0; k < count; k++) {
    const instruction *q = program + k;
    int unknown;
    switch (q->op) {
      case SUM: unknown = sum_rows(q, arena); break;
      case TOP: unknown = extreme(q, arena, 1); break;
      case BOTTOM: unknown = extreme(q, arena, -1); break;
      case WEIGHTS: case MIXTURE: unknown = chosen(q, arena); break;
      case ATTAINS: unknown = attaining(q, arena); break;
      case BEST: unknown = best_of(q, arena); break;
      case TAKE: case SCATTER: unknown = moved(q, arena); break;
      case CUMSUM: unknown = running(q, arena); break;
      case MATMUL: unknown = matrices(q, arena); break;
      case SUM_GROWS: unknown = sum_grows(q, arena); break;
      case MATMUL_GROWS: unknown = matmul_grows(q, arena); break;
      case POINT: unknown = pointed(q, arena); break;
      default: unknown = elementwise(q, arena);
    }
    if (unknown == 1) return k + 1;
    opened |= unknown;
  }
  return -opened;
}

/* The same so many times, with other midpoints of some numbers: a row of high parts and of low ones for each time, which
   are as far apart as `steps` says. What comes out is copied, plane by plane, a row for each time. */
typedef struct { int64_t at, size; const double *high, *low; int64_t steps[2]; } moving;
typedef struct { int64_t at, size; double *to; } result;
EXPORT int64_t run_around(const instruction *program, int64_t count, double *arena, int64_t times, const moving *moved,
                          int64_t movings, const result *made, int64_t results) {
  int64_t opened = 0;
  for (int64_t k = 0; k < times; k++) {
    for (const moving *x = moved; x < moved + movings; x++) {
      memcpy(arena + x->at, x->high + k * x->steps[0], (size_t)x->size * sizeof(double));
      memcpy(arena + x->at + x->size, x->low + k * x->steps[1], (size_t)x->size * sizeof(double));
    }
    int64_t found = run(program, count, arena);
    if (found > 0) return found;
    opened |= -found;
    for (const result *y = made; y < made + results; y++)
      for (int64_t plane = 0; plane < 3; plane++)
        memcpy(y->to + (plane * times + k) * y->size, arena + y->at + plane * y->size, (size_t)y->size * sizeof(double));
  }
  return -opened;
}

/* 1 where this thread rounds to nearest and keeps subnormal numbers, as every bound here believes. */
EXPORT int as_believed(void) {
  volatile double tiny = 0x1p-1022, half = 0.5, one = 1.0, ulp = 0x1p-53, more = 0x1.8p-53;
  volatile double subnormal = tiny * half, read = subnormal * one;
  return subnormal > 0 && read + read == tiny && one + ulp == one && one + more > one && -one - ulp == -one;
}

EXPORT const char *source(void) { return SOURCE; }
