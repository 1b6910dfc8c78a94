"""A module whose functions are found by their names: they allocate, count, and have methods as globals."""

import sys

import numpy as np
from scipy.stats import norm

N, density = norm.cdf, norm.pdf
ACT = "double"
calls = 0


def double(x):
    global calls
    calls += 1
    made = np.empty(x.shape, dtype=x.dtype)
    made[:] = 2 * x
    return made


def chosen(x, kind="dou"):
    return getattr(sys.modules[__name__], kind + "ble")(x)


def shared(x):
    return N(x) + density(x)
