"""Complex numbers through the doors: conventions, functions, kernels that people write, and wrong ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient, exact_gradient
from harness.subject.target import target_of
from harness.verdicts import Verdict
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program.derive import vjp
from tests.sampling import sample

GENERATOR = torch.Generator().manual_seed(0)


def tensor(*shape, dtype=torch.complex64):
    return torch.randn(shape, dtype=dtype, generator=GENERATOR)


def checked(f, args, **options):
    return check_gradient(f, args, probes=False, **options)


Z, W = tensor(4), tensor(4)

# -- torch ------------------------------------------------------------------------------------------------

UNARY = (
    "abs acos acosh angle asin asinh atan atanh cos cosh exp expm1 log log10 log1p log2 neg reciprocal rsqrt "
    "sgn sigmoid sin sinh sqrt square tan tanh conj_physical real imag view_as_real mean sum prod var std"
)
FUNCTIONS = {name: getattr(torch, name) for name in UNARY.split()} | {
    "add": lambda z, w: z + 2j * w - 1j,
    "a number with alpha": lambda z, w: torch.add(z, w, alpha=2j),
    "mul": lambda z, w: z * w.conj() * 2j,
    "div": lambda z, w: (z / w + 1j / z) / 2j,
    "powers": lambda z, w: z**3 + z**-2 + z**0.5 + z**w + 2**z + z ** (1 + 1j),
    "addcmul": lambda z, w: torch.addcmul(z, z, w, value=2) + torch.addcdiv(z, w, z) + torch.lerp(z, w, 0.3),
    "cumulated": lambda z, w: z.cumsum(0) * w.cumprod(0),
    "where": lambda z, w: torch.where(z.real > w.real, z, w * 1j) + z.masked_fill(z.imag > 0, 2j),
    "moved": lambda z, w: torch.cat([z.flip(0), w[[0, 0, 2]], z.real]).reshape(1, -1).T,
    "padded": lambda z, w: torch.nn.functional.pad(z * w, (1, 2), value=1.0),
    "norms": lambda z, w: z.norm() + torch.linalg.vector_norm(w, 3) + torch.dist(z, w),
    "matrices": lambda z, w: torch.outer(z, w.conj()) @ w + torch.mv(torch.outer(w, z), z.conj()),
    "batches": lambda z, w: torch.bmm(z.reshape(2, 2, 1), w.conj().reshape(2, 1, 2)),
    "addmm": lambda z, w: torch.addmm(z, torch.outer(z, w), torch.outer(w, w), alpha=2j, beta=0.5),
    "dots": lambda z, w: torch.dot(z, w) + torch.vdot(z, w) + torch.einsum("i,i->", z, w.conj()),
    "solve": lambda z, w: torch.linalg.solve(torch.outer(z, z.conj()) + torch.eye(4), w),
    "inverse": lambda z, w: torch.linalg.inv(torch.outer(z, w) + 2 * torch.eye(4)),
    "polar": lambda z, w: torch.polar(z.abs(), w.angle()) + torch.complex(z.imag, w.real),
    "views": lambda z, w: torch.view_as_complex(torch.view_as_real(z * w).flip(-1)).conj().imag,
    "written into": lambda z, w: z.clone().mul_(w).add_(1j).conj(),
    "a part written into": lambda z, w: written_into(z, w),
    "spectra": lambda z, w: torch.fft.ifft(torch.fft.fft(z, norm="ortho") * w),
    "real spectra": lambda z, w: torch.fft.irfft(torch.fft.rfft(z.real, n=6) * w, n=7, norm="forward"),
    "more axes": lambda z, w: torch.fft.fft2(torch.outer(z, w), s=(3, 5)).abs(),
    "Hermitian": lambda z, w: torch.fft.hfft(z) * 2 + torch.fft.ihfft(w.real, n=6).abs().sum(),
    "real results": lambda z, w: (z * w.conj()).real.sum(),
    "logarithms of sums": lambda z, w: (
        torch.logaddexp(z, w) + torch.logsumexp(z, 0) + torch.logcumsumexp(w, 0)),
    "sinc and scales": lambda z, w: torch.sinc(z) + torch.ldexp(w, torch.arange(4)) + torch.ldexp(w, z),
    "cast": lambda z, w: z.to(torch.complex128) * w + torch.eye(4, dtype=torch.cfloat)[0],
    "filled": lambda z, w: z.index_fill(0, torch.tensor([1]), 2j) + torch.nn.functional.pad(
        w[None, :2], (1, 1), mode="circular")[0],
    "renormalized": lambda z, w: torch.renorm(torch.outer(z, w), 2, 0, 0.5),
    "cross": lambda z, w: torch.linalg.cross(z[:3], w[1:].conj()),
    "Cholesky": lambda z, w: torch.linalg.cholesky(gram(z)) @ torch.linalg.cholesky(gram(w), upper=True),
    "of a factor": lambda z, w: torch.cholesky_solve(gram(w), low := torch.linalg.cholesky(gram(z)))
        + torch.cholesky_inverse(low),
    "LU": lambda z, w: sum(torch.linalg.lu(square(z, w))),
    "LU's factors": lambda z, w: torch.lu_unpack(*torch.linalg.lu_factor(square(z, w)))[1],
    "solved by LU": lambda z, w: torch.linalg.lu_solve(
        *torch.linalg.lu_factor(square(z, w)), gram(w), left=False),
    "solved by adjoints": lambda z, w: torch.linalg.lu_solve(
        *torch.linalg.lu_factor(square(z, w)), gram(w), adjoint=True),
    "determinants": lambda z, w: torch.linalg.det(square(z, w)) + torch.logdet(gram(z)),
    "sizes of determinants": lambda z, w: torch.slogdet(square(z, w))[1],
    "q and r": lambda z, w: torch.linalg.qr(square(z, w)[:, :3]),
    "reflections": lambda z, w: torch.ormqr(*FACTORS, torch.outer(z, w)),
    "a product of reflections": lambda z, w: torch.linalg.householder_product(square(z, w), w / 9),
    "triangles": lambda z, w: torch.linalg.solve_triangular(square(z, w), gram(z), upper=True)
        + torch.triangular_solve(gram(z), square(z, w), transpose=True)[0],
    "pseudoinverses": lambda z, w: torch.linalg.pinv(square(z, w)[:, :2])
        + torch.linalg.lstsq(square(z, w)[:, :2], gram(w)).solution,
    "powers of a matrix": lambda z, w: torch.linalg.matrix_power(square(z, w), -2),
}  # fmt: skip


FACTORS = torch.geqrf(torch.outer(Z, W) + torch.eye(4))


def square(z, w):
    return torch.outer(z, w) + torch.diag(w.conj()) + 2 * torch.eye(4)


def gram(z):
    return torch.outer(z, z.conj()) + torch.eye(4)


def written_into(z, w):
    out = z.clone()
    out.real[1:] *= 2
    torch.view_as_real(out)[:, 1] -= w.real
    return out


@pytest.mark.parametrize("name", sample(FUNCTIONS, 2))
def test_a_function_of_torch_is_proven(name):
    f = FUNCTIONS[name]
    found = (
        checked(f, (Z, W) if f.__code__.co_argcount == 2 else (Z,))
        if hasattr(f, "__code__")
        else checked(f, (Z,))
    )
    assert found.verdict is Verdict.ACCURATE, str(found)
    assert found.value.verdict.right


def test_twice_forward_and_in_double_precision():
    z = tensor(3, dtype=torch.complex128)
    for options in ({"order": 2}, {"mode": "forward"}, {"mode": "forward-over-reverse"}):
        assert checked(lambda z: (z.exp() * z.conj()).abs(), (z,), **options).passed
    assert checked(lambda z: z * z, (z,), cotangent=tensor(3, dtype=torch.complex128)).passed


def test_torch_has_the_conjugate():
    """Of L = Re z^2 the gradient is dL/da + i dL/db = 2 conj(z); exactly, pairs of these."""
    z = torch.tensor([1 + 2j])
    (found,) = torch.autograd.grad((lambda z: (z * z).real.sum())(leaf := z.clone().requires_grad_()), leaf)
    assert found.item() == 2 - 4j
    exact = exact_gradient(lambda z: (z * z).real.sum(), (z,))
    assert [float(b.mid()) for b in exact.balls.ravel()] == [2, -4]


class Square(torch.autograd.Function):
    """z^2, whose backward is to be 2 conj(z) g."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z * z

    @staticmethod
    def backward(ctx, g):
        return ctx.of(g, *ctx.saved_tensors)


