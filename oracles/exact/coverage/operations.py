"""What the exact oracle covers and what it lacks, read off the rules and off the frameworks themselves.

And when a gradient counts as proven: where the framework's own lies at the enclosure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from flint import arb

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.program import Array
from oracles.exact.program.recording import Recording


@dataclass(frozen=True, slots=True)
class Operations:
    """One front end: the operations with a rule, and the framework's others."""

    front_end: str
    covered: tuple[str, ...]
    missing: tuple[str, ...]


def scalar_functions() -> Operations:
    """The scalar functions with power series, which every front end shares."""
    from oracles.exact.program.scalars import SCALARS

    return Operations("scalar functions", tuple(sorted(SCALARS)), ())


def numpy_operations() -> Operations:
    """NumPy's ufuncs, and the functions that have a rule."""
    from oracles.exact.from_numpy.rules import RULES
    from oracles.exact.from_numpy.rules.elementwise import PREDICATES, UFUNCS
    from oracles.exact.from_numpy.special_cases import SPECIAL

    ufuncs = {f.__name__ for f in vars(np).values() if isinstance(f, np.ufunc)}
    return _against(ufuncs, {*UFUNCS, *PREDICATES, *RULES, *SPECIAL})


def jax_operations() -> Operations:
    """JAX's primitives, as `jax.extend` lists them."""
    from jax.extend.core import primitives

    from oracles.exact.from_jaxpr import DRAWS, RULES

    every = {p.name for p in vars(primitives).values() if type(p).__name__.endswith("Primitive")}
    return _against(every - set(jax_complex().covered), {*RULES, *DRAWS}, "jax")


def torch_operations() -> Operations:
    """ATen's core operators; a view is a map of positions, whichever it is, and sizes are plain numbers."""
    import torch

    from oracles.exact.from_aten.rules import RULES

    every = set()
    for qualified in torch._C._dispatch_get_all_op_names():
        namespace, _, name = qualified.partition("::")
        packet = getattr(torch.ops.aten, name.partition(".")[0], None) if namespace == "aten" else None
        for overload in packet.overloads() if packet else ():
            operator = getattr(packet, overload)
            view = any(r.alias_info and not r.alias_info.is_write for r in operator._schema.returns)
            if torch.Tag.core in operator.tags and not view and not operator.__name__.startswith("sym_"):
                every.add(operator._schema.name.removeprefix("aten::"))
    return _against(every - set(torch_complex().covered), RULES, "torch")


def scipy_operations() -> Operations:
    """SciPy's special functions, functions in Python and distributions; without a rule, of its ufuncs."""
    from oracles.exact.from_numpy.libraries import LIBRARIES
    from oracles.exact.from_numpy.libraries.distributions import STANDARD
    from oracles.exact.from_numpy.rules.elementwise import SCIPY

    special = vars(import_module("scipy.special")) if find_spec("scipy") else {}
    ufuncs = {name for name, f in special.items() if isinstance(f, np.ufunc)}
    of_python = {
        f"{library.removeprefix('scipy.')}.{name}" if library != "scipy.special" else name
        for library, table in LIBRARIES.items()
        if library not in ("math", "statistics", "numpy.testing")
        for name in table
    }
    public = {name for name in SCIPY if not name.startswith("_")}
    distributions = {f"stats.{name}" for name in (*STANDARD, "multivariate_normal")}
    return _against(ufuncs, public | of_python | distributions, "scipy")


def numpy_complex() -> Operations:
    """NumPy's functions of complex numbers."""
    from oracles.exact.from_numpy.rules.complex import COMPLEX_RULES, COMPLEX_UFUNCS

    return _against((), {*COMPLEX_RULES, *COMPLEX_UFUNCS}, "numpy, complex")


def jax_complex() -> Operations:
    """JAX's primitives on complex numbers."""
    from oracles.exact.from_jaxpr.rules.complex import APART, COMPLEX
    from oracles.exact.from_jaxpr.rules.control import CONTROL

    return _against((), {*APART, *COMPLEX, *CONTROL}, "jax, complex")


