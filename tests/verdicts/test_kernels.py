"""No kernel that people write is accused; `tests.verdicts.kernels` has them all in every dtype."""

from __future__ import annotations

import pytest

from harness.verdicts import Verdict
from tests.verdicts.kernels import DTYPES, KERNELS, SIZES, checked, supports

# Each in one dtype, and in the next one at large inputs; JAX compiles for a second: every other kernel of it.
CELLS = [
    (name, dtype, size)
    for number, (name, kernel) in enumerate(KERNELS.items())
    for step, size in enumerate(SIZES)
    if supports(kernel, dtype := DTYPES[(number + step) % len(DTYPES)])
    and (kernel.framework != "jax" or (number % 2 == 0 and number // 2 % 2 == step))
]


def test_there_are_sixty_in_three_frameworks():
    assert len(KERNELS) >= 60
    assert {kernel.framework for kernel in KERNELS.values()} == {"numpy", "jax", "torch"}


@pytest.mark.parametrize(("name", "dtype", "size"), CELLS)
def test_a_right_kernel_is_not_accused(name, dtype, size):
    result = checked(name, dtype, size)
    if (
        size == "large" and result.verdict is Verdict.IMPRECISE
    ):  # saturated; the operation that loses it is named
        assert any(said in str(result) for said in ("cancel", "underflow", "contributes", "overflow")), result
    else:
        assert result.verdict in {Verdict.ACCURATE, Verdict.CONVENTION}, result
