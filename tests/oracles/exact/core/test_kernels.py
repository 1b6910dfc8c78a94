"""The core's kernels against Arb: what they say holds for every point of the balls, and is not too wide."""

from __future__ import annotations

import itertools
import operator

import numpy as np
import pytest
from flint import arb

from oracles.exact.core import library
from oracles.exact.core.nodes import OPEN
from oracles.exact.core.pairs import Pairs
from oracles.exact.program.balls import precision
from tests.oracles.exact.core.decisions import (
    COMPARISONS,
    TAKEN,
    attained,
    blended,
    compared,
    cut,
    divided,
    extremes,
    firsts,
    stepped,
)
from tests.oracles.exact.core.kernels import applied
from tests.oracles.exact.core.trials import TRIALS

pytestmark = pytest.mark.skipif(library.loaded() is None, reason="the core is not built here")

LARGEST = float(np.finfo(float).max)
LEAST = 5e-324


def pairs(*triples: tuple[float, float, float]) -> Pairs:
    return Pairs(*np.array(triples, float).T.copy())


def exactly(*values: float) -> Pairs:
    return pairs(*((v, 0.0, 0.0) for v in values))


@pytest.mark.parametrize("name", TRIALS)
def test_the_truth_is_in_the_ball(name):
    trial = TRIALS[name]
    outcomes = [trial.run(np.random.default_rng(seed), 400) for seed in range(5)]
    assert [o.wrong for o in outcomes] == [[]] * 5
    unknown, count = sum(o.unknown for o in outcomes), sum(o.count for o in outcomes)
    assert unknown <= trial.unknown * count, f"{unknown} of {count} are not known"


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("name", COMPARISONS)
def test_a_comparison_that_is_decided_holds(name, opened):
    found = compared(name, np.random.default_rng(3), 500, opened=opened)
    assert not found.wrong
    assert found.made >= 0.9 * found.possible > 100


@pytest.mark.parametrize("name", ["and", "or", "xor", "not"])
def test_logic_of_three_values_is_kleene_s(name):
    """What both truth values give is known, whatever an open one turns out to be."""
    values = [0, 1, OPEN]
    function = {"and": operator.and_, "or": operator.or_, "xor": operator.xor, "not": lambda a: 1 - a}[name]
    rows = [(a,) for a in values] if name == "not" else list(itertools.product(values, values))
    for row in rows:
        may = {function(*one) for one in itertools.product(*({0, 1} if v == OPEN else {v} for v in row))}
        found = applied(name, *(np.array([v]) for v in row), integers=True)
        assert found is not None
        assert found.tolist() == [may.pop() if len(may) == 1 else OPEN]


def test_what_an_open_comparison_chooses_is_between_both():
    x, y = pairs((1.0, 0.0, 0.25), (2.0, 0.0, 0.0)), pairs((3.0, 0.0, 0.0), (-1.0, 0.0, 0.5))
    found = applied("select", np.array([OPEN, OPEN]), x, y)
    low, high = found.h - found.r, found.h + found.r
    assert (low <= [0.75, -1.5]).all()
    assert (low >= [0.749, -1.501]).all()
    assert (high >= [3, 2]).all()
    assert (high <= [3.001, 2.001]).all()
    number = applied("integer", np.array([OPEN, 1]))
    assert (number.h.tolist(), number.r.tolist()) == ([0.5, 1], [0.5, 0])


@pytest.mark.parametrize("operation", ["take", "scatter"])
def test_an_open_position_is_not_decided(operation):
    assert applied(operation, pairs((1.0, 0.0, 0.0)), np.array([OPEN]), size=1, numbers=(1,)) is None


def test_where_the_largest_of_a_row_is_that_is_decided_is_there():
    found = firsts(np.random.default_rng(9), 1000)
    assert not found.wrong
    assert found.made >= 0.9 * found.possible > 200


def test_an_integer_that_is_decided_is_where_both_ends_are_cut_to():
    found = [cut(np.random.default_rng(seed), 400) for seed in range(6)]
    assert not any(one.wrong for one in found)
    assert sum(one.made for one in found) >= 0.4 * sum(one.possible for one in found) > 500


def test_a_quotient_that_is_a_number_is_that_number():
    found = divided(np.random.default_rng(8), 2000)
    assert not found.wrong
    assert found.made >= 0.95 * found.possible > 500


def test_a_choice_that_is_decided_holds():
    found = blended(np.random.default_rng(4), 500)
    assert not found.wrong
    assert found.made >= 0.9 * found.possible > 100


