"""No miss and no false alarm: 33 wrong backward passes are `wrong`, the right ones `accurate`, everywhere."""

import pytest

from harness.check import check_gradient
from harness.verdicts import Verdict
from tests.sampling import long, sample
from tests.verdicts import misses, mutants_jax, mutants_numpy, mutants_torch
from tests.verdicts.corpus import DTYPES, FUNCTIONS, PAIRS, draw, to_jax, to_torch

MODULES = {"numpy": mutants_numpy, "torch": mutants_torch, "jax": mutants_jax}
SHAPE = (4, 8)
everywhere = pytest.mark.parametrize(
    ("framework", "dtype"), [(framework, dtype) for framework in MODULES for dtype in DTYPES]
)


def in_turn(*several):
    """Each in every framework, in one dtype after another; `make soundness` has all of them in all dtypes."""
    return [
        (one, framework, DTYPES[(i + j) % len(DTYPES)])
        for i, one in enumerate(several)
        for j, framework in enumerate(MODULES)
    ]


def checked(framework, implementation, dtype):
    x, cotangent = draw(SHAPE, dtype, 0)
    if framework == "numpy":
        return check_gradient(implementation.forward, (x,), vjp=implementation.vjp, cotangent=cotangent)
    load = {"torch": to_torch, "jax": to_jax}[framework]
    return check_gradient(implementation, (load(x),), cotangent=cotangent)


@pytest.mark.parametrize(("function", "framework", "dtype"), in_turn(*FUNCTIONS))
def test_a_right_backward_is_accurate(function, framework, dtype):
    found = checked(framework, MODULES[framework].RIGHT[function], dtype)
    assert (found.verdict, found.passed, found.diagnosis) == (Verdict.ACCURATE, True, "")


@pytest.mark.parametrize(("pair", "framework", "dtype"), sample(in_turn(*PAIRS), 2), ids=str)
def test_a_wrong_backward_is_wrong(pair, framework, dtype):
    found = checked(framework, MODULES[framework].MUTANTS[pair], dtype)
    assert (found.verdict, found.passed) == (Verdict.WRONG, False)
    assert found.diagnosis.startswith("the formula gives ")
    assert " of 32 elements differ" in found.diagnosis


@everywhere
def test_as_many_elements_are_named_as_are_wrong(framework, dtype):
    mutants = MODULES[framework].MUTANTS
    for mutant, count in (("one elem=0", 1), ("one row=0", SHAPE[1])):
        found = checked(framework, mutants["silu", mutant], dtype)
        assert f"; {count} of 32 elements differ" in found.diagnosis


@long
def test_the_slow_command_runs_and_misses_none(capsys):
    assert misses.main(((2, 4),), ("float64",), ("numpy", "torch")) == 0  # JAX compiles for seconds
    assert "('mutant', 'wrong'): 66" in capsys.readouterr().out
