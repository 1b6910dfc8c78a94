/* Balls as pairs of doubles: a number h + l and a radius r, so that what is meant lies in [h+l-r, h+l+r].

   The derivation of every bound is in README.md beside this file; tests/oracles/exact/core holds each against
   Arb. IEEE 754 binary64, to nearest, without flushing, and no contraction (-ffp-contract=off) are believed.

   A program is an array of instructions, run one after another over blocks of BLOCK elements, so that what an
   instruction reads and writes stays in the first cache. What is not known has a radius that is not finite:
   every radius is computed from the midpoint, so that a NaN or an overflow makes it one. */

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0 || defined(__FAST_MATH__)
#error "the bounds here are those of IEEE 754 doubles, each operation rounded once"
#endif

#define BLOCK 256
#define LANES 8 /* taken at once where that needs arrays of their own */
#define U2 0x1p-106
#define FEW 0x1p-40          /* what is known to 2^-100 of 1 has few digits below */
#define UP (1 + 0x1p-48)     /* more than sixteen roundings of a radius */
#define SMALL 0x1p-960       /* products above have all their bits among the normal numbers */
#define ETA 0x1p-1070        /* sixteen of the least number: more than what products and radii lose there */
#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT
#endif
#define INLINE static inline __attribute__((always_inline))
/* What is worth twice as wide vectors where a processor has them: the same operations on the same numbers. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && !defined(__clang__)
#define VECTORS __attribute__((noinline, target_clones("avx2", "default")))
#else
#define VECTORS __attribute__((noinline))
#endif

typedef struct { double h, l; } dd;
typedef struct { double h, l, r; } ball;
#include "constants.h"

INLINE dd two_sum(double a, double b) {
  double s = a + b, z = s - a;
  return (dd){s, (a - (s - z)) + (b - z)};
}
INLINE dd fast_two_sum(double a, double b) { /* |a| >= |b| */
  double s = a + b;
  return (dd){s, b - (s - a)};
}
INLINE dd two_prod(double a, double b) { /* Dekker 1971; Veltkamp's splitting by 2^27 + 1 */
  double p = a * b;
  double c = 134217729.0 * a, ah = c - (c - a), al = a - ah;
  double d = 134217729.0 * b, bh = d - (d - b), bl = b - bh;
  return (dd){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}
INLINE dd add2(dd x, dd y) { /* Joldes, Muller, Popescu 2017, algorithm 6 */
  dd s = two_sum(x.h, y.h), t = two_sum(x.l, y.l);
  dd v = fast_two_sum(s.h, s.l + t.h);
  return fast_two_sum(v.h, t.l + v.l);
}
INLINE dd mul2(dd x, dd y) { /* the same, algorithm 10 */
  dd c = two_prod(x.h, y.h);
  return fast_two_sum(c.h, c.l + (x.h * y.l + x.l * y.h));
}
INLINE dd neg2(dd x) { return (dd){-x.h, -x.l}; }
INLINE ball with(dd x, double r) { return (ball){x.h, x.l, r}; }
INLINE dd mid(ball x) { return (dd){x.h, x.l}; }
/* What mul2 may be off by, up to ETA: see README, product. */
INLINE double lost(double h) { return 10 * U2 * fabs(h); }

/* One or the other, part by part: no branch, so that a compiler can take several elements at once. */
INLINE ball either(int first, ball x, ball y) {
  return (ball){first ? x.h : y.h, first ? x.l : y.l, first ? x.r : y.r};
}
/* What has no end, as Arb's ball of it: {0, 0, infinity} and no other. What is merely not known has another radius that is
   not finite, or another midpoint. */
static const ball ENDLESS = {0, 0, INFINITY}, LOST = {NAN, NAN, NAN};
INLINE int is_endless(ball x) { return (x.h == 0) & (x.l == 0) & (x.r == INFINITY); }
INLINE int is_settled(ball x) { return (x.r < INFINITY) | is_endless(x); } /* known, or known to have no end */
INLINE int are_endless(ball x, ball y) { return (is_endless(x) | is_endless(y)) & is_settled(x) & is_settled(y); }
/* Whether one of two balls that are known is an infinity. */
INLINE int infinite(ball x, ball y) {
  return ((fabs(x.h) == INFINITY) | (fabs(y.h) == INFINITY)) & (x.r + y.r < INFINITY);
}
INLINE ball add(ball x, ball y) {
  dd z = add2(mid(x), mid(y));
  double off = (x.l == 0) & (y.l == 0) ? 0.0 : 4 * U2, end = x.h + y.h;
  ball sum = with(z, ((x.r + y.r) + off * fabs(z.h)) * UP);
  return either(infinite(x, y) & (fabs(end) == INFINITY), (ball){end, 0, 0}, sum);
}
INLINE ball negative(ball x) { return (ball){-x.h, -x.l, x.r}; }
INLINE ball mul(ball x, ball y) {
  dd z = mul2(mid(x), mid(y));
  double ax = fabs(x.h), ay = fabs(y.h);
  int zero = ((ax == 0) & (x.r == 0)) | ((ay == 0) & (y.r == 0));
  int exact = (x.l == 0) & (y.l == 0) & (x.r == 0) & (y.r == 0) & (fabs(z.h) >= SMALL);
  double r = ((ax * y.r + (ay + y.r) * x.r) * (1 + 0x1p-50) + lost(z.h) + ETA) * UP;
  r = exact ? 0.0 * z.h * z.h : r; /* still NaN where the product overflowed */
  double none = 0.0 * (ax + ay + x.r + y.r); /* NaN beside what is not known */
  return either(zero, (ball){0, 0, none}, with(z, r));
}
/* Whether z times y is x, exactly: numbers that are equal, and a product of two doubles. */
INLINE int divides(dd z, ball x, ball y) {
  dd p = two_prod(z.h, y.h);
  int one = (z.h == 1) & (x.l == y.l) & (x.h == y.h), product = (y.l == 0) & (p.h == x.h) & (p.l == x.l);
  return (z.l == 0) & (x.r == 0) & (y.r == 0) & (one | (product & (fabs(x.h) >= SMALL)));
}
INLINE ball quotient(ball x, ball y) {
  double q = x.h / y.h;
  dd p = mul2((dd){q, 0.0}, mid(y)), d = add2(mid(x), neg2(p));
  dd z = fast_two_sum(q, d.h / y.h);
  p = mul2(z, mid(y));
  d = add2(mid(x), neg2(p));
  double below = (fabs(y.h) * (1 - 0x1p-50) - y.r) * (1 - 0x1p-50);
  double rest = fabs(d.h) * (1 + 0x1p-50) + lost(p.h) + x.r + fabs(z.h) * (1 + 0x1p-50) * y.r + ETA;
  double r = (rest / below + ETA) * UP;
  int known = below > 0x1p-400, zero = (x.h == 0) & (x.r == 0);
  r = divides(z, x, y) ? 0.0 : r;
  return either(zero & known, (ball){0, 0, 0}, with(z, known ? r : NAN));
}
INLINE ball root(ball x) {
  double s = sqrt(x.h);
  dd p = two_prod(s, s), d = add2(mid(x), neg2(p));
  dd z = fast_two_sum(s, d.h / (2 * s));
  p = mul2(z, z);
  d = add2(mid(x), neg2(p));
  double below = (x.h * (1 - 0x1p-50) - x.r) * (1 - 0x1p-50);
  double rest = fabs(d.h) * (1 + 0x1p-50) + lost(p.h) + x.r + ETA;
  double r = (rest / (sqrt(below) * (1 - 0x1p-50) + z.h * (1 - 0x1p-50))) * (1 + 0x1p-49) * UP;
  return either((x.h == 0) & (x.r == 0), (ball){0, 0, 0}, with(z, below > 0x1p-400 ? r : NAN));
}

/* The ends of a ball, outwards; those of a double itself are that. */
INLINE double slack(ball x) {
  return (x.l == 0) & (x.r == 0) ? 0.0 : x.r + fabs(x.l) + (fabs(x.h) + x.r) * 0x1p-51 + ETA;
}
INLINE double upper(ball x) { return x.h + slack(x); }
INLINE double lower(ball x) { return x.h - slack(x); }
INLINE ball between(double low, double high) {
  double m = 0.5 * low + 0.5 * high;
  return (ball){m, 0, ((0.5 * high - 0.5 * low) + fabs(m) * 0x1p-51 + ETA) * UP};
}

/* e^x in three parts, so that a compiler can take several elements at once; the look-up of 2^(j/64) is between. */
typedef struct { dd p; uint64_t whole; } reduced;
INLINE reduced reduce(ball x) {
  double big = 0x1.8p52, shifted = x.h * LOG2_64 + big, k = shifted - big;
  uint64_t bits;
  memcpy(&bits, &shifted, 8);
  /* x - k log(2) / 64: LN_A and LN_B have 32 bits each, k has 17, so k LN_A and k LN_B are exact */
  dd c = two_prod(k, LN_C);
  c.l += k * LN_D;
  dd t = add2(two_sum(x.h - k * LN_A, -(k * LN_B)), neg2(fast_two_sum(c.h, c.l)));
  t = add2(t, (dd){x.l, 0.0});
  double tail = FACTORIAL[6].h + t.h * (FACTORIAL[7].h + t.h * (FACTORIAL[8].h + t.h * (FACTORIAL[9].h
              + t.h * (FACTORIAL[10].h + t.h * (FACTORIAL[11].h + t.h * FACTORIAL[12].h)))));
  dd p = mul2(t, (dd){tail, 0.0});
  p = mul2(add2(p, FACTORIAL[5]), t);
  p = mul2(add2(p, FACTORIAL[4]), t);
  p = mul2(add2(p, FACTORIAL[3]), t);
  p = mul2(add2(p, FACTORIAL[2]), t);
  p = mul2(add2(p, FACTORIAL[1]), t);
  return (reduced){add2((dd){1.0, 0.0}, p), bits - UINT64_C(0x4338000000000000)};
}
/* `own` is what t and power may be off by, relatively. */
INLINE ball raised(ball x, reduced t, dd power, double own) {
  dd p = mul2(t.p, power);
  int small = x.h < -600; /* scaled in two steps: 2^m may be no normal number */
  uint64_t high = ((t.whole - (t.whole & 63)) << 46) + (UINT64_C(1023) << 52);
  high += small ? UINT64_C(128) << 52 : 0;
  double scale, rest = small ? 0x1p-128 : 1;
  memcpy(&scale, &high, 8);
  dd z = {p.h * scale * rest, p.l * scale * rest};
  double relative = x.r * (1 + x.r * (0.5 + 0.25 * x.r)) * (1 + 0x1p-40) + own, r = (z.h * relative + ETA) * UP;
  r = (x.h >= -747) & (x.h <= 700) & (x.r <= 0.5) ? r : NAN;
  int one = (x.h == 0) & (x.r == 0), none = (x.h + x.r) + x.l < -746; /* e^-746 < 2^-1076 */
  z.h = one ? 1.0 : none ? 0.0 : z.h;
  z.l = one | none ? 0.0 : z.l;
  int nothing = (x.h == -INFINITY) & (x.r == 0);
  return with(z, one | nothing ? 0.0 : none ? 0x1p-1074 : r);
}
VECTORS static void exponentials(int64_t count, const double *xh, const double *xl, const double *xr,
                                 double *restrict h, double *restrict l, double *restrict r) {
  double ph[BLOCK], pl[BLOCK], th[BLOCK], tl[BLOCK];
  uint64_t whole[BLOCK];
  for (int64_t i = 0; i < count; i++) {
    reduced t = reduce((ball){xh[i], xl[i], xr[i]});
    ph[i] = t.p.h; pl[i] = t.p.l; whole[i] = t.whole;
  }
  for (int64_t i = 0; i < count; i++) {
    dd power = POWERS[whole[i] & 63];
    th[i] = power.h; tl[i] = power.l;
  }
  for (int64_t i = 0; i < count; i++) {
    ball z = raised((ball){xh[i], xl[i], xr[i]}, (reduced){{ph[i], pl[i]}, whole[i]}, (dd){th[i], tl[i]}, 0x1p-100);
    h[i] = z.h; l[i] = z.l; r[i] = z.r;
  }
}
INLINE int is_exactly(ball x, double number) { return (x.h == number) & (x.l == 0) & (x.r == 0); }
/* Whether x is certainly above y; never where anything of them is not known. */
INLINE int above(ball x, ball y) {
  dd d = add2(mid(x), neg2(mid(y)));
  int apart = d.h > (x.r + y.r + 8 * U2 * fabs(d.h)) * UP;
  return apart | (infinite(x, y) & (x.h > y.h));
}
INLINE int same(ball x, ball y) {
  return (x.h == y.h) & (x.l == y.l) & (x.r == 0) & (y.r == 0);
}
INLINE ball hull(ball x, ball y) {
  double unknown = 0.0 * (lower(x) + upper(x) + lower(y) + upper(y));
  return between(fmin(lower(x), lower(y)) + unknown, fmax(upper(x), upper(y)) + unknown);
}
/* The larger of x and others is at least x; and not above its middle by more than x.r, or what this is for them. */
INLINE double above_middle(ball x, ball other) {
  dd d = add2(mid(other), neg2(mid(x)));
  return (d.h + other.r + (fabs(d.h) + other.r) * 0x1p-50) * UP;
}
INLINE ball reaching(ball x, double most) { return with(mid(x), most > x.r ? most : x.r); }
INLINE ball narrower(ball x, ball y) { return either(y.r < x.r, y, x); }
INLINE ball larger(ball x, ball y) { /* where it is not certain which, up to the larger end */
  double ux = upper(x), uy = upper(y), lx = lower(x), ly = lower(y), unknown = 0.0 * (ux + uy);
  ball both = between((lx > ly ? lx : ly) + unknown, (ux > uy ? ux : uy) + unknown);
  both = narrower(both, narrower(reaching(x, above_middle(x, y)), reaching(y, above_middle(y, x))));
  ball z = either(lx >= uy, x, either(ly >= ux, y, both));
  return with(mid(z), z.r + 0.0 * (x.r + y.r)); /* of what is not known nothing is, beside infinity either */
}
INLINE ball magnitude(ball x) { return x.h < 0 ? negative(x) : x; }

typedef struct { int64_t at, plane, outer, inner; } operand; /* where; how far h, l, r are apart; strides */

/* -- rounding: how a ball grows where its dtype rounds (formats.Growth, README, rounding) ------------------ */

typedef struct {
  double relative;         /* unit roundoffs of the result */
  double great, small;     /* between which nothing can happen at the ends of the format */
  double normal, overflow; /* the least normal number; where infinity begins */
  double lost;             /* below the normal numbers */
  double once;             /* whether an exact 1 stays, as exp(0) is exact in every library */
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
INLINE ball grown(ball x, format f) {
  ball z = widened(x, f.relative), ended = z;
  double size = fabs(x.h), above = (size + z.r) * UP, below = size - z.r;
  int stays = (((x.h == 0) | (size == INFINITY)) & (x.r == 0)) | ((f.once != 0) & (x.h == 1) & (x.l == 0) & (x.r == 0));
  int inside = (size < f.great) & (size > f.small) & (4 * z.r < size);
  ended.r = (f.lost != 0) & !(below > f.normal) ? (z.r + f.lost) * UP : z.r;
  ended = either(not_negative(x), nonnegative(ended), ended);
  ended.r = above < f.overflow ? ended.r : NAN;
  ended = either((z.r < INFINITY) & may_overflow(above, below, f.overflow), (ball){0, 0, INFINITY}, ended);
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

typedef struct { const double *h, *l, *r; } view;
INLINE ball get(view v, int64_t i) { return (ball){v.h[i], v.l[i], v.r[i]}; }

#include "rough.h"
#include "smooth.h"

/* -- the interpreter ------------------------------------------------------------------------------------ */

enum {
  ADD, SUB, MUL, DIV, NEG, ABS, LARGER, SMALLER, EXP, LOG, SQRT, TANH, SELECT, BLEND,
  ROUGH_ADD, ROUGH_SUB, ROUGH_MUL, ROUGH_DIV, ROUGH_EXP, ROUGH_SQRT,
  LT, LE, GT, GE, EQ, NE, AND, OR, XOR, NOT, INTEGER, COPY, FLOOR, CEIL, TRUNC, ROUND, SIGN, WHOLE, SPREAD,
  GROW, WIDEN, PAD, NONNEGATIVE, AT_MOST, AT_LEAST, UPPER, STORED, SHARE,
  SUM, TOP, BOTTOM, WEIGHTS, MIXTURE, ATTAINS, BEST, TAKE, SCATTER, CUMSUM, MATMUL, SUM_GROWS, MATMUL_GROWS, POINT,
#define NAMED(name) OF_##name,
  SMOOTH(NAMED)
  ROUGH_TANH,
#define ROUGHLY_NAMED(name) ROUGH_OF_##name,
  TABLED(ROUGHLY_NAMED)
};
typedef struct {
  int64_t op, n, cols, out, plane; /* elements of the result, in rows of cols */
  operand in[4];
  int64_t a, b, c;
} instruction;

typedef struct { double h[BLOCK], l[BLOCK], r[BLOCK]; } buffer;
typedef struct { int64_t x[BLOCK]; } integers;

/* Elements from `start` of an operand: where they lie, or copied together, row by row. */
static view load(const double *arena, const operand *o, int64_t cols, int64_t start, int64_t count, buffer *to) {
  const double *h = arena + o->at, *l = h + o->plane, *r = l + o->plane;
  int64_t row = start / cols, col = start % cols;
  if (o->inner == 1 && (o->outer == cols || col + count <= cols)) {
    int64_t k = row * o->outer + col;
    return (view){h + k, l + k, r + k};
  }
  for (int64_t i = 0; i < count;) {
    int64_t k = row * o->outer + col * o->inner, next = i + cols - col < count ? i + cols - col : count;
    if (o->inner == 0)
      for (; i < next; i++) { to->h[i] = h[k]; to->l[i] = l[k]; to->r[i] = r[k]; }
    else
      for (; i < next; i++, k += o->inner) { to->h[i] = h[k]; to->l[i] = l[k]; to->r[i] = r[k]; }
    col = 0; row++;
  }
  return (view){to->h, to->l, to->r};
}
static const int64_t *load_integers(const double *arena, const operand *o, int64_t cols, int64_t start,
                                    int64_t count, integers *to) {
  const int64_t *x = (const int64_t *)(arena + o->at);
  if (o->inner == 1 && o->outer == cols) return x + start;
  int64_t row = start / cols, col = start % cols;
  for (int64_t i = 0; i < count; i++) {
    to->x[i] = x[row * o->outer + col * o->inner];
    if (++col == cols) { col = 0; row++; }
  }
  return to->x;
}

/* What works on a block, element by element, as functions: of their arguments a compiler knows that none is
   written where another is read, and takes several elements at once. */
#define TO double *restrict h, double *restrict l, double *restrict r
#define X get(x, i)
#define Y get(y, i)
#define EACH(expression) for (int64_t i = 0; i < count; i++) { ball z = expression; h[i] = z.h; l[i] = z.l; r[i] = z.r; }
#define ONE_OPERAND(name, expression) VECTORS static void name(int64_t count, view x, TO) { EACH(expression) }
#define TWO_OPERANDS(name, expression) VECTORS static void name(int64_t count, view x, view y, TO) { EACH(expression) }
#define WITH_NUMBER(name, expression) \
  VECTORS static void name(int64_t count, view x, double number, TO) { EACH(expression) }
ONE_OPERAND(negatives, negative(X))
ONE_OPERAND(magnitudes, magnitude(X))
ONE_OPERAND(roots, root(X))
ONE_OPERAND(rough_roots, rough_root(X))
ONE_OPERAND(copies, X)
ONE_OPERAND(nonnegatives, nonnegative(X))
ONE_OPERAND(uppers, top_end(X))
ONE_OPERAND(shares, either(is_endless(X), (ball){0.5, 0, 0.5}, X))
TWO_OPERANDS(sums, add(X, Y))
TWO_OPERANDS(differences, add(X, negative(Y)))
TWO_OPERANDS(products, mul(X, Y))
TWO_OPERANDS(quotients, quotient(X, Y))
TWO_OPERANDS(rough_sums, rough_add(X, Y))
TWO_OPERANDS(rough_differences, rough_add(X, negative(Y)))
TWO_OPERANDS(rough_products, rough_mul(X, Y))
TWO_OPERANDS(rough_quotients, rough_div(X, Y))
TWO_OPERANDS(larger_ones, larger(X, Y))
TWO_OPERANDS(smaller_ones, negative(larger(negative(X), negative(Y))))
TWO_OPERANDS(spread_ones, with(mid(X), (x.r[i] + upper(magnitude(Y))) * UP + 0.0 * (x.h[i] + y.r[i])))
WITH_NUMBER(widened_ones, widened(X, number))
WITH_NUMBER(padded_ones, with(mid(X), (x.r[i] + number) * UP + 0.0 * x.h[i]))
WITH_NUMBER(at_most_ones, at_most(X, number))
WITH_NUMBER(at_least_ones, at_least(X, number))
WITH_NUMBER(stored_ones, found_stored(X, number))

/* Of a wide ball: a function that only rises, or only falls, lies between its values at the ends; a wave in [-1, 1]. */
typedef void function_of(int64_t, view, double *, double *, double *);
static void by_ends(int64_t count, view x, function_of *all, int relative, double *h, double *l, double *r) {
  for (int64_t i = 0; i < count; i++) {
    int wide = (x.r[i] > 0x1p-5 * (relative ? fabs(x.h[i]) : 1)) | ((x.r[i] > 0) & !(r[i] < INFINITY));
    if (!(wide & (x.r[i] < INFINITY))) continue;
    double low = lower(X), ends[2] = {not_negative(X) & (low < 0) ? 0 : low, upper(X)}, none[2] = {0, 0}, eh[2], el[2], er[2];
    all(2, (view){ends, none, none}, eh, el, er);
    ball z = hull((ball){eh[0], el[0], er[0]}, (ball){eh[1], el[1], er[1]});
    if ((z.r < INFINITY) & !(r[i] <= z.r)) { h[i] = z.h; l[i] = z.l; r[i] = z.r; }
  }
}
static void by_size(int64_t count, view x, double *h, double *l, double *r) {
  for (int64_t i = 0; i < count; i++)
    if (!(r[i] < INFINITY) & (fabs(x.h[i]) < INFINITY) & (x.r[i] < INFINITY)) { h[i] = 0; l[i] = 0; r[i] = 1; }
}
/* Whether a ball holds 0, or is not known: seldom so, and only then what follows goes through them one by one. */
VECTORS static int reach_zero(int64_t count, const double *restrict h, const double *restrict r) {
  int64_t some = 0;
  for (int64_t i = 0; i < count; i++) some |= !(r[i] < fabs(h[i]));
  return some != 0;
}
/* A sum of what is not below 0 is not either, wherever its ball would reach. */
static void nonnegative_sums(int64_t count, view x, view y, double *h, double *l, double *r) {
  for (int64_t i = 0; i < count; i++) {
    if (!((h[i] <= r[i]) & (r[i] < INFINITY)) || !(not_negative(X) & not_negative(Y))) continue;
    ball z = nonnegative((ball){h[i], l[i], r[i]});
    h[i] = z.h; l[i] = z.l; r[i] = z.r;
  }
}
/* A quotient by a wide ball, from the ends of both. */
INLINE ball by_corners(ball x, ball y) {
  if (y.h < 0) { x = negative(x); y = negative(y); }
  double low = lower(x) / (lower(x) < 0 ? lower(y) : upper(y)), high = upper(x) / (upper(x) < 0 ? upper(y) : lower(y));
  ball z = between(low - fabs(low) * 0x1p-51 - ETA, high + fabs(high) * 0x1p-51 + ETA);
  return with(mid(z), lower(y) > 0 ? z.r : INFINITY);
}
static void wide_quotients(int64_t count, view x, view y, double *h, double *l, double *r) {
  for (int64_t i = 0; i < count; i++) {
    if (!(y.r[i] > 0x1p-5 * fabs(y.h[i]))) continue;
    ball z = by_corners(X, Y);
    if ((z.r < INFINITY) & !(r[i] <= z.r)) { h[i] = z.h; l[i] = z.l; r[i] = z.r; }
  }
}
/* What has no end where Arb's has none: what is made of such a ball, quotients by a ball that reaches 0, and roots and
   logarithms of one that reaches below. All else without a radius is merely not known. */
INLINE int around_zero(ball x) { return (fabs(x.h) * (1 - 0x1p-30) <= x.r) & (x.r < INFINITY); } /* as Arb's radii round */
INLINE int below_zero(ball x) { return (x.h < x.r) & (x.r < INFINITY) & (x.h > -INFINITY); }
#define WHERE_ENDLESS(name, condition) \
  static void name(int64_t count, view x, view y, double *h, double *l, double *r) { \
    (void)y; \
    for (int64_t i = 0; i < count; i++) \
      if (!(r[i] < INFINITY)) { \
        int endless = condition; \
        h[i] = endless ? 0 : h[i]; l[i] = endless ? 0 : l[i]; r[i] = endless ? INFINITY : NAN; \
      } \
  }
WHERE_ENDLESS(endless_of_two, are_endless(X, Y))
WHERE_ENDLESS(endless_quotients, are_endless(X, Y) | (is_settled(X) & around_zero(Y)))
WHERE_ENDLESS(endless_below, is_endless(X) | below_zero(X))
static void exp_all(int64_t count, view x, double *h, double *l, double *r) { exponentials(count, x.h, x.l, x.r, h, l, r); }

#define OPEN INT64_MIN /* neither true nor false, where rounding may turn a comparison */
INLINE int64_t both(int64_t x, int64_t y) { return (x == 0) | (y == 0) ? 0 : (x == OPEN) | (y == OPEN) ? OPEN : x & y; }
INLINE int64_t one_or_both(int64_t x, int64_t y) { return (x == 1) | (y == 1) ? 1 : (x == OPEN) | (y == OPEN) ? OPEN : x | y; }
INLINE int64_t one_alone(int64_t x, int64_t y) { return (x == OPEN) | (y == OPEN) ? OPEN : x ^ y; }

/* Comparisons: 1 where any is not certain, which is open then; 2 where such two balls are one, part by part: they may be
   one number that was moved, of which Arb knows that it equals itself. */
#define COMPARED(name, when_above, when_below, when_same) \
  VECTORS static int name(int64_t count, view x, view y, int64_t *restrict integer) { \
    int64_t unknown = 0, twins = 0; \
    for (int64_t i = 0; i < count; i++) { \
      ball a = X, b = Y; \
      int64_t up = above(a, b), down = above(b, a), even = same(a, b), open = !(up | down | even); \
      unknown |= open; \
      twins |= open & (a.h == b.h) & (a.l == b.l) & (a.r == b.r); \
      integer[i] = up ? when_above : down ? when_below : even ? when_same : OPEN; \
    } \
    return twins ? 2 : unknown != 0; \
  }
COMPARED(gt, 1, 0, 0)
COMPARED(ge, 1, 0, 1)
COMPARED(lt, 0, 1, 0)
COMPARED(le, 0, 1, 1)
COMPARED(eq, 0, 0, 1)
COMPARED(ne, 1, 1, 0)

VECTORS static void grow(int64_t count, view x, format f, TO) { EACH(grown(X, f)) }

/* Steps at both ends of a ball, which the others lie between: of what is certain only, or the hull; `around` the ball,
   at a little more on both sides. Of what is not known, as e^1e8, Arb may know that nothing is certain. */
enum { HULL = 1, AROUND = 2 };
INLINE double signum(double x) { return (x > 0) - (x < 0); }
#define STEP(name, function) \
  static int name(int64_t count, view x, int64_t how, TO) { \
    int unknown = 0; \
    for (int64_t i = 0; i < count; i++) { \
      ball a = X; \
      double margin = how & AROUND ? fabs(a.h) * 0x1p-50 + ETA : 0.0; \
      double low = function(lower(a) - margin), high = function(upper(a) + margin); \
      int finite = (a.r < INFINITY) & (fabs(a.h) < INFINITY), exact = (fabs(a.h) == INFINITY) & (a.r == 0); \
      unknown |= !(exact | (finite & (low == high)) | (how & HULL)); \
      ball z = either(low == high, (ball){low + 0.0, 0, 0}, between(low, high)); \
      z = either(finite | exact, z, (ball){0, 0, NAN}); \
      h[i] = z.h; l[i] = z.l; r[i] = z.r; \
    } \
    return unknown; \
  }
STEP(floors, floor)
STEP(ceils, ceil)
STEP(truncs, trunc)
STEP(rounds, rint)
STEP(signs, signum)

/* As integers, towards 0: where both ends of a ball are cut to one in [least, most]. */
static int wholes(int64_t count, view x, int64_t least, int64_t most, int64_t *restrict integer) {
  int unknown = 0;
  for (int64_t i = 0; i < count; i++) {
    ball a = X;
    double low = trunc(lower(a)), high = trunc(upper(a));
    int known = (a.r < INFINITY) & (low == high) & (fabs(low) < 0x1p62);
    integer[i] = known ? (int64_t)low : 0;
    unknown |= !known | (integer[i] < least) | (integer[i] > most);
  }
  return unknown;
}

/* Whether the operation before GROW cannot round: a is 1 for a product with powers of two, 2 for a sum of counts, which
   are small, and 3 for integers that may have all the digits of their format. */
static int is_exact(const instruction *q, const double *arena) {
  if (q->a == 3) return integers_to(1 / arena[q->in[1].at], arena, &q->in[2], q->in[2].plane);
  if (q->a == 1)
    return powers_of_two(arena, &q->in[2], q->in[2].plane) ||
           (q->in[3].at >= 0 && powers_of_two(arena, &q->in[3], q->in[3].plane));
  return q->a == 2 && integers_to(64, arena, &q->in[2], q->in[2].plane) && integers_to(64, arena, &q->in[3], q->in[3].plane);
}

enum { EXTREMES = 2, TIED = 4 }; /* what an instruction says that gives all that may be: of which several are */
static int elementwise(const instruction *q, double *arena) {
  int unknown = 0, tied = 0;
  buffer bx, by, bz;
  integers ix, iy;
  int exact = q->op == GROW && is_exact(q, arena);
  int with_integers = (q->op >= AND && q->op <= INTEGER) || q->op == SELECT;
  for (int64_t start = 0; start < q->n; start += BLOCK) {
    int64_t count = q->n - start < BLOCK ? q->n - start : BLOCK, last = q->op == SELECT || q->op == BLEND;
    double *restrict h = arena + q->out + start, *restrict l = h + q->plane, *restrict r = l + q->plane;
    int64_t *restrict integer = (int64_t *)(arena + q->out + start);
    const int64_t *p = 0, *s = 0;
    view x = {0}, y = {0};
    if (with_integers) p = load_integers(arena, &q->in[0], q->cols, start, count, &ix);
    else x = load(arena, &q->in[0], q->cols, start, count, &bx);
    if (q->op >= AND && q->op <= XOR) s = load_integers(arena, &q->in[1], q->cols, start, count, &iy);
    else if (q->in[1].at >= 0 && !with_integers && q->op < GROW) y = load(arena, &q->in[1], q->cols, start, count, &by);
    view u = {0}, w = {0};
    buffer bu;
    if (last) {
      u = load(arena, &q->in[q->op == SELECT ? 1 : 2], q->cols, start, count, &bu);
      w = load(arena, &q->in[q->op == SELECT ? 2 : 3], q->cols, start, count, &bz);
    }
#define RISING(code, name) case code: name##_all(count, x, h, l, r); by_ends(count, x, name##_all, 0, h, l, r); break;
#define RISING_ENDLESS(code, name) case code: name##_all(count, x, h, l, r); \
  by_ends(count, x, name##_all, 0, h, l, r); endless_of_two(count, x, x, h, l, r); break;
#define RISING_OR_FALLING(name) RISING(OF_##name, name)
#define WAVE(name) case OF_##name: name##_all(count, x, h, l, r); by_size(count, x, h, l, r); break;
    switch (q->op) {
      case ADD:
        sums(count, x, y, h, l, r);
        if (reach_zero(count, h, r)) { nonnegative_sums(count, x, y, h, l, r); endless_of_two(count, x, y, h, l, r); }
        break;
      case SUB: differences(count, x, y, h, l, r); if (reach_zero(count, h, r)) endless_of_two(count, x, y, h, l, r); break;
      case MUL: products(count, x, y, h, l, r); if (reach_zero(count, h, r)) endless_of_two(count, x, y, h, l, r); break;
      case DIV:
        quotients(count, x, y, h, l, r);
        wide_quotients(count, x, y, h, l, r);
        endless_quotients(count, x, y, h, l, r);
        break;
      case ROUGH_ADD: rough_sums(count, x, y, h, l, r); break;
      case ROUGH_SUB: rough_differences(count, x, y, h, l, r); break;
      case ROUGH_MUL: rough_products(count, x, y, h, l, r); break;
      case ROUGH_DIV: rough_quotients(count, x, y, h, l, r); break;
      case ROUGH_EXP: rough_exponentials(count, x.h, x.l, x.r, h, l, r); break;
      case ROUGH_SQRT: rough_roots(count, x, h, l, r); break;
      case NEG: negatives(count, x, h, l, r); break;
      case ABS: magnitudes(count, x, h, l, r); break;
      case LARGER: larger_ones(count, x, y, h, l, r); break;
      case SMALLER: smaller_ones(count, x, y, h, l, r); break;
      RISING_ENDLESS(EXP, exp)
      case LOG: log_all(count, x, h, l, r); by_ends(count, x, log_all, 1, h, l, r); endless_below(count, x, x, h, l, r); break;
      case SQRT: roots(count, x, h, l, r); by_ends(count, x, roots, 1, h, l, r); endless_below(count, x, x, h, l, r); break;
      RISING_ENDLESS(TANH, tanh)
      case SELECT:
        for (int64_t i = 0; i < count; i++) {
          ball one = get(u, i), other = get(w, i), z = p[i] == OPEN ? hull(one, other) : p[i] ? one : other;
          h[i] = z.h; l[i] = z.l; r[i] = z.r;
        }
        endless_of_two(count, u, w, h, l, r);
        break;
      case BLEND:
        for (int64_t i = 0; i < count; i++) {
          ball a = X, b = Y, one = get(u, i), other = get(w, i);
          int up = above(a, b), down = above(b, a);
          ball z = down ? other : one;
          if (!(up | down | same(one, other))) { z = hull(one, other); tied = TIED; }
          h[i] = z.h; l[i] = z.l; r[i] = z.r;
        }
        break;
      case GT: unknown |= gt(count, x, y, integer) > q->a; break;
      case GE: unknown |= ge(count, x, y, integer) > q->a; break;
      case LT: unknown |= lt(count, x, y, integer) > q->a; break;
      case LE: unknown |= le(count, x, y, integer) > q->a; break;
      case EQ: unknown |= eq(count, x, y, integer) > q->a; break;
      case NE: unknown |= ne(count, x, y, integer) > q->a; break;
      case AND: for (int64_t i = 0; i < count; i++) integer[i] = both(p[i], s[i]); break;
      case OR: for (int64_t i = 0; i < count; i++) integer[i] = one_or_both(p[i], s[i]); break;
      case XOR: for (int64_t i = 0; i < count; i++) integer[i] = one_alone(p[i], s[i]); break;
      case NOT: for (int64_t i = 0; i < count; i++) integer[i] = p[i] == OPEN ? OPEN : !p[i]; break;
      case INTEGER: /* both parts are exact: 53 bits and the 11 below */
        for (int64_t i = 0; i < count; i++) {
          double whole = (double)p[i];
          h[i] = whole; l[i] = fabs(whole) < 0x1p62 ? (double)(p[i] - (int64_t)whole) : 0.0;
          r[i] = fabs(whole) < 0x1p62 ? 0.0 : INFINITY;
          if (p[i] == OPEN) { h[i] = 0.5; l[i] = 0.0; r[i] = 0.5; }
        }
        break;
      case COPY: copies(count, x, h, l, r); break;
      case FLOOR: unknown |= floors(count, x, q->a, h, l, r); break;
      case CEIL: unknown |= ceils(count, x, q->a, h, l, r); break;
      case TRUNC: unknown |= truncs(count, x, q->a, h, l, r); break;
      case ROUND: unknown |= rounds(count, x, q->a, h, l, r); break;
      case SIGN: unknown |= signs(count, x, q->a, h, l, r); break;
      case WHOLE: unknown |= wholes(count, x, q->a, q->b, integer); break;
      case SPREAD: spread_ones(count, x, y, h, l, r); endless_of_two(count, x, y, h, l, r); break;
      case GROW: {
        format f = *(const format *)(arena + q->in[1].at);
        if (exact) f.relative = 0;
        grow(count, x, f, h, l, r);
        break;
      }
      case WIDEN: widened_ones(count, x, arena[q->in[1].at], h, l, r); break;
      case PAD: padded_ones(count, x, arena[q->in[1].at], h, l, r); break;
      case NONNEGATIVE: nonnegatives(count, x, h, l, r); break;
      case AT_MOST: at_most_ones(count, x, arena[q->in[1].at], h, l, r); break;
      case AT_LEAST: at_least_ones(count, x, arena[q->in[1].at], h, l, r); break;
      case SHARE: shares(count, x, h, l, r); break;
      case UPPER: uppers(count, x, h, l, r); break;
      case STORED: stored_ones(count, x, arena[q->in[1].at], h, l, r); break;
      MONOTONE(RISING_OR_FALLING)
      WAVES(WAVE)
#define APPLIED(name) case OF_##name: name##_all(count, x, h, l, r); break;
      OTHER_SMOOTH(APPLIED)
      case ROUGH_TANH: rough_tanh_all(count, x, h, l, r); break;
#define ROUGHLY_APPLIED(name) case ROUGH_OF_##name: rough_##name##_all(count, x, h, l, r); break;
      TABLED(ROUGHLY_APPLIED)
    }
  }
  return unknown ? unknown : tied;
}

/* Reductions: n results of a terms each, which lie b apart; the first of result i at (i / b) a b + i % b. */
INLINE ball element(const double *arena, const operand *o, int64_t k) {
  const double *h = arena + o->at + k;
  return (ball){*h, h[o->plane], h[2 * o->plane]};
}
INLINE void put(double *arena, const instruction *q, int64_t i, ball z) {
  double *h = arena + q->out + i;
  h[0] = z.h; h[q->plane] = z.l; h[2 * q->plane] = z.r;
}
INLINE int64_t first_of(const instruction *q, int64_t i) { return (i / q->b) * q->a * q->b + i % q->b; }

/* LANES sums side by side, of terms that lie `apart`; `lanes` of them are wanted. */
typedef struct { double h[LANES], l[LANES], size[LANES], radius[LANES]; } sums_of;
VECTORS static void add_up(sums_of *s, int64_t terms, int64_t apart, const double *restrict h, int64_t plane) {
  for (int64_t k = 0; k < terms; k++, h += apart)
    for (int j = 0; j < LANES; j++) {
      dd z = add2((dd){s->h[j], s->l[j]}, (dd){h[j], h[plane + j]});
      s->h[j] = z.h; s->l[j] = z.l;
      s->size[j] += fabs(h[j]);
      s->radius[j] += h[2 * plane + j];
    }
}
static void add_one(sums_of *s, int j, const double *h, int64_t plane) {
  dd z = add2((dd){s->h[j], s->l[j]}, (dd){h[0], h[plane]});
  s->h[j] = z.h; s->l[j] = z.l;
  s->size[j] += fabs(h[0]);
  s->radius[j] += h[2 * plane];
}
INLINE ball summed(dd z, double size, double radius, int64_t terms) {
  double r = radius + 4 * U2 * (double)(terms + 8) * size * (1 + 0x1p-40);
  return with(z, r * (1 + (double)(terms + 12) * 0x1p-51) * UP + 0.0 * z.h);
}
/* How many of these, so far apart, have no end; -1 where one is merely not known. */
static int64_t endless_in(const double *arena, const operand *o, int64_t at, int64_t count, int64_t apart) {
  int64_t some = 0;
  for (int64_t k = 0; k < count; k++) {
    ball x = element(arena, o, at + k * apart);
    if (!is_settled(x)) return -1;
    some += is_endless(x);
  }
  return some;
}
static int sum_rows(const instruction *q, double *arena) {
  const operand *o = &q->in[0];
  int64_t lanes = q->b < LANES ? q->b : LANES;
  for (int64_t i = 0; i < q->n; i += lanes) { /* of neighbours that lie side by side, LANES at once */
    const double *h = arena + o->at + first_of(q, i);
    int64_t left = q->b - i % q->b;
    lanes = left < LANES ? left : LANES;
    sums_of s = {{0}};
    if (q->a == 1)
      for (int64_t j = 0; j < lanes; j++) put(arena, q, i + j, element(arena, o, first_of(q, i) + j));
    else if (q->b == 1) {
      int64_t whole = q->a / LANES, k = whole * LANES;
      add_up(&s, whole, LANES, h, o->plane);
      for (; k < q->a; k++) add_one(&s, (int)(k % LANES), h + k, o->plane);
      for (int n = LANES / 2; n; n /= 2)
        for (int j = 0; j < n; j++) {
          dd z = add2((dd){s.h[j], s.l[j]}, (dd){s.h[j + n], s.l[j + n]});
          s.h[j] = z.h; s.l[j] = z.l;
          s.size[j] += s.size[j + n];
          s.radius[j] += s.radius[j + n];
        }
      put(arena, q, i, summed((dd){s.h[0], s.l[0]}, s.size[0], s.radius[0], q->a));
    } else {
      if (lanes == LANES) add_up(&s, q->a, q->b, h, o->plane);
      else
        for (int64_t k = 0; k < q->a; k++)
          for (int j = 0; j < lanes; j++) add_one(&s, j, h + k * q->b + j, o->plane);
      for (int64_t j = 0; j < lanes; j++) put(arena, q, i + j, summed((dd){s.h[j], s.l[j]}, s.size[j], s.radius[j], q->a));
    }
  }
  const double *r = arena + q->out + 2 * q->plane;
  for (int64_t i = 0; i < q->n; i++)
    if (!(r[i] < INFINITY)) put(arena, q, i, endless_in(arena, o, first_of(q, i), q->a, q->b) > 0 ? ENDLESS : LOST);
  return 0;
}
/* What a sum of rounded terms loses in any order (primitives/sums): in[1] is the sum, in[2] the format's. */
typedef struct { double lost, below, overflow; } terms;
INLINE ball sum_grown(ball z, double size, int nonzero, int one_sign, const terms *t) {
  size *= 1 + 0x1p-40;
  if (is_endless(z)) return z;
  if ((z.r < INFINITY) & may_overflow(size * (1 + t->lost), fabs(z.h) - z.r, t->overflow)) return (ball){0, 0, INFINITY};
  z.r = size * (1 + t->lost) < t->overflow ? (z.r + t->lost * size + (nonzero ? t->below : 0.0)) * UP : NAN;
  return one_sign ? nonnegative(z) : z;
}
static int sum_grows(const instruction *q, double *arena) {
  terms t = *(const terms *)(arena + q->in[2].at);
  for (int64_t i = 0; i < q->n; i++) {
    int64_t at = first_of(q, i);
    double size = 0;
    int one_sign = 1;
    for (int64_t k = 0; k < q->a; k++) {
      ball x = element(arena, &q->in[0], at + k * q->b);
      size += fabs(x.h) * (1 + 0x1p-50) + x.r;
      one_sign &= not_negative(x);
    }
    ball z = element(arena, &q->in[1], i);
    put(arena, q, i, sum_grown(z, size * (1 + (double)q->a * 0x1p-52), size > 0, one_sign, &t));
  }
  return 0;
}
VECTORS static void add_sizes(int64_t count, double ax, const double *h, const double *r, double *restrict size,
                              int64_t *restrict some) {
  for (int64_t j = 0; j < count; j++) {
    double ay = fabs(h[j]) * (1 + 0x1p-50) + r[j];
    size[j] += ax * ay;
    some[j] += ay != 0;
  }
}
static int matmul_grows(const instruction *q, double *arena) { /* in[0], in[1] the factors, in[2] the product */
  terms t = *(const terms *)(arena + q->in[3].at);
  int64_t rows = q->c, cols = q->cols, inner = q->a, batches = q->n / (rows * cols);
  for (int64_t b = 0; b < batches; b++)
    for (int64_t i = 0; i < rows; i++)
      for (int64_t start = 0; start < cols; start += BLOCK) {
        int64_t count = cols - start < BLOCK ? cols - start : BLOCK;
        double size[BLOCK] = {0};
        int64_t some[BLOCK] = {0};
        for (int64_t k = 0; k < inner; k++) {
          ball x = element(arena, &q->in[0], (b * rows + i) * inner + k);
          double ax = fabs(x.h) * (1 + 0x1p-50) + x.r;
          if (ax == 0) continue;
          const double *y = arena + q->in[1].at + (b * inner + k) * cols + start;
          add_sizes(count, ax, y, y + 2 * q->in[1].plane, size, some);
        }
        for (int64_t j = 0; j < count; j++) {
          int64_t at = (b * rows + i) * cols + start + j;
          ball z = element(arena, &q->in[2], at);
          terms own = {t.lost, t.below * (double)some[j], t.overflow};
          put(arena, q, at, sum_grown(z, size[j] * (1 + (double)inner * 0x1p-51), 1, 0, &own));
        }
      }
  return 0;
}
static int extreme(const instruction *q, double *arena, int sign) {
  for (int64_t i = 0; i < q->n; i++) {
    int64_t at = first_of(q, i), best = 0;
    double low = -INFINITY, high = -INFINITY, unknown = 0.0;
    ball top = {0};
    for (int64_t k = 0; k < q->a; k++) {
      ball x = element(arena, &q->in[0], at + k * q->b);
      if (sign < 0) x = negative(x);
      unknown += x.h == x.h ? 0.0 * x.r : NAN;
      if (k == 0 || lower(x) > low) { low = lower(x); top = x; best = k; }
    }
    for (int64_t k = 0; k < q->a; k++) { /* the largest end of the others */
      ball x = element(arena, &q->in[0], at + k * q->b);
      double end = upper(sign < 0 ? negative(x) : x);
      if (k != best && end > high) high = end;
    }
    if (high > low) {
      double most = top.r;
      for (int64_t k = 0; k < q->a; k++) {
        ball x = element(arena, &q->in[0], at + k * q->b);
        double reach = above_middle(top, sign < 0 ? negative(x) : x);
        if (k != best && reach > most) most = reach;
      }
      top = narrower(between(low, high > upper(top) ? high : upper(top)), reaching(top, most));
    }
    top.r += unknown;
    put(arena, q, i, sign < 0 ? negative(top) : top);
  }
  return 0;
}
/* Which of a row has the largest middle, or with the sign -1 the smallest. */
static int64_t farthest(const instruction *q, const double *arena, const operand *o, int64_t at, double sign) {
  int64_t best = 0;
  ball top = element(arena, o, at);
  for (int64_t k = 1; k < q->a; k++) {
    ball x = element(arena, o, at + k * q->b);
    if (sign * x.h > sign * top.h || (x.h == top.h && sign * x.l > sign * top.l)) { top = x; best = k; }
  }
  return best;
}
/* Which of a row is certainly the extreme one; -1 where several may be. c is the sign. */
static int64_t winner(const instruction *q, const double *arena, int64_t at) {
  double sign = (double)q->c;
  int64_t best = farthest(q, arena, &q->in[0], at, sign);
  ball top = element(arena, &q->in[0], at + best * q->b);
  if (sign < 0) top = negative(top);
  for (int64_t k = 0; k < q->a; k++) {
    ball x = element(arena, &q->in[0], at + k * q->b);
    if (k != best && !above(top, sign < 0 ? negative(x) : x)) return -1;
  }
  return best;
}
/* Where several may be the extreme one: each of them has a share in [0, 1], and a mixture is between them. */
static void shared(const instruction *q, double *arena, int64_t i, int64_t at) {
  double low = -INFINITY, from = INFINITY, to = -INFINITY, unknown = 0;
  for (int64_t k = 0; k < q->a; k++) {
    ball x = element(arena, &q->in[0], at + k * q->b);
    double end = lower(q->c < 0 ? negative(x) : x);
    if (end > low) low = end;
  }
  for (int64_t k = 0; k < q->a; k++) {
    ball x = element(arena, &q->in[0], at + k * q->b);
    int may = !(upper(q->c < 0 ? negative(x) : x) < low);
    if (q->op == WEIGHTS) put(arena, q, at + k * q->b, may ? (ball){0.5, 0, 0.5} : (ball){0, 0, 0});
    else if (may) {
      ball t = element(arena, &q->in[1], at + k * q->b);
      unknown += 0.0 * (lower(t) + upper(t));
      if (lower(t) < from) from = lower(t);
      if (upper(t) > to) to = upper(t);
    }
  }
  if (q->op == MIXTURE) put(arena, q, i, between(from + unknown, to + unknown));
}
static int chosen(const instruction *q, double *arena) {
  int64_t rows = q->op == WEIGHTS ? q->n / q->a : q->n;
  int found = 0;
  for (int64_t i = 0; i < rows; i++) {
    int64_t at = first_of(q, i), best = winner(q, arena, at);
    if (best < 0) { shared(q, arena, i, at); found = EXTREMES; }
    else if (q->op == MIXTURE) put(arena, q, i, element(arena, &q->in[1], at + best * q->b));
    else
      for (int64_t k = 0; k < q->a; k++) put(arena, q, at + k * q->b, (ball){k == best, 0, 0});
  }
  return found;
}
/* Which elements of a row equal its extreme one, in[1]: the one that certainly is it; or numbers that are known.
   Others are open, which c of 2 or -2 allows. */
static int attaining(const instruction *q, double *arena) {
  int unknown = 0;
  for (int64_t i = 0; i < q->n / q->a; i++) {
    int64_t at = first_of(q, i), best = winner(q, arena, at), *found = (int64_t *)(arena + q->out) + at;
    ball top = element(arena, &q->in[1], i);
    for (int64_t k = 0; k < q->a; k++) {
      ball x = element(arena, &q->in[0], at + k * q->b);
      int one = best < 0 ? same(x, top) : k == best;
      int open = (best < 0) & !one & !(q->c < 0 ? above(x, top) : above(top, x));
      unknown |= open & (q->c * q->c == 1);
      found[k * q->b] = open ? OPEN : one;
    }
  }
  return unknown;
}
/* Where the largest score of a row is, in[1]; where several may be, the first of them, if all come from one number. */
static int best_of(const instruction *q, double *arena) {
  int unknown = 0;
  int64_t *found = (int64_t *)(arena + q->out);
  for (int64_t i = 0; i < q->n; i++) {
    int64_t at = first_of(q, i), first = -1;
    ball top = element(arena, &q->in[1], at + farthest(q, arena, &q->in[1], at, 1) * q->b);
    for (int64_t k = 0; k < q->a; k++) {
      if (above(top, element(arena, &q->in[1], at + k * q->b))) continue;
      if (first < 0) first = k;
      else unknown |= !same(element(arena, &q->in[0], at + first * q->b), element(arena, &q->in[0], at + k * q->b));
    }
    unknown |= first < 0;
    found[i] = first;
  }
  return unknown;
}
static int moved(const instruction *q, double *arena) {
  const int64_t *where = (const int64_t *)(arena + q->in[1].at);
  if (q->op == TAKE)
    for (int64_t i = 0; i < q->n; i++) {
      if (where[i] >= q->in[0].plane || where[i] == OPEN) return 1;
      put(arena, q, i, where[i] < 0 ? (ball){0, 0, 0} : element(arena, &q->in[0], where[i]));
    }
  else {
    for (int64_t i = 0; i < q->n; i++) put(arena, q, i, (ball){0, 0, 0});
    operand own = {q->out, q->plane, 0, 0};
    for (int64_t i = 0; i < q->a; i++)
      if (where[i] >= q->n || where[i] == OPEN) return 1;
      else if (where[i] >= 0) {
        ball z = element(arena, &own, where[i]), x = element(arena, &q->in[0], i);
        put(arena, q, where[i], (z.h == 0) & (z.r == 0) ? x : are_endless(z, x) ? ENDLESS : add(z, x));
      }
  }
  return 0;
}
static int running(const instruction *q, double *arena) {
  for (int64_t i = 0; i < q->n / q->a; i++) {
    int64_t at = first_of(q, i);
    ball s = {0, 0, 0};
    for (int64_t k = 0; k < q->a; k++) {
      ball x = element(arena, &q->in[0], at + k * q->b);
      s = !k ? x : are_endless(s, x) ? ENDLESS : add(s, x);
      put(arena, q, at + k * q->b, s);
    }
  }
  return 0;
}
/* -- products of matrices (README, matrix products) ------------------------------------------------------ */

#define TERMS 32 /* of a dot product, summed before they are added to it as a ball */
#define WIDE 64  /* columns at once */

/* Factors as products need them: h is top + rest, each of half its bits. */
typedef struct {
  double *h, *top, *rest, *l, *r, least; /* the least size of what is not 0 */
  int low, plain;                        /* whether any has a low part; whether all are numbers of half the bits */
} factors;
static factors room(double *words, int64_t count) {
  return (factors){words, words + count, words + 2 * count, words + 3 * count, words + 4 * count, INFINITY, 0, 1};
}
INLINE void take_in(factors *f, int64_t k, ball x) {
  double c = 134217729.0 * x.h, size = fabs(x.h), top = c - (c - x.h), rest = x.h - top;
  f->h[k] = x.h; f->top[k] = top; f->rest[k] = rest; f->l[k] = x.l; f->r[k] = x.r;
  f->low |= x.l != 0;
  f->plain &= (rest == 0) & (x.l == 0) & (x.r == 0);
  f->least = (size > 0) & (size < f->least) ? size : f->least;
  f->least = (x.r > 0) & (x.r < f->least) ? x.r : f->least;
}
typedef struct { double s[LANES], c[LANES], lost[LANES], size[LANES], radius[LANES]; } dots;
/* LANES dot products, of columns from `from`; of plain factors all that would be added is 0. */
INLINE void dot(int64_t terms, const factors *x, const factors *y, int64_t from, int plain_x, int plain_y, dots *restrict all) {
  const double *restrict xh = x->h, *restrict xt = x->top, *restrict xb = x->rest, *restrict xl = x->l, *restrict xr = x->r;
  const double *restrict yh = y->h + from, *restrict yt = y->top + from, *restrict yb = y->rest + from;
  const double *restrict yl = y->l + from, *restrict yr = y->r + from;
  double s[LANES] = {0}, c[LANES] = {0}, lost[LANES] = {0}, size[LANES] = {0}, radius[LANES] = {0};
  for (int64_t k = 0, i = 0; k < terms; k++, i += WIDE)
    for (int j = 0; j < LANES; j++) {
      double p = xh[k] * yh[i + j], more = 0;
      if (!plain_x & !plain_y)
        more = (((xt[k] * yt[i + j] - p) + xt[k] * yb[i + j] + xb[k] * yt[i + j]) + xb[k] * yb[i + j])
             + (xh[k] * yl[i + j] + xl[k] * yh[i + j]);
      else if (!plain_y) more = ((xt[k] * yt[i + j] - p) + xt[k] * yb[i + j]) + xh[k] * yl[i + j];
      else if (!plain_x) more = ((xt[k] * yt[i + j] - p) + xb[k] * yt[i + j]) + xl[k] * yh[i + j];
      dd next = two_sum(s[j], p);
      s[j] = next.h; c[j] += next.l + more;
      lost[j] += fabs(c[j]); size[j] += fabs(p);
      if (!plain_x & !plain_y) radius[j] += fabs(xh[k]) * yr[i + j] + (fabs(yh[i + j]) + yr[i + j]) * xr[k];
      else if (!plain_y) radius[j] += fabs(xh[k]) * yr[i + j];
      else if (!plain_x) radius[j] += fabs(yh[i + j]) * xr[k];
    }
  for (int j = 0; j < LANES; j++) {
    all->s[j] = s[j]; all->c[j] = c[j]; all->lost[j] = lost[j]; all->size[j] = size[j]; all->radius[j] = radius[j];
  }
}
INLINE ball summed_dot(const dots *z, int j, int tiny, int low) {
  dd s = two_sum(z->s[j], z->c[j]);
  double off = 3 * 0x1p-53 * z->lost[j] + (low ? 9 * U2 : 0.0) * z->size[j] + z->radius[j];
  int exact = !tiny & (z->lost[j] == 0) & (z->radius[j] == 0) & (!low | (z->size[j] == 0));
  return with(s, (exact ? 0.0 : (off * (1 + 0x1p-46) + TERMS * ETA) * UP) + 0.0 * s.h);
}
/* A row of so many columns of the product: these terms, after others or as the first. */
VECTORS static void dot_row(int64_t terms, const factors *x, const factors *y, int64_t count, int after, TO) {
  int tiny = x->least * y->least < SMALL, low = x->low | y->low;
  for (int64_t from = 0; from < count; from += LANES) {
    dots z;
    if (x->plain & y->plain) dot(terms, x, y, from, 1, 1, &z);
    else if (x->plain) dot(terms, x, y, from, 1, 0, &z);
    else if (y->plain) dot(terms, x, y, from, 0, 1, &z);
    else dot(terms, x, y, from, 0, 0, &z);
    int64_t some = count - from < LANES ? count - from : LANES;
    for (int64_t j = 0; j < some; j++) {
      int64_t i = from + j;
      ball part = summed_dot(&z, (int)j, tiny, low), whole = after ? add((ball){h[i], l[i], r[i]}, part) : part;
      h[i] = whole.h; l[i] = whole.l; r[i] = whole.r;
    }
  }
}
/* (batches, rows, a) times (batches, a, cols); c is rows. */
static int matrices(const instruction *q, double *arena) {
  int64_t rows = q->c, cols = q->cols, inner = q->a, batches = q->n / (rows * cols);
  double of_x[5 * TERMS], of_y[5 * TERMS * WIDE];
  static const ball zero = {0, 0, 0};
  if (inner == 0)
    for (int64_t i = 0; i < q->n; i++) put(arena, q, i, zero);
  for (int64_t t = 0; t < batches; t++)
    for (int64_t start = 0; start < cols; start += WIDE)
      for (int64_t first = 0; first < inner; first += TERMS) {
        int64_t terms = inner - first < TERMS ? inner - first : TERMS, count = cols - start < WIDE ? cols - start : WIDE;
        int64_t padded = (count + LANES - 1) / LANES * LANES;
        factors y = room(of_y, TERMS * WIDE);
        for (int64_t k = 0; k < terms; k++)
          for (int64_t j = 0; j < padded; j++)
            take_in(&y, k * WIDE + j, j < count ? element(arena, &q->in[1], (t * inner + first + k) * cols + start + j) : zero);
        for (int64_t row = t * rows; row < (t + 1) * rows; row++) {
          double *h = arena + q->out + row * cols + start;
          factors x = room(of_x, TERMS);
          for (int64_t k = 0; k < terms; k++) take_in(&x, k, element(arena, &q->in[0], row * inner + first + k));
          dot_row(terms, &x, &y, count, first > 0, h, h + q->plane, h + 2 * q->plane);
        }
      }
  const double *r = arena + q->out + 2 * q->plane;
  for (int64_t i = 0; i < q->n; i++) {
    if (r[i] < INFINITY) continue;
    int64_t row = i / cols, column = row / rows * inner * cols + i % cols;
    int64_t in_x = endless_in(arena, &q->in[0], row * inner, inner, 1), in_y = endless_in(arena, &q->in[1], column, inner, cols);
    put(arena, q, i, (in_x >= 0) & (in_y >= 0) & (in_x + in_y > 0) ? ENDLESS : LOST);
  }
  return 0;
}

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
