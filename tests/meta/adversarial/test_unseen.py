"""A side of a kink that hardly any direction shows has legal slopes, too."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient

LEGAL, WRONG, OPEN = "convention", "wrong", "undecided"


def first(size, factor=1.0):
    return float(factor) * (np.arange(size) == 0)


def verdict(function, x, slopes):
    return check_gradient(function, (x,), grad=lambda x: slopes, probes=False).verdict


def nested(x):
    least = x[0]
    for k in range(1, len(x)):
        least = np.minimum(least, x[k])
    return np.maximum(least, 0)


def all_above(x):
    above = (x[0] > 0) & (x[1] > 0) & (x[2] > 0) & (x[3] > 0) & (x[4] > 0)
    return np.where(above, x.min(), 0)


# Each is 0, or the least element where all are above 0.
LEAST = {
    "a maximum": lambda x: np.maximum(x.min(), 0),
    "a clip": lambda x: np.clip(x.min(), 0, None),
    "minima of two": nested,
    "the least of what is cut off": lambda x: np.maximum(x, 0).min(),
    "the first in order": lambda x: np.maximum(np.sort(x)[0], 0),
    "half of a sum with |x|": lambda x: (np.abs(x.min()) + x.min()) / 2,
    "a mask of five": all_above,
    "jax.nn.relu": lambda x: jax.nn.relu(x.min()),
    "jnp.maximum": lambda x: jnp.maximum(jnp.min(x), 0),
    "torch.relu": lambda x: torch.relu(x.min()),
    "torch.clamp": lambda x: torch.clamp(x.amin(), min=0),
    "hardtanh": lambda x: torch.nn.functional.hardtanh(x.amin(), 0, 1),
}


def array(function, numbers):
    names = function.__code__.co_names
    return (
        torch.tensor(numbers)
        if "torch" in names
        else jnp.array(numbers)
        if {"jax", "jnp"} & {*names}
        else numbers
    )


@pytest.mark.parametrize(
    ("factor", "expected"), [(1, LEGAL), (0.5, LEGAL), (0, LEGAL), (1.5, WRONG), (-1, WRONG)]
)
@pytest.mark.parametrize("name", LEAST)
def test_the_slopes_of_a_side_that_few_directions_show_are_legal(name, factor, expected):
    function = LEAST[name]
    x, slopes = (array(function, numbers) for numbers in (np.zeros(5), first(5, factor)))
    assert verdict(function, x, slopes) == expected


@pytest.mark.parametrize("size", [20, 300])
def test_it_is_found_among_many(size):
    function = LEAST["a maximum"]
    assert verdict(function, np.zeros(size), first(size)) == LEGAL
    assert verdict(function, np.zeros(size), first(size, 2)) == WRONG


STEEP = np.array([1.0, -10, -10, -10])


@pytest.mark.parametrize(
    ("function", "slopes"),
    [
        (lambda x: np.maximum(x[0] - 10 * np.abs(x[1:]).sum(), 0), STEEP),
        (lambda x: np.maximum(x[0] - 1e6 * np.abs(x[1:]).max(), 0), np.array([1.0, 1e6, 0, 0])),
        (lambda x: np.maximum(x[0] - 3 * np.sqrt((x[1:] ** 2).sum()), 0), np.array([1.0, -3, 0, 0])),
        (lambda x: np.maximum((x * np.array([1, -1, 1, -1])).min(), 0), np.array([0, -1.0, 0, 0])),
    ],
    ids=["a sum of |x|", "a steep one", "a length", "signs"],
)  # fmt: skip
def test_a_side_is_found_along_the_gradient(function, slopes):
    assert verdict(function, np.zeros(4), slopes) == LEGAL
    assert verdict(function, np.zeros(4), 0 * slopes) == LEGAL
    assert verdict(function, np.zeros(4), 2 * slopes) == WRONG


def beside_a_branch(x):
    return np.maximum(x.min(), 0) if x[0] > 0 else 0 * x[0]


def cut_in_a_loop(x):
    y = np.zeros_like(x)
    for k in range(len(x)):
        y[k] = x[k] if x[k] > 0 else 0 * x[k]
    return y.min()


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.where((x > 0).all(), x.min(), 0),
        lambda x: np.where(
            (x[0] > 0) & (x[1] < 0) & (x[2] > 0) & (x[3] < 0) & (x[4] > 0), np.abs(x).min(), 0
        ),
        lambda x: np.where(x[0] == 0, 0 * x[0], np.maximum(x.min(), 0)),
        beside_a_branch,
        cut_in_a_loop,
    ],
    ids=["all of them", "a mask of signs", "a point left out", "in a branch", "a loop of branches"],
)
def test_where_a_side_is_not_found_it_is_open(function):
    assert verdict(function, np.zeros(5), first(5)) == OPEN


# What adds up to one slope, whatever side is taken, or on all sides that there are.
def with_the_largest_taken_away(x):
    return x.max() + np.log(np.exp(x - x.max()).sum())


def one_maximum_less_another(x):
    return abs(x[0] + x[1]) + abs(x[0] - x[1]) - 2 * np.maximum(abs(x[0]), abs(x[1]))


ONE_SLOPE = {
    "an order": (lambda x: np.sort(x).sum(), np.ones(6)),
    "the largest taken away": (with_the_largest_taken_away, np.full(8, 1 / 8)),
    "extremes of two": (lambda x: x.max() + x.min(), np.ones(2)),
    "extremes and the median": (lambda x: x.max() + x.min() + np.median(x), np.ones(3)),
    "a maximum that is another": (one_maximum_less_another, np.zeros(2)),
    "no other side": (lambda x: (np.maximum(np.abs(x), 0) - np.abs(x)).sum(), np.zeros(5)),
    "halves": (lambda x: (np.maximum(x, 0) - np.maximum(-x, 0)).sum(), np.ones(5)),
}


@pytest.mark.parametrize("name", ONE_SLOPE)
def test_what_has_one_slope_on_all_sides_is_decided(name):
    function, slopes = ONE_SLOPE[name]
    x = np.zeros(slopes.size)
    assert verdict(function, x, slopes) == "accurate"
    assert verdict(function, x, slopes + first(x.size, 0.5)) == WRONG
