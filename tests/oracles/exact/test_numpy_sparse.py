"""Constant matrices of scipy.sparse: their products are those of the dense matrices, and are bounded."""

import numpy as np
import pytest
from scipy import sparse

from harness import check_gradient, check_layer
from oracles.exact.from_numpy import record
from oracles.exact.program.errors import Opaque
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound
from tests.oracles.exact.numpy_samples import V, W, draw
from tests.oracles.exact.numpy_tools import gradient, middle, value

M, N = 5, 4
PATTERN = np.arange(M * N).reshape(M, N) % 3 == 0
PATTERN[2] = False
DENSE = draw((M, N), 21) * PATTERN
RIGHT = draw((N, 2), 22)
DTYPES = [("float32", "float64"), ("float64", "float64"), ("int64", "float32"), ("complex64", "float32")]
FORMATS = ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")


def products(a, x, y, b):
    """From both sides, with arrays of one and two axes and lists."""
    parts = (a @ x, a.dot(b), a @ [x[0], x[1], 2.0, x[3]], a @ x[:, None], y @ a, b.T @ a.T, y[None] @ a)
    return tuple(part for p in parts for part in ((p.real, p.imag) if np.iscomplexobj(p) else (p,)))


@pytest.mark.parametrize("kind", ["matrix", "array"])
@pytest.mark.parametrize("form", FORMATS)
def test_a_product_is_that_of_the_dense_matrix(form, kind):
    for dtype, given in DTYPES if form == "csr" else DTYPES[:1]:
        dense, own = DENSE.astype(dtype), getattr(sparse, f"{form}_{kind}")(DENSE.astype(dtype))
        points = [v.astype(given) for v in (W, V, RIGHT)]
        for found, wanted in zip(
            *(value(lambda *args, a=a: products(a, *args), *points) for a in (own, dense)), strict=True
        ):
            np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-13)
            assert found.shape == wanted.shape
        for found, wanted in zip(
            *(gradient(lambda *args, a=a: products(a, *args), *points) for a in (own, dense)), strict=True
        ):
            np.testing.assert_allclose(middle(found), middle(wanted), rtol=1e-13, atol=1e-13)
        ran, recording = products(own, *points), record(lambda *args: products(own, *args), points)  # noqa: B023
        assert [o.dtype for o in recording.program.outputs] == [r.dtype.name for r in ran]
        balls = bound(recording.program, recording.values, ROUNDING_MODELS["numpy"], keep=True).balls
        for ball, number in zip(balls, ran, strict=True):
            assert all(b.contains(float(c)) for b, c in zip(ball.ravel(), number.ravel(), strict=True))


OWN = sparse.csr_matrix(DENSE)


class Layer:
    def __init__(self, matrix):
        self.matrix = matrix

    def forward(self, x):
        return self.matrix.dot(x)

    def backward(self, dout):
        return self.matrix.T @ dout


def _built_inside(x):
    from scipy.sparse import coo_matrix, diags

    twice = coo_matrix(([1.0, 2.0, 4.0], ([0, 0, 1], [1, 1, 3])), shape=(2, N))  # two at one place
    return OWN[1:3] @ x + twice @ (diags([1.0, 2.0], [0, 1], shape=(N, N)) @ x)


def test_what_the_code_does_with_its_matrices_is_judged():
    inner = OWN[1:3].toarray() + np.array([[0, 3.0, 0, 0], [0, 0, 0, 4.0]]) @ (np.eye(N) + 2 * np.eye(N, k=1))
    assert check_gradient(_built_inside, (W,), vjp=lambda g, x: inner.T @ g).verdict == "accurate"
    assert check_layer(Layer(OWN), RIGHT).verdict == "accurate"
    assert check_gradient(
        lambda x: x @ (OWN.T @ (OWN * x)), (W,), vjp=lambda g, x: 2 * g * (OWN.T @ (OWN @ x))
    )
    off = check_gradient(lambda x: OWN @ x, (W,), vjp=lambda g, x: 1.0001 * (OWN.T @ g))
    assert off.verdict == "wrong"


@pytest.mark.parametrize(("function", "name"), [
    (lambda x: OWN * x[0], r"csr_matrix\.__mul__"),
    (lambda x: sparse.csr_array(DENSE) * x, r"csr_array\.__mul__"),
    (lambda x: OWN.multiply(x), r"csr_matrix\.multiply"),
    (lambda x: OWN @ x[:, None, None], r"csr_matrix\.__matmul__"),
    (lambda x: sparse.diags(x), "diags"),
    (lambda x: sparse.csr_matrix((x, (range(N), range(N)))), "csr_matrix"),
])  # fmt: skip
def test_other_operations_are_refused_by_name(function, name):
    with pytest.raises(Opaque, match=rf"^scipy\.sparse\.{name} has no rule .*only products S @ x and x @ S"):
        record(function, (W,))


def test_the_classes_of_scipy_are_put_back():
    def methods():
        return [vars(kind).get("__matmul__") for kind in type(OWN).__mro__]

    before = methods()
    with pytest.raises(ZeroDivisionError):
        record(lambda x: methods() != before and 1 / 0, (W,))
    assert methods() == before
