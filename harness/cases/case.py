"""A case: a differentiable function, its inputs and its source, as plain data."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.subject.arrays import Array, Arrays, Floating, signed


@dataclass(frozen=True, slots=True)
class InputMaker:
    """One named way to draw a case's arguments.

    `make(rng, dtype, shape)` returns the arguments in order. `boundary` tells the inputs that look for
    trouble (zeros, ties, saturation, layout) from the ordinary draws; `heavy` those that take seconds.
    """

    name: str
    make: Callable[[np.random.Generator, Floating, tuple[int, ...]], Arrays]
    shape: tuple[int, ...]
    boundary: bool = False
    heavy: bool = False


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
    """

    name: str
    function: Callable[..., Any]
    vjp: Callable[..., Any] | None
    arguments: tuple[str, ...]
    argnums: tuple[int, ...]
    inputs: tuple[InputMaker, ...]
    source: str
    nondifferentiable: str = ""

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
