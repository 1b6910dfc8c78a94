"""The core with faults, to see that the tests of its kernels find each: one library, one fault at a time."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from oracles.exact.core.build import FLAGS, INCLUDED, SOURCE, build


class Mutant(NamedTuple):
    """A fault: an expression of the core, and what stands in its place; and which trial must see it."""

    seen_by: str
    right: str
    wrong: str


RADII = "ax * y.r + (ay + y.r) * x.r"
ROUGH_RADII = "ax * off(y) + (ay + off(y)) * off(x)"
ROUGH_REST = "off(x) + aq * off(y) + (U * aq + 0x1p-1074) * ay"
REST = "lost(p.h) + x.r + fabs(z.h) * (1 + 0x1p-50) * y.r"
ABOVE = "(x.r + y.r + 8 * U2 * fabs(d.h)) * UP"
OF_TERMS = "fabs(xh[k]) * yr[i + j] + (fabs(yh[i + j]) + yr[i + j]) * xr[k]"
OF_MIDPOINTS = "fabs(xh[k]) * yr[i + j] + fabs(yh[i + j]) * xr[k]"
PLAIN = "(rest == 0) & (x.l == 0) & (x.r == 0)"
LOW_PARTS = "(xh[k] * yl[i + j] + xl[k] * yh[i + j])"
SCATTERED = "(z.h == 0) & (z.r == 0) ? x : are_endless(z, x) ? ENDLESS : add(z, x)"
HALF, NONE = "(ball){0.5, 0, 0.5}", "(ball){0, 0, 0}"
NOT_ZERO, UNLESS_ZERO = "is_not_zero(x) & is_not_zero(y)", "(fabs(end) == INFINITY) & is_not_zero(y)"
EITHER = "is_endless(x) | is_endless(y)"
MUTANTS = {
    "two_sum as if sorted": Mutant("add", "(a - (s - z)) + (b - z)", "b - (s - a)"),
    "two_prod split elsewhere": Mutant("mul", "134217729.0 * a", "1048577.0 * a"),
    "add without rounding": Mutant("add", "(x.l == 0) & (y.l == 0) ? 0.0 : 4 * U2", "0.0"),
    "add without a radius": Mutant("add", "((x.r + y.r) + off * fabs(z.h))", "(x.r + off * fabs(z.h))"),
    "mul without rounding": Mutant("mul", "10 * U2 * fabs(h)", "0.0 * h"),
    "mul without underflow": Mutant("mul", "lost(z.h) + ETA", "lost(z.h)"),
    "mul exact among subnormal numbers": Mutant("mul", "(fabs(z.h) >= SMALL)", "(z.h == z.h)"),
    "mul without a radius": Mutant("mul", RADII, "(ay + y.r) * x.r"),
    "mul without the radii's product": Mutant("mul", RADII, "ax * y.r + ay * x.r"),
    "0 by a huge number": Mutant(
        "mul", "(ball){0, 0, none}", "with(z, none)"
    ),
    "div without the radius of x": Mutant("div", REST, "lost(p.h) + fabs(z.h) * (1 + 0x1p-50) * y.r"),
    "div without the radius of y": Mutant("div", REST, "lost(p.h) + x.r"),
    "div by the middle of y": Mutant("div", "(fabs(y.h) * (1 - 0x1p-50) - y.r)", "fabs(y.h)"),
    "sqrt without its radius": Mutant("sqrt", "lost(p.h) + x.r + ETA", "lost(p.h) + ETA"),
    "sqrt over the middle of x": Mutant("sqrt", "(x.h * (1 - 0x1p-50) - x.r)", "x.h"),
    "exp short of a term": Mutant("exp", "FACTORIAL[9].h", "0.0"),
    "exp short of a factor": Mutant("exp", "mul2(add2(p, FACTORIAL[3]), t)", "mul2(p, t)"),
    "exp without the low part": Mutant("exp", "add2(t, (dd){x.l, 0.0})", "t"),
    "exp reduced roughly": Mutant("exp", "two_prod(k, LN_C)", "two_prod(0, LN_C)"),
    "exp below the normal numbers at once": Mutant("exp", "small ? UINT64_C(128) << 52 : 0", "0"),
    "exp below the normal numbers exactly": Mutant("exp", "z.h * relative + ETA", "z.h * relative"),
    "exp with its slope in the middle": Mutant("exp", "(1 + x.r * (0.5 + 0.25 * x.r))", "1"),
    "exp without the third power of a radius": Mutant("exp", "(0.5 + 0.25 * x.r)", "0.5"),
    "erf exactly 1 far away": Mutant("erf", "(ball){1, 0, 0x1p-120}", "ONE"),
    "erf 1 too soon": Mutant("erf", "fabs(x.h) - x.r > 9", "fabs(x.h) - x.r > 8"),
    "erfc exactly 0 far away": Mutant("erfc", "(ball){0, 0, 0x1p-1011}", "NOTHING"),
    "an odd function as an even one": Mutant("atan", "x.h < 0 ? negative(z) : z", "z"),
    "a table without its error": Mutant("sin", "at->error + at->relative * fabs(d.h)", "0.0"),
    "a table without its bend": Mutant("atan", "slope + at->slope + bend * r", "slope + at->slope"),
    "a table without its slope": Mutant("erf", "slope + at->slope + bend * r", "bend * r"),
    "turned by a rough pi": Mutant("cos", "c.l + k * PI_D", "c.l"),
    "log of a power of two lost": Mutant("log", "mul((ball){e, 0, 0}, LOG_TWO)", "NOTHING"),
    "log with its slope in the middle": Mutant("log1p", "m * (1 - 0x1p-50) - r", "m"),
    "a spread without its slope": Mutant("asinh", "z.r + slope * r * (1 + 0x1p-40) + ETA", "z.r + ETA"),
    "sinh with its slope at 0": Mutant("sinh", "1 + 0.5431 * m * m", "1"),
    "cosh with its slope in the middle": Mutant("cosh", "(1 + 2 * y.r)", "1"),
    "acosh with half of its slope": Mutant("acosh", "1 / sqrt(m * (m + 2))", "0.5 / sqrt(m * (m + 2))"),
    "atanh with half of its slope": Mutant("atanh", "1 / (m * (2 - m))", "0.5 / (m * (2 - m))"),
    "asin with half of its slope": Mutant("asin", "1 / sqrt(m * (2 - m))", "0.5 / sqrt(m * (2 - m))"),
    "acos short of a half turn": Mutant("acos", "scaled(PI_HALF, 2)", "PI_HALF"),
    "cbrt without the radius": Mutant("cbrt", "(fabs(d.h) * (1 + 0x1p-50) + d.r) * UP", "fabs(d.h) * UP"),
    "expm1 without its 1": Mutant("expm1", "minus(e, ONE)", "e"),
    "lgamma far away with its slope lost": Mutant("lgamma", "(l.h + l.r) * (1 + 0x1p-40) + x.r / m", "0.0"),
    "digamma near 0 as at 1": Mutant("digamma", "minus(z, quotient(ONE, x))", "z"),
    "polygamma short of a power near 0": Mutant(
        "tetragamma", "power_of(quotient(ONE, x), n + 1)", "power_of(quotient(ONE, x), n)"
    ),
    "polygamma far away with a sign lost": Mutant("hexagamma", "n % 2 ? z : negative(z)", "z"),
    "polygamma far away without half of a term": Mutant("pentagamma", "factorial / 2", "0.0 * factorial"),
    "polygamma far away without its series": Mutant("trigamma", "mul(w, stirling(factors, w))", "NOTHING"),
    "polygamma with a slope too small": Mutant(
        "tetragamma", "factorial / power + (n + 1) * factorial / (power * m)", "0.5 * factorial / power"
    ),
    "tanh with a sign lost": Mutant("tanh", "down ? -t.l : t.l", "t.l"),
    "rough add without rounding": Mutant(
        "rough_add", "(off(x) + off(y)) + U * fabs(z)", "(off(x) + off(y))"
    ),
    "rough balls without their low part": Mutant("rough_mul", "fabs(x.l) + x.r", "x.r"),
    "rough mul without rounding": Mutant("rough_mul", "U * fabs(z) + ETA", "ETA"),
    "rough mul without underflow": Mutant("rough_mul", "U * fabs(z) + ETA", "U * fabs(z)"),
    "rough mul without a radius": Mutant("rough_mul", ROUGH_RADII, "(ay + off(y)) * off(x)"),
    "rough mul without the radii's product": Mutant("rough_mul", ROUGH_RADII, "ax * off(y) + ay * off(x)"),
    "rough div without rounding": Mutant("rough_div", ROUGH_REST, "off(x) + aq * off(y)"),
    "rough div without the radius of y": Mutant(
        "rough_div", ROUGH_REST, "off(x) + (U * aq + 0x1p-1074) * ay"
    ),
    "rough div without the radius of x": Mutant(
        "rough_div", ROUGH_REST, "aq * off(y) + (U * aq + 0x1p-1074) * ay"
    ),
    "rough div by the middle of y": Mutant("rough_div", "(ay * (1 - 0x1p-50) - off(y))", "ay"),
    "rough sqrt without rounding": Mutant("rough_sqrt", "U * s + ETA", "ETA"),
    "rough sqrt without its radius": Mutant(
        "rough_sqrt", "off(x) / ((sqrt(below) + s) * (1 - 0x1p-50))", "0.0"
    ),
    "rough sqrt over the middle of x": Mutant("rough_sqrt", "(x.h * (1 - 0x1p-50) - off(x))", "x.h"),
    "rough exp short of a term": Mutant("rough_exp", "t * (FACTORIAL[5].h + t * FACTORIAL[6].h)", "0.0"),
    "rough exp reduced at once": Mutant(
        "rough_exp", "((x - k * LN_A) - k * LN_B)", "(x - k * (LN_A + LN_B))"
    ),
    "rough exp without rounding": Mutant("rough_exp", "4.0 * U", "0.25 * U"),
    "rough exp without its low part": Mutant("rough_exp", "xr[i] + fabs(xl[i])", "xr[i]"),
    "rough tables without rounding": Mutant("rough_log", "5 * U * size[i]", "0.0"),
    "rough tables short of a term": Mutant(
        "rough_log", "c[k][i] + d[i] * p[i]", "(k == 5 ? 0 : c[k][i]) + d[i] * p[i]"
    ),
    "larger up to one end": Mutant("larger", "(ux > uy ? ux : uy)", "ux"),
    "larger up to the other's middle": Mutant(
        "larger", "d.h + other.r + (fabs(d.h) + other.r) * 0x1p-50", "d.h"
    ),
    "larger of the others' middles": Mutant("top", "k != best && reach > most", "0"),
    "larger at the lower end": Mutant("larger", "lx >= uy", "lx >= ly"),
    "abs without its low part's sign": Mutant(
        "abs", "x.h < 0 ? negative(x) : x", "x.h < 0 ? with((dd){-x.h, x.l}, x.r) : x"
    ),
    "integers of 53 bits": Mutant("integer", "(double)(p[i] - (int64_t)whole)", "0.0"),
    "sum without rounding": Mutant("sum", "4 * U2 * (double)(terms + 8) * size", "0.0 * size"),
    "sum without some radii": Mutant("sum", "s.radius[j + n]", "0"),
    "extreme up to its own end": Mutant("top", "high > upper(top) ? high : upper(top)", "upper(top)"),
    "extreme that is not asked": Mutant("bottom", "high > low", "0"),
    "matrices without rounding": Mutant("matmul", "3 * 0x1p-53 * z->lost[j]", "0.0 * z->lost[j]"),
    "matrices without rounding of low parts": Mutant("matmul", "(low ? 9 * U2 : 0.0)", "0.0"),
    "matrices without underflow": Mutant("matmul", "(off * (1 + 0x1p-46) + TERMS * ETA)", "off"),
    "matrices exact among subnormal numbers": Mutant("matmul", "x->least * y->least < SMALL", "0"),
    "matrices without a radius": Mutant("matmul", OF_TERMS, "fabs(xh[k]) * yr[i + j]"),
    "matrices without the other radius": Mutant("matmul", OF_TERMS, "fabs(yh[i + j]) * xr[k]"),
    "matrices without the radii's product": Mutant("matmul", OF_TERMS, OF_MIDPOINTS),
    "matrices of whole numbers as of halves": Mutant("matmul", PLAIN, "(x.l == 0) & (x.r == 0)"),
    "matrices of balls as of numbers": Mutant("matmul", PLAIN, "(rest == 0) & (x.l == 0)"),
    "matrices without a low part": Mutant("matmul", LOW_PARTS, "xh[k] * yl[i + j]"),
    "scatter that overwrites": Mutant("scatter", SCATTERED, "x"),
    "no end beside what is not known": Mutant(
        "endless", f"({EITHER}) & is_settled(x) & is_settled(y)", EITHER
    ),
    "no end of a row with what is not known": Mutant("endless", "!is_settled(x)", "0"),
    "no end of what is merely lost": Mutant("endless", "endless ? INFINITY : NAN", "r[i]"),
    "no end of what certainly overflows": Mutant("overflow", "(below < overflow * 0.9)", "1"),
    "no end of what does not overflow": Mutant("overflow", "!(above < overflow)", "1"),
    "no overflow by a middle": Mutant("overflow", "(size + x.r + fabs(x.l)) * UP", "size * UP"),
    "nothing beyond the largest": Mutant("overflow", "f.largest > exact ? f.largest : exact", "f.largest"),
    "a sum cut at 0": Mutant("add", "!(not_negative(X) & not_negative(Y))", "0"),
    "the root of what is below 0": Mutant("sqrt", "not_negative(X) & (low < 0) ? 0 : low", "0"),
    "above without a radius": Mutant("gt", ABOVE, "(x.r + 8 * U2 * fabs(d.h)) * UP"),
    "above by the middle": Mutant("lt", ABOVE, "0.0"),
    "same with radii": Mutant("eq", "(x.h == y.h) & (x.l == y.l) & (x.r == 0) & (y.r == 0)", "x.h == y.h"),
    "a step at one end": Mutant("floor", "!(exact | (finite & (low == high)) | (how & HULL))", "0"),
    "a step at its jump": Mutant("sign", "how & AROUND ? fabs(a.h) * 0x1p-50 + ETA : 0.0", "0.0"),
    "spread by a middle": Mutant("spread", "upper(magnitude(Y))", "fabs(y.h[i])"),
    "an integer at one end": Mutant("whole", "(low == high) & (fabs(low) < 0x1p62)", "(fabs(low) < 0x1p62)"),
    "an integer beyond its dtype": Mutant("whole", "(integer[i] < least) | (integer[i] > most)", "0"),
    "blend at a tie": Mutant("blend", "same(one, other)", "1"),
    "the best of all": Mutant("best", "above(top, element(arena, &q->in[1], at + k * q->b))", "k != 1"),
    "the best of several numbers": Mutant(
        "best",
        "!same(element(arena, &q->in[0], at + first * q->b), element(arena, &q->in[0], at + k * q->b))",
        "0",
    ),
    "every double divides": Mutant("quotient", "one | (product & (fabs(x.h) >= SMALL))", "1"),
    "what divides has no radius": Mutant("div", "(z.l == 0) & (x.r == 0) & (y.r == 0)", "z.l == 0"),
    "what divides up to its high part": Mutant("quotient", "(p.h == x.h) & (p.l == x.l)", "(p.h == x.h)"),
    "equal up to the high part divides": Mutant("quotient", "(x.l == y.l) & (x.h == y.h)", "(x.h == y.h)"),
    "the hull up to one end": Mutant("blend", "fmax(upper(x), upper(y)) + unknown", "upper(x) + unknown"),
    "the hull from one end": Mutant("blend", "fmin(lower(x), lower(y)) + unknown", "lower(x) + unknown"),
    "the hull of what is not known": Mutant(
        "blend", "0.0 * (lower(x) + upper(x) + lower(y) + upper(y))", "0.0"
    ),
    "the largest at a tie": Mutant("weights", "!above(top, sign < 0 ? negative(x) : x)", "0"),
    "the largest equals all": Mutant("attains", "best < 0 ? same(x, top) : k == best", "1"),
    "the largest equals itself alone": Mutant(
        "attains", "!(q->c < 0 ? above(x, top) : above(top, x))", "0"
    ),
    "shares of the largest alone": Mutant(
        "weights", "!(upper(q->c < 0 ? negative(x) : x) < low)", "lower(q->c < 0 ? negative(x) : x) == low"
    ),
    "shares up to a half": Mutant(
        "weights", f"may ? {HALF} : {NONE}", f"may ? (ball){{0.25, 0, 0.25}} : {NONE}"
    ),
    "a share without an end": Mutant("endless", f"either(is_endless(X), {HALF}, X)", "X"),
    "a mixture from its first term on": Mutant("mixture", "lower(t) < from", "from > to"),
    "a mixture up to its first term": Mutant("mixture", "upper(t) > to", "to == -INFINITY"),
    "flushed by its middle": Mutant("stored", "fabs(x.h) - slack(x) >= normal", "fabs(x.h) >= normal"),
    "rising from its middle": Mutant("exp", "lower(X)", "x.h[i]"),
    "rising up to its middle": Mutant("tanh", "upper(X)", "x.h[i]"),
    "a wide quotient by one end": Mutant("div", "(lower(x) < 0 ? lower(y) : upper(y))", "upper(y)"),
    "a wide quotient by the other end": Mutant("div", "(upper(x) < 0 ? upper(y) : lower(y))", "lower(y)"),
    "a wide quotient by 0": Mutant("div", "lower(y) > 0 ? z.r : INFINITY", "z.r"),
    "infinity times what may be 0": Mutant("infinite", NOT_ZERO, "1"),
    "infinity times anything": Mutant("infinite", "(ball){x.h * y.h, 0, 0}", "(ball){INFINITY, 0, 0}"),
    "infinity over what may be 0": Mutant("infinite", UNLESS_ZERO, "fabs(end) == INFINITY"),
    "a finite quotient as beside infinity": Mutant("infinite", "infinite(x, y) & told", "told"),
    "a mixture without what is not known": Mutant("mixture", "0.0 * (lower(t) + upper(t))", "0.0"),
}  # fmt: skip


@contextmanager
def compiled() -> Iterator[ctypes.CDLL]:
    """A library that is the core, until `become(k)` makes it the k-th mutant, from 1."""
    text = SOURCE.read_text(encoding="ascii")
    for part in INCLUDED:
        text = text.replace(f'#include "{part.name}"', part.read_text(encoding="ascii"))
    for number, (name, mutant) in enumerate(MUTANTS.items(), 1):
        assert text.count(mutant.right) == 1, f"{name}: the core does not say once {mutant.right}"
        chosen = f"(mutant == {number} ? {mutant.wrong} : {mutant.right})"
        text = text.replace(mutant.right, chosen)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "core.c")
        switch = "static int mutant;\nvoid become(int number) { mutant = number; }\n"
        source.write_text(switch + text, encoding="ascii")
        with built(source) as library:
            yield library


@contextmanager
def built(source: Path) -> Iterator[ctypes.CDLL]:
    """The library of a source, by a compiler that takes one element at a time."""
    flags = [f for f in FLAGS if not f.startswith("-O")]
    with tempfile.TemporaryDirectory() as folder:
        library = ctypes.CDLL(str(build(Path(folder, "plain.so"), source, flags)))
        library.run.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
        library.run.restype = ctypes.c_int64
        yield library
