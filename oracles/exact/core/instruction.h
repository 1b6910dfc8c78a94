/* An instruction, and its operands block by block. */

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
