"""check_gradient on gradients whose verdict is known, and its messages."""

import math
import pickle
import warnings
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch

from harness.check import check_gradient
from harness.result import Fixed
from harness.verdicts import Verdict
from oracles.exact.core import library

X, Y = np.array([0.5, -1.25, 2.0]), np.array([3.0, 0.25, -1.5])


def square(x):
    return x * x


def square_vjp(cotangent, x):
    return 2 * cotangent * x


def product(x, y):
    return x * y


def product_vjp(cotangent, x, y):
    return cotangent * y, cotangent * x


def checked(vjp=square_vjp, f=square, args=(X,), **more):
    return check_gradient(f, args, vjp=vjp, **more)


# -- what passes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", ml_dtypes.bfloat16])
def test_a_right_gradient_is_accurate_in_every_dtype(dtype):
    found = checked(lambda g, x: (g * x) + (g * x), args=(X.astype(dtype),))
    assert (found.verdict, found.passed, found.diagnosis) == (Verdict.ACCURATE, True, "")
    assert found.worst.bits_lost == 0


def test_a_result_is_true_where_it_passed():
    assert checked()
    assert not checked(lambda g, x: 2.002 * g * x)
    assert not checked(lambda g, x: (g * x).astype("float32") * 2)  # a fault, and the numbers may be right
    assert not check_gradient(lambda x: np.fft.fft(x), (X,), vjp=square_vjp)  # not proven


def test_several_arguments_are_all_judged_by_their_names():
    assert checked(product_vjp, product, (X, Y)).passed
    found = checked(lambda g, x, y: (g * y, 1.001 * g * x), product, (X, Y))
    assert found.verdict is Verdict.WRONG
    assert found.worst.where.startswith("y[")


@pytest.mark.parametrize(("argnums", "vjp"), [
    (1, lambda g, x, y: g * x),
    ((1,), lambda g, x, y: (g * x,)),
    ((1, 0), lambda g, x, y: (g * x, g * y)),
])  # fmt: skip
def test_argnums_choose_the_arguments_and_their_order(argnums, vjp):
    assert checked(vjp, product, (X, Y), argnums=argnums).passed
    assert not checked(lambda *a: product_vjp(*a)[:1], product, (X, Y), argnums=argnums).passed


def test_integers_are_constants():
    assert checked(lambda g, x, n: g * n, lambda x, n: x * n, (X, np.array([1, 2, 3]))).passed


def test_a_given_cotangent_is_the_one_that_is_used():
    found = checked(lambda g, x: g * x + x, cotangent=np.ones(3))
    assert found.parts[0].verdict is Verdict.ACCURATE  # along ones it is the right formula, and
    assert not found.passed  # a probe tells it
    assert found.diagnosis.startswith("along a tiny cotangent: the formula gives ")
    assert checked(lambda g, x: g * x + x, cotangent=np.full(3, 2.0)).verdict is Verdict.WRONG


def test_a_drawn_cotangent_is_seeded_and_signed():
    seen = []
    for seed in (0, 0, 1):
        checked(lambda g, x: seen.append(np.array(g)) or 2 * g * x, seed=seed)
    first, again, other = seen[0], seen[len(seen) // 3], seen[2 * len(seen) // 3]
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("x", [np.array(2.0), 2.0])
def test_a_number_is_an_array_without_axes(x):
    assert checked(args=(x,)).worst.where == "x"


def test_an_empty_argument_has_nothing_to_compare_which_is_not_a_pass():
    found = checked(args=(np.zeros((0, 3)),))
    assert (found.verdict, found.passed) == (Verdict.NONE, False)
    assert found.diagnosis == "nothing to compare: the shape is (0, 3)"
    assert str(found).startswith("square_vjp/x [float64, (0, 3), seed 0]: nothing compared")


@pytest.mark.parametrize(
    ("f", "options"), [(np.sin, {"vjp": lambda g, x: 5 * g}), (torch.sin, {}), (jnp.sin, {})]
)
def test_along_a_cotangent_of_zeros_nothing_is_verified(f, options):
    """A wrong rule has the right zeros there, so it is no pass."""
    x = {np.sin: np.array, torch.sin: torch.tensor, jnp.sin: jnp.array}[f]([0.5, 2.0])
    found = check_gradient(f, (x,), cotangent=np.zeros(2), **options)
    assert (found.verdict, found.passed) == ("", False)
    assert found.diagnosis.startswith("nothing to compare: the cotangent is zero everywhere")
    if f is not np.sin:
        along = check_gradient(f, (x,), cotangent=np.zeros(2), mode="forward")
        assert "the tangent is zero" in along.diagnosis


def test_beside_an_argument_with_numbers_an_empty_one_is_no_matter():
    def both(x, y):
        return np.concatenate([x * x, y * y])

    def both_vjp(cotangent, x, y):
        return 2 * cotangent[:3] * x, 2 * cotangent[3:] * y

    assert checked(both_vjp, both, (X, np.zeros(0))).passed


# -- what does not ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("vjp", "message"), [
    (lambda g, x: None, "no gradient (None), which is not a zero gradient"),
    (lambda g, x: (g, g), "2 gradients for 1 differentiated argument: return one for x"),
    (lambda g, x: 2 * g[:1] * x[:1], "the gradient has shape (1,) instead of (3,)"),
    (lambda g, x: (2 * g * x).astype("float32"), "the gradient has dtype float32 instead of float64"),
])  # fmt: skip
def test_what_is_no_gradient_is_wrong_in_plain_words(vjp, message):
    found = checked(vjp)
    assert (found.verdict, found.passed) == (Verdict.WRONG, False)
    assert found.diagnosis == message
    assert str(found).startswith(f"<lambda>/x [float64, (3,), seed 0]: wrong\n  {message}")


