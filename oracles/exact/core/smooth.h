/* Smooth functions, most of them from Taylor tables, which tables.py writes and Arb proves: see README, tables. */

typedef struct {
  double pairs[8][2], rest[9]; /* coefficients of (x - centre)^k: the first 8 as pairs */
  double error, relative;      /* all that is lost is below error + relative |x - centre| */
  double slope;                /* and what the first three terms of the slope leave of it, below this */
  double bend, near, wide_bend, wide; /* half of the second derivative in balls of radius r <= near, <= wide */
} node;
#include "tables.h"

/* Where a table is asked: the distance from the node, as a ball. */
typedef struct { const node *at; ball d; } place;

static const ball ONE = {1, 0, 0}, HALF = {0.5, 0, 0}, NOTHING = {0, 0, 0}, UNKNOWN = {NAN, NAN, INFINITY};
static const place NOWHERE = {ERF, {0, 0, NAN}};

INLINE double radius_of(const node *at, dd d, double r) {
  double bend = r <= at->near ? at->bend : r <= at->wide ? at->wide_bend : NAN;
  double slope = fabs(at->pairs[1][0] + d.h * (2 * at->pairs[2][0] + d.h * (3 * at->pairs[3][0])));
  double off = at->error + at->relative * fabs(d.h) + (r == 0 ? 0.0 : (slope + at->slope + bend * r) * r);
  return (at->error == 0) & (d.h == 0) & (r == 0) ? 0.0 : (off + ETA) * UP;
}
INLINE ball taylor(place q) {
  const node *at = q.at;
  dd d = mid(q.d);
  double tail = at->rest[8];
  for (int k = 7; k >= 0; k--) tail = at->rest[k] + d.h * tail;
  dd p = mul2(d, (dd){tail, 0.0});
  for (int k = 7; k >= 1; k--) p = mul2(add2(p, (dd){at->pairs[k][0], at->pairs[k][1]}), d);
  p = add2(p, (dd){at->pairs[0][0], at->pairs[0][1]});
  return with(p, radius_of(at, d, q.d.r));
}
/* Nodes j / 64, j from `first` to `last`: every difference here is exact. */
INLINE place uniform(const node *nodes, int64_t first, int64_t last, ball x) {
  double j = rint(x.h * 64);
  if (!((j >= (double)first) & (j <= (double)last))) return NOWHERE;
  return (place){nodes + ((int64_t)j - first), with(two_sum(x.h - j * 0x1p-6, x.l), x.r)};
}
/* Nodes 2^e (1 + j / 64), from 2^low to 2^high: the number is rounded to its first seven bits. */
INLINE place octaves(const node *nodes, int64_t low, int64_t high, ball x) {
  uint64_t bits, first = (uint64_t)(1023 + low) << 6, last = (uint64_t)(1023 + high) << 6;
  double centre;
  memcpy(&bits, &x.h, 8);
  uint64_t j = (bits + (UINT64_C(1) << 45)) >> 46;
  if (!((j >= first) & (j <= last))) return NOWHERE; /* a negative number too */
  bits = j << 46;
  memcpy(&centre, &bits, 8);
  return (place){nodes + (j - first), with(two_sum(x.h - centre, x.l), x.r)};
}
/* x - k pi / 64, a ball, with k the nearest integer: PI_A and PI_B have 27 bits each and k has 26. */
INLINE place turned(ball x, int64_t quarters) {
  if (!(fabs(x.h) <= 0x1p21)) return NOWHERE;
  double k = rint(x.h * PER_TURN);
  dd c = two_prod(k, PI_C);
  c = fast_two_sum(c.h, c.l + k * PI_D);
  ball rest = with(neg2(c), fabs(c.h) * 0x1p-103);
  ball d = add(with(two_sum(x.h - k * PI_A, -(k * PI_B)), 0), rest);
  return (place){SINE + (((int64_t)k + 32 * quarters) & 127), add(d, (ball){x.l, 0, x.r})};
}

