/* What is done row by row: sums, extremes, and what moves. */

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
