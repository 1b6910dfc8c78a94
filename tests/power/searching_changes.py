"""What the search finds of changed gradients from one random small input, without boundary values.

The 33 wrong backward passes of `tests/verdicts`, in three frameworks, and the kinds of changes of
`make power` in all of its functions. One counts as found where the search says `wrong` or `miscomputed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from harness.search.hunt import Seen
from harness.search.worse import rank
from harness.verdicts import Verdict
from tests.power import functions, reference_rules
from tests.power.check import check
from tests.power.fault import loaded
from tests.power.mutants import KINDS, changed, changes
from tests.power.mutations import subject
from tests.power.searching import hunting
from tests.verdicts.corpus import FUNCTIONS, PAIRS, draw
from tests.verdicts.misses import LOAD, MODULES

SMALL, DTYPE = (3, 3), "float32"
INPUTS = 200
FOUND = rank(Verdict.MISCOMPUTED)
PASSES = "wrong backward passes"


def cells() -> Iterator[tuple[str, str, str]]:
    """Which set of changes, the framework, and the function."""
    yield from ((PASSES, system, name) for system in MODULES for name in FUNCTIONS)
    for system in ("torch", "jax", "numpy"):
        names = reference_rules.names() if system == "numpy" else functions.names(system)
        yield from (("kinds of changes", system, name) for name in names)


def of_cell(which: str, system: str, name: str) -> list[dict[str, Any]]:
    """One function: a row for each change."""
    asks = _passes(system, name) if which == PASSES else _kinds(system, name)
    rows = []
    for change, ask in asks.items():
        row = {"set": which, "framework": system, "function": name, "change": change, "found at": 0}
        rows.append(row | {"asked": _searched(ask, row)})
    return rows


def _searched(ask: Callable[..., Any], row: dict[str, Any]) -> int:
    def is_found(seen: Seen) -> bool:
        found = seen.score.rank >= FOUND
        if found:
            row["found at"] = seen.evaluations
        return found

    with hunting(is_found, boundary=False):
        return int(ask(search=INPUTS).finding.evaluations)


def _passes(system: str, name: str) -> dict[str, Callable[..., Any]]:
    x, _ = draw(SMALL, DTYPE, 0)
    module = MODULES[system]

    def ask(implementation: Any, **options: Any) -> Any:
        if system == "numpy":
            return check(implementation.forward, (x,), vjp=implementation.vjp, **options)
        return check(implementation, (LOAD[system](x),), **options)

    return {
        change: lambda *, own=module.MUTANTS[name_, change], **options: ask(own, **options)
        for name_, change in PAIRS
        if name_ == name
    }


def _kinds(system: str, name: str) -> dict[str, Callable[..., Any]]:
    s = subject(system, name, SMALL, DTYPE)

    def ask(mutant: Any, **options: Any) -> Any:
        if system == "numpy":
            moving = tuple(range(s.moves))
            return check(s.function, s.args, vjp=changed(s, mutant), argnums=moving, **options)
        return check(functions.mutated(s, mutant), [loaded(system, a) for a in s.args], **options)

    return {
        kind: lambda *, own=mutant, **options: ask(own, **options)
        for kind, mutant in KINDS.items()
        if changes(s, mutant)
    }
