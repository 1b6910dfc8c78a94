"""Eigenvalues and -vectors of any matrix and of Hermitian ones, and singular values, in three libraries."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg
import torch
from flint import acb, arb

from harness import check_gradient, exact_gradient, exact_value
from harness.verdicts import Verdict
from oracles.exact.from_numpy import record
from oracles.exact.program import eigen_general
from oracles.exact.program.balls import comparison, exact
from oracles.exact.program.errors import Undecided
from oracles.exact.program.primitives.undetermined import undetermined_
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound
from tests.sampling import cells, sample

RNG = np.random.default_rng(3)
REAL = RNG.normal(size=(4, 4))  # two real eigenvalues and a pair
COMPLEX = RNG.normal(size=(3, 3)) + 1j * RNG.normal(size=(3, 3))
TALL = RNG.normal(size=(4, 3)) + 1j * RNG.normal(size=(4, 3))
HERMITIAN = COMPLEX @ COMPLEX.conj().T + np.eye(3)
STEP = mpmath.mpf(10) ** -25


def verdict(function, *args, **options):
    return check_gradient(function, args, **options).verdict


def as_complex(enclosure):
    """The middles of an enclosure whose last axis holds both parts."""
    middles = np.array([complex(float(b.mid())) for b in enclosure.balls.ravel()]).reshape(enclosure.shape)
    return middles[..., 0] + 1j * middles[..., 1]


def vectors_of_geev(a):
    """Eigenvalues and unit vectors whose largest component is real, with mpmath's digits, by real parts."""
    values, right = mpmath.eig(a)
    order = sorted(range(a.rows), key=lambda k: (round(float(values[k].real), 9), values[k].imag))
    columns = []
    for k in order:
        v = [right[i, k] for i in range(a.rows)]
        largest = max(v, key=abs)
        size = mpmath.sqrt(sum(abs(z) ** 2 for z in v))
        columns.append([z * mpmath.conj(largest) / abs(largest) / size for z in v])
    return [values[k] for k in order], columns


def test_the_slopes_of_eigenvalues_and_vectors_are_differences_of_mpmath():
    """Along one direction: of |v_ij|^2, which no sign or phase changes, and of the values."""
    along = RNG.normal(size=(4, 4))
    with mpmath.workdps(60):
        a, d = mpmath.matrix(REAL.tolist()), mpmath.matrix(along.tolist())
        up, down = vectors_of_geev(a + STEP * d), vectors_of_geev(a - STEP * d)
        values = [(p - q) / (2 * STEP) for p, q in zip(up[0], down[0], strict=True)]
        sizes = [
            [(abs(p) ** 2 - abs(q) ** 2) / (2 * STEP) for p, q in zip(*both, strict=True)]
            for both in zip(up[1], down[1], strict=True)
        ]
    order = np.lexsort((np.linalg.eigvals(REAL).imag, np.linalg.eigvals(REAL).real))
    for k, at in enumerate(order.tolist()):
        for part, name in ((values[k].real, "real"), (values[k].imag, "imag")):
            found = exact_gradient(lambda a, k=at, name=name: getattr(np.linalg.eigvals(a)[k], name), (REAL,))
            slope = sum(b * x for b, x in zip(found.balls.ravel(), along.ravel().tolist(), strict=True))
            assert float(slope.mid()) == pytest.approx(float(part), rel=1e-13, abs=1e-25)
        for i in range(4):
            found = exact_gradient(lambda a, k=at, i=i: np.abs(np.linalg.eig(a)[1][i, k]) ** 2, (REAL,))
            slope = sum(b * x for b, x in zip(found.balls.ravel(), along.ravel().tolist(), strict=True))
            assert float(slope.mid()) == pytest.approx(float(sizes[k][i]), rel=1e-13, abs=1e-25)


@pytest.mark.parametrize("a", [REAL, COMPLEX, np.array([[0.8, -0.6], [0.6, 0.8]]), np.eye(3)[[1, 2, 0]]])
def test_order_sign_and_phase_are_the_library_s(a):
    """Of a rotation both components are equally large: which one is real, the library's zero says."""
    w, v = np.linalg.eig(a)
    np.testing.assert_allclose(as_complex(exact_value(lambda a: np.linalg.eig(a)[0], (a,))), w, atol=1e-14)
    np.testing.assert_allclose(as_complex(exact_value(lambda a: np.linalg.eig(a)[1], (a,))), v, atol=1e-13)


