"""The tester, tested: every way of being wrong is caught, in words that say what is wrong."""

import re
from typing import final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cases import catalogue
from harness.known import KnownDefect, Row
from harness.verdict import Outcome, Verdict, allowed
from oracles import Gradient, NumpyOracle, Oracle, Subject
from tests.meta.liars import Around, claims, judged

WITH_GRADIENT = [name for name, case in catalogue().items() if case.vjp]
ORDINARY = [(n, m.name) for n in WITH_GRADIENT for m in catalogue()[n].inputs if not m.boundary]
each_case = pytest.mark.parametrize("case", WITH_GRADIENT)
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


def one_entry(array, change):
    array = array.copy()
    flat = array.reshape(-1)
    worst = np.argmax(np.abs(flat))
    flat[worst] = change(flat[worst])
    return array


HONEST = claims()
ZEROS = claims(gradient=np.zeros_like)
SIGN = claims(gradient=np.negative)
NAN = claims(gradient=lambda g: np.full_like(g, np.nan))
INF = claims(gradient=lambda g: one_entry(g, lambda v: v.dtype.type(np.inf)))
SCALED = claims(gradient=lambda g: g * g.dtype.type(1.01))
NUMBER = r"-?[\d.]+(e[+-]\d+)?"


@pytest.mark.parametrize(("case", "input_name"), ORDINARY, ids=["-".join(p) for p in ORDINARY])
@each_dtype
def test_an_honest_oracle_passes(case, input_name, dtype):
    record = judged(HONEST, case, dtype, input_name)
    assert record.outcome is Outcome.PASS
    at_kink = case == "relu" and input_name == "large"
    assert record.verdict is (Verdict.CONVENTION if at_kink else Verdict.AGREES)
    eps = np.finfo(dtype).eps
    assert record.scaled_error <= 4 * eps  # the rounding of the hand-derived gradient, against the truth
    assert record.value_error <= 2 * eps
    assert record.proven_digits >= 30
    assert (record.reason == "") != at_kink


@each_case
@each_dtype
@pytest.mark.parametrize("liar", [ZEROS, SIGN, SCALED], ids=["zeros", "wrong sign", "one percent"])
def test_a_wrong_gradient_fails_with_got_expected_and_allowed(case, dtype, liar):
    record = judged(liar, case, dtype)
    assert (record.outcome, record.verdict) == (Outcome.FAIL, Verdict.DIFFERS)
    values = rf"\w+\[[\d, ]*\]: computed {NUMBER}, true {NUMBER}"
    assert re.fullmatch(rf"{values} \(\S+ of the largest element; \S+ allowed\)", record.reason)
    assert record.scaled_error > allowed(dtype)


def test_the_message_of_a_zero_gradient_is_exact():
    record = judged(ZEROS, "function_2")
    x, cotangent = catalogue()["function_2"].draw("ordinary", "float64", 0)
    worst = max((2 * x[0] * cotangent).tolist(), key=abs)
    where = int(np.argmax(np.abs(x[0])))
    assert record.reason == (
        f"x[{where}]: computed 0.0, true {worst!r} (1.0e+00 of the largest element; 1.5e-08 allowed)"
    )


@each_case
def test_the_wrong_sign_is_wrong_by_twice_the_gradient(case):
    assert judged(SIGN, case).scaled_error == pytest.approx(2.0, rel=1e-14, abs=0)


@each_case
@pytest.mark.parametrize(("liar", "word"), [(NAN, "nan"), (INF, "inf")], ids=["nan", "inf"])
def test_nan_and_infinity_fail(case, liar, word):
    record = judged(liar, case)
    assert record.outcome is Outcome.FAIL
    assert re.match(rf"\w+\[[\d, ]*\]: computed {word}, true {NUMBER} ", record.reason)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), case=st.sampled_from([n for n in WITH_GRADIENT if n != "two_layer_net"]))
def test_one_nan_anywhere_in_any_argument_fails(data, case):
    honest = judged(HONEST, case)
    position = data.draw(st.integers(0, len(catalogue()[case].argnums) - 1))
    place = data.draw(st.integers(0, 10_000))

    @final
    class OneNan(Around):
        def change(self, value, arrays, args):
            flat = arrays[position].reshape(-1)
            flat[place % flat.size] = np.nan
            return value, arrays

    record = judged(OneNan(), case)
    assert honest.outcome is Outcome.PASS
    assert record.outcome is Outcome.FAIL
    assert "computed nan" in record.reason
    assert np.isnan(record.error_ulp)


