"""Every rule of the rounding model: what real arithmetic computes is inside, in a ball not much larger."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from oracles.exact.core import library
from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.evaluate import Work
from oracles.exact.program.balls import filled
from oracles.exact.program.formats import FORMATS, Growth
from oracles.exact.program.primitives import (
    arithmetic,
    arrays,
    choices,
    comparisons,
    linear_algebra,
    orders,
    taylor,
)
from oracles.exact.program.program import PRIMITIVES, Builder, Program
from oracles.exact.program.scalars import SCALARS
from oracles.exact.rounding.bound import ROUNDING_MODELS, Bound, RoundingModel, bound, leaving
from oracles.exact.rounding.quick import planned_bound
from tests.oracles.exact.core.agreement import assert_alike
from tests.oracles.exact.floats import DTYPES, as_arb, fraction, nearest, numbers, of_bits, plain, rows
from tests.sampling import draws

EVERY = pytest.mark.parametrize("dtype", DTYPES)
NARROW = pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
steady = settings(derandomize=True, deadline=None, max_examples=draws(25, 80))
RANDOM = st.randoms(use_true_random=False)
JAX = ROUNDING_MODELS["jax"]
BASIC = {
    "add": (lambda x, y: x + y, 1),
    "sub": (lambda x, y: x - y, 1),
    "mul": (lambda x, y: x * y, 1),
    "div": (lambda x, y: x / y, 2),
}


def build(function, *inputs) -> Program:
    """The program of a function at arguments of these shapes and dtypes."""
    builder = Builder()
    found = function(*(builder.input(np.shape(x), np.asarray(x).dtype.name) for x in inputs))
    return builder.program(found if isinstance(found, tuple) else (found,))


def run(function, *inputs, model: RoundingModel = ROUNDING_MODELS["numpy"]) -> Bound:
    """By Arb; the fast core's, where it has one, is hardly another."""
    program = build(function, *inputs)
    found = bound(program, inputs, model, keep=True)
    for quick, balls in zip(bound(program, inputs, model).found, found.balls, strict=True):
        if isinstance(quick, Pairs):
            assert_alike(quick, balls)
    return found


def ball(function, *inputs, model: RoundingModel = ROUNDING_MODELS["numpy"]) -> arb:
    """The only ball of the only output."""
    found = run(function, *inputs, model=model)
    assert found.problem == ""
    return found.balls[0].item()


def inside(computed, ball: arb) -> bool:
    """An infinity is in its own ball and in an unbounded one."""
    number = float(computed)
    if not ball.is_finite():
        return not ball.is_exact() or ball.is_nan() or float(ball) == number
    return math.isfinite(number) and arb(number) in ball


def assert_inside(computed, balls) -> None:
    pairs = zip(np.ravel(computed), np.ravel(balls), strict=True)
    assert [(float(v), b) for v, b in pairs if not inside(v, b)] == []


def computed(function, *inputs):
    with np.errstate(all="ignore"):
        return np.asarray(function(*inputs))


def flushed(x):
    """Numbers below the normal ones taken for 0."""
    x = np.asarray(x)
    return np.where(np.abs(x.astype(float)) < FORMATS[x.dtype.name].normal, 0, x).astype(x.dtype)


# -- the four operations ----------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize("name", BASIC)
@steady
@given(data=st.data())
def test_an_operation_is_inside_exactly_and_rounded_and_flushed(dtype, name, data):
    function, _ = BASIC[name]
    x, y = (data.draw(numbers(dtype)) for _ in range(2))
    assume(name != "div" or y != 0)
    found = ball(function, x, y)
    assert_inside(computed(function, x, y), found)
    exact = as_arb(function(fraction(x), fraction(y)))
    assert not found.is_finite() or found.overlaps(exact)
    if dtype != "float16" and (name != "div" or flushed(y) != 0):
        after = flushed(computed(function, flushed(x), flushed(y)))
        assert_inside(after, ball(function, x, y, model=JAX))


