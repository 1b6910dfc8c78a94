/* What is done element by element. */

/* What works on a block, element by element, as functions: of their arguments a compiler knows that none is
   written where another is read, and takes several elements at once. */
#define TO double *restrict h, double *restrict l, double *restrict r
#define X get(x, i)
#define Y get(y, i)
/* Beside infinity: times what is surely not 0, or over that, it is infinite; what is known over it is 0. */
INLINE int is_not_zero(ball x) { return fabs(x.h) * (1 - 0x1p-50) > x.r; }
INLINE ball times(ball x, ball y, ball otherwise) {
  return either(infinite(x, y) & is_not_zero(x) & is_not_zero(y), (ball){x.h * y.h, 0, 0}, otherwise);
}
INLINE ball over(ball x, ball y, ball otherwise) {
  double end = x.h / y.h;
  int none = fabs(end) == 0, told = none | ((fabs(end) == INFINITY) & is_not_zero(y));
  return either(infinite(x, y) & told, (ball){none ? 0 : end, 0, 0}, otherwise);
}
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
TWO_OPERANDS(products, times(X, Y, mul(X, Y)))
TWO_OPERANDS(quotients, over(X, Y, quotient(X, Y)))
TWO_OPERANDS(rough_sums, rough_add(X, Y))
TWO_OPERANDS(rough_differences, rough_add(X, negative(Y)))
TWO_OPERANDS(rough_products, times(X, Y, rough_mul(X, Y)))
TWO_OPERANDS(rough_quotients, over(X, Y, rough_div(X, Y)))
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
