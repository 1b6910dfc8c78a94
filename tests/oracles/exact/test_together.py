"""What the fast core sees come together does not jump by Arb's bits either, and what jumps does not."""

import numpy as np
import pytest
import torch

from oracles.exact.core import library
from oracles.exact.enclose import together
from oracles.exact.enclose.evaluate import Work
from oracles.exact.enclose.leaps import _Sides
from oracles.exact.from_aten import record
from oracles.exact.program.errors import Undecided
from tests.oracles.exact.core.agreement import random_programs
from tests.oracles.exact.test_leaps import AT, CONTINUOUS, JUMPING

pytestmark = pytest.mark.skipif(library.loaded() is None, reason="the core is not built here")

# Told by more bits: digits that are all lost, a step at its edge, and elements whose jumps cancel in a sum.
HARD = {"what is 0 but for its digits", "an angle that does not cross its cut", "a fraction and its floor"}


def sides(function, at, directions=None, forward=False):
    recorded = record(function, [np.asarray(at, np.float64)])
    (result,) = recorded.program.outputs
    given = np.ones(result.shape) if directions is None else np.asarray(directions, np.float64)
    return _Sides(recorded.program, recorded.values, [given], [0], Work(100.0), forward)


def leaps(found, size):
    return any(found.leaps([(0, n) for n in range(size)]))


@pytest.mark.parametrize("name", JUMPING)
@pytest.mark.parametrize("forward", [False, True])
def test_what_jumps_does_not_come_together(name, forward):
    function = JUMPING[name]
    tangent = np.ones(3) if forward else None
    assert not sides(lambda x: function(x, torch), AT, tangent, forward).come_together()


@pytest.mark.parametrize("name", [n for n in CONTINUOUS if n != "a comparison of what does not move"])
def test_what_is_continuous_does(name):
    function = CONTINUOUS[name]
    assert sides(lambda x: function(x, torch), AT).come_together() == (name not in HARD)


def test_a_jump_that_no_cotangent_sees_and_one_along_no_tangent():
    def function(x):
        return torch.where(x > 0, x + 1, x)

    assert sides(function, AT, [1.0, 0.0, 1.0]).come_together()
    assert not sides(function, AT, [0.0, 1e-30, 0.0]).come_together()
    assert sides(function, AT, [1.0, 0.0, 1.0], forward=True).come_together()
    assert not sides(function, AT, [1.0, 1e-3, 1.0], forward=True).come_together()


def test_a_jump_at_one_of_many_elements_shows_beside_steep_ones():
    at = np.linspace(1.0, 2.0, 1000)
    at[77] = 0.0
    assert sides(lambda x: torch.where(x > 0, x * 1e8, x), at).come_together()
    assert not sides(lambda x: torch.where(x > 0, x * 1e8 + 1e-6, x), at).come_together()


@pytest.mark.parametrize("steep", [5e16, 1e35])
def test_of_what_looks_like_a_jump_more_bits_are_asked(steep):
    found = sides(lambda x: torch.sigmoid(x * steep) * torch.where(x > 0, x, -x).cos(), [0.0])
    assert found.come_together() == (steep == 5e16)
    assert not leaps(found, 1)


def test_where_the_value_at_the_point_is_another_than_on_both_sides():
    assert not sides(lambda x: torch.where(x == 0, 1.0, 0 * x), AT).come_together()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e-320, 1e308])
def test_ends_of_the_format_prove_nothing_wrong(bad):
    def function(x):
        return torch.where(x > 0, x * 4 + 1, x)

    assert not sides(function, [0.0, bad, 1.0]).come_together()


def test_without_the_core_or_the_work_nothing_is_told(monkeypatch):
    def function(x):
        return torch.where(x > 0, x, 0 * x)

    with library.without():
        assert not sides(function, AT).come_together()
    found = sides(function, AT)
    found.work = Work(1e-9)
    assert not found.come_together()


def test_random_programs_that_come_together_have_no_leaps():
    told = 0
    for seed, program, _, at in random_programs(150):
        wrt = [i for i, v in enumerate(program.inputs) if v.is_float]
        given = [
            np.round(np.vectorize(float, otypes=[float])(x)) if i in wrt else x for i, x in enumerate(at)
        ]
        ones = [np.ones(v.shape) for v in program.outputs]
        found = _Sides(program, given, ones, wrt, Work(100.0), False)
        if found.come_together():
            places = [(k, n) for k, i in enumerate(wrt) for n in range(given[i].size)]
            try:
                assert not any(found.leaps(places)), seed
            except Undecided:
                continue
            told += 1
    assert told > 20


def test_a_gap_of_what_is_rounded_is_none_and_one_that_is_not_known_is_not(monkeypatch):
    sees = sides(lambda x: torch.where(x > 0, x + 1e-15, 0 * x) + 1, AT)
    assert sees.come_together()  # 9 ulps of the result
    monkeypatch.setattr(together, "SMALLER", 2.0)  # a jump keeps its size
    assert sides(lambda x: torch.where(x > 0, x + 1, x), AT).come_together()