@EVERY
@pytest.mark.parametrize("name", BASIC)
@steady
@given(data=st.data())
def test_the_ball_of_an_operation_is_hardly_wider_than_its_rounding(dtype, name, data):
    """An eighth more than the units that are allowed, and half the least number."""
    function, units = BASIC[name]
    x, y = (data.draw(plain(dtype)) for _ in range(2))
    assume(name != "div" or y != 0)
    found, kind = ball(function, x, y), FORMATS[dtype]
    size = abs(function(fraction(x), fraction(y)))
    assume(size < Fraction(2) ** kind.greatest_exponent)
    rounding = units * (size * Fraction(kind.unit) + Fraction(float(kind.least)) / 2)
    assert float(found.rad()) <= 1.125 * float(rounding) + 1e-320


@EVERY
@steady
@given(data=st.data())
def test_a_product_with_a_power_of_two_is_exact_and_with_zero_is_zero(dtype, data):
    x = data.draw(plain(dtype))
    assume(abs(fraction(x)) > 4 * FORMATS[dtype].normal)
    assert ball(lambda x: x * 0.5, x) == as_arb(fraction(x) / 2)
    assert ball(lambda x: x * 0.0, x).is_zero()
    assert ball(lambda x: x * 0.0, x, model=JAX).is_zero()
    assert not ball(lambda x: x * 0.75, x * 0 + 3).is_exact()


def test_half_of_the_least_number_is_lost():
    """A power of two is no exception below the normal numbers."""
    x = of_bits(3, "float32")
    assert_inside(x * np.float32(0.5), ball(lambda x: x * 0.5, x))


@EVERY
@steady
@given(data=st.data())
def test_a_square_is_not_negative(dtype, data):
    """Of a difference that may be 0: neither the ball nor the sum of such squares goes below."""
    x = data.draw(plain(dtype))

    def square(x):
        d = (x + 1.0) - x * 1.5
        return d * d, arrays.reduce_sum(arrays.reshape(d * d, (1,)), (0,))

    near = np.array(2 + float(x) * FORMATS[dtype].unit).astype(DTYPES[dtype])
    for point in (x, near):
        found = run(square, point)
        assert all(b.item() >= 0 for b in found.balls)
        d = computed(lambda x: (x + x.dtype.type(1)) - x * x.dtype.type(1.5), point)
        assert_inside(computed(np.multiply, d, d), found.balls[0])


# -- sums in any order ------------------------------------------------------------------------------------


def in_some_order(row, rng):
    """The sum by a random tree."""
    left = [row[i] for i in range(len(row))]
    while len(left) > 1:
        rng.shuffle(left)
        left.append(left.pop() + left.pop())
    return left[0]


def whole(x):
    return arrays.reduce_sum(x, (0,))


@EVERY
@steady
@given(data=st.data(), rng=RANDOM)
def test_a_sum_is_inside_in_any_order(dtype, data, rng):
    row = data.draw(rows(dtype))
    found = ball(whole, row)
    one_by_one = computed(lambda r: np.add.accumulate(r)[-1], row)
    for total in (in_some_order(row, rng), one_by_one, computed(np.sum, row)):
        assert_inside(total, found)
    assert found.contains(as_arb(sum(map(fraction, row))))


@EVERY
@steady
@given(data=st.data())
def test_the_ball_of_a_sum_has_one_roundoff_for_each_addition(dtype, data):
    row = data.draw(rows(dtype))
    size = sum(abs(fraction(v)) for v in row)
    allowed = (len(row) - 1) * float(size) * FORMATS[dtype].unit
    assert float(ball(whole, row).rad()) <= 1.01 * allowed


def test_a_sum_of_very_many_terms_is_bounded():
    row = np.full(200_000, 1e-3).astype(DTYPES["bfloat16"])
    found = run(whole, row)
    assert found.balls[0].item().is_finite()
    assert found.overflow is None
    assert_inside(computed(lambda r: np.add.accumulate(r)[-1], row), found.balls[0])


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@steady
@given(data=st.data())
def test_sums_and_products_below_the_normal_numbers_may_be_flushed(dtype, data):
    shares = data.draw(st.lists(st.integers(-15, 15), min_size=2, max_size=8))
    tiny = FORMATS[dtype].normal
    row = (np.array(shares) / 8 * tiny).astype(DTYPES[dtype])
    total = row[0] * 0
    for v in flushed(row):
        total = flushed(total + v)
    assert_inside(total, ball(whole, row, model=JAX))
    half = np.full(len(row), 0.5).astype(DTYPES[dtype])
    product = row[0] * 0
    for v in flushed(row):
        product = flushed(product + flushed(v * half[0]))
    one_row = ball(linear_algebra.matmul, row[None], half[:, None], model=JAX)
    assert_inside(product, one_row)