INLINE ball exponential(ball x) {
  reduced t = reduce(x);
  return raised(x, t, POWERS[t.whole & 63], 0x1p-100);
}
INLINE ball scaled(ball x, double power) { return (ball){x.h * power, x.l * power, x.r * power}; }
INLINE ball half(ball x) {
  ball z = scaled(x, 0.5);
  return (fabs(x.h) >= SMALL) | is_exactly(x, 0) ? z : with(mid(z), (z.r + ETA) * UP);
}
INLINE ball minus(ball x, ball y) { return add(x, negative(y)); }
INLINE ball centre(ball x) { return with(mid(x), 0); }
/* The value z at the midpoint, for a ball of radius r where the slope is at most so large. */
INLINE ball spread(ball z, double slope, double r) {
  return r == 0 ? z : with(mid(z), (z.r + slope * r * (1 + 0x1p-40) + ETA) * UP);
}
INLINE ball like(ball x, ball z) { return x.h < 0 ? negative(z) : z; }

/* -- with one table: where it is asked, and what becomes of its answer ------------------------------------ */

INLINE place erf_at(ball x) { return uniform(ERF, 0, 576, magnitude(x)); }
INLINE ball erf_of(ball x, ball z) {
  return like(x, fabs(x.h) - x.r > 9 ? (ball){1, 0, 0x1p-120} : z); /* erfc(9) < 2^-120 */
}
INLINE place erfc_at(ball x) { return x.h < 0.5 ? erf_at(x) : octaves(ERFCX, -1, 5, x); }
INLINE ball erfc_with(ball x) { return x.h < 0.5 ? NOTHING : negative(mul(x, x)); }
INLINE ball erfc_of(ball x, ball z, ball e) {
  if (x.h < 0.5) return minus(ONE, erf_of(x, z));
  if (x.h - x.r > 26.4) return (ball){0, 0, 0x1p-1011}; /* erfc(26.4) < 2^-1011 */
  return mul(e, z);
}
INLINE place sin_at(ball x) { return turned(x, 0); }
INLINE place cos_at(ball x) { return turned(x, 1); }
INLINE ball itself(ball x, ball z) { (void)x; return z; }
INLINE ball cos_of(ball x, ball z) { return is_exactly(x, 0) ? ONE : z; }
INLINE int expm1_near(ball x) { return (fabs(x.h) <= 0.5) & (x.r <= 0.125); }
INLINE place expm1_at(ball x) { return uniform(EXPM1, -32, 32, x); }
INLINE ball expm1_with(ball x) { return expm1_near(x) ? NOTHING : x; }
INLINE ball expm1_of(ball x, ball z, ball e) { return expm1_near(x) ? z : minus(e, ONE); }
/* log x = log m + e log 2 with m = x 2^-e from 3/4 to 3/2; m - 1 is exact. */
INLINE int64_t exponent_of(double h) {
  uint64_t bits;
  memcpy(&bits, &h, 8);
  return (int64_t)((bits - UINT64_C(0x3fe8000000000000) + (UINT64_C(1024) << 52)) >> 52) - 1024;
}
INLINE double power_of_two(int64_t e) {
  uint64_t bits = (uint64_t)(1023 + e) << 52;
  double power;
  memcpy(&power, &bits, 8);
  return power;
}
INLINE place log_at(ball x) {
  if (!((x.h > 0x1p-1000) & (x.h < 0x1p1000))) return NOWHERE;
  double scale = power_of_two(-exponent_of(x.h));
  return uniform(LOG1P, -16, 32, with(two_sum(x.h * scale - 1, x.l * scale), 0));
}
/* log(m + d) - log(m) <= d / (m - d) for the midpoint m */
INLINE ball log_spread(ball z, double m, double r) {
  double low = m * (1 - 0x1p-50) - r;
  return low > 0 ? spread(z, (1 / low) * (1 + 0x1p-50), r) : UNKNOWN;
}
INLINE ball log_of(ball x, ball z) {
  if (!(z.r < INFINITY)) return UNKNOWN;
  double e = (double)exponent_of(x.h);
  return log_spread(e == 0 ? z : add(z, mul((ball){e, 0, 0}, LOG_TWO)), x.h, x.r);
}
INLINE int log1p_near(ball x) { return (x.h >= -0.25) & (x.h <= 0.5); }
INLINE place log1p_at(ball x) { return log1p_near(x) ? uniform(LOG1P, -16, 32, centre(x)) : log_at(add(ONE, x)); }
INLINE ball log1p_of(ball x, ball z) { return log1p_near(x) ? log_spread(z, 1 + x.h, x.r) : log_of(add(ONE, x), z); }
INLINE place atan_at(ball x) {
  ball y = magnitude(x);
  return uniform(ATAN, 0, 64, y.h <= 1 ? y : quotient(ONE, y));
}
INLINE ball atan_of(ball x, ball z) { return like(x, fabs(x.h) <= 1 ? z : minus(PI_HALF, z)); }

