"""scipy.stats' distributions as the recorded code sees them: of recorded numbers what STANDARD says."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from types import MethodType
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.libraries.bounded import BOUNDED
from oracles.exact.from_numpy.libraries.discrete import DISCRETE
from oracles.exact.from_numpy.libraries.multivariate import normal_logpdf
from oracles.exact.from_numpy.libraries.standard import FLOAT, Rule, Standard
from oracles.exact.from_numpy.libraries.unbounded import UNBOUNDED
from oracles.exact.from_numpy.making import lift, wrap
from oracles.exact.from_numpy.nested import first_tape, holds_traced, values
from oracles.exact.from_numpy.refusals import opaque
from oracles.exact.from_numpy.tape import Tape

STANDARD: dict[str, Standard] = UNBOUNDED | BOUNDED | DISCRETE
# What stands below the support, and above it.
OUTSIDE = {
    "pdf": (0.0, 0.0),
    "logpdf": (-np.inf, -np.inf),
    "cdf": (0.0, 1.0),
    "sf": (1.0, 0.0),
    "logcdf": (-np.inf, 0.0),
    "logsf": (0.0, -np.inf),
}
NAMES = {"pmf": "pdf", "logpmf": "logpdf"}  # of whole numbers
DENSITIES = frozenset({"pdf", "logpdf"})
# Of the moments and the quantiles: what comes of that of loc 0 and scale 1.
PLACED: dict[str, Rule] = {
    **dict.fromkeys(("ppf", "isf", "mean", "median"), lambda found, loc, scale: found * scale + loc),
    "var": lambda found, loc, scale: found * scale * scale,
    "std": lambda found, loc, scale: found * scale,
    "entropy": lambda found, loc, scale: found + np.log(scale),
}


class Distribution:
    """A distribution, in place of SciPy's, whose class it says it has."""

    def __init__(self, original: Any) -> None:
        self._original = original

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._original)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._original, name)
        is_method = isinstance(found, MethodType) and not name.startswith("_")
        return functools.partial(_called, self._original, name) if is_method else found

    def __call__(self, *args: Any, **kwargs: Any) -> Frozen:
        """With these parameters."""
        return Frozen(self._original, args, kwargs)


class Frozen:
    """A distribution whose parameters are given, in place of SciPy's.

    Attributes:
        stands_for: SciPy's, of the numbers alone where parameters are recorded.
    """

    def __init__(
        self, original: Any, args: tuple[Any, ...], kwargs: dict[str, Any], plain: Any = None
    ) -> None:
        self._original, self._args, self._kwargs = original, args, kwargs
        self.stands_for = original(*values(args), **values(kwargs)) if plain is None else plain

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self.stands_for)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.stands_for, name)
        if isinstance(found, MethodType):
            return functools.partial(self._call, name)
        if holds_traced((self._args, self._kwargs)) and not name.startswith("__"):
            raise _no_rule(self._original, name)
        return found

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if not holds_traced((self._args, self._kwargs, args, kwargs)):
            return getattr(self.stands_for, name)(*args, **kwargs)
        first = inspect.signature(getattr(self.stands_for, name)).bind(*args, **kwargs).args
        return _called(self._original, name, *first, *self._args, **self._kwargs)


def distribution(value: Any) -> Any:
    """What stands in place of a distribution of SciPy's, frozen or not, or of its method; None otherwise."""
    stats = sys.modules.get("scipy.stats")
    if stats is None:
        return None
    kind = type(value)  # isinstance asks the object, which may have no answer
    if issubclass(kind, MethodType):
        owner = distribution(value.__self__)
        return None if owner is None else getattr(owner, value.__name__)
    if not str(kind.__module__).startswith("scipy.stats"):
        return None
    normal = stats.multivariate_normal
    if issubclass(kind, stats.rv_continuous | stats.rv_discrete) or value is normal:
        return Distribution(value)
    if hasattr(value, "dist") and hasattr(value, "kwds"):
        return Frozen(value.dist, value.args, value.kwds, value)
    if kind is type(normal()):
        given = {name: getattr(value, name) for name in ("mean", "cov", "allow_singular")}
        return Frozen(normal, (), given, value)
    return None


def _no_rule(original: Any, name: str) -> Exception:
    kind = getattr(original, "name", "multivariate_normal")
    return opaque(
        f"scipy.stats.{kind}.{name} of values that depend on the inputs has no rule: write "
        "it with functions of NumPy and scipy.special"
    )