@EVERY
@steady
@given(data=st.data(), rng=RANDOM)
def test_running_sums_and_duplicates_are_inside_in_any_order(dtype, data, rng):
    row = data.draw(rows(dtype))
    found = run(lambda x: orders.cumsum(x, 0), row).balls[0]
    assert_inside(np.add.accumulate(row), found)
    assert_inside([in_some_order(row[: i + 1], rng) for i in range(len(row))], found)
    where = np.array([rng.randint(-1, 2) for _ in row])
    found = run(lambda x: arrays.scatter_add(x, where, (3,)), row).balls[0]
    parts = [row[where == k] for k in range(3)]
    assert_inside([in_some_order(p, rng) if len(p) else 0 for p in parts], found)
    exactly = [as_arb(sum(map(fraction, p), Fraction(0))) for p in parts]
    assert all(b.contains(e) for b, e in zip(found, exactly, strict=True))
    assert all(b.is_exact() for b, p in zip(found, parts, strict=True) if len(p) < 2)


@EVERY
@steady
@given(data=st.data(), rng=RANDOM)
def test_matrix_products_are_inside_fused_or_not(dtype, data, rng):
    x, y = (data.draw(rows(dtype, 6)) for _ in range(2))
    count = min(len(x), len(y))
    x, y = x[:count], y[:count]
    found = ball(linear_algebra.matmul, x[None], y[:, None])
    fused = Fraction(0)
    for a, b in zip(x, y, strict=True):
        fused = nearest(fused + fraction(a) * fraction(b), dtype)
    exact = sum((fraction(a) * fraction(b) for a, b in zip(x, y, strict=True)), Fraction(0))
    assert found.contains(as_arb(fused))
    assert found.contains(as_arb(exact))
    assert_inside(in_some_order(computed(np.multiply, x, y), rng), found)
    size = sum(abs(fraction(a) * fraction(b)) for a, b in zip(x, y, strict=True))
    allowed = count * (float(size) * FORMATS[dtype].unit + float(FORMATS[dtype].least))
    assert float(found.rad()) <= 1.01 * allowed + 1e-320


