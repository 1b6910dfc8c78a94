"""Views and writes in place, against NumPy itself: random moves on arrays that share memory in all ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_numpy import record
from tests.oracles.exact.numpy_tools import middle
from tests.sampling import draws

SLICES = st.tuples(st.integers(-3, 3), st.integers(-4, 4), st.sampled_from([1, 2, -1, -2])).map(
    lambda t: slice(*t)
)
KEYS = st.one_of(
    SLICES, st.integers(-2, 2), st.just(Ellipsis), st.none(), st.lists(st.integers(-2, 1), max_size=3),
    st.tuples(SLICES, SLICES), st.tuples(st.just(Ellipsis), st.integers(-2, 2)), st.tuples(SLICES, st.none()),
    st.tuples(st.lists(st.integers(0, 1), min_size=1, max_size=2), SLICES),
)  # fmt: skip
SHAPES = st.sampled_from([-1, (2, -1), (-1, 3), (1, -1), (3, 2, 2), (4, 3), (6, 2)])
ORDERS = st.sampled_from(["C", "F", "A"])
STEPS = st.one_of(
    st.tuples(st.just(lambda a, b, key: a[key]), KEYS),
    st.tuples(st.just(lambda a, b, shape: a.reshape(shape[0], order=shape[1])), st.tuples(SHAPES, ORDERS)),
    st.tuples(st.just(lambda a, b, order: a.ravel(order)), ORDERS),
    st.tuples(st.just(lambda a, b, order: a.copy(order)), ORDERS),
    st.tuples(st.just(lambda a, b, _: a.T), st.none()),
    st.tuples(st.just(lambda a, b, _: a.swapaxes(0, -1)), st.none()),
    st.tuples(st.just(lambda a, b, _: np.flip(a, -1)), st.none()),
    st.tuples(st.just(lambda a, b, _: np.diagonal(a)), st.none()),
    st.tuples(st.just(lambda a, b, _: np.squeeze(a)), st.none()),
    st.tuples(st.just(lambda a, b, _: np.asarray(a)), st.none()),
    st.tuples(st.just(lambda a, b, _: np.atleast_2d(a)), st.none()),
    st.tuples(st.just(lambda a, b, _: np.broadcast_to(a, (2, *a.shape))), st.none()),
    st.tuples(st.just(lambda a, b, _: np.concatenate([a, b])), st.none()),
    st.tuples(st.just(lambda a, b, _: a + b), st.none()),
    st.tuples(st.just(lambda a, b, n: a.__setitem__(a > n, b.ravel()[0])), st.integers(-20, 20)),
    st.tuples(st.just(lambda a, b, n: windows(a, n)), st.integers(2, 3)),
    st.tuples(st.just(lambda a, b, key: a.__setitem__(key[0], key[1])), st.tuples(KEYS, st.integers(-9, 9))),
    st.tuples(st.just(lambda a, b, key: a.__setitem__(key, b)), KEYS),
    st.tuples(st.just(lambda a, b, key: a.__setitem__(key, a[key][::-1])), KEYS),
    st.tuples(st.just(lambda a, b, _: a.__iadd__(b)), st.none()),
    st.tuples(st.just(lambda a, b, key: np.subtract(a[key], b, out=a[key])), KEYS),
    st.tuples(st.just(lambda a, b, key: at(np.add, a, key, 2.0)), KEYS),
    st.tuples(st.just(lambda a, b, key: at(np.maximum, a, key, b)), KEYS),
    st.tuples(st.just(lambda a, b, n: a.flat.__setitem__(slice(n, None, 3), -n)), st.integers(0, 3)),
    st.tuples(st.just(lambda a, b, n: np.copyto(a, b, where=np.arange(a.shape[-1]) > n)), st.integers(0, 2)),
)  # fmt: skip


def windows(a, n):
    """Windows along the last axis, which lie in the same memory."""
    view = np.lib.stride_tricks.sliding_window_view
    return view(a, n, axis=-1, writeable=a.flags.writeable)


def at(ufunc, a, key, b):
    """`ufunc.at`, where NumPy 2.4 neither writes into read-only memory nor crashes (b with too many axes).

    What lies in memory that windows share is read while they are written: NumPy does not say in which order.
    """
    if np.ndim(b) and np.shares_memory(a, b):
        b = b.copy()
    if a.flags.writeable and np.ndim(b) <= np.ndim(a[key]):
        ufunc.at(a, key, b)


def play(x, moves, log):
    """Do the moves on arrays that are views of each other in all ways; give all of them."""
    arrays = [x + 0.0, x * 2]
    for (move, argument), i, j in moves:
        a, b = arrays[i % len(arrays)], arrays[j % len(arrays)]
        try:
            result = move(a, b, argument)
        except (IndexError, ValueError, TypeError, AttributeError) as error:
            log.append(type(error).__name__)
            continue
        log.append(None if result is None else np.shape(result))
        if result is not None and np.ndim(result) and np.size(result) < 500:
            arrays.append(result)
    return arrays


@settings(max_examples=draws(60, 200), deadline=None)
@given(moves=st.lists(st.tuples(STEPS, st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_views_and_writes_in_place_are_those_of_numpy(moves):
    x, expected_log, log = np.arange(12.0).reshape(3, 4) - 5, [], []
    expected = play(x, moves, expected_log)
    recording = record(lambda x: play(x, moves, log), (x,), {})
    found = evaluate(recording.program, recording.values, 64)
    assert log == expected_log
    for balls, numbers in zip(found, expected, strict=True):
        np.testing.assert_array_equal(middle(balls), numbers)


def test_what_is_written_turn_by_turn_is_read_as_it_was_before():
    """`maximum.at` of an array with itself, at a position that comes twice."""

    def f(x):
        a = x + 0.0
        np.maximum.at(a, [0, 0, 1], a)
        return a

    x = np.arange(12.0).reshape(3, 4) - 5
    recording = record(f, (x,), {})
    (found,) = evaluate(recording.program, recording.values, 64)
    np.testing.assert_array_equal(middle(found), f(x))


@pytest.mark.parametrize("ufunc", [np.add, np.subtract, np.multiply, np.maximum])
@pytest.mark.parametrize("key", [None, ..., slice(None), [0, 1, 2, 0]])
def test_what_windows_share_is_written_as_often_as_it_is_in_one(ufunc, key):
    """So the backward of a convolution adds up: `np.add.at(windows, None, g)`."""

    def f(x):
        a = x + 0.0
        along = windows(a, 2)
        ufunc.at(along, key, np.full(np.shape(along[key]), 2.0) * x[0])
        return a

    x = np.array([0.5, -3.0, 1.0, 2.0])
    recording = record(f, (x,), {})
    (found,) = evaluate(recording.program, recording.values, 64)
    np.testing.assert_array_equal(middle(found), f(x))


@pytest.mark.parametrize(
    "view",
    [
        lambda a: np.einsum("ii->i", a),
        lambda a: np.einsum("ij->ji", a),
        lambda a: np.einsum("ji", a),
        lambda a: np.einsum(a, [0, 1], [1, 0]),
        lambda a: np.einsum("...j->...j", a),
        lambda a: np.einsum("ij->i", a),
        lambda a: np.require(a, float, "F"),
        lambda a: np.require(a, None, ["C", "W"]),
        lambda a: np.require(a, None, ["OWNDATA"]),
        lambda a: np.require(a[:2], None, ["OWNDATA"]),
        lambda a: a.conj(),
        lambda a: a.T.conjugate(),
        lambda a: np.conj(a),
        lambda a: a.compress([1, 0, 1], 0),
    ],
)
def test_what_is_a_view_in_numpy_is_one_here_and_nothing_else(view):
    def f(x):
        a = x + 0.0
        view(a)[:] *= 2
        return a

    x = np.arange(9.0).reshape(3, 3) - 4
    recording = record(f, (x,), {})
    (found,) = evaluate(recording.program, recording.values, 64)
    np.testing.assert_array_equal(middle(found), f(x))


def by_row(a, k):
    row = a[k]
    row /= row[0]


def by_column(a, k):
    np.copyto(a[:, k % 2], a[0, 1])


def by_flat_of_a_row(a, k):
    a[k][:2].flat[1] = a[0, 0]


@pytest.mark.parametrize("write", [
    by_row, by_column, by_flat_of_a_row,
    lambda a, k: np.add.at(a[k], [0, 0], a[0, :2]),
    lambda a, k: np.multiply(a[k], 2, out=a[k]),
    lambda a, k: a[k].fill(0),
    lambda a, k: a[k, ...].__iadd__(1),
    lambda a, k: a[[k]].__iadd__(1),  # a copy
    lambda a, k: a[np.array(k)].__iadd__(1),  # likewise
])  # fmt: skip
@pytest.mark.parametrize("place", [
    lambda a: np.argmax(a[:, 0]),
    lambda a: np.argsort(a[:, 1])[0],
    lambda a: int((a[:, 2] > 0).sum()) - 1,
    lambda a: np.searchsorted(np.sort(a[:, 0]), 0.5),
])  # fmt: skip
def test_a_row_at_a_place_that_depends_on_the_data_is_a_view(write, place):
    def f(x):
        a = x + 0.0
        write(a, place(a))
        return a

    x = np.array([[0.3, 1.2, -0.7], [2.0, -0.4, 0.9], [0.8, 0.5, 1.6]])
    recording = record(f, (x,), {})
    (found,) = evaluate(recording.program, recording.values, 64)
    np.testing.assert_allclose(middle(found), f(x), rtol=1e-15)


def test_a_row_that_is_only_read_decides_nothing():
    recording = record(lambda x: x[np.argmax(x[:, 0])] * 2, (np.array([[0.3, 1.2], [2.0, 0.4]]),), {})
    assert not recording.program.guards


@pytest.mark.parametrize("view", [
    lambda a: np.array(a, copy=None, ndmin=3),
    lambda a: np.array(a, copy=False, ndmin=3),
    lambda a: np.array(a, ndmin=3),
    lambda a: a.astype(float, order="F", copy=False),
    lambda a: a.astype(float, order="C", copy=False),
    lambda a: a.T.astype(float, order="F", copy=False),
])  # fmt: skip
def test_copies_are_made_where_numpy_makes_them(view):
    def f(x):
        a = x + 0.0
        view(a)[...] *= 2
        return a

    x = np.arange(6.0).reshape(2, 3) - 4
    recording = record(f, (x,), {})
    (found,) = evaluate(recording.program, recording.values, 64)
    np.testing.assert_array_equal(middle(found), f(x))


def test_signs_of_whole_numbers_that_depend_on_the_data():
    def f(x):
        return x * np.sign((9 * x).astype(int))

    x = np.array([1.2, -0.7, 0.01])
    recording = record(f, (x,), {})
    (found,) = evaluate(recording.program, recording.values, 64)
    np.testing.assert_allclose(middle(found), f(x), rtol=1e-15)
