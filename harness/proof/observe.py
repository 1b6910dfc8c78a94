"""C, and how a subject behaves: what it returns is run again, scaled, and checked for more than its size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from harness.subject.complex_pairs import ComplexName
from harness.subject.derivative import Array
from oracles.exact.program.formats import format_of
from oracles.exact.program.words import kind_of, many
from oracles.frameworks.framework import Gradient, Native, Subject

# Exact in every dtype, so a linear function of the cotangent gives exactly as much; the second is for where
# the first makes something overflow.
SCALES = (-2.0, -0.5)
Gradients = tuple[Array | None, ...]
Cotangent = Array | tuple[Array, ...]  # a tuple where a function has several results, or returns a tuple


@dataclass(frozen=True, slots=True)
class Loaded:
    """A subject with its arguments on its device."""

    subject: Subject
    args: tuple[Native, ...]
    cotangent: Native

    @classmethod
    def of(cls, subject: Subject, args: Sequence[Array], cotangent: Cotangent) -> Loaded:
        """The arguments, loaded."""
        if isinstance(cotangent, tuple):
            return cls(subject, tuple(map(subject.load, args)), tuple(map(subject.load, cotangent)))
        return cls(subject, tuple(map(subject.load, args)), subject.load(cotangent))

    def value(self) -> Any:
        """Run the function."""
        return self.subject.value(*self.args)

    def gradient(self) -> Any:
        """Run the gradient."""
        return self.subject.gradient(self.cotangent, *self.args)


class Misfit(NamedTuple):
    """Why a part of a result is no gradient; of all parts where `part` is ""."""

    part: str
    text: str
    is_none: bool = False

    def __str__(self) -> str:
        return f"{self.part}: {self.text}" if self.part else self.text


@dataclass(frozen=True, slots=True)
class Observed:
    """What a subject returned, and how it behaved.

    Attributes:
        value, gradient: The function's value and the gradient, on the host.
        others: The same gradient obtained otherwise, where that gave other numbers: to be judged as well.
        misfits: Why the result is no gradient at all: its number, a None, a shape or a dtype.
        faults: What else is wrong apart from size, in words; each makes the row fail.
        notes: What is worth saying and not wrong.
        first_call_time_s: Of one value and gradient, set-up and compilation included.
        raw: What the gradient returned, not fetched.
    """

    value: Any
    gradient: Gradient
    others: tuple[tuple[str, Gradients], ...]
    misfits: tuple[Misfit, ...]
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    first_call_time_s: float
    raw: Native = None


def observe(
    subject: Subject,
    args: Sequence[Array],
    cotangent: Cotangent,
    names: Sequence[str],
    expected: Sequence[tuple[str, Array]],
    thoroughly: bool = True,
    linear: bool = True,
    fits: Callable[[Sequence[Array]], None] | None = None,
) -> Observed:
    """Run a subject at one point.

    Args:
        subject: The subject.
        args, cotangent: Its arguments, on the host; they are compared with themselves afterwards.
        names: The arguments' names.
        expected: The name of each gradient, and an array of its shape and dtype.
        thoroughly: Whether to run it again (is it reproducible?) and with a scaled cotangent (is it linear?).
        linear: Whether it is meant to be a linear function of the cotangent.
        fits: Raises an error where a cotangent for what was recorded is none for this value.
    """
    directions = cotangent if isinstance(cotangent, tuple) else (cotangent,)
    one = len(directions) == 1
    names = [*names, *("the cotangent" if one else f"cotangent {k}" for k in range(len(directions)))]
    given = [a.copy() for a in (*args, *directions)]
    start = perf_counter()
    mine = Loaded.of(subject, args, cotangent)
    home = _home(mine.cotangent)
    value = subject.fetch_value(mine.value())
    if fits is not None:
        fits(value)
    raw = mine.gradient()
    gradient = subject.fetch_gradient(raw)
    seconds = perf_counter() - start
    faults, notes, others = list[str](), list[str](), []
    notes += _aliases(gradient.arrays, (*args, *directions), names)
    gradient = replace(gradient, arrays=tuple(None if g is None else g.copy() for g in gradient.arrays))
    faults += _overwritten(names, given, (*args, *directions))
    faults += _elsewhere(raw, home)
    misfits = structure(gradient.arrays, expected)
    if thoroughly and not faults and not misfits:
        again = subject.fetch_gradient(mine.gradient()).arrays
        if _shapes(again) != _shapes(gradient.arrays):
            faults.append(f"run again, the gradient has shapes {_shapes(again)}")
        elif not same(gradient.arrays, again):
            others.append(("run again", again))
            notes.append(f"not reproducible: two runs differ by {spread(gradient.arrays, again):.2g}")
        back = gradient.arrays
        for scale in SCALES if linear else ():
            back = _scaled(subject, args, cotangent, scale)
            if _as_finite(gradient.arrays, back):
                break
        if not same(gradient.arrays, back, ends=True):
            others.append((f"with the cotangent times {scale:g}, divided by {scale:g}", back))
    found = (tuple(others), tuple(misfits), tuple(faults), tuple(notes))
    return Observed(value, gradient, *found, seconds, raw)


def _times(scale: float, array: Array) -> Array:
    return np.asarray(scale * array, array.dtype)


def _overwritten(names: Sequence[str], before: Sequence[Array], after: Sequence[Array]) -> list[str]:
    found = []
    for name, old, new in zip(names, before, after, strict=True):
        if old.tobytes() == new.tobytes():
            continue
        if not np.array_equal(old, new, equal_nan=new.dtype.kind not in "iub"):
            found.append(f"{name} was overwritten: a gradient must leave its arguments alone")
            new[...] = old  # what is asked next is asked at the same point
    return found


def _home(given: Native) -> str:
    return _device(given[0] if isinstance(given, tuple) and given else given)


def _elsewhere(raw: Any, home: str) -> list[str]:
    leaves = raw if isinstance(raw, (tuple, list)) else (raw,)
    found = (_device(g) for g in leaves if g is not None)
    return [f"the gradient is on {d}, its arguments are on {home}" for d in found if home and d and d != home]


def _device(native: Native) -> str:
    return str(getattr(native, "device", ""))


def structure(gradients: Gradients, expected: Sequence[tuple[str, Array]]) -> list[Misfit]:
    """Why a result is no gradient: a number of parts, a None, a shape or a dtype."""
    names = [name for name, _ in expected]
    if named := _other_names(gradients, names):
        return [Misfit("", named)]
    if len(gradients) != len(expected):
        return [Misfit("", _miscounted(len(gradients), names))]
    found = []
    for got, (name, argument) in zip(gradients, expected, strict=True):
        if got is None:
            found.append(Misfit(name, "no gradient (None), which is not a zero gradient", True))
        elif got.dtype.kind in "OSU" and not got.shape:
            found.append(Misfit(name, f"{kind_of(got.item())} instead of an array"))
        elif isinstance(name, ComplexName) and got.dtype.kind != "c" and got.shape == argument.shape[:-1]:
            found.append(Misfit(name, f"dtype {got.dtype}: real numbers, and the argument is complex"))
        elif got.shape != argument.shape:
            found.append(Misfit(name, f"the gradient has shape {got.shape} instead of {argument.shape}"))
        elif got.dtype != argument.dtype:
            said = f"the gradient has dtype {got.dtype} instead of {argument.dtype}"
            found.append(Misfit(name, said + _mixed(got.dtype, expected)))
    return found


def _mixed(dtype: Any, expected: Sequence[tuple[str, Array]]) -> str:
    """Which arguments have a gradient's dtype, of those that have several."""
    own = [str(name) for name, array in expected if array.dtype == dtype]
    are = "is" if len(own) == 1 else "are"
    return f"; {' and '.join(own)} {are} {dtype}: pass all in one dtype" if own else ""


