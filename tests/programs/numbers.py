"""NumPy over numbers of two hundred digits: what a program computes, and its differences.

NumPy asks an object for its method where a ufunc is applied to an array of objects (`np.exp` calls `.exp()`),
so mpmath's numbers, with these methods, run the `exact` dialect as it stands. The context is our own:
mpmath's numbers elsewhere do not have them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import mpmath
import numpy as np

from tests.programs.program import Program, results_of

Array = np.ndarray[Any, Any]
DIGITS, STEP = 200, -40  # differences with h = 10^-40 err by h^2 times a third derivative
NOTHING = 1e-70  # of a derivative by differences
JUMP = 1e-25  # of a value that moves by h times a derivative
METHODS = {
    "arctan": "atan", "arcsinh": "asinh", "arcsin": "asin", "arctanh": "atanh", "log2": None, "exp2": None,
    **{name: name for name in ("exp", "expm1", "log", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh",
                               "sqrt", "cbrt")},
}  # fmt: skip

CONTEXT = mpmath.MPContext()
CONTEXT.dps = DIGITS
for name, own in METHODS.items():
    if own:
        function = getattr(CONTEXT, own)
        setattr(CONTEXT.mpf, name, lambda x, f=function: f(x))
        setattr(CONTEXT.mpc, name, lambda x, f=function: f(x))
CONTEXT.mpf.log2 = lambda x: CONTEXT.log(x) / CONTEXT.log(2)
CONTEXT.mpf.exp2 = lambda x: CONTEXT.mpf(2) ** x


class Stopped:
    """`stop(x)`: the numbers of the first run, in every later one, as a derivative sees a constant."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.next = 0
        self.first = True

    def __call__(self, value: Any) -> Any:
        if self.first:
            self.kept.append(np.array(value, copy=True))
        self.next += 1
        return self.kept[self.next - 1].copy()

    def again(self) -> None:
        """Another run begins."""
        self.first, self.next = False, 0


