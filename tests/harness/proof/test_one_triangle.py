"""Functions of symmetric matrices read one triangle; textbooks give the gradient of the whole matrix."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import torch
from scipy import stats

from harness import check_gradient
from harness.proof import answer, probes
from harness.verdicts import Verdict

RNG = np.random.default_rng(0)
M, C, X = RNG.normal(size=(4, 4)), RNG.normal(size=(4, 4)), RNG.normal(size=4)
A = M @ M.T + 4 * np.eye(4)
A = (A + A.T) / 2
S = M + M.T
inv = np.linalg.inv


def logdet(a):
    return 2 * np.sum(np.log(np.diag(np.linalg.cholesky(a))))


def solved(a):
    return scipy.linalg.cho_solve(scipy.linalg.cho_factor(a), X)


def outer(a, x):
    return -np.outer(x, x)


def root(a):
    w, v = np.linalg.eigh(a)
    return v @ np.diag(np.sqrt(w)) @ v.T


def pull_root(g, a):
    w, v = np.linalg.eigh(a)
    r = np.sqrt(w)
    return v @ ((v.T @ g @ v) / (r[:, None] + r[None, :])) @ v.T


def pull_factor(g, a):
    low = np.linalg.cholesky(a)
    inner = np.tril(low.T @ g) - 0.5 * np.diag(np.diag(low.T @ g))
    whole = inv(low).T @ inner @ inv(low)
    return (whole + whole.T) / 2


def top(a):
    v = np.linalg.eigh(a)[1][:, -1]
    return np.outer(v, v)


def solve(a, b):
    return scipy.linalg.solve(a, b, assume_a="pos")


# The function, the point, and a pullback as a textbook has it.
BY_HAND = {
    "log det": (logdet, A, lambda g, a: g * inv(a)),
    "in batches": (
        lambda a: np.sum(np.log(np.diagonal(np.linalg.cholesky(a), axis1=-2, axis2=-1))),
        np.stack([A, A + np.eye(4)]),
        lambda g, a: g * inv(a) / 2,
    ),
    "in float32": (logdet, A.astype(np.float32), lambda g, a: g * inv(a)),
    "with jitter": (lambda a: logdet(a + 0.1 * np.eye(4)), A, lambda g, a: g * inv(a + 0.1 * np.eye(4))),
    "a factor": (np.linalg.cholesky, A, pull_factor),
    "eigenvalues": (
        np.linalg.eigvalsh,
        S,
        lambda g, a: (lambda v: v @ np.diag(g) @ v.T)(np.linalg.eigh(a)[1]),
    ),
    "the largest of them": (lambda a: np.linalg.eigvalsh(a)[-1], S, lambda g, a: g * top(a)),
    "a root": (root, A, pull_root),
    "cho_solve": (solved, A, lambda g, a: -np.outer(inv(a) @ g, inv(a) @ X)),
    "its lower form": (
        lambda a: scipy.linalg.cho_solve((np.linalg.cholesky(a), True), X),
        A,
        lambda g, a: -np.outer(inv(a) @ g, inv(a) @ X),
    ),
    "a quadratic form": (lambda a: X @ solved(a), A, lambda g, a: g * outer(a, solved(a))),
    "solve": (lambda a: solve(a, X), A, lambda g, a: -np.outer(solve(a, g), solve(a, X))),
    "solve, turned": (lambda a: solve(a, X), A, lambda g, a: -np.outer(solve(a, X), solve(a, g))),
    "whitened": (
        lambda a: np.sum(scipy.linalg.solve_triangular(np.linalg.cholesky(a), X, lower=True) ** 2),
        A,
        lambda g, a: g * outer(a, inv(a) @ X),
    ),
    "beside what reads all of it": (
        lambda a: logdet(a) + X @ np.linalg.solve(a, X) + np.sum(a * C),
        A,
        lambda g, a: g * (inv(a) + outer(a, inv(a) @ X) + C),
    ),
}


@pytest.mark.parametrize("factor", [1.0, 1.001])
@pytest.mark.parametrize("name", BY_HAND)
def test_the_gradient_of_the_whole_matrix_is_a_convention(name, factor):
    function, at, pull = BY_HAND[name]
    found = check_gradient(function, (at,), vjp=lambda g, a: (factor * pull(g, a)).astype(a.dtype))
    assert found.verdict is (Verdict.CONVENTION if factor == 1 else Verdict.WRONG), found
    assert ("reads one triangle" in str(found)) is (factor == 1)


def test_that_of_the_triangle_is_read_as_it_is():
    def triangle(a):
        return np.tril(inv(a)) + np.tril(inv(a), -1)

    assert check_gradient(logdet, (A,), grad=triangle).verdict is Verdict.ACCURATE
    assert check_gradient(logdet, (A,), grad=lambda a: triangle(a).T).verdict is Verdict.CONVENTION


WRONG = {
    "a number of each pair alone": (logdet, A, lambda a: np.tril(inv(a))),
    "pairs that count twice": (logdet, A, lambda a: 2 * inv(a) - np.diag(np.diag(inv(a)))),
    "at a matrix that is not symmetric": (
        logdet,
        A + np.triu(0.1 * C, 1),
        lambda a: inv(np.tril(a) + np.tril(a, -1).T),
    ),
    "another vector": (lambda a: np.linalg.eigvalsh(a)[0], S, top),
    "a part that reads all, turned": (lambda a: logdet(a) + np.sum(a * C), A, lambda a: inv(a) + C.T),
    "a part that reads a triangle, turned": (
        lambda a: logdet(a) + np.sum(np.tril(a) * C),
        A,
        lambda a: inv(a) + np.tril(C).T,
    ),
    "no function of symmetric matrices": (lambda a: np.sum(np.tril(a) ** 2), A, lambda a: 2 * np.triu(a)),
    "their mean": (lambda a: np.sum(np.tril(a) * C), A, lambda a: (np.tril(C) + np.tril(C).T) / 2),
    "a general system": (
        lambda a: X[::-1] @ np.linalg.solve(a, X),
        A,
        lambda a: -np.outer(inv(a) @ X, inv(a) @ X[::-1]),
    ),
    "what cho_solve is not": (
        lambda a: np.sum(scipy.linalg.cho_solve((np.linalg.cholesky(a), False), X)),
        A,
        lambda a: -np.outer(inv(a) @ np.ones(4), inv(a) @ X),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_another_along_some_symmetric_direction_is_wrong(name):
    function, at, slope = WRONG[name]
    assert check_gradient(function, (at,), grad=slope).verdict is Verdict.WRONG


def test_arguments_that_make_a_symmetric_matrix_together_are_none():
    def pull(g, m, n):
        v = inv(m @ n + np.eye(4))
        return g * v @ n.T, g * m.T @ np.tril(v)

    found = check_gradient(lambda m, n: logdet(m @ n + np.eye(4)), (M, M.T.copy()), vjp=pull)
    assert found.verdict is Verdict.WRONG


def test_one_of_several_arguments():
    def pull(g, a, b):
        return g * inv(a), g * C.T

    found = check_gradient(lambda a, b: logdet(a) + np.sum(b * C), (A, A.copy()), vjp=pull)
    assert found.verdict is Verdict.WRONG
    assert "b[" in found.diagnosis


class LogDet(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return 2 * torch.linalg.cholesky(a).diagonal().log().sum()

    @staticmethod
    def backward(ctx, g):
        v = torch.linalg.inv(*ctx.saved_tensors)
        return g * (v.tril() + v.tril(-1))


def test_torch_and_jax_have_the_same_answer():
    a = torch.from_numpy(A)
    assert check_gradient(lambda a: torch.linalg.cholesky(a).sum(), (a,)).verdict is Verdict.ACCURATE
    assert check_gradient(LogDet.apply, (a,)).verdict is Verdict.CONVENTION
    x = jnp.asarray(X, jnp.float32)
    own = check_gradient(
        lambda a: jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(a), x),
        (jnp.asarray(A, jnp.float32),),
    )
    assert own.verdict is Verdict.CONVENTION


def test_a_result_that_the_next_call_overwrites_is_no_convention():
    """The mean with the transpose would be a new array each time."""
    kept = np.zeros_like(A)

    def gradient(a):
        kept[...] = inv(a)
        return kept

    assert not check_gradient(logdet, (A,), grad=gradient).passed


def through_products(b):
    return X @ np.linalg.solve(
        np.linalg.cholesky(b @ b.T + np.eye(4)) @ np.linalg.cholesky(b @ b.T + np.eye(4)).T, C[0]
    )


@pytest.mark.parametrize(("of_both", "verdicts"), [(True, {"accurate"}), (False, {"wrong"})])
def test_what_a_matrix_is_made_of_is_not_symmetric_because_it_is_so_here(of_both, verdicts):
    """At B = I: the derivative is -(a b' + b a') B for a general B, and -2 a b' B is another one."""

    def gradient(b):
        k = inv(b @ b.T + np.eye(4))
        one, other = k @ X, k @ C[0]
        return (
            -(np.outer(one, other) + np.outer(other, one)) @ b if of_both else -2 * np.outer(one, other) @ b
        )

    assert str(check_gradient(through_products, (np.eye(4),), grad=gradient).verdict) in verdicts


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, Verdict.CONVENTION), (1.001, Verdict.WRONG)])
def test_the_gradient_of_a_normal_density_in_its_covariance(factor, verdict):
    def density(a):
        return np.sum(stats.multivariate_normal.logpdf(C, np.zeros(4), a))

    def gradient(a):
        p = inv(a)
        return factor / 2 * (p @ C.T @ C @ p - len(C) * p)

    found = check_gradient(density, (A,), grad=gradient)
    assert found.verdict is verdict, found


