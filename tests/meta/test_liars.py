"""The tester, tested: every way of being wrong is caught, in words that say what is wrong."""

import dataclasses
import re
from typing import final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cases import catalogue
from harness.cases.case import Case
from harness.proof.evidence import budget
from harness.runs.known import KnownDefect
from harness.runs.record import Row
from harness.runs.row import examined
from harness.verdicts import Outcome, Verdict
from oracles import Direction, Gradient, NumpyOracle, Oracle, Subject
from oracles.exact.program.errors import Undecided
from tests.meta.liars import Around, Honest, changed, claims, judged

WITH_GRADIENT = [name for name, case in catalogue().items() if case.vjp]
# What takes seconds is asked in test_runner, once.
ORDINARY = [
    (n, m.name) for n in WITH_GRADIENT for m in catalogue()[n].inputs if not m.boundary and not m.heavy
]
EXACT = {"identity_function", "relu"}  # their programs do not round
each_case = pytest.mark.parametrize("case", WITH_GRADIENT)
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])
LEAVE = "a gradient must leave its arguments alone"


def one_entry(array, change):
    array = array.copy()
    flat = array.reshape(-1)
    worst = np.argmax(np.abs(flat))
    flat[worst] = change(flat[worst])
    return array


def up(number):
    """The next number away from 0."""
    return np.nextafter(number, number.dtype.type(np.copysign(np.inf, number)))


HONEST = claims()
ZEROS = claims(gradient=np.zeros_like)
SIGN = claims(gradient=np.negative)
NAN = claims(gradient=lambda g: np.full_like(g, np.nan))
INF = claims(gradient=lambda g: one_entry(g, lambda v: v.dtype.type(np.inf)))
SCALED = claims(gradient=lambda g: g * g.dtype.type(1.01))
OFF = r"\S+ ulps off, where the rounding of its program allows \S+( .*)?"


@pytest.mark.parametrize(("case", "input_name"), ORDINARY, ids=["-".join(p) for p in ORDINARY])
@each_dtype
def test_an_honest_oracle_passes(case, input_name, dtype):
    record = judged(HONEST, case, dtype, input_name)
    at_kink = case == "relu" and input_name == "large"
    assert record.outcome is Outcome.PASS
    assert record.verdict is (Verdict.CONVENTION if at_kink else Verdict.ACCURATE)
    assert (record.diagnosis != "") == at_kink
    assert record.bits_lost < budget(dtype) / 2
    assert at_kink or record.error_ulp <= record.bound_ulp
    assert record.proven_digits >= 30


# -- another result than its program's --------------------------------------------------------------------


@each_case
@each_dtype
@pytest.mark.parametrize("liar", [ZEROS, SIGN, SCALED], ids=["zeros", "wrong sign", "one percent"])
def test_a_result_that_its_program_does_not_give_is_miscomputed(case, dtype, liar):
    record = judged(liar, case, dtype)
    assert (record.outcome, record.verdict) == (Outcome.FAIL, Verdict.MISCOMPUTED)
    assert re.fullmatch(OFF.replace("( .*)?", ".*"), record.diagnosis)
    assert record.error_ulp > record.bound_ulp


@each_case
@pytest.mark.parametrize(("liar", "said"), [(NAN, "not a number"), (INF, "infinite")], ids=["nan", "inf"])
def test_nan_and_infinity_are_miscomputed(case, liar, said):
    record = judged(liar, case)
    assert (record.outcome, record.verdict) == (Outcome.FAIL, Verdict.MISCOMPUTED)
    assert record.diagnosis.startswith(f"{said}, where the truth is {record.true_digits}")
    assert not np.isfinite(record.computed)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), case=st.sampled_from([n for n in WITH_GRADIENT if n != "two_layer_net"]))
def test_one_nan_anywhere_in_any_argument_fails(data, case):
    position = data.draw(st.integers(0, len(catalogue()[case].argnums) - 1))
    place = data.draw(st.integers(0, 10_000))

    @final
    class OneNan(Around):
        def change(self, value, arrays, args):
            flat = arrays[position].reshape(-1)
            flat[place % flat.size] = np.nan
            return value, arrays

    record = judged(OneNan(), case)
    assert record.outcome is Outcome.FAIL
    assert record.where.startswith(catalogue()[case].differentiated[position])
    assert np.isnan(record.computed)
    assert np.isnan(record.error_ulp)