@pytest.mark.parametrize("library_name", ROUNDING_MODELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_added_at_repeated_positions_is_bounded_by_a_plan_as_by_arb(dtype, library_name):
    rng, model = np.random.default_rng(0), ROUNDING_MODELS[library_name]
    for size, places in ((1, 3), (6, 2), (9, 4), (12, 1)):
        builder = Builder()
        x = builder.input((size,), dtype)
        program = builder.program([arrays.scatter_add(x * x, rng.integers(-1, places, size), (places,))])
        numbers = [np.array([FORMATS[dtype].rounded(v) for v in rng.normal(size=size)])]
        fast = bound(program, numbers, model)
        with library.without():
            slow = bound(program, numbers, model)
        assert isinstance(fast.found[0], Pairs)
        for one, other in zip(fast.balls[0], slow.balls[0], strict=True):
            assert abs(one.mid() - other.mid()) <= 2.0**-40 * other.rad()
            assert (1 - 2.0**-20) * other.rad() <= one.rad() <= 1.05 * other.rad()


@pytest.mark.parametrize("library_name", ROUNDING_MODELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_products_and_running_sums_are_bounded_by_a_plan_as_by_arb(dtype, library_name):
    """Zeros and numbers below the normal ones among them, which some libraries take for 0.

    The core does not see that running sums of such numbers have one sign.
    """
    rng, model, f = np.random.default_rng(0), ROUNDING_MODELS[library_name], FORMATS[dtype]
    shares = [f.rounded(v) for v in rng.choice([0.0, 1.0, -0.5, 0.01, 1.25, 30.0], 24)]
    for scale in (1.0, f.normal, f.normal * 0.75):
        builder = Builder()
        x, y = (builder.input(shape, dtype) for shape in ((3, 4), (4, 3)))
        tiny = x * f.rounded(scale)
        outputs = [linear_algebra.matmul(tiny, y), linear_algebra.matmul(y, tiny), orders.cumsum(tiny, 1)]
        program = builder.program([*outputs, orders.cumsum(y, 0)])
        given = [
            np.array(part).reshape(v.shape)
            for part, v in zip((shares[:12], shares[12:]), (x, y), strict=True)
        ]
        plan = planned_bound(program, model, leaving)
        assert plan
        assert not any(node.operation == "detour" for node in plan.nodes)
        fast = bound(program, given, model)
        with library.without():
            slow = bound(program, given, model)
        for quick, balls in zip(fast.found, slow.balls, strict=True):
            assert isinstance(quick, Pairs)
            assert_alike(quick, balls, 2.0, 1.01)


def test_a_wide_product_of_bfloat16_is_rounded_once():
    x = np.full((1, 64), 1.5).astype(DTYPES["bfloat16"])
    narrow, wide = (ball(linear_algebra.matmul, x, x.T, model=ROUNDING_MODELS[m]) for m in ("numpy", "jax"))
    assert float(wide.rad()) < 1.01 * 144 * 2.0**-8
    assert float(narrow.rad()) > 32 * float(wide.rad())


def test_a_product_of_differences_that_may_be_0_still_underflows():
    x = np.array([[1e-20]], np.float32)
    tiny = ball(lambda x: linear_algebra.matmul((x + 1.0) - 1.0, x * 1e-24), x)
    assert float(tiny.rad()) >= float(FORMATS["float32"].least) / 2


def test_bfloat16_products_of_torch_may_be_flushed():
    """VDPBF16PS takes numbers below the normal ones for 0, and returns none."""
    x = np.array([[1e-39]]).astype(DTYPES["bfloat16"])
    assert arb(0) in ball(linear_algebra.matmul, x, x * 0 + 1, model=ROUNDING_MODELS["torch"])
    assert arb(0) not in ball(lambda x: x * 1.5, x.reshape(()), model=ROUNDING_MODELS["torch"])


# -- casts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", DTYPES)
@EVERY
@steady
@given(data=st.data())
def test_a_cast_is_inside_and_exact_where_nothing_is_lost(dtype, target, data):
    x = data.draw(numbers(dtype))
    found = ball(lambda x: arithmetic.convert(x, target), x)
    assert_inside(computed(lambda x: x.astype(DTYPES[target]), x), found)
    assert not found.is_finite() or found.overlaps(as_arb(fraction(x)))
    if np.can_cast(DTYPES[dtype], DTYPES[target]):
        assert found == as_arb(fraction(x))


@EVERY
@pytest.mark.parametrize("number", [7, 255, 2049, 2**24 + 1, 2**53 + 1, -(2**62) - 1, True])
def test_an_integer_is_cast_exactly_up_to_the_digits(dtype, number):
    x = np.asarray(number)
    found = ball(lambda x: arithmetic.convert(x, dtype), x)
    assert_inside(computed(lambda x: x.astype(DTYPES[dtype]), x), found)
    assert found.is_exact() == (abs(number) <= 2 ** FORMATS[dtype].digits or not found.is_finite())


# -- comparisons ------------------------------------------------------------------------------------------


@NARROW
def test_a_comparison_that_rounding_may_turn_leads_to_both_sides(dtype):
    """1 + u/2 > 1 is true, and rounded it is false."""
    x, small = (np.array(v).astype(DTYPES[dtype]) for v in (1.0, FORMATS[dtype].unit / 2))
    found = ball(lambda x, s: choices.select(comparisons.compare("gt", x + s, x), x * 2.0, x * 3.0), x, small)
    assert x + small == x
    assert arb(2) in found
    assert arb(3) in found
    assert arb(3.1) not in found


def test_a_comparison_that_is_certain_leads_to_one_side():
    x = np.array([1.0, 2.0], np.float32)
    found = run(lambda x: choices.select(comparisons.compare("gt", x + 0.5, 2.0), x, -x), x)
    assert [float(b) for b in found.balls[0]] == [-1.0, 2.0]
    assert all(b.is_exact() for b in found.balls[0])


def test_a_branch_that_rounding_may_take_has_no_bound_and_says_why():
    builder = Builder()
    x = builder.input((), "float32")
    builder.guards.append((comparisons.compare("gt", x + 2.0**-25, 1.0), np.array(True)))
    program = builder.program([x])
    found = bound(program, [np.array(1.0, np.float32)], ROUNDING_MODELS["numpy"])
    assert found.problem == "rounding may turn a comparison"
    assert not found.balls[0].item().is_finite()
    far = bound(program, [np.array(2.0, np.float32)], ROUNDING_MODELS["numpy"])
    assert far.balls[0].item() == 2
    other = bound(program, [np.array(0.5, np.float32)], ROUNDING_MODELS["numpy"])
    assert other.problem == "rounding may take another branch than exact arithmetic"


def test_the_largest_is_searched_among_the_rounded_numbers():
    """Scores that differ may have one and the same softmax."""

    def label(x):
        e = taylor.scalar("exp", x)
        return arithmetic.convert(orders.argmax(e, 0), "float32")

    def largest(x):
        return arrays.take(x, arrays.reshape(orders.argmax(taylor.scalar("exp", x), 0), (1,)))

    near, far = np.array([1, 1 + 2.0**-23], np.float32), np.array([1, 2], np.float32)
    for function, found in ((label, 1), (largest, 2)):
        assert "which of several elements is the largest" in run(function, near).problem
        (balls,) = bound(build(function, near), [near], ROUNDING_MODELS["numpy"]).balls
        assert not balls.item().is_finite()
        assert run(function, far).balls[0].item() == found


def test_a_position_that_rounding_decides_has_no_bound():
    x = np.array([1.0, 2.0], np.float32)

    def chosen(x):
        above = arithmetic.convert(comparisons.compare("gt", x[0] + 2.0**-25, 1.0), "int64")
        return arrays.take(x, above)

    assert run(chosen, x).problem == "rounding decides what take works on"


# -- both ends of a dtype ---------------------------------------------------------------------------------


@NARROW
def test_a_certain_overflow_is_infinite_and_a_possible_one_unbounded(dtype):
    largest = np.array(float(FORMATS[dtype].largest)).astype(DTYPES[dtype])
    certain = run(lambda x: -(x * 2.0), largest)
    assert float(certain.balls[0].item()) == -math.inf
    assert certain.overflow.primitive.name == "mul"
    half = 0.5 * float(FORMATS[dtype].ulp(np.array(float(largest))))
    less, step = (np.array(share * half).astype(DTYPES[dtype]) for share in (0.98, 1.0))
    assert run(lambda x, s: x + s, largest, less).balls[0].item().is_finite()
    possible = run(lambda x, s: x + s, largest, step)
    assert not possible.balls[0].item().is_finite()
    assert not possible.balls[0].item().is_exact()
    assert possible.overflow.primitive.name == "add"
    below = run(lambda x: x * 0.75, largest)
    assert below.balls[0].item().is_finite()
    assert below.overflow is None


def test_an_infinity_stays_one_and_its_reciprocal_is_0():
    x = np.array(3e38, np.float32)
    assert float(ball(lambda x: (x * 4.0) * 1.5, x)) == math.inf
    assert ball(lambda x: 1.0 / (x * 4.0), x) == 0
    for model in ROUNDING_MODELS.values():
        assert float(ball(lambda x: x * filled([arb("-inf")], ()) - x, x, model=model)) == -math.inf


def test_a_compiler_may_not_overflow_where_it_is_written():
    found = run(lambda x: x * 4.0, np.array(3e38, np.float32), model=JAX)
    assert not found.balls[0].item().is_exact()
    assert found.overflow.primitive.name == "mul"


def test_a_wide_ball_overflows_though_its_midpoint_does_not():
    """e^x of a computed x that is only known to be between -1 and 400."""
    x = np.array(3e9, np.float32)
    found = run(lambda x: taylor.scalar("exp", ((x + 1.0) - x)), x)
    assert not found.balls[0].item().is_finite()
    assert found.overflow.primitive.name == "taylor"


@NARROW
def test_a_number_that_is_lost_to_underflow_is_named(dtype):
    small = np.array(FORMATS[dtype].normal * 1.5).astype(DTYPES[dtype])
    found = run(lambda x: x * x, small)
    assert found.underflow.primitive.name == "mul"
    assert arb(0) in found.balls[0].item()
    assert run(lambda x: x * 2.0, small).underflow is None


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@steady
@given(data=st.data())
def test_a_flushed_operand_of_any_operation_is_inside(dtype, data):
    """Wide balls too: from 9 times the smallest normal number down to half of it."""
    tiny = FORMATS[dtype].normal
    x = np.array(data.draw(st.floats(0.25, 20)) * tiny).astype(DTYPES[dtype])
    y = np.array(data.draw(st.floats(0.25, 20)) * tiny).astype(DTYPES[dtype])
    difference = flushed(flushed(x) - flushed(y))
    assert_inside(difference, ball(lambda x, y: x - y, x, y, model=JAX))

    def positive(x):
        return choices.select(comparisons.compare("gt", x, 0.0), 1.0, x * 0.0)

    assert_inside(float(flushed(x) > 0), ball(positive, x, model=JAX))


def grown(result, units, inexact, model):
    """A ball after an operation in float32."""
    x = np.array(1, np.float32)
    (equation,) = build(lambda x: x * x, x).equations
    return Growth(ROUNDING_MODELS[model]).grown(equation, np.array([result]), units, inexact)[0]


def test_a_wide_ball_that_reaches_below_the_normal_numbers_may_be_flushed_and_lose_bits():
    tiny = FORMATS["float32"].normal
    wide = arb(9 * tiny, 8.5 * tiny)
    assert arb(0) in grown(wide, 1, False, "jax")
    assert arb(0) not in grown(wide, 1, True, "numpy")
    odd = arb(3 * 2.0**-149)
    assert arb(2.0**-148) in grown(odd.union(arb(90 * tiny)) / 2, 0, True, "numpy")


def test_a_number_that_is_not_negative_stays_so():
    for ball in (arb(1, 1).nonnegative_part(), arb(2.0**-150), arb(0, 1e-30).nonnegative_part()):
        assert all(grown(ball, 3, True, model) >= 0 for model in ROUNDING_MODELS)


# -- literals, functions, and what has no model -----------------------------------------------------------


def test_a_literal_is_what_is_written_or_what_the_dtype_makes_of_it():
    found = ball(lambda x: x.builder.constant(0.1, "float32") + x * 0.0, np.array(1.0, np.float32))
    assert arb(0.1) in found
    assert arb(float(np.float32(0.1))) in found
    assert float(found.rad()) < 1.01 * 0.1 * 2.0**-24 + 2.0**-28
    assert arb(0) in ball(lambda x: x.builder.constant(1e-40, "float32"), np.float32(1), model=JAX)


@EVERY
@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "sin", "tanh", "arctan", "log1p", "expm1", "cosh"])
def test_library_functions_are_inside_and_only_a_few_ulps_wide(dtype, name):
    x = np.linspace(0.1, 5, 200).astype(DTYPES[dtype])
    found = run(lambda x: taylor.scalar({"arctan": "atan"}.get(name, name), x), x).balls[0]
    values = computed(getattr(np, name), x)
    assert_inside(values, found)
    ulps = np.array([float(b.rad()) for b in found]) / FORMATS[dtype].ulp(values.astype(float))
    assert ulps.max() <= (8.1 if dtype in {"float64", "float32"} else 2.1)