def test_what_has_failed_is_asked_first_where_symmetric_matrices_move_as_such(monkeypatch):
    """A wrong gradient fails there too: no other probe of it is run again, nor is anybody blamed."""
    asked = []

    def differing(question, *others):
        asked.append(question)
        return probes.differing(question, *others)

    def values(a):
        return np.linalg.eigvalsh((a + a.T) / 2)

    def pull(g, a):
        v = np.linalg.eigh((a + a.T) / 2)[1]
        return v @ np.diag(2 * g if np.any(g == 0) else g) @ v.T

    monkeypatch.setattr(answer, "differing", differing)
    found = check_gradient(values, (S,), vjp=pull)
    assert {part.probe for part in found.parts if part.verdict is Verdict.WRONG} == {"zeros"}
    first, *again = asked
    assert len(first.probes) > 1
    assert again
    assert all(one.probes == ("zeros",) and not one.blames for one in again)


# -- forward mode -----------------------------------------------------------------------------------------

SPD = torch.from_numpy(A)
HERMITIAN = torch.complex(SPD, torch.from_numpy(np.triu(M, 1) - np.triu(M, 1).T))
FACTORED = {
    "cholesky": (torch.linalg.cholesky, SPD),
    "upper": (lambda a: torch.linalg.cholesky(a, upper=True), SPD),
    "a solution": (lambda a: torch.cholesky_solve(torch.from_numpy(M), torch.linalg.cholesky(a)), SPD),
    "a projection": (lambda a: (lambda v: v[:, :1] @ v[:, :1].mT)(torch.linalg.eigh(a)[1]), SPD),
    "several": (torch.linalg.cholesky, torch.stack([SPD, SPD + torch.eye(4)])),
    "complex": (torch.linalg.cholesky, HERMITIAN),
}