def square_with(rule):
    own = type("Square", (Square,), {"backward": staticmethod(lambda ctx, g: rule(g, *ctx.saved_tensors))})
    return own.apply


RULES = {
    "right": (lambda g, z: 2 * z.conj() * g, Verdict.ACCURATE),
    "the other convention": (lambda g, z: 2 * z * g, Verdict.WRONG),
    "half of it": (lambda g, z: z.conj() * g, Verdict.WRONG),
    "without the imaginary part": (lambda g, z: (2 * z.conj() * g).real, Verdict.WRONG),
    "of the conjugate": (lambda g, z: 2 * z * g.conj(), Verdict.WRONG),
}


@pytest.mark.parametrize("name", RULES)
def test_a_backward_by_hand_is_judged(name):
    rule, verdict = RULES[name]
    assert checked(square_with(rule), (Z,)).verdict is verdict
    assert checked(lambda z: z * z, (Z,), vjp=rule).verdict is verdict


def test_a_message_names_the_part_and_the_users_dtype():
    found = str(checked(square_with(lambda g, z: 2 * z * g), (tensor(2, 3),)))
    assert "[complex64, (2, 3), seed 0]: wrong" in found
    assert "].imag" in found or "].real" in found


def test_a_gradient_that_is_real_is_no_gradient_of_a_complex_argument():
    found = checked(lambda z: z * z, (Z,), vjp=lambda g, z: (2 * z.conj() * g).real)
    assert "real numbers, and the argument is complex" in str(found)


