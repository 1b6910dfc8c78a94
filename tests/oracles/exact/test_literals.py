from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles.exact.core.plans import planned
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.enclose.given import given as with_numbers_given
from oracles.exact.enclose.literals import changes, moved_literals, replaced, rounded, spelled, written
from oracles.exact.from_numpy import record as record_numpy
from oracles.exact.program.balls import filled
from oracles.exact.program.derive import vjp
from oracles.exact.program.program import Builder


def program(value, shape=()):
    """The value alone, as a program of one literal."""
    builder = Builder()
    return builder.program([builder.broadcast(builder.constant(value, "float64"), shape)])


def literal(value):
    return evaluate(replaced(program(value), rounded), [], 256)[0].item()


@settings(derandomize=True)
@given(st.integers(-(2**26) + 1, 2**26 - 1), st.integers(-300, 300))
def test_a_short_number_is_meant_as_it_is(whole, exponent):
    value = math.ldexp(whole, exponent)
    assert literal(value) == arb(value)
    assert not changes(program(value), rounded)


@settings(derandomize=True)
@given(st.floats(1e-300, 1e300).filter(lambda v: Fraction(v).numerator.bit_length() > 0))
def test_a_long_number_is_a_ball_of_two_float64_ulps(value):
    odd = Fraction(value).numerator
    odd >>= (odd & -odd).bit_length() - 1
    if odd.bit_length() <= 26:
        return
    ball, ulp = literal(value), np.spacing(value)
    assert arb(value) + arb(2 * ulp) in ball
    assert arb(value) - arb(2 * ulp) in ball
    assert arb(value) + arb(2.01 * ulp) not in ball
    assert changes(program(value), rounded)


@pytest.mark.parametrize("value", [0.1, 1 / math.sqrt(2 * math.pi), 2 / math.sqrt(math.pi), 1e-7])
def test_a_computed_number_is_inside_that_of_what_was_meant(value):
    above = np.nextafter(np.nextafter(value, np.inf), np.inf)
    assert arb(above) in literal(value)


def test_zero_infinities_and_whole_arrays_stay():
    assert literal(0.0).is_zero()
    assert float(literal(filled([arb("inf")], ()))) == math.inf
    table = Builder()
    written = table.program([table.constant(np.array([0.1, 0.2]))])
    assert all(b.is_exact() for b in evaluate(replaced(written, rounded), [], 64)[0])
    assert not changes(written, rounded)


def test_the_rest_of_the_program_is_kept():
    builder = Builder()
    x = builder.input((2,), "float64")
    builder.guards.append((builder.constant(True), np.array(True)))
    written = builder.program([x * 0.1])
    wide = replaced(written, rounded)
    assert (wide.inputs, wide.outputs, wide.guards) == (written.inputs, written.outputs, written.guards)
    values = evaluate(wide, [np.array([1.0, 2.0])], 128)[0]
    assert all(b.contains(arb(x) / 10) for b, x in zip(values, (1, 2), strict=True))


def test_the_unbounded_rate_of_a_declared_edge_is_no_literal():
    """Replaced by a number, an edge would be one-sided in silence."""
    recording = record_numpy(lambda x: x * 1.0 if x[0] >= 1 else 0.5 * x, (np.array([1.0, 0.5]),))
    gradient = vjp(replaced(recording.program, lambda ball, _: ball.mid()), [0])
    (found,) = evaluate(gradient, [*recording.values, np.ones(2)], 64)
    assert not found[0].is_finite()


def test_rounded_numbers_become_inputs_and_exact_ones_stay():
    rows, whole, x = np.array([[0.1, 0.2], [0.3, 0.7]]), np.array([2.0, -1.0]), np.array([0.4, -0.6])
    program = record_numpy(lambda x: np.tanh(rows @ (x + 0.1)) * whole + 0.1 * 0.5, (x,)).program
    found = with_numbers_given(program)
    assert [(array.tolist(), dtype) for array, dtype in found.arrays] == [(rows.tolist(), "float64")]
    assert [float(ball) for ball, _ in found.literals] == [0.1, 0.05]
    assert len(found.program.inputs) == 4
    as_it_is = [x, *found.with_arrays([rows])]
    for own, moved in zip(evaluate(program, [x], 128), evaluate(found.program, as_it_is, 128), strict=True):
        assert all(a.mid() == b.mid() and a.rad() == b.rad() for a, b in zip(own, moved, strict=True))
    (twice,) = evaluate(found.program, [x, *found.with_arrays([2 * rows])], 128)
    expected = np.tanh(2 * rows @ (x + 0.1)) * whole + 0.05
    np.testing.assert_allclose([float(b.mid()) for b in twice], expected)


@pytest.mark.parametrize("change", [rounded, moved_literals(0), moved_literals(3), written, spelled])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_program_that_is_given_its_literals_is_the_one_with_others_for_them(change, dtype):
    x = np.array([0.4, -0.6, 1.5], dtype)

    def code(x):
        y = np.exp(dtype(0.7978846) * x) / (dtype(0.1) + x * x) + dtype(0.1) * np.tanh(x * x) ** dtype(0.3)
        return np.where(x > dtype(1 / 3), y, 0.5 * x + dtype(2.2))

    with np.errstate(all="ignore"):
        program = vjp(record_numpy(code, (x,)).program, [0])
    one, inputs = with_numbers_given(program), [x, np.ones(3)]
    other, others = replaced(program, change), [*inputs, *one.with_literals(change)]
    for own, given_ in zip(evaluate(other, inputs, 128), evaluate(one.program, others, 128), strict=True):
        assert all(a.mid() == b.mid() and a.rad() == b.rad() for a, b in zip(own, given_, strict=True))
    (own,), (given_,) = (planned(p).run(i) for p, i in ((other, inputs), (one.program, others)))
    for part in "hlr":
        np.testing.assert_array_equal(getattr(own, part), getattr(given_, part))
