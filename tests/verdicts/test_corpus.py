"""The corpus is what it says: right or wrong where it claims to be, in every framework."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from tests.sampling import WHOLE
from tests.verdicts import mutants_jax, mutants_numpy, mutants_torch
from tests.verdicts.corpus import DTYPES, FUNCTIONS, PAIRS, draw, gradient, to_jax, to_numpy, to_torch, value

MODULES = {"numpy": mutants_numpy, "torch": mutants_torch, "jax": mutants_jax}
SHAPE = (4, 8)


@pytest.mark.parametrize("framework", MODULES)
def test_there_are_33_mutants_of_four_functions(framework):
    module = MODULES[framework]
    assert len(PAIRS) == 33
    assert tuple(module.RIGHT) == FUNCTIONS
    assert module.MUTANTS.keys() == set(PAIRS)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_sees_the_same_numbers_and_both_signs(dtype):
    drawn, wide = draw(SHAPE, dtype, 0), draw(SHAPE, "float64", 0)
    for array, number in zip(drawn, wide, strict=True):
        assert array.dtype == dtype
        np.testing.assert_array_equal(array.astype("float64"), number)
        assert (array < 0).any()
        assert (array > 0).any()
        for converted in (to_torch(array), to_jax(array)):
            assert str(converted.dtype).removeprefix("torch.") == dtype
            np.testing.assert_array_equal(to_numpy(converted), array)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_right_backward_is_the_gradient_of_the_plain_forward(function):
    x, cotangent = draw(SHAPE, "float64", 1)
    by_torch = gradient("torch", mutants_torch.PLAIN[function], x, cotangent)
    by_jax = gradient("jax", mutants_jax.PLAIN[function], x, cotangent)
    for framework, module in MODULES.items():
        found = gradient(framework, module.RIGHT[function], x, cotangent)
        for wanted in (by_torch, by_jax):
            assert np.abs(found - wanted).max() <= 1e-12 * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("framework", "dtype"),  # JAX compiles in the last one for seconds
    [(f, d) for d in (DTYPES[0], DTYPES[-1]) for f in MODULES if WHOLE or (f, d) != ("jax", DTYPES[-1])],
)
def test_every_mutant_is_wrong_and_keeps_the_dtype(framework, dtype):
    x, cotangent = draw(SHAPE, dtype, 3)
    module = MODULES[framework]
    right = {name: gradient(framework, f, x, cotangent) for name, f in module.RIGHT.items()}
    for (function, mutant), wrong in module.MUTANTS.items():
        wanted, found = right[function], gradient(framework, wrong, x, cotangent)
        assert wanted.dtype == found.dtype == x.dtype
        assert wanted.shape == found.shape == x.shape
        size = np.abs(np.subtract(found, wanted, dtype="float64")).max()
        assert size > 1e-6 * np.abs(wanted).max().astype("float64"), (function, mutant)
        changed = np.flatnonzero(found != wanted)
        if mutant == "one elem=0":
            assert changed.tolist() == [x.size // 2], function
        if mutant == "one row=0":
            assert set(changed // x.shape[1]) == {len(x) // 2}, function


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("framework", MODULES)
def test_the_forward_is_the_same_function_in_every_dtype(framework, dtype):
    x, _ = draw(SHAPE, dtype, 2)
    for name, right in MODULES[framework].RIGHT.items():
        found, wanted = value(framework, right, x), mutants_numpy.RIGHT[name].forward(x.astype("float64"))
        assert found.dtype == x.dtype
        size = np.abs(found.astype("float64") - wanted).max()
        assert size <= 8 * float(ml_dtypes.finfo(dtype).eps) * np.abs(wanted).max()


@pytest.mark.parametrize(("function", "mutant"), PAIRS)
def test_a_mutant_is_the_same_in_all_three_frameworks(function, mutant):
    x, cotangent = draw(SHAPE, "float64", 4)
    found = [gradient(f, module.MUTANTS[function, mutant], x, cotangent) for f, module in MODULES.items()]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=0, atol=1e-12 * (1 + np.abs(found[0]).max()))