def test_what_is_exact_in_every_library_stays_exact():
    zero = np.array(0.0, np.float32)
    for name, wanted in {"exp": 1, "cos": 1, "sqrt": 0, "sin": 0, "erf": 0}.items():
        assert ball(lambda x, name=name: taylor.scalar(name, x), zero) == wanted


def test_a_function_below_the_normal_numbers_is_off_by_its_ulps_there():
    x = np.array(-95.0, np.float32)
    found = ball(lambda x: taylor.scalar("exp", x), x)
    least = float(FORMATS["float32"].least)
    assert 4 * least <= float(found.rad()) <= 8 * least


@NARROW
def test_a_negative_power_may_go_through_a_power_that_overflows_or_underflows(dtype):
    kind = FORMATS[dtype]
    for x in (2.0 ** (kind.greatest_exponent / 2 + 0.75), 1.1 * 2.0 ** (kind.least_exponent / 2)):
        number = np.array(x).astype(DTYPES[dtype])
        found = ball(lambda x: taylor.scalar("power", x, -2), number)
        assert_inside(computed(lambda x: x.dtype.type(1) / (x * x), number), found)
        assert_inside(nearest(1 / fraction(number) ** 2, dtype), found)
    ordinary = ball(lambda x: taylor.scalar("power", x, -2), np.array(1.5).astype(DTYPES[dtype]))
    assert float(ordinary.rad()) <= 8 * kind.unit


