"""Every NumPy function: values and dtypes are NumPy's, derivatives those of differences in balls."""

from __future__ import annotations

import numpy as np
import pytest

from harness import check_gradient
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_numpy import record
from oracles.exact.from_numpy.rules import RULES as FUNCTIONS
from oracles.exact.from_numpy.rules.complex import COMPLEX_RULES, COMPLEX_UFUNCS
from oracles.exact.from_numpy.rules.elementwise import FOLDS, RUNNING, UFUNCS
from oracles.exact.program.balls import precision
from oracles.exact.program.complex import Complex
from oracles.exact.program.errors import ExactError
from oracles.exact.program.program import Var
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound
from tests.oracles.exact.numpy_samples import SAMPLES, X
from tests.oracles.exact.numpy_tools import BITS, leaves, middle, slopes

pytestmark = pytest.mark.filterwarnings("ignore:numpy.fix is deprecated")  # from 2.5 on; it is a sample here


@pytest.mark.parametrize("name", SAMPLES)
def test_values_and_dtypes_are_those_of_numpy(name):
    sample = SAMPLES[name]
    with np.errstate(all="ignore"):
        wanted = leaves(sample.function(*sample.args))
    recording = record(sample.function, sample.args, {})
    found = evaluate(recording.program, recording.values, BITS)
    assert [v.dtype for v in recording.program.outputs] == [w.dtype.name for w in wanted]
    for balls, numbers in zip(found, wanted, strict=True):
        np.testing.assert_allclose(middle(balls), numbers, rtol=1e-13, atol=1e-13)
        assert balls.shape == numbers.shape


@pytest.mark.parametrize("name", SAMPLES)
def test_derivatives_are_the_differences_and_both_modes_agree(name):
    function, points = SAMPLES[name]
    forward, backward, difference = slopes(function, points)
    with precision(BITS):
        assert forward.overlaps(backward)
        assert abs(difference - forward) < 1e-18 * (1 + abs(forward))


def _broken(rule):
    def off(result):
        if isinstance(result, Complex):
            return Complex(off(result.re), result.im)
        if not isinstance(result, Var):
            return type(result)(map(off, result))
        if result.dtype == "bool":
            return result.builder.elementwise("not", result)
        return result + (2.0**-20 if result.is_float else 1)

    return lambda *args, **kwargs: off(rule(*args, **kwargs))


def _noted(rule, used):
    return lambda *args, **kwargs: used.append(1) or rule(*args, **kwargs)


RULES = [(t, n) for t in (UFUNCS, FUNCTIONS, RUNNING, FOLDS, COMPLEX_UFUNCS, COMPLEX_RULES) for n in t]


@pytest.fixture(scope="module")
def users():
    """For each rule a sample that runs through it."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        used = {}
        for table, name in RULES:
            used[id(table), name] = []
            patch.setitem(table, name, _noted(table[name], used[id(table), name]))
        for sample in SAMPLES:
            record(*SAMPLES[sample], {})
            for key, calls in used.items():
                if calls:
                    found.setdefault(key, sample)
                    calls.clear()
    return found


@pytest.mark.parametrize(("table", "name"), RULES, ids=[n for _, n in RULES])
def test_every_rule_is_run_and_a_wrong_one_is_seen(monkeypatch, users, table, name):
    """A rule that is off by 2^-20, or says no for yes."""
    sample = users[id(table), name]
    monkeypatch.setitem(table, name, _broken(table[name]))
    with pytest.raises((AssertionError, IndexError, ExactError)):
        test_values_and_dtypes_are_those_of_numpy(sample)


def test_a_rule_of_the_wrong_shape_is_an_error(monkeypatch):
    monkeypatch.setitem(UFUNCS, "tanh", lambda x: x[0])
    with pytest.raises(AssertionError, match="a rule gives shape"):
        record(np.tanh, (X,), {})


def test_what_is_folded_one_by_one_is_within_its_bound():
    for seed in range(20):
        x = np.random.default_rng(seed).normal(1000.0, 3.0, 500).astype(np.float32)
        recording = record(np.logaddexp.reduce, (x,), {})
        found = bound(recording.program, recording.values, ROUNDING_MODELS["numpy"]).found[0]
        assert found.contains(np.logaddexp.reduce(x))
        assert found.r < 0.1


def test_reductions_at_places_refuse_what_is_none():
    with pytest.raises(IndexError):
        record(lambda x: np.add.reduceat(x, [0, -1]), (X,), {})


TIED = {
    "at the edge": [3.0, 0, 0, 0, 2, 0, 0],
    "among the rest": [3.0, 0, 0, 5, 2, 0, 0],
    "above": [3.0, 3, 0, 1, 3, 0, 0],
}
LARGEST = (lambda x: np.argsort(x, 1)[:, -3:], lambda x: x.argpartition(-3, 1)[:, -3:])


@pytest.mark.parametrize("where", TIED)
@pytest.mark.parametrize("factor", [1.0, 0.5])
@pytest.mark.parametrize("which", LARGEST)
def test_the_three_largest_are_told_where_no_tie_decides_which_they_are(which, factor, where):
    def pullback(g, x):
        found = np.zeros_like(x)
        np.put_along_axis(found, which(x), factor * g[:, None], 1)
        return found

    found = check_gradient(
        lambda x: np.take_along_axis(x, which(x), 1).sum(1), (np.array([TIED[where]]),), vjp=pullback
    )
    expected = "undecided" if where == "at the edge" else "accurate" if factor == 1 else "wrong"
    assert found.verdict == expected


def test_arrays_that_are_looked_through_for_infinities_are_recorded():
    def loss(x):
        return np.sum(np.asarray_chkfinite(x) * np.require(x, requirements="C"))

    assert check_gradient(loss, (X,), grad=lambda x: 2 * x).verdict == "accurate"
