"""The user's own gradient: one call, one verdict."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.case import Array, signed
from harness.frameworks import NAMES, UserFunction, differentiate, framework_of, on_host
from harness.judge import Judgement
from harness.observe import Observed, observe
from harness.truth import true_gradient
from harness.verdict import RIGHT, Verdict, budget
from harness.verify import examine_program, verdict, worst
from oracles.exact.errors import Undecided, Unsupported
from oracles.exact.program import FLOATS
from oracles.exact.refine import Limits
from oracles.exact_oracle import LIMITS


@dataclass(frozen=True, slots=True)
class Result:
    """What is known of one gradient at one point.

    Attributes:
        verdict: The worst over all elements and arguments.
        judgement: The worst element, in numbers.
        diagnosis: Why, in words.
        faults: What is wrong apart from size.
        notes: What is worth saying and not wrong.
    """

    verdict: Verdict
    judgement: Judgement | None
    diagnosis: str = ""
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the gradient is right, keeps its digits, and behaves."""
        return self.verdict in RIGHT and not self.faults

    def __str__(self) -> str:
        """The verdict, the worst element, and why."""
        lines = [str(self.verdict)]
        j = self.judgement
        if j is not None:
            bound = "" if math.isnan(j.bound_ulp) else f", program bound {j.bound_ulp:.3g}"
            lines.append(
                f"worst element {j.where}: computed {j.computed!r}, true {j.true_digits} "
                f"({j.error_ulp:.3g} ulp; attainable {j.attainable_ulp:.3g}{bound}), "
                f"{j.bits_lost:.3g} bits lost"
            )
        lines += [text for text in (self.diagnosis, *self.notes) if text]
        return "\n  ".join(lines)


def check_gradient(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    vjp: Callable[..., Any] | None = None,
    spec: Callable[..., Any] | None = None,
    surrogate: Callable[..., Any] | None = None,
    argnums: int | Sequence[int] | None = None,
    cotangent: Any = None,
    seed: int = 0,
    bits_lost: float | None = None,
    seconds: float = LIMITS.seconds,
    framework: str | None = None,
    jit: bool = False,
) -> Result:
    """The verdict on the gradient of `f` at these arguments.

    Args:
        f: A function of NumPy arrays, JAX arrays or torch tensors that returns one array.
        args: Its arguments, of any shape, in float64, float32, float16 or bfloat16; integers are constants.
        vjp: The gradient under test, `vjp(cotangent, *args)`, an array or one per differentiated argument.
            Without it that of the framework: JAX's or torch's own, custom rules as they stand.
        spec: The function that f is meant to be, where f is an iteration or an approximation: its derivative
            is the truth.
        surrogate: The function whose gradient is meant to be f's, where that is deliberately another one.
        argnums: Which arguments are differentiated; all floating ones if not given.
        cotangent: Of the output's shape; seeded, random and signed if not given (1 for a scalar).
        seed: Seeds the cotangent.
        bits_lost: The budget of lost bits, half of the significand if not given.
        seconds: The limit for the exact evaluations.
        framework: "numpy", "jax" or "torch"; recognised from the arguments and the function if not given.
        jit: Whether JAX compiles the function and its gradient.

    Raises:
        ValueError: An argument of this function is not what it must be.
    """
    name = framework or framework_of(f, args)
    if name not in NAMES:
        raise ValueError(f"framework is {name!r}; it must be one of {', '.join(NAMES)}")
    if spec and surrogate:
        raise ValueError("spec and surrogate are both given; the truth can come from one of them only")
    host = [on_host(a) for a in args]
    chosen = _chosen(host, argnums)
    limits = Limits(LIMITS.bits, seconds, LIMITS.zero_bits)
    allowed = budget if bits_lost is None else lambda dtype: bits_lost
    try:
        user = UserFunction(name, f, vjp or differentiate(name, f, chosen), jit)
        return _checked(user, spec or surrogate or f, host, args, chosen, cotangent, seed, limits, allowed)
    except Unsupported as reason:
        return Result(Verdict.UNSUPPORTED, None, str(reason))
    except Undecided as reason:
        return Result(Verdict.UNDECIDED, None, str(reason))