@each_case
@pytest.mark.parametrize(("size", "outcome"), [(1e-6, Outcome.FAIL), (1e-12, Outcome.PASS)])
def test_one_element_wrong_by_a_millionth_fails_in_float64(case, size, outcome):
    record = judged(claims(gradient=lambda g: one_entry(g, lambda v: v * (1 + size))), case)
    assert record.outcome is outcome
    assert record.scaled_error == pytest.approx(size, rel=1e-2, abs=0)
    assert f"({size:.1e} of the largest element" in record.reason or outcome is Outcome.PASS


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", ["sigmoid", "softmax", "cross_entropy_error"])
def test_a_lie_within_the_interim_tolerance_is_shown_and_passes(case, dtype):
    """The gap that the interim tolerance leaves: half of the digits may be a lie.

    A tenth digit that is wrong passes in float64; its size stands in the row all the same, proven, and a
    tolerance derived from the program would catch it. Just beyond the tolerance it is caught.
    """
    edge = allowed(dtype)
    within, beyond = (
        judged(
            claims(gradient=lambda g, size=size: one_entry(g, lambda v: v * v.dtype.type(1 + size))),
            case,
            dtype,
        )
        for size in (edge * 0.9, edge * 1.1)
    )
    assert (within.outcome, within.reason) == (Outcome.PASS, "")
    assert within.scaled_error == pytest.approx(0.9 * edge, rel=1e-2, abs=0)
    assert within.error_ulp > 0.4 / np.sqrt(np.finfo(dtype).eps)
    assert beyond.outcome is Outcome.FAIL


def test_the_tenth_digit_may_be_a_lie_for_now_and_the_eighth_not():
    for digit, outcome in ((10, Outcome.PASS), (8, Outcome.FAIL), (7, Outcome.FAIL)):
        lie = claims(gradient=lambda g, digit=digit: one_entry(g, lambda v: v * (1 + 5.0 * 10.0**-digit)))
        record = judged(lie, "softmax")
        assert record.outcome is outcome
        assert record.scaled_error == pytest.approx(5.0 * 10.0**-digit, rel=1e-4, abs=0)


@each_case
def test_one_element_wrong_by_a_thousandth_fails_in_float32(case):
    record = judged(
        claims(gradient=lambda g: one_entry(g, lambda v: v * v.dtype.type(1.001))), case, "float32"
    )
    assert record.outcome is Outcome.FAIL


def test_one_wrong_argument_of_four_is_enough_and_is_named():
    @final
    class WrongBias(Around):
        def change(self, value, arrays, args):
            return value, [*arrays[:3], -arrays[3]]

    record = judged(WrongBias(), "two_layer_net")
    assert record.outcome is Outcome.FAIL
    assert record.reason.startswith("b2[")


def test_gradients_in_the_wrong_order_fail():
    @final
    class Swapped(Around):
        def change(self, value, arrays, args):
            return value, arrays[::-1]

    assert judged(Swapped(), "mean_squared_error").outcome is Outcome.FAIL
    assert "shape" in judged(Swapped(), "two_layer_net").reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda g: g.T.copy(), "x: shape (4, 3) instead of (3, 4)"),
        (lambda g: g.sum(), "x: shape () instead of (3, 4)"),
        (lambda g: g[None], "x: shape (1, 3, 4) instead of (3, 4)"),
        (lambda g: g.astype("float32"), "x: dtype float32 instead of float64"),
        (lambda g: g.astype("longdouble"), "x: dtype float128 instead of float64"),
        (lambda g: None, "x: no gradient (None), which is not a zero gradient"),
    ],
)
def test_a_gradient_of_the_wrong_form_fails_in_plain_words(change, reason):
    record = judged(claims(gradient=change), "softmax")
    assert (record.outcome, record.verdict, record.reason) == (Outcome.FAIL, Verdict.DIFFERS, reason)


def test_float64_from_a_float32_program_fails():
    record = judged(claims(gradient=lambda g: g.astype("float64")), "softmax", "float32")
    assert record.reason == "x: dtype float64 instead of float32"


def test_a_missing_or_an_extra_gradient_fails():
    @final
    class Lists(Around):
        def __init__(self, change):
            self.change_list = change

        def change(self, value, arrays, args):
            return value, self.change_list(arrays)

    assert judged(Lists(lambda a: a[:1]), "mean_squared_error").reason == "1 gradients instead of 2"
    assert judged(Lists(lambda a: a * 2), "softmax").reason == "2 gradients instead of 1"


def test_a_zero_gradient_where_there_is_none_fails():
    @final
    class Zero(Around):
        def change(self, value, arrays, args):
            return value, [np.zeros_like(args[0])]

    record = judged(Zero(), "step_function")
    assert (record.outcome, record.reason) == (Outcome.FAIL, "x: a gradient where there is none")


def test_no_gradient_on_both_sides_passes_and_says_so():
    record = judged(HONEST, "step_function")
    assert (record.outcome, record.reason) == (Outcome.PASS, "no gradient, on both sides")