# In float32 the bound of two_layer_net reaches as far as the budget.
DTYPES = ("float64", "float32")
BOUNDED = [(c, d) for c in WITH_GRADIENT for d in DTYPES if (c, d) != ("two_layer_net", "float32")]


@pytest.mark.parametrize(("case", "dtype"), BOUNDED)
def test_last_digits_that_no_rounding_explains_are_miscomputed(case, dtype):
    """Within the budget of lost bits: only the program's own bound tells it."""
    size = {"float64": 1e-9, "float32": 2e-4}[dtype]
    lie = claims(gradient=lambda g: one_entry(g, lambda v: v * v.dtype.type(1 + size)))
    record = judged(lie, case, dtype)
    assert (record.outcome, record.verdict) == (Outcome.FAIL, Verdict.MISCOMPUTED)
    assert record.bits_lost <= budget(dtype)


@pytest.mark.parametrize("case", ["sigmoid", "softmax", "softmax_loss", "two_layer_net"])
@each_dtype
def test_one_ulp_is_within_the_rounding_of_a_program(case, dtype):
    honest = judged(HONEST, case, dtype)
    record = judged(claims(gradient=lambda g: one_entry(g, up)), case, dtype)
    assert (record.outcome, record.verdict) == (Outcome.PASS, Verdict.ACCURATE)
    assert record.bits_lost >= honest.bits_lost


@pytest.mark.parametrize("case", sorted(EXACT))
@each_dtype
def test_one_ulp_is_miscomputed_where_nothing_rounds(case, dtype):
    record = judged(claims(gradient=lambda g: one_entry(g, up)), case, dtype)
    assert (record.outcome, record.verdict) == (Outcome.FAIL, Verdict.MISCOMPUTED)
    assert record.diagnosis == "1 ulps off, where the rounding of its program allows 0"


@pytest.mark.parametrize("case", ["sigmoid", "softmax", "softmax_loss"])
@pytest.mark.parametrize("end", ["lower", "upper"])
def test_the_programs_bound_is_a_sharp_edge(case, end):
    ball = examined(catalogue()[case], "ordinary", "float64", 0, NumpyOracle()).bound.balls[0].flat[0]
    inside = float(getattr(ball, end)())
    if inside not in ball:
        inside = float(np.nextafter(inside, float(ball.mid())))
    outward = -np.inf if end == "lower" else np.inf

    def claiming(number):
        def change(g):
            g.reshape(-1)[0] = number
            return g

        return claims(gradient=change)

    assert judged(Once(claiming(inside)), case).verdict is Verdict.ACCURATE
    beyond = float(np.nextafter(inside, outward))
    assert beyond not in ball
    record = judged(Once(claiming(beyond)), case)
    assert (record.verdict, record.computed) == (Verdict.MISCOMPUTED, beyond)


@final
class Once(Around):
    """Lies in every run with the cotangent it was first given, and scales the lie with it."""

    def __init__(self, liar):
        self.liar = liar

    def change(self, value, arrays, args):
        raise AssertionError("unreachable")

    def subject(self, case, dtype):
        lying = self.liar.subject(case, dtype)
        first = []

        def gradient(cotangent, *args):
            first.append(cotangent)
            scale = cotangent.flat[0] / first[0].flat[0]
            found = lying.gradient(first[0], *args)
            return Gradient(tuple(scale * g for g in found.arrays))

        return dataclasses.replace(lying, gradient=gradient)


def test_one_wrong_argument_of_four_is_enough_and_is_named():
    @final
    class WrongBias(Around):
        def change(self, value, arrays, args):
            return value, [*arrays[:3], -arrays[3]]

    record = judged(WrongBias(), "two_layer_net")
    assert record.verdict is Verdict.MISCOMPUTED
    assert record.where.startswith("b2[")


