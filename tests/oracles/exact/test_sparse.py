"""Sparse tensors of torch: the truth of the dense function, at what is stored."""

import warnings
from functools import partial

import numpy as np
import pytest
import torch

from harness import check_gradient, exact_gradient
from harness.dropin import GradientWarning, gradcheck
from harness.verdicts import Verdict
from oracles.exact.from_aten.sparse import places, stored

pytestmark = pytest.mark.filterwarnings("ignore:Sparse")
with warnings.catch_warnings(action="ignore"):  # torch says once that these are in beta, and are not checked
    torch.eye(2).to_sparse_csr()
    torch.sparse_coo_tensor(torch.zeros(1, 1, dtype=torch.int64), torch.ones(1), (2,))

I = torch.tensor([[0, 0, 1, 3], [1, 4, 0, 2]])  # noqa: E741
V = torch.tensor([1.5, -0.7, 0.3, 2.2], dtype=torch.float64)
S = torch.sparse_coo_tensor(I, V, (4, 5)).coalesce()
X = torch.linspace(-1, 1, 15, dtype=torch.float64).reshape(5, 3)
D = torch.linspace(0.5, 2, 20, dtype=torch.float64).reshape(4, 5)


def made(v):
    return torch.sparse_coo_tensor(I, v, (4, 5))


def csr(v):
    at = S.to_sparse_csr()
    return torch.sparse_csr_tensor(at.crow_indices(), at.col_indices(), v, (4, 5))


# Each as it is, and as the dense function that it stands for.
OF_VALUES = {
    "mm": (lambda v: torch.sparse.mm(made(v), X), lambda d: d @ X),
    "csr": (lambda v: csr(v) @ X, lambda d: d @ X),
    "to_dense": (lambda v: made(v).to_dense() ** 2, lambda d: d**2),
    "sum of all": (lambda v: torch.sparse.sum(made(v)), lambda d: d.sum()),
    "sum of rows": (lambda v: torch.sparse.sum(made(v), 1).to_dense(), lambda d: d.sum(1)),
    "sparse times sparse": (lambda v: torch.sparse.mm(made(v), made(v).t()).to_dense(), lambda d: d @ d.T),
    "transposed": (lambda v: made(v).t().to_dense() ** 2, lambda d: d.T**2),
    "times dense": (lambda v: (made(v) * D).to_dense(), lambda d: d * D),
    "added": (lambda v: (made(v) + made(v) * 3).to_dense() ** 2, lambda d: (4 * d) ** 2),
    "addmm": (lambda v: torch.sparse.addmm(D[:, :3], made(v), X, beta=0.5, alpha=2), lambda d: 2 * d @ X),
}