def test_of_a_real_matrix_real_eigenvalues_are_known_to_be_real():
    found = exact_value(lambda a: np.linalg.eig(a)[0], (REAL,)).balls
    real = np.linalg.eigvals(REAL).imag == 0
    assert real.any()
    assert not real.all()
    assert all((ball == 0) == is_real for ball, is_real in zip(found[:, 1], real, strict=True))


def test_a_ball_around_real_numbers_may_hold_one_of_a_pair(monkeypatch):
    """1 + 0.9i lies in the first, and 1 - 0.9i in the second, which does not meet it."""
    pair = [acb(arb(1), arb(0.5, 0.6)), acb(arb(1), arb(-0.8, 0.2))]
    one = [[acb(1), acb(1)], [acb(1), acb(-1)]]
    monkeypatch.setattr(eigen_general, "isolated", lambda re, im: (list(pair), [list(v) for v in one]))
    a = np.zeros((2, 2))
    theirs = np.array([1 + 0.5j, 1 - 0.8j])
    values, _ = eigen_general._decompose(exact(a), exact(a), lambda _: (theirs, np.eye(2) + 0j))
    assert not any(z.imag == 0 for z in values)
    pair[1] = acb(arb(3), arb(0, 0.2))
    theirs[1] = 3
    values, _ = eigen_general._decompose(exact(a), exact(a), lambda _: (theirs, np.eye(2) + 0j))
    assert [z.imag == 0 for z in values] == [True, True]


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "complex64"])
def test_torch_s_eigenvalues_and_vectors_are_accurate(dtype):
    a = torch.from_numpy(COMPLEX if "complex" in dtype else REAL).to(getattr(torch, dtype))
    assert verdict(torch.linalg.eigvals, a) is Verdict.ACCURATE
    assert verdict(lambda a: torch.linalg.eig(a)[1].abs(), a) is Verdict.ACCURATE


@pytest.mark.parametrize("a", sample([COMPLEX, REAL], 2))
def test_jax_s_eigenvalues_and_vectors_are_accurate_with_their_phase(a):
    """JAX differentiates LAPACK's choice of the phase, too."""

    def eig(a):
        return jax.lax.linalg.eig(a, compute_left_eigenvectors=False, enable_eigvec_derivs=True)

    with jax.enable_x64(True):
        assert verdict(jnp.linalg.eigvals, jnp.asarray(a)) is Verdict.ACCURATE
        assert verdict(eig, jnp.asarray(a)) is Verdict.ACCURATE


@pytest.mark.parametrize("a", sample([COMPLEX, REAL], 2))
def test_left_eigenvectors_are_those_of_the_adjoint(a):
    def both(a):
        return jax.lax.linalg.eig(a, enable_eigvec_derivs=True)

    with jax.enable_x64(True):
        assert verdict(both, jnp.asarray(a)) is Verdict.ACCURATE


def test_jax_s_refusal_names_what_helps():
    with jax.enable_x64(True):
        result = check_gradient(jnp.linalg.eig, (jnp.asarray(REAL),))
    assert result.verdict is Verdict.UNSUPPORTED
    assert "enable_eigvec_derivs=True" in str(result)


@pytest.mark.parametrize("a", [REAL, COMPLEX, REAL.astype(np.float32), np.array([[2, 1], [1, 5]])])
def test_scipy_s_eigenvalues_and_vectors_are_its_own(a):
    w, v = scipy.linalg.eig(a)
    near = 1e-5 if a.dtype == np.float32 else 1e-13
    given = (np.asarray(a, a.dtype if a.dtype.kind in "fc" else float),)
    found = [as_complex(exact_value(lambda a, k=k: scipy.linalg.eig(a)[k] + 0j, given)) for k in (0, 1)]
    np.testing.assert_allclose(found[0], w, atol=near)
    np.testing.assert_allclose(found[1], v, atol=near)
    values = as_complex(exact_value(lambda a: scipy.linalg.eigvals(a), given))
    np.testing.assert_allclose(values, scipy.linalg.eigvals(a), atol=near)


