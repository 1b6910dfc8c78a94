/* Balls as pairs of doubles, their arithmetic, and where they lie in an arena. */

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
typedef struct { const double *h, *l, *r; } view;
INLINE ball get(view v, int64_t i) { return (ball){v.h[i], v.l[i], v.r[i]}; }