def transform_with(rule):
    class Transform(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return torch.fft.fft(z)

        @staticmethod
        def backward(ctx, g):
            return rule(g)

    return Transform.apply


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        (lambda g: torch.fft.ifft(g, norm="forward"), Verdict.ACCURATE),
        (lambda g: torch.fft.fft(g.conj()).conj(), Verdict.ACCURATE),
        (torch.fft.ifft, Verdict.WRONG),  # 1/n too much
        (torch.fft.fft, Verdict.WRONG),  # the transpose without its conjugate
    ],
)
def test_a_backward_of_a_transform_is_judged(rule, verdict):
    assert checked(transform_with(rule), (Z,)).verdict is verdict


# -- JAX --------------------------------------------------------------------------------------------------

JZ, JW = (jnp.asarray(v.numpy()) for v in (Z, W))


def matrix(z, w):
    return jnp.outer(z, z.conj()) + 2 * jnp.eye(4) + 1j * jnp.outer(w, z)


OF_JAX = {
    "unary": lambda z: jnp.abs(z) + jnp.angle(z) + jnp.exp(z) + jnp.log(z) * jnp.sqrt(z) + jax.nn.sigmoid(z),
    "trigonometric": lambda z: jnp.sin(z) + jnp.cos(z) * jnp.tan(z) + jnp.sinh(z) + jnp.cosh(z) * jnp.tanh(z),
    "inverse": lambda z: jnp.arcsin(z) + jnp.arccos(z) + jnp.arctan(z) + jnp.arcsinh(z) + jnp.arctanh(z),
    "logarithms": lambda z: jnp.log1p(z) + jnp.log2(z) + jnp.log10(z) + jnp.expm1(z) + jnp.exp2(z),
    "arithmetic": lambda z, w: (z * w - 1j) / (w + z.conj()) + z**3 + z**-2 + z**w + 2**z + z.real,
    "products": lambda z, w: jnp.outer(z, w.conj()) @ w + jnp.einsum("i,j,j->i", z, w, z) + jnp.vdot(z, w),
    "reductions": lambda z: z.sum() + z.prod() + z.mean() + z.var() + z.std() + jnp.linalg.norm(z),
    "running": lambda z: jnp.cumsum(z) * jnp.cumprod(z),
    "moved": lambda z, w: jnp.concatenate([z, w[::-1]]).reshape(2, 4).T,
    "choices": lambda z, w: jnp.where(z.real > 0, z, w * 1j) + jnp.roll(z, 1),
    "written into": lambda z, w: z.at[1:].set(w[:3]).at[0].add(2j),
    "padded": lambda z: jnp.pad(z, (1, 2), constant_values=1j),
    "a scan": lambda z, w: jax.lax.scan(lambda c, x: (c * x + 1j, c), z[0], w)[1],
    "a branch": lambda z, w: jax.lax.cond(z[0].real > 0, lambda: z, lambda: w),
    "batched": lambda z, w: jax.vmap(jax.jit(lambda a, b: a * b))(z, w),
    "a convolution": lambda z, w: jnp.convolve(z, w),
    "spectra": lambda z, w: jnp.fft.ifft(jnp.fft.fft(z, norm="ortho") * w),
    "real spectra": lambda z, w: jnp.fft.irfft(jnp.fft.rfft(z.real, n=6) * w, n=7),
    "more axes": lambda z, w: jnp.fft.fft2(jnp.outer(z, w), s=(3, 5)),
    "solve": lambda z, w: jnp.linalg.solve(matrix(z, w), w),
    "determinants": lambda z, w: jnp.linalg.det(matrix(z, w)) + jnp.linalg.slogdet(matrix(z, w))[1],
    "Cholesky": lambda z: jnp.linalg.cholesky(jnp.outer(z, z.conj()) + jnp.eye(4)),
    "q and r": lambda z, w: jnp.linalg.qr(matrix(z, w)[:, :2]),
    "products in place": lambda z, w: z.at[jnp.array([0, 2])].multiply(w[:2] * 2j, unique_indices=True),
    "an element met twice": lambda z: z.at[jnp.array([1, 1, 9])].multiply(1 - 2j) + z.at[2:].divide(2j),
    "a gradient": lambda z: jax.grad(lambda z: (jnp.abs(z) ** 2).sum())(z),
}  # fmt: skip