def test_gradients_in_the_wrong_order_fail():
    @final
    class Swapped(Around):
        def change(self, value, arrays, args):
            return value, arrays[::-1]

    assert judged(Swapped(), "mean_squared_error").verdict is Verdict.MISCOMPUTED
    assert (
        "W1: the gradient has shape (3,) instead of (4, 5); "
        "b1: the gradient has shape (5, 3) instead of (5,); " in judged(Swapped(), "two_layer_net").diagnosis
    )


@pytest.mark.parametrize("case", [n for n in WITH_GRADIENT if n != "identity_function"])
def test_returning_the_input_fails(case):
    @final
    class Input(Around):
        def change(self, value, arrays, args):
            return value, [np.array(args[i]) for i in catalogue()[case].argnums]

    record = judged(Input(), case)
    assert (record.outcome, record.verdict) == (Outcome.FAIL, Verdict.MISCOMPUTED)


def test_masking_every_entry_is_no_pass():
    masked = claims(gradient=lambda g: np.ma.array(g * 7, mask=True))
    assert judged(masked).outcome is Outcome.FAIL


def test_a_gradient_where_zeros_are_true_fails_with_got_and_true():
    """function_2 at 0: the truth is 0, and no bits can be lost of it."""
    record = judged(claims(gradient=lambda g: g + 1), "function_2", input_name="zeros")
    assert (record.outcome, record.verdict) == (Outcome.FAIL, Verdict.MISCOMPUTED)
    assert (record.computed, record.true) == (1.0, 0.0)


# -- another formula --------------------------------------------------------------------------------------


@each_case
@each_dtype
@pytest.mark.parametrize("factor", [1.01, 1 + 2.0**-20, -1.0, 0.0])
def test_a_program_of_another_gradient_is_wrong_with_both_numbers(case, dtype, factor):
    record = judged(changed(lambda g: g * g.dtype.type(factor)), case, dtype)
    assert (record.outcome, record.verdict) == (Outcome.FAIL, Verdict.WRONG)
    number, where = r"-?[\d.]+(e[+-]\d+)?", rf"({'|'.join(catalogue()[case].differentiated)})\[[\d, ]+\]"
    assert re.match(
        rf"the formula gives {number} at {where}, the derivative is {number} \(relative error {number}\); "
        r"\d+ of \d+ elements differ",
        record.diagnosis,
    )


def test_one_element_of_a_program_is_enough():
    def first(g):
        g.reshape(-1)[0] *= 1.5
        return g

    record = judged(changed(first), "softmax")
    assert (record.verdict, record.where) == (Verdict.WRONG, "x[0, 0]")
    assert "(relative error 0.5); 1 of 12 elements differ" in record.diagnosis


def test_a_wrong_program_that_returns_the_right_numbers_is_wrong():
    """What is recorded is another formula than what is run: the verdict is the worse one."""

    @final
    class Masked(Honest):
        def subject(self, case, dtype):
            return NumpyOracle().subject(case, dtype)

    liar = Masked(changed(lambda g: 2 * g).vjp)
    record = judged(liar, "sigmoid")
    assert record.verdict is Verdict.WRONG
    assert record.error_ulp < 2


# -- the form of it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "diagnosis"),
    [
        (lambda g: g.T.copy(), "x: the gradient has shape (4, 3) instead of (3, 4)"),
        (lambda g: g.sum(), "x: the gradient has shape () instead of (3, 4)"),
        (lambda g: g[None], "x: the gradient has shape (1, 3, 4) instead of (3, 4)"),
        (lambda g: g[:1], "x: the gradient has shape (1, 4) instead of (3, 4)"),
        (lambda g: g[:, :1], "x: the gradient has shape (3, 1) instead of (3, 4)"),
        (lambda g: g.astype("float32"), "x: the gradient has dtype float32 instead of float64"),
        (lambda g: g.astype("longdouble"), "x: the gradient has dtype float128 instead of float64"),
        (lambda g: g.astype(int), "x: the gradient has dtype int64 instead of float64"),
        (lambda g: None, "x: no gradient (None), which is not a zero gradient"),
    ],
)
def test_a_gradient_of_the_wrong_form_fails_in_plain_words(change, diagnosis):
    record = judged(claims(gradient=change), "softmax")
    assert (record.outcome, record.verdict, record.diagnosis) == (Outcome.FAIL, Verdict.WRONG, diagnosis)


