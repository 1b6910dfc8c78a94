"""The door to the exact oracle: what a value or a gradient *is*, with a proven error.

`exact_gradient(f, args)` records `f` at the point (NumPy, JAX or PyTorch code, unchanged), derives the
program of its gradient and evaluates it in ball arithmetic, at growing precision, until it is narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.asking import question_of
from harness.proof.nearby import confirm_nearby
from harness.proof.tied import confirm
from harness.proof.truth import recorded
from harness.subject import given
from harness.subject.derivative import Derivative, Mode, Step
from harness.subject.names import place_of
from harness.subject.state import leaving_no_trace
from harness.subject.target import target_of
from harness.waiting import waited
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.limits import Limits
from oracles.exact.enclose.refine import refine
from oracles.exact.enclose.slopes import slopes
from oracles.exact.program.errors import ExactError, Undecided, Unsupported
from oracles.exact.program.indices import first_true
from oracles.exact_oracle import BITS
from oracles.frameworks.framework import Name, differentiating

QUICK_DIGITS = 18  # for half of 128 bits
MOST_BITS, MOST_DIGITS = 2**30, 10**8  # of which memory holds a few numbers

__all__ = ["Enclosure", "ExactError", "Undecided", "Unsupported", "exact_gradient", "exact_value"]


@given.known_keywords
@leaving_no_trace
@waited()
@differentiating()
def exact_value(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    kwargs: Mapping[str, Any] | None = None,
    bits: int = 128,
    digits: int | None = None,
    max_bits: int = 4096,
    seconds: float = 60.0,
    framework: Name | None = None,
) -> Any:
    """The true value of `f(*args, **kwargs)`, with a proven error for every element.

    Args:
        f: A function of NumPy arrays, JAX arrays or torch tensors, run as it is, or a `torch.nn.Module`.
        args: Its arguments, arrays of any shape in float64, float32, float16, bfloat16, complex64 or
            complex128 (each is exactly the number it is), or trees of them; integers and booleans too.
        kwargs: Keyword arguments.
        bits: The precision it starts at, 32 at the least; it doubles until every radius is small.
        digits: How many decimal digits of each element are wanted, and proven; about thirty if not given.
        max_bits: The precision it stops at.
        seconds: The work it stops at, above 0: what a machine of 2025 does in them, at the least.
        framework: "numpy", "jax" or "torch"; recognised from the arguments and the function if not given.

    Returns:
        An `Enclosure` in the shape of the result, complex numbers with a last axis of 2 (the real and the
        imaginary parts); a tuple of them for several results.

    Raises:
        Unsupported: An operation has no rule, or a value would leave the balls.
        Undecided: No precision within the limits decides a comparison or narrows an element; or the function
            takes another path where it is recorded than where it runs.
        ValueError: An argument of this function is not what it must be, or no argument is floating.
        TypeError: There is no such keyword.
        Exception: Whatever `f` raises.
    """
    limits, (bits, quickly) = _limits(max_bits, seconds, bits), _precision(bits, digits)
    target = target_of(
        given.function("f", f), args, given.mapping("kwargs", kwargs), None, framework, exactly=True
    )
    forward = target.recorded(target.flat, target.arrays, differentiate=False, exactly=True)
    found = refine(forward.program, forward.values, bits, limits, quickly=quickly)
    confirm(forward, target.values(), found, target.framework.name)
    return found[0] if len(target.results.names) == 1 else tuple(found)


@given.known_keywords
@leaving_no_trace
@waited()
@differentiating()
def exact_gradient(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    kwargs: Mapping[str, Any] | None = None,
    cotangent: Any = None,
    tangents: Any = None,
    argnums: int | Sequence[int] | None = None,
    bits: int = 128,
    digits: int | None = None,
    mode: Mode | Sequence[Step] = "reverse",
    order: int = 1,
    seed: int = 0,
    max_bits: int = 4096,
    seconds: float = 60.0,
    framework: Name | None = None,
) -> Any:
    """The true gradient of `f` at exactly the given numbers, with a proven error for every element.

    A gradient is of a number. Of a function that returns an array it is the gradient of <cotangent, result>,
    and the cotangent is drawn from the seed if not given: for the slope of each element of an elementwise
    function, pass cotangent=np.ones(...) in the shape of the result.

    It is the truth of `check_gradient`: the same question, recorded and proven, without a gradient under
    test.

    Args:
        f: A function of NumPy arrays, JAX arrays or torch tensors, run as it is, or a `torch.nn.Module`,
            whose parameters are then differentiated too. Its forward is the specification: custom derivative
            rules are ignored; `stop_gradient`, `detach` and `no_grad` count. A literal is the number that is
            written: `0.1` is the float64 0.1 in a float32 function too.
        args: Its arguments, arrays of any shape in float64, float32, float16, bfloat16, complex64 or
            complex128 (each is exactly the number it is), or trees of them. Integers and booleans are
            constants, and so are Python's numbers, unless there is nothing else to differentiate or argnums
            names them.
        kwargs: Keyword arguments, not differentiated.
        cotangent: What the gradient is contracted with: one array of the output's shape, or one per output.
            A scalar output needs none (1); another gets seeded random signs and sizes. Of several
            derivatives: a list, the innermost first.
        tangents: The same for mode="forward": one array per differentiated array.
        argnums: Which arguments are differentiated; all with floating arrays if not given.
        bits: The precision it starts at; it doubles until every radius is small.
        digits: How many decimal digits of each element are wanted, and proven (but of an element that is
            tiny beside the largest one). Up to 18 come from the fast core, where a hundred bits prove them:
            in milliseconds. About thirty are proven if it is not given.
        mode: "reverse" gives one result per differentiated argument; "forward" the derivative of each output
            along the tangents; "forward-over-reverse", or a tuple of steps, each reverse or forward, the
            innermost first.
        order: 1, 2 or 3: the gradient, the gradient of `<gradient, direction>`, and so on.
        seed: Seeds the random cotangents and tangents.
        max_bits: The precision it stops at.
        seconds: The work it stops at: what a machine of 2025 does in them, at the least. It is counted, so
            that a slow or busy one comes as far.
        framework: "numpy", "jax" or "torch"; recognised from the arguments and the function if not given.

    Returns:
        An `Enclosure` in the shape of the argument (for several arguments a tuple of them; in the argument's
        structure where it is a tree; of a module first a dictionary for its parameters), or, where no step is
        reverse, one in the shape of each output. That of complex numbers a + bi has a last axis of 2, for the
        gradients in a and in b. At a kink (relu at 0, ties of max) the balls are hulls of the legal one-sided
        values, and the enclosure's `kinks` say where; where the function jumps, as on a branch cut, it has no
        derivative: the balls are those of its sides, and `leaps` says where.

    Raises:
        Unsupported: An operation has no rule, or a value would leave the balls.
        Undecided: No precision within the limits decides a comparison or narrows an element; or the function
            takes another path where it is recorded than where it runs.
        ValueError: An argument of this function is not what it must be.
        TypeError: There is no such keyword.
        Exception: Whatever `f` raises.
    """
    derivative, limits = Derivative.of(mode, order), _limits(max_bits, seconds, bits)
    bits, quickly = _precision(bits, digits)
    if tangents is not None and (cotangent is not None or derivative.steps != ("forward",)):
        raise ValueError(f'tangents must come with mode="forward" and no cotangent, got mode={mode!r}')
    target = target_of(
        given.function("f", f), args, given.mapping("kwargs", kwargs), argnums, framework, exactly=True
    )
    along = tangents if tangents is not None else cotangent
    question = question_of(
        target, derivative, exactly=True, cotangent=along, seed=given.integer("seed", seed)
    )
    at = recorded(question, target.arrays, exactly=True)
    if at.forward.attached is not None:
        raise Unsupported(
            "a custom function gives a gradient to what is computed under no_grad, or detached: whether that "
            "moves is not known; compute it in the forward of the custom function, where it does"
        )
    found, values, _ = slopes(
        at.function.program, derivative.last, at.function.values, at.directions, at.wrt,
        bits, limits, quickly, at.again,
    )  # fmt: skip
    if values is None or at.function.program is not at.forward.program:
        try:
            # Beside what a run rounds, a hundred bits are enough.
            values = refine(at.forward.program, at.forward.values, min(bits, BITS), limits, quickly=True)
        except Undecided:  # its gradient is narrow all the same
            values = []
    confirm(at.forward, target.values() if values else (), values, target.framework.name)
    own = target.subject(target.flat, target.flat)
    confirm_nearby(
        target, at.forward, target.arrays, question.specify, lambda arrays: own.value(*map(own.load, arrays)),
        limits,
    )  # fmt: skip
    results = [f"result{path}" for path in question.results]
    names = results if derivative.is_of_results else [question.names[k] for k in question.active]
    found = [_telling_of_leaps(e, name) for e, name in zip(found, names, strict=True)]
    if derivative.is_of_results:
        return found[0] if len(target.results.names) == 1 else tuple(found)
    waiting = iter(found)
    trees = tuple(
        argument.rebuilt([next(waiting) for active in argument.active if active])
        for argument in target.arguments
    )
    return trees[0] if len(trees) == 1 else trees


def _telling_of_leaps(found: Enclosure, name: str) -> Enclosure:
    """Where what is differentiated jumps, its sides may have slopes, and it has none."""
    if found.leaps is None or not found.leaps.any():
        return found
    where = place_of(name, first_true(found.leaps))
    said = f"what is differentiated jumps at {where}, and has no slope there: the ball is that of its sides"
    return replace(found, kinks=(*found.kinks, said))


def _precision(bits: int, digits: int | None) -> tuple[int, bool]:
    """The bits to start at, of which at least half are proven, and whether the fast core's may do."""
    if digits is None:
        return bits, False
    wanted = math.ceil(2 * given.integer("digits", digits, 1, MOST_DIGITS) * math.log2(10))
    return max(bits, wanted), digits <= QUICK_DIGITS


def _limits(max_bits: int, seconds: float, bits: int) -> Limits:
    """How far the precision may grow from the given one."""
    given.integer("bits, the starting precision,", bits, 32, MOST_BITS)
    return Limits(
        given.integer("max_bits", max_bits, 32),
        given.number("seconds", seconds, above=True),
        raised_by=("max_bits", "seconds"),
        promised=True,
    )