def torch_complex() -> Operations:
    """ATen's operators on complex numbers."""
    from oracles.exact.from_aten.rules.complex import APART, COMPLEX

    return _against((), {*APART, *COMPLEX}, "torch, complex")


def _against(every: Iterable[str], rules: Iterable[str], front_end: str = "numpy") -> Operations:
    covered = set(rules)
    return Operations(front_end, tuple(sorted(covered)), tuple(sorted(set(every) - covered)))


BITS = 128
TOLERANCE = 1e-8  # relative to the element, absolute below 1


class Compared(NamedTuple):
    """One array of ours, and the same as the framework computed it; its dtype resolves `unit` of 1."""

    what: str
    ours: Array
    theirs: Array
    unit: float = 0.0


class Theirs(NamedTuple):
    """What a framework computes: values, random cotangents of those with a gradient, and the gradients."""

    values: list[Any]
    cotangents: dict[int, Any]
    gradients: list[Any]


def compared(
    recording: Recording, theirs: Theirs, numbers: Callable[[Any], tuple[Array, float]]
) -> Iterator[Compared]:
    """The values and gradients of a recorded function beside the framework's own.

    `numbers` gives the numbers of an array of the framework's, and the unit of its dtype.
    """
    values = evaluate(recording.program, recording.values, BITS)
    for k, (ours, y) in enumerate(zip(values, theirs.values, strict=True)):
        yield Compared(f"value {k}", ours, *numbers(y))
    if not theirs.cotangents:
        return
    outputs = tuple(recording.program.outputs[k] for k in theirs.cotangents)
    gradient = vjp(replace(recording.program, outputs=outputs), range(len(recording.values)))
    along = [numbers(c)[0] for c in theirs.cotangents.values()]
    proven = evaluate(gradient, [*recording.values, *along], BITS)
    for k, (ours, g) in enumerate(zip(proven, theirs.gradients, strict=True)):
        yield Compared(f"gradient {k}", ours, *numbers(g))


def examined(compute: Callable[[], Iterable[Compared]], framework: str) -> str:
    """ "proven" where the framework's numbers lie at our enclosures; else what does not, or why not.

    The forward's value is compared as well as the gradient: differences of our own record would agree with a
    wrong forward rule.
    """
    try:
        for one in compute():
            if (found := status(one, framework)) != "proven":
                return found
    except Unsupported as reason:
        return f"unsupported: {reason}"
    except Undecided as reason:
        return f"undecided: {reason}"
    except Exception as reason:  # whatever a rule raises is a finding
        return f"error: {type(reason).__name__}: {reason}"
    return "proven"


def status(compared: Compared, framework: str) -> str:
    """ "proven", or the first thing that is undecided or disagrees, and where."""
    what, ours, theirs, unit = compared
    tolerance = max(TOLERANCE, 4 * unit)
    if ours.shape != theirs.shape:
        return f"disagrees: {what} has shape {ours.shape}, {framework} has {theirs.shape}"
    for where, (b, c) in enumerate(zip(ours.ravel().tolist(), theirs.ravel().tolist(), strict=True)):
        place = f"{what}, element {where}"
        if not isinstance(b, arb):
            if b != c:
                return f"disagrees: {place} is {b}, {framework} has {c}"
            continue
        if b.is_exact() and math.isinf(c) and float(b.mid()) == c:
            continue
        if not b.is_finite():
            return f"undecided: {place} is {b}"
        if not math.isfinite(c):
            return f"not finite: {framework}'s {place} is {c}, though it is {b.str(12)}"
        low, high = float(b.lower()), float(b.upper())
        size = max(abs(low), abs(high), 1.0)
        if high - low > tolerance * size:
            return f"undecided: {place} is only {b}"
        if not low - tolerance * size <= c <= high + tolerance * size:
            return f"disagrees: {place} is {b.str(12)}, {framework} has {c}"
    return "proven"
