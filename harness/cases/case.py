"""A case: a differentiable function, its inputs and its source, as plain data; and the inputs by name.

Inputs decide what a check can find: of 63 re-created gradient bugs, 50 ordinary draws show a third, and the
boundary values nearly all (reports/power.md).
So each function is also asked at zeros of both signs, at ties, in saturation, at tiny and huge numbers, and
with unusual shapes and memory layouts.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.inputs.corpus import CORPUS, alternate
from harness.subject import given
from harness.subject.derivative import Array, Arrays, Floating, signed
from oracles.exact.program.words import shown

Draw = Callable[[np.random.Generator, Floating, tuple[int, ...]], Array]
Sign = Callable[[np.random.Generator, tuple[int, ...]], Array]
Complete = Callable[[np.random.Generator, Array], Arrays]

REAL_LINE = (
    "zeros", "ties", "equal-rows", "saturated-20", "saturated-40", "saturated-710", "tiny", "huge",
)  # fmt: skip
UNIT_INTERVAL = ("zeros", "ones", "ties", "equal-rows", "tiny", "huge")
LAYOUTS = ("one-element", "batch-of-one", "strided", "stride-0")


@dataclass(frozen=True, slots=True)
class InputMaker:
    """One named way to draw a case's arguments.

    Attributes:
        name: What tables and `--input` call it.
        make: `make(rng, dtype, shape)` returns the arguments in order, as a tuple of arrays of that dtype.
        shape: What `make` is given: that of the first argument, where the others follow from it.
        boundary: Whether it looks for trouble (zeros, ties, saturation, layout), and is no ordinary draw.
        heavy: Whether it takes seconds; then it is asked in the first dtype alone.

    Raises:
        ValueError: One of these is not what it must be.
    """

    name: str
    make: Callable[[np.random.Generator, Floating, tuple[int, ...]], Arrays]
    shape: tuple[int, ...]
    boundary: bool = False
    heavy: bool = False

    def __post_init__(self) -> None:
        given.text("InputMaker.name", self.name)
        given.function("InputMaker.make", self.make)
        object.__setattr__(self, "shape", given.shape("InputMaker.shape", self.shape))


@dataclass(frozen=True, slots=True)
class Case:
    """A function with its hand-derived gradient and everything needed to question it.

    Attributes:
        name: What tables and the command line call it.
        function: The NumPy function, `function(*args)`.
        vjp: Its hand-derived gradient `vjp(cotangent, *args)`, an array for one differentiated argument
            and a tuple for several; None where the output is an integer and there is no gradient.
        arguments: The names of the arguments, in order.
        argnums: Which of them are differentiated.
        inputs: The ordinary and the boundary inputs; the first is the one whose times the report shows.
        source: Where the function comes from.
        nondifferentiable: Where it has no derivative, in words ("" if nowhere).

    Raises:
        ValueError: One of these is not what it must be.
    """

    name: str
    function: Callable[..., Any]
    vjp: Callable[..., Any] | None
    arguments: tuple[str, ...]
    argnums: tuple[int, ...]
    inputs: tuple[InputMaker, ...]
    source: str
    nondifferentiable: str = ""

    def __post_init__(self) -> None:
        given.text("Case.name", self.name)
        given.function("Case.function", self.function)
        if self.vjp is not None:
            given.function("Case.vjp", self.vjp)
        _several("Case.arguments", self.arguments, str, 'names, such as ("x",)')
        _several("Case.argnums", self.argnums, int, "numbers of arguments, such as (0,)")
        _several("Case.inputs", self.inputs, InputMaker, "InputMaker")
        count, names = len(self.arguments), [maker.name for maker in self.inputs]
        for k in self.argnums:
            if not 0 <= k < count or self.argnums.count(k) > 1:
                raise ValueError(
                    f"Case.argnums must be among 0 to {count - 1}, each once, got {self.argnums}"
                )
        if len({*names}) < len(names):
            raise ValueError(f"Case.inputs must have names of their own, got {', '.join(names)}")

    @property
    def differentiated(self) -> tuple[str, ...]:
        """The names of the differentiated arguments."""
        return tuple(self.arguments[i] for i in self.argnums)

    def input(self, name: str) -> InputMaker:
        """The input maker of that name; KeyError with the names there are."""
        for maker in self.inputs:
            if maker.name == name:
                return maker
        known = ", ".join(maker.name for maker in self.inputs)
        raise KeyError(f"case {self.name!r} has no input {name!r}; it has {known}")

    def draw(self, input_name: str, dtype: str, seed: int) -> tuple[Arrays, Array]:
        """The arguments and a signed random cotangent, the same for the same three values.

        The seed varies the ordinary inputs; a boundary input is one fixed point, so that a known defect
        there is known for every seed. The draws are rounded to few decimals, so a failing element can be
        read and typed. The cotangent has the shape of the function's value and is never constant: softmax
        and normalisations have a zero gradient along a cotangent of ones.
        """
        maker = self.input(input_name)
        name = zlib.crc32(f"{self.name}/{input_name}".encode())
        rng = np.random.default_rng([0 if maker.boundary else seed, name])
        kind = np.dtype(dtype)
        args = maker.make(rng, kind, maker.shape)
        value = np.asarray(self.function(*args))
        return args, signed(rng, value.dtype if value.dtype.kind == "f" else kind, value.shape)


def _several(name: str, value: Any, kind: type, words: str) -> None:
    """Refuse what is no tuple of these.

    Raises:
        ValueError: It is none, or it is empty.
    """
    if not isinstance(value, tuple) or not value:
        raise ValueError(f"{name} must be a tuple of {words}, got {'()' if value == () else shown(value)}")
    for one in value:
        if not isinstance(one, kind):
            raise ValueError(f"{name} must be a tuple of {words}, got {shown(one)} in it")


def ordinary(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
    """Standard normal numbers, two decimals."""
    return np.asarray(np.round(rng.normal(size=shape), 2), dtype=dtype)


def probabilities(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
    """Positive numbers below one, three decimals."""
    return np.asarray(np.round(rng.uniform(0.05, 0.95, shape), 3), dtype=dtype)


def mixed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Plus and minus one, each row in its own order."""
    return rng.permuted(np.where(alternate(shape), 1.0, -1.0), axis=-1)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A draw as the source of a boundary value."""

    rng: np.random.Generator
    dtype: Floating
    shape: tuple[int, ...]
    base: Draw
    sign: Sign = mixed

    def numbers(self, shape: tuple[int, ...]) -> Array:
        """Ordinary numbers of a shape."""
        return self.base(self.rng, self.dtype, shape)

    def signs(self) -> Array:
        """Plus and minus one, or as `sign` has them."""
        return self.sign(self.rng, self.shape)

    def strided(self) -> Array:
        """A transposed view with gaps: not contiguous in either order."""
        store = self.numbers(tuple(2 * n for n in reversed(self.shape)))
        view: Array = store[(slice(None, None, 2),) * len(self.shape)].T
        return view


def real_line(shape: tuple[int, ...], complete: Complete) -> tuple[InputMaker, ...]:
    """The inputs for an argument that may be any real number; `complete` adds the other arguments."""
    return (
        maker("ordinary", ordinary, shape, complete),
        *(at_boundary(name, ordinary, shape, complete) for name in (*REAL_LINE, *LAYOUTS)),
    )


def unit_interval(shape: tuple[int, ...], complete: Complete) -> tuple[InputMaker, ...]:
    """The inputs for an argument that holds probabilities (and, past the edge, 1e10)."""
    # Both are positive. The one draws signs and the other does not: what is drawn after them stays the same.
    positive: dict[str, Sign] = {
        "tiny": lambda rng, s: np.abs(mixed(rng, s)),
        "huge": lambda rng, s: np.ones(s),
    }
    return (
        maker("ordinary", probabilities, shape, complete),
        *(
            at_boundary(name, probabilities, shape, complete, positive.get(name, mixed))
            for name in (*UNIT_INTERVAL, *LAYOUTS)
        ),
    )


def maker(
    name: str, draw: Draw, shape: tuple[int, ...], complete: Complete, boundary: bool = False
) -> InputMaker:
    """A named draw of the first argument; `complete` adds the others."""
    return InputMaker(name, lambda rng, dtype, s: complete(rng, draw(rng, dtype, s)), shape, boundary)


def at_boundary(
    name: str, base: Draw, shape: tuple[int, ...], complete: Complete, sign: Sign = mixed
) -> InputMaker:
    """The input at a boundary value."""

    def draw(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
        return CORPUS[name].make(Drawn(rng, dtype, shape, base, sign))

    made = draw(np.random.default_rng(0), np.dtype(np.float64), shape)
    return maker(name, draw, made.shape, complete, boundary=True)


def alone(rng: np.random.Generator, x: Array) -> Arrays:
    """The one argument of a function of one."""
    return (x,)