def _other_names(gradients: Gradients, names: Sequence[str]) -> str:
    """Which names a dictionary has that is no gradient, in words; "" where there is none."""
    items = (got.item() for got in gradients if got is not None and got.dtype == object and not got.shape)
    found = next((item for item in items if isinstance(item, dict)), None)
    if found is None:
        return ""
    keys = f"a dictionary with the keys {', '.join(map(repr, found))}" if found else "an empty dictionary"
    return f"the backward returns {keys}; the arguments are {', '.join(names)}"


def _miscounted(count: int, names: Sequence[str]) -> str:
    """That there are too few gradients or too many, and what to return."""
    each = f"one for {'each of ' if len(names) > 1 else ''}{', '.join(names)}"
    return f"{many(count, 'gradient')} for {many(len(names), 'differentiated argument')}: return {each}"


def _aliases(gradients: Sequence[Array | None], given: Sequence[Array], names: Sequence[str]) -> list[str]:
    """Whose memory the result is: writing into it would change that too."""
    return [
        f"the result is the memory of {name}"
        for got in gradients
        for name, array in zip(names, given, strict=True)
        if got is not None and got.size and np.may_share_memory(np.ma.getdata(got), array)
    ]


def _scaled(
    subject: Subject, args: Sequence[Array], cotangent: Cotangent, scale: float
) -> tuple[Array | None, ...]:
    """The gradient along a scaled cotangent, scaled back."""
    if isinstance(cotangent, tuple):
        found = Loaded.of(subject, args, tuple(_times(scale, c) for c in cotangent)).gradient()
    else:
        found = Loaded.of(subject, args, _times(scale, cotangent)).gradient()
    return tuple(
        None if g is None else np.asarray(g / np.asarray(scale, g.dtype), g.dtype)
        for g in subject.fetch_gradient(found).arrays
    )


def _as_finite(one: Sequence[Array | None], other: Sequence[Array | None]) -> bool:
    """Whether the second is finite wherever the first is."""
    return len(one) == len(other) and not any(
        bool(np.any(np.isfinite(a.astype(np.float64)) & ~np.isfinite(b.astype(np.float64))))
        for a, b in zip(one, other, strict=True)
        if a is not None and b is not None and a.shape == b.shape
    )


def _shapes(arrays: Sequence[Array | None]) -> list[tuple[int, ...] | None]:
    return [None if a is None else a.shape for a in arrays]


def same(one: Sequence[Array | None], other: Sequence[Array | None], ends: bool = False) -> bool:
    """Bit for bit; below the normal numbers (`ends`), where a factor of 2 is not exact, anything."""
    if len(one) != len(other):
        return False
    for a, b in zip(one, other, strict=True):
        if a is None or b is None:
            if a is not b:
                return False
            continue
        alike = type(a) is type(b) is np.ndarray and a.dtype == b.dtype and a.shape == b.shape
        if alike and a.tobytes() == b.tobytes():
            continue
        x, y = np.ma.getdata(a).astype(np.float64), np.ma.getdata(b).astype(np.float64)
        equal = (x == y) | (np.isnan(x) & np.isnan(y))
        if ends:
            near = 8 * format_of(a.dtype.name).normal
            equal |= (np.abs(x) < near) & (np.abs(y) < near)
        if not equal.all():
            return False
    return True


def spread(one: Gradients, other: Gradients) -> float:
    """How far two results are apart."""
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    with np.errstate(all="ignore"):
        gaps = [np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)), initial=0.0) for a, b in pairs]
    return float(max(gaps, default=0.0))