def test_float64_from_a_float32_program_fails():
    record = judged(claims(gradient=lambda g: g.astype("float64")), "softmax", "float32")
    assert record.diagnosis == "x: the gradient has dtype float64 instead of float32"


def test_a_missing_or_an_extra_gradient_fails():
    @final
    class Lists(Around):
        def __init__(self, change):
            self.change_list = change

        def change(self, value, arrays, args):
            return value, self.change_list(arrays)

    missing, extra = judged(Lists(lambda a: a[:1]), "mean_squared_error"), judged(Lists(lambda a: a * 2))
    assert missing.diagnosis.startswith("1 gradient for 2 differentiated arguments: return one for each of ")
    assert extra.diagnosis == "2 gradients for 1 differentiated argument: return one for x"
    assert missing.outcome is extra.outcome is Outcome.FAIL


def test_a_zero_gradient_where_there_is_none_fails():
    @final
    class Zero(Around):
        def change(self, value, arrays, args):
            return value, [np.zeros_like(args[0])]

    record = judged(Zero(), "step_function")
    assert record.outcome is Outcome.FAIL
    assert record.diagnosis.startswith("a gradient where there is none: the value is an integer")


def test_no_gradient_on_both_sides_passes_and_says_so():
    record = judged(HONEST, "step_function")
    assert (record.outcome, record.diagnosis) == (Outcome.PASS, "no gradient, on both sides")


# -- how it behaves ---------------------------------------------------------------------------------------


@final
class Overwriting(Honest):
    """Zeroes what it is given, after it has answered rightly."""

    def __init__(self, position, step):
        super().__init__()
        self.position, self.step = position, step

    def subject(self, case, dtype):
        honest = NumpyOracle().subject(case, dtype)

        def call(*given):
            found = getattr(honest, self.step)(*given)
            given[self.position][...] = 0
            return found

        return dataclasses.replace(honest, **{self.step: call})


@pytest.mark.parametrize(
    ("position", "step", "name"), [(0, "gradient", "the cotangent"), (1, "gradient", "x"), (0, "value", "x")]
)
def test_an_oracle_that_overwrites_what_it_is_given_fails_by_that_name(position, step, name):
    record = judged(Overwriting(position, step), "softmax")
    assert record.outcome is Outcome.FAIL
    assert record.diagnosis.startswith(f"{name} was overwritten: {LEAVE}")


def test_numbers_that_are_right_stay_accurate_where_the_cotangent_is_overwritten():
    record = judged(Overwriting(0, "gradient"), "softmax")
    assert (record.verdict, record.outcome) == (Verdict.ACCURATE, Outcome.FAIL)


def test_a_result_in_an_arguments_memory_is_no_failure():
    @final
    class Input(Honest):
        def subject(self, case, dtype):
            honest = NumpyOracle().subject(case, dtype)
            return dataclasses.replace(honest, gradient=lambda cotangent, x: cotangent)

    assert judged(Input(), "identity_function").outcome is Outcome.PASS


@final
class Alternating(Around):
    """Another result at every second question, `factor` times the right one."""

    def __init__(self, factor, first):
        self.factor, self.turn = factor, first

    def change(self, value, arrays, args):
        self.turn += 1
        return value, [g * self.factor if self.turn % 2 else g for g in arrays]


@pytest.mark.parametrize("first", [0, 1])
def test_an_oracle_that_is_not_reproducible_is_judged_by_its_worst_and_the_spread_is_said(first):
    record = judged(Alternating(1.001, first), "sigmoid")
    assert (record.outcome, record.verdict) == (Outcome.FAIL, Verdict.MISCOMPUTED)
    assert re.search(r"; not reproducible: two runs differ by \d\S+$", record.diagnosis)
    assert record.error_ulp > 1e12


