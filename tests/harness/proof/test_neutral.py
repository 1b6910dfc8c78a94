"""Arguments that are neutral at the given point, forgotten and not: each is asked alone, whatever it is."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
import torch

from gradproof import check_gradient

rng = np.random.default_rng(2)
X, W = rng.normal(size=(5, 4)), rng.normal(size=(4, 1))
x = rng.normal(size=6)
SHAPES = ((5, 4), (5, 1), (1, 4), (4,))
DTYPES = (np.float64, np.float32, np.int64, np.uint8, bool)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mask_of_any_shape_and_dtype_is_asked(shape, dtype):
    mask = np.ones(shape, dtype)

    def kept(x, mask):
        return np.sum(mask * np.tanh(x))

    forgets = check_gradient(kept, (X, mask), grad=lambda x, m: 1 - np.tanh(x) ** 2, argnums=0)
    assert forgets.verdict == "wrong"
    assert "mask is all 1" in str(forgets)
    assert check_gradient(kept, (X, mask), grad=lambda x, m: m * (1 - np.tanh(x) ** 2), argnums=0).passed


class Masked(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, m):
        ctx.save_for_backward(x, m)
        return torch.tanh(x) * m

    @staticmethod
    def backward(ctx, g):
        x, m = ctx.saved_tensors
        return g * (1 - torch.tanh(x).conj() ** 2) * m.conj(), None


class Forgets(Masked):
    @staticmethod
    def backward(ctx, g):
        x, _ = ctx.saved_tensors
        return g * (1 - torch.tanh(x).conj() ** 2), None


@pytest.mark.parametrize("shape", [(2, 3, 1), (2, 1, 1), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.complex64, torch.complex128, torch.uint8])
def test_masks_of_torch_are_asked(shape, dtype):
    given = torch.tensor(rng.normal(size=(2, 3, 4))).to(torch.float64 if dtype == torch.uint8 else dtype)
    mask = torch.ones(shape, dtype=dtype)
    assert check_gradient(Forgets.apply, (given, mask), argnums=0).verdict == "wrong"
    assert check_gradient(Masked.apply, (given, mask), argnums=0).passed


class Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, mask, scale):
        p = torch.softmax((q @ k.mT * scale).masked_fill(mask == 0, -torch.inf), -1)
        ctx.save_for_backward(q, k, p)
        ctx.scale = scale
        return p

    @classmethod
    def backward(cls, ctx, g):
        q, k, p = ctx.saved_tensors
        p, scale = cls.kept(q, k, p, ctx.scale)
        d = p * (g - (g * p).sum(-1, keepdim=True)) * scale
        return d @ k, d.mT @ q, None, None

    @staticmethod
    def kept(q, k, p, scale):
        return p, scale


class WithoutMask(Attention):
    @staticmethod
    def kept(q, k, p, scale):
        return torch.softmax(q @ k.mT * scale, -1), scale


class WithoutScale(Attention):
    @staticmethod
    def kept(q, k, p, scale):
        return p, 1.0


@pytest.mark.parametrize("shape", [(2, 3, 3), (2, 1, 3), (3,)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bool, torch.int64, torch.uint8])
def test_the_mask_and_the_scale_of_attention_are_asked(shape, dtype):
    q, k = torch.tensor(rng.normal(size=(2, 2, 3, 4)))
    args = (q, k, torch.ones(shape, dtype=dtype), 1.0)
    assert check_gradient(Attention.apply, args, argnums=(0, 1)).passed
    assert check_gradient(WithoutMask.apply, args, argnums=(0, 1)).verdict == "wrong"
    assert check_gradient(WithoutScale.apply, args, argnums=(0, 1)).verdict == "wrong"


def of_jax(rule):
    function = jax.custom_vjp(lambda x, m: jnp.tanh(x) * m)
    function.defvjp(lambda x, m: (jnp.tanh(x) * m, (x, m)), rule)
    return function


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("mask", ["column", "number"])
def test_masks_and_numbers_of_jax_are_asked(dtype, mask):
    args = (jnp.asarray(X, dtype), jnp.ones((5, 1), dtype) if mask == "column" else 1.0)

    def right(kept, g):
        x, m = kept
        return g * m * (1 - jnp.tanh(x) ** 2), jnp.zeros_like(m)

    def forgets(kept, g):
        x, m = kept
        return g * (1 - jnp.tanh(x) ** 2), jnp.zeros_like(m)

    assert check_gradient(of_jax(forgets), args, argnums=0).verdict == "wrong"
    assert check_gradient(of_jax(right), args, argnums=0).passed


PAIRS = {
    "a mask and weights": (np.ones((5, 4)), np.ones(4)),
    "a mask of bools and weights": (np.ones((5, 4), bool), np.ones(4)),
    "two numbers": (1.0, np.float64(1)),
    "weights and a number": (np.ones((5, 1)), 1.0),
}


@pytest.mark.parametrize("name", PAIRS)
def test_two_that_are_neutral_do_not_hide_each_other(name):
    def function(x, a, b):
        return np.sum(a * b * np.tanh(x))

    args = (X, *PAIRS[name])
    for rule in (lambda s, a, b: a * s, lambda s, a, b: b * s, lambda s, a, b: s):
        found = check_gradient(
            function, args, grad=lambda x, a, b, rule=rule: rule(1 - np.tanh(x) ** 2, a, b), argnums=0
        )
        assert found.verdict == "wrong"
    right = check_gradient(function, args, grad=lambda x, a, b: a * b * (1 - np.tanh(x) ** 2), argnums=0)
    assert right.passed


@pytest.mark.parametrize("dtype", DTYPES)
def test_two_masks_of_which_one_is_enough_are_asked_together(dtype):
    def function(x, a, b):
        return np.sum(np.maximum(a, b) * x * x)

    args = (X, np.ones((5, 4), dtype), np.ones((5, 4), dtype))
    assert check_gradient(function, args, grad=lambda x, a, b: 2 * x, argnums=0).verdict == "wrong"
    right = check_gradient(function, args, grad=lambda x, a, b: 2 * np.maximum(a, b) * x, argnums=0)
    assert right.passed


LETS_THROUGH = {
    "not 0": lambda m: m != 0,
    "above 0": lambda m: m > 0,
    "1": lambda m: m == 1,
}


@pytest.mark.parametrize("name", LETS_THROUGH)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mask_that_is_compared_with_a_number_is_asked(name, dtype):
    def function(x, m):
        return np.sum(np.where(LETS_THROUGH[name](m), x * x, 0))

    args = (X, np.ones((5, 1), dtype))
    assert check_gradient(function, args, grad=lambda x, m: 2 * x, argnums=0).verdict == "wrong"
    for right in (lambda x, m: 2 * x * m, lambda x, m: np.where(LETS_THROUGH[name](m), 2 * x, 0)):
        assert check_gradient(function, args, grad=right, argnums=0).passed


LABELLED = {
    "signs": (lambda w, y: np.sum((1 - y * (X @ w)) ** 2), lambda w, y: 2 * X.T @ (X @ w - y)),
    "classes": (
        lambda w, y: np.sum(np.where(y == 1, np.logaddexp(0, -(X @ w)), np.logaddexp(0, X @ w))),
        lambda w, y: X.T @ (1 / (1 + np.exp(-(X @ w))) - y),
    ),
}


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize("w", [W, np.zeros((4, 1))])
@pytest.mark.parametrize(
    "label", [np.ones((5, 1)), np.ones((5, 1), np.int8), 1.0, np.float64(1), np.array([1.0])]
)
def test_labels_of_any_shape_accuse_nobody(name, w, label):
    function, grad = LABELLED[name]
    assert check_gradient(function, (w, label), grad=grad, argnums=0).passed


SCALES = {
    "its square": (lambda x, s: np.sum(np.exp(-(x**2) / s**2)), lambda x, s: -2 * x * np.exp(-(x**2) / s**2)),
    "its size": (lambda x, s: np.sum(abs(s) * np.sin(x)), lambda x, s: np.cos(x)),
}


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("scale", [1.0, np.array(1.0), np.ones(1), np.float32(1)])
def test_to_be_right_at_minus_1_excuses_nothing_where_that_is_1(name, scale):
    function, forgets = SCALES[name]
    assert check_gradient(function, (x, scale), grad=forgets, argnums=0).verdict == "wrong"

    def right(x, s):
        return forgets(x, s) * (1 / s**2 if name == "its square" else abs(s))

    assert check_gradient(function, (x, scale), grad=right, argnums=0).passed


NUMBERS = {
    "a temperature": (lambda x, t: np.sum(np.tanh(x / t)), lambda x, t: (1 - np.tanh(x / t) ** 2) / t, 1.0),
    "a penalty": (lambda x, t: np.sum(x**3 + t * x**2), lambda x, t: 3 * x**2 + 2 * t * x, 0.0),
    "a bend": (
        lambda x, t: np.sum(np.where(abs(x) < t, x * x / 2, t * (abs(x) - t / 2))),
        lambda x, t: np.where(abs(x) < t, x, t * np.sign(x)),
        1.0,
    ),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_python_are_asked(name):
    function, grad, number = NUMBERS[name]
    found = check_gradient(function, (x, number), grad=lambda x, t: grad(x, number), argnums=0)
    assert found.verdict == "wrong"
    assert f"t is {number:g}" in str(found)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_gradient(function, (x, number), grad=grad, argnums=0).passed
    named = check_gradient(function, (x,), kwargs={"t": number}, grad=lambda x, t: grad(x, number))
    assert named.verdict == "wrong"


def test_what_refuses_other_numbers_says_nothing():
    def norm(x, p):
        assert p in (1.0, 2.0)
        return np.sum(abs(x) ** p)

    assert check_gradient(norm, (x, 1.0), grad=lambda x, p: np.sign(x), argnums=0).passed


@pytest.mark.parametrize("tolerance", [0.0, np.float64(0)])
def test_a_tolerance_is_no_term(tolerance):
    def root(a, relative):
        y = np.ones_like(a)
        while np.max(abs(y * y - a)) > relative * np.max(a) + 1e-9:
            y = (y + a / y) / 2
        return np.sum(y)

    args = (np.array([2.0, 3.0]), tolerance)
    assert check_gradient(root, args, grad=lambda a, relative: 0.5 / np.sqrt(a), argnums=0).passed


@pytest.mark.parametrize("flag", [0.0, np.float64(0)])
def test_a_flag_that_is_forgotten_is_asked_though_it_leaves_something_out(flag):
    def function(x, flag):
        return np.sum(x if flag else x * x * x)

    assert check_gradient(function, (x, flag), grad=lambda x, flag: 3 * x**2, argnums=0).verdict == "wrong"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_gains_in_a_square_are_drawn_in_every_dtype(dtype):
    args = (torch.tensor(X[:4]).to(dtype), torch.ones(4, 4, dtype=dtype))
    assert check_gradient(Masked.apply, args, argnums=0).passed

    class Gain(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return x * x * w

        @staticmethod
        def backward(ctx, g):
            x, _ = ctx.saved_tensors
            return 2 * g * x, g * x * x

    assert check_gradient(Gain.apply, args).verdict == "wrong"


def test_a_term_that_is_skipped_where_it_is_0_is_asked():
    def loss(x, decay):
        return np.sum(x**3) + (decay * np.sum(x**2) if decay else 0)

    assert check_gradient(loss, (x, 0.0), grad=lambda x, d: 3 * x**2, argnums=0).verdict == "wrong"
    assert check_gradient(loss, (x, 0.0), grad=lambda x, d: 3 * x**2 + 2 * d * x, argnums=0).passed


def test_integers_and_bools_of_python_stay():
    def power(x, n, both):
        assert (type(n), type(both)) == (int, bool)
        assert (n, both) == (1, True)
        return np.sum(x**n)

    assert check_gradient(power, (x, 1, True), grad=lambda x, n, both: np.ones_like(x), argnums=0).passed


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z * z

    @staticmethod
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0].conj() * g


class NoConjugate(Square):
    @staticmethod
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0] * g


@pytest.mark.parametrize("shape", [(6,), (2, 3), (2, 2), (1, 1), ()])
@pytest.mark.parametrize("phase", [1, 1j])
def test_a_missing_conjugate_shows_though_the_numbers_are_real(shape, phase):
    z = torch.tensor(phase * x[: int(np.prod(shape))].reshape(shape), dtype=torch.complex128)
    assert check_gradient(NoConjugate.apply, (z,)).verdict == "wrong"
    assert check_gradient(Square.apply, (z,)).passed


@pytest.mark.parametrize("gain", [1 + 0j, np.complex128(1), np.complex64(1), np.ones(6, complex)])
def test_gains_of_complex_numbers_are_asked(gain):
    def function(z, w):
        return np.sum(np.abs(w * z) ** 2)

    z = x + 1j * x[::-1]
    assert check_gradient(function, (z, gain), grad=lambda z, w: 2 * z, argnums=0).verdict == "wrong"
    assert check_gradient(function, (z, gain), grad=lambda z, w: 2 * z * abs(w) ** 2, argnums=0).passed


class Eigenvalues(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return torch.linalg.eigvalsh(z)

    @staticmethod
    def backward(ctx, g):
        _, vectors = torch.linalg.eigh(ctx.saved_tensors[0])
        return (vectors * g) @ vectors.mH


class Sampled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, mask):
        ctx.save_for_backward(mask)
        return torch.fft.fft2(z, norm="ortho") * mask

    @staticmethod
    def backward(ctx, g):
        return torch.fft.ifft2(g * ctx.saved_tensors[0], norm="ortho"), None  # a mask is real


def test_complex_numbers_stay_what_they_must_be():
    matrix = torch.tensor(X[:4] + X[:4].T, dtype=torch.complex128)
    assert check_gradient(Eigenvalues.apply, (matrix,)).passed
    for rule in (lambda z: 2 * z, lambda z: 2 * z.conj().T):  # of a Hermitian matrix they are the same
        assert check_gradient(lambda z: np.trace(z @ z).real, (matrix.numpy(),), grad=rule).passed
    mask = torch.ones(4, 4, dtype=torch.complex128).tril()
    for one in (mask, mask + mask.mT * (1 - torch.eye(4))):
        assert check_gradient(Sampled.apply, (matrix, one), argnums=0).passed


def test_a_mask_shows_where_a_derivative_is_0_too():
    def function(a, b, m):
        return np.sum(m * (X @ a @ b))

    args = (rng.normal(size=(4, 2)), np.zeros((2, 3)), np.ones((5, 3)))

    def forgets(a, b, m):
        return X.T @ np.ones((5, 3)) @ b.T, a.T @ X.T @ np.ones((5, 3))

    def right(a, b, m):
        return X.T @ m @ b.T, a.T @ X.T @ m

    assert check_gradient(function, args, grad=forgets, argnums=(0, 1)).verdict == "wrong"
    assert check_gradient(function, args, grad=right, argnums=(0, 1)).passed


# At 0, or at -1, each of these says nothing: it divides by its weights, by their sum, or takes a root.
DIVIDED = {
    "masked mean, the mask forgotten": (
        lambda x, w: (x**2 * w).sum() / w.sum(), lambda g, x, w: g * 2 * x / w.sum()
    ),
    "masked mean, of all": (lambda x, w: (x**2 * w).sum() / w.sum(), lambda g, x, w: g * 2 * x * w / x.size),
    "np.average": (lambda x, w: np.average(x**2, weights=w), lambda g, x, w: g * 2 * x / x.size),
    "sigma": (lambda x, w: (0.5 * (x / w) ** 2 + np.log(w)).sum(), lambda g, x, w: g * x / w),
    "variance": (lambda x, w: (0.5 * x**2 / w + 0.5 * np.log(w)).sum(), lambda g, x, w: g * x),
    "degrees": (lambda x, w: (x / np.sqrt(w)).sum() ** 2, lambda g, x, w: g * 2 * x.sum() * np.ones(x.size)),
    "roots of weights": (lambda x, w: ((np.sqrt(w) * x) ** 2).sum(), lambda g, x, w: g * 2 * x),
}  # fmt: skip


@pytest.mark.parametrize("name", DIVIDED)
@pytest.mark.parametrize("size", [3, 4])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_weights_that_are_divided_by_hide_nothing(name, size, dtype):
    function, vjp = DIVIDED[name]
    x, ones = np.linspace(0.3, 2, size).astype(dtype), np.ones(size, dtype)
    with np.errstate(all="ignore"):
        assert check_gradient(function, (x, ones), vjp=vjp, argnums=0).verdict == "wrong"


@pytest.mark.parametrize("size", [3, 4])
def test_a_right_gradient_beside_weights_is_right(size):
    x, ones = np.linspace(0.3, 2, size), np.ones(size)
    with np.errstate(all="ignore"):
        mean = check_gradient(
            lambda x, w: (x**2 * w).sum() / w.sum(),
            (x, ones),
            vjp=lambda g, x, w: g * 2 * x * w / w.sum(),
            argnums=0,
        )
        ratio = check_gradient(
            lambda x, w: ((x / w) ** 2).sum(), (x, ones), vjp=lambda g, x, w: g * 2 * x / w**2, argnums=0
        )
    assert mean.verdict == ratio.verdict == "accurate"


@pytest.mark.parametrize("size", [3, 4])
def test_labels_beside_a_mean_accuse_nobody(size):
    """Its square is 1 where it is a label: the rule leaves it out."""
    x, ones = np.linspace(0.3, 2, size), np.ones(size)
    found = check_gradient(
        lambda x, y: ((1 - y * x) ** 2).mean(),
        (x, ones),
        vjp=lambda g, x, y: g * 2 * (x - y) / x.size,
        argnums=0,
    )
    assert found.verdict == "accurate"


# Each is right for a symmetric matrix, as graphs and couplings have it, and for no other.
SYMMETRIC = {
    "smoothing on a graph": (
        lambda x, w: 0.5 * (w * (x[:, None] - x[None]) ** 2).sum(),
        lambda g, x, w: 2 * g * (w.sum(1) * x - w @ x),
    ),
    "couplings": (lambda x, w: -0.5 * x @ w @ x, lambda g, x, w: -g * w @ x),
    "a square": (lambda x, w: ((w @ x) ** 2).sum(), lambda g, x, w: 2 * g * w @ (w @ x)),
}  # fmt: skip


@pytest.mark.parametrize("name", SYMMETRIC)
@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_symmetric_matrix_of_ones_stays_symmetric(name, size):
    function, vjp = SYMMETRIC[name]
    at = (np.linspace(0.3, 2, size), np.ones((size, size)))
    assert check_gradient(function, at, vjp=vjp, argnums=0).verdict == "accurate"
    forgotten = check_gradient(function, at, vjp=lambda g, x, w: vjp(g, x, np.ones((size, size))), argnums=0)
    assert forgotten.verdict == "wrong"


INSIDE = np.concatenate([np.linspace(-0.9, 0.8, 5), [2.0, -3.0]])
WIDTHS = {
    "smooth L1": (
        lambda x, b: np.where(abs(x) < b, 0.5 * x * x / b, abs(x) - 0.5 * b).sum(),
        lambda g, x, b: g * np.where(abs(x) < b, x, np.sign(x)),
    ),
    "Tukey's biweight": (
        lambda x, c: np.where(abs(x) < c, (1 - (1 - (x / c) ** 2) ** 3) * c * c / 6, c * c / 6).sum(),
        lambda g, x, c: g * np.where(abs(x) < c, x * (1 - x**2) ** 2, 0),
    ),
    "a cosine's cutoff": (
        lambda x, c: np.where(abs(x) < c, 0.5 * (1 + np.cos(np.pi * x / c)), 0).sum(),
        lambda g, x, c: g * np.where(abs(x) < c, -0.5 * np.pi * np.sin(np.pi * x), 0),
    ),
    "the same, times its mask": (
        lambda x, c: (0.5 * (1 + np.cos(np.pi * x / c)) * (abs(x) < c)).sum(),
        lambda g, x, c: g * -0.5 * np.pi * np.sin(np.pi * x) * (abs(x) < c),
    ),
}


@pytest.mark.parametrize("name", WIDTHS)
@pytest.mark.parametrize("width", [1.0, np.ones(1)])
def test_a_width_is_no_label(name, width):
    """Nothing lies within a width of 0 or -1, so a gradient that forgets it is right there."""
    function, vjp = WIDTHS[name]
    with np.errstate(all="ignore"):
        assert check_gradient(function, (INSIDE, width), vjp=vjp, argnums=0).verdict == "wrong"


@pytest.mark.parametrize("label", [1.0, 0.0])
def test_a_flag_that_chooses_a_branch_accuses_nobody(label):
    """At another number than 0 and 1 such a gradient is anything."""
    found = check_gradient(
        lambda x, y: -(y * np.log(x) + (1 - y) * np.log(1 - x)).sum(),
        (np.array([0.3, 0.6]), label),
        vjp=lambda g, x, y: g * (-1 / x if y == 1 else 1 / (1 - x)),
        argnums=0,
    )
    assert found.verdict == "accurate"


def margin(w, v, y):
    return np.maximum(0, 1 - y * (w @ v)) ** 2


def contrast(w, v, y):
    far = np.sqrt(((w - v) ** 2).sum())
    return (1 + y) / 2 * far**2 + (1 - y) / 2 * np.maximum(0, 1 - far) ** 2


def likeness(w, v, y):
    cosine = w @ v / np.sqrt((w @ w) * (v @ v))
    return 1 - cosine if y == 1 else np.maximum(0, cosine - 0.5)


def likeness_grad(w, v, y):
    sizes = np.sqrt((w @ w) * (v @ v))
    slope = v / sizes - (w @ v) / sizes * w / (w @ w)
    return -slope if y > 0 else slope * (w @ v / sizes > 0.5)


# Each is right at 1 and -1, where its derivative may be 0, and at no number between.
OF_LABELS = {
    "a squared margin, where the square of a label is 1": (
        margin,
        lambda w, v, y: -2 * (y - w @ v) * v * (1 - y * (w @ v) > 0),
    ),
    "a contrast": (
        contrast,
        lambda w, v, y: 2 * (w - v) if y > 0 else np.where(np.sqrt(((w - v) ** 2).sum()) < 1, np.nan, 0 * w),
    ),
    "a likeness": (likeness, likeness_grad),
}


@pytest.mark.parametrize("name", OF_LABELS)
@pytest.mark.parametrize("label", [1.0, np.float64(1), np.array([1.0])])
def test_a_label_accuses_nobody_where_nothing_moves_at_the_other_one(name, label):
    function, grad = OF_LABELS[name]

    def number(w, v, y):
        return function(w, v, float(np.ravel(y)[0]) if name == "a likeness" else y).sum()

    at = (np.array([-2.0, 0.4, 0.3]), np.array([1.0, -0.5, 0.7]), label)
    assert check_gradient(number, at, grad=grad, argnums=0).verdict == "accurate"


# Of a sign, 1 or -1: each rule takes its square for 1, or compares it with 0.
SENSES = {
    "an option's payoff": (
        lambda x, s: np.maximum(s * (x - 1), 0).sum(),
        lambda g, x, s: g * np.where(s > 0, 1.0 * (x > 1), -1.0 * (x < 1)),
    ),
    "a constraint's penalty": (
        lambda x, s: (np.maximum(0, s * (x - 1)) ** 2).sum(),
        lambda g, x, s: g * 2 * (x - 1) * (s * (x - 1) > 0),
    ),
    "a spin": (lambda x, s: np.tanh(s * x).sum(), lambda g, x, s: g * s * (1 - np.tanh(x) ** 2)),
}


@pytest.mark.parametrize("name", SENSES)
def test_a_sense_accuses_nobody(name):
    function, vjp = SENSES[name]
    assert check_gradient(function, (np.array([2.0, 3.0]), 1.0), vjp=vjp, argnums=0).verdict == "accurate"


@pytest.mark.parametrize("size", [2, 4, 5])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mask_of_as_many_rows_as_columns_is_no_graph(size, dtype):
    """Padding is at the end of a row, and the rule counts on it."""

    def steps(x, mask):
        return np.arange(x.shape[1]) < mask.sum(1, keepdims=True)

    x, mask = np.linspace(-1, 2, size * size).reshape(size, size), np.ones((size, size), dtype)
    found = check_gradient(
        lambda x, mask: (mask * np.tanh(x)).sum() / mask.sum(),
        (x, mask),
        grad=lambda x, mask: steps(x, mask) * (1 - np.tanh(x) ** 2) / mask.sum(),
        argnums=0,
    )
    assert found.verdict == "accurate"


def gated(x, h, w):
    """A step of a recurrent network with an update gate, from the state h."""
    z = 1 / (1 + np.exp(-(x @ w)))
    return z * h + (1 - z) * np.tanh(x)


def gated_grad(g, x, h, w, state=1.0):
    z, n = 1 / (1 + np.exp(-(x @ w))), np.tanh(x)
    return (g * (state * h - n) * z * (1 - z)) @ w.T + g * (1 - z) * (1 - n * n)


def normalised(x, scale, shift):
    return (scale * (x - x.mean()) / x.std() + shift) ** 2


def normalised_grad(g, x, scale, shift, kept=1.0):
    y = (x - x.mean()) / x.std()
    d = 2 * g * (scale * y + kept * shift) * scale
    return (d - d.mean() - y * (d * y).mean()) / x.std()


POINT, ZEROS, ONES = np.array([0.3, -1.1, 0.7, 1.9]), np.zeros(4), np.ones(4)
W4 = np.random.default_rng(3).normal(size=(4, 4))
# The function, what it is given, its gradient, and one that is right at the zeros alone.
HIDDEN_BY_ZEROS = {
    "saturates": (
        lambda x, m: np.tanh(x + m * x * x), (POINT, ZEROS),
        lambda g, x, m: g * (1 + 2 * m * x) / np.cosh(x + m * x * x) ** 2,
        lambda g, x, m: g / np.cosh(x + m * x * x) ** 2,
    ),
    "bell": (
        lambda x, c: np.exp(-((x - c) ** 2)), (POINT, ZEROS),
        lambda g, x, c: -2 * g * (x - c) * np.exp(-((x - c) ** 2)),
        lambda g, x, c: -2 * g * x * np.exp(-((x - c) ** 2)),
    ),
    "state": (
        gated, (POINT, ZEROS, W4), gated_grad, lambda g, x, h, w: gated_grad(g, x, h, w, state=0.0)
    ),
    "weighted": (
        lambda x, m, w: w * (x - m) ** 2, (POINT, ZEROS, ONES),
        lambda g, x, m, w: 2 * g * w * (x - m), lambda g, x, m, w: 2 * g * w * x,
    ),
    "shifted": (
        normalised, (POINT, ONES, ZEROS), normalised_grad,
        lambda g, *args: normalised_grad(g, *args, kept=0.0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN_BY_ZEROS)
def test_that_nothing_is_left_elsewhere_excuses_nobody(name):
    """At -1e9 a tanh is flat, and where a weight is 0 so is all: what is right there says nothing."""
    function, arguments, right, wrong = HIDDEN_BY_ZEROS[name]
    assert check_gradient(function, arguments, argnums=0, vjp=right).passed
    found = check_gradient(function, arguments, argnums=0, vjp=wrong)
    assert found.verdict == "wrong", str(found)


def masked_softmax(x, m):
    e = np.exp(x + m - (x + m).max())
    return e / e.sum()


def masked_grad(g, x, m):
    s = np.exp(x) * (m == 0)
    s /= s.sum()
    return s * (g - (s * g).sum())


BY_MASKS = {
    "scores": (masked_softmax, (POINT, ZEROS), masked_grad),
    "which": (lambda x, m, n: x * m + x * x * n, (POINT, ONES, ZEROS),
              lambda g, x, m, n: g * np.where(m > 0, 1, 2 * x)),
    "what is left": (lambda x, m, n: x * m + x * x * n, (POINT, ONES, ZEROS),
                     lambda g, x, m, n: g * (1 - n + n * 2 * x)),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_MASKS)
def test_zeros_that_are_a_mask_accuse_nobody(name):
    function, arguments, gradient = BY_MASKS[name]
    found = check_gradient(function, arguments, argnums=0, vjp=gradient)
    assert found.verdict == "accurate", str(found)


LEAVES = {
    "slice": slice(0, 2), "set": {0, 1}, "bytes": bytearray(b"ab"), "infinite": np.array([0.0, -np.inf]),
    "missing": np.array([np.nan, 1.0]), "sparse": scipy.sparse.eye(2),
}  # fmt: skip


@pytest.mark.parametrize("name", LEAVES)
@pytest.mark.parametrize("scale", [1.0, 2.0, 0.5])
def test_what_has_no_hash_may_stand_beside_a_number_that_moves(name, scale):
    def function(x, leaf, scale):
        return x[leaf if type(leaf) is slice else slice(None)] * scale

    def gradient(factor):
        def pullback(g, x, leaf, scale):
            onto = np.zeros(4)
            onto[leaf if type(leaf) is slice else slice(None)] = g * factor(scale)
            return onto

        return pullback

    arguments = POINT, LEAVES[name], scale
    right, wrong = (
        check_gradient(function, arguments, argnums=0, vjp=gradient(factor))
        for factor in (lambda s: s, lambda s: 1 if scale == 1 else s + 1)
    )
    assert right.verdict == "accurate", str(right)
    assert wrong.verdict == "wrong", str(wrong)


STRAIGHT = np.array([2.0, 0.5, 0.3, -1.5, 0.7])
# Functions of pieces that are straight: at most other targets their slopes are what they are at 0.
IN_PIECES = {
    "distance": (
        lambda x, t: np.abs(x - t).sum(),
        lambda g, x, t: g * np.sign(x - t), lambda g, x, t: g * np.sign(x),
    ),
    "bias": (
        lambda x, t: np.maximum(x + t, 0),
        lambda g, x, t: g * (x + t > 0), lambda g, x, t: g * (x > 0),
    ),
    "clip": (
        lambda x, t: np.clip(x, t - 1, t + 1),
        lambda g, x, t: g * (np.abs(x - t) < 1), lambda g, x, t: g * (np.abs(x) < 1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_PIECES)
def test_where_a_gradient_is_what_it_is_here_nothing_excuses_it(name):
    function, right, wrong = IN_PIECES[name]
    assert check_gradient(function, (STRAIGHT, np.zeros(5)), argnums=0, vjp=right).passed
    found = check_gradient(function, (STRAIGHT, np.zeros(5)), argnums=0, vjp=wrong)
    assert found.verdict == "wrong", str(found)


NARROW = {  # functions with no value, or none of the derivative, at the number that is asked first
    "a correlation": (
        lambda x, r: -(x * x - r * x) / (1 - r * r), lambda g, x, r: -g * 2 * x,
        lambda g, x, r: -g * (2 * x - r) / (1 - r * r), 0.0,
    ),
    "a sine's": (
        lambda x, s: np.arcsin(s * x), lambda g, x, s: g / np.sqrt(1 - x * x),
        lambda g, x, s: g * s / np.sqrt(1 - s * s * x * x), 1.0,
    ),
    "a logarithm's": (lambda x, m: np.log(x - m), lambda g, x, m: g / x, lambda g, x, m: g / (x - m), 0.0),
    "a square": (
        lambda x, p: (x - 1) ** p, lambda g, x, p: g * 2 * (x - 1),
        lambda g, x, p: g * p * (x - 1) ** (p - 1), 2.0,
    ),
    "a power": (
        lambda x, p: (x - 1) ** p, lambda g, x, p: g, lambda g, x, p: g * p * (x - 1) ** (p - 1), 1.0,
    ),
    "a rate": (
        lambda x, p: x * (x > p * 0.99) / (1 - p), lambda g, x, p: g * (x > p * 0.99),
        lambda g, x, p: g * (x > p * 0.99) / (1 - p), 0.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NARROW)
def test_a_number_is_asked_where_the_function_has_a_value(name):
    function, wrong, right, number = NARROW[name]
    x = np.array([0.1, 0.45, 0.98])
    for rule, verdict in ((wrong, "wrong"), (right, "accurate")):
        found = check_gradient(function, (x, number), vjp=lambda *a, rule=rule: (rule(*a), None))
        assert found.verdict == verdict


ALIKE = {
    "scales of 2": (lambda x, s: x**2 / s, lambda g, x, s: g * x, lambda g, x, s: 2 * g * x / s, 2.0),
    "rates of a half": (
        lambda x, p: x * p / (1 - p), lambda g, x, p: g * (1 - p) / p, lambda g, x, p: g * p / (1 - p), 0.5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize("shape", [(3,), (1,), (2, 1)])
def test_arrays_of_2_and_of_a_half_are_asked(name, shape):
    function, wrong, right, number = ALIKE[name]
    x, s = np.linspace(0.3, 1.1, 6).reshape(2, 3), np.full(shape, number)
    assert check_gradient(function, (x, s), vjp=wrong, argnums=0).verdict == (
        "accurate" if number == 0.5 and 2 in shape else "wrong"  # halves along an axis of two may be shares
    )
    assert check_gradient(function, (x, s), vjp=right, argnums=0).verdict == "accurate"


def test_halves_that_are_shares_accuse_nobody():
    z, t = np.linspace(-1, 1, 6).reshape(3, 2), np.full((3, 2), 0.5)

    def shares(z):
        return np.exp(z) / np.exp(z).sum(-1, keepdims=True)

    found = check_gradient(
        lambda z, t: -(t * np.log(shares(z))).sum(),
        (z, t),
        vjp=lambda g, z, t: g * (shares(z) - t),
        argnums=0,
    )
    assert found.verdict == "accurate"
