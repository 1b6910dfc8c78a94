"""The tests of the kernels are tested: each fault that is put into the core is seen by its trial."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from oracles.exact.core.build import SOURCE, compiler
from tests.oracles.exact.core.decisions import DECISIONS
from tests.oracles.exact.core.endless import ENDS
from tests.oracles.exact.core.kernels import applied
from tests.oracles.exact.core.mutants import MUTANTS, built, compiled
from tests.oracles.exact.core.smooth_functions import FUNCTIONS, checked
from tests.oracles.exact.core.trials import TRIALS, Draw


def _compiler() -> bool:
    try:
        return bool(compiler())
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not _compiler(), reason="there is no C compiler here")


@pytest.fixture(scope="module")
def core() -> Iterator[ctypes.CDLL]:
    with compiled() as library:
        yield library


@pytest.fixture(scope="module")
def plain() -> Iterator[ctypes.CDLL]:
    """The core without vectors."""
    with built(SOURCE) as library:
        yield library


@cache
def draws(name: str, seed: int) -> list[Draw]:
    """What a kernel is tried with, and what is true of it: Arb takes longer for that than all faults do."""
    rng = np.random.default_rng(seed)
    return [TRIALS[name].draw(rng, 1500) for _ in range(12 if name == "matmul" else 1)]  # each of one kind


def faults(name: str, core: ctypes.CDLL, seed: int) -> list[object]:
    """What a trial of this name finds wrong."""
    if name not in TRIALS and name in FUNCTIONS:
        return list(checked(name, 120, seed, core).outside)
    asked = [ask for (kernel, _), ask in (DECISIONS | ENDS).items() if kernel == name]
    if asked:
        rng = np.random.default_rng(seed)
        return [k for ask in asked for k in ask(rng, 300, core).wrong]
    return [k for draw in draws(name, seed) for k in TRIALS[name].hold(draw, core).wrong]


SEEDS = range(4)


@cache
def is_sound(name: str, core: ctypes.CDLL) -> bool:
    """Whether a trial of this name finds nothing wrong in the core itself: that of many faults."""
    core.become(0)
    return not any(faults(name, core, seed) for seed in SEEDS)


@pytest.mark.parametrize("number", range(1, len(MUTANTS) + 1), ids=list(MUTANTS))
def test_a_fault_in_the_core_is_seen(core, number):
    mutant = list(MUTANTS.values())[number - 1]
    assert is_sound(mutant.seen_by, core)
    core.become(number)
    assert any(faults(mutant.seen_by, core, seed) for seed in SEEDS)


@pytest.mark.parametrize("name", TRIALS)
def test_several_elements_at_once_are_what_one_at_a_time_is(plain, name):
    trial = TRIALS[name]
    draw = trial.draw(np.random.default_rng(5), 700)
    at_once = applied(trial.operation, *draw.operands, **draw.options)
    one_by_one = applied(trial.operation, *draw.operands, core=plain, **draw.options)
    for plane in ("h", "l", "r"):
        assert np.array_equal(getattr(at_once, plane), getattr(one_by_one, plane), equal_nan=True)
