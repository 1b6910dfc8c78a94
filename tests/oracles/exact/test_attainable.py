"""What no program can avoid: closed forms, ties that are not to be broken, and zeros."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from harness.check import check_gradient
from harness.verdicts import Verdict
from oracles.exact.core import library
from oracles.exact.core.blocks import Block
from oracles.exact.core.layout import How
from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.enclose.limits import Limits
from oracles.exact.enclose.refine import refine
from oracles.exact.program import functions as fn
from oracles.exact.program.balls import zeros
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import Exhausted
from oracles.exact.program.formats import FORMATS
from oracles.exact.program.primitives import arrays, orders, reductions, taylor
from oracles.exact.rounding import nearby
from oracles.exact.rounding.attainable import attainable
from oracles.exact.rounding.attainable_by_core import _CoreSampling
from oracles.exact.rounding.changes import Changes
from oracles.exact.rounding.nearby import Nearby
from tests.oracles.exact.programs import turning
from tests.oracles.exact.test_rounding import DTYPES, build

BITS = 128


def spread(function, inputs, cotangent, wrt=(0,), **options):
    """a and the zeros of the first gradient."""
    program = vjp(build(function, *inputs), list(wrt))
    numbers = [*inputs, cotangent]
    truth = refine(program, numbers, BITS, Limits(), wrt, quickly=True)
    excused, zero = attainable(program, numbers, list(wrt), truth, **options)
    return excused[0], zero[0]


def array(values, dtype="float32"):
    return np.asarray(values).astype(DTYPES[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_product_with_a_small_difference_inherits_the_input_s_half_ulp(dtype):
    """d/dx (x - 1)^2 / 2 = x - 1, at 1 + 4 ulps: half an ulp of 1, not of the difference."""
    ulp = 2 * FORMATS[dtype].unit
    x, one = array([1 + 4 * ulp], dtype), array([1], dtype)
    found, _ = spread(lambda x: fn.square(x - 1.0) * 0.5, [x], one)
    assert ulp / 2 <= found[0] <= ulp


def test_log1p_far_from_its_pole_has_about_half_an_ulp_of_its_own():
    x = array([0.37])
    found, _ = spread(lambda x: taylor.scalar("log1p", x), [x], array([1.25]))
    true = 1.25 / 1.37
    relative = (0.5 * 2.0**-25 / 1.37 + 2.0**-24 / 1.25) * true
    own = float(FORMATS["float32"].ulp(np.array(true))) / 2
    assert relative + own * 0.99 <= found[0] <= 1.1 * (relative + own)


def test_softmax_is_excused_by_the_largest_cotangent_and_not_by_the_ball_of_its_rows():
    x = np.random.default_rng(0).normal(size=(2, 16)).astype(np.float32)
    ct = np.random.default_rng(1).normal(size=(2, 16)).astype(np.float32)
    found, _ = spread(lambda x: fn.softmax(x, 1), [x], ct)
    s = np.exp(x.astype(float)) / np.exp(x.astype(float)).sum(1, keepdims=True)
    size = s * (np.abs(ct) + np.abs(ct * s).sum(1, keepdims=True))
    assert (found <= 8 * 2.0**-24 * size).all()
    assert (found >= 2.0**-24 * size / 64).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_gradient_of_a_linear_function_is_excused_by_its_cotangent(dtype):
    """d/dx of x summed over is the cotangent; half an ulp of it, and half an ulp of the truth."""
    ct = array([1.5, -0.75], dtype)
    found, _ = spread(lambda x: x * 1.0, [array([3, 4], dtype)], ct)
    half = FORMATS[dtype].ulp(ct.astype(float)) / 2
    assert np.array_equal(found, 2 * half)


def picked(y, t):
    """y at the largest element of t."""
    where = orders.argmax(t, 1)
    return orders.take_along(y, arrays.reshape(where, (*where.shape, 1)), 1)


@pytest.mark.parametrize("tie", [[0.5, 0.5, 0.0], [0.25, 0.5, 0.5]])
def test_fixed_labels_that_are_tied_are_not_moved(tie):
    y, t = array([[0.25, 0.5, 0.75]]), array([tie])
    found, zero = spread(picked, [y, t], array([[1.5]]))
    label = tie.index(max(tie))
    assert found[0, label] == 2.0**-23  # of the cotangent, and of the truth
    assert zero[0].tolist() == [k != label for k in range(3)]


def test_fixed_numbers_that_decide_nothing_are_moved():
    x, w = array([1.0]), array([3.0])
    alone, _ = spread(lambda x: x * 3.0, [x], array([1.0]))
    found, _ = spread(lambda x, w: x * w, [x, w], array([1.0]))
    ulp = float(FORMATS["float32"].ulp(np.array(3.0)))
    assert found[0] >= alone[0] + ulp / 4


def test_a_truth_is_zero_only_if_every_perturbation_leaves_it_so():
    x = array([0.5, 0.0, 1.0])
    ct = array([1.0, 1.0, 1.0])
    _, zero = spread(lambda x: x - taylor.scalar("exp", x * 0.0) * x, [x], ct)
    assert zero.all()
    _, zero = spread(lambda x: fn.square(x - 1.0), [x], ct)
    assert not zero.any()
    _, zero = spread(lambda x: fn.maximum(x - 0.75, 0.0), [x], ct)
    assert zero.tolist() == [True, True, False]


@pytest.mark.parametrize("core", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_zero_that_moves_by_the_square_of_rounding_is_known_to_what_its_program_rounds(dtype, core):
    """d/dy (x - y)^2 z at x = y = z moves with x - y, and d/dz with its square."""
    x, ct = array([0.75, 1.5], dtype), array([1.0, 1.0], dtype)
    with nullcontext() if core else library.without():
        for fully in (False, True):
            program = vjp(build(lambda x, y, z: fn.square(x - y) * z, x, x, x), [1, 2])
            truth = refine(program, [x, x, x, ct], BITS, Limits(), (1, 2), quickly=True)
            (a, b), _ = attainable(program, [x, x, x, ct], [0, 1, 2], truth, fully=fully)
            u = FORMATS[dtype].unit
            assert (a >= u / 4).all()
            assert (b <= 8 * u**2).all()


@pytest.mark.parametrize("core", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("as_mask", [True, False])
def test_what_a_cotangent_or_a_mask_leaves_out_by_a_0_stays_out(as_mask, dtype, core):
    x, y = array([0.75, 1.5], dtype), array([0.5, 0.25], dtype)
    nothing, ones = array([0.0, 0.0], dtype), array([1.0, 1.0], dtype)
    mask, ct = (nothing, ones) if as_mask else (ones, nothing)
    with nullcontext() if core else library.without():
        _, zero = spread(lambda x, y, m: x / (x + y) * m, [x, y, mask], ct)
    assert zero.all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_masked_loss_does_not_ask_for_digits_of_a_0(dtype):
    """exp(x - logcumsumexp(x)) is 1 at first; the cotangent leaves out the rest, and rounding leaves 1e-8."""
    one, verdicts = torch.eye(6, dtype=dtype)[0], set()
    for seed in range(6):
        rng = torch.Generator().manual_seed(seed)
        x, k = (torch.rand(6, generator=rng, dtype=dtype) for _ in range(2))
        found = check_gradient(lambda x, k: (x - x.logcumsumexp(0)).exp() * k, (x + 0.5, k), cotangent=one)
        verdicts.add(found.verdict)
    assert verdicts == {Verdict.ACCURATE}


@pytest.mark.parametrize(("size", "fully", "wanted"), [(4, False, 16), (2**16, False, 4), (2**16, True, 16)])
def test_many_elements_have_four_perturbations_at_first(monkeypatch, size, fully, wanted):
    seen = []
    x = np.zeros(size, np.float32)
    truth = Enclosure(zeros(x.shape), 64)
    monkeypatch.setattr(nearby, "evaluate", lambda *args: seen.append(args) or [truth.balls])
    with library.without():
        attainable(vjp(build(lambda x: orders.cumsum(x, 0) * 3.0, x), [0]), [x, x], [0], [truth], fully=fully)
    assert len(seen) == wanted


def test_the_core_and_arb_say_the_same():
    x, ct = array([0.3, 0.7, -1.5]), array([1.0, -0.5, 2.0])
    quick, zero = spread(lambda x: taylor.scalar("exp", x) * x, [x], ct)
    with library.without():
        slow, none = spread(lambda x: taylor.scalar("exp", x) * x, [x], ct)
    assert np.allclose(quick, slow, rtol=1e-8, atol=0)
    assert np.array_equal(zero, none)


@pytest.fixture
def ways(monkeypatch):
    """With which numbers the points nearby were computed."""
    seen, around = [], Block.around

    def watched(self, inputs, moved, runs, how=How.PAIRS):
        seen.append(how)
        return around(self, inputs, moved, runs, how)

    monkeypatch.setattr(Block, "around", watched)
    return seen


def cancelling(x):
    """Of its slope x + 2^30 + x - 2^30 as many bits cancel as float32 has, and more."""
    return (x + 2.0**30) * x - x * 2.0**30


@pytest.mark.skipif(bool(library.problem()), reason="the core is not built")
@pytest.mark.parametrize(
    ("function", "dtype", "wanted"),
    [
        (lambda x: taylor.scalar("exp", x) * x, "float32", [How.ROUGH]),
        (lambda x: taylor.scalar("exp", x) * x, "bfloat16", [How.ROUGH]),
        (lambda x: taylor.scalar("exp", x) * x, "float64", [How.PAIRS]),
        (cancelling, "float32", [How.ROUGH, How.PAIRS]),
        (lambda x: fn.maximum(x, -x), "float32", [How.ROUGH]),
        (lambda x: fn.maximum(x - x, 0.0) * x, "float32", [How.PAIRS]),  # at a kink
    ],
)
def test_53_bits_tell_what_float32_allows_and_106_the_rest(ways, function, dtype, wanted):
    x, ct = array([0.3, 0.7, -1.5], dtype), array([1.0, -0.5, 2.0], dtype)
    quick, zero = spread(function, [x], ct)
    assert list(dict.fromkeys(ways)) == wanted
    with library.without():
        slow, none = spread(function, [x], ct)
    assert np.allclose(quick, slow, rtol=1e-3, atol=0)
    assert np.array_equal(zero, none)


@pytest.fixture
def asked(monkeypatch):
    """At which points Arb was asked."""
    seen, at = [], Nearby.at
    monkeypatch.setattr(Nearby, "at", lambda self, *point: seen.append(point) or at(self, *point))
    return seen


@pytest.mark.skipif(bool(library.problem()), reason="the core is not built")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_along_a_recurrence_midpoints_alone_tell_it_where_arb_confirms_them(ways, asked, dtype):
    x, ct = array([0.3, 0.7, -1.5, 0.2, -0.1, 0.6], dtype), array([1.0, -0.5, 2.0, 1.0, 0.5, 0.25], dtype)
    quick, zero = spread(turning(100), [x], ct)
    assert set(ways) == {How.DOUBLES if dtype == "float32" else How.POINTS}
    assert len(asked) == 1
    with library.without():
        slow, none = spread(turning(100), [x], ct)
    assert len(asked) == 17
    assert np.allclose(quick, slow, rtol=0.005, atol=0)
    assert np.array_equal(zero, none)


def softened(x):
    """Balls grow threefold in each step: exp(x - top) and top are both as wide as x is."""
    for _ in range(40):
        top = reductions.reduce_max(x, (0,), keepdims=True)
        total = arrays.reduce_sum(taylor.scalar("exp", x - top), (0,), keepdims=True)
        x = (top + taylor.scalar("log", total)) * 0.25 + arrays.index(x, lambda p: np.roll(p, 1)) * 0.75
    return x


@pytest.mark.skipif(bool(library.problem()), reason="the core is not built")
def test_what_pairs_leave_open_of_many_elements_midpoints_tell(ways, monkeypatch):
    monkeypatch.setattr(_CoreSampling, "_by_elements", None)
    x = np.random.default_rng(0).normal(size=16)
    quick, zero = spread(softened, [x], np.random.default_rng(1).normal(size=16))
    assert list(dict.fromkeys(ways)) == [How.PAIRS, How.POINTS]
    with library.without():
        slow, none = spread(softened, [x], np.random.default_rng(1).normal(size=16))
    assert np.allclose(quick, slow, rtol=0.005, atol=0)
    assert np.array_equal(zero, none)


@pytest.mark.skipif(bool(library.problem()), reason="the core is not built")
def test_midpoints_alone_that_arb_does_not_confirm_are_not_believed(ways, monkeypatch):
    trust = Changes.trust

    def elsewhere(self, runs, first):
        trust(self, runs, [Pairs(f.h * (1 + 2.0**-30), f.l, f.r) for f in first])

    monkeypatch.setattr(Changes, "trust", elsewhere)
    x, ct = array([0.3, 0.7, -1.5, 0.2, -0.1, 0.6]), array([1.0, -0.5, 2.0, 1.0, 0.5, 0.25])
    found, _ = spread(turning(100), [x], ct)
    assert list(dict.fromkeys(ways)) == [How.DOUBLES, How.POINTS, How.PAIRS]
    with library.without():
        assert np.allclose(found, spread(turning(100), [x], ct)[0], rtol=1e-9, atol=0)  # element by element


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_where_nothing_moves_no_point_nearby_is_asked(dtype):
    program = build(lambda x: x * x, np.zeros(0, dtype))
    truth = [Enclosure(b, BITS) for b in evaluate(program, [np.zeros(0)], BITS)]
    (a,), _ = attainable(program, [np.zeros(0)], [0], truth)
    assert a.shape == (0,)


def test_running_out_of_work_is_not_taken_for_precision():
    x = array([1.0])
    with library.without(), pytest.raises(Exhausted, match="out of work after 0 of 8 perturbations"):
        spread(lambda x: orders.cumsum(x, 0) * x, [x], x, work=Work(0.0))


def test_it_is_the_same_each_time():
    x = array([0.3, 0.7])
    first, second = (spread(lambda x: taylor.scalar("exp", x), [x], x)[0] for _ in range(2))
    assert np.array_equal(first, second)


def test_what_cancels_beyond_the_bits_of_its_truth_has_no_noise_for_a():
    """The slope of e^(x^2) erfc(x) at 1e20 is a difference of which 2^-133 is left.

    Half an ulp of x moves it by an ulp of it.
    """
    x, one = np.array([1e20]), np.array([1.0])
    program = vjp(build(lambda x: taylor.scalar("exp", x * x) * taylor.scalar("erfc", x), x), [0])
    (truth,) = refine(program, [x, one], BITS, Limits(), quickly=True)
    (found,), _ = attainable(program, [x, one], [0], [truth])
    assert found[0] <= 4 * np.spacing(abs(truth.mid[0]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("core", [True, False])
def test_a_is_told_by_as_many_bits_as_it_needs_though_the_truth_has_fewer(core, dtype):
    """Of x + 10^6 + x - 10^6 at 10^-30, more than a hundred bits cancel: 128 say nothing of what is left."""
    x, ct = array([1e-30, -3e-31, 7e-30], dtype), array([1.0, -0.5, 2.0], dtype)
    program = vjp(build(lambda x: (x + 1e6) * x - x * 1e6, x), [0])
    truth = [Enclosure(b, BITS) for b in evaluate(program, [x, ct], 4 * BITS)]
    with nullcontext() if core else library.without():
        (a,), _ = attainable(program, [x, ct], [0], truth)
    half = FORMATS[dtype].ulp(np.float64(x) * 2 * np.float64(ct)) / 2
    assert (half <= a).all()
    assert (a <= 4 * half).all()


@pytest.mark.parametrize("core", [True, False])
def test_a_is_told_where_it_takes_more_than_a_thousand_bits(core):
    """1 - s for s = 1 / (1 + e^-800), which is a pole to less than 1154 bits, and then nothing bounds a."""
    x, ct = array([800.0], "float64"), array([1.0], "float64")

    def logit(x):
        s = 1.0 / (taylor.scalar("exp", -x) + 1.0)
        return taylor.scalar("log", s / (1.0 - s))

    program = vjp(build(logit, x), [0])
    truth = [Enclosure(b, BITS) for b in evaluate(program, [x, ct], 16 * BITS)]
    with nullcontext() if core else library.without():
        (a,), _ = attainable(program, [x, ct], [0], truth)
    assert a[0] <= 1e-15


def test_what_no_bits_tell_is_not_asked_for_with_more_at_each_point(monkeypatch):
    """Half an ulp above 1, 1 - x^2 has no logarithm: that takes one ladder of bits, and not sixteen."""
    seen = []
    x, ct = array([1.0, 0.5], "float64"), array([1.0, 1.0], "float64")
    program = vjp(build(lambda x: taylor.scalar("log", 1.0 - x * x + 1e-17) * x, x), [0])
    truth = [Enclosure(b, BITS) for b in evaluate(program, [x, ct], BITS)]
    monkeypatch.setattr(nearby, "evaluate", lambda *args: seen.append(args[2]) or evaluate(*args))
    with library.without():
        attainable(program, [x, ct], [0], truth)
    assert sum(bits > BITS for bits in seen) <= 5


@pytest.mark.parametrize("core", [True, False])
def test_half_an_ulp_above_the_largest_number_is_a_number(core):
    x, ct = array([np.finfo(float).max, -np.finfo(float).max, 2.0], "float64"), np.ones(3)
    program = vjp(build(lambda x: taylor.scalar("cbrt", x) * 0.5, x), [0])
    truth = [Enclosure(b, BITS) for b in evaluate(program, [x, ct], BITS)]
    with nullcontext() if core else library.without():
        (a,), _ = attainable(program, [x, ct], [0], truth)
    assert np.isfinite(a).all()


@pytest.mark.parametrize("core", [True, False])
def test_a_branch_that_divides_by_0_and_is_not_taken_says_nothing(core):
    """The angle of 0 + iy is atan(x / y), with pi / 2; the other branch has y / x."""
    x, y = torch.zeros(1, dtype=torch.float64), torch.full((1,), 1.5, dtype=torch.float64)

    def angle(x):
        return torch.complex(x, y).log().imag

    with nullcontext() if core else library.without():
        found = check_gradient(angle, (x,))
    assert found.verdict is Verdict.ACCURATE
    assert found.parts[0].judgement.attainable_ulp < 4
