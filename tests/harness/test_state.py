"""What a check puts back of NumPy's shared random numbers, whichever way they were drawn."""

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
    """Code that finds things by their names reaches all of ours, too."""

    def noting(x):
        getattr(harness, "nothing", None)
        patience._watch.noted = True
        return np.sin(x)

    assert harness.check_gradient(noting, (np.ones(2),), vjp=lambda g, x: g * np.cos(x)).passed
    assert vars(patience._watch).pop("noted")
