"""Signs of zeros as IEEE 754 has them; and where two numbers are one, whatever they are."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_numpy import record
from oracles.exact.program.errors import Undecided
from oracles.exact.program.functions import atan2
from oracles.exact.program.primitives import compare
from oracles.exact.program.primitives.arrays import index
from oracles.exact.program.recording import Recorder
from oracles.exact.program.signs import DEEP, negative
from tests.sampling import draws

ROW = np.array([0.2, -0.5, 3.0, -7.0])
REAL = {
    "a number added": lambda x: x + 0j,
    "added to a number": lambda x: 0j + x - 1,
    "a part of zeros": lambda x: x + 1j * np.zeros(4),
    "a zero by x": lambda x: x - 1 + 1j * 0 * x,
    "cast": lambda x: x.astype(complex) - 4,
    "subtracted": lambda x: 1 - (x + 0j),
    "multiplied": lambda x: 2 * (x + 0j),
    "square": lambda x: (x * x + 0j) ** 2 - 20,
    "divided": lambda x: (x + 0j) / 2,
    "sum": lambda x: np.sum(x + 0j) + 0 * x,
    "moved": lambda x: np.concatenate([x + 0j, x + 1 + 0j])[2:6].reshape(2, 2).T.ravel(),
    "cancels": lambda x: (x + 0j) - (x + 0j) + x,
}
BELOW = {
    "conjugate, and more": lambda x: np.conj(x + 0j) + 1,
    "multiplied by a conjugate": lambda x: (x + 0j) * np.conj(x + 0j),
    "conjugate": lambda x: np.conj(x + 0j),
    "opposite": lambda x: -(x + 0j),
    "multiplied": lambda x: -2 * (x + 0j),
    "square": lambda x: (x + 0j) ** 2 - 20,
    "divided": lambda x: (x + 0j) / -2,
}


def read(numbers):
    def signs(x):
        return np.where(np.signbit(np.imag(numbers(x))), x, -x)

    recording = record(signs, (ROW,))
    (found,) = evaluate(recording.program, recording.values, 128)
    return found.astype(float).tolist(), signs(ROW).tolist()


@pytest.mark.parametrize("name", REAL)
def test_the_imaginary_part_of_a_real_number_has_the_sign_that_numpy_gives_it(name):
    found, computed = read(REAL[name])
    assert found == computed


@pytest.mark.parametrize("name", BELOW)
def test_that_a_zero_is_minus_0_is_not_believed_of_every_library(name):
    """In torch -z is 0 - z, XLA's roots take -0.0 for 0.0, and algorithms of quotients differ."""
    with pytest.raises(Undecided, match=r"0\.0 or -0\.0"):
        read(BELOW[name])


LEAVES = st.sampled_from([0.0, -0.0, 1.0, -2.0, "x", "y"])
OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}
TREES = st.recursive(
    LEAVES, lambda part: st.tuples(st.sampled_from([*OPERATORS, "neg"]), part, part), max_leaves=8
)


def computed(tree, leaf):
    if not isinstance(tree, tuple):
        return leaf(tree)
    name, *parts = tree
    one, other = (computed(part, leaf) for part in parts)
    return -one if name == "neg" else OPERATORS[name](one, other)


@settings(derandomize=True, deadline=None, max_examples=draws(30, 2000))
@given(TREES, st.sampled_from([0.0, -0.0, 3.0, -1.0]), st.sampled_from([1.0, -3.0]))
def test_what_is_decided_is_the_sign_of_small_integers(tree, x, y):
    """These numbers are exact, so that NumPy computes what exact arithmetic does."""
    recorder = Recorder()
    given_ = {name: recorder.input_at(np.array(v), "float64") for name, v in (("x", x), ("y", y))}
    found = computed(tree, lambda v: given_.get(v) or recorder.constant(v, "float64"))
    value = np.float64(computed(tree, lambda v: np.float64({"x": x, "y": y}.get(v, v))))
    try:
        assert bool(recorder.decide(negative(found))) == np.signbit(value)
    except Undecided:
        assert value == 0


def test_a_long_sum_of_zeros_is_looked_through_so_far():
    """And no further, in Python's stack neither."""
    recorder = Recorder()
    x = recorder.input_at(np.array(-1.0), "float64")
    zero = recorder.constant(0.0, "float64") * x * x
    for many in range(2, 20 * DEEP):
        zero = zero + zero
        if many in (DEEP // 2, 20 * DEEP - 1):
            found = negative(zero)
            if many < DEEP:
                assert not recorder.decide(found)
    with pytest.raises(Undecided, match=r"0\.0 or -0\.0"):
        recorder.decide(found)


@pytest.mark.parametrize("name", ["eq", "ne"])
def test_a_number_less_itself_is_0_though_no_digits_tell(name):
    """The logarithm of x is a ball; the difference of two is 0 for nobody who sees the balls alone."""
    recorder = Recorder()
    x = recorder.input_at(np.array([2.0, 3.0, 5.0]), "float64")
    w = recorder.elementwise("taylor", x, function="log", order=0)
    gap = index(w, lambda p: p[:, None]) - index(w, lambda p: p[None])
    found = recorder.decide(compare(name, gap, 0.0))
    assert found.tolist() == ((np.eye(3) == 1) == (name == "eq")).tolist()


def test_equal_numbers_of_two_values_are_not_one():
    recorder = Recorder()
    x, y = (recorder.input_at(np.array([2.0]), "float64") for _ in range(2))
    logs = [recorder.elementwise("taylor", v, function="log", order=0) for v in (x, y)]
    with pytest.raises(Undecided):
        recorder.decide(compare("eq", logs[0] - logs[1], 0.0))


def test_atan2_far_to_the_right_asks_for_no_sign():
    recorder = Recorder()
    x, y = (recorder.input_at(np.array(v), "float64") for v in (2.0, 3.0))
    zero = recorder.elementwise("taylor", y - y * 1.0, function="sin", order=0)
    found = evaluate(recorder.program([atan2(zero, x)]), [np.array(2.0), np.array(3.0)], 128)[0]
    assert found.item() == 0
