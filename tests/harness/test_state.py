"""What a check puts back: NumPy's shared random numbers, however they were drawn, and containers."""

import functools
from collections import Counter, deque
from types import SimpleNamespace

import numpy as np
import pytest

import harness
from gradproof import check_gradient
from harness.subject import patience
from harness.subject.state import State

DRAWS = {
    "uniform": lambda: np.random.rand(3),  # noqa: NPY002
    "normal": lambda: np.random.normal(size=1),  # noqa: NPY002
    "normals": lambda: np.random.normal(size=2),  # noqa: NPY002
    "seeded": lambda: np.random.seed(5),  # noqa: NPY002
}


def told():
    name, words, *rest = np.random.get_state()  # noqa: NPY002
    return name, words.tobytes(), *rest


@pytest.mark.parametrize("before", DRAWS)
@pytest.mark.parametrize("drawn", DRAWS)
def test_they_are_put_back(before, drawn):
    DRAWS[before]()
    first, state = told(), State(())
    DRAWS[drawn]()
    state.restore()
    assert told() == first


def test_a_function_that_draws_leaves_them_alone():
    def noisy(x):
        return x * float(np.random.normal(size=1)[0])  # noqa: NPY002

    first = told()
    check_gradient(noisy, (np.array([1.0, 2.0]),), vjp=lambda g, x: g * float(np.random.normal(size=1)[0]))  # noqa: NPY002
    assert told() == first


def test_what_watches_a_check_is_not_put_back():
    """Code that finds things by their names reaches ours, too."""

    def noting(x):
        getattr(patience, "nothing", None)
        patience._watch.noted = True
        return np.sin(x)

    assert harness.check_gradient(noting, (np.ones(2),), vjp=lambda g, x: g * np.cos(x)).passed
    assert vars(patience._watch).pop("noted")


def sine(step):
    """A function that leaves something behind in each run, and its gradient."""

    def function(x):
        step(x)
        return np.sin(x)

    return function, lambda g, x: g * np.cos(x)


def checked(step):
    function, backward = sine(step)
    result = check_gradient(function, (np.array([0.3, 0.7]),), vjp=backward)
    assert result.passed, str(result)


def averaged(parameters):
    """As CS231n's batch norm has it."""

    def step(x):
        mean = parameters.get("running_mean", np.zeros(1))
        parameters["running_mean"] = 0.9 * mean + 0.1 * float(x.sum())

    return step


def test_a_list_and_a_set_outside_of_objects_are_logs_and_stay():
    calls, shapes, counts, last = [], set(), Counter(), deque()

    def step(x):
        calls.append(x.shape)
        shapes.add(x.shape)
        counts["runs"] += 1
        last.append(1)

    checked(step)
    assert len(calls) > 2
    assert shapes == {(2,)}
    assert not counts
    assert not last


TABLE, SEEN = {}, set()


@functools.cache
def model(name):
    """One for each name, which is trained."""
    return SimpleNamespace(name=name, weights=np.ones(2))


def test_what_is_made_once_stays_as_one():
    """A set that says what a table holds, and what a memoized function keeps."""
    kept = model("trained")

    def step(x):
        if len(x) not in SEEN:
            SEEN.add(len(x))
            TABLE[len(x)] = model("new").weights

    checked(step)
    assert set(TABLE) == SEEN
    assert model("trained") is kept


# -- what a gradient by hand changes -------------------------------------------------------------------------

_calls = 0
_held = {"n": 0}


def in_a_global():
    def count():
        global _calls
        _calls += 1
        return _calls

    return count, lambda: _calls


def in_a_cell():
    calls = 0

    def count():
        nonlocal calls
        calls += 1
        return calls

    return count, lambda: calls


def in_a_default():
    def count(held=[0]):  # noqa: B006
        held[0] += 1
        return held[0]

    return count, lambda: count.__defaults__[0][0]


def in_an_attribute():
    def count():
        count.calls = getattr(count, "calls", 0) + 1
        return count.calls

    return count, lambda: getattr(count, "calls", 0)


def in_a_dictionary():
    def count():
        _held["n"] += 1
        return _held["n"]

    return count, lambda: _held["n"]


def in_a_counter():
    calls = Counter()

    def count():
        calls["n"] += 1
        return calls["n"]

    return count, lambda: calls["n"]


PLACES = [in_a_global, in_a_cell, in_a_default, in_an_attribute, in_a_dictionary, in_a_counter]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("is_wrong", [lambda n: False, lambda n: n == 1, lambda n: n > 9])
def test_what_a_gradient_by_hand_changes_is_put_back_so_that_the_next_check_says_the_same(place, is_wrong):
    """One that is wrong at its first call failed once, and passed in the next check."""
    count, read = place()

    def backward(g, x):
        return g * np.cos(x) * (1.5 if is_wrong(count()) else 1.0)

    x = np.array([0.3, 0.7])
    found = [check_gradient(np.sin, (x,), vjp=backward).verdict for _ in range(3)]
    assert len(set(found)) == 1
    assert (found[0] == "accurate") or is_wrong(1) or is_wrong(10)
    assert read() == 0


def test_what_a_gradient_by_hand_adds_to_a_list_is_a_log_and_stays():
    seen = []

    def backward(g, x):
        seen.append(x)
        return g * np.cos(x)

    assert check_gradient(np.sin, (np.array([0.3, 0.7]),), vjp=backward).passed
    assert seen
