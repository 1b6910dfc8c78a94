"""The door to the exact oracle: what a value or a gradient *is*, with a proven error.

`exact_gradient(f, args)` records `f` at the point (NumPy, JAX or PyTorch code, unchanged), derives the
program of its gradient and evaluates it in ball arithmetic, at growing precision, until it is narrow.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.frameworks import framework_of
from harness.inputs.arrays import Array, signed
from oracles.exact.enclose.refine import Enclosure, Limits, refine, slopes
from oracles.exact.program.errors import ExactError, Undecided, Unsupported
from oracles.exact.program.trees import flatten

if TYPE_CHECKING:
    from oracles.exact.program.program import Program
    from oracles.exact.program.recording import Recording

FRONT_ENDS = {
    "numpy": "oracles.exact.from_numpy",
    "jax": "oracles.exact.from_jaxpr",
    "torch": "oracles.exact.from_aten",
}
MODES = ("reverse", "forward")
MAX_ORDER = 3

__all__ = ["Enclosure", "ExactError", "Undecided", "Unsupported", "exact_gradient", "exact_value"]


def exact_value(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    kwargs: Mapping[str, Any] | None = None,
    bits: int = 128,
    max_bits: int = 4096,
    seconds: float = 60.0,
    framework: str | None = None,
) -> Any:
    """The true value of `f(*args, **kwargs)`: an `Enclosure`, or a tuple of them for several outputs.

    Arguments and errors as for `exact_gradient`.
    """
    recording = _record(f, args, kwargs, framework)
    found = refine(recording.program, recording.values, _checked_bits(bits), Limits(max_bits, seconds))
    return found[0] if len(found) == 1 else tuple(found)


def exact_gradient(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    kwargs: Mapping[str, Any] | None = None,
    cotangent: Any = None,
    tangents: Sequence[Any] | None = None,
    argnums: int | Sequence[int] | None = None,
    bits: int = 128,
    mode: str = "reverse",
    order: int = 1,
    seed: int = 0,
    max_bits: int = 4096,
    seconds: float = 60.0,
    framework: str | None = None,
) -> Any:
    """The true gradient of `f` at exactly the given numbers, with a proven error for every element.

    Args:
        f: A function of NumPy arrays, JAX arrays or torch tensors, run as it is. Its forward is the
            specification: custom derivative rules are ignored; `stop_gradient`, `detach` and `no_grad` count.
        args: Its arguments, arrays of any shape in float64, float32, float16 or bfloat16 (each is exactly the
            number it is), or trees of them. Integers and booleans are constants.
        kwargs: Keyword arguments, not differentiated.
        cotangent: What the gradient is contracted with: one array of the output's shape, or one per output.
            A scalar output needs none (1); another gets seeded random signs and sizes.
        tangents: For `mode="forward"`: one per differentiated leaf; seeded and random if not given.
        argnums: Which arguments are differentiated; all with floating numbers if not given.
        bits: The precision it starts at; it doubles until every radius is small.
        mode: "reverse" gives one result per differentiated argument; "forward" the derivative of each output
            along the tangents.
        order: 1, 2 or 3: the gradient, the gradient of <gradient, direction>, and so on; each direction is
            seeded and random, or given: `cotangent` is then a list, first the cotangent of the output and
            then one list of arrays (one per differentiated leaf) for each further order.
        seed: Seeds the random cotangents and tangents.
        max_bits: The precision it stops at.
        seconds: The time it stops at, for evaluation.
        framework: "numpy", "jax" or "torch"; recognised from the arguments and the function if not given.

    Returns:
        An `Enclosure` per differentiated argument (a tuple of them for several; in the argument's structure
        where it is a tree), or, forward, per output. At a kink (relu at 0, ties of max) the balls are hulls
        of the legal one-sided values, and the enclosure's `kinks` say where.

    Raises:
        Unsupported: An operation has no rule, or a value would leave the balls.
        Undecided: No precision within the limits decides a comparison or narrows an element.
        ValueError: An argument of this function is not what it must be.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(MODES)}")
    if order not in range(1, MAX_ORDER + 1):
        raise ValueError(f"order is {order!r}; it must be 1, 2 or {MAX_ORDER}")
    if mode == "forward" and order != 1:
        raise ValueError(f"order is {order}; forward mode has order 1 (reverse mode goes to {MAX_ORDER})")
    recording = _record(f, args, kwargs, framework)
    chosen = _chosen(recording, args, argnums)
    wrt = [i for i, k in enumerate(recording.argument) if k in chosen]
    rng, limits = np.random.default_rng(seed), Limits(max_bits, seconds)
    values = list(recording.values)
    if mode == "forward":
        from oracles.exact.program.derive import jvp

        moves = _directions(tangents, [values[i].shape for i in wrt], rng, "tangent")
        program = jvp(recording.program, wrt)
        found = slopes(recording.program, program, values, moves, wrt, _checked_bits(bits), limits, True)
        return found[0] if len(found) == 1 else tuple(found)
    program, directions = _nested(recording, wrt, cotangent, order, rng)
    found = slopes(recording.program, program, values, directions, wrt, _checked_bits(bits), limits)
    trees = [
        recording.rebuild(k, [e for e, i in zip(found, wrt, strict=True) if recording.argument[i] == k])
        for k in chosen
    ]
    single = len(trees) == 1 and (argnums is None or isinstance(argnums, int) or len(chosen) == 1)
    return trees[0] if single else tuple(trees)


