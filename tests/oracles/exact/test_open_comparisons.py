"""Comparisons that no digits decide: what does not need them is decided, and what needs them is not."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import gradproof
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program.balls import TIES
from oracles.exact.program.errors import Undecided
from oracles.exact.program.functions import scalar
from oracles.exact.program.primitives import convert, select
from oracles.exact.program.primitives.comparisons import compare
from oracles.exact.program.recording import Recorder

X = np.array([0.5, -1.25, 0.75])


def numbers():
    """A recorder, with a number and the same in another way."""
    recorder = Recorder()
    x = recorder.input_at(X, "float64")
    return recorder, scalar("log", scalar("exp", x)), x


def both(name, recorder, x, y):
    return recorder.elementwise(name, x, y, dtype="bool")


def test_logic_that_needs_no_open_comparison_is_decided():
    recorder, x, y = numbers()
    same, near, far = compare("eq", x, y), compare("lt", x - y, 1.0), compare("gt", x - y, 1.0)
    for found, wanted in (
        (both("or", recorder, same, near), True),
        (both("and", recorder, same, far), False),
    ):
        assert recorder.decide(found).tolist() == [wanted] * 3
        program = recorder.program([found])
        assert evaluate(program, [X], 128)[0].tolist() == [wanted] * 3


@pytest.mark.parametrize("name", ["and", "or"])
def test_logic_that_needs_one_is_not(name):
    recorder, x, y = numbers()
    other = compare("lt", x - y, 1.0 if name == "and" else -1.0)
    found = both(name, recorder, compare("eq", x, y), other)
    with pytest.raises(Undecided, match=r"^cannot compare .* with .* at \(0,\)$"):
        recorder.decide(found)
    with pytest.raises(Undecided, match=r"^cannot compare .* with .* at \(0,\)$"):
        evaluate(recorder.program([found]), [X], 128)


def test_what_is_no_logic_needs_it():
    recorder, x, y = numbers()
    same = compare("eq", x, y)
    for result in (select(same, x, y), convert(same, "int64"), same):
        with pytest.raises(Undecided, match="cannot compare"):
            evaluate(recorder.program([result]), [X], 128)


def test_a_tie_is_told_though_others_beside_it_are_open():
    recorder, x, y = numbers()
    first = recorder.constant(np.array([True, False, False]))
    rest = recorder.constant(np.array([False, True, True]))
    found = both("or", recorder, compare("eq", select(first, x, y), x), rest)
    with TIES.collected() as ties:
        assert evaluate(recorder.program([found]), [X], 128)[0].all()
    assert len(ties) == 1


def kernel(np_, x):
    return np_.exp(-((x[:, None] - x[None]) ** 2))


def of_torch(close):
    def function(x):
        k = kernel(torch, x)
        return k.sum() if close(k, k.mT) else x.sum()

    return function, torch.from_numpy(X)


def of_jax(close):
    def function(x):
        k = kernel(jnp, x)
        return jnp.where(close(k, k.T), k.sum(), 0.0)

    return function, jnp.asarray(X, jnp.float32)


def normal(x):
    k = kernel(torch, x) + 0.1 * torch.eye(3, dtype=x.dtype)
    return torch.distributions.MultivariateNormal(torch.zeros_like(x), k).log_prob(torch.ones_like(x))


CLOSE = {
    "torch.isclose": of_torch(lambda a, b: torch.isclose(a, b, atol=1e-6).all()),
    "torch.allclose": of_torch(torch.allclose),
    "jnp.isclose": of_jax(lambda a, b: jnp.isclose(a, b).all()),
    "jnp.allclose": of_jax(jnp.allclose),
    "MultivariateNormal": (normal, torch.from_numpy(X)),
}


@pytest.mark.parametrize("name", CLOSE)
def test_a_matrix_that_is_close_to_its_transpose(name):
    function, x = CLOSE[name]
    assert gradproof.check_gradient(function, (x,)).passed


def test_an_edge_of_isclose_is_still_one():
    def function(x):
        return x.sum() if torch.isclose(x, torch.ones_like(x), rtol=0.0, atol=0.5).all() else 2 * x.sum()

    assert (
        gradproof.check_gradient(function, (torch.tensor([1.25, 0.5], dtype=torch.float64),)).passed is False
    )


def test_what_has_no_value_is_said_in_words():
    recorder = Recorder()
    x = recorder.input_at(np.zeros(1), "float64")
    with pytest.raises(
        Undecided, match=r"a number that exact arithmetic does not know \(0 / 0, .* with 1\.0"
    ):
        recorder.decide(compare("lt", x / x, 1.0))


def test_a_step_that_is_not_decided_says_where_its_number_lies():
    recorder = Recorder()
    nearly = scalar("log", scalar("exp", recorder.input_at(np.array(3.0), "float64")))
    with pytest.raises(Undecided, match=r"a step \(floor, .* is 3\.000 or nearly so, and it jumps there"):
        recorder.decide(convert(nearly, "int64"))


def pairs(nan_to_num, where, eye):
    """The energy of all pairs, as jax-md writes it: of a point with itself it is inf - inf, and masked."""

    def energy(x):
        far = (1.0 / (x[:, None] - x[None, :])) ** 2
        return where(eye, 0.0, nan_to_num(far * far - far)).sum()

    return energy


EYE = np.eye(2, dtype=bool)
LIBRARIES = {
    "jax": (pairs(jnp.nan_to_num, jnp.where, EYE), jnp.asarray),
    "torch": (pairs(torch.nan_to_num, torch.where, torch.tensor(EYE)), torch.tensor),
}


@pytest.mark.parametrize("name", LIBRARIES)
def test_what_is_not_known_and_masked_afterwards_is_not_needed(name):
    energy, array = LIBRARIES[name]
    found = gradproof.exact_gradient(energy, (array(np.array([0.5, -1.5], np.float32)),))
    slope = 2 * (2 / 2.0**3 - 4 / 2.0**5)  # of 2 (d^-4 - d^-2) at d = 2
    assert found.mid.tolist() == [slope, -slope]


@pytest.mark.parametrize("name", ["is_nan", "is_infinite"])
def test_what_is_not_known_is_no_number_either_way(name):
    recorder = Recorder()
    x = recorder.input_at(np.array([0.0, 2.0]), "float64")
    y = x / x
    kind = recorder.elementwise(name, y, dtype="bool")
    chosen = select(kind, 3.0, y)
    masked = select(recorder.constant(np.array([True, False])), 0.0, chosen)
    program, at = recorder.program([masked, chosen]), [recorder.values[0]]
    masked, chosen = evaluate(program, at, 128)
    assert [float(ball) for ball in masked] == [0.0, 1.0]
    assert chosen[0].is_nan()
    with pytest.raises(Undecided, match="cannot tell whether nan is a finite number"):
        evaluate(recorder.program([select(kind, 3.0, recorder.constant(4.0))]), at, 128)
    same = select(kind, 3.0, recorder.constant(np.array([3.0, 4.0])))
    assert [float(ball) for ball in evaluate(recorder.program([same]), at, 128)[0]] == [3.0, 4.0]
