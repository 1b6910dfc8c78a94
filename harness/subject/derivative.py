"""Which derivative is meant, by mode and order, of the subject and its specification; and along what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from oracles.exact.program.derive import jvp, vjp
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.indices import first_true
from oracles.exact.program.program import FLOATS, Program, Var
from oracles.exact.program.recording import Recording
from oracles.exact.program.trees import Derived, flatten
from oracles.exact.program.words import shown
from oracles.frameworks.framework import Framework, bfloat16, on_host

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = tuple[Array, ...]
Floating: TypeAlias = np.dtype[np.floating[Any]]
REVERSE, FORWARD = "reverse", "forward"
MODES = (REVERSE, FORWARD, "forward-over-reverse")
Step: TypeAlias = Literal["reverse", "forward"]
Mode: TypeAlias = Step | Literal["forward-over-reverse"]
MAX_ORDER = 3
Function = Callable[..., Any]


class ShapeError(ValueError):
    """What a derivative is to be contracted with has other shapes."""


@dataclass(frozen=True)
class Derivative:
    """A derivative of a derivative of ..., the innermost first.

    A reverse one is contracted with cotangents, one per result of what it is of; a forward one is along
    tangents, one per differentiated input.

    Attributes:
        steps: Each reverse or forward.
        in_directions: Whether the last one is in the cotangents and tangents of those inside it, and not in
            the function's inputs: a derivative is a function of both.
    """

    steps: tuple[str, ...] = (REVERSE,)
    in_directions: bool = False

    @classmethod
    def of(cls, mode: str | Sequence[str], order: int) -> Derivative:
        """The gradient (reverse, order 1), the gradient of <gradient, direction> (order 2), and so on.

        "forward" is the derivative of the results along tangents, "forward-over-reverse" the gradient's.

        Several modes are steps, the innermost first: ("forward", "reverse") is the gradient of the derivative
        along a tangent.

        Raises:
            ValueError: There is no such mode or order.
        """
        if isinstance(order, bool) or not isinstance(order, int | np.integer) or not 1 <= order <= MAX_ORDER:
            raise ValueError(f"order must be 1, 2 or {MAX_ORDER}, got {order!r}")
        order = int(order)
        if isinstance(mode, list | tuple):
            steps = tuple(mode)
            known = all(step in (REVERSE, FORWARD) for step in steps)
            if not 1 <= len(steps) <= MAX_ORDER or not known or order != 1:
                raise ValueError(
                    f"mode must be one to {MAX_ORDER} steps of reverse and forward, with order 1, got "
                    f"{mode!r} with order {order}"
                )
            return cls(steps)
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        if mode == REVERSE:
            return cls((REVERSE,) * order)
        if order != 1:
            raise ValueError(f"order must be 1 with mode={mode!r}, got {order}: only reverse mode has orders")
        return cls((FORWARD,) if mode == FORWARD else (REVERSE, FORWARD))

    @property
    def is_of_results(self) -> bool:
        """Whether it has a part for each result of the function, and not for each differentiated input."""
        return REVERSE not in self.steps

    @property
    def last(self) -> Callable[..., Program]:
        """Makes the program of the last derivative: `vjp` or `jvp`."""
        return _DERIVE[self.steps[-1]]

    def of_subject(
        self,
        own: Framework,
        function: Function,
        pullback: Function,
        argnums: Sequence[int],
        inputs: int,
        outputs: int,
        primal: bool,
    ) -> Function:
        """`derivative(directions, *inputs)` of a function of so many inputs, whose gradient is `pullback`.

        The inputs are the function's, and then the directions of the derivatives inside. A single step gives
        the function's value beside the derivative, with `primal`.
        """
        argnums, last, inside = tuple(argnums), len(self.steps) - 1, inputs
        for level, step in enumerate(self.steps):
            if level == last and self.in_directions:
                argnums = tuple(range(inputs, inside))
            if step == FORWARD:
                derivative = own.pushforward(function, argnums, level < last, primal)
                directions = len(argnums)
            else:
                one = own.pullback(function, argnums, nested=level < last) if level else pullback
                derivative = WithZeros(one, argnums, own.zeros_like) if last else one
                directions, outputs = outputs, len(argnums)
            if level < last:
                function, inside = Inside(derivative, directions), inside + directions
        return derivative


_DERIVE = {REVERSE: vjp, FORWARD: jvp}
GRADIENT = Derivative()


@dataclass(frozen=True)
class OfDerivative(Derived):
    """A derivative that is made of another one, and calls nothing else."""

    derivative: Function

    @property
    def origins(self) -> tuple[Any, ...]:
        """The derivative."""
        return (self.derivative,)


@dataclass(frozen=True)
class WithZeros(OfDerivative):
    """A gradient in the `active` inputs, with zeros where it gives None: one that may well be constant."""

    active: tuple[int, ...]
    zeros: Function

    def __call__(self, directions: Sequence[Any], *inputs: Any) -> Any:
        """The gradient."""
        found = self.derivative(directions, *inputs)
        if not isinstance(found, tuple) or len(found) != len(self.active):
            return found
        pairs = zip(found, self.active, strict=True)
        return tuple(self.zeros(inputs[i]) if gradient is None else gradient for gradient, i in pairs)


@dataclass(frozen=True)
class Inside(OfDerivative):
    """A derivative as a function that is differentiated again: `inside(*inputs, *directions)`."""

    directions: int

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """The derivative."""
        split = len(inputs) - self.directions
        found: tuple[Any, ...] = self.derivative(inputs[split:], *inputs[:split])
        return tuple(found)


def inside(step: str, recording: Recording, wrt: Sequence[int], directions: Sequence[Array]) -> Recording:
    """A derivative of a recorded function along directions, as a recorded function."""
    return replace(
        recording,
        program=_DERIVE[step](recording.program, wrt),
        values=(*recording.values, *directions),
        argument=(*recording.argument, *(-1 for _ in directions)),
    )


def levels_of(cotangent: Any, count: int) -> list[Any]:
    """What the user gave for each of so many derivatives, the innermost first; None where nothing.

    Raises:
        ValueError: There is another number of them.
    """
    if count == 1 or cotangent is None:
        return [cotangent] if count == 1 else [None] * count
    if not isinstance(cotangent, list | tuple):
        raise ValueError(f"cotangent must be a list of {count} directions, got {shown(cotangent)}")
    given = list(cotangent)
    if len(given) != count:
        raise ValueError(f"cotangent must be a list of {count} directions, got {len(given)}")
    return given


def contracted(
    given: Any,
    outputs: Sequence[Var],
    arrays: Sequence[Array],
    rng: np.random.Generator,
    exactly: bool = False,
) -> list[Array]:
    """One cotangent per output: as given, or 1 for a single number, or random signs and sizes.

    Given ones take the output's dtype, unless they are to stay `exactly` what they are.

    Raises:
        ShapeError: The given ones have other shapes.
        Unsupported: One is not finite.
    """
    if given is None and [v.shape for v in outputs] == [()]:
        return [np.ones((), dtype_named(outputs[0].dtype, arrays))]
    if given is None:
        return [signed(rng, dtype_named(v.dtype, arrays), v.shape) for v in outputs]
    wanted = [(v.shape, dtype_named(v.dtype, arrays)) for v in outputs]
    return _fitting("cotangent", given, wanted, exactly)


def along(
    given: Any, active: Sequence[Array], rng: np.random.Generator, exactly: bool = False
) -> list[Array]:
    """One tangent per differentiated array: as given, or random. `exactly` as for `contracted`.

    Raises:
        ShapeError: The given ones have other shapes.
        Unsupported: One is not finite.
    """
    if given is None:
        return [signed(rng, a.dtype, a.shape) for a in active]
    return _fitting("tangent", given, [(a.shape, a.dtype) for a in active], exactly)


def _fitting(
    what: str, given: Any, wanted: Sequence[tuple[tuple[int, ...], np.dtype[Any]]], exactly: bool
) -> list[Array]:
    leaves = [leaf for leaf in flatten("numpy", given)[0] if leaf is not None]
    found = [on_host(leaf) for leaf in leaves]
    for array in found:
        if array.dtype.name not in FLOATS and array.dtype.kind not in "iuf":
            raise ValueError(f"the {what} must hold real numbers, got dtype {array.dtype}")
    if [a.shape for a in found] != [shape for shape, _ in wanted]:
        if len(wanted) == len(found) == 1:
            raise ShapeError(f"the {what} must have shape {wanted[0][0]}, got {found[0].shape}")
        raise ShapeError(
            f"the {what}s must have shapes {[s for s, _ in wanted]}, got {[a.shape for a in found]}"
        )
    if not exactly:
        with np.errstate(over="ignore"):
            found = [a.astype(dtype, copy=False) for a, (_, dtype) in zip(found, wanted, strict=True)]
    for k, array in enumerate(found):
        if not (finite := np.isfinite(array)).all():
            at = first_true(~finite)
            which = f"the {what}" if len(found) == 1 else f"{what} {k}"
            raise Unsupported(f"{which} must be finite, got {array[at]} in {array.dtype} at {at}")
    return found


def dtype_named(name: str, arrays: Sequence[Array]) -> np.dtype[Any]:
    """The dtype of that name; bfloat16 is the one that an argument has, or that of `ml_dtypes`.

    Raises:
        Unsupported: It is bfloat16, and ml_dtypes is not installed.
    """
    found = next((a.dtype for a in arrays if a.dtype.name == name), None)
    return found or np.dtype(bfloat16() if name == "bfloat16" else name)


def signed(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
    """Random numbers of both signs with two decimals, magnitudes from 0.25 to 2, never zero."""
    magnitude = np.round(rng.uniform(0.25, 2.0, shape), 2)
    return np.asarray(magnitude * rng.choice([-1.0, 1.0], shape), dtype=dtype)