@pytest.mark.parametrize("name", sample(OF_JAX, 2))
def test_a_function_of_jax_has_its_value_and_gradient(name):
    """Compiled as a whole: apart, JAX compiles each operation, which takes long."""
    f = OF_JAX[name]
    target = target_of(jax.jit(f), (JZ, JW)[: f.__code__.co_argcount], {}, None, None)
    count = len(target.results.shapes)
    cotangents = [
        np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape) for shape in target.results.shapes
    ]

    def both(given, *arrays):
        values, pull = jax.vjp(target.flat, *arrays)
        return values, pull(tuple(g.astype(v.dtype) for g, v in zip(given, values, strict=True)))

    theirs = jax.tree.leaves(jax.jit(both)(tuple(map(jnp.asarray, cotangents)), *target.arrays))
    recording = target.framework.record(target.flat, target.arrays, True)
    derived = vjp(recording.program, target.active)
    ours = evaluate(recording.program, recording.values, 128)
    ours += evaluate(derived, [*recording.values, *(c.astype(np.float32) for c in cotangents)], 128)
    for balls, numbers in zip(ours, theirs, strict=True):
        mids = np.array([float(b.mid()) for b in balls.ravel()]).reshape(numbers.shape)
        assert np.allclose(mids, numbers, 1e-4, 1e-4)
    assert len(ours) == count + len(target.active)


@pytest.mark.parametrize("name", ["arithmetic", "spectra", "a scan"])
def test_a_function_of_jax_is_proven(name):
    found = checked(OF_JAX[name], (JZ, JW), jit=True)
    assert found.verdict is Verdict.ACCURATE, str(found)
    assert found.value.verdict.right


def test_jax_has_no_conjugate():
    """Of L = Re z^2 the gradient is dL/da - i dL/db = 2 z, where torch has 2 conj(z)."""
    z = jnp.array([1 + 2j])
    assert jax.grad(lambda z: (z * z).real.sum())(z)[0] == 2 + 4j
    exact = exact_gradient(lambda z: (z * z).real.sum(), (z,))
    assert [float(b.mid()) for b in exact.balls.ravel()] == [2, -4]


def jax_with(rule):
    @jax.custom_vjp
    def square(z):
        return z * z

    square.defvjp(lambda z: (z * z, z), lambda z, g: (rule(g, z),))
    return square


OF_JAX_RULES = {
    "right": (lambda g, z: 2 * z * g, Verdict.ACCURATE),
    "torch's convention": (lambda g, z: 2 * z.conj() * g, Verdict.WRONG),
    "half of it": (lambda g, z: z * g, Verdict.WRONG),
    "without the imaginary part": (lambda g, z: (2 * z * g).real + 0j, Verdict.WRONG),
}


@pytest.mark.parametrize("name", OF_JAX_RULES)
def test_a_rule_of_jax_is_judged(name):
    rule, verdict = OF_JAX_RULES[name]
    assert checked(jax_with(rule), (JZ,)).verdict is verdict
    assert checked(lambda z: z * z, (JZ,), vjp=rule).verdict is verdict