def _called(original: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    """What a method of a distribution gives: of recorded numbers SciPy's number and the formula's record."""
    method = getattr(original, name)
    if not holds_traced((args, kwargs)):
        return method(*args, **kwargs)
    formula = _formula(original, name)
    with np.errstate(all="ignore"):
        value = method(*values(args), **values(kwargs))
    tape = first_tape((args, kwargs))
    found = formula(tape, inspect.signature(method).bind(*args, **kwargs).arguments)
    return wrap(tape, value, lift(tape, np.broadcast_to(found, np.shape(value)), FLOAT).recorded)


def _formula(original: Any, name: str) -> Callable[[Tape, dict[str, Any]], Any]:
    """What gives a method's result from the arguments by their names."""
    if original is sys.modules["scipy.stats"].multivariate_normal and name in DENSITIES:
        return lambda tape, given: (np.exp if name == "pdf" else np.positive)(normal_logpdf(**given))
    standard, kind = _standard(original), NAMES.get(name, name)
    rule = standard.rule(kind) if standard else None
    if standard is None or rule is None:
        raise _no_rule(original, name)
    return functools.partial(_of_numbers, original, standard, kind, rule)


def _of_numbers(
    original: Any, standard: Standard, name: str, rule: Rule, tape: Tape, given: dict[str, Any]
) -> Any:
    names = [*(original.shapes or "").replace(",", " ").split(), "loc", "scale"]
    known = dict(zip(names, given.pop("args", ()), strict=False)) | given.pop("kwds", {})
    loc, scale = (_array(tape, known.pop(n, default)) for n, default in (("loc", 0), ("scale", 1)))
    shapes = [_array(tape, known[n]) for n in names if n in known]
    x = _array(tape, next(iter(given.values()), 1.0))  # a moment is that of no number
    if name in PLACED:
        kind = (x if given else scale).dtype
        kind = kind if kind.kind == "f" else FLOAT
        found = rule(lift(tape, x, kind), *shapes)
        if not (given or shapes):
            found = found.astype(kind)  # a number of SciPy's code: it takes the dtype of the scale
        return PLACED[name](found, loc, scale)
    return _inside(standard, name, rule, x, shapes, loc, scale)


def _standard(original: Any) -> Standard | None:
    """What it is, None of one that is not in the table, or has another support."""
    known: Any = getattr(sys.modules["scipy.stats"], getattr(original, "name", None) or "", None)
    if type(original) is not type(known) or (original.a, original.b) != (known.a, known.b):
        return None
    return STANDARD.get(original.name)


def _array(tape: Any, x: Any) -> Any:
    if isinstance(x, TracedArray):
        return x
    return tape.answers.array(tape, x) if holds_traced(x) else np.asarray(x)


def _inside(
    standard: Standard, name: str, rule: Rule, x: Any, shapes: list[Any], loc: Any, scale: Any
) -> Any:
    """A density or a share, and what stands for it outside of the support."""
    tape, is_density = first_tape((x, shapes, loc, scale)), name in DENSITIES
    low, high = (shapes[end[0]] if isinstance(end, tuple) else end for end in (standard.low, standard.high))
    y = _moved(x if standard.whole else lift(tape, x, x.dtype if x.dtype.kind == "f" else FLOAT), loc, scale)
    below = above = between = False
    if not standard.whole:
        y = lift(tape, y, FLOAT)
    elif y.dtype.kind == "f":
        y, between = np.floor(y), is_density and y != np.floor(y)
    inside, closed = y, is_density and not standard.open
    if low is not None:  # where the formula has nothing to say, it is asked of another number
        within = (
            _within(low, high) if isinstance(standard.low, tuple) else low if standard.whole else low + 0.5
        )
        below = y < low if closed or standard.whole else y <= low
        inside = np.where(below, within, inside)
        if high is not None:
            above = y > high if closed else y >= high
            inside = np.where(above, within, inside)
    found = rule(lift(tape, inside, FLOAT), *shapes)
    if name == "pdf" and not _is(scale, 1):
        found = found / scale
    if name == "logpdf" and not _is(scale, 1):
        found = found - np.log(scale)
    under, over = OUTSIDE[name]
    for where, outside in ((below, under), (above, over), (between, under)):
        if where is not False:
            found = np.where(where, outside, found)
    return found


def _within(low: Any, high: Any) -> Any:
    """A number between two ends, of which either may be infinite."""
    finite = [end for end in (low, high) if isinstance(end, TracedArray) or np.all(np.isfinite(end))]
    if len(finite) == 2:
        return 0.5 * low + 0.5 * high
    return finite[0] + (0.5 if finite[0] is low else -0.5) if finite else 0.0


def _moved(x: Any, loc: Any, scale: Any) -> Any:
    """(x - loc) / scale, as SciPy has it, in the dtype that this has."""
    y = x if _is(loc, 0) else x - loc
    return y if _is(scale, 1) else y / scale


def _is(x: Any, number: int) -> bool:
    return not isinstance(x, TracedArray) and np.ndim(x) == 0 and bool(x == number)
