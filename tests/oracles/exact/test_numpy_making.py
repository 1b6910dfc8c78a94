"""Arrays that code makes: of objects, between recorded ends, and as copies or not."""

import numpy as np
import pytest

from harness import check_gradient
from oracles.exact.from_numpy import record
from oracles.exact.program.errors import Unsupported
from tests.oracles.exact.numpy_tools import value

X = np.array([0.3, 1.7, 0.9, 0.2])
A = np.arange(8.0).reshape(2, 4)
MODES = np._CopyMode


def two(x):
    made = np.empty(2, dtype=object)
    made[0], made[1] = x[:1], x[1:]
    return made


def in_a_grid(x):
    made = np.zeros((2, 2), object)
    for place in np.ndindex(2, 2):
        made[place] = x[place[0]] * x[2 + place[1]]
    return made.sum() + made[0, 1]


OBJECTS = {
    "layers": lambda x: sum(np.tanh(v).sum() for v in two(x)),
    "computed with": lambda x: np.concatenate(list(two(x) * 3.0 + two(x) ** 2)),
    "a grid": in_a_grid,
    "ragged rows": lambda x: sum((v**2).sum() for v in np.array([x[:1], x[1:]], dtype=object)),
    "even rows": lambda x: x * np.array([x[:2], x[2:]], dtype=object)[1, 0] ** 2,
    "beside None": lambda x: np.array([x[0], None], dtype=object)[0] * x,
    "a product": lambda x: np.dot(np.array([*x[:2]], dtype=object), np.array([*x[2:]], dtype=object)),
    "joined": lambda x: np.concatenate(two(x)) * np.hstack(two(x)),
}
SPACED = {
    "logspace": lambda x: np.logspace(x[0], x[1], 3),
    "another base": lambda x: np.logspace(0, x[1], 4, base=x[2], endpoint=False),
    "of rows": lambda x: np.logspace(x[:2], x[2:], 3),
    "geomspace": lambda x: np.geomspace(x[0], x[1], 4),
    "of negative ends": lambda x: np.geomspace(-x[0], -10.0, 4, endpoint=False),
    "of plain ends": lambda x: x * np.geomspace(1.0, 8.0, 4) + np.logspace(0, 1, 4),
    "whole numbers": lambda x: x[np.arange(np.argmax(x) + 1)] * np.arange(np.array(0.5), 2.5),
}


def unavoidable(x):
    try:
        return np.array([x[0], x[1]], copy=False)
    except ValueError:
        return np.asarray(x, copy=False) * 3


def shared(x):
    y = x * 1
    for mode in (False, None, MODES.NEVER, MODES.IF_NEEDED):
        np.array(y, copy=mode)[0] *= 5
    for mode in (True, 1, MODES.ALWAYS):
        np.array(y, copy=mode)[0] = 100
    return y


COPIES = {
    "of recorded ones": shared,
    "where one is needed": unavoidable,
    "of plain ones": lambda x: np.array(A, copy=MODES.IF_NEEDED) @ x + np.array(A, copy=0) @ x,
}
MADE = OBJECTS | SPACED | COPIES


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_is_numpy_s(name):
    np.testing.assert_allclose(value(MADE[name], X), MADE[name](X), rtol=1e-13)


@pytest.mark.parametrize(("factor", "verdict"), [(1, "accurate"), (1.001, "wrong")])
@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda x: sum((v**2).sum() for v in two(x)), lambda x: 2 * x),
        (lambda x: np.sum(np.geomspace(x[1], x[2], 3)), lambda x: np.array(
            [0, 1 + np.sqrt(x[2] / x[1]) / 2, 1 + np.sqrt(x[1] / x[2]) / 2, 0]
        )),
    ],
)  # fmt: skip
def test_a_gradient_through_it_is_judged(function, slope, factor, verdict):
    assert check_gradient(function, (X,), grad=lambda x: factor * slope(x)).verdict == verdict


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda x: np.arange(x[0], 3.0, 0.5),
            "np.arange with values that depend on the inputs: how many it gives",
        ),
        (lambda x: np.array([*x], dtype=object).astype(float), r"float\(\) would take"),
        (lambda x: x * np.array([*x], dtype=object), "dtype object has no exact counterpart"),
        (lambda x: np.zeros(2, [("p", float)])["p"] * x, "has no exact counterpart"),
    ],
)
def test_what_is_not_known_is_named(function, message):
    with pytest.raises(Unsupported, match=message):
        record(function, (X,))
