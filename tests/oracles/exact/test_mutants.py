"""Every derivative rule is broken, and the checks of `test_derive` see it: this tests the tester.

A rule is broken in four ways: its sign, a factor of 1 + 2^-18, its last term dropped, and (for a transpose)
the rule replaced by passing its cotangent on unchanged where the shapes allow it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache

import pytest

from oracles.exact.program import derive
from oracles.exact.program.errors import ExactError
from oracles.exact.program.program import PRIMITIVES, Primitive, Program
from tests import sampling
from tests.oracles.exact.programs import SAMPLES, build
from tests.oracles.exact.test_derive import both_modes, remainder_check

FACTOR = 1 + 2.0**-18

# What is differentiated only where it is exactly zero or by another entry's rule has nothing to break;
# nor has what is unknown: all its multiples are.
UNKNOWN = {"undetermined", "undetermined_along", "unknown", "no_slope", "edge_rate"}
RULES = [
    (name, kind)
    for name, p in PRIMITIVES.items()
    for kind in ("jvp", "transpose")
    if getattr(p, kind) and name not in UNKNOWN
]


def sign(rule: Callable) -> Callable:
    return lambda *a: -rule(*a)


def factor(rule: Callable) -> Callable:
    return lambda *a: rule(*a) * FACTOR


def dropped_term(rule: Callable) -> Callable:
    """Leave out the last operand's part: its tangent is taken for zero."""

    def broken(equation, tangents):
        present = [k for k, t in enumerate(tangents) if t is not None]
        kept = [None if k == present[-1] and len(present) > 1 else t for k, t in enumerate(tangents)]
        return rule(equation, kept)

    return broken


def passed_on(rule: Callable) -> Callable:
    def broken(equation, k, ct):
        right = rule(equation, k, ct)
        return ct if ct.shape == right.shape else -right

    return broken


MUTATIONS = {"jvp": (sign, factor, dropped_term), "transpose": (sign, factor, passed_on)}


@cache
def programs_of(sample: str) -> tuple[Program, ...]:
    """The program of a sample, and its derivatives in reverse and forward."""
    function, points = SAMPLES[sample]
    program, wrt = build(function, points), range(len(points))
    return program, derive.vjp(program, wrt), derive.jvp(program, wrt)


@cache
def samples_of_each() -> dict[str, list[str]]:
    """For each primitive the samples whose program or derivative uses it, the cheapest first.

    It is asked before a rule is broken.
    """
    found: dict[str, list[str]] = {}
    for sample in sorted(SAMPLES, key=lambda name: sum(p.cost for p in programs_of(name))):
        for name in {e.primitive.name for p in programs_of(sample) for e in p.equations}:
            found.setdefault(name, []).append(sample)
    return found


def caught(sample: str) -> str:
    """Which check sees that something is wrong, "" if none does."""
    try:
        reverse, forward = both_modes(SAMPLES[sample])
        if not reverse.overlaps(forward):
            return "forward against reverse"
        for order in (1, 2):
            slope, bound = remainder_check(SAMPLES[sample], order)
            if not all(a.overlaps(b) for a, b in zip(slope.ravel(), bound.ravel(), strict=True)):
                return f"differences with a proven remainder, order {order}"
    except (ExactError, ValueError, AssertionError) as problem:
        return f"raises {type(problem).__name__}"
    return ""


@pytest.mark.parametrize(("name", "kind"), sampling.sample(RULES, 3))
def test_each_broken_rule_is_caught(name, kind, monkeypatch, record_property):
    original: Primitive = PRIMITIVES[name]
    using = samples_of_each().get(name)
    assert using, f"no sample uses {name}"
    for mutation in MUTATIONS[kind]:
        broken = dataclasses.replace(original, **{kind: mutation(getattr(original, kind))})
        how = _try(original, broken, using, monkeypatch)
        record_property(f"{name}.{kind} {mutation.__name__}", how)
        if mutation is dropped_term and (name in {"rough", "within"} or not _has_terms(name)):
            continue  # of these the first operand is the value, and the others are sizes
        if mutation is passed_on and name in {"add", "convert"}:
            continue  # passing the cotangent on is the rule
        assert how, f"{name}.{kind} with {mutation.__name__} passes every check"


def _has_terms(name: str) -> bool:
    return sum(v.is_float for v in _operands(name)) > 1


def _operands(name: str) -> tuple:
    for sample in SAMPLES:
        _, _, forward = programs_of(sample)
        for equation in forward.equations:
            if equation.primitive.name == name:
                return equation.operands
    return ()


def _try(original: Primitive, broken: Primitive, using: list[str], monkeypatch) -> str:
    """Replace the rule in place (programs hold the primitive itself) and run the checks until one sees it."""
    for kind in ("jvp", "transpose"):
        object.__setattr__(original, kind, getattr(broken, kind))
    try:
        return next((how for sample in using if (how := caught(sample))), "")
    finally:
        monkeypatch.undo()
        clean = ORIGINALS[original.name]
        for kind in ("jvp", "transpose"):
            object.__setattr__(original, kind, clean[kind])


ORIGINALS = {name: {"jvp": p.jvp, "transpose": p.transpose} for name, p in PRIMITIVES.items()}