def test_a_mutated_cotangent_fails_and_the_numbers_are_still_judged():
    def vjp(cotangent, x):
        cotangent *= 2 * x
        return cotangent

    given = np.array([1.0, -2.0, 3.0])
    found = checked(vjp, cotangent=given)
    assert (found.verdict, found.passed) == (Verdict.ACCURATE, False)
    assert found.faults == ("the cotangent was overwritten: a gradient must leave its arguments alone",)
    assert found.notes == ("the result is the memory of the cotangent",)
    assert given.tolist() == [1.0, -2.0, 3.0]


def test_a_mutated_argument_is_named_and_put_back():
    def vjp(cotangent, x):
        x *= 2
        return cotangent * x

    x = X.copy()
    found = checked(vjp, args=(x,))
    assert found.faults == ("x was overwritten: a gradient must leave its arguments alone",)
    np.testing.assert_array_equal(x, X)


def test_a_gradient_that_overwrites_and_is_wrong_is_wrong():
    def vjp(cotangent, x):
        cotangent *= 3 * x
        return cotangent

    found = checked(vjp)
    assert found.verdict is Verdict.WRONG
    assert "overwritten" in found.diagnosis
    assert "3 of 3 elements differ" in found.diagnosis


def test_a_gradient_that_changes_from_call_to_call_is_judged_by_its_worst():
    calls = []

    def vjp(cotangent, x):
        calls.append(1)
        return (2 + 1e-3 * (len(calls) == 2)) * cotangent * x

    found = checked(vjp)
    assert found.verdict is Verdict.MISCOMPUTED
    assert found.diagnosis.startswith("run again: ")
    assert found.notes[0].startswith("not reproducible: two runs differ by ")


@pytest.mark.parametrize("off", [(1e-9, 1e-3), (1e-3, 1e-9)])
def test_of_two_results_with_one_verdict_the_one_that_loses_more_is_shown(off):
    calls = []

    def vjp(cotangent, x):
        calls.append(1)
        factor = 1 + off[len(calls) - 1] if len(calls) <= 2 else 1
        return factor * 2 * cotangent * x

    found = checked(vjp)
    assert found.verdict is Verdict.MISCOMPUTED
    assert found.worst.max_rel_error == pytest.approx(1e-3, rel=1e-6)
    assert found.diagnosis.startswith("run again: ") == (off[1] > off[0])


def test_a_gradient_that_takes_the_size_of_its_cotangent_is_not_linear():
    found = checked(lambda g, x: 2 * np.abs(g) * x, lambda x: np.sum(x * x), cotangent=np.ones(()))
    assert found.verdict is Verdict.WRONG
    assert found.diagnosis.startswith("along a large cotangent: the formula gives ")


def test_a_gradient_that_is_zero_along_negative_cotangents_is_not_linear():
    """Guided backpropagation: with the cotangent of a loss, 1, it is right."""
    found = checked(lambda g, x: 2 * np.maximum(g, 0) * x, lambda x: np.sum(x * x), cotangent=np.ones(()))
    assert not found.passed
    assert found.diagnosis.startswith("along a large cotangent: the formula gives ")


def test_what_the_gradient_raises_is_the_users_to_see():
    def vjp(cotangent, x):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        checked(vjp)


