"""What a function has kept of the very point that is checked, from a call before the check."""

import numpy as np
import pytest

from harness import check_gradient
from harness.verdicts import Verdict

X = np.array([0.3, -0.5, 0.7])
IS_LAST = {
    "all are equal": lambda x, last: (x == last).all(),
    "array_equal": np.array_equal,
    "allclose": np.allclose,
    "a distance": lambda x, last: np.linalg.norm(x - last) < 1e-12,
    "lists": lambda x, last: list(x) == list(last),
    "tuples": lambda x, last: tuple(x) == tuple(last),
}


class Kept:
    """Value and gradient of one computation, which is done where the point is another."""

    factor = 2.0

    def __init__(self, is_last):
        self.is_last, self.x = is_last, None

    def update(self, x):
        if self.x is None or not self.is_last(x, self.x):
            self.x, self.powers = x.copy(), np.exp(2 * x)

    def value(self, x):
        self.update(x)
        return self.powers.sum()

    def gradient(self, x):
        self.update(x)
        return self.factor * self.powers


class Wrong(Kept):
    factor = 1.0


@pytest.mark.parametrize("is_asked_before", [False, True])
@pytest.mark.parametrize("name", IS_LAST)
def test_a_function_that_keeps_its_last_result(name, is_asked_before):
    for kind in (Kept, Wrong):
        own = kind(IS_LAST[name])
        if is_asked_before:
            own.value(X)
        kept = own.x
        found = check_gradient(own.value, (X,), grad=own.gradient)
        assert found.passed == (kind is Kept), str(found)
        assert own.x is kept


def test_of_one_that_was_asked_before_it_is_said():
    own = Kept(np.allclose)
    own.value(X)
    found = check_gradient(own.value, (X,), grad=own.gradient)
    assert "it was asked after a run elsewhere" in str(found)
    assert "elsewhere" not in str(
        check_gradient(Kept(np.allclose).value, (X,), grad=lambda x: 2 * np.exp(2 * x))
    )


def test_a_gradient_that_stays_what_it_was_first_is_wrong_all_the_same():
    class Stale(Kept):
        def update(self, x):
            if self.x is None:
                self.x, self.powers = x.copy(), np.exp(2 * x)

        def value(self, x):
            return np.exp(2 * x).sum()

    own = Stale(None)
    own.gradient(X + 1)
    assert check_gradient(own.value, (X,), grad=own.gradient).verdict is Verdict.WRONG


def test_a_gradient_that_is_right_after_another_run_alone_is_wrong():
    class Late(Kept):
        def gradient(self, x):
            found = super().gradient(x)
            self.factor, factor = 2.0, self.factor
            return found * factor / 2

    own = Late(np.array_equal)
    own.factor = 1.0
    found = check_gradient(own.value, (X,), grad=own.gradient)
    assert found.verdict is not Verdict.ACCURATE


@pytest.mark.parametrize("x", [X, X[:1]])
@pytest.mark.parametrize("is_asked_before", [False, True])
def test_a_dictionary_of_the_last_point_that_both_ask(x, is_asked_before):
    last = {}

    def powers(x):
        if "x" not in last or not np.array_equal(last["x"], x):
            last["x"], last["powers"] = x.copy(), np.tanh(x)
        return last["powers"]

    if is_asked_before:
        powers(x)
    before = dict(last)
    found = check_gradient(lambda x: powers(x).sum(), (x,), grad=lambda x: 1 - powers(x) ** 2)
    assert found.passed, str(found)
    wrong = check_gradient(lambda x: powers(x).sum(), (x,), grad=lambda x: 1 - powers(x))
    assert not wrong.passed
    assert not is_asked_before or all(last[key] is before[key] for key in before)