def test_second_derivatives_of_eigenvalues():
    assert (
        verdict(torch.linalg.eigvals, torch.from_numpy(REAL), mode=("reverse", "reverse")) is Verdict.ACCURATE
    )


class _Eigenvalues(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        w, v = torch.linalg.eig(a)
        ctx.save_for_backward(v)
        return w

    @staticmethod
    def backward(ctx, g):
        (v,) = ctx.saved_tensors
        return torch.linalg.solve(v.mH, g.unsqueeze(-1) * v.mH)


class _Transposed(_Eigenvalues):
    @staticmethod
    def backward(ctx, g):
        return _Eigenvalues.backward(ctx, g).mT


def test_a_gradient_by_hand_of_eigenvalues_is_right_and_its_transpose_is_wrong():
    a = torch.from_numpy(COMPLEX)
    assert verdict(_Eigenvalues.apply, a) is Verdict.ACCURATE
    wrong = check_gradient(_Transposed.apply, (a,))
    assert wrong.verdict is Verdict.WRONG
    assert "the formula gives" in str(wrong)


@pytest.mark.parametrize("a", [np.eye(3), np.array([[1.0, 1.0], [0.0, 1.0]])])
def test_equal_eigenvalues_have_no_derivative(a):
    result = check_gradient(torch.linalg.eigvals, (torch.from_numpy(a),))
    assert result.verdict is Verdict.UNDECIDED
    assert "equal ones have no derivative" in str(result)


def test_an_order_that_the_library_s_numbers_do_not_tell_is_undecided():
    """Both of its eigenvalues are nearest to the same one."""
    a = np.diag([1.0, 2.0])
    with pytest.raises(Undecided, match="their order in the result is not known"):
        eigen_general._decompose(exact(a), exact(0 * a), lambda _: (np.array([1.1, 1.2]), np.eye(2) + 0j))


# -- Hermitian ones ---------------------------------------------------------------------------------------


def spectral(library):
    """Functions of a complex matrix that no phase changes."""
    la = library.linalg

    def again(a):
        u, s, vh = la.svd(a, full_matrices=False)
        return (u * library.log(s)) @ vh

    return {
        "values": lambda a: la.eigvalsh(a @ a.conj().T),
        "vectors": lambda a: library.abs(la.eigh(a @ a.conj().T)[1]),
        "singular values": lambda a: la.svd(a, full_matrices=False)[1],
        "the logarithm of the singular values": again,
    }


@pytest.mark.parametrize(("name", "a"), cells(spectral(np), [TALL, TALL.T.copy(), COMPLEX]))
def test_spectra_of_hermitian_matrices_are_accurate(name, a):
    a = COMPLEX if "singular" not in name else a
    assert verdict(spectral(torch)[name], torch.from_numpy(a)) is Verdict.ACCURATE
    with jax.enable_x64(True):
        assert verdict(spectral(jnp)[name], jnp.asarray(a)) is Verdict.ACCURATE
    library = spectral(np)[name](a)
    found = exact_value(spectral(np)[name], (a,))
    middles = np.array([float(b.mid()) for b in found.balls.ravel()]).reshape(found.shape)
    parts = np.stack([library.real, library.imag], -1) if np.iscomplexobj(library) else library
    np.testing.assert_allclose(middles, parts, atol=1e-13)


def test_vectors_of_the_three_libraries_have_their_phase():
    """JAX's own derivative turns no phase, as the truth does."""
    with jax.enable_x64(True):
        assert verdict(lambda a: jnp.linalg.eigh(a @ a.conj().T)[1], jnp.asarray(COMPLEX)) is Verdict.ACCURATE
        svd = check_gradient(lambda a: jnp.linalg.svd(a, full_matrices=False), (jnp.asarray(TALL),))
    assert svd.verdict is Verdict.ACCURATE
    found = as_complex(exact_value(lambda a: np.linalg.eigh(a)[1], (HERMITIAN,)))
    np.testing.assert_allclose(found, np.linalg.eigh(HERMITIAN)[1], atol=1e-13)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("dtype", [torch.complex128, torch.complex64])
def test_torch_s_factor_of_a_hermitian_matrix_is_not_accused(upper, dtype):
    """Of cotangents with an imaginary part on the diagonal, too, where the factor is real."""
    a = torch.from_numpy(HERMITIAN).to(dtype)
    assert verdict(lambda a: torch.linalg.cholesky(a, upper=upper), a) is Verdict.ACCURATE


def test_torch_refuses_what_depends_on_a_phase():
    result = check_gradient(lambda a: torch.linalg.eig(a)[1].real, (torch.from_numpy(COMPLEX),))
    assert result.verdict is Verdict.UNSUPPORTED
    assert "torch has no derivative of a phase" in str(result)


def test_where_rounding_looks_like_a_phase_to_torch_nobody_is_accused():
    """In complex64, along a cotangent of 2^40, it compares with 0.01 what is rounding."""
    a = torch.from_numpy(HERMITIAN).to(torch.complex64)
    assert verdict(lambda a: torch.linalg.eigh(a)[1].abs(), a) is Verdict.ACCURATE


def test_full_matrices_of_singular_vectors_are_not_unique():
    for a in (TALL, TALL.real.copy()):
        result = check_gradient(lambda a: torch.linalg.svd(a)[0].abs(), (torch.from_numpy(a),))
        assert result.verdict is Verdict.UNSUPPORTED
        assert "the rest is not unique" in str(result)


@pytest.mark.parametrize("matrix", [TALL, TALL.real, TALL.T, TALL.T.real])
def test_what_is_unique_of_full_matrices_is_proven(matrix):
    a = torch.from_numpy(matrix.copy())
    for part in (
        lambda a: torch.linalg.svd(a)[0][:, :3].abs(),
        lambda a: torch.linalg.svd(a)[1],
        lambda a: torch.linalg.svd(a)[2][:3].abs(),
    ):
        assert verdict(part, a) is Verdict.ACCURATE
    assert exact_value(lambda a: np.linalg.svd(a)[1], (matrix,)).shape == (3,)


def test_numbers_that_are_not_unique_may_differ():
    x = undetermined_.evaluate(exact(TALL.real), shape=(4, 2))
    assert not np.any(comparison(x[0], x[1], np.equal, np.not_equal))


def test_vectors_that_are_not_unique_are_within_their_bound():
    a = TALL.real.copy()
    program = record(lambda a: np.linalg.svd(a)[0], (a,), {}, differentiate=False).program
    (balls,) = bound(program, [a], ROUNDING_MODELS["numpy"]).balls
    assert all(b.contains(c) for b, c in zip(balls.flat, np.linalg.svd(a)[0].flat, strict=True))


# -- what is made of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("coefficients", [[1.0, -6.5, 11.0, -6.0], [1.0, -2.0, 3.0, 0.5]])
def test_roots_of_polynomials(coefficients):
    with jax.enable_x64(True):
        p = jnp.asarray(coefficients)
        assert verdict(lambda p: jnp.roots(p, strip_zeros=False), p) is Verdict.ACCURATE
    found = as_complex(exact_value(lambda p: np.roots(p) + 0j, (np.array(coefficients),)))
    np.testing.assert_allclose(found, np.roots(coefficients), atol=1e-13)


def test_complex_numbers_are_sorted_by_their_real_parts():
    with jax.enable_x64(True):
        assert verdict(jnp.sort, jnp.asarray(COMPLEX[0])) is Verdict.ACCURATE


@pytest.mark.parametrize("batch", [(), (2,)])
def test_systems_with_three_diagonals(batch):
    """What stands at both ends of the outer diagonals is not used."""
    low, high = RNG.normal(size=(2, *batch, 3))
    middle, b = 4 + RNG.normal(size=(*batch, 3)), RNG.normal(size=(*batch, 3, 2))
    with jax.enable_x64(True):
        args = tuple(map(jnp.asarray, (low, middle, high, b)))
        assert check_gradient(jax.lax.linalg.tridiagonal_solve, args).verdict is Verdict.ACCURATE