def test_the_budget_can_be_tightened():
    def slope(cotangent, x):
        return cotangent * (1 - np.cos(x) ** 2) / np.sin(x)  # sin x, and 1 - cos^2 x cancels

    at = {"f": lambda x: -np.cos(x), "args": (np.array([1e-3]),)}
    wide = checked(slope, **at)
    assert wide.passed
    assert 1 < wide.worst.bits_lost < 26
    narrow = checked(slope, **at, bits_lost=wide.worst.bits_lost / 2)
    assert (narrow.verdict, narrow.passed) == (Verdict.IMPRECISE, False)
    assert "bits cancel" in narrow.diagnosis


def test_a_norm_that_underflows_names_the_underflow():
    def normalised_vjp(cotangent, x):
        norm = np.sqrt((x * x).sum())
        return (cotangent - (cotangent * x).sum() * x / norm**2) / norm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        x = np.array([3e-300, 4e-300])
        found = checked(normalised_vjp, lambda x: x / np.sqrt((x * x).sum()), (x,))
    assert found.verdict is Verdict.MISCOMPUTED
    assert found.diagnosis.startswith("not a number, where the truth is ")
    assert "underflow: a number that is not 0 becomes 0 at multiply at test_check.py:" in found.diagnosis


# -- what cannot be judged --------------------------------------------------------------------------------


def test_numpy_has_no_gradient_of_its_own():
    found = checked(None)
    assert (found.verdict, found.passed) == (Verdict.UNSUPPORTED, False)
    assert (
        found.diagnosis
        == "NumPy has no gradients of its own; pass one by hand as vjp=, grad= or residual_vjp="
    )


def test_an_integer_function_has_no_gradient_which_is_not_a_zero_one():
    found = checked(f=lambda x: (x > 0).astype(int))
    assert found.verdict is Verdict.UNSUPPORTED
    assert found.diagnosis == "<lambda> returns int64, which has no gradient (not a zero one)"


def test_an_operation_without_a_rule_is_unsupported_by_its_name():
    found = checked(f=lambda x: np.spacing(x))
    assert (found.verdict, found.passed) == (Verdict.UNSUPPORTED, False)
    assert found.diagnosis.startswith("np.spacing has no rule: ")


def test_a_gradient_with_such_an_operation_is_judged_by_its_numbers():
    found = checked(lambda g, x: np.spacing(5 * g))
    assert (found.verdict, found.passed) == (Verdict.MISCOMPUTED, False)
    assert "the formula was not examined: np.spacing has no rule: " in found.diagnosis


def test_a_point_outside_the_domain_is_undecided_with_the_reason():
    with np.errstate(divide="ignore", invalid="ignore"):
        found = checked(lambda g, x: g / x, np.log, (np.array([1.0, -1.0]),))
    assert (found.verdict, found.passed) == (Verdict.UNDECIDED, False)
    assert "element (1,): not finite (nan): a pole, a division by zero, or a NaN" in found.diagnosis


@pytest.mark.parametrize(("more", "message"), [
    ({"framework": "mxnet"}, "framework must be one of numpy, jax, torch, got 'mxnet'"),
    ({"spec": square, "surrogate": square}, "spec and surrogate are both given; "),
    ({"args": (np.arange(3),)}, "must be an array of bfloat16, .*, got int64: pass argument 0 as x"),
    ({"args": ()}, "an argument must be an array of bfloat16, .*, got none"),
    ({"argnums": 1}, "argnums must be among the floating arguments, 0, got 1, and the function has"),
    ({"argnums": (0, -2)}, "among the floating arguments, 0, got -2, and the function has 1 argument"),
    ({"argnums": 1, "args": (X, np.arange(3))}, "among the floating arguments, 0, got 1, which holds int64"),
    ({"argnums": 1, "args": (X, X > 0)}, "among the floating arguments, 0, got 1, which holds bool"),
    ({"argnums": (0, 0)}, "argnums must name each argument once, got 0 twice"),
    ({"argnums": ()}, "argnums must name an argument, got none: leave it out"),
    ({"cotangent": np.ones(2)}, r"the cotangent must have shape \(3,\), got \(2,\)"),
    ({"args": X}, r"args must be a tuple of arguments, got an ndarray: pass \(x,\) for one argument"),
    ({"mode": "backward"}, "mode must be one of reverse, forward, forward-over-reverse, got 'backward'"),
    ({"order": 4}, "order must be 1, 2 or 3, got 4"),
    ({"order": 2, "mode": "forward"}, "order must be 1 with mode='forward', got 2: only reverse mode"),
    ({"residual_vjp": square_vjp}, "vjp and residual_vjp are both given; "),
    ({"samples": -1}, "samples must be an integer >= 0, got -1"),
    ({"samples": -(10**5000)}, r"samples must be an integer >= 0, got -10\^5000"),
    ({"bits_lost": 10**400}, r"bits_lost must be a number >= 0, got 10\^400, which no float holds"),
    ({"seconds": 10**400}, r"seconds must be a number > 0, got 10\^400, which no float holds"),
    ({"seconds": Fraction(10**400)}, "seconds must be a number > 0, got Fraction.*, which no float holds"),
    ({"bits_lost": Decimal("sNaN")}, "bits_lost must be a number >= 0, got Decimal"),
    ({"bits_lost": np.complex128(1)}, "bits_lost must be a number >= 0, got np.complex128"),
    ({"bits_lost": -1.0}, "bits_lost must be a number >= 0, got -1.0"),
    ({"bits_lost": float("nan")}, "bits_lost must be a number >= 0, got nan"),
    ({"f": 3}, "f must be a function, got 3"),
    ({"spec": X}, "spec must be a function, got an ndarray"),
])  # fmt: skip
def test_a_bad_argument_is_said_with_what_is_allowed(more, message):
    with pytest.raises(ValueError, match=message):
        checked(**more)


