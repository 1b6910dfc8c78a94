"""The kernels that lose digits once more, in mpmath: a second witness that shares no code with the first.

Each is a formula of arrays of mpmath's numbers, as a textbook has it. Its derivative is taken by central
differences at 120 digits, at the worst element of each gradient that is called imprecise: the truth must be
that, the computed number as far off as is said, and so much further off than rounded inputs excuse.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ml_dtypes
import mpmath
import numpy as np

from harness.proof.question import Part
from harness.result import Result
from harness.verdicts import Verdict
from oracles.exact.program.reach import Reach

DIGITS, STEP = 120, mpmath.mpf(10) ** -30
AGREED = 2.0**-36  # of the truth: a written number is known to half an ulp of float64
DRAWS = 4  # of rounded inputs; the harness takes eight
SPREAD = 2.5  # bits by which two samples of what rounded inputs do may differ
SAID = re.compile(r"\w+ at (\w+\.py):(\d+)(: \d+ of \d+ bits cancel| contributes \d+ % of the bound)")

exp, log, tanh, sin, cos = (
    np.frompyfunc(getattr(mpmath, name), 1, 1) for name in ("exp", "log", "tanh", "sin", "cos")
)
CAUSAL = np.tril(np.ones((5, 5), bool))
PLACES = np.arange(5)
CLASSES = [0, 2, 1, 4]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + exp(-x))


def softmax(x: Any) -> Any:
    e = exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(
    q: Any, k: Any, v: Any, fill: float = -mpmath.inf, bias: Any = 0, cap: int = 0, mask: Any = CAUSAL
) -> Any:
    s = q @ k.swapaxes(-1, -2) / mpmath.sqrt(q.shape[-1]) + bias
    return softmax(np.where(mask, cap * tanh(s / cap) if cap else s, fill)) @ v


def turned(x: Any) -> Any:
    """By angles that are exact in every dtype."""
    angle = PLACES[:, None] * np.array([mpmath.mpf(1), mpmath.mpf(1) / 8])
    a, b = x[..., :2], x[..., 2:]
    return np.concatenate([a * cos(angle) - b * sin(angle), a * sin(angle) + b * cos(angle)], -1)


def linear_attention(q: Any, k: Any, v: Any) -> Any:
    q, k = (np.where(x > 0, x + 1, exp(x)) for x in (q, k))
    return q @ (k.swapaxes(-1, -2) @ v) / (q @ k.sum(-2, keepdims=True).swapaxes(-1, -2))


def by_heads(q: Any, k: Any, v: Any) -> Any:
    heads_first = (x.swapaxes(1, 2) for x in (q, k, v))
    return attention(*heads_first, mask=True).swapaxes(1, 2)


def gelu(x: Any) -> Any:
    return x / 2 * (1 + tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)))


def recurrent(x: Any, w: Any) -> Any:
    h = np.zeros(x.shape[-1], object)
    for row in x:
        h = tanh(row + h @ w)
    return h


def gru(x: Any, w: Any) -> Any:
    h = np.zeros(x.shape[-1] // 3, object)
    for row in x:
        (r, z, n), (a, b, c) = np.split(row, 3), np.split(h @ w, 3)
        r, z = sigmoid(r + a), sigmoid(z + b)
        h = (1 - z) * tanh(n + r * c) + z * h
    return h


def focal(x: Any) -> Any:
    p = softmax(x)[range(4), CLASSES]
    return -((1 - p) ** 2 * log(p)).mean()


FORMULAS: dict[str, Callable[..., Any]] = {
    "numpy recurrent": recurrent,
    "torch causal attention": attention,
    "torch attention with -1e9": lambda q, k, v: attention(q, k, v, fill=-1e4),
    "torch soft-capped attention": lambda q, k, v: attention(q, k, v, cap=5),
    "torch alibi": lambda q, k, v: attention(q, k, v, bias=-abs(PLACES[:, None] - PLACES) * mpmath.mpf(0.5)),
    "torch rotary": lambda q, k, v: attention(turned(q), turned(k), v),
    "torch linear attention": linear_attention,
    "torch flash by blocks": lambda q, k, v: attention(q, k, v, mask=True),
    "torch sdpa": attention,
    "torch bias gelu": lambda y, bias: gelu(y + bias),
    "torch focal loss": focal,
    "torch gru": gru,
    "jax attention": lambda q, k, v: attention(q, k, v, fill=-1e9),
    "jax attention with -inf": attention,
    "jax dot_product_attention": by_heads,
    "jax gelu": gelu,
    "jax glu": lambda x: x[:, :4] * sigmoid(x[:, 4:]),
    "jax recurrent": recurrent,
    "jax cross entropy": lambda x: -log(softmax(x)[range(4), CLASSES]).mean(),
    "jax rematerialized": lambda x, w: tanh(x @ w).sum(),
}


def objections(
    name: str, result: Result, args: Sequence[Any], cotangent: Any, code: Sequence[Any]
) -> list[str]:
    """What the second witness has against an imprecise result; nothing where it confirms all of it.

    Args:
        name: The kernel.
        result: What was said of it.
        args, cotangent: Arrays.
        code: The functions of the kernel, one of whose lines must be the one that is named.
    """
    found = []
    lines = set(_lines(code))
    for part in result.parts:
        if part.verdict is Verdict.IMPRECISE and not part.of_value:
            found += [f"{part.name}: {text}" for text in _of_numbers(FORMULAS[name], part, args, cotangent)]
            said = SAID.search(part.diagnosis)
            if not said or (said[1], int(said[2])) not in lines:
                found.append(f"{part.name}: no line of the kernel is named: {part.diagnosis}")
    return found


def _of_numbers(
    formula: Callable[..., Any], part: Part, args: Sequence[Any], cotangent: Any
) -> Iterator[str]:
    j = part.judgement
    assert j is not None
    kind, coarse = ml_dtypes.finfo(part.dtype), ml_dtypes.finfo(j.narrowest or part.dtype)
    digits = coarse.nmant + 1
    arrays = [np.asarray(x).astype(float) for x in (*args, cotangent)]
    with mpmath.workdps(DIGITS):
        true = _derivative(formula, arrays, j.argument, j.element)
        shown = j.true_digits.strip("?")
        if not abs(true - mpmath.mpf(shown)) <= max(AGREED * abs(true), _last_unit(shown)):
            yield f"true is {mpmath.nstr(true, 20)}, not {j.true_digits}"
        ulp, error = _ulp(float(true), kind), abs(mpmath.mpf(j.computed) - true)
        if not abs(error / ulp - j.error_ulp) <= 1e-3 * j.error_ulp:
            yield f"{mpmath.nstr(error / ulp, 4)} ulp off, not {j.error_ulp:.4g}"
        attainable = _ulp(float(true), coarse) / 2 + max(
            abs(_derivative(formula, _rounded(arrays, coarse, seed), j.argument, j.element) - true)
            for seed in range(DRAWS)
        )
        lost = digits if j.computed == 0 else min(mpmath.log(error / attainable, 2), digits)
        if not abs(lost - j.bits_lost) <= SPREAD:
            yield f"{mpmath.nstr(lost, 3)} bits lost, not {j.bits_lost:.1f}"


def _last_unit(shown: str) -> Any:
    """Of the last digit that is shown: none is that is not proven, and that may be few."""
    mantissa, _, exponent = shown.partition("e")
    return mpmath.mpf(10) ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def _derivative(
    formula: Callable[..., Any], arrays: Sequence[Any], argument: int, at: tuple[int, ...]
) -> Any:
    """Of <cotangent, formula>, along one element of one argument."""

    def projected(move: Any) -> Any:
        *numbers, weights = [a + mpmath.mpf(0) for a in arrays]
        numbers[argument][at] += move
        return np.sum(weights * formula(*numbers))

    return (projected(STEP) - projected(-STEP)) / (2 * STEP)


def _rounded(arrays: Sequence[Any], kind: Any, seed: int) -> list[Any]:
    """The arrays, each number half an ulp higher or lower."""
    rng = np.random.default_rng(seed)
    return [a + _ulp(a, kind) * rng.choice([-1, 1], a.shape) * mpmath.mpf(0.5) for a in arrays]


def _ulp(number: Any, kind: Any) -> Any:
    size = np.maximum(np.abs(number), float(kind.smallest_normal))
    return np.ldexp(1.0, np.frexp(size)[1] - 1 - kind.nmant)


def _lines(code: Sequence[Any]) -> Iterator[tuple[str, int]]:
    """The lines of functions, and of those that they call and hold."""
    waiting = [f.__code__ for f in Reach().items(list(code)) if isinstance(f, types.FunctionType)]
    while waiting:
        one = waiting.pop()
        waiting += [c for c in one.co_consts if isinstance(c, types.CodeType)]
        yield from ((one.co_filename.rpartition("/")[2], line) for *_, line in one.co_lines() if line)
