"""Pairs of doubles as balls: what is certain of two of them."""

from __future__ import annotations

import numpy as np

from oracles.exact.core.pairs import Pairs
from oracles.exact.program.balls import precision
from tests.oracles.exact.core.decisions import BITS, ends, touching


def test_that_two_meet_or_miss_is_only_said_where_it_is_certain():
    x, y = touching(np.random.default_rng(11), 20_000)
    with np.errstate(all="ignore"):
        meets, misses = x.meets(y), x.misses(y)
    assert not (meets & misses).any()
    told = 0
    with precision(BITS):
        for a, b, one, other in zip(ends(x), ends(y), meets, misses, strict=True):
            if a is None or b is None:
                assert not one
                assert not other
                continue
            together = not (a.high < b.low or b.high < a.low)
            assert together if one else not (other and together)
            told += one | other
    assert told > 15_000


def test_numbers_meet_themselves_and_miss_their_neighbours():
    numbers = np.concatenate([10.0 ** np.arange(-320.0, 308.0, 7.0), [0.0, 5e-324, 1.7e308]])
    low, none = numbers * 2.0**-60, np.zeros(numbers.size)
    x, beside = Pairs(numbers, low, none), Pairs(numbers, np.nextafter(low, np.inf), none)
    assert x.meets(x).all()
    assert not x.misses(x).any()
    assert x.misses(beside).all()
    assert not x.meets(beside).any()
    assert x.meets(Pairs(numbers, beside.l, 2 * (beside.l - low))).all()


def test_what_rounding_loses_between_two_is_not_certain():
    """1 + 2^-53, and 2^-106 less, whose difference comes out as 0."""
    x = Pairs(np.array([1 + 2.0**-52]), np.array([-(2.0**-53)]), np.array([2.0**-108]))
    y = Pairs(np.array([1.0]), np.array([2.0**-53 * (1 - 2.0**-53)]), np.array([2.0**-108]))
    assert abs((x.h - y.h) + (x.l - y.l)) == 0
    assert not x.meets(y)
    assert not x.misses(y)