class AlongOne(Case):
    """A case whose cotangent is drawn as 1."""

    def draw(self, *which):
        args, cotangent = super().draw(*which)
        return args, np.ones_like(cotangent)


@pytest.mark.parametrize(
    "bend", [np.abs, np.square, lambda c: np.maximum(c, 0)], ids=["abs", "square", "maximum"]
)
def test_a_gradient_that_is_not_linear_in_the_cotangent_fails_where_the_cotangent_is_one(bend):
    """Along 1 every number and the recorded formula are right: only another cotangent tells it."""
    case = catalogue()["softmax_loss"]
    along_one = AlongOne(**{f.name: getattr(case, f.name) for f in dataclasses.fields(case)})
    honest = case.vjp
    record = judged(Honest(lambda _: lambda c, *args: honest(bend(c), *args)), along_one)
    assert (record.outcome, record.verdict) == (Outcome.FAIL, Verdict.MISCOMPUTED)
    assert record.diagnosis.startswith("with the cotangent times -2, divided by -2: ")


class Raising(Oracle):
    """Raises in one of its steps."""

    name = "fake"
    machine = "numpy"

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

    def record(self, case, cotangent, args):
        return self.raising("record", NumpyOracle().record)(case, cotangent, args)

    def subject(self, case, dtype):
        honest = self.raising("subject", NumpyOracle().subject)(case, dtype)
        steps = ("load", "value", "gradient", "fetch_value", "fetch_gradient")
        return Subject(**{step: self.raising(step, getattr(honest, step)) for step in steps})


STEPS = [
    "unavailable",
    "unsupported",
    "subject",
    "load",
    "value",
    "gradient",
    "fetch_value",
    "fetch_gradient",
    "record",
]