# -- specifications and surrogates ------------------------------------------------------------------------


def test_a_specification_is_the_truth_instead_of_the_function():
    def newton(x):
        y = 1 - (x - 1) / 2
        for _ in range(2):
            y = y * (1.5 - 0.5 * x * y * y)
        return y

    def rule(cotangent, x):
        return -0.5 * cotangent / (x * np.sqrt(x))

    at = (np.array([0.75, 1.25]),)
    found = checked(rule, newton, at)
    assert found.verdict is Verdict.WRONG
    assert found.diagnosis.endswith("then pass the function that is meant as spec=")
    assert checked(rule, newton, at, spec=lambda x: 1 / np.sqrt(x)).passed


def test_a_surrogate_is_the_function_whose_gradient_is_meant():
    found = checked(lambda g, x: g * 1.0, np.round)
    assert found.verdict is Verdict.WRONG
    assert found.diagnosis.endswith(
        "if the gradient is meant to be another function's, pass that function as surrogate="
    )
    assert checked(lambda g, x: g * 1.0, np.round, surrogate=lambda x: x * 1.0).passed


# -- the other frameworks ---------------------------------------------------------------------------------


def test_torch_is_recognised_and_differentiates():
    import torch

    x = torch.tensor(X)
    assert check_gradient(lambda x: x.exp(), (x,)).passed
    found = check_gradient(lambda x, y: x.detach() * y.detach(), (x, torch.tensor(Y)))
    assert (found.verdict, found.passed) == (Verdict.WRONG, False)
    assert found.diagnosis == (
        "no gradient (None), which is not a zero gradient; the function may cut it off (detach, no_grad, "
        "numpy()); if the function does not depend on it, leave it "
        "out of argnums"
    )
    assert str(found).splitlines()[0].endswith("/x [float64, (3,), seed 0]: wrong")