/* Places next to each other at once: LANES columns of each coefficient, so that a compiler can use vectors. */
VECTORS static void taylors(const place *q, ball *z) {
  double c[25][LANES], dh[LANES], dl[LANES], tail[LANES], ph[LANES], pl[LANES];
  for (int i = 0; i < LANES; i++) {
    const double *from = &q[i].at->pairs[0][0];
    for (int k = 0; k < 25; k++) c[k][i] = from[k];
    dh[i] = q[i].d.h; dl[i] = q[i].d.l;
    tail[i] = c[24][i];
  }
  for (int k = 23; k >= 16; k--)
    for (int i = 0; i < LANES; i++) tail[i] = c[k][i] + dh[i] * tail[i];
  for (int i = 0; i < LANES; i++) {
    dd p = mul2((dd){dh[i], dl[i]}, (dd){tail[i], 0.0});
    ph[i] = p.h; pl[i] = p.l;
  }
  for (int k = 7; k >= 1; k--)
    for (int i = 0; i < LANES; i++) {
      dd p = mul2(add2((dd){ph[i], pl[i]}, (dd){c[2 * k][i], c[2 * k + 1][i]}), (dd){dh[i], dl[i]});
      ph[i] = p.h; pl[i] = p.l;
    }
  for (int i = 0; i < LANES; i++) {
    dd p = add2((dd){ph[i], pl[i]}, (dd){c[0][i], c[1][i]});
    z[i] = with(p, radius_of(q[i].at, mid(q[i].d), q[i].d.r));
  }
}
/* The same by coefficients of one double. */
VECTORS static void rough_taylors(const place *q, ball *z) {
  double c[17][LANES], d[LANES], p[LANES], size[LANES];
  for (int i = 0; i < LANES; i++) {
    for (int k = 0; k < 8; k++) c[k][i] = q[i].at->pairs[k][0];
    for (int k = 8; k < 17; k++) c[k][i] = q[i].at->rest[k - 8];
    d[i] = q[i].d.h;
    p[i] = c[16][i];
    size[i] = fabs(p[i]);
  }
  for (int k = 15; k >= 0; k--)
    for (int i = 0; i < LANES; i++) {
      p[i] = c[k][i] + d[i] * p[i];
      size[i] = fabs(p[i]) + fabs(d[i]) * size[i];
    }
  for (int i = 0; i < LANES; i++) {
    double r = radius_of(q[i].at, mid(q[i].d), off(q[i].d));
    z[i] = (ball){p[i], 0, (r + 5 * U * size[i]) * UP};
  }
}
INLINE void by_table(int64_t count, view x, place at(ball), void taylors_of(const place *, ball *), ball *z) {
  place q[LANES];
  for (int64_t start = 0; start < count; start += LANES) {
    for (int64_t i = 0; i < LANES; i++) q[i] = start + i < count ? at(get(x, start + i)) : NOWHERE;
    taylors_of(q, z + start);
  }
}
#define EACH_BY_TABLE(name, all, taylors_of) \
  static void all(int64_t count, view x, double *h, double *l, double *r) { \
    ball z[BLOCK]; \
    by_table(count, x, name##_at, taylors_of, z); \
    for (int64_t i = 0; i < count; i++) { \
      ball y = name##_of(get(x, i), z[i]); \
      h[i] = y.h; l[i] = y.l; r[i] = y.r; \
    } \
  }
#define BY_TABLE(name) \
  INLINE ball name##_one(ball x) { return name##_of(x, taylor(name##_at(x))); } \
  EACH_BY_TABLE(name, name##_all, taylors) \
  EACH_BY_TABLE(name, rough_##name##_all, rough_taylors)
/* The same, with e to an argument of its own, all of a block at once. */
#define EACH_WITH_POWER(name, all, taylors_of, powers) \
  static void all(int64_t count, view x, double *h, double *l, double *r) { \
    ball z[BLOCK]; \
    double ah[BLOCK], al[BLOCK], ar[BLOCK]; \
    for (int64_t i = 0; i < count; i++) { \
      ball a = name##_with(get(x, i)); \
      ah[i] = a.h; al[i] = a.l; ar[i] = a.r; \
    } \
    powers(count, ah, al, ar, h, l, r); \
    by_table(count, x, name##_at, taylors_of, z); \
    for (int64_t i = 0; i < count; i++) { \
      ball y = name##_of(get(x, i), z[i], (ball){h[i], l[i], r[i]}); \
      h[i] = y.h; l[i] = y.l; r[i] = y.r; \
    } \
  }
#define WITH_POWER(name) \
  INLINE ball name##_one(ball x) { return name##_of(x, taylor(name##_at(x)), exponential(name##_with(x))); } \
  EACH_WITH_POWER(name, name##_all, taylors, exponentials) \
  EACH_WITH_POWER(name, rough_##name##_all, rough_taylors, rough_exponentials)
#define BY_ITSELF(name) \
  static void name##_all(int64_t count, view x, double *h, double *l, double *r) { \
    for (int64_t i = 0; i < count; i++) { \
      ball z = name##_one(get(x, i)); \
      h[i] = z.h; l[i] = z.l; r[i] = z.r; \
    } \
  }
#define sin_of itself

BY_TABLE(erf) BY_TABLE(sin) BY_TABLE(cos) BY_TABLE(atan)
WITH_POWER(erfc) WITH_POWER(expm1)
BY_TABLE(log) BY_TABLE(log1p)

/* -- composed, each at the midpoint, with the largest slope in the ball ----------------------------------- */

INLINE ball tan_one(ball x) { return quotient(sin_one(x), cos_one(x)); }
INLINE ball sinh_one(ball x) {
  ball y = magnitude(x), z;
  if (y.h <= 0.5) {
    ball e = expm1_one(centre(y));
    double m = y.h + y.r;
    if (!(m <= 1)) return UNKNOWN;
    z = spread(half(add(e, quotient(e, add(ONE, e)))), 1 + 0.5431 * m * m, y.r); /* cosh m for m <= 1 */
  } else {
    ball e = exponential(y);
    z = half(minus(e, quotient(ONE, e)));
  }
  return like(x, z);
}
INLINE ball cosh_one(ball x) {
  if (is_exactly(x, 0)) return ONE;
  ball y = magnitude(x), e = exponential(centre(y)), z = half(add(e, quotient(ONE, e)));
  double most = (z.h + z.r) * (1 + 2 * y.r) * (1 + 0x1p-40); /* cosh(y + r) <= cosh(y) e^r, and r <= 1 */
  double slope = fmin((y.h + y.r) * most, sqrt((most - 1) * (most + 1)) + 0x1p-20 * most) * (1 + 0x1p-40);
  return y.r <= 1 ? spread(z, slope, y.r) : UNKNOWN;
}
INLINE ball asinh_one(ball x) {
  ball y = centre(magnitude(x)), square = mul(y, y);
  ball z = log1p_one(add(y, quotient(square, add(ONE, root(add(ONE, square))))));
  double m = fabs(x.h) * (1 - 0x1p-40) - x.r;
  return like(x, spread(z, m > 0 ? 1 / sqrt(1 + m * m) : 1, x.r));
}
INLINE ball acosh_one(ball x) {
  ball y = minus(centre(x), ONE), z = log1p_one(add(y, root(mul(y, add(y, (ball){2, 0, 0})))));
  double m = y.h * (1 - 0x1p-40) - x.r; /* below x - 1 */
  return m > 0 ? spread(z, 1 / sqrt(m * (m + 2)), x.r) : is_exactly(x, 1) ? z : UNKNOWN;
}
INLINE ball atanh_one(ball x) {
  ball y = centre(magnitude(x)), other = minus(ONE, y);
  ball z = half(log1p_one(quotient(scaled(y, 2), other)));
  double m = other.h * (1 - 0x1p-40) - x.r; /* below 1 - |x| */
  return m > 0 ? like(x, spread(z, 1 / (m * (2 - m)), x.r)) : UNKNOWN;
}
/* sqrt(1 - x^2) / x, or where that is larger than 1 its reciprocal. */
INLINE ball leg(ball y) { return root(mul(minus(ONE, y), add(ONE, y))); }
INLINE double steep(ball y, double r) { /* 1 / sqrt(1 - x^2) */
  double m = minus(ONE, y).h * (1 - 0x1p-40) - r;
  return m > 0 ? 1 / sqrt(m * (2 - m)) : NAN;
}
INLINE ball asin_one(ball x) {
  ball y = centre(magnitude(x));
  ball z = y.h <= 0.7 ? atan_one(quotient(y, leg(y))) : minus(PI_HALF, atan_one(quotient(leg(y), y)));
  return like(x, spread(z, steep(y, x.r), x.r));
}
INLINE ball acos_one(ball x) {
  ball y = centre(magnitude(x)), z;
  if (y.h <= 0.7) z = minus(PI_HALF, like(x, atan_one(quotient(y, leg(y)))));
  else {
    z = atan_one(quotient(leg(y), y));
    if (x.h < 0) z = minus(scaled(PI_HALF, 2), z);
  }
  return spread(z, steep(y, x.r), x.r);
}
/* a^3 - z^3 = (a - z)(a^2 + a z + z^2), and a >= z (1 - s) where a^3 >= z^3 (1 - s) */
INLINE ball cbrt_one(ball x) {
  ball y = magnitude(x);
  double s = cbrt(y.h);
  ball p = {s, 0, 0}, d = minus(centre(y), mul(p, mul(p, p)));
  dd z = fast_two_sum(s, d.h / (3 * s * s));
  p = with(z, 0);
  ball cube = mul(p, mul(p, p));
  d = minus(y, cube);
  double off = (fabs(d.h) * (1 + 0x1p-50) + d.r) * UP, share = off / cube.h * (1 + 0x1p-40);
  double least = 3 * z.h * z.h * (1 - share) * (1 - share) * (1 - 0x1p-40);
  if ((x.h == 0) & (x.r == 0)) return x;
  return (share <= 0.5) & (y.h > 0x1p-800) ? like(x, with(z, (off / least + ETA) * UP)) : UNKNOWN;
}
/* log Gamma and its derivatives: from 1/16 to 256 by tables, Stirling's series beyond, with seven factors. */
INLINE ball gamma_argument(ball x) { return x.h < 0.0625 ? add(ONE, x) : x; }
INLINE ball stirling(const ball *factors, ball w) {
  ball sum = factors[5];
  for (int k = 4; k >= 0; k--) sum = add(factors[k], mul(w, sum));
  double seventh = w.h * w.h * w.h * w.h * w.h * w.h * factors[6].h * (1 + 0x1p-40);
  return with(mid(sum), (sum.r + fabs(seventh)) * UP);
}
/* The value z far away, for a slope that is at most so large at m, the lower end of the ball. */
#define FAR(z, slope) double m = x.h * (1 - 0x1p-40) - x.r; return m > 1 ? spread(z, slope, x.r) : UNKNOWN
INLINE ball lgamma_far(ball x) {
  ball y = centre(x), v = quotient(ONE, y), l = log_one(y);
  ball z = add(minus(mul(minus(y, HALF), l), y), add(HALF_LOG_TWO_PI, mul(v, stirling(LGAMMA_FAR, mul(v, v)))));
  FAR(z, (l.h + l.r) * (1 + 0x1p-40) + x.r / m);
}
INLINE ball digamma_far(ball x) {
  ball y = centre(x), v = quotient(ONE, y), w = mul(v, v);
  FAR(minus(log_one(y), add(half(v), mul(w, stirling(DIGAMMA_FAR, w)))), 1 / m + 1 / (m * m));
}
/* The n-th derivative of digamma: (-1)^(n+1) v^n ((n-1)! + n! v / 2 + v^2 times the series), v = 1 / x. */
INLINE ball power_of(ball x, int n) {
  ball z = x;
  for (int k = 1; k < n; k++) z = mul(z, x);
  return z;
}
/* n! / m^(n+1) + (n+1)! / m^(n+2) */
INLINE double steepness(int n, double factorial, double m) {
  double power = m;
  for (int k = 0; k < n; k++) power *= m;
  return factorial / power + (n + 1) * factorial / (power * m);
}
INLINE ball alternating(int n, ball z) { return n % 2 ? z : negative(z); }
INLINE ball polygamma_far(const ball *factors, int n, double before, double factorial, ball x) {
  ball v = quotient(ONE, centre(x)), w = mul(v, v);
  ball first = add((ball){before, 0, 0}, mul((ball){factorial / 2, 0, 0}, v));
  ball z = mul(power_of(v, n), add(first, mul(w, stirling(factors, w))));
  FAR(alternating(n, z), steepness(n, factorial, m));
}
INLINE place lgamma_at(ball x) { return octaves(LGAMMA, -4, 8, gamma_argument(x)); }
INLINE place digamma_at(ball x) { return octaves(DIGAMMA, -4, 8, gamma_argument(x)); }
INLINE ball lgamma_of(ball x, ball z) {
  return x.h < 0.0625 ? minus(z, log_one(x)) : x.h <= 256 ? z : lgamma_far(x);
}
INLINE ball digamma_of(ball x, ball z) {
  return x.h < 0.0625 ? minus(z, quotient(ONE, x)) : x.h <= 256 ? z : digamma_far(x);
}
BY_TABLE(lgamma) BY_TABLE(digamma)
#define POLYGAMMA(name, TABLE, FACTORS, n, before, factorial) \
  INLINE place name##_at(ball x) { return octaves(TABLE, -4, 8, gamma_argument(x)); } \
  INLINE ball name##_of(ball x, ball z) { \
    if (x.h >= 0.0625) return x.h <= 256 ? z : polygamma_far(FACTORS, n, before, factorial, x); \
    return add(z, alternating(n, mul((ball){factorial, 0, 0}, power_of(quotient(ONE, x), n + 1)))); \
  } \
  BY_TABLE(name)
POLYGAMMA(trigamma, TRIGAMMA, TRIGAMMA_FAR, 1, 1, 1)
POLYGAMMA(tetragamma, TETRAGAMMA, TETRAGAMMA_FAR, 2, 1, 2)
POLYGAMMA(pentagamma, PENTAGAMMA, PENTAGAMMA_FAR, 3, 2, 6)
POLYGAMMA(hexagamma, HEXAGAMMA, HEXAGAMMA_FAR, 4, 6, 24)

BY_ITSELF(tan) BY_ITSELF(sinh) BY_ITSELF(cosh) BY_ITSELF(asinh) BY_ITSELF(acosh) BY_ITSELF(atanh)
BY_ITSELF(asin) BY_ITSELF(acos) BY_ITSELF(cbrt)

/* tanh is odd, so that of x with the sign that makes its midpoint positive: (1 - q) / (1 + q) with q = e^-2x; but near
   0, where that has few digits. */
#define TANGENTS(all, powers, plus, over) \
  VECTORS static void all##_far(int64_t count, view x, double *restrict h, double *restrict l, double *restrict r) { \
    double yh[BLOCK], yl[BLOCK], yr[BLOCK], qh[BLOCK], ql[BLOCK], qr[BLOCK]; \
    for (int64_t i = 0; i < count; i++) { \
      double twice = x.h[i] < 0 ? 2 : -2; \
      yh[i] = twice * x.h[i]; yl[i] = twice * x.l[i]; yr[i] = 2 * x.r[i]; \
    } \
    powers(count, yh, yl, yr, qh, ql, qr); \
    for (int64_t i = 0; i < count; i++) { \
      ball q = {qh[i], ql[i], qr[i]}, one = {1, 0, 0}; \
      ball t = over(plus(one, negative(q)), plus(one, q)); \
      int down = x.h[i] < 0; \
      t.r = (fabs(x.h[i]) > FEW) | (t.r == 0) ? t.r : NAN; \
      h[i] = down ? -t.h : t.h; l[i] = down ? -t.l : t.l; r[i] = t.r; \
    } \
  } \
  static void all(int64_t count, view x, double *h, double *l, double *r) { \
    all##_far(count, x, h, l, r); \
    for (int64_t i = 0; i < count; i++) \
      if ((fabs(x.h[i]) <= 0x1p-6) & (x.r[i] <= 0.0625)) { \
        ball e = expm1_one(scaled(get(x, i), 2)), z = quotient(e, add(e, (ball){2, 0, 0})); \
        h[i] = z.h; l[i] = z.l; r[i] = z.r; \
      } \
  }
TANGENTS(tanh_all, exponentials, add, quotient)
TANGENTS(rough_tanh_all, rough_exponentials, rough_add, rough_div)

/* Those that only rise or only fall, where they are defined; those between -1 and 1; and the others. */
#define MONOTONE(APPLY) APPLY(erf) APPLY(erfc) APPLY(expm1) APPLY(log1p) APPLY(atan) APPLY(sinh) APPLY(asinh) APPLY(acosh) \
  APPLY(atanh) APPLY(asin) APPLY(acos) APPLY(cbrt)
#define WAVES(APPLY) APPLY(sin) APPLY(cos)
#define OTHER_SMOOTH(APPLY) APPLY(tan) APPLY(cosh) APPLY(lgamma) APPLY(digamma) APPLY(trigamma) \
  APPLY(tetragamma) APPLY(pentagamma) APPLY(hexagamma)
#define SMOOTH(APPLY) MONOTONE(APPLY) WAVES(APPLY) OTHER_SMOOTH(APPLY)
/* Those of them, and log, that have a rough kernel; tanh has one, too. */
#define TABLED(APPLY) APPLY(log) APPLY(erf) APPLY(erfc) APPLY(sin) APPLY(cos) APPLY(expm1) APPLY(log1p) APPLY(atan) \
  APPLY(lgamma) APPLY(digamma) APPLY(trigamma) APPLY(tetragamma) APPLY(pentagamma) APPLY(hexagamma)
