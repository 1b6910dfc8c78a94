"""The value beside the gradient: the specification's, or said to be another's."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode

import harness
from harness.dropin import check_grads
from harness.proof.observe import Observed
from harness.proof.question import Question, ValueRule
from harness.proof.remembered import forget
from harness.proof.truth import pose
from harness.proof.value import value_parts
from harness.verdicts import Verdict
from oracles.exact.enclose.slopes import Derived, slopes
from oracles.exact.from_numpy import record
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.frameworks.framework import Gradient, framework

X = np.array([0.5, -1.25, 2.0])


def said(function, program=None, value=None, x=X, dtype="float64", primal=None):
    """The verdict on `value`, computed by `program`, where `function` is the specification, and why."""
    program = program or function
    found = program(x) if value is None else np.asarray(value)
    question = Question(
        lambda arrays: record(function, tuple(arrays), {}),
        ("x",),
        (0,),
        value=ValueRule.COUNTS,
        value_dtype=dtype,
    )
    seen = Observed((found,), Gradient((None,), primal=primal), (), (), (), (), 0.0)
    recording = record(program, (x,), {}, differentiate=False)
    (part,) = value_parts(question, pose(question, [x]), seen, recording, "numpy", "given")
    assert part.name == "value"
    return part.verdict, part.diagnosis


RIGHT = (Verdict.ACCURATE, "")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("function", [np.exp, np.tanh, lambda x: x * x - 3, lambda x: np.sum(x * x)])
def test_the_specification_itself_does_not_differ(function, dtype):
    assert said(function, x=X.astype(dtype), dtype=dtype) == RIGHT


def test_the_same_function_written_otherwise_does_not_differ():
    assert said(lambda x: (x + 1) * (x - 1), lambda x: x * x - 1) == RIGHT
    assert said(lambda x: x / math.pi, lambda x: x * (1 / math.pi)) == RIGHT


@pytest.mark.parametrize("factor", [1.5, 1 + 1e-9, -1.0])
def test_another_function_is_named_with_both_numbers_and_the_place(factor):
    verdict, found = said(lambda x: x * x, lambda x: x * x * factor)
    assert verdict is Verdict.WRONG
    assert found.startswith("value: another function: ")
    assert found.endswith(" instead of 0.250000000000 at (0,)")


def test_a_difference_below_half_an_ulp_is_none():
    assert said(lambda x: x * x, lambda x: x * x * (1 + 2.0**-52) * (1 - 2.0**-53), value=X * X) == RIGHT


def test_another_function_at_one_element_is_found_there():
    def program(x):
        found = x * x
        found[2] += 0.5
        return found

    assert said(lambda x: x * x, program)[1].endswith("4.50000000000 instead of 4.00000000000 at (2,)")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ones((3, 1)), "value: shape (3, 1) instead of (3,)"),
        (np.ones(()), "value: shape () instead of (3,)"),
        (np.ones(3, "float32"), "value: dtype float32 instead of float64"),
        (np.ones(3, int), "value: dtype int64 instead of float64"),
    ],
)
def test_a_value_of_another_form_differs(value, message):
    assert said(lambda x: x * x, value=value) == (Verdict.WRONG, message)


@pytest.mark.parametrize("wrong", [1 + 2.0**-40, math.nan, math.inf, -math.inf])
def test_what_the_program_does_not_compute_is_outside_its_rounding(wrong):
    value = X * X
    value[1] *= wrong
    verdict, found = said(lambda x: x * x, value=value)
    assert verdict is Verdict.MISCOMPUTED
    assert found == (
        f"value: {float(value[1])!r} where the truth is 1.56250000000, outside what its rounding allows"
    )


def test_what_the_derivatives_own_run_returns_is_compared_too():
    verdict, found = said(lambda x: x * x, value=X * X, primal=(X * X * 1.5,))
    assert verdict is Verdict.MISCOMPUTED
    assert found.startswith("value: as the derivative's own run returns it, 0.375 where the truth is 0.25")


def test_one_ulp_within_the_rounding_does_not_differ():
    assert said(np.exp, value=np.nextafter(np.exp(X), 9)) == RIGHT


def test_nan_is_outside_what_any_rounding_allows():
    """exp(1000) overflows, so there is no bound; the truth is a number all the same."""
    x = np.array([1.0, 1000.0])

    def naive(x):
        with np.errstate(over="ignore", invalid="ignore"):
            e = np.exp(x)
            return e / e.sum()

    verdict, found = said(naive, x=x)
    assert verdict is Verdict.MISCOMPUTED
    assert found.startswith("value: nan where the truth is ")
    assert said(naive, value=np.array([0.0, 1.0]), x=x) == RIGHT  # nothing is bounded, no number accused


# -- in a user's check ------------------------------------------------------------------------------------


def cubed():
    """x^2, whose rule returns x^3 as the value beside the right gradient."""

    @jax.custom_vjp
    def function(x):
        return x * x

    function.defvjp(lambda x: (x * x * x, x), lambda x, g: (2 * g * x,))
    return function


def cubed_forward():
    @jax.custom_jvp
    def function(x):
        return x * x

    function.defjvp(lambda primals, tangents: (primals[0] ** 3, 2 * primals[0] * tangents[0]))
    return function


@pytest.mark.parametrize(("make", "mode"), [(cubed, "reverse"), (cubed_forward, "forward")])
@pytest.mark.parametrize("jit", [False, True])
def test_a_custom_rule_whose_primal_is_another_function_is_wrong(make, mode, jit):
    x = jnp.array([1.5, 2.0])
    found = harness.check_gradient(make(), (x,), mode=mode, jit=jit)
    assert found.verdict == "wrong"
    assert not found
    assert "another function: 3.37500000000 instead of 2.25000000000 at (0,)" in str(found)
    assert list(found.rows["verdict"]) == ["accurate", "wrong"]
    assert list(found.rows["argument"])[1] == "value"
    assert found.value.verdict == "wrong"


@pytest.mark.parametrize(("make", "modes"), [(cubed, ["rev"]), (cubed_forward, ["fwd"])])
def test_the_drop_in_raises_for_such_a_primal_as_the_original_does(make, modes):
    with pytest.raises(AssertionError, match="another function"):
        check_grads(make(), (jnp.array([1.5, 2.0]),), 1, modes=modes)


def test_a_primal_that_leaves_out_the_stop_gradient_is_right():
    @jax.custom_vjp
    def function(x):
        return x * jax.lax.stop_gradient(x)

    function.defvjp(lambda x: (x * x, x), lambda x, g: (g * x,))
    assert harness.check_gradient(function, (jnp.array([1.5, 2.0]),)).passed


@pytest.mark.parametrize(
    ("function", "x", "options"),
    [
        (np.tanh, X, {"vjp": lambda g, x: g * (1 - np.tanh(x) ** 2)}),
        (jnp.tanh, jnp.asarray(X), {}),
        (torch.tanh, torch.tensor(X), {}),
    ],
)
def test_a_right_value_stands_in_value_and_is_no_row(function, x, options):
    found = harness.check_gradient(function, (x,), **options)
    assert found.passed
    assert "value" not in list(found.rows["argument"])
    assert found.value.verdict == "accurate"
    assert found.value.judgement.error_ulp <= 1


def test_a_right_gradient_of_a_kernel_whose_value_is_off_stays_right():
    """The value has a row of its own, and a line in the text; the question was about the gradient."""

    with jax.enable_x64(True):
        found = harness.check_gradient(jnp.cosh, (jnp.asarray(np.linspace(0.1, 60, 64)),))
    assert found.passed
    assert found.verdict == "accurate"
    assert list(found.rows["verdict"]) == ["accurate", "miscomputed"]
    assert found.value.verdict == "miscomputed"
    assert "outside what its rounding allows" in str(found)


def test_a_kernel_of_few_digits_may_be_off_by_more_than_a_hundredth():
    """Of a short tensor torch sums the series of i0e in bfloat16: 4 ulps, and still that function."""
    x = torch.tensor([0.0408], dtype=torch.bfloat16)
    result = harness.check_gradient(lambda x: 2 * torch.special.i0e(x), (x,), probes=False)
    assert [part.verdict for part in result.parts if part.of_value] == [Verdict.MISCOMPUTED]
    assert result.verdict is not Verdict.UNDECIDED


@pytest.mark.parametrize("weight", [None, 2.0])
def test_a_loss_that_cancels_in_torch_is_inside_its_bound(weight):
    x, weight = torch.tensor([-15.45, -17.0, 3.0]), weight and torch.tensor(weight)
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    result = harness.check_gradient(
        lambda x: loss(x, torch.zeros(3), reduction="none", pos_weight=weight), (x,), probes=False
    )
    assert result.verdict is Verdict.ACCURATE
    assert [part.verdict for part in result.parts if part.of_value] == [Verdict.ACCURATE]


def test_a_value_that_only_approximates_its_specification_is_a_row_and_a_line():
    found = harness.check_gradient(
        lambda x: np.sin(x) * 1.005, (X,), vjp=lambda g, x: g * np.cos(x), spec=np.sin
    )
    assert (found.passed, found.verdict) == (True, "accurate")
    assert found.value.verdict == "imprecise"
    assert list(found.rows["argument"]) == ["x", "value"]
    assert "value: the function only approximates the specification: its value is" in str(found)


def test_of_a_program_that_cannot_be_recorded_or_a_value_that_is_not_enclosed_nothing_is_said(monkeypatch):
    def undecided(*args, **more):
        raise Undecided("too wide")

    def unsupported(*args, **more):
        raise Unsupported("no rule")

    monkeypatch.setattr("harness.proof.value.refined", undecided)
    assert said(lambda x: x * x, lambda x: x * x * 1.5, value=X * X) == RIGHT
    monkeypatch.undo()
    monkeypatch.setattr("harness.proof.truth.slopes", lambda *given: Derived(slopes(*given).parts, None))
    monkeypatch.setattr("harness.proof.truth.refined", undecided)
    forget()
    assert said(lambda x: x * x) == (Verdict.UNDECIDED, "value: too wide")
    monkeypatch.undo()
    monkeypatch.setattr("harness.proof.tied.bounded", unsupported)
    assert said(lambda x: x * x, value=X) == RIGHT


# -- what runs is what is recorded ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.ravel("K") * np.arange(6.0),
        lambda x: x.flatten("A") * np.arange(6.0),
        lambda x: x.reshape((3, 2), order="A") * np.arange(6.0).reshape(3, 2),
        lambda x: x.ravel() * np.arange(6.0) if x.flags.c_contiguous else x.T.ravel() * np.arange(6.0),
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_numpys_memory_order_is_that_of_the_given_array(function, order):
    x = np.array(np.arange(1.0, 7.0).reshape(2, 3), order=order)
    g = np.array([1.0, -2.0, 0.5, 3.0, -1.0, 2.0]).reshape(np.shape(function(x)))

    def right(g, x):
        """The transpose of a linear function, column by column."""
        found = np.zeros_like(x)
        for at in np.ndindex(x.shape):
            unit = np.zeros_like(x)
            unit[at] = 1
            found[at] = np.sum(g * function(unit))
        return found

    constant = right(g, x)
    assert (
        harness.check_gradient(function, (x,), vjp=lambda g, x: constant, cotangent=g, probes=False).verdict
        != "wrong"
    )
    exact = harness.exact_gradient(function, (x,), cotangent=g)
    assert np.array_equal(exact.mid, constant)


@pytest.mark.parametrize("make", [lambda t: t, lambda t: t.T, lambda t: t[::2, 1::3], lambda t: t[::2].T])
def test_torchs_strides_are_those_of_the_given_tensor(make):
    """A kernel is chosen by strides: recorded on others it computes other bits, and there is no bound."""
    x = make(torch.randn(12, 24, dtype=torch.float64))
    w = torch.randn(x.shape[1], 5, dtype=torch.float64)
    seen = []

    def function(x):
        seen.append(x.stride())
        return torch.softmax(x @ w, -1)

    assert harness.check_gradient(function, (x,)).passed
    seen.clear()
    recording = framework("torch").record(function, (x,), differentiate=True)
    assert set(seen) == {x.stride()}
    assert np.array_equal(recording.executed()[0].astype(float), torch.softmax(x @ w, -1).numpy())


@pytest.mark.parametrize(
    ("function", "x", "options"),
    [
        (lambda x: 2 * x if _get_current_dispatch_mode() else 3 * x, torch.tensor(X), {}),
        (lambda x: 2 * x if hasattr(x, "tape") else 3 * x, X, {"vjp": lambda g, x: 2 * g}),
        (lambda x: 3 * x if not isinstance(x, jax.core.Tracer) else 2 * x, jnp.asarray(X), {}),
    ],
)
def test_a_function_that_takes_another_path_where_it_is_recorded_is_undecided(function, x, options):
    found = harness.check_gradient(function, (x,), **options)
    assert found.verdict == "undecided"
    assert "the recorded run " in str(found)


def test_an_argument_that_is_called_value_has_its_row():
    found = harness.check_gradient(lambda value: value * value, (X,), vjp=lambda g, value: 3 * g * value)
    assert (found.verdict, list(found.rows["argument"])) == ("wrong", ["value"])
    assert found.value.verdict == "accurate"
