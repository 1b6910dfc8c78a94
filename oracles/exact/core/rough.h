/* Rough balls: midpoints of one double, for what need not be known further (README, rough balls). */

#define U 0x1p-53
/* What the high part alone may be off by. */
INLINE double off(ball x) { return fabs(x.l) + x.r; }

INLINE ball rough_add(ball x, ball y) {
  double z = x.h + y.h;
  ball sum = {z, 0, ((off(x) + off(y)) + U * fabs(z)) * UP};
  return either(infinite(x, y) & (fabs(z) == INFINITY), (ball){z, 0, 0}, sum);
}
INLINE ball rough_mul(ball x, ball y) {
  double z = x.h * y.h, ax = fabs(x.h), ay = fabs(y.h);
  int zero = ((ax == 0) & (x.r == 0)) | ((ay == 0) & (y.r == 0));
  double r = ((ax * off(y) + (ay + off(y)) * off(x)) + U * fabs(z) + ETA) * UP;
  return either(zero, (ball){0, 0, 0.0 * (ax + ay + x.r + y.r)}, (ball){z, 0, r}); /* NaN beside what is not known */
}
INLINE ball rough_div(ball x, ball y) {
  double q = x.h / y.h, ay = fabs(y.h), aq = fabs(q);
  double below = (ay * (1 - 0x1p-50) - off(y)) * (1 - 0x1p-50);
  double rest = off(x) + aq * off(y) + (U * aq + 0x1p-1074) * ay + ETA;
  int known = below > 0x1p-400, zero = (x.h == 0) & (x.r == 0);
  return either(zero & known, (ball){0, 0, 0}, (ball){q, 0, known ? (rest / below + ETA) * UP : NAN});
}
INLINE ball rough_root(ball x) {
  double s = sqrt(x.h), below = (x.h * (1 - 0x1p-50) - off(x)) * (1 - 0x1p-50);
  double r = (off(x) / ((sqrt(below) + s) * (1 - 0x1p-50)) + U * s + ETA) * UP;
  return either((x.h == 0) & (x.r == 0), (ball){0, 0, 0}, (ball){s, 0, below > 0x1p-400 ? r : NAN});
}
INLINE reduced rough_reduce(double x) {
  double big = 0x1.8p52, shifted = x * LOG2_64 + big, k = shifted - big;
  uint64_t bits;
  memcpy(&bits, &shifted, 8);
  double t = ((x - k * LN_A) - k * LN_B) - k * LN_C;
  double p = FACTORIAL[4].h + t * (FACTORIAL[5].h + t * FACTORIAL[6].h);
  p = 1 + t * (1 + t * (0.5 + t * (FACTORIAL[3].h + t * p)));
  return (reduced){{p, 0}, bits - UINT64_C(0x4338000000000000)};
}
VECTORS static void rough_exponentials(int64_t count, const double *xh, const double *xl, const double *xr,
                                       double *restrict h, double *restrict l, double *restrict r) {
  double p[BLOCK], power[BLOCK];
  uint64_t whole[BLOCK];
  for (int64_t i = 0; i < count; i++) {
    reduced t = rough_reduce(xh[i]);
    p[i] = t.p.h; whole[i] = t.whole;
  }
  for (int64_t i = 0; i < count; i++) power[i] = POWERS[whole[i] & 63].h;
  for (int64_t i = 0; i < count; i++) {
    ball x = {xh[i], 0, xr[i] + fabs(xl[i])};
    ball z = raised(x, (reduced){{p[i], 0}, whole[i]}, (dd){power[i], 0}, 4.0 * U);
    h[i] = z.h; l[i] = z.l; r[i] = z.r;
  }
}
