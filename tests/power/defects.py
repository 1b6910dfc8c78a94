"""Live defects: where the installed torch and JAX compute a derivative that is not the derivative.

Every function of `unary` at every boundary value, orders 1 and 2, reverse and forward; what is found is found
again on the one number alone, and then in mpmath.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mpmath as mp  # type: ignore[import-untyped]
import numpy as np
import torch

import harness
from harness.result import Result
from harness.strategies import boundary_values
from harness.verdict import Verdict
from tests.power.unary import FUNCTIONS, function, true_derivative

FAILING = frozenset({Verdict.WRONG, Verdict.MISCOMPUTED, Verdict.IMPRECISE})
# Beside the boundary values: close to 0, 1 and 1/2, and where exponentials vanish or overflow.
MORE = (
    0.25, 0.5, 1.0 - 2.0**-53, 1.0 + 2.0**-52, 1.5, 2.0, 3.0, 6.0, 12.0, 30.0, 37.5, 100.0, 300.0, 700.0,
    745.0, 1e4, 1e8, 1e16, 1e100, 1e200, 1e-3, 1e-5, 1e-8, 1e-16, 1e-30, 1e-160,
)  # fmt: skip
QUESTIONS = (("reverse", 1), ("forward", 1), ("reverse", 2))
REPORTS = {
    ("torch.sigmoid", 1): "pytorch/pytorch#195681",
    ("torch.expm1", 1): "pytorch/pytorch#192406",
    ("torch.exp2", 1): "pytorch/pytorch#192407",
    ("F.silu", 2): "pytorch/pytorch#195682",
    ("jsp.i0", 1): "jax-ml/jax#39797",
    ("jnp.sinc", 1): "jax-ml/jax#40629",
    ("jnp.sqrt", 1): "jax-ml/jax#39799",
    ("jnp.tanh", 1): "jax-ml/jax#40343",
    ("jnp.tanh", 2): "jax-ml/jax#39801",
    ("jax.nn.selu", 1): "jax-ml/jax#39796",
    ("jnp.arcsinh", 1): "jax-ml/jax#40634",
    ("jnp.arccosh", 1): "jax-ml/jax#40634",
}


class Defect(NamedTuple):
    """One derivative at one number."""

    written: str
    dtype: str
    mode: str
    order: int
    x: float
    computed: float
    true: str
    verdict: str
    bits_lost: float
    points: int
    report: str

    @property
    def reproducer(self) -> str:
        """One line that gives what is computed."""
        if _is_torch(self.written):
            x, library = f"torch.tensor({self.x!r}, dtype=torch.{self.dtype})", "torch.func"
        else:
            x, library = f"np.{self.dtype}({self.x!r})", "jax"
        if self.mode == "forward":
            return f"{library}.jvp({self.written}, ({x},), ({x} * 0 + 1,))[1]"
        if self.order == 1:
            return f"{library}.grad({self.written})({x})"
        return f"{library}.grad({library}.grad({self.written}))({x})"


def values(dtype: str) -> list[float]:
    """The numbers that are tried, exact in the dtype."""
    numbers = [*boundary_values(dtype), *MORE, *(-v for v in MORE)]
    with np.errstate(over="ignore"):
        rounded = np.array(numbers).astype(dtype).astype(float)
    return sorted({float(v) for v in rounded if np.isfinite(v)})


def of_function(written: str, dtype: str) -> list[Defect]:
    """The defects of one function: for each mode and order the one that loses the most."""
    name = next(n for n, u in FUNCTIONS.items() if written in (u.torch, u.jax))
    found: list[Defect] = []
    with warnings.catch_warnings(), np.errstate(all="ignore"), jax.enable_x64(True):
        warnings.simplefilter("ignore")
        seen: set[tuple[int, float]] = set()
        for mode, order in QUESTIONS:
            failing = [d for d in _failing(written, dtype, mode, order) if (order, d.x) not in seen]
            seen |= {(order, d.x) for d in failing}
            proven = [d for d in failing if agrees(d, name)]
            if proven:
                worst = max(proven, key=lambda d: (d.bits_lost, -abs(d.x)))
                found.append(worst._replace(points=len(proven)))
    return found


def page(defects: Sequence[Defect]) -> str:
    """All defects in Markdown."""
    lines = [
        "# Live defects",
        "",
        f"Derivatives that torch {torch.__version__} and JAX {jax.__version__} compute and that are "
        "not the derivatives, found by `make power` on the boundary corpus: for each function, dtype, mode "
        "and order the number at which the most is lost, of so many that fail. Each was found again on that "
        "number alone, and its truth once more with mpmath by differences at 400 digits. `imprecise`: the "
        "formula is right, and its execution loses digits that the input allows; `miscomputed`: not even "
        "what rounding allows; `wrong`: another formula. JAX runs with 64-bit numbers enabled; `F` is "
        "torch.nn.functional, `jsp` jax.scipy.special, `jnp` jax.numpy.",
        "",
        f"{len(defects)} entries; {sum(d.report != '' for d in defects)} have a public report known here.",
        "",
        "| function | dtype | order | x | computed | true | verdict | bits | numbers | reproduce | report |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for d in sorted(defects, key=lambda d: (d.written, d.dtype, d.order, d.mode)):
        order = f"{d.order}" if d.mode == "reverse" else f"{d.order}, forward"
        project, _, number = d.report.partition("#")
        link = f"[{d.report}](https://github.com/{project}/issues/{number})" if d.report else ""
        cells = (
            d.written, d.dtype, order, repr(d.x), repr(d.computed), d.true, d.verdict, f"{d.bits_lost:.1f}",
            d.points, f"`{d.reproducer}`", link,
        )  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*lines, ""])


def agrees(defect: Defect, name: str) -> bool:
    """The second look: mpmath has the same derivative, and it is not what was computed."""
    try:
        true = true_derivative(FUNCTIONS[name].truth, defect.x, defect.order)
        with mp.workdps(40):
            given = mp.mpf(defect.true)
            same = abs(given - true) <= abs(true) * mp.mpf(10) ** -15
            other = not np.isfinite(defect.computed) or abs(mp.mpf(defect.computed) - true) > 0
    except Exception:  # mpmath has no value there, or the truth is no single number: not proven twice
        return False
    return bool(same and other)


def _failing(written: str, dtype: str, mode: str, order: int) -> Iterator[Defect]:
    f = function(written)
    parts = [[v for v in values(dtype) if _in_domain(f, written, dtype, v)]]
    while parts:
        part = parts.pop()
        result = _asked(f, written, part, dtype, mode, order) if part else None
        if result is None or result.passed:
            continue
        if len(part) == 1:
            if result.verdict in FAILING and result.worst is not None:
                yield _defect(result, written, dtype, mode, order, part[0])
            continue
        worst = result.worst
        if result.verdict in FAILING and worst is not None and worst.element:
            bad = {worst.element[0], *(e.at[0] for e in worst.more)}
            parts += [[part[k]] for k in sorted(bad)]
            parts.append([v for k, v in enumerate(part) if k not in bad])
        else:
            half = len(part) // 2
            parts += [part[:half], part[half:]]


def _asked(f: Any, written: str, part: list[float], dtype: str, mode: str, order: int) -> Result | None:
    x = _array(written, part, dtype)
    ones = x * 0 + 1
    given = ones if order == 1 else [ones] * order
    try:
        return harness.check_gradient(
            f, (x,), cotangent=[given] if mode == "forward" else given, mode=mode, order=order, seconds=10
        )
    except Exception:
        return None


def _array(written: str, numbers: list[float], dtype: str) -> Any:
    if _is_torch(written):
        return torch.tensor(numbers, dtype=getattr(torch, dtype))
    return jnp.asarray(np.array(numbers, dtype))


def _is_torch(written: str) -> bool:
    return written.startswith(("torch", "F."))


def _in_domain(f: Any, written: str, dtype: str, v: float) -> bool:
    try:
        return not bool(np.isnan(np.asarray(f(_array(written, [v], dtype)))).any())
    except Exception:
        return False


def _defect(result: Result, written: str, dtype: str, mode: str, order: int, x: float) -> Defect:
    worst = result.worst
    assert worst is not None
    report = REPORTS.get((written, order), "")
    verdict = result.verdict.value
    return Defect(
        written, dtype, mode, order, x, worst.computed, worst.true_digits, verdict, worst.bits_lost, 1, report
    )