def _each(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arrays: np.frompyfunc(function, len(arrays), 1)(*arrays)


def solve(a: Array, b: Array) -> Array:
    """The solution of a x = b by elimination, for numbers of any kind; b has one or two axes."""
    a, x = np.array(a, object), np.array(b, object)
    for k in range(len(a)):
        pivot = max(range(k, len(a)), key=lambda i, k=k: abs(a[i, k]))
        a[[k, pivot]], x[[k, pivot]] = a[[pivot, k]], x[[pivot, k]]
        for i in range(len(a)):
            if i != k:
                factor = a[i, k] / a[k, k]
                a[i], x[i] = a[i] - factor * a[k], x[i] - factor * x[k]
    diagonal = np.diagonal(a)
    return x / (diagonal if x.ndim == 1 else diagonal[:, None])


def det(a: Array) -> Any:
    """The determinant by its definition's first row."""
    if len(a) == 1:
        return a[0, 0]
    columns = range(len(a))
    minors = (np.delete(a[1:], k, 1) for k in columns)
    return sum((-1) ** k * a[0, k] * det(minor) for k, minor in zip(columns, minors, strict=True))


class Exact:
    """A program over exact numbers, at one point."""

    def __init__(self, program: Program, arguments: Sequence[Any], forward: bool = False) -> None:
        self.stop = Stopped()
        self.point = [exactly(a) for a in arguments]
        self._function = program.function("exact", **helpers(self.stop, object, forward))
        self.values = self._run(self.point)
        self.stop.again()

    def _run(self, arguments: Sequence[Array]) -> list[Array]:
        copies = [np.array(a, object) for a in arguments]
        return [np.asarray(v, object) for v in results_of(self._function(*copies))]

    def derivative(self, cotangents: Sequence[Any], *directions: Sequence[Any]) -> Any:
        """Central differences of <cotangents, f>: along one direction, or mixed along several."""
        h = CONTEXT.mpf(10) ** STEP
        along = [[exactly(d) for d in one] for one in directions]
        weights, total = [exactly(c) for c in cotangents], CONTEXT.mpf(0)
        for signs in product((1, -1), repeat=len(along)):
            moved = self.point
            for sign, one in zip(signs, along, strict=True):
                moved = [np.asarray(x + sign * h * d) for x, d in zip(moved, one, strict=True)]
            self.stop.next = 0
            found = sum(
                (np.sum(w * v) for w, v in zip(weights, self._run(moved), strict=True)), CONTEXT.mpf(0)
            )
            total += int(np.prod(signs)) * found
        return total / (2 * h) ** len(along)

    def jumps(self, directions: Sequence[Any]) -> bool:
        """Whether the value itself jumps at the point: it has no derivative there."""
        h = CONTEXT.mpf(10) ** STEP
        for sign in (1, -1):
            self.stop.next = 0
            moved = [
                np.asarray(x + sign * h * exactly(d)) for x, d in zip(self.point, directions, strict=True)
            ]
            try:
                found = self._run(moved)
            except ValueError:  # a mask that has other numbers of elements beside the point
                return True
            for before, after in zip(self.values, found, strict=True):
                if before.shape != after.shape or np.max(np.abs(after - before), initial=0) > JUMP:
                    return True
        return False

    def jacobian(self) -> list[list[Array]]:
        """For each argument and result the derivatives in float64: the result's axes, then the argument's."""
        h = CONTEXT.mpf(10) ** (2 * STEP)  # at a kink it errs by h: that is nothing
        found = []
        for k, given in enumerate(self.point):
            columns = []
            for at in np.ndindex(given.shape):
                ends = []
                for step in (h, -h):
                    moved = given.copy()
                    moved[at] = moved[at] + step
                    self.stop.next = 0
                    ends.append(self._run([*self.point[:k], moved, *self.point[k + 1 :]]))
                columns.append([(a - b) / (2 * h) for a, b in zip(*ends, strict=True)])
            found.append([
                np.stack([_rounded(c[r]) for c in columns], -1).reshape(v.shape + given.shape)
                for r, v in enumerate(self.values)
            ])  # fmt: skip
        return found


def _rounded(derivatives: Any) -> Array:
    """In float64; what is nothing but the error of differences is 0."""
    found = np.asarray(derivatives, np.float64)
    return np.where(np.abs(found) < NOTHING, 0.0, found)


def exactly(array: Any) -> Array:
    """The numbers of an array as mpmath's; integers and those of low precision are what they are."""
    wide = np.asarray(array, np.float64)
    return np.array([CONTEXT.mpf(v) for v in wide.ravel().tolist()], object).reshape(wide.shape)


def helpers(stop: Callable[[Any], Any], dtype: Any, forward: bool = False) -> dict[str, Any]:
    """What the `exact` dialect has beside NumPy, over objects or over float64; torch's no_grad stops reverse mode."""
    named = {"solve": solve, "det": det, "stop": stop, "no_grad": np.array if forward else stop}
    if dtype is object:
        named |= {"N": CONTEXT.mpf, "zeros": lambda shape: np.full(shape, CONTEXT.mpf(0))}
        one = {
            "erf": CONTEXT.erf,
            "lgamma": CONTEXT.loggamma,
            "digamma": CONTEXT.digamma,
            "atan2": CONTEXT.atan2,
        }
        return (
            named
            | {name: _each(function) for name, function in one.items()}
            | {
                "re": _each(lambda z: CONTEXT.mpf(z.real)),
                "im": _each(lambda z: CONTEXT.mpf(z.imag)),
            }
        )
    import scipy.special

    return named | {
        "N": float, "zeros": np.zeros,
        "erf": scipy.special.erf, "lgamma": scipy.special.gammaln, "digamma": scipy.special.digamma,
        "atan2": np.arctan2, "re": np.real, "im": np.imag, "solve": np.linalg.solve, "det": np.linalg.det,
    }  # fmt: skip