@pytest.mark.parametrize("name", FACTORED)
@pytest.mark.parametrize("mode", ["forward", "forward-over-reverse"])
def test_forward_mode_is_asked_along_tangents_that_leave_the_matrix_symmetric(name, mode):
    """torch's were wrong along random tangents, and torch was blamed."""
    function, a = FACTORED[name]
    found = check_gradient(function, (a,), mode=mode)
    assert found.verdict is Verdict.CONVENTION
    assert "which leaves the matrix symmetric, it is the derivative" in str(found)
    assert "torch's fault" not in str(found)


def test_a_symmetric_tangent_is_asked_as_it_is():
    tangent = torch.from_numpy(S)
    assert (
        check_gradient(torch.linalg.cholesky, (SPD,), mode="forward", cotangent=tangent).verdict == "accurate"
    )

    def of_log_det(a):
        return torch.linalg.cholesky(a).diagonal().log().sum()

    found = check_gradient(of_log_det, (SPD,), mode="forward-over-reverse", cotangent=[1.0, tangent])
    assert found.verdict is Verdict.ACCURATE


def test_a_wrong_tangent_rule_of_a_factor_is_wrong():
    class Factor(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return torch.linalg.cholesky(x)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_forward(output)

        @staticmethod
        def jvp(ctx, t):
            (low,) = ctx.saved_tensors
            inside = torch.linalg.solve(low, torch.linalg.solve(low, t).mT).mT
            return low @ (torch.tril(inside) - 0.45 * torch.diag(torch.diag(inside)))

    assert check_gradient(Factor.apply, (SPD,), mode="forward").verdict is Verdict.WRONG


def test_forward_mode_of_a_matrix_that_is_not_symmetric_is_asked_along_any_tangent():
    b = torch.from_numpy(M)
    assert (
        check_gradient(lambda b: torch.linalg.cholesky(b @ b.mT), (b,), mode="forward").verdict == "accurate"
    )
