/* Products of matrices (README, matrix products). */

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
