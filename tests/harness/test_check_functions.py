"""Gradients of the frameworks themselves that need more than one rule at work."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from harness.check import check_gradient

SQUARE = [[1.0, 2.0, -1.0], [0.5, -3.0, 2.0], [4.0, 1.0, 1.5]]
ROW = [6.5, -3.0, 0.7, 8.0]
TORCH = {
    "det": (torch.linalg.det, SQUARE),
    "det of what lies by columns": (lambda x: torch.linalg.det(x.mT), SQUARE),
    "slogdet": (torch.linalg.slogdet, SQUARE),
    "solve": (lambda x: torch.linalg.solve(x, x.new_tensor([1.0, 2.0, 3.0])), SQUARE),
    "cumprod": (lambda x: torch.cumprod(x, -1), SQUARE),
    "cumprod of a zero": (lambda x: torch.cumprod(x, -1), [2.0, 0.0, 3.0, 0.0]),
    "glu": (lambda x: F.glu(x, -1), ROW),
    "multilabel margin": (lambda x: F.multilabel_margin_loss(x, torch.tensor([2, 0, -1, 1])), ROW),
    "weight norm": (lambda x: torch._weight_norm(x, x.new_tensor([[2.0], [1.0], [3.0]]), 0), SQUARE),
    "masked scatter": (lambda x: x.masked_scatter(x.detach() > 0.9, x * x), SQUARE),
    "unfold of a number": (lambda x: x.unfold(0, 1, 1) * 2, 3.0),
    "distances of one": (F.pdist, [[1.0]]),
    "zeros without memory": (torch.sgn, ROW),
}
JAX = {
    "prod along the last axis": (lambda x: jnp.prod(x, -1), SQUARE),
    "standardize": (jax.nn.standardize, ROW),
}


@pytest.mark.parametrize("name", TORCH)
def test_torch_s_own_gradient_passes(name):
    f, x = TORCH[name]
    found = check_gradient(f, (torch.tensor(x, dtype=torch.float64),))
    assert found.passed, str(found)


@pytest.mark.parametrize("name", JAX)
def test_jax_s_own_gradient_passes(name):
    f, x = JAX[name]
    with jax.enable_x64(True):
        found = check_gradient(f, (jnp.asarray(x),))
    assert found.passed, str(found)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_linear_solve_of_jax_in_a_half_format(dtype):
    def f(x):
        return jax.lax.custom_linear_solve(lambda y: x * y, x * x, lambda _, b: b / x, lambda _, b: b / x)

    assert check_gradient(f, (jnp.asarray([0.5, 2.0], dtype),)).passed


def test_celu_has_the_digits_of_its_dtype_in_1_over_alpha():
    """Its backward gets 1 / alpha from float32: that is a defect in float64 alone."""
    x = np.array([-0.5, -2.0, 1.0])
    for dtype, verdict in ((torch.float32, "accurate"), (torch.float64, "wrong")):
        found = check_gradient(lambda x: F.celu(x, 0.3), (torch.tensor(x, dtype=dtype),))
        assert found.verdict == verdict, str(found)


def test_a_bound_is_of_what_ran_and_not_of_what_torch_does_when_it_is_watched():
    """Watched, prod multiplies the other elements, where else it divides by each: another rounding."""
    x = torch.tensor([-0.0154, -0.0307, -0.0255, 0.0563], dtype=torch.float16)
    found = check_gradient(lambda x: torch.prod(x, -1), (x,))
    assert found.passed, str(found)
    assert found.worst.error_ulp > 10
    assert np.isnan(found.worst.bound_ulp)
    assert check_gradient(lambda x: torch.softmax(x, -1), (x,)).worst.bound_ulp < 100


def test_a_slope_at_0_that_is_smaller_than_the_distance_of_the_points_around():
    x, y = (torch.tensor([v], dtype=torch.float64) for v in (0.0, 1e-100))
    found = check_gradient(torch.special.xlog1py, (x, y), cotangent=torch.ones(1, dtype=torch.float64))
    assert found.passed, str(found)
    assert found.parts[0].judgement.true == 1e-100


@pytest.mark.parametrize(("slope", "verdict"), [(1.0, "convention"), (-1.0, "convention"), (1.5, "wrong")])
def test_forward_a_norm_at_0_has_the_slopes_around_it(slope, verdict):
    """Along (1, 1) its slope is sqrt 2 on one side and -sqrt 2 on the other; 0 times infinity is not 0."""
    with jax.enable_x64(True):
        f = jax.custom_jvp(lambda x: jnp.sqrt(x[0] ** 2 + x[1] ** 2))
        f.defjvp(lambda primals, tangents: (f(*primals), slope * tangents[0][0]))
        found = check_gradient(f, (jnp.zeros(2),), mode="forward", cotangent=[jnp.ones(2)], probes=False)
    assert found.verdict == verdict, str(found)