@pytest.mark.parametrize("case", [n for n in WITH_GRADIENT if n != "identity_function"])
def test_returning_the_input_fails(case):
    @final
    class Input(Around):
        def change(self, value, arrays, args):
            return value, [np.array(args[i]) for i in catalogue()[case].argnums]

    assert judged(Input(), case).outcome is Outcome.FAIL


@each_case
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda v: np.asarray(v + v.dtype.type(1)),
            r"value differs from the reference's by 1\.0e\+00, where its largest is \d\.\de[+-]\d\d$",
        ),
        (
            lambda v: np.asarray(v * v.dtype.type(np.nan)),
            r"value differs from the reference's by nan, where its largest is \d\.\de",
        ),
        (lambda v: v[None], r"value: float64\(1,.*\) instead of float64\("),
        (lambda v: v.astype(int), r"value: int64\(.*\) instead of float64\("),
        (lambda v: v * 1.000001, r"value differs from the reference's by \d\.\de-\d\d, where its largest"),
    ],
)
def test_a_wrong_value_beside_a_right_gradient_fails(case, change, reason):
    record = judged(claims(value=change), case)
    assert record.outcome is Outcome.FAIL
    assert re.match(reason, record.reason)


@pytest.mark.parametrize(("dtype", "other"), [("float64", "float32"), ("float32", "float64")])
def test_a_value_in_another_width_beside_a_right_gradient_fails(dtype, other):
    record = judged(claims(value=lambda v: v.astype(other)), "relu", dtype, "saturated-20")
    assert record.outcome is Outcome.FAIL


class Raising(Oracle):
    """Raises in one of its steps."""

    name = "fake"

    def __init__(self, step, problem=None):
        self.step, self.problem = step, problem or ValueError(f"broken in {step}\nand a second line")

    def raising(self, step, honest):
        def call(*args):
            if step == self.step:
                raise self.problem
            return honest(*args)

        return call

    def unavailable(self):
        return self.raising("unavailable", lambda: "")()

    def unsupported(self, case):
        return self.raising("unsupported", lambda: "")()

    def prepare(self, case, dtype):
        honest = self.raising("prepare", NumpyOracle().prepare)(case, dtype)
        steps = ("load", "value", "gradient", "fetch_value", "fetch_gradient")
        return Subject(**{step: self.raising(step, getattr(honest, step)) for step in steps})


STEPS = [
    "unavailable",
    "unsupported",
    "prepare",
    "load",
    "value",
    "gradient",
    "fetch_value",
    "fetch_gradient",
]


@pytest.mark.parametrize("timing", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_an_oracle_that_raises_gives_a_row_with_the_message(step, timing):
    record = judged(Raising(step), timing=timing)
    assert (record.outcome, record.reason) == (Outcome.ERROR, f"ValueError: broken in {step}")
    assert record.outcome.failing


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (RuntimeError(), "RuntimeError"),
        (ImportError("no jaxlib"), "ImportError: no jaxlib"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_any_exception_becomes_a_row_also_without_a_message(problem, reason):
    assert judged(Raising("gradient", problem)).reason == reason


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit])
def test_the_users_interrupt_is_not_a_row(problem):
    with pytest.raises(problem):
        judged(Raising("gradient", problem()))


def test_an_oracle_that_fails_only_when_it_is_timed_gives_a_row():
    @final
    class Tired(Around):
        calls = 0

        def change(self, value, arrays, args):
            self.calls += 1
            if self.calls > 2:
                raise RuntimeError("tired")
            return value, arrays

    assert judged(Tired()).outcome is Outcome.PASS
    assert judged(Tired(), timing=True).reason == "RuntimeError: tired"


@final
class Half(Around):
    """A legal slope at relu's kink that is neither the document's nor the frameworks'; `factor` off it."""

    def __init__(self, factor, elsewhere=1.0):
        self.factor, self.elsewhere = factor, elsewhere

    def change(self, value, arrays, args):
        return value, [np.where(args[0] == 0, self.factor * arrays[0], self.elsewhere * arrays[0])]


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0])
def test_a_legal_choice_at_a_kink_is_a_convention(factor):
    record = judged(Half(factor), "relu", input_name="zeros")
    assert (record.outcome, record.verdict) == (Outcome.PASS, Verdict.CONVENTION)
    assert record.reason == "12 elements on a kink hold a legal value"
    assert record.max_abs_error == 0


@pytest.mark.parametrize("factor", [-0.01, 1.01, 2.0, np.nan])
def test_an_illegal_choice_at_a_kink_fails(factor):
    assert judged(Half(factor), "relu", input_name="zeros").outcome is Outcome.FAIL


