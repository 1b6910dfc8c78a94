"""Truths of torch functions against numbers that are not ours: integers that wrap, -0.0, empty arrays."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

import harness
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_aten import record
from oracles.exact.program.errors import Undecided, Unsupported

X = torch.tensor([1.5, -2.0, 0.75], dtype=torch.float64)


def slopes(function, *args):
    """The gradient of the sum, as floats."""
    found = harness.exact_gradient(lambda *a: function(*a).sum(), args or (X,), argnums=0)
    return found.mid.ravel().tolist()


def whole(dtype, *numbers):
    """Integers that come from what moves: their numbers plus 0."""
    return lambda x: (torch.tensor(numbers, dtype=torch.float64) + (x[: len(numbers)] > 9)).to(dtype)


U8, I8, I32, I64 = torch.uint8, torch.int8, torch.int32, torch.int64
ZERO = torch.zeros(1, dtype=U8)

WRAPS = {
    "uint8 below 0": (lambda x: (x > 9).to(U8) - 1, 255),
    "uint8 above 255": (lambda x: whole(U8, 200, 200, 200)(x) + 100, 44),
    "a number beyond the dtype": (lambda x: whole(U8, 3, 3, 3)(x) + 300, 47),
    "int8 product": (lambda x: whole(I8, 100, 100, 100)(x) * 3, 44),
    "int32 product": (lambda x: whole(I32, 2e9, 2e9, 2e9)(x) * 2, 4_000_000_000 - 2**32),
    "int64 product": (lambda x: whole(I64, 2**62, 2**62, 2**62)(x) * 4, 0),
    "negative uint8": (lambda x: -whole(U8, 3, 3, 3)(x), 253),
    "the least int8": (lambda x: whole(I8, -128, -128, -128)(x).abs(), -128),
    "two dtypes": (lambda x: whole(I8, 100, 100, 100)(x) * whole(U8, 100, 100, 100)(x), 10000),
    "sum is int64": (lambda x: whole(U8, 200, 200, 200)(x).sum(), 600),
    "sum in uint8": (lambda x: whole(U8, 200, 100, 0)(x).sum(dtype=U8), 44),
    "prod is int64": (lambda x: whole(I8, 100, 100, 100)(x).prod(), 1_000_000),
    "prod in int8": (lambda x: whole(I8, 100, 100, 1)(x).prod(dtype=I8), 16),
    "cumsum is int64": (lambda x: whole(I8, 100, 100, 100)(x).cumsum(0)[-1], 300),
    "cumsum in int8": (lambda x: whole(I8, 100, 100, 100)(x).cumsum(0, dtype=I8)[-1], 44),
    "power": (lambda x: whole(U8, 3, 3, 3)(x) ** 6, 729 - 512),
    "square": (lambda x: torch.square(whole(U8, 100, 100, 100)(x)), 16),
    "left shift": (lambda x: whole(U8, 3, 3, 3)(x) << 7, 128),
    "right shift": (lambda x: whole(I8, -7, -7, -7)(x) >> 1, -4),
    "floor division": (lambda x: whole(I8, -7, -7, -7)(x) // 2, -4),
    "the least by -1": (lambda x: whole(I8, -128, -128, -128)(x) // -1, -128),
    "division towards 0": (lambda x: torch.div(whole(I8, -7, -7, -7)(x), 2, rounding_mode="trunc"), -3),
    "remainder": (lambda x: whole(I8, -7, -7, -7)(x) % 3, 2),
    "fmod": (lambda x: torch.fmod(whole(I8, -7, -7, -7)(x), 3), -1),
    "dot": (lambda x: torch.dot(whole(U8, 100, 100, 0)(x), whole(U8, 1, 2, 0)(x)), 44),
    "in place": (lambda x: whole(U8, 200, 200, 200)(x).add_(100), 44),
    "sort of uint8, backwards": (lambda x: whole(U8, 0, 9, 3)(x).sort(descending=True)[0][0], 9),
    "argmin of uint8": (lambda x: whole(U8, 3, 0, 9)(x).argmin(), 1),
    "index_add": (lambda x: ZERO.index_add(0, torch.tensor([0, 0, 0]), whole(U8, 100, 100, 100)(x)), 44),
    "bool and bool": (lambda x: (x < 9) + (x < 9), 1),
    "sum of bools": (lambda x: (x < 9).sum(), 3),
    "a mask less one": (lambda x: (x < 9).long() - 2, -1),
    "diff of uint8": (lambda x: torch.diff(whole(U8, 3, 1, 0)(x))[0], 254),
    "compared with a number that wraps": (lambda x: (whole(U8, 3, 3, 3)(x) > -1).long() + 5, 5),
}  # fmt: skip


@pytest.mark.parametrize("name", WRAPS)
def test_integers_wrap(name):
    integer, value = WRAPS[name]
    assert slopes(lambda x: x * integer(x)) == [value] * 3


OUT_OF_RANGE = {
    "uint8": lambda x: x * (x * 1000).to(U8),
    "negative uint8": lambda x: x * (x - 9).to(U8),
    "int32": lambda x: x * (x * 1e20).int(),
    "int64": lambda x: x * (x * 1e30).long(),
    "infinite": lambda x: x * torch.where(x > 9, x, math.inf).int(),
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_a_float_out_of_the_range_of_an_integer_is_undecided(name):
    with pytest.raises(Undecided, match=r"not in the range of u?int|jump"):
        slopes(OUT_OF_RANGE[name])


Z = torch.tensor([-0.0, -0.0, -0.0], dtype=torch.float64)

MINUS_ZERO = {
    "copysign, a number": (lambda x: torch.copysign(x, -0.0), [-1, 1, -1]),
    "copysign, a tensor": (lambda x: torch.copysign(x, Z), [-1, 1, -1]),
    "copysign, a moved tensor": (lambda x: torch.copysign(x, Z[::2][:1].expand(3)), [-1, 1, -1]),
    "copysign, its negative": (lambda x: torch.copysign(x, -Z), [1, -1, 1]),
    "copysign, 0.0": (lambda x: torch.copysign(x, 0.0), [1, -1, 1]),
    "signbit": (lambda x: torch.where(torch.signbit(Z), 3 * x, 2 * x), [3, 3, 3]),
    "atan2 on the cut": (lambda x: x * torch.atan2(Z, torch.tensor(-1.0).double()), [-math.pi] * 3),
}


@pytest.mark.parametrize("name", MINUS_ZERO)
def test_the_sign_of_a_zero(name):
    function, expected = MINUS_ZERO[name]
    assert slopes(function) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("zero", [lambda x: x * 0.0, lambda x: torch.floor(x.abs() / 9)])
def test_the_sign_of_a_computed_zero_is_not_known(zero):
    with pytest.raises(Undecided, match=r"whether that is 0\.0 or -0\.0"):
        slopes(lambda x: torch.copysign(x, zero(x).detach()))


def test_what_cancels_is_plus_zero():
    assert slopes(lambda x: torch.copysign(x, (x - x).detach())) == [1, -1, 1]


A = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
NONE = torch.zeros(2, 0, dtype=torch.float64)
EMPTY = {
    "solve": lambda a: torch.linalg.solve(a, NONE),
    "solve from the right": lambda a: torch.linalg.solve(a, NONE.T, left=False),
    "solve_triangular": lambda a: torch.linalg.solve_triangular(a, NONE, upper=True),
    "lu_solve": lambda a: torch.linalg.lu_solve(*torch.linalg.lu_factor(a), NONE),
    "cholesky_solve": lambda a: torch.cholesky_solve(NONE, torch.linalg.cholesky(a)),
    "softmax": lambda a: F.softmax(a[:, :0], 1),
    "log_softmax": lambda a: F.log_softmax(a[:, :0], 1),
    "logsumexp of no rows": lambda a: a[:0].logsumexp(1),
    "amax of no rows": lambda a: a[:0].amax(1),
    "inverse of nothing": lambda a: torch.linalg.inv(a[:0, :0]),
    "a batch of no matrices": lambda a: torch.linalg.cholesky(a.expand(0, 2, 2)),
    "det of no matrices": lambda a: torch.linalg.det(a.expand(0, 2, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", EMPTY)
def test_empty_arrays_add_nothing(name):
    assert slopes(lambda a: EMPTY[name](a).sum() + 3 * a.sum(), A) == [3.0] * 4


def test_the_determinant_of_an_empty_matrix_is_one():
    assert slopes(lambda x: x * torch.linalg.det(x[:0, None] * x[None, :0])) == [1.0] * 3


def test_memory_that_was_not_written_is_no_number():
    with pytest.raises(Undecided):
        slopes(lambda x: x * torch.empty_like(x))


def test_memory_that_is_written_piece_by_piece_is_what_was_written():
    def pieces(x):
        out = torch.empty(3, dtype=x.dtype)
        out[1:] = 2 * x[1:]
        out[0] = x[0] ** 2
        return out

    assert slopes(pieces) == [3.0, 2.0, 2.0]


def test_linspace_between_tensors_has_no_gradient_in_torch():
    x = torch.tensor(1.5, dtype=torch.float64)
    with pytest.raises(Unsupported, match=r"no gradient through aten\.linspace"):
        slopes(lambda x: torch.linspace(2 * x, x * x, 5, dtype=torch.float64), x)


def test_the_values_of_linspace_between_tensors():
    ends = torch.tensor([0.5, 2.0], dtype=torch.float64)
    made = record(lambda x: torch.linspace(x[0], x[1], 4, dtype=torch.float64), (ends,), differentiate=False)
    (found,) = evaluate(made.program, made.values, 64)
    assert [float(b.mid()) for b in found] == [0.5, 1.0, 1.5, 2.0]


def test_polygamma_in_place_is_polygamma():
    x = torch.tensor([1.0], dtype=torch.float64)
    zeta3 = 1.2020569031595942
    assert slopes(lambda x: x.clone().polygamma_(1), x) == pytest.approx([-2 * zeta3], rel=1e-14)


def test_as_strided_beyond_an_argument_is_unsupported():
    with pytest.raises(Unsupported, match="a view of a larger tensor"):
        record(lambda x: torch.as_strided(x, (2,), (1,), 0), (X[1:],))


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize(("mode", "size"), [("linear", (8,)), ("bilinear", (5, 8)), ("bicubic", (3, 11))])
def test_interpolation_rounds_as_its_places_do(mode, size, align):
    """A weight is what is left of an index times a rounded step: its error grows with the index."""
    for out, dtype in ((4, torch.float64), (7, torch.float64), (12, torch.float64), (7, torch.bfloat16)):
        x = torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(out)).to(dtype)
        wanted = (out,) * len(size)
        found = harness.check_gradient(
            lambda x, wanted=wanted: F.interpolate(x, size=wanted, mode=mode, align_corners=align),
            (x,),
            probes=False,
        )
        assert found.verdict == "accurate", found


@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_what_nothing_has_written_depends_on_nothing(reduction):
    """The loss of a far pair is 0: it is chosen from memory that was made like the input."""
    x = torch.tensor([-4.13, -15.45, 10.86, -10.76, 6.2], dtype=torch.float64)
    target = torch.tensor([-1.0, 1.0, -1.0, -1.0, 1.0], dtype=torch.float64)
    options = {"reduction": reduction, "margin": 0.3}
    found = harness.check_gradient(F.hinge_embedding_loss, (x, target), argnums=[0], kwargs=options)
    assert found.passed