@pytest.mark.parametrize(("name", "how"), TAKEN)
def test_a_step_that_is_taken_is_that_of_the_whole_ball(name, how):
    found = stepped(name, how, np.random.default_rng(7), 600)
    assert not found.wrong
    assert found.made >= 0.5 * found.possible > 100  # a pair beyond 2^51 may be whole, and is Arb's


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("operation", ["weights", "mixture"])
def test_an_extreme_element_that_is_decided_is_the_one(operation, sign):
    found = extremes(operation, sign, np.random.default_rng(5), 200)
    assert not found.wrong
    assert found.made >= 0.8 * found.possible > 50


@pytest.mark.parametrize("sign", [1, -1])
def test_what_equals_the_extreme_element_does(sign):
    found = attained(sign, np.random.default_rng(5), 300)
    assert not found.wrong
    assert found.made >= 0.8 * found.possible > 50


# -- how wide: so that what makes a bound wider is seen ------------------------------------------------------

RNG = np.random.default_rng(6)
X, Y = (
    Pairs(h := RNG.uniform(1, 2, 900), h * RNG.uniform(-(2.0**-54), 2.0**-54, 900), np.zeros(900))
    for _ in "xy"
)
WIDEST = {  # radius over the size of the result, in units of 2^-106
    "add": 4.01,
    "sub": 4.01,
    "mul": 10.01,
    "div": 16.01,
    "sqrt": 8.01,
    "exp": 64.01,
    "tanh": 100,
}


@pytest.mark.parametrize("name", WIDEST)
def test_a_result_of_exact_numbers_is_this_narrow(name):
    z = applied(name, X) if name in ("sqrt", "exp", "tanh") else applied(name, X, Y)
    assert (z.r * 2.0**106 / np.abs(z.h)).max() <= WIDEST[name]


@pytest.mark.parametrize("x", [1.5, 1e200, 1e-250, 1 + 2.0**-30])
def test_a_logarithm_is_this_narrow_beside_one_and_itself(x):
    z = applied("log", exactly(x))
    assert z.r[0] <= 2.0**-99 * max(1.0, abs(z.h[0]))


@pytest.mark.parametrize(
    ("name", "options", "most"),
    [
        ("sum", {"size": 30, "numbers": (30, 1, 0)}, 4 * 40),
        ("cumsum", {"numbers": (30, 1, 0)}, 4 * 32),
    ],
)
def test_a_sum_is_this_narrow(name, options, most):
    z = applied(name, X, **options)
    rows = X.h.reshape(30, 30)
    sizes = rows.sum(1) if name == "sum" else np.cumsum(rows, 1).ravel()
    assert (z.r * 2.0**106 / sizes).max() <= most


def test_a_matrix_product_is_this_narrow():
    z = applied("matmul", X, Y, columns=30, numbers=(30, 0, 30))
    sizes = (X.h.reshape(30, 30) @ Y.h.reshape(30, 30)).ravel()
    assert (z.r * 2.0**106 / sizes).max() <= 5 * 30


def test_a_long_dot_product_is_narrower_than_its_products_and_sums_one_after_another():
    x, y = (Pairs(p.h, np.zeros(900), np.zeros(900)) for p in (X, Y))
    z = applied("matmul", x, y, size=1, columns=1, numbers=(900, 0, 1))
    assert z.r[0] * 2.0**106 <= 900 * (x.h @ y.h)


# -- exact numbers stay exact -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "operands", "result"),
    [
        ("add", (0.1, 0.2), None),
        ("add", (LEAST, -3 * LEAST), -2 * LEAST),
        ("add", (1.0, 2.0**-1000), None),
        ("mul", (0.1, 0.3), None),
        ("mul", (0.0, 1.7e308), 0.0),
        ("mul", (-1e300, 0.0), 0.0),
        ("div", (0.0, 1.7e308), 0.0),
        ("exp", (0.0,), 1.0),
        ("log", (1.0,), 0.0),
        ("sqrt", (0.0,), 0.0),
        ("tanh", (0.0,), 0.0),
    ],
)
def test_what_is_exact_has_no_radius(name, operands, result):
    z = applied(name, *(exactly(v) for v in operands))
    assert z.known
    assert z.r[0] == 0
    assert result is None or (z.h[0] == result and z.l[0] == 0)


# -- what is not known stays so -----------------------------------------------------------------------------

UNKNOWN = [
    (np.nan, np.nan, np.inf),
    (1.0, 0.0, np.inf),
    (1.0, 0.0, np.nan),
    (0.0, 0.0, np.nan),
    (np.inf, np.nan, np.nan),
]
ONES = ("neg", "abs", "copy", "exp", "log", "sqrt", "tanh")
TWOS = ("add", "sub", "mul", "div", "larger", "smaller")