def _checked(
    user: UserFunction,
    specification: Callable[..., Any],
    host: list[Array],
    args: Sequence[Any],
    chosen: tuple[int, ...],
    cotangent: Any,
    seed: int,
    limits: Limits,
    allowed: Callable[[str], float],
) -> Result:
    recording = user.record(specification, host, edges=True)
    outputs = recording.program.outputs
    if len(outputs) != 1:
        raise ValueError(f"the function returns {len(outputs)} arrays; it must return one")
    (out,) = outputs
    if not out.is_float:
        raise Unsupported(f"the function returns {out.dtype}, which has no gradient (not a zero one)")
    names = _names(user.function, len(host))
    ct = _cotangent(cotangent, out.shape, _dtype(out.dtype, host), seed)
    wrt = [recording.argument.index(k) for k in chosen]
    true = true_gradient(recording, [ct], wrt, [names[k] for k in chosen], limits)
    seen = observe(user.subject(args), host, ct, names, chosen)
    shapeless = [*seen.misshapen, *_missing(seen, [names[k] for k in chosen])]
    if shapeless:
        return Result(Verdict.WRONG, None, "; ".join(shapeless), tuple(shapeless), seen.notes)
    program = examine_program(
        true, lambda: user.record(_pull(user, seen), [ct, *host], edges=False), user.framework, limits
    )
    results = (("", seen.gradient.arrays), *seen.others)
    found = worst(
        [(label, verdict(true, program, [a for a in r if a is not None], allowed)) for label, r in results]
    )
    why = "; ".join([*seen.faults, *([found.diagnosis] if found.diagnosis else [])])
    return Result(found.verdict, found, why, seen.faults, seen.notes)


def _pull(user: UserFunction, seen: Observed) -> Callable[..., Any]:
    """The gradient to record; one that overwrites its arguments gets copies, so that its formula is seen."""
    if not seen.faults or user.framework == "jax":
        return user.pull
    copy = "copy" if user.framework == "numpy" else "clone"
    return lambda *args: user.pull(*(getattr(a, copy)() for a in args))


def _missing(seen: Observed, names: Sequence[str]) -> list[str]:
    return [
        f"{name}: no gradient (None), which is not a zero gradient"
        for name, got in zip(names, seen.gradient.arrays, strict=False)
        if got is None
    ]


def _chosen(host: Sequence[Array], argnums: int | Sequence[int] | None) -> tuple[int, ...]:
    floating = tuple(k for k, a in enumerate(host) if a.dtype.name in FLOATS)
    if not floating:
        kinds = ", ".join(str(a.dtype) for a in host) or "none"
        raise ValueError(
            f"no argument is floating (dtypes: {kinds}); allowed are {', '.join(sorted(FLOATS))}"
        )
    if argnums is None:
        return floating
    asked = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for k in asked:
        if k not in floating:
            raise ValueError(f"argnums has {k}; the floating arguments are {', '.join(map(str, floating))}")
    return asked


def _names(function: Callable[..., Any], count: int) -> list[str]:
    """The parameters' own names, where the function tells them."""
    try:
        parameters = inspect.signature(function).parameters.values()
        found = [p.name for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    except (TypeError, ValueError):
        found = []
    return [found[k] if k < len(found) else f"argument {k}" for k in range(count)]


def _dtype(name: str, host: Sequence[Array]) -> np.dtype[Any]:
    """The dtype of that name; bfloat16 is the one that an argument has."""
    return next((a.dtype for a in host if a.dtype.name == name), None) or np.dtype(name)


def _cotangent(given: Any, shape: tuple[int, ...], dtype: np.dtype[Any], seed: int) -> Array:
    if given is None:
        return np.ones((), dtype) if shape == () else signed(np.random.default_rng(seed), dtype, shape)
    array = on_host(given)
    if array.shape != shape:
        raise ValueError(f"the cotangent has shape {array.shape}; the function's value has {shape}")
    return array.astype(dtype, copy=False)
