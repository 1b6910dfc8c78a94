"""No kernel that people write is accused; `tests.verdicts.kernels` has them all in every dtype."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flint import arb

from harness.verdicts import Verdict
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.program.balls import filled
from tests.sampling import WHOLE
from tests.verdicts.kernels import DTYPES, KERNELS, SIZES, against, checked, supports

# Each in one dtype, and in the next one at large inputs; JAX compiles for a second: every other kernel of it.
# Seconds, of balls and of JAX's compiler; `make soundness` has them.
SLOW = {
    ("jax attention with -inf", "bfloat16", "large"),
    ("jax contrastive", "bfloat16", "large"),
    ("jax associative scan", "float64", "ordinary"),
}
CELLS = [
    (name, dtype, size)
    for number, (name, kernel) in enumerate(KERNELS.items())
    for step, size in enumerate(SIZES)
    if supports(kernel, dtype := DTYPES[(number + step) % len(DTYPES)])
    and (kernel.framework != "jax" or (number % 2 == 0 and number // 2 % 2 == step))
    and (name, dtype, size) not in SLOW
]
# Of two cells of a kernel one, by turns at ordinary and at large inputs.
ASKED = [cell for number, cell in enumerate(CELLS) if WHOLE or number % 4 in {0, 3}]


def test_there_are_sixty_in_three_frameworks():
    assert len(KERNELS) >= 60
    assert {kernel.framework for kernel in KERNELS.values()} == {"numpy", "jax", "torch"}


@pytest.mark.parametrize(("name", "dtype", "size"), ASKED)
def test_a_right_kernel_is_not_accused(name, dtype, size):
    result = checked(name, dtype, size)
    allowed = {Verdict.ACCURATE, Verdict.CONVENTION, *([Verdict.IMPRECISE] if size == "large" else [])}
    assert result.verdict in allowed, result
    assert not (objected := against(name, dtype, size, result)), (str(result), objected)


@pytest.fixture(scope="module")
def imprecise():
    return checked("numpy recurrent", "float32", "large")


@pytest.mark.parametrize(
    ("said", "objection"),
    [
        ({"truth": Enclosure(filled([arb("2.8423e-12")], ()), 128)}, "true is "),
        ({"computed": 1e-9}, " ulp off, not "),
        ({"bits_lost": 12.5}, " bits lost, not 12.5"),
        ({"diagnosis": "tanh contributes 95 % of the bound"}, "no line of the kernel is named"),
        (
            {"diagnosis": "tanh at kernels.py:1 contributes 95 % of the bound"},
            "no line of the kernel is named",
        ),
    ],
)
def test_the_second_witness_objects_to_other_numbers_and_other_lines(imprecise, said, objection):
    assert imprecise.verdict is Verdict.IMPRECISE
    of_x, *others = imprecise.parts
    told = said.get("diagnosis", of_x.diagnosis)
    other = replace(of_x, judgement=replace(of_x.judgement, **said), diagnosis=told)
    (found,) = against("numpy recurrent", "float32", "large", replace(imprecise, parts=(other, *others)))
    assert objection in found