@pytest.mark.parametrize("timing", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_an_oracle_that_raises_gives_a_row_with_the_message(step, timing):
    record = judged(Raising(step), timing=timing)
    assert (record.outcome, record.diagnosis) == (Outcome.ERROR, f"ValueError: broken in {step}")
    assert record.outcome.failing


@pytest.mark.parametrize(
    ("problem", "diagnosis"),
    [
        (RuntimeError(), "RuntimeError"),
        (ImportError("no jaxlib"), "ImportError: no jaxlib"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_any_exception_becomes_a_row_also_without_a_message(problem, diagnosis):
    assert judged(Raising("gradient", problem)).diagnosis == diagnosis


def test_the_users_interrupt_is_not_a_row():
    with pytest.raises(KeyboardInterrupt):
        judged(Raising("gradient", KeyboardInterrupt()))


def test_what_would_end_the_program_is_a_row():
    found = judged(Raising("gradient", SystemExit(0)))
    assert found.outcome == "error"
    assert "SystemExit(0)" in found.diagnosis
    assert "would end the program" in found.diagnosis


def test_an_oracle_that_fails_only_when_it_is_timed_gives_a_row():
    @final
    class Tired(Around):
        calls = 0

        def change(self, value, arrays, args):
            self.calls += 1
            if self.calls > 4:  # a value, and the gradient: once, again, and scaled
                raise RuntimeError("tired")
            return value, arrays

    assert judged(Tired()).outcome is Outcome.PASS
    assert judged(Tired(), timing=True).diagnosis == "RuntimeError: tired"


# -- what cannot be judged --------------------------------------------------------------------------------


def test_a_program_that_cannot_be_decided_fails_with_the_reason():
    record = judged(Raising("record", Undecided("a branch")), "sigmoid")
    assert (record.outcome, record.verdict) == (Outcome.FAIL, Verdict.UNDECIDED)
    assert record.diagnosis == "a branch"


BLIND = "the formula was not examined, so the numbers alone decide: "


@final
class Opaque(Around):
    record = Oracle.record
    factor = 1.0

    def change(self, value, arrays, args):
        return value, tuple(a * a.dtype.type(self.factor) for a in arrays)


def test_an_oracle_that_records_nothing_is_judged_by_its_numbers():
    record = judged(Opaque(), "sigmoid")
    assert (record.outcome, record.verdict) == (Outcome.PASS, Verdict.ACCURATE)
    assert record.diagnosis == f"{BLIND}the fake oracle has no gradient program to record"


@pytest.mark.parametrize("factor", [0.0, -1.0, np.nan, 1.001])
def test_a_lie_that_records_nothing_is_caught(factor, monkeypatch):
    monkeypatch.setattr(Opaque, "factor", factor)
    record = judged(Opaque(), "sigmoid")
    assert record.outcome is Outcome.FAIL
    assert record.verdict in {Verdict.MISCOMPUTED, Verdict.IMPRECISE}
    assert (
        "the formula was not examined: the fake oracle has no gradient program to record" in record.diagnosis
    )


@pytest.mark.parametrize(("decides", "outcome"), [(True, Outcome.FAIL), (False, Outcome.INFO)])
def test_a_case_that_an_oracle_cannot_do_fails_unless_it_only_informs(decides, outcome):
    @final
    class Unable(Honest):
        def unsupported(self, case):
            return f"{case.name} is not written"

    liar = Unable()
    type(liar).decides = decides
    record = judged(liar, "sigmoid")
    assert (record.verdict, record.outcome) == (Verdict.UNSUPPORTED, outcome)
    assert record.diagnosis == "sigmoid is not written"


def test_a_program_with_an_operation_without_a_rule_is_judged_by_its_numbers():
    record = judged(changed(lambda g: np.ldexp(*np.frexp(g))), "sigmoid")
    assert (record.outcome, record.verdict) == (Outcome.PASS, Verdict.ACCURATE)
    assert record.diagnosis.startswith(f"{BLIND}np.frexp has no rule: ")
    record = judged(changed(lambda g: np.frexp(g)[0]), "sigmoid")
    assert (record.outcome, record.verdict) == (Outcome.FAIL, Verdict.MISCOMPUTED)
    assert "the formula was not examined: np.frexp has no rule: " in record.diagnosis


# -- the value --------------------------------------------------------------------------------------------


@each_case
@pytest.mark.parametrize(
    ("change", "verdict", "diagnosis"),
    [
        (
            lambda v: np.asarray(v + v.dtype.type(1)),
            Verdict.MISCOMPUTED,
            r"value: \S+ where the truth is \S+, ",
        ),
        (lambda v: np.asarray(v * np.nan), Verdict.MISCOMPUTED, "value: nan where the truth is "),
        (lambda v: np.asarray(v * 1.000001), Verdict.MISCOMPUTED, r"value: \S+ where the truth is \S+, "),
        (lambda v: v[None], Verdict.WRONG, r"value: shape \(1,.*\) instead of "),
        (lambda v: v.astype(int), Verdict.WRONG, "value: dtype int64 instead of float64"),
        (lambda v: v.astype("float32"), Verdict.WRONG, "value: dtype float32 instead of float64"),
    ],
    ids=["plus one", "nan", "a millionth", "shape", "integer", "narrow"],
)
def test_a_wrong_value_beside_a_right_gradient_fails(case, change, verdict, diagnosis):
    record = judged(claims(value=change), case)
    assert (record.outcome, record.verdict) == (Outcome.FAIL, verdict)
    assert re.match(diagnosis, record.diagnosis)


# -- kinks ------------------------------------------------------------------------------------------------


@final
class Half(Around):
    """A legal slope at relu's kink that is neither the document's nor the frameworks'; `factor` off it."""

    def __init__(self, factor, elsewhere=1.0):
        self.factor, self.elsewhere = factor, elsewhere

    def subject(self, case, dtype):
        return NumpyOracle().subject(self.slanted(case), dtype)

    def record(self, case, cotangent, args):
        return NumpyOracle().record(self.slanted(case), cotangent, args)

    def slanted(self, case):
        def vjp(cotangent, x):
            slope = np.zeros_like(x)
            slope[x > 0] = self.elsewhere
            slope[x == 0] = self.factor
            return cotangent * slope

        return dataclasses.replace(case, vjp=vjp)

    def change(self, value, arrays, args):
        raise AssertionError("unreachable")


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0])
def test_a_legal_choice_at_a_kink_is_a_convention_and_says_which(factor):
    record = judged(Half(factor), "relu", input_name="zeros")
    assert (record.outcome, record.verdict) == (Outcome.PASS, Verdict.CONVENTION)
    assert f" takes {factor:g} of the slope (" in record.diagnosis
    assert record.diagnosis.endswith(", and 11 more elements at kinks")
    assert record.max_abs_error == 0


@pytest.mark.parametrize("factor", [-0.01, 1.01, 2.0])
def test_an_illegal_choice_at_a_kink_is_wrong(factor):
    record = judged(Half(factor), "relu", input_name="zeros")
    assert (record.outcome, record.verdict) == (Outcome.FAIL, Verdict.WRONG)
    assert "the derivative is 0 to " in record.diagnosis
    assert record.diagnosis.endswith("; 12 of 12 elements differ")


def test_a_kink_excuses_nothing_away_from_it():
    assert judged(Half(0.5), "relu", input_name="large").verdict is Verdict.CONVENTION
    assert judged(Half(0.5, elsewhere=1.125), "relu", input_name="large").verdict is Verdict.WRONG


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
    honest = judged(HONEST, case, input_name=input_name)
    assert honest.verdict is not Verdict.CONVENTION
    shifted = claims(gradient=lambda g: g + 0.01 * max(1.0, np.max(np.abs(g))))
    record = judged(shifted, case, input_name=input_name)
    assert (record.outcome, record.verdict) == (Outcome.FAIL, Verdict.MISCOMPUTED)


# -- oracles that only inform -----------------------------------------------------------------------------


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
    @final
    class Directed(Oracle):
        name, decides = "fake", False

        def unsupported(self, case):
            return ""

        def subject(self, case, dtype):
            honest = NumpyOracle().subject(case, dtype)

            def fetch(gradient):
                along = float(np.sum(gradient)) + 0.25
                directions = (Direction((np.ones_like(gradient),), along),)
                return Gradient((gradient,), directions, 0.5, "a note")

            return Subject(honest.load, honest.value, honest.gradient, honest.fetch_value, fetch)

    record = judged(Directed(), "sigmoid")
    assert record.diagnosis == "a note; 1 random directions, off by 2.5e-01"
    assert record.error_estimate == 0.5


# -- known defects ----------------------------------------------------------------------------------------

KNOWN = KnownDefect("softmax", "fake", "float64", ("ordinary",), "it lies", "https://example.org/1")
ROW = {Row("softmax", "fake", "float64", "ordinary"): KNOWN}


def test_a_liar_in_the_known_list_is_known_and_goes_stale_when_it_is_mended():
    lying = judged(SIGN, "softmax", known=ROW)
    assert (lying.outcome, lying.verdict) == (Outcome.KNOWN, Verdict.MISCOMPUTED)
    assert lying.diagnosis.startswith("it lies (https://example.org/1). ")
    assert not lying.outcome.failing
    mended = judged(HONEST, "softmax", known=ROW)
    assert mended.outcome is Outcome.STALE
    assert mended.outcome.failing
    assert mended.diagnosis == (
        "listed in harness/known_defects.toml, and it does not fail any more: remove the entry"
    )
    assert judged(SIGN, "softmax", "float32", known=ROW).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("liar", "outcome"),
    [
        (claims(gradient=lambda g: g[:1]), Outcome.FAIL),
        (claims(gradient=lambda g: g.astype("float32")), Outcome.FAIL),
        (claims(gradient=lambda g: None), Outcome.FAIL),
        (Overwriting(0, "gradient"), Outcome.FAIL),
        (Raising("gradient"), Outcome.ERROR),
        (Raising("record"), Outcome.ERROR),
    ],
    ids=["shape", "dtype", "none", "overwriting", "raising", "raising while recorded"],
)
def test_the_known_list_excuses_a_verdict_and_nothing_else(liar, outcome):
    assert judged(liar, "softmax", known=ROW).outcome is outcome
