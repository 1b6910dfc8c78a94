"""Where the digits went: the operation and its line."""

from __future__ import annotations

import numpy as np
import pytest

from oracles.exact.program.primitives import arithmetic, arrays, taylor
from oracles.exact.program.program import Builder, Line, Origin
from oracles.exact.rounding.bound import ROUNDING_MODELS
from oracles.exact.rounding.diagnosis import diagnose, written_at


class Lines:
    """Names each operation of a program, and the line that it is on."""

    def __init__(self, shape, dtype):
        self.builder = Builder()
        self.x = self.builder.input(shape, dtype)
        self.line = 0

    def __call__(self, name):
        self.line += 1
        self.builder.calls(name, Line("/home/me/model.py", self.line))

    def why(self, output, point, element=(), model="numpy", computed=1.0):
        program, inputs = self.builder.program([output]), [np.asarray(point)]
        text, self.named = diagnose(program, inputs, ROUNDING_MODELS[model], 0, element, computed)
        return text


@pytest.mark.parametrize(("dtype", "point", "digits"), [("float64", 40.7, 53), ("float32", 20.0, 24)])
def test_one_minus_a_saturated_sigmoid_cancels_all_bits(dtype, point, digits):
    at = Lines((), dtype)
    at("exp")
    e = taylor.scalar("exp", -at.x)
    at("reciprocal")
    s = 1.0 / (1.0 + e)
    at("subtract")
    rest = 1.0 - s
    at("multiply")
    assert at.why(rest * s, point) == f"subtract at model.py:3: {digits} of {digits} bits cancel"
    assert at.named[:2] == ("subtract", Line("/home/me/model.py", 3))


def test_the_bits_that_cancel_are_counted():
    """(1 + 2^-10) - 1 leaves 14 of 24 bits."""
    at = Lines((), "float32")
    at("add")
    above = at.x * 1.0009765625
    at("sub")
    assert at.why(above - at.x, 1.0) == "sub at model.py:2: 10 of 24 bits cancel"


def test_the_subtraction_in_a_softmax_gradient_is_named():
    """s (g - sum(g s)) where one element has nearly all of s."""
    at = Lines((3,), "float32")
    at("softmax")
    e = taylor.scalar("exp", at.x)
    s = e / at.builder.broadcast(arrays.reduce_sum(e, (0,), keepdims=True), (3,))
    at("sum")
    g = at.builder.constant(np.array([0.75, -1.25, 0.5]), "float32")
    total = at.builder.broadcast(arrays.reduce_sum(s * g, (0,), keepdims=True), (3,))
    at("sub")
    difference = g - total
    at("mul")
    text = at.why(s * difference, np.array([14.0, 0.0, 0.0], np.float32), (0,))
    assert text.startswith("sub at model.py:3: ")
    assert text.endswith(" of 24 bits cancel")
    assert 17 <= int(text.split()[3]) <= 20


def test_a_number_that_overflows_is_named():
    at = Lines((), "float32")
    at("exp")
    e = taylor.scalar("exp", at.x)
    at("div")
    assert at.why(e / e, np.float32(100)) == "overflows at exp at model.py:1"
    assert at.named.place.number == 1


@pytest.mark.parametrize(
    ("computed", "said"),
    [(np.nan, "overflows at exp"), (np.inf, "overflows at exp"), (0.5, "underflow: a number that is not 0")],
)
def test_where_one_operation_may_do_both_what_was_computed_tells_which(computed, said):
    """A softmax of -200 and 200 as it is written."""
    at = Lines((2,), "float32")
    at("exp")
    e = taylor.scalar("exp", at.x)
    at("div")
    out = e / at.builder.broadcast(arrays.reduce_sum(e, (0,), keepdims=True), (2,))
    assert at.why(out, np.float32([-200, 200]), (1,), computed=computed).startswith(said)


def test_what_underflows_first_is_named_before_what_then_overflows():
    at = Lines((2,), "float32")
    at("mul")
    square = at.x * at.x
    at("exp")
    out = taylor.scalar("exp", 1.0 / (square + 1e-45) * 0.0 + at.x * 1e32)
    said = at.why(out, np.float32([1e-30, 1e-29]), (0,), computed=np.nan)
    assert said.startswith("underflow: a number that is not 0 becomes 0 at mul")


def test_the_sum_that_cancels_is_named_where_nothing_bounds_the_result():
    """x^2 - 300^2 may be 0 or less, and then it has no root."""
    at = Lines((), "float32")
    at("mul")
    square = at.x * at.x
    at("sub")
    left = square - 90000.0
    at("div")
    assert at.why(1.0 / left, np.float32(300.00003)) == "sub at model.py:2: 22 of 24 bits cancel"


def test_a_number_that_is_lost_to_underflow_is_named():
    at = Lines((), "float64")
    at("multiply")
    square = at.x * at.x
    at("divide")
    assert at.why(at.x / square, 1e-300) == (
        "underflow: a number that is not 0 becomes 0 at multiply at model.py:1"
    )


def test_without_cancellation_the_largest_share_is_named_in_per_cent():
    """Of 75 u from the product and 8 u from exp."""
    at = Lines((), "float32")
    at("mul")
    y = at.x * 1.25
    at("exp")
    text = at.why(taylor.scalar("exp", y), np.float32(60))
    assert text == "mul at model.py:1 contributes 90 % of the bound"
    assert at.named.operation == "mul"
    only = Lines((), "float32")
    only("div")
    assert only.why(only.x / 3.0, np.float32(2)) == "div at model.py:1 contributes 100 % of the bound"


