"""What one of SciPy's distributions is, with loc 0 and scale 1: densities, shares, quantiles and moments.

Where SciPy has a formula, it is ours too, so that its bound is that of SciPy's numbers. Where SciPy calls a
kernel of Boost's, nothing is known of how far that is off: see `of_kernel`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from oracles.exact.from_numpy.array import TracedArray, as_python
from oracles.exact.from_numpy.making import lift, wrap
from oracles.exact.from_numpy.nested import values
from oracles.exact.from_numpy.rules.off import UNKNOWN, off
from oracles.exact.program.complex import each_part
from oracles.exact.program.primitives import pi

Rule = Callable[..., Any]
FLOAT = np.dtype(np.float64)


class Standard(NamedTuple):
    """A distribution.

    Attributes:
        rules: By SciPy's names what it is at y, which is recorded, for its shapes. The share of one whole
            number is called "pdf", too. Moments are given a recorded 1 for y.
        low, high: The ends of the support, None for infinity; either may be a shape, by its place.
        open: Whether the ends have no density.
        whole: Whether it is of whole numbers.
    """

    rules: Mapping[str, Rule]
    low: float | tuple[int] | None = None
    high: float | tuple[int] | None = None
    open: bool = False
    whole: bool = False

    def rule(self, name: str) -> Rule | None:
        """What it is by this name, from what else it is if that is not said; None if neither is known."""
        if name in self.rules:
            return self.rules[name]
        if name not in FOLLOWS:
            return None
        other, follows = FOLLOWS[name]
        known = self.rules.get(other) if name in {"pdf", "logpdf"} else self.rule(other)
        return None if known is None else lambda *args: follows(known, *args)


FOLLOWS: dict[str, tuple[str, Rule]] = {
    "pdf": ("logpdf", lambda logpdf, *args: np.exp(logpdf(*args))),
    "logpdf": ("pdf", lambda pdf, *args: np.log(pdf(*args))),
    "sf": ("cdf", lambda cdf, *args: 1.0 - cdf(*args)),
    "logcdf": ("cdf", lambda cdf, *args: np.log(cdf(*args))),
    "logsf": ("sf", lambda sf, *args: np.log(sf(*args))),
    "isf": ("ppf", lambda ppf, p, *shapes: ppf(1.0 - p, *shapes)),
    "median": ("ppf", lambda ppf, one, *shapes: ppf(one / 2.0, *shapes)),
    "std": ("var", lambda var, *args: np.sqrt(var(*args))),
}


def sc() -> Any:
    """scipy.special, loaded where it is first needed."""
    return import_module("scipy.special")


def recorded_pi(like: TracedArray) -> Any:
    """The number itself: NumPy's is another one from the 17th digit on."""
    return wrap(like.tape, np.float64(np.pi), pi(like.tape.recorder, "float64"))


def standard_pdf(y: Any) -> Any:
    """The density of the standard normal distribution."""
    return np.exp(-(y**2) / 2.0) / np.sqrt(2.0 * recorded_pi(y))


def standard_logpdf(y: Any) -> Any:
    """Its logarithm."""
    return -(y**2) / 2.0 - np.log(np.sqrt(2.0 * recorded_pi(y)))


def two(like: TracedArray) -> Any:
    """Recorded, so that its root and its logarithm are exact."""
    return lift(like.tape, 2.0, FLOAT)


def as_it_ran(library: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> Any:
    """What a library's function gives of the numbers; what it warns of it has said where the code ran."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(import_module(library), name)(*values(args), **values(kwargs or {}))


def of_kernel(found: Any, given: Any = None) -> Any:
    """The same, by a kernel that may be off by any number: nobody is accused.

    What the kernel gave, if that is `given`, is what ran.
    """
    value = found.in_numpy if given is None else given
    return wrap(found.tape, value, each_part(off(UNKNOWN, lambda v: v), found.recorded))


def as_given(found: Any, given: Any) -> Any:
    """What a rule found as what the library gives: in its dtype, or as one of Python's numbers."""
    return as_python(found) if type(given) is float else found.astype(given.dtype)