def test_every_way_through_jax():
    for options in ({"order": 2}, {"mode": "forward"}, {"mode": "forward-over-reverse"}):
        assert checked(lambda z: z * z.conj() * z, (JZ,), **options, jit=True).passed
    assert checked(lambda z: z * z, (JZ,), cotangent=JW).passed
    assert checked(lambda z: z * z, (np.array([1 + 2j]),), framework="jax").passed


def test_what_jax_itself_has_wrong():
    """sign(z) = z / |z| moves, and acosh' = 1 / (sqrt(z - 1) sqrt(z + 1)), not 1 / sqrt(z^2 - 1)."""
    assert checked(jnp.sign, (JZ,), jit=True).verdict is Verdict.WRONG
    both_sides = jnp.array([-1.4 + 0.2j, 1.4 - 0.2j])
    found = checked(jnp.arccosh, (both_sides,), jit=True)
    assert found.verdict is Verdict.WRONG
    assert "2 of 4 elements differ" in str(found)


# -- NumPy ------------------------------------------------------------------------------------------------

NZ, NW = (v.numpy().astype(np.complex128) for v in (Z, W))
BY_HAND = {
    "right": (lambda g, z: 2 * z.conj() * g, Verdict.ACCURATE),
    "JAX's convention": (lambda g, z: 2 * z * g, Verdict.WRONG),
    "half of it": (lambda g, z: z.conj() * g, Verdict.WRONG),
    "without the imaginary part": (lambda g, z: (2 * z.conj() * g).real + 0j, Verdict.WRONG),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_gradient_by_hand_is_judged_in_torchs_convention(name):
    rule, verdict = BY_HAND[name]
    assert checked(lambda z: z * z, (NZ,), vjp=rule).verdict is verdict


def transformed_back(g, z):
    return np.fft.ifft(g) * len(z)


@pytest.mark.parametrize(
    ("f", "vjp", "verdict"),
    [
        (np.fft.fft, transformed_back, Verdict.ACCURATE),
        (np.fft.fft, lambda g, z: np.fft.ifft(g), Verdict.WRONG),  # 1/n too much
        (lambda z: np.abs(z), lambda g, z: g * z / np.abs(z), Verdict.ACCURATE),
        (lambda z: np.angle(z), lambda g, z: 1j * g * z / np.abs(z) ** 2, Verdict.ACCURATE),
        (lambda z: np.outer(z, NW) @ z, lambda g, z: (NW.conj() @ z.conj()) * g + NW.conj() * (z.conj() @ g),
         Verdict.ACCURATE),
    ],
)  # fmt: skip
def test_a_function_of_numpy_and_its_gradient(f, vjp, verdict):
    found = checked(f, (NZ,), vjp=vjp)
    assert found.verdict is verdict, str(found)


def test_a_gradient_of_a_number():
    assert checked(lambda z: (np.abs(z) ** 2).sum(), (NZ,), grad=lambda z: 2 * z).passed


def test_what_is_written_into_a_part_is_seen():
    def f(z):
        out = z.copy()
        out.real[0] = 1
        return out

    def rule(g, z):
        own = g.copy()
        own.real[0] = 0
        return own

    assert checked(f, (NZ,), vjp=rule).verdict is Verdict.ACCURATE
    assert checked(f, (NZ,), vjp=lambda g, z: g).verdict is Verdict.WRONG


# -- kernels that people write ----------------------------------------------------------------------------

T, D = 4, 6
TURNS = torch.polar(
    torch.ones(T, D // 2), torch.outer(torch.arange(T).float(), 100 ** -(torch.arange(0, D, 2) / D))
)


def rotated(x):
    pairs = torch.view_as_complex(x.reshape(T, D // 2, 2))
    return torch.view_as_real(pairs * TURNS).flatten(-2)


def rotary_attention(q, k, v):
    return torch.softmax(rotated(q) @ rotated(k).T / D**0.5, -1) @ v


class Spectral(torch.nn.Module):
    """A layer of a Fourier neural operator."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(tensor(2, 3, 3))

    def forward(self, x):
        modes = torch.fft.rfft(x)
        out = torch.zeros(*x.shape[:-2], 3, modes.shape[-1], dtype=torch.cfloat)
        out[..., :3] = torch.einsum("...ix,iox->...ox", modes[..., :3], self.w)
        return torch.fft.irfft(out, n=x.shape[-1])


def recurrence(poles, b, c, u):
    state, found = torch.zeros_like(poles), []
    for t in range(u.shape[0]):
        state = poles * state + b * u[t]
        found.append((c * state).sum().real)
    return torch.stack(found)


def expectation(angle):
    c, s = torch.cos(angle / 2).to(torch.cfloat), torch.sin(angle / 2).to(torch.cfloat)
    state = torch.stack([torch.stack([c, -1j * s]), torch.stack([-1j * s, c])]) @ torch.tensor([1, 0j])
    return torch.vdot(state, torch.diag(torch.tensor([1, -1 + 0j])) @ state).real


def real(*shape):
    return tensor(*shape, dtype=torch.float32)


KERNELS = {
    "attention with rotary embeddings": (rotary_attention, (real(T, D), real(T, D), real(T, D))),
    "spectral convolution": (Spectral(), (real(2, 2, 8),)),
    "a loss of spectra": (
        lambda x, y: (torch.fft.rfft2(x).abs() - torch.fft.rfft2(y).abs()).square().mean(),
        (real(4, 4), real(4, 4))),
    "complex normalization": (
        lambda z: z / torch.sqrt((z.abs() ** 2).mean(-1, keepdim=True) + 1e-5), (tensor(2, 3),)),
    "a complex recurrence": (recurrence, (tensor(3) / 4, tensor(3), tensor(3), real(4))),
    "an expectation": (expectation, (real(),)),
    "a complex layer": (torch.nn.Linear(3, 2, dtype=torch.cfloat), (tensor(2, 3),)),
    "a complex convolution": (torch.nn.functional.conv1d, (tensor(1, 2, 4), tensor(2, 2, 2))),
}  # fmt: skip


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_is_proven(name):
    f, args = KERNELS[name]
    found = check_gradient(f, args, probes=["strided", "twice"])
    assert found.passed, str(found)


# -- points -----------------------------------------------------------------------------------------------


def test_cuts_and_poles():
    on_the_cut = torch.tensor([-1 + 0j, 2 + 0j])
    assert checked(torch.log, (on_the_cut,)).passed
    assert checked(torch.sqrt, (on_the_cut,)).passed
    assert checked(torch.angle, (torch.tensor([2 + 0j, -1j, 3j]),)).passed
    assert checked(torch.sgn, (torch.tensor([0j, 1 + 1j]),)).verdict is Verdict.UNDECIDED
    assert checked(torch.abs, (torch.tensor([0j, 1 + 1j]),)).passed


def test_how_an_argument_lies_in_memory():
    z = tensor(3, 4)
    for one in (z.T, z[:, 1::2], z.conj(), z[0, 0], torch.empty(0, 2, dtype=torch.cfloat)):
        assert checked(lambda z: z.exp(), (one,)).passed or not one.numel()
    assert checked(lambda z, w: (z * w[:0], w), (torch.empty(0, dtype=torch.cfloat), W)).passed


@pytest.mark.parametrize(
    ("f", "args", "said"),
    [
        (lambda z: torch.geqrf(z)[0], (torch.eye(2) + 1j,), "aten.geqrf of complex numbers has no rule"),
        (lambda x: torch.view_as_real(x.chalf()), (torch.ones(2),), "complex numbers in half precision"),
        (lambda z: z * z.sum().item(), (Z,), "a number leaves the tensors"),
    ],
)  # fmt: skip
def test_what_has_no_rule_is_named(f, args, said):
    found = checked(f, args)
    assert found.verdict is Verdict.UNSUPPORTED
    assert said in str(found)


@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_half_precision_is_refused():
    found = checked(torch.exp, (torch.zeros(2, dtype=torch.complex32),))
    assert found.verdict is Verdict.UNSUPPORTED
    assert "complex numbers in half precision" in str(found)
    found = checked(torch.complex, (torch.ones(2, dtype=torch.float16),) * 2)  # as a result, too
    assert found.verdict is Verdict.UNSUPPORTED
    assert "complex numbers in half precision" in str(found)


def test_constants_beside():
    assert checked(lambda c, n, z: z * c + n, (2j, torch.tensor(3), Z)).passed
    assert checked(lambda w, z: z * w, (W, Z), argnums=1).passed
    assert checked(lambda z: z * torch.tensor(np.array([1j, 2, 3, 4])), (Z,)).passed
