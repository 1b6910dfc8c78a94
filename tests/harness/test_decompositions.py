"""Eigenvalues and singular values through the doors: right, without a derivative, and a wrong backward."""

import pytest
import torch

from harness import check_gradient
from harness.verdicts import Verdict
from oracles.exact.from_aten.rules import linalg

A = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
S = A[:3] + A[:3].T


def svd(a):
    return torch.linalg.svd(a, full_matrices=False)


def whitened(a):
    u, s, _ = svd(a)
    return (u / (s + 0.1)) @ u.T


FUNCTIONS = {
    "eigenvalues": (lambda s: torch.linalg.eigvalsh(s, UPLO="U"), S),
    "eigenvectors": (lambda s: torch.linalg.eigh(s), S),
    "singular values": (torch.linalg.svdvals, A),
    "singular vectors": (svd, A),
    "of a wide matrix": (svd, A.T),
    "in batches": (torch.linalg.svdvals, torch.stack([A, 2 * A])),
    "the nuclear norm": (lambda a: torch.linalg.matrix_norm(a, "nuc"), A),
    "the spectral norm": (lambda a: torch.linalg.matrix_norm(a, 2), A),
    "the condition": (lambda s: torch.linalg.cond(s), S),
    "whitened": (whitened, A),
    "an exponential": (torch.linalg.matrix_exp, S / 2),
    "exponentials in batches": (torch.linalg.matrix_exp, torch.stack([S, S / 3])),
    "a unitary one": (lambda s: torch.linalg.matrix_exp(1j * s) @ torch.ones(3).cdouble(), S),
    "of a complex matrix": (torch.linalg.matrix_exp, S * (1 + 0.5j) + 0.2j),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_decomposition_is_proven(name):
    function, at = FUNCTIONS[name]
    found = check_gradient(function, (at,), probes=False)
    assert found.verdict is Verdict.ACCURATE, str(found)
    assert found.value.verdict.right


@pytest.mark.parametrize(
    ("function", "at"),
    [(torch.linalg.eigvalsh, torch.eye(3).double()), (torch.linalg.svdvals, torch.ones(3, 3).double())],
)
def test_equal_values_have_no_derivative(function, at):
    found = check_gradient(function, (at,), probes=False)
    assert found.verdict is Verdict.UNDECIDED
    assert "equal ones have no derivative" in str(found)


class Nuclear(torch.autograd.Function):
    """The sum of the singular values, whose gradient is u v^T."""

    @staticmethod
    def forward(ctx, a):
        u, s, v = svd(a)
        ctx.save_for_backward(u, v)
        return s.sum()

    @staticmethod
    def backward(ctx, g):
        u, v = ctx.saved_tensors
        return g * u @ v


class Shrunk(Nuclear):
    @staticmethod
    def backward(ctx, g):
        u, v = ctx.saved_tensors
        return g * 0.999 * u @ v


@pytest.mark.parametrize("size", [1e20, 1e-20, 1e60])
@pytest.mark.parametrize(
    "function",
    [
        lambda a: torch.linalg.svd(a)[0] ** 2,
        lambda a: torch.linalg.eigh(a + a.mT)[1] ** 2,
        lambda a: torch.view_as_real(torch.linalg.eigvals(a)),
        lambda a: torch.linalg.eigvalsh(torch.complex(a + a.mT, a - a.mT)),
    ],
    ids=["svd", "eigh", "eigvals", "Hermitian"],
)
def test_the_size_of_a_matrix_says_nothing_of_its_spectrum(function, size):
    """Arb isolates less beyond 2^128, and a ball's distance from itself grew beyond 1."""
    a = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    assert check_gradient(function, (a * size,), probes=False).verdict is Verdict.ACCURATE


@pytest.mark.parametrize("size", [1.0, 1e-20])
def test_a_tiny_matrix_is_no_more_symmetric_than_a_large_one(size):
    """torch's gradient is that of symmetric ones; of others only one triangle is read."""
    a = size * (2 * torch.eye(3, dtype=torch.float64) + 0.5 * A[:3])
    lower = a.tril() + a.tril(-1).mT
    for function in (torch.linalg.cholesky, torch.linalg.eigvalsh):
        assert check_gradient(function, (lower,), probes=False).verdict is Verdict.ACCURATE
        assert check_gradient(function, (a,), probes=False).verdict is Verdict.WRONG
        assert check_gradient(function, (a + 0j * a,), probes=False).verdict is Verdict.WRONG


def test_vectors_of_another_sign_accuse_nobody(monkeypatch):
    """No model bounds them: a value far from the recorded one says that another function was recorded."""
    own = linalg.of_svd
    monkeypatch.setattr(linalg, "of_svd", lambda dtype: lambda numbers: -own(dtype)(numbers))
    found = check_gradient(lambda a: svd(2 * a), (A,), probes=False)
    assert found.verdict is Verdict.UNDECIDED
    assert "is not the function that it is taken for" in str(found)


def test_a_backward_by_hand_is_judged():
    assert check_gradient(Nuclear.apply, (A,), probes=False).verdict is Verdict.ACCURATE
    assert check_gradient(Shrunk.apply, (A,), probes=False).verdict is Verdict.WRONG