@pytest.mark.parametrize("name", ONES + TWOS)
@pytest.mark.parametrize("lost", UNKNOWN)
def test_nothing_is_known_of_what_comes_of_an_unknown_number(name, lost):
    others = (0.0, 1.0, -1.0, 1e300, -1e300, 1e-300)
    x = pairs(*[lost] * len(others))
    found = (
        [applied(name, x)]
        if name in ONES
        else [applied(name, x, exactly(*others)), applied(name, exactly(*others), x)]
    )
    for z in found:
        assert not np.isfinite(z.r).any()


@pytest.mark.parametrize("name", ["sum", "top", "bottom", "cumsum"])
@pytest.mark.parametrize("lost", UNKNOWN)
@pytest.mark.parametrize("place", [0, 1, 4])
def test_nothing_is_known_of_a_row_with_an_unknown_number(name, lost, place):
    rows = [(float(k), 0.0, 0.0) for k in range(5)]
    rows[place] = lost
    z = applied(name, pairs(*rows), size=5 if name == "cumsum" else 1, numbers=(5, 1, 0))
    assert not np.isfinite(z.r[place if name == "cumsum" else 0 :]).any()


@pytest.mark.parametrize(
    ("name", "operands"),
    [
        ("add", (LARGEST, LARGEST)),
        ("mul", (1e300, 1e300)),
        (
            "mul",
            (2.0**1000, 1.5),
        ),  # Veltkamp's splitting overflows: not known, though 2^1000 * 1.5 is a double
        ("div", (1e300, 1e-300)),
        ("div", (1.0, 0.0)),
        ("div", (0.0, 0.0)),
        ("sqrt", (-1.0,)),
        ("log", (0.0,)),
        ("log", (-1.0,)),
        ("exp", (1000.0,)),
    ],
)
def test_what_overflows_or_does_not_exist_is_unknown(name, operands):
    assert not np.isfinite(applied(name, *(exactly(v) for v in operands)).r).any()


def test_a_sum_that_overflows_on_the_way_is_unknown():
    z = applied("sum", exactly(LARGEST, LARGEST, -LARGEST, -LARGEST), size=1, numbers=(4, 1, 0))
    assert np.isfinite(z.r[0]) <= (z.h[0] == 0)
    z = applied("sum", exactly(*[LARGEST] * 5), size=1, numbers=(5, 1, 0))
    assert not np.isfinite(z.r[0])


# -- edges that draws hardly meet ----------------------------------------------------------------------------


def test_the_exponential_of_a_wide_ball_whose_low_part_counts():
    x = pairs((-(2.0**63), 512.0, 2.0**63 - 1024))  # up to -512, though h + r is -1024
    z = applied("exp", x)
    with precision(200):
        assert not np.isfinite(z.r[0]) or arb(-512).exp() <= arb(z.h[0]) + z.r[0]


@pytest.mark.parametrize("x", [-750.0, -1e9, -1e300])
def test_an_exponential_that_is_tiny_is_near_zero(x):
    z = applied("exp", exactly(x))
    assert z.known
    assert z.h[0] + z.r[0] <= 2.0**-999


@pytest.mark.parametrize("centre", [0.0, 1e-30, -1e-30])
def test_a_ball_around_zero_has_an_absolute_value(centre):
    z = applied("abs", pairs((centre, 0.0, 1.0)))
    assert z.h[0] + z.r[0] >= 1 + abs(centre)
    assert z.h[0] - z.r[0] <= 0


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("apart", [0.0, 2.0**-104])
def test_the_larger_of_balls_that_are_nearly_one_is_as_narrow_as_they(sign, apart):
    """The ends of a ball are known to 2^-51 of it only; the largest of a softmax at a tie needs more."""
    third = (sign * 0.3, 2.0**-58, 2.0**-107), (sign * 0.3, 2.0**-58 + apart, 2.0**-106)
    x, y = pairs(third[0]), pairs(third[1])
    name, row = ("larger", "top") if sign > 0 else ("smaller", "bottom")
    for z in (
        applied(name, x, y),
        applied(name, y, x),
        applied(row, pairs(*third), size=1, numbers=(2, 1, sign)),
    ):
        assert z.r[0] <= 2.0**-105 + 2 * apart


def test_positions_beyond_the_end_are_not_followed():
    x = exactly(1.0, 2.0)
    assert applied("take", x, np.array([0, 2]), size=2) is None
    assert applied("scatter", x, np.array([0, 3]), size=3, numbers=(2,)) is None
