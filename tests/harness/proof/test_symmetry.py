"""What is symmetric, or sums to 1, but for its rounding is so to a formula that relies on it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.proof.symmetry import made_symmetric
from harness.verdicts import Verdict

RNG = np.random.default_rng(1)
B, X = RNG.normal(size=(8, 6)), RNG.normal(size=6)
WEIGHTS = np.resize(np.random.default_rng(1).permutation(np.logspace(-2.5, 2.5, 6)), 8)
INVERSE = np.linalg.inv(B.T @ np.diag(WEIGHTS) @ B)  # of condition 6e6
STACK = np.stack([INVERSE, np.linalg.inv(B.T @ B)])


def quadratic(x, p):
    return 0.5 * x @ p @ x


@pytest.mark.parametrize("factor", [1.0, 1.0 + 1e-9])
@pytest.mark.parametrize("how", ["closed over", "an argument", "differentiated"])
@pytest.mark.parametrize("of", [np.asarray, torch.from_numpy])
def test_the_gradient_of_a_quadratic_form_of_an_inverse_is_that_matrix_times_x(of, how, factor):
    p, x = of(INVERSE), of(X)
    assert not np.array_equal(INVERSE, INVERSE.T)
    if how == "closed over":
        found = check_gradient(lambda x: quadratic(x, p), (x,), grad=lambda x: factor * (p @ x))
    elif how == "an argument":
        found = check_gradient(quadratic, (x, p), grad=lambda x, p: factor * (p @ x), argnums=0)
    else:
        found = check_gradient(
            quadratic, (x, p), grad=lambda x, p: (factor * (p @ x), 0.5 * x[:, None] * x[None, :])
        )
    assert found.verdict is (Verdict.ACCURATE if factor == 1 else Verdict.WRONG), found
    assert ("is symmetric but for its rounding" in " ".join(found.notes)) is (factor == 1)


def test_each_of_a_stack_is_symmetric():
    x = RNG.normal(size=(2, 6))
    found = check_gradient(
        lambda x: 0.5 * np.einsum("ni,nij,nj", x, STACK, x),
        (x,), grad=lambda x: np.einsum("nij,nj->ni", STACK, x),
    )  # fmt: skip
    assert found.verdict is Verdict.ACCURATE, found


SKEW = np.triu(RNG.normal(size=(6, 6)), 1)
NEARLY = {
    "another by 1e-6": INVERSE * (1 + 1e-6 * np.triu(np.ones((6, 6)), 1)),
    "a rotation by little": np.eye(6) + 1e-12 * (SKEW - SKEW.T),
    "a step by little": np.eye(6) + 1e-13 * SKEW,
    "about one large number": 1e5 + 1e-6 * SKEW,
}


@pytest.mark.parametrize("name", NEARLY)
def test_a_matrix_that_is_not_its_transpose_is_left_as_it_is(name):
    """A forgotten transpose shows."""
    matrix = NEARLY[name]
    assert made_symmetric(matrix, "float64") is None
    found = check_gradient(
        lambda x: np.sum(np.tanh(x) @ matrix @ np.sin(x)), (X,),
        grad=lambda x: (matrix @ np.sin(x)) / np.cosh(x) ** 2 + np.cos(x) * (matrix @ np.tanh(x)),
    )  # fmt: skip
    assert found.verdict is Verdict.WRONG, found


def test_what_is_symmetric_or_no_square_is_left_as_it_is():
    assert made_symmetric(INVERSE, "float64") is not None
    assert made_symmetric((INVERSE + INVERSE.T) / 2, "float64") is None
    assert made_symmetric(B, "float64") is None
    assert made_symmetric(INVERSE.astype(np.float16), "float16") is None


WEIGHTED = (B.T * WEIGHTS) @ B / 100
PLAIN = np.random.default_rng(2).normal(size=(6, 6))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("library", [np, torch, jnp])
@pytest.mark.parametrize(("factor", "verdict"), [(1.0, Verdict.CONVENTION), (1.0 + 1e-3, Verdict.WRONG)])
def test_the_gradient_of_log_det_of_a_weighted_covariance_is_its_inverse(library, dtype, factor, verdict):
    b, weights = B.astype(dtype), WEIGHTS.astype(dtype)
    covariance = (b.T * weights) @ b / 100
    assert not np.array_equal(covariance, covariance.T)
    with jax.enable_x64(dtype == "float64"):
        a = library.asarray(covariance)
        found = check_gradient(
            lambda a: library.linalg.slogdet(a)[1], (a,), grad=lambda a: factor * library.linalg.inv(a)
        )
        turned = check_gradient(
            lambda a: library.linalg.slogdet(a)[1], (a,), grad=lambda a: library.linalg.inv(a).T
        )
    if dtype == "float32" and factor == 1:  # the two differ by less than its rounding allows
        verdict = found.verdict
        assert verdict in {Verdict.ACCURATE, Verdict.CONVENTION}, found
    assert found.verdict is verdict, found
    assert ("a is symmetric but for its rounding" in str(found)) is (verdict is Verdict.CONVENTION)
    assert turned.verdict is Verdict.ACCURATE, turned


def test_what_cancels_beside_the_diagonal_is_symmetric_too():
    rng = np.random.default_rng(2)
    b, weights = rng.normal(size=(40, 8)).astype("f4"), rng.uniform(0.1, 1, 40).astype("f4")
    covariance = (b.T * weights) @ b / np.float32(40)
    apart = np.abs(covariance - covariance.T) / np.abs(covariance)
    assert apart.max() > 2.0**-15
    assert made_symmetric(covariance, "float32") is not None
    found = check_gradient(lambda a: np.linalg.slogdet(a)[1], (covariance,), grad=np.linalg.inv)
    assert found.verdict is Verdict.CONVENTION, found


def test_a_forgotten_transpose_shows_where_places_count():
    found = check_gradient(lambda a: np.sum(a * PLAIN), (WEIGHTED,), grad=lambda a: PLAIN.T + 0 * a)
    assert found.verdict is Verdict.WRONG, found
    kept = np.linalg.inv(WEIGHTED)
    found = check_gradient(lambda a: np.linalg.slogdet(a)[1], (WEIGHTED,), grad=lambda a: kept)
    assert found.verdict is Verdict.WRONG, found


def cross_entropy(logits, labels):
    return -(labels * torch.log_softmax(logits, -1)).sum()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("factor", [1.0, 1.02])
@pytest.mark.parametrize("argnums", [0, (0, 1)])
def test_labels_that_sum_to_one_but_for_their_rounding_are_data_to_the_logits(argnums, factor, dtype):
    """Also where their own gradient is asked for."""
    logits = torch.tensor(RNG.normal(size=(4, 5)), dtype=dtype)
    labels = (torch.eye(5, dtype=torch.float64)[[1, 2, 0, 4]] * 0.9 + 0.02).to(dtype)

    def rule(g, logits, labels):
        own = g * factor * (torch.softmax(logits, -1) - labels)
        return own if argnums == 0 else (own, -g * torch.log_softmax(logits, -1))

    found = check_gradient(cross_entropy, (logits, labels), vjp=rule, argnums=argnums)
    assert found.verdict is (Verdict.ACCURATE if factor == 1 else Verdict.WRONG), found


def test_labels_that_do_not_sum_to_one_are_no_rounding():
    logits = torch.tensor(RNG.normal(size=(4, 5)))
    labels = torch.eye(5, dtype=torch.float64)[[1, 2, 0, 4]] * 0.9 + 0.021
    found = check_gradient(
        cross_entropy, (logits, labels),
        vjp=lambda g, z, t: (g * (torch.softmax(z, -1) - t), -g * torch.log_softmax(z, -1)),
    )  # fmt: skip
    assert found.verdict is Verdict.WRONG


@pytest.mark.parametrize("resolution", ["format", "exact"])
@pytest.mark.parametrize(("dtype", "by"), [("float32", 5e-6), ("float64", 1e-13)])
def test_a_derivative_of_which_nothing_is_left_where_it_is_symmetric(dtype, by, resolution):
    """A commutator: made symmetric, its derivative is 0, and says nothing of one with the other sign."""
    rng = np.random.default_rng(0)
    p = ((INVERSE + INVERSE.T) * (1 + by * rng.normal(size=INVERSE.shape))).astype(dtype)
    x = X.astype(dtype)

    def check(sign):
        return check_gradient(
            lambda x, p: (p - p.T) @ x, (x, p), vjp=lambda g, x, p: (sign * ((p - p.T) @ g), None), argnums=0,
            resolution=resolution,
        )  # fmt: skip

    assert check(-1).passed
    assert check(1).verdict == "wrong"


@pytest.mark.parametrize("decades", [1, 3])
@pytest.mark.parametrize(("factor", "verdict"), [(1.0, Verdict.ACCURATE), (1.0 + 1e-9, Verdict.WRONG)])
def test_a_quadratic_form_at_its_minimum(decades, factor, verdict):
    """Its derivative is rounding alone, and so is how far the matrix is from its transpose."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    matrix = np.linalg.inv((axes * np.logspace(0, -decades, 6)) @ axes.T)
    assert not np.array_equal(matrix, matrix.T)
    b = rng.normal(size=6)
    found = check_gradient(
        lambda x: 0.5 * x @ matrix @ x - b @ x, (np.linalg.solve(matrix, b),),
        grad=lambda x: factor * (matrix @ x) - b,
    )  # fmt: skip
    assert found.verdict is verdict, found