@pytest.mark.parametrize("name", OF_VALUES)
def test_its_truth_is_the_dense_functions(name):
    sparse, dense = OF_VALUES[name]
    assert check_gradient(sparse, [V]).passed
    c = torch.randn(sparse(V).shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = exact_gradient(sparse, [V], cotangent=c)
    expected = exact_gradient(dense, [S.to_dense()], cotangent=c)
    for k, at in enumerate(I.T.tolist()):
        assert found.balls[k].overlaps(expected.balls[tuple(at)])
        assert found.proven_error < 1e-30


@pytest.mark.parametrize("logarithm", [False, True])
def test_a_softmax_is_that_of_what_is_stored(logarithm):
    softmax = torch.sparse.log_softmax if logarithm else torch.sparse.softmax
    plain = torch.log_softmax if logarithm else torch.softmax
    assert check_gradient(lambda v: softmax(made(v), 1).to_dense(), [V]).passed
    c = torch.zeros(4, 5, dtype=torch.float64)
    c[0, 1], c[0, 4] = 0.7, -1.3
    found = exact_gradient(lambda v: softmax(made(v), 1).to_dense(), [V], cotangent=c)
    row = exact_gradient(lambda v: plain(v, 0), [V[:2]], cotangent=c[0, [1, 4]])
    assert all(a.overlaps(b) for a, b in zip(found.balls[:2], row.balls, strict=True))
    assert all(b == 0 for b in found.balls[2:])


@pytest.mark.parametrize("constant", [S, S.to_sparse_csr(), S.to_sparse_csc()], ids=["coo", "csr", "csc"])
def test_a_constant_of_a_graph_network(constant):
    assert check_gradient(lambda x: torch.relu(constant @ x), [X]).passed
    found = exact_gradient(lambda x: constant @ x, [X], cotangent=torch.ones(4, 3, dtype=torch.float64))
    expected = S.to_dense().sum(0)[:, None].expand(5, 3)
    assert np.allclose(found.mid, expected.numpy())


@pytest.mark.parametrize("layout", ["coo", "csr", "csc"])
def test_an_argument_is_asked_for_its_values(layout):
    argument = {"coo": S, "csr": S.to_sparse_csr(), "csc": S.to_sparse_csc()}[layout]
    found = check_gradient(lambda s, x: s @ x, [argument, X])
    assert found.passed
    assert [part.name for part in found.parts if not part.of_value] == ["s.values()", "x"]


def test_sparse_results_are_compared_densely():
    assert check_gradient(lambda s: s * 2, [S]).passed
    assert check_gradient(lambda s: {"a": (s * 2, [s])}, [S]).passed


def test_a_gradient_that_is_sparse_is_that_of_the_dense_weight():
    at = torch.tensor([0, 2, 2])
    assert check_gradient(lambda w: torch.nn.functional.embedding(at, w, sparse=True), [X]).passed


class OffByALittle(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        return torch.sparse.mm(made(v), X)

    @staticmethod
    def backward(ctx, g):
        return (g @ X.T)[I[0], I[1]] * 1.001


def test_a_wrong_rule_is_found():
    assert check_gradient(OffByALittle.apply, [V]).verdict is Verdict.WRONG


def test_torch_loses_the_second_derivative_and_that_is_found():
    """The gradient of the values does not require grad: a second one through it is 0, and should not be."""
    assert check_gradient(lambda v, x: torch.sparse.mm(made(v) * made(v), x), [V, X], order=2).verdict is (
        Verdict.WRONG
    )
    found = check_gradient(lambda s, x: torch.sparse.mm(s * s, x), [S, X], order=2)
    assert "loses the second derivative" in found.diagnosis


@pytest.mark.parametrize(("f", "args", "said"), [
    (lambda v: made(v).mul_(2).to_dense(), [V], "written in place"),
    (lambda d: d.to_sparse().to_dense() * 2, [S.to_dense()], "zeros becomes sparse"),
    (lambda s: s.to_dense(), [torch.complex(D, D).to_sparse_csr()], "of complex numbers: torch leads from"),
])  # fmt: skip
def test_what_is_not_known_says_so(f, args, said):
    found = check_gradient(f, args)
    assert found.verdict is Verdict.UNSUPPORTED
    assert said in found.diagnosis


def test_a_place_that_is_stored_twice_is_a_sum():
    twice = torch.tensor([[0, 0, 1], [1, 1, 2]])
    assert check_gradient(lambda v: torch.sparse_coo_tensor(twice, v, (4, 5)).to_dense() ** 2, [V[:3]]).passed


# Blocks of 2 x 3: three are stored, with zeros in them; two batches; the same with an axis that is dense.
BLOCKS = torch.zeros(4, 6, dtype=torch.float64)
BLOCKS[0, 1], BLOCKS[1, 4], BLOCKS[3, 2], BLOCKS[3, 0] = 1.5, -0.7, 0.3, 2.2
COMPRESSED = {
    "bsr": (BLOCKS.to_sparse_bsr((2, 3)), BLOCKS),
    "bsc": (BLOCKS.to_sparse_bsc((2, 3)), BLOCKS),
    "bsr, an axis dense": (torch.stack([BLOCKS, 2 * BLOCKS], -1).to_sparse_bsr((2, 3), dense_dim=1),
                           torch.stack([BLOCKS, 2 * BLOCKS], -1)),
    "csr, an axis dense": (torch.stack([BLOCKS, 2 * BLOCKS], -1).to_sparse_csr(dense_dim=1),
                           torch.stack([BLOCKS, 2 * BLOCKS], -1)),
    "csr in a batch": (torch.stack([BLOCKS, -BLOCKS]).to_sparse_csr(), torch.stack([BLOCKS, -BLOCKS])),
    "bsc in a batch": (torch.stack([BLOCKS, -BLOCKS]).to_sparse_bsc((2, 3)), torch.stack([BLOCKS, -BLOCKS])),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_numbers_and_blocks_lie_where_torch_has_them(name):
    sparse, dense = COMPRESSED[name]
    at = places(sparse)
    assert at.shape == tuple(sparse.values().shape)
    assert np.array_equal(dense.numpy().ravel()[at], sparse.values().numpy())
    assert stored(sparse).sum() == sparse.values().numel()
    assert np.array_equal(np.where(stored(sparse), dense.numpy(), 0), dense.numpy())


@pytest.mark.parametrize("name", ["bsr", "bsc", "bsr, an axis dense", "csr, an axis dense"])
def test_blocks_are_asked_for_their_values(name):
    sparse, _ = COMPRESSED[name]
    weights = torch.linspace(1, 3, sparse.numel(), dtype=torch.float64).reshape(sparse.shape)
    assert check_gradient(lambda s: (s.to_dense() * weights) ** 2, [sparse]).passed
    found = exact_gradient(lambda s: s.to_dense() * weights, [sparse], cotangent=torch.ones(sparse.shape))
    assert np.array_equal(found.mid, weights.numpy().ravel()[places(sparse)])


def test_torch_s_own_error_at_a_product_of_blocks_comes_through():
    """Its backward multiplies by the transposed blocks, and torch has no kernel for that."""
    sparse = torch.eye(4, dtype=torch.float64).to_sparse_bsr((2, 2))
    for args in ([D[:, :2]], [D[:, :2], sparse]):
        with pytest.raises(RuntimeError, match="is not implemented for"):
            check_gradient(lambda x, s=sparse: s @ x, args)


def test_torch_s_own_error_at_a_batch_comes_through():
    """It has no gradient of a batch's dense tensor; the batch as an argument of its values has."""
    sparse, _ = COMPRESSED["csr in a batch"]
    assert check_gradient(lambda s: s.values() ** 2, [sparse]).passed
    with pytest.raises(RuntimeError, match="sparse_dim"):
        check_gradient(lambda s: s.to_dense() ** 2, [sparse])


W = torch.complex(V, V * 0.5 - 1)
COMPLEX = {
    "to_dense": lambda s, x: s.to_dense() ** 2,
    "values": lambda s, x: s.values() * 1j,
    "mm": lambda s, x: torch.sparse.mm(s, x),
    "addmm": lambda s, x: torch.sparse.addmm(x[:4], s, x, beta=0.5, alpha=2),
    "sparse times sparse": lambda s, x: torch.sparse.mm(s, s.t()).to_dense(),
    "permuted": lambda s, x: (s.permute(1, 0).to_dense() ** 2).sum() + x.sum(),
    "sum": lambda s, x: torch.sparse.sum(s) * x,
    "conjugate": lambda s, x: s.to_dense().conj() @ x,
    "masked": lambda s, x: (x @ x.mT)[:4].sparse_mask(s).to_dense() ** 2 + s.to_dense(),
}


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_numbers_are_stored_too(name):
    z = torch.complex(X, X.flip(0) * 0.3)
    s = torch.sparse_coo_tensor(I, W, (4, 5)).coalesce()
    assert check_gradient(COMPLEX[name], [s, z]).passed


def test_a_wrong_rule_of_complex_values_is_found():
    class Conjugated(torch.autograd.Function):
        @staticmethod
        def forward(ctx, v):
            ctx.save_for_backward(v)
            return made(v).to_dense() ** 2

        @staticmethod
        def backward(ctx, g):
            (v,) = ctx.saved_tensors
            return g[I[0], I[1]] * 2 * v  # torch's convention takes the conjugate of the slope

    assert check_gradient(Conjugated.apply, [W]).verdict is Verdict.WRONG
    assert gradcheck(lambda v: made(v).to_dense() ** 2, (W.clone().requires_grad_(),))


def test_gradcheck_of_sparse_inputs_is_proven():
    assert gradcheck(lambda s: torch.sparse.mm(s, X), (S.clone().requires_grad_(),), masked=True)
    assert gradcheck(lambda x: torch.sparse.mm(S, x), (X.clone().requires_grad_(),))


def test_of_elements_that_are_not_stored_the_original_decides():
    """The gradient of `to_dense` is masked; asked about all elements, torch's own check finds that."""
    s = torch.tensor([0.0, 1.0, 2.0, 0.0], dtype=torch.float64).to_sparse().requires_grad_()
    assert gradcheck(torch.Tensor.to_dense, (s,), masked=True)
    for masked_grad in (True, False):
        dense = partial(torch.Tensor.to_dense, masked_grad=masked_grad)
        with pytest.warns(GradientWarning, match="masked=False asks about elements that a sparse"):
            assert gradcheck(dense, (s,), raise_exception=False) is not masked_grad
