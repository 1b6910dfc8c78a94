"""Mutation power: the smallest error in a gradient that each checker sees, and what it lets through."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

import jax
import numpy as np
import torch
from jax.test_util import check_grads

import harness
from harness.dropin.originals import original
from harness.verdicts import RIGHT, Verdict
from oracles.exact.program.formats import FORMATS
from tests.power import functions, reference_rules
from tests.power.check import check
from tests.power.fault import loaded
from tests.power.kept import keeping_truths
from tests.power.mutants import KINDS, Mutant, Subject, changes, scaled

SIZES = ((4, 8), (16, 16), (24, 32))
DTYPES = tuple(FORMATS)
FINEST = 40  # scales are 1 + 2^-k and 1 - 2^-k up to this
SLOW = 256  # elements up to which gradcheck's whole Jacobian is computed


def subject(framework: str, name: str, size: tuple[int, int], dtype: str) -> Subject:
    """What a cell is about."""
    if framework == "numpy":
        return reference_rules.subject(name, size, dtype)
    return functions.subject(framework, name, size, dtype)


def result(s: Subject, mutant: Mutant | None) -> harness.Result:
    """Our answer, whole; without a mutant about the gradient as it is."""
    if s.framework == "numpy":
        return reference_rules.ours(s, mutant)
    return check(_asked(s, mutant), [loaded(s.framework, a) for a in s.args])


@lru_cache(maxsize=1)
def as_it_is(s: Subject) -> harness.Result:
    """Our answer about the right gradient."""
    return result(s, None)


def _asked(s: Subject, mutant: Mutant | None) -> Callable[..., Any]:
    return functions.mutated(s, mutant) if mutant else s.function


def _ours(s: Subject, mutant: Mutant | None) -> Verdict | bool:
    found = result(s, mutant) if mutant else as_it_is(s)
    return found.verdict if not found.faults else False


def _gradcheck(s: Subject, mutant: Mutant | None, fast: bool) -> bool | None:
    x = s.args[0]
    if s.framework != "torch" or x.dtype != np.float64 or (not fast and x.size > SLOW):
        return None
    leaves = [loaded("torch", a).requires_grad_() for a in s.args]
    torch.manual_seed(0)  # the fast one draws, and the table is to be the same again
    return bool(original("gradcheck")(_asked(s, mutant), leaves, fast_mode=fast, raise_exception=False))


def _check_grads(s: Subject, mutant: Mutant | None) -> bool | None:
    if s.framework != "jax" or s.args[0].dtype not in (np.float64, np.float32):
        return None
    try:
        check_grads(_asked(s, mutant), [loaded("jax", a) for a in s.args], order=1, modes=["rev"])
    except AssertionError:
        return False
    return True


# What a checker says: of ours the verdict, of the others whether it passes; None where it cannot be asked.
Checker = Callable[[Subject, Mutant | None], Verdict | bool | None]
PASSES = {True, *RIGHT}
CHECKERS: dict[str, Checker] = {
    "ours": _ours,
    "gradcheck, slow": partial(_gradcheck, fast=False),
    "gradcheck, fast": partial(_gradcheck, fast=True),
    "check_grads": _check_grads,
    "central differences": reference_rules.central,
    "metric 1e-4": partial(reference_rules.metric, tolerance=1e-4),
    "metric 1e-8": partial(reference_rules.metric, tolerance=1e-8),
}


def of_cell(framework: str, name: str, size: tuple[int, int], dtype: str) -> list[dict[str, Any]]:
    """One function at one size and dtype: a row per checker."""
    s = subject(framework, name, size, dtype)
    cell = {"framework": framework, "function": name, "rows": size[0], "columns": size[1], "dtype": dtype}
    found = []
    with (
        keeping_truths(),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        jax.enable_x64(dtype == "float64"),
    ):
        warnings.simplefilter("ignore")
        asked = size != SIZES[-1] or dtype == "float32"  # the largest takes longest
        kinds = [kind for kind, mutant in KINDS.items() if asked and changes(s, mutant)]
        for checker, check in CHECKERS.items():
            right = check(s, None)
            if right is not None:
                found.append(cell | {"checker": checker, **_power(s, check, right, kinds)})
                found[-1] |= _own(as_it_is(s)) if checker == "ours" else {}
    return found


def _power(s: Subject, check: Checker, right: Verdict | bool, kinds: list[str]) -> dict[str, Any]:
    """What a checker sees: where it does not say of the changed gradient what it says of the right one.

    One that only passes and fails, and fails the right one, sees nothing there.
    """
    if right is False:
        return {"passes the right one": False, "finest scale": 0, "kinds": 0, "let through": ""}

    def sees(mutant: Mutant) -> bool:
        return check(s, mutant) not in {right, *PASSES}

    return {
        "passes the right one": right in PASSES,
        "finest scale": finest(sees),
        "kinds": len(kinds),
        "let through": ", ".join(kind for kind in kinds if not sees(KINDS[kind])),
    }


def _own(found: harness.Result) -> dict[str, Any]:
    verdict = "" if found.passed else found.verdict.value
    return {"bound ulps": f"{found.rows['bound_ulp'].max():.4g}", "verdict": verdict}


def finest(sees: Callable[[Mutant], bool]) -> int:
    """The largest k at which both 1 + 2^-k and 1 - 2^-k are seen, by halving; 0 if not even 1/2 is."""

    def both(k: int) -> bool:
        return all(sees(scaled(1 + sign * 2.0**-k)) for sign in (1, -1))

    if both(FINEST):
        return FINEST
    low, high = 0, FINEST - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if both(middle) else (low, middle - 1)
    return low


def cells() -> Iterator[tuple[str, str, tuple[int, int], str]]:
    """All functions at all sizes and dtypes; the reference refuses bfloat16."""
    for framework in ("torch", "jax", "numpy"):
        for name in reference_rules.names() if framework == "numpy" else functions.names(framework):
            for size in SIZES:
                for dtype in DTYPES[:3] if framework == "numpy" else DTYPES:
                    yield framework, name, size, dtype