@pytest.mark.parametrize("step", ["floor", "ceil", "trunc", "sign", "round"])
def test_a_step_of_a_rounded_number_may_go_either_way(step):
    x = np.array([1.0, 2.6], np.float32)
    edge = 0.5 if step == "round" else -1.0 if step == "sign" else 0.0
    found = run(lambda x: x[:1] * 1.1 - 1.1 + edge + 1.0, x).balls[0].item()
    first, second = run(
        lambda x: x.builder.emit(PRIMITIVES[step], ((x * 1.1 - 1.1 + edge + 1.0),), (2,), "float32"), x
    ).balls[0]
    values = {float(getattr(np, step)(float(end))) for end in (found.lower(), found.upper())}
    assert len(values) == 2
    assert all(arb(v) in first for v in values)
    assert second.is_exact()


def test_an_operation_without_a_model_is_unbounded_and_named():
    found = run(linear_algebra.exponential, np.eye(2, dtype=np.float32))
    assert found.problem == "no rounding model for matrix_exp"
    assert all(not b.is_finite() for b in found.balls[0].ravel())


def test_an_operation_is_named_as_it_was_called():
    builder = Builder()
    a = builder.input((2, 2), "float32")
    builder.calls("expm", None)
    program = builder.program([linear_algebra.exponential(a)])
    found = bound(program, [np.eye(2)], ROUNDING_MODELS["numpy"])
    assert found.problem == "no rounding model for expm"