def test_what_is_held_fixed_carries_its_rounding_on():
    at = Lines((), "float32")
    at("mul")
    y = arithmetic.detach(at.x * 1.1)
    at("sub")
    assert at.why(y - 1.1, np.float32(1)) == "sub at model.py:2: 24 of 24 bits cancel"


def test_nothing_is_said_of_what_is_exact_or_has_no_model():
    at = Lines((), "float32")
    at("reshape")
    assert at.why(-at.x, np.float32(1)) == ""
    assert at.named is None
    x = Lines((2, 2), "float32")
    from oracles.exact.program.primitives.linear_algebra import exponential

    x("matrix_exp")
    assert x.why(exponential(x.x), np.eye(2, dtype=np.float32), (0, 0)) == ""


def test_an_operation_and_its_line_are_named_as_far_as_they_are_known():
    assert str(Origin("aten_mul", None)) == "aten_mul"
    assert str(Origin("multiply", Line("/a/model.py", 7))) == "multiply at model.py:7"
    builder = Builder()
    x = builder.input((), "float32")
    y = arithmetic.detach(x / 3.0)
    found = diagnose(builder.program([y]), [np.ones(())], ROUNDING_MODELS["numpy"], 0, ())
    assert found == ("div contributes 100 % of the bound", None)


def test_an_output_is_written_at_the_last_operation_whose_line_is_known():
    at = Lines((), "float32")
    at("mul")
    y = at.x * 3.0
    at("add")
    z = y + 1.0
    at.builder.calls("convert", None)
    gradient = at.builder.program([-z, y, at.x])
    forward = Lines((), "float32")
    found = [str(written_at(gradient, k, forward.builder.program([forward.x]))) for k in range(3)]
    assert found == ["add at model.py:2", "mul at model.py:1", "None"]
    forward.line = 1
    forward("sin")
    same = forward.builder.program([forward.x + 1.0])
    assert [str(written_at(gradient, k, same)) for k in range(2)] == ["mul at model.py:1"] * 2


def _labels_in_float32(at):
    """Labels that a cast rounds, and no input moves: exp of the input rounds 2^-29 times as much."""
    at("convert_element_type")
    labels = arithmetic.convert(at.builder.constant(np.array([0.9, 0.03])), "float32")
    at("exp")
    e = taylor.scalar("exp", at.x)
    at("mul")
    return e * arithmetic.convert(labels, "float64")


def _range_in_float32(at):
    at("sub")
    width = at.builder.constant(np.array([2.0, 3.0]), "float32") - 0.1
    at("mul")
    return at.x * arithmetic.convert(width, "float64")


def _classes_in_float32(at):
    at("div")
    share = arithmetic.convert(at.builder.constant(np.array([1, 2])), "float32") / 7.0
    at("mul")
    return at.x * arithmetic.convert(share, "float64")


def _cast_before_a_sum_that_cancels(at):
    at("convert")
    near = arithmetic.convert(arithmetic.convert(at.x * 1.0000001, "float32"), "float64")
    at("sub")
    return at.x - near


def _sum_that_cancels_in_float32(at):
    at("convert")
    narrow = arithmetic.convert(at.x, "float32")
    at("sub")
    return arithmetic.convert(narrow * 1.0009765625 - narrow, "float64")


def _cast_that_adds_little(at):
    at("convert")
    little = arithmetic.convert(arithmetic.convert(at.x, "float32") * 1e-30, "float64")
    at("div")
    return 1.0 / at.x + little


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (_labels_in_float32, "convert to float32 at model.py:1 contributes 100 % of the bound"),
        (_range_in_float32, "sub in float32 at model.py:1 contributes 100 % of the bound"),
        (_classes_in_float32, "div in float32 at model.py:1 contributes 100 % of the bound"),
        (_cast_before_a_sum_that_cancels, "convert to float32 at model.py:1 contributes 100 % of the bound"),
        (_sum_that_cancels_in_float32, "sub in float32 at model.py:2: 10 of 24 bits cancel"),
        (_cast_that_adds_little, "div at model.py:2 contributes 67 % of the bound"),
    ],
)
def test_what_a_narrower_dtype_loses_is_named_where_it_is_lost(write, said):
    at = Lines((2,), "float64")
    assert at.why(write(at), np.array([0.7, 1.3]), (1,)) == said


@pytest.mark.parametrize(("model", "point"), [("numpy", 1e200), ("torch", 1e160), ("numpy", -1.5e300)])
def test_what_overflows_is_named_though_a_division_by_it_is_finite_again(model, point):
    """x / sqrt(x^2 + 1) is 0 there: all that its own rounding adds is the smallest number."""
    at = Lines((2,), "float64")
    at("mul")
    square = at.x * at.x
    at("sqrt")
    root = taylor.scalar("sqrt", square + 1.0)
    at("div")
    assert at.why(at.x / root, np.array([2.0, point]), (1,), model) == "overflows at mul at model.py:1"
    said = at.why(at.x / root, np.array([2.0, point]), (0,), model)
    assert said.startswith("div at model.py:3 contributes"), "the element beside does not depend on it"
