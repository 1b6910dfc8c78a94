"""What a function returns: its structure, from one run on copies of its arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from harness.subject.argnums import dtype_or_type, is_moving
from harness.subject.complex_pairs import ComplexName
from harness.subject.derivative import Array, Function
from harness.subject.refused import refuse_strange
from oracles.exact.program.complex import REAL
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.trees import Fixed, Flat, Tree, dtype_of, flatten, is_complex
from oracles.frameworks.framework import NAMES, Framework, Subject, as_called, without_errors


@dataclass(frozen=True)
class Results:
    """The structure of what a function returns.

    Attributes:
        tree: Its tree.
        fixed: The leaves in it that are not floating.
        names, shapes: Those of the others, complex ones as pairs.
        dtypes: And theirs, of pairs that of their parts; "" for Python's own numbers.
        numbers: Which of the others are numbers of Python's or NumPy's, and no arrays of no axes.
        as_given: The numbers of the others, of the function called on the arrays as they were given; empty
            where it cannot know these from copies.
    """

    tree: Tree
    fixed: tuple[Fixed, ...]
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    numbers: tuple[bool, ...]
    as_given: tuple[Array, ...] = ()


def results_of(own: Framework, flat: Flat, arrays: Sequence[Array], natives: Sequence[Any]) -> Results:
    """What the function returns, run once on copies: what it does to its arguments is seen later.

    Raises:
        ValueError: It returns what has no numbers, or what is another framework's.
        Unsupported: It returns nothing that has a gradient.
    """
    subject = subject_of(own, natives, arrays, flat.result, flat.result)
    as_given = None if flat.complex else own.as_given(flat.result, natives)
    written = _written_in(flat.function)
    others = [] if own.name in written else sorted(written)
    try:
        with without_errors():
            result = as_given
            if as_given is None:
                result = subject.value(*(subject.load(a.copy("K")) for a in arrays))
    except TypeError as problem:
        if others:
            said = str(problem).splitlines()[0]
            raise ValueError(f"{_other(others[0], own.name)} ({said})") from problem
        raise
    leaves, tree = flatten(own.name, result)
    refuse_strange(leaves, "the function returns")
    roots = {type(leaf).__module__.partition(".")[0].removesuffix("lib") for leaf in leaves}
    if own.name == "numpy" and roots & {"jax", "torch"}:
        raise ValueError(_other(min(roots & {"jax", "torch"}), own.name))
    floating = [is_moving(leaf) or type(leaf) in {float, complex} for leaf in leaves]
    if not any(floating):
        kinds = ", ".join(map(dtype_or_type, leaves)) or "nothing"
        advice = "" if all(map(dtype_of, leaves)) else (
            ": return floating arrays, or tuples, lists and dictionaries of them"
        )  # fmt: skip
        if any(str(getattr(leaf, "dtype", "")) == "object" for leaf in leaves):
            advice = (
                ": an array of objects, which np.frompyfunc and np.array make; write "
                "np.vectorize(..., otypes=[float]), or a dtype"
            )
        name = getattr(flat.function, "__name__", "the function")
        raise Unsupported(f"{name} returns {kinds}, which has no gradient (not a zero one){advice}")
    fixed = tuple(Fixed(k, None, "") for k, moves in enumerate(floating) if not moves)
    found = [
        (name, leaf, is_complex(leaf))
        for name, leaf, moves in zip(tree.names, leaves, floating, strict=True)
        if moves
    ]
    return Results(
        tree,
        fixed,
        tuple(ComplexName(name) if pairs else name for name, _, pairs in found),
        tuple((*np.shape(leaf), *(2,) * pairs) for _, leaf, pairs in found),
        tuple(REAL.get(dtype_of(leaf), dtype_of(leaf)) for _, leaf, _ in found),
        tuple(isinstance(leaf, float | complex | np.generic) for _, leaf, _ in found),
        ()
        if as_given is None or any(pairs for *_, pairs in found)
        else tuple(own.on_host(x) for _, x, _ in found),
    )


def _other(written: str, runs: str) -> str:
    """What to do about a function of one framework at another's arrays."""
    return (
        f"the function is written in {written} and its arguments are {runs}'s: pass "
        f'framework="{written}", or {written} arrays'
    )


def _home(thing: Any) -> str:
    """The name of the module that made something; "" where it has none."""
    return str(getattr(thing, "__module__", "") or "")


def _written_in(function: Function) -> set[str]:
    """Which frameworks' modules, or functions of these, a function names."""
    code, own = getattr(function, "__code__", None), getattr(function, "__globals__", {})
    named = [own.get(name) for name in getattr(code, "co_names", ())]
    homes = [one.__name__ if isinstance(one, ModuleType) else _home(one) for one in (*named, function)]
    return {home.partition(".")[0] for home in homes} & set(NAMES)


def subject_of(
    own: Framework,
    natives: Sequence[Any],
    arrays: Sequence[Array],
    value: Function,
    gradient: Function,
    primal: bool = False,
) -> Subject:
    """What runs functions of these arrays where they are."""
    wide = any(array.dtype == np.float64 for array in arrays)
    return own.subject(as_called(value), as_called(gradient), own.device_of(natives), wide, primal)
