/* Rounding: how a ball grows where its dtype rounds (formats.Growth; README, rounding). */

typedef struct {
  double relative;         /* unit roundoffs of the result */
  double great, small;     /* between which nothing can happen at the ends of the format */
  double normal, overflow; /* the least normal number; where infinity begins */
  double lost;             /* below the normal numbers */
  double once;             /* whether an exact 1 stays, as exp(0) is exact in every library */
  double largest;          /* the largest number */
  double finite;           /* what is exact and below this is finite once it is rounded; 0 where that is not known */
} format;

INLINE int not_negative(ball x) { return (x.h - x.r) + x.l >= 0; } /* x.h - x.r is exact where x.l matters */
/* The part of a ball that is not below 0, for a number that is not: [0, high] ends at 0 exactly. */
INLINE ball nonnegative(ball x) {
  double low = x.h - x.r, high = (x.h + x.r + (fabs(x.h) + x.r) * 0x1p-50) * UP;
  high = high > 0 ? high : 0.0 * (x.h + x.r);
  double half = 0.5 * high + ((high > 0) & (high < 0x1p-1000) ? 0x1p-1074 : 0.0);
  return either((low < 0) & !is_endless(x), (ball){half, 0, half}, x);
}
/* The part that is not above a limit, for a number that is not: it ends there exactly. */
INLINE ball at_most(ball x, double limit) {
  ball below = add((ball){limit, 0, 0}, negative(x)), part = nonnegative(below);
  dd z = two_sum(limit, -part.h);
  int cut = (part.h == part.r) & !(below.h - below.r >= 0);
  return either(cut, with(z, part.r), x);
}
INLINE ball at_least(ball x, double limit) { return negative(at_most(negative(x), -limit)); }
/* As an operation finds a number where one below the normal numbers may be flushed before it is used. */
INLINE ball found_stored(ball x, double normal) {
  int stays = is_exactly(x, 0) | (fabs(x.h) - slack(x) >= normal) | is_endless(x);
  return either(stays, x, hull(x, (ball){0, 0, 0}));
}
INLINE ball top_end(ball x) { return (ball){upper(x), 0, x.r < INFINITY ? 0.0 * upper(x) : INFINITY}; }
INLINE ball widened(ball x, double by) { /* times 1 +- by */
  return with(mid(x), (x.r + by * (fabs(x.h) * (1 + 0x1p-50) + x.r) + ((by != 0) & (x.h != 0) ? ETA : 0.0)) * UP);
}
/* Whether what is between these sizes may overflow and may not; for Arb neither, whose ends are others by a percent. */
INLINE int may_overflow(double above, double below, double overflow) {
  return !(above < overflow) & (below < overflow * 0.9);
}
/* One rounding takes no number below the overflow to infinity: a mask of the largest, less a maximum, stays. */
INLINE ball grown(ball x, format f) {
  ball z = widened(x, f.relative), ended = z;
  double size = fabs(x.h), above = (size + z.r) * UP, below = size - z.r, exact = (size + x.r + fabs(x.l)) * UP;
  int finite = (exact < f.finite) & !(above < f.overflow);
  int stays = (((x.h == 0) | (size == INFINITY)) & (x.r == 0)) | ((f.once != 0) & (x.h == 1) & (x.l == 0) & (x.r == 0));
  int inside = (size < f.great) & (size > f.small) & (4 * z.r < size);
  ended.r = (f.lost != 0) & !(below > f.normal) ? (z.r + f.lost) * UP : z.r;
  ended = either(not_negative(x), nonnegative(ended), ended);
  double most = f.largest > exact ? f.largest : exact; /* fused, it is not rounded */
  ended = either(finite, at_least(at_most(ended, most), -most), ended);
  ended.r = (above < f.overflow) | finite ? ended.r : NAN;
  ended = either((z.r < INFINITY) & !finite & may_overflow(above, below, f.overflow), (ball){0, 0, INFINITY}, ended);
  return either(stays | is_endless(x), x, either(inside, z, ended));
}
/* Whether these are integers of at most so much. */
static int integers_to(double most, const double *arena, const operand *o, int64_t size) {
  const double *h = arena + o->at;
  for (int64_t i = 0; i < size; i++)
    if (h[o->plane + i] != 0 || h[2 * o->plane + i] != 0 || !(fabs(h[i]) <= most && h[i] == rint(h[i]))) return 0;
  return 1;
}
/* Whether a product with these cannot round: powers of two, and 0 as in a mask. */
static int powers_of_two(const double *arena, const operand *o, int64_t size) {
  const double *h = arena + o->at;
  for (int64_t i = 0; i < size; i++) {
    uint64_t bits;
    memcpy(&bits, h + i, 8);
    if ((bits << 12) != 0 || h[o->plane + i] != 0 || h[2 * o->plane + i] != 0) return 0;
  }
  return 1;
}