def _nested(
    recording: Recording, wrt: list[int], cotangent: Any, order: int, rng: np.random.Generator
) -> tuple[Program, list[Array]]:
    """The program of the gradient of this order, and the directions it is contracted with."""
    from oracles.exact.program.derive import vjp

    given = [cotangent] if order == 1 else list(cotangent) if cotangent is not None else [None] * order
    if len(given) != order:
        raise ValueError(f"order {order} takes {order} cotangents, got {len(given)}")
    program, directions = recording.program, list[Array]()
    for level in given:
        shapes = [v.shape for v in program.outputs]
        directions += _directions(level, shapes, rng, "cotangent")
        program = vjp(program, wrt)
    return program, directions


def _record(
    f: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None, framework: str | None
) -> Recording:
    if not isinstance(args, (tuple, list)):
        raise ValueError(f"args is a {type(args).__name__}; pass a tuple, (x,) for one argument")
    name = framework or framework_of(f, flatten("numpy", [args, kwargs or {}])[0])
    if name not in FRONT_ENDS:
        raise ValueError(f"framework is {name!r}; it must be one of {', '.join(FRONT_ENDS)}")
    recording: Recording = importlib.import_module(FRONT_ENDS[name]).record(
        f, tuple(args), dict(kwargs or {})
    )
    integers = [v.dtype for v in recording.program.outputs if not v.is_float]
    if integers:
        raise Unsupported(f"the function returns {integers[0]}, which has no gradient (not a zero one)")
    if not recording.program.inputs:
        raise ValueError("no argument holds floating numbers, so there is nothing to differentiate")
    return recording


def _chosen(recording: Recording, args: Sequence[Any], argnums: int | Sequence[int] | None) -> list[int]:
    floating = sorted(set(recording.argument))
    if argnums is None:
        return floating
    asked = [argnums] if isinstance(argnums, int) else list(argnums)
    for k in asked:
        if not -len(args) <= k < len(args):
            raise ValueError(f"argnums has {k}; the function got {len(args)} arguments")
        if k % len(args) not in floating:
            raise ValueError(f"argnums has {k}; that argument holds no floating numbers")
    return [k % len(args) for k in asked]


def _directions(
    given: Any, shapes: list[tuple[int, ...]], rng: np.random.Generator, what: str
) -> list[Array]:
    """One array per shape: the given ones checked, or 1 for a single scalar, or signed random numbers."""
    if given is None:
        if what == "cotangent" and shapes == [()]:
            return [np.ones(())]
        return [signed(rng, np.dtype(np.float64), shape) for shape in shapes]
    several = isinstance(given, (tuple, list)) and (len(shapes) != 1 or len(given) == 1)
    arrays = [_to_numpy(g) for g in (given if several else [given])]
    found = [a.shape for a in arrays]
    if found != shapes:
        raise ValueError(f"the {what} has shapes {found}; the function needs {shapes}")
    return arrays


def _to_numpy(array: Any) -> Array:
    """A tensor of any framework as NumPy's; bfloat16, which NumPy lacks, as the float32 it is part of."""
    if type(array).__module__.partition(".")[0] == "torch":
        array = array.detach().cpu()
        return np.asarray((array.float() if str(array.dtype) == "torch.bfloat16" else array).numpy())
    return np.asarray(array)


def _checked_bits(bits: int) -> int:
    if not isinstance(bits, int) or bits < 32:
        raise ValueError(f"bits is {bits!r}; it is the starting precision, an integer of 32 or more")
    return bits