def test_a_kink_excuses_nothing_away_from_it():
    assert judged(Half(0.5), "relu", input_name="large").verdict is Verdict.CONVENTION
    assert judged(Half(0.5, elsewhere=1.1), "relu", input_name="large").outcome is Outcome.FAIL


SMOOTH = [
    (name, maker.name)
    for name in WITH_GRADIENT
    if name != "relu"
    for maker in catalogue()[name].inputs
    if maker.name in {"zeros", "ties", "equal-rows"}
]


@pytest.mark.parametrize(("case", "input_name"), SMOOTH, ids=["-".join(p) for p in SMOOTH])
def test_what_only_looks_like_a_kink_excuses_nothing(case, input_name):
    """sigmoid's two halves meet smoothly at 0, and the ties of a stable softmax's maximum cancel."""
    assert judged(HONEST, case, input_name=input_name).verdict is Verdict.AGREES
    shifted = judged(
        claims(gradient=lambda g: g + 0.01 * max(1.0, np.max(np.abs(g)))), case, input_name=input_name
    )
    assert (shifted.outcome, shifted.verdict) == (Outcome.FAIL, Verdict.DIFFERS)
    longer = judged(SCALED, case, input_name=input_name)
    assert longer.outcome is (Outcome.FAIL if np.any(hand_derived(case, input_name)) else Outcome.PASS)


def hand_derived(case, input_name):
    case = catalogue()[case]
    args, cotangent = case.draw(input_name, "float64", 0)
    found = case.vjp(cotangent, *args)
    return np.concatenate([np.ravel(a) for a in (found if isinstance(found, tuple) else (found,))])


def test_a_gradient_where_zeros_are_true_fails():
    """function_2 at 0: the largest true element is 0."""
    record = judged(claims(gradient=lambda g: g + 1), "function_2", input_name="zeros")
    assert record.outcome.failing


def test_a_gradient_where_zeros_are_true_fails_with_got_and_true():
    record = judged(claims(gradient=lambda g: g + 1), "function_2", input_name="zeros")
    assert record.outcome is Outcome.FAIL
    assert "computed 1.0, true 0.0" in record.reason


def test_masking_every_entry_is_no_pass():
    masked = claims(gradient=lambda g: np.ma.array(g * 7, mask=True))
    assert judged(masked).outcome is not Outcome.PASS


@final
class Overwriting(Oracle):
    """Zeroes its arguments in place, then answers rightly for zeros."""

    name = "fake"

    def unsupported(self, case):
        return ""

    def prepare(self, case, dtype):
        honest = NumpyOracle().prepare(case, dtype)

        def value(*args):
            args[0][...] = 0
            return honest.value(*args)

        return Subject(np.asarray, value, honest.gradient, honest.fetch_value, honest.fetch_gradient)


def test_an_oracle_that_overwrites_its_input_is_compared_at_the_point_drawn():
    assert judged(Overwriting(), "sigmoid").outcome is Outcome.FAIL


def test_a_liar_that_decides_not_informs_only():
    @final
    class Informing(Around):
        decides = False

        def change(self, value, arrays, args):
            return value, [-a for a in arrays]

    record = judged(Informing())
    assert (record.outcome, record.verdict) == (Outcome.INFO, Verdict.ESTIMATE)
    assert record.scaled_error == pytest.approx(2.0, rel=1e-14, abs=0)


def test_a_wrong_direction_is_shown_by_its_distance():
    from oracles import Direction

    @final
    class Directed(Oracle):
        name, decides = "fake", False

        def unsupported(self, case):
            return ""

        def prepare(self, case, dtype):
            honest = NumpyOracle().prepare(case, dtype)

            def fetch(gradient):
                along = float(np.sum(gradient)) + 0.25
                return Gradient((gradient,), (Direction((np.ones_like(gradient),), along),), 0.5, "a note")

            return Subject(honest.load, honest.value, honest.gradient, honest.fetch_value, fetch)

    record = judged(Directed(), "sigmoid")
    assert record.reason == "a note; 1 random directions, off by 2.5e-01"
    assert record.error_estimate == 0.5


KNOWN = KnownDefect("softmax", "fake", "float64", ("ordinary",), "it lies", "https://example.org/1")
ROW = {Row("softmax", "fake", "float64", "ordinary"): KNOWN}


def test_a_liar_in_the_known_list_is_known_and_goes_stale_when_it_is_mended():
    lying = judged(SIGN, "softmax", known=ROW)
    assert (lying.outcome, lying.reason) == (Outcome.KNOWN, "it lies (https://example.org/1)")
    assert lying.verdict is Verdict.DIFFERS
    assert not lying.outcome.failing
    mended = judged(HONEST, "softmax", known=ROW)
    assert mended.outcome is Outcome.STALE
    assert mended.outcome.failing
    assert judged(SIGN, "softmax", "float32", known=ROW).outcome is Outcome.FAIL