def test_a_dtype_without_a_model_is_refused_by_name():
    builder = Builder()
    x = builder.input((), "float8_e4m3fn")
    message = "no rounding model for dtype 'float8_e4m3fn'; there is one for float64, float32"
    with pytest.raises(ValueError, match=message):
        bound(builder.program([x + 1.0]), [np.ones(())], ROUNDING_MODELS["jax"])


def test_the_limit_of_work_is_kept_and_says_where():
    with library.without():
        found = bound(build(lambda x: x + 1.0, np.ones(3)), [np.ones(3)], ROUNDING_MODELS["numpy"], Work(0.0))
    assert found.problem == "out of work at equation 0 of 3"


@pytest.mark.skipif(library.loaded() is None, reason="the core is not built here")
def test_what_a_plan_leaves_to_arb_counts_as_arb_s_work():
    a = np.eye(40) + np.ones((40, 40)) / 80
    program, work = build(linear_algebra.det, a), Work(1.0)
    plenty = bound(program, [a], ROUNDING_MODELS["numpy"], work)
    assert isinstance(plenty.found[0], Pairs)
    work.left = program.cost  # many runs of a plan without it
    assert "out of work" in bound(program, [a], ROUNDING_MODELS["numpy"], work).problem


def test_there_is_a_limit_where_none_is_given(monkeypatch):
    monkeypatch.setattr("oracles.exact.rounding.bound.SECONDS", 0.0)
    found = bound(build(lambda x: x + 1.0, np.ones(3)), [np.ones(3)], ROUNDING_MODELS["numpy"], keep=True)
    assert found.problem == "out of work at equation 0 of 3"


def test_what_is_kept_says_how_much_each_ball_grew():
    x = np.array([3.0], np.float32)
    program = build(lambda x: (x * 1.1) * 4.0, x)
    found = bound(program, [x], ROUNDING_MODELS["numpy"], keep=True)
    grown = {
        e.output: float(found.local[e.output].item()) for e in program.equations if e.primitive.name == "mul"
    }
    first, second = grown.values()
    assert first == pytest.approx(3.3 * 2.0**-24, rel=0.01)
    assert second < 2.0**-48


@pytest.mark.parametrize("model", ["numpy", "jax", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_negative_number_has_powers_of_both_signs(dtype, model):
    base, exponent = np.array([-2, -1, -1, 3, -0.5], dtype), np.array([3, -1, 2, -2, 1], dtype)
    found = run(lambda x, y: taylor.scalar("real_power", x, y), base, exponent, model=ROUNDING_MODELS[model])
    assert all(
        ball.contains(v) for ball, v in zip(found.balls[0], [-8, -1, 1, arb(1) / 9, -0.5], strict=True)
    )


@pytest.mark.parametrize("name", [name for name, own in SCALARS.items() if own.positive])
def test_what_is_said_to_be_never_negative_is_not(name):
    points = [-40.0, -2.5, -1.0, -0.3, 0.0, 0.7, 3.0, 90.0]
    assert not any(SCALARS[name].taylor(arb(x), 0)[0] < 0 for x in points)
