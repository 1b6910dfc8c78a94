"""Of a large array, a is from four perturbations, and from sixteen before an error is called one."""

from dataclasses import replace

import numpy as np
import pytest

from harness import check_gradient
from harness.proof import truth as module
from harness.proof.formula import Formula
from harness.proof.program import Examined, verdicts
from harness.verdicts import Verdict
from oracles.exact.program.errors import Exhausted
from oracles.exact.rounding import attainable
from oracles.exact.rounding.bound import ROUNDING_MODELS
from oracles.exact.rounding.ways import Ways

BUDGET = 12  # bits of float32
X = np.linspace(0.01, 0.02, 40, dtype=np.float32)


def f(x):
    return (np.exp(x) - 1 - x).sum()


def right(x):
    return np.exp(x) - 1


@pytest.fixture
def posed(monkeypatch):
    """A truth whose a was sampled by four perturbations, as of a large array of which each depends on all."""
    monkeypatch.setattr(attainable, "MANY", 1)
    monkeypatch.setattr(attainable, "ways", lambda program, moving, most: Ways(range(most)))
    found = []
    true_gradient = module.true_gradient

    def seen(*args, **kwargs):
        found.append(true_gradient(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr(module, "true_gradient", seen)
    return found


def between(true, x):
    """The gradient; where few perturbations excuse least of what all do, off by what only all excuse."""
    few, all_ = true.attainable[0], true.fully().attainable[0]
    assert (few <= all_).all()
    at = int(np.argmax(all_ / few))
    assert all_[at] > 1.5 * few[at], "twelve more perturbations tell nothing"
    found = right(x)
    found[at] += 2.0**BUDGET * np.sqrt(few[at] * all_[at])
    return found


@pytest.mark.parametrize("may", [True, False])
def test_what_all_perturbations_excuse_is_not_called_an_error(posed, may):
    check_gradient(f, [X], grad=right)
    true = posed.pop()
    examined = Examined(ROUNDING_MODELS["numpy"], None, Formula((np.ones(X.shape, bool),)), None)
    (told,) = verdicts(true if may else replace(true, sampled=None), examined, [between(true, X)])
    assert told.verdict is (Verdict.ACCURATE if may else Verdict.IMPRECISE)
    assert (told.bits_lost > BUDGET) is not may


def test_where_the_work_does_not_suffice_for_all_the_few_decide(monkeypatch, posed):
    check_gradient(f, [X], grad=right)

    def out(*_):
        raise Exhausted("out of work")

    true = replace(posed.pop(), sampled=out)
    assert true.fully().sampled is None
    assert np.array_equal(true.fully().attainable[0], true.attainable[0])


def test_a_small_array_has_all_at_once():
    assert check_gradient(f, [np.ones(3)], grad=right).verdict is Verdict.ACCURATE
