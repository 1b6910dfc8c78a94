"""Memory of np.empty that masks fill: what is not written yet is no choice, and is read by nobody."""

import numpy as np
import pytest

from harness import check_gradient
from oracles.exact.from_numpy import record
from oracles.exact.program.errors import Unsupported
from tests.oracles.exact.numpy_tools import value

X = np.array([-2.7, -0.4, 0.3, 0.9])


def constants(x):
    made, mask = np.empty(len(x)), x < 0
    made[mask] = 0.7
    made[~mask] = 0.3
    return made * x


def columns(x):
    made, mask = np.empty_like(np.stack([x, x], 1)), x < 0
    made[mask] = 0.7
    made[:, 0][np.logical_not(mask)] = x[~mask]
    made[:, 1][~mask] = 2
    return made


def into(x):
    made, mask = np.empty(4), x > 0
    np.log(x, out=made, where=mask)
    np.divide(x, 2.0, out=made, where=~mask)
    return made


def copied(x):
    made, mask = np.empty(4), x > 0
    np.copyto(made, 0.5, where=mask)
    np.putmask(made, ~mask, x)
    return made * x


def partly(x):
    made, mask = np.empty(4), x > 0
    made[mask] = x[mask] ** 2
    return np.where(mask, made, 0.0) + np.where(x < 0, x, made)


def of_a_part(x):
    found = np.log(x, out=None, where=x > 0)
    return found[x > 0]


@pytest.mark.parametrize("function", [constants, columns, into, copied, partly, of_a_part])
def test_what_masks_fill_is_recorded(function):
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(value(function, X), function(X), rtol=1e-14)


def test_a_rule_is_judged_by_it():
    def slope(x):
        return np.where(x < 0, 0.7, 0.3)

    assert check_gradient(constants, (X,), vjp=lambda g, x: g * slope(x)).passed
    assert check_gradient(constants, (X,), vjp=lambda g, x: g * (1 - slope(x))).verdict.name == "WRONG"


def unwritten(x):
    made = np.empty(4)
    made[x < 0] = 0.7
    return made * x


def half_written(x):
    made = np.empty(4)
    made[x < 0] = x[x < 0]
    made[x > 0.5] = 1.0
    return np.where(x < 0.1, 0.0, made)


@pytest.mark.parametrize("function", [unwritten, half_written])
def test_what_nobody_has_written_is_not_read(function):
    with pytest.raises(Unsupported, match=r"an element of np\.empty is read before it is written"):
        record(function, (X,))