def test_an_argument_of_torch_on_which_nothing_depends_has_the_gradient_zero_as_in_jax():
    import torch

    def loss(new, old):
        return torch.exp(new - old.detach()).sum()

    class Forgotten(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return x * w

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[1], None

    args = (torch.tensor(X), torch.tensor(Y))
    assert check_gradient(loss, args).verdict is Verdict.ACCURATE
    assert check_gradient(loss, args, order=2).verdict is Verdict.ACCURATE
    assert check_gradient(loss, (args[0].float(), args[1].float())).passed
    found = check_gradient(Forgotten.apply, args)
    assert (found.verdict, found.diagnosis) == (
        Verdict.WRONG,
        "no gradient (None), which is not a zero gradient",
    )


@pytest.mark.parametrize("jit", [False, True])
def test_jax_is_recognised_and_differentiates(jit):
    import jax.numpy as jnp

    assert check_gradient(jnp.exp, (jnp.asarray(X, "float32"),), jit=jit).passed


def test_expi_is_judged_by_its_definition_and_not_by_its_approximation():
    import jax.numpy as jnp
    from jax.scipy.special import expi

    found = check_gradient(expi, (jnp.array([0.5, 2.0, 5.0], "float32"),))
    assert (found.verdict, found.diagnosis) == (Verdict.ACCURATE, "")


def test_what_is_legal_one_by_one_and_does_not_add_up_is_miscomputed():
    """70,000 ties counted in float16 are infinitely many; here 70,000 is a number that overflows at 8."""

    def shared(cotangent, x):
        at = (x == np.max(x)).astype(np.float16)
        return at * (cotangent / (np.sum(at) * np.float16(16384)) * np.float16(16384))

    with np.errstate(over="ignore"):
        few = check_gradient(np.max, (np.ones(3, np.float16),), vjp=shared)
        many = check_gradient(np.max, (np.ones(8, np.float16),), vjp=shared)
    assert few.verdict is Verdict.CONVENTION
    assert many.verdict is Verdict.MISCOMPUTED
    assert "along (1, 1, 1, 1, 1, 1, 1, 1) they give 0, where the derivative is 1" in many.diagnosis


@pytest.mark.parametrize("below", [True, False])
def test_jax_s_maximum_of_a_computed_number_is_decided(below):
    """Its rule asks whether x/3 == max(x/3, 0), of which no precision decides the digits."""
    jnp = pytest.importorskip("jax.numpy")
    x = jnp.asarray([-0.7, 0.4, 1.3], "float32")
    extreme = jnp.maximum if below else jnp.minimum
    found = check_gradient(lambda x: extreme(x / 3, 0), (x,))
    assert found.passed, str(found)
    assert found.worst.bound_ulp < 100
    wrong = check_gradient(lambda x: extreme(x / 3, 0.1), (x,), spec=lambda x: extreme(x / 3, 0))
    assert not wrong.passed


def test_a_value_beside_a_specification_that_is_zero_there_is_another_function():
    found = checked(f=lambda x: x * 0.0 + 0.1, spec=lambda x: x * 0.0, vjp=lambda g, x: 0 * x)
    assert found.verdict is Verdict.WRONG
    assert "the function is not the specification: its value is 0.1 " in found.diagnosis


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_gradient_that_overflows_as_the_truth_does_is_right_and_one_of_another_function_is_wrong():
    x = np.array([800.0, 1.0])
    right = check_gradient(np.exp, (x,), vjp=lambda g, x: g * np.exp(x))
    assert right.passed, right
    wrong = check_gradient(np.exp, (x,), vjp=lambda g, x: 2 * g * np.exp(x))
    assert "1 of 2 elements differ" in wrong.diagnosis


@pytest.mark.filterwarnings("ignore:overflow")
def test_beyond_the_format_a_rounded_constant_makes_no_other_function():
    def slope(g, x):
        return g * np.log(2.0) * np.exp2(x)

    assert check_gradient(np.exp2, (np.array([1e10, 1.0]),), vjp=slope).passed
    assert not check_gradient(np.exp2, (np.array([1e10, 1.0]),), vjp=lambda g, x: 1.001 * slope(g, x)).passed


@pytest.mark.parametrize("core", [True, False])
@pytest.mark.parametrize(
    ("f", "args", "order"),
    [
        (lambda x: torch.floor(1 / x) + 0 * x, (torch.tensor([0.0, 1.5]),), 1),
        (torch.remainder, (torch.tensor([1.0, -3.0]), torch.tensor([2.0, 0.0])), 2),
    ],
)
def test_where_the_function_has_no_value_nobody_is_told_that_the_slope_is_0(core, f, args, order):
    """The slope of a step is 0 whatever it is asked at; NaN there is no mistake, and 0 is not right."""
    with nullcontext() if core else library.without():
        found = check_gradient(f, args, order=order)
    assert found.verdict is Verdict.UNDECIDED
    assert "the function has no value here" in str(found)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"vjp": lambda g, x: 3 * g * x},
        {"vjp": lambda g, x: None},
        {"f": lambda x: np.unique(x), "vjp": lambda g, x: g},
        {"f": lambda x: np.maximum(x, 0.5), "vjp": lambda g, x: g * (x > 0.5)},
        {"bits_lost": 3},
        {"samples": 2, "boundary": ["zeros"]},
    ],
    ids=["right", "wrong", "none", "without a rule", "at a kink", "a budget", "points"],
)
def test_a_pickled_result_equals_itself(asked):
    found = checked(**asked)
    again = pickle.loads(pickle.dumps(replace(found, allowed=Fixed(math.nan))))
    assert again == replace(found, allowed=Fixed(math.nan))
    assert hash(again) == hash(replace(found, allowed=Fixed(math.nan)))
    assert again != replace(again, parts=again.parts * 2)
    assert again != checked(lambda g, x: 5 * g * x)
