"""The forms a gradient comes in: trees, modules, residuals, tuples, orders and modes, opaque kernels."""

import functools
import warnings
from collections import defaultdict
from typing import NamedTuple
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import GradientError, assert_gradient, check_gradient, exact_gradient, exact_value
from harness.inputs.corpus import CORPUS
from harness.verdicts import Verdict

pytest_plugins = ["pytester"]
X, Y = np.array([0.5, -1.25, 2.0]), np.array([3.0, 0.25, -1.5])
FRAMEWORKS = {"jax": jnp.asarray, "torch": torch.tensor}
each_framework = pytest.mark.parametrize("name", FRAMEWORKS)


def as_of(name, array, dtype="float64"):
    with jax.enable_x64(True):
        return FRAMEWORKS[name](array.astype(dtype))


def tanh_of(name):
    return jnp.tanh if name == "jax" else torch.tanh


# -- trees ------------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    w: np.ndarray
    b: np.ndarray


def scaled(p):
    return p["pair"].w * p["rest"][0] + p["pair"].b


TREE = {"pair": Pair(X, Y), "rest": [2 * Y, 7, None, "text"]}


def scaled_vjp(g, p):
    return {"pair": Pair(g * p["rest"][0], g), "rest": [g * p["pair"].w, None, None, None]}


def test_a_tree_has_a_row_for_each_array_in_it():
    found = check_gradient(scaled, (TREE,), vjp=scaled_vjp)
    assert found.passed
    assert list(found.rows["argument"]) == ["p['pair'].w", "p['pair'].b", "p['rest'][0]"]


def test_a_dictionary_of_another_kind_is_a_tree_too():
    given = defaultdict(float, w=X, b=Y)

    def vjp(g, p):
        return {"w": g * p["b"], "b": g * p["w"]}

    found = check_gradient(lambda p: p["w"] * p["b"], (given,), vjp=vjp)
    assert found.passed
    assert len(found.rows) == 2


def test_one_wrong_leaf_of_a_tree_is_named():
    def wrong(g, p):
        return scaled_vjp(g, p) | {"rest": [2 * g * p["pair"].w, None, None, None]}

    found = check_gradient(scaled, (TREE,), vjp=wrong)
    assert list(found.rows["verdict"]) == ["accurate", "accurate", "wrong"]
    assert str(found).startswith("wrong/p['rest'][0] [float64, (3,), seed 0]: wrong")


def test_a_gradient_with_a_key_too_few_says_so():
    found = check_gradient(scaled, (TREE,), vjp=lambda g, p: {"pair": scaled_vjp(g, p)["pair"]})
    assert list(found.rows["verdict"]) == ["accurate", "accurate", "wrong"]
    assert str(found).startswith("<lambda>/p['rest'][0] [float64, (3,), seed 0]: wrong\n  no gradient (None)")


@pytest.mark.parametrize("wrap", [tuple, list])
def test_the_one_argument_may_be_a_list_with_or_without_a_tuple_around_its_gradient(wrap):
    def f(weights):
        return weights[0] * weights[1]

    args = ([X, Y],)
    assert check_gradient(f, args, vjp=lambda g, w: [g * w[1], g * w[0]]).passed
    assert check_gradient(f, args, vjp=lambda g, w: wrap([[g * w[1], g * w[0]]])).passed


@each_framework
def test_the_frameworks_own_gradients_of_trees(name):
    tree = {"w": [as_of(name, X), 3], "b": (as_of(name, Y), None)}
    found = check_gradient(lambda p, n: tanh_of(name)(p["w"][0]) * p["b"][0] * n, (tree, 2.0))
    assert found.passed
    assert set(found.rows["argument"]) == {"p['w'][0]", "p['b'][0]"}


def test_a_registered_node_of_jax_is_a_tree():
    layer = jax.tree_util.Partial(lambda w, x: jnp.tanh(w * x), as_of("jax", X))
    found = check_gradient(lambda layer, x: layer(x), (layer, as_of("jax", Y)))
    assert found.passed
    assert len(found.rows) == 2


def test_the_parameters_of_a_module_are_differentiated_too():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    model[2].bias.requires_grad_(False)
    before = {name: p.clone() for name, p in model.named_parameters()}
    found = check_gradient(model, (torch.tensor(X, dtype=torch.float32),))
    assert found.passed
    named = [f"parameters['{n}']" for n in ("0.weight", "0.bias", "2.weight")]
    assert list(found.rows["argument"]) == [*named, "input"]
    assert all(torch.equal(before[n], p) and p.grad is None for n, p in model.named_parameters())


def test_a_module_of_which_the_input_alone_is_asked_for():
    model = torch.nn.Linear(3, 2).double()
    assert list(check_gradient(model, (torch.tensor(X),), argnums=0).rows["argument"]) == ["input"]


def test_the_parameters_of_a_module_may_be_an_argument():
    model = torch.nn.Linear(3, 2).double()

    def f(parameters, x):
        return torch.nn.functional.linear(x, *parameters).tanh()

    assert len(check_gradient(f, (list(model.parameters()), torch.tensor(X))).rows) == 3


# -- results ----------------------------------------------------------------------------------------------


def test_every_result_of_a_tuple_has_a_cotangent():
    def f(x, y):
        return x * y, (np.sin(x), np.argmax(y))

    def vjp(g, x, y):
        product, (sine, index) = g
        assert index is None  # an integer has no cotangent
        return product * y + sine * np.cos(x), product * x

    assert check_gradient(f, (X, Y), vjp=vjp).passed
    found = check_gradient(f, (X, Y), vjp=lambda g, x, y: (g[0] * y, g[0] * x))
    assert list(found.rows["verdict"]) == ["wrong", "accurate"]


@each_framework
def test_a_dictionary_of_results(name):
    f = tanh_of(name)
    assert check_gradient(lambda x: {"a": f(x), "b": [x * x]}, (as_of(name, X),)).passed


def test_given_cotangents_have_the_structure_of_the_results():
    def f(x):
        return {"a": x * x, "b": 3 * x}

    def vjp(g, x):
        seen.append(g["b"]) if type(g["b"]) is np.ndarray else None
        return 2 * g["a"] * x + 3 * g["b"]

    seen = []
    assert check_gradient(f, (X,), vjp=vjp, cotangent={"a": X, "b": Y}).passed
    assert seen[0].tolist() == Y.tolist()
    with pytest.raises(
        ValueError, match=r"the cotangents must have shapes \[\(3,\), \(3,\)\], got \[\(3,\)\]"
    ):
        check_gradient(f, (X,), vjp=vjp, cotangent=X)


def test_keyword_arguments_are_constants_and_reach_the_backward():
    def f(x, *, by, power=1):
        return by * x**power

    def vjp(g, x, *, by, power=1):
        return g * by * power * x ** (power - 1)

    found = check_gradient(f, (X,), kwargs={"by": Y, "power": 3}, vjp=vjp)
    assert found.passed
    assert list(found.rows["argument"]) == ["x"]


def test_python_numbers_are_constants_unless_they_are_asked_for():
    def f(x, scale):
        return x * scale

    assert check_gradient(f, (X, 3.0), vjp=lambda g, x, s: g * s).passed
    both = check_gradient(f, (X, 3.0), vjp=lambda g, x, s: (g * s, np.sum(g * x)), argnums=(0, 1))
    assert list(both.rows["argument"]) == ["x", "scale"]
    assert both.passed


# -- residuals --------------------------------------------------------------------------------------------


def forward(x, y):
    return x * np.exp(y), (x, np.exp(y))


def backward(residuals, g):
    x, e = residuals
    return g * e, g * x * e


def test_a_backward_of_residuals():
    assert check_gradient(forward, (X, Y), residual_vjp=backward).passed
    found = check_gradient(forward, (X, Y), residual_vjp=lambda r, g: (g * r[1], g * r[0]))
    assert list(found.rows["verdict"]) == ["accurate", "wrong"]


def test_stale_residuals_are_found():
    def stale(x, y):
        return x * np.exp(y), (x, np.exp(y - 1e-9))

    assert check_gradient(stale, (X, Y), residual_vjp=backward).verdict is Verdict.WRONG


def test_as_in_jax_a_backward_may_give_a_gradient_for_every_argument():
    def f(x, n):
        return x * n, n

    args = (as_of("jax", X), jnp.array([1, 2, 3]))
    assert check_gradient(f, args, residual_vjp=lambda n, g: (g * n, None), framework="jax").passed


@pytest.mark.parametrize("result", [lambda x: x, lambda x: (x, x, x)])
def test_a_forward_without_residuals_says_what_it_must_return(result):
    with pytest.raises(
        ValueError, match=r"f must return \(result, residuals\) with residual_vjp=, got (an ndarray|3 values)"
    ):
        check_gradient(result, (X,), residual_vjp=lambda r, g: g)


# -- orders and modes -------------------------------------------------------------------------------------


@each_framework
@pytest.mark.parametrize(
    "asked",
    [{"order": 2}, {"order": 3}, {"mode": "forward"}, {"mode": "forward-over-reverse"}],
    ids=str,
)
def test_every_order_and_mode_of_a_right_function_is_right(asked, name):
    def f(x, y):
        return tanh_of(name)(x * y) * x, x * y

    found = check_gradient(f, (as_of(name, X), as_of(name, Y)), **asked)
    assert found.passed, str(found)
    names = ["result[0]", "result[1]"] if asked.get("mode") == "forward" else ["x", "y"]
    assert list(found.rows["argument"]) == names


def squared_with(rule):
    """x ** 2 in JAX, with a derivative rule that is right at first order."""

    @jax.custom_jvp
    def square(x):
        return x * x

    square.defjvps(rule)
    return square


def test_a_rule_that_is_wrong_at_second_order_only_is_found_there():
    f = squared_with(lambda t, out, x: 2 * t * jax.lax.stop_gradient(x))
    x = as_of("jax", X)
    assert check_gradient(f, (x,)).passed
    for asked in ({"order": 2}, {"mode": "forward-over-reverse"}):
        assert check_gradient(f, (x,), **asked).verdict is Verdict.WRONG


def test_a_wrong_forward_rule_is_found_in_forward_mode():
    f = squared_with(lambda t, out, x: 2.001 * t * x)
    found = check_gradient(f, (as_of("jax", X),), mode="forward")
    assert found.verdict is Verdict.WRONG
    assert str(found).splitlines()[0].endswith("/result [float64, (3,), seed 0]: wrong")


def test_a_backward_that_is_not_differentiated_again_is_zero_at_second_order():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * x.detach()

    x = torch.tensor(X)
    assert check_gradient(Square.apply, (x,)).passed
    assert check_gradient(Square.apply, (x,), order=2).verdict is Verdict.WRONG


@each_framework
def test_a_linear_function_has_a_second_derivative_which_is_zero(name):
    assert check_gradient(lambda x: 3 * x, (as_of(name, X),), order=2).passed


def test_the_tangents_of_forward_mode_may_be_given():
    x = as_of("jax", X)
    assert check_gradient(jnp.sin, (x,), mode="forward", cotangent=[Y]).passed
    with pytest.raises(ValueError, match=r"the tangent must have shape \(3,\), got \(2,\)"):
        check_gradient(jnp.sin, (x,), mode="forward", cotangent=[Y[:2]])


def test_the_directions_of_two_orders_may_be_given():
    x = as_of("jax", X)
    assert check_gradient(jnp.sin, (x,), order=2, cotangent=[X, Y]).passed
    with pytest.raises(ValueError, match="cotangent must be a list of 2 directions, got 3"):
        check_gradient(jnp.sin, (x,), order=2, cotangent=[X, Y, Y])


def test_numpy_has_first_order_gradients_only():
    found = check_gradient(lambda x: x * x, (X,), vjp=lambda g, x: 2 * g * x, order=2)
    assert found.verdict is Verdict.UNSUPPORTED
    assert found.diagnosis.startswith("NumPy does not differentiate")


# -- specifications ---------------------------------------------------------------------------------------


def opaque_softplus(factor=1.0):
    """A kernel that JAX cannot look into, with a gradient likewise."""

    def outside(x):
        return np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape)

    def call(function, x, *rest):
        shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
        return jax.pure_callback(lambda *a: np.asarray(function(*map(outside, a)), x.dtype), shape, x, *rest)

    @jax.custom_vjp
    def kernel(x):
        return call(lambda x: np.logaddexp(x, 0), x)

    kernel.defvjp(
        lambda x: (kernel(x), x), lambda x, g: (call(lambda x, g: factor * g / (1 + np.exp(-x)), x, g),)
    )
    return kernel


def test_an_opaque_kernel_is_judged_by_its_specification():
    x = as_of("jax", X, "float32")
    alone = check_gradient(opaque_softplus(), (x,))
    assert alone.verdict is Verdict.UNSUPPORTED, "the forward cannot be looked into either"
    found = check_gradient(opaque_softplus(), (x,), spec=lambda x: jnp.logaddexp(x, 0))
    assert found.passed, str(found)
    assert list(found.rows["argument"]) == ["x"]
    assert found.value.verdict == "accurate"
    assert found.notes[0].startswith("the formula was not examined, so the numbers alone decide: ")


@pytest.mark.parametrize("factor", [1.001, -1.0, 0.0])
def test_an_opaque_kernel_with_a_wrong_gradient_is_not_let_through(factor):
    x = as_of("jax", X, "float32")
    found = check_gradient(opaque_softplus(factor), (x,), spec=lambda x: jnp.logaddexp(x, 0))
    assert found.verdict in {Verdict.MISCOMPUTED, Verdict.IMPRECISE}
    assert not found.passed


def test_the_gradient_of_another_function_is_seen_by_its_value():
    x = torch.tensor(X)
    found = check_gradient(torch.sin, (x,), spec=torch.tanh)
    assert (found.verdict, list(found.rows["argument"])) == (Verdict.WRONG, ["value"])
    assert found.diagnosis.startswith("the function is not the specification: its value is ")
    shaped = check_gradient(lambda x: x.sum(), (x,), spec=torch.tanh)
    assert shaped.diagnosis == (
        "the function is not the specification: value: f returns shape (), spec returns (3,)"
    )


def test_an_approximation_has_nearly_the_values_and_its_gradient_is_judged():
    gelu = torch.nn.functional.gelu
    found = check_gradient(lambda x: gelu(x, approximate="tanh"), (torch.tensor(X),), spec=gelu)
    assert list(found.rows["verdict"]) == ["wrong", "imprecise"]  # the gradient, and the value beside it
    assert found.value.verdict == "imprecise"
    assert "So close" in found.diagnosis


@each_framework
def test_a_straight_through_estimator_is_its_surrogates(name):
    def ste(x):
        if name == "torch":
            return x + (x.round() - x).detach()
        return x + jax.lax.stop_gradient(jnp.round(x) - x)

    x = as_of(name, X)
    assert check_gradient(ste, (x,), surrogate=lambda x: 1 * x).passed
    for meant in ({}, {"surrogate": ste}):  # its values have steps, of which the derivative knows nothing
        assert check_gradient(ste, (x,), vjp=lambda g, x: 0 * g, **meant).verdict is Verdict.WRONG


# -- what cannot be asked ---------------------------------------------------------------------------------


def test_an_argument_that_is_being_traced_has_no_numbers():
    def inside(x):
        with pytest.raises(ValueError, match="has no numbers: call this outside of jit, grad and vmap"):
            check_gradient(jnp.sin, (x,))
        return x

    jax.make_jaxpr(inside)(as_of("jax", X))


def test_a_function_that_closes_over_a_trace_says_so():
    leaked = []
    jax.make_jaxpr(lambda y: leaked.append(y) or y)(as_of("jax", Y))
    with pytest.raises(
        ValueError, match="closes over a value of a trace that has ended; pass it as an argument"
    ):
        check_gradient(lambda x: x * leaked[0], (as_of("jax", X),))


def test_an_argument_that_is_not_differentiated_needs_no_gradient():
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            if ctx.needs_input_grad[0]:
                raise RuntimeError("no gradient for x")
            ctx.save_for_backward(x)
            return x * w

        @staticmethod
        def backward(ctx, g):
            return None, g * ctx.saved_tensors[0]

    x, w = torch.tensor(X), torch.tensor(Y)
    assert check_gradient(Scaled.apply, (x, w), argnums=1).passed
    assert check_gradient(Scaled.apply, (x, w), argnums=1, spec=lambda x, w: x * w).passed
    with pytest.raises(RuntimeError, match="no gradient for x"):
        check_gradient(Scaled.apply, (x, w))


def test_an_input_that_needs_no_gradient_is_never_a_pass():
    found = check_gradient(lambda x: x.detach() * 2, (torch.tensor(X),))
    assert not found.passed
    assert found.diagnosis.startswith("no gradient (None), which is not a zero gradient")


def test_a_meta_tensor_has_no_numbers():
    with pytest.raises(ValueError, match="which has a shape and no numbers"):
        check_gradient(torch.sin, (torch.zeros(3, device="meta"),))


# -- points beside ----------------------------------------------------------------------------------------


def test_the_boundary_finds_what_the_given_numbers_do_not():
    x = torch.tensor(X, dtype=torch.float32)
    found = check_gradient(torch.sigmoid, (x,), boundary=True, upstream="fail")
    rows = found.rows.set_index("input")
    assert rows.loc["given", "verdict"] == "accurate"
    assert rows.loc["saturated-20", "verdict"] == "imprecise"
    assert rows.loc["empty", "verdict"] == ""
    assert found.verdict is Verdict.IMPRECISE
    assert set(rows.index) >= set(CORPUS)


def test_a_boundary_point_without_a_derivative_informs_and_does_not_fail():
    found = check_gradient(torch.log, (torch.tensor([0.5, 2.0]),), boundary=True)
    rows = found.rows.set_index("input")
    assert rows.loc["zeros", "verdict"] == "undecided"
    assert found.passed, str(found)


def test_a_constant_in_bfloat16_is_the_number_that_it_is():
    w = jnp.asarray([[0.5, -1.25], [0.375, 2.5]], jnp.bfloat16)
    x = jnp.asarray([[0.5, 3.0]], jnp.bfloat16)
    assert check_gradient(lambda x: x @ w, (x,)).passed


def test_the_boundary_tries_constants_and_indices_too():
    """A base and an exponent of zero; an index twice."""

    def power(g, a, b):
        with np.errstate(all="ignore"):
            return g * b * a ** (b - 1)

    found = check_gradient(lambda a, b: a**b, (Y[:2], Y[:2] + 1), vjp=power, argnums=0, boundary=True)
    rows = found.rows.set_index("input")
    assert rows.loc["all zeros", "verdict"] == "miscomputed"
    assert "b two-zeros" in rows.index

    def overwritten(g, x, k):
        out = np.zeros_like(x)
        out[k] = g
        return out

    found = check_gradient(
        lambda x, k: x[k], (X, np.array([2, 0])), vjp=overwritten, argnums=0, boundary=True
    )
    assert found.rows.set_index("input").loc["k constant", "verdict"] == "wrong"


def test_numbers_of_one_size_are_of_both_signs_if_none_is_positive():
    found = check_gradient(np.abs, (-np.abs(X),), vjp=lambda g, x: -g, boundary=True)
    assert found.rows.set_index("input").loc["saturated-20", "verdict"] == "wrong"


def test_a_boundary_point_that_the_function_does_not_take_says_so():
    def f(x):
        return x.reshape(3) * x

    found = check_gradient(f, (X,), vjp=lambda g, x: 2 * g * x, boundary=True)
    rows = found.rows.set_index("input")
    assert rows.loc["one-element", "diagnosis"].startswith("not taken: ValueError")
    assert found.passed


def test_a_boundary_point_that_a_given_cotangent_does_not_fit_says_so():
    found = check_gradient(
        lambda x: x * x,
        (X,),
        vjp=lambda g, x: 2 * g * x,
        cotangent=np.ones(X.shape),
        boundary=["one-element"],
    )
    assert found.passed
    assert {row for row in found.rows["diagnosis"] if row} == {
        f"not taken: ShapeError: the cotangent must have shape (1,), got {X.shape}"
    }


@pytest.mark.parametrize("which", ["harness.proof.program.diagnose", "harness.proof.program.compare"])
def test_an_error_in_here_beside_the_given_point_is_no_pass(which, monkeypatch):
    """The function takes the point, and so does its gradient, so nobody may say that it was not taken."""
    found = []

    def fails(*_, **__):
        found.append(1)
        raise ValueError("max() arg is an empty sequence")

    def saturated(g, x):
        if abs(x).max() > 1e100:
            monkeypatch.setattr(which, fails)
        return g * x / np.sqrt(x * x + 1)

    with np.errstate(over="ignore"):
        result = check_gradient(
            lambda x: np.sqrt(x * x + 1), (X,), vjp=saturated, boundary=["square-overflows"]
        )
    assert found
    assert not result.passed
    assert "gradproof itself failed here; please report it: ValueError: max()" in str(result)


def test_the_given_arrays_are_what_they_were():
    x = torch.tensor(X)
    check_gradient(torch.tanh, (x,), boundary=True, samples=2, upstream="fail")
    assert x.tolist() == X.tolist()
    assert not x.requires_grad


def test_samples_are_seeded_and_differ():
    def points(seed):
        seen = []

        def f(x):
            seen.append(np.array(x)) if type(x) is np.ndarray else None
            return x * x

        found = check_gradient(f, (X,), vjp=lambda g, x: 2 * g * x, samples=3, seed=seed)
        assert list(found.rows["input"]) == ["given", "draw 0", "draw 1", "draw 2"]
        return np.unique(np.concatenate(seen))

    assert np.array_equal(points(0), points(0))
    assert not np.array_equal(points(0), points(1))
    assert len(points(0)) == 15  # and close by the given point


def test_a_gradient_that_is_wrong_elsewhere_is_found_by_drawing():
    def vjp(g, x):
        return np.where(x < 0.401, 2 * g * x, 2.01 * g * x)

    x = np.array([0.4])
    assert check_gradient(lambda x: x * x, (x,), vjp=vjp).passed
    assert check_gradient(lambda x: x * x, (x,), vjp=vjp, samples=1).verdict is Verdict.WRONG


# -- the answer -------------------------------------------------------------------------------------------


def test_the_error_is_an_assertion_with_the_worst_elements():
    x = np.linspace(1, 2, 40)
    with pytest.raises(GradientError, match="wrong") as raised:
        assert_gradient(lambda x: x * x, (x,), vjp=lambda g, x: g * x * (2 + 1e-3 * x))
    assert isinstance(raised.value, AssertionError)
    lines = str(raised.value).splitlines()
    assert sum(line.startswith(("  worst element", "  next")) for line in lines) == 4
    assert raised.value.result.verdict is Verdict.WRONG
    lost = raised.value.result.worst
    assert [lost.bits_lost, *(e.bits_lost for e in lost.more)] == sorted(
        [lost.bits_lost, *(e.bits_lost for e in lost.more)], reverse=True
    )


def test_a_right_gradient_returns_its_result():
    assert assert_gradient(lambda x: x * x, (X,), vjp=lambda g, x: 2 * g * x).passed


def test_pytest_shows_no_inner_frames(pytester):
    pytester.makepyfile(
        """
        import numpy as np
        from harness import assert_gradient

        def test_mine():
            assert_gradient(lambda x: x * x, (np.ones(3),), vjp=lambda g, x: 3 * g * x)
        """
    )
    text = pytester.runpytest_subprocess("-p", "no:cacheprovider").stdout.str()
    assert "GradientError: <lambda>/x [float64, (3,), seed 0]: wrong" in text
    assert "check.py" not in text


def test_the_answer_as_html_escapes_what_it_shows():
    def f(x):
        return x * x

    f.__name__ = "<script>"
    found = check_gradient(f, (torch.tensor(X),))
    for page in (found._repr_html_(), found._table()):
        assert "<script>" not in page
        assert "&lt;script&gt;" in page
        assert "accurate" in page
        assert "<table" in page


def test_an_explanation_says_what_the_verdict_means():
    found = check_gradient(lambda x: x * x, (X,), vjp=lambda g, x: 3 * g * x)
    assert "The formula is the derivative of another function" in found.explain()


@pytest.mark.parametrize("axis", [-1, 0])
def test_an_axis_of_a_single_number_is_none_as_in_numpy(axis):
    def f(x):
        return x * x.sum(axis=axis) * np.max(x, axis=axis)

    assert check_gradient(f, (2.0,), vjp=lambda g, x: 3 * g * x * x).passed


# -- torch's modes around the check ------------------------------------------------------------------------


class Sine(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * x.cos()


class NoSine(Sine):
    @staticmethod
    def backward(ctx, g):
        return torch.zeros_like(g)


@pytest.mark.parametrize("mode", [torch.no_grad, lambda: torch.set_grad_enabled(False), torch.inference_mode])
@pytest.mark.parametrize(("f", "options", "verdict"), [
    (torch.sin, {}, Verdict.ACCURATE),
    (torch.sin, {"mode": "forward"}, Verdict.ACCURATE),
    (torch.sin, {"mode": "forward-over-reverse"}, Verdict.ACCURATE),
    (torch.sin, {"order": 2}, Verdict.ACCURATE),
    (torch.sin, {"vjp": lambda g, x: g * x.cos()}, Verdict.ACCURATE),
    (torch.sin, {"vjp": lambda g, x: g * 0.0}, Verdict.WRONG),
    (torch.sin, {"vjp": lambda g, x: torch.autograd.grad((y := x.clone().requires_grad_()).sin(), y, g)[0]},
     Verdict.ACCURATE),
    (Sine.apply, {}, Verdict.ACCURATE),
    (NoSine.apply, {}, Verdict.WRONG),
    (torch.nn.Linear(3, 2).double(), {}, Verdict.ACCURATE),
])  # fmt: skip
def test_the_caller_s_grad_mode_changes_no_verdict(mode, f, options, verdict):
    with mode():
        modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        found = check_gradient(f, (torch.tensor(X),), **options)  # in inference mode an inference tensor
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == modes
    outside = check_gradient(f, (torch.tensor(X),), **options)
    assert found.verdict is verdict, found
    assert str(found) == str(outside)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_caller_s_grad_mode_changes_no_truth(mode):
    with mode():
        x = torch.tensor(X)
        for options in ({"cotangent": np.ones(3)}, {"tangents": [np.ones(3)], "mode": "forward"}):
            assert np.allclose(exact_gradient(torch.sin, (x,), **options).mid, np.cos(X))
        assert np.allclose(exact_value(torch.sin, (x,)).mid, np.sin(X))


@each_framework
@pytest.mark.parametrize("mode", [("forward", "reverse"), ("reverse", "forward", "reverse")])
def test_a_reverse_step_over_a_forward_one_is_right_in_both_frameworks(name, mode):
    """torch's tangents have to stay in autograd's graph: detached, their gradient was a wrong zero."""
    sine = torch.sin if name == "torch" else jnp.sin
    assert check_gradient(sine, (as_of(name, X),), mode=mode).passed


def test_forward_over_forward_is_for_jax_alone():
    assert check_gradient(jnp.sin, (as_of("jax", X),), mode=("forward", "forward")).passed
    found = check_gradient(torch.sin, (as_of("torch", X),), mode=("forward", "forward"))
    assert found.verdict is Verdict.UNSUPPORTED
    assert found.diagnosis.startswith("torch does not nest forward mode")


# -- one question, one answer -----------------------------------------------------------------------------


def test_a_case_and_a_users_check_give_one_verdict():
    """torch's prod runs another path where it is watched, so no bound is known of what ran: in both."""
    import oracles.torch_functions
    from harness import Case, Cell, InputMaker, examine
    from oracles import TorchOracle

    numbers = np.array([-0.0154, -0.0307, -0.0255, 0.0563], np.float16)
    maker = InputMaker("given", lambda rng, dtype, shape: (numbers.astype(dtype),), (4,))
    case = Case("prod", lambda x: np.prod(x, -1), lambda g, x: g, ("x",), (0,), (maker,), "here")
    with patch.dict(oracles.torch_functions.FUNCTIONS, prod=lambda x: torch.prod(x, -1)):
        row = examine(case, TorchOracle(), Cell("prod", "given", "float16", "torch", 0), {})
    cotangent = case.draw("given", "float16", 0)[1]
    own = check_gradient(lambda x: torch.prod(x, -1), (torch.tensor(numbers),), cotangent=cotangent)
    assert (row.verdict, row.error_ulp) == (own.verdict, own.worst.error_ulp)
    assert row.outcome == ("pass" if own.passed else "fail")


@pytest.mark.parametrize("name", ["numpy", "jax", "torch"])
def test_the_exact_door_and_the_check_have_one_truth(name):
    """0.1 in a float32 function is the 0.1 that is written, through every door."""

    def function(x):
        return (0.1 * x * x).sum()

    x = as_of(name, np.ones(1), "float32") if name != "numpy" else np.ones(1, np.float32)
    vjp = {"vjp": lambda g, x: np.float32(0.2) * g * x} if name == "numpy" else {}
    found = check_gradient(function, (x,), **vjp)
    exact = exact_gradient(function, (x,))
    assert exact.digits((0,), 20) == "0.20000000000000001110"
    assert found.worst.true_digits.startswith("0.2000000000000000111")


@pytest.mark.parametrize("more", [{"boundary": ["zeros", "ones"]}, {"samples": 2}])
def test_a_backward_that_raises_beside_the_given_point_fails_there(more):
    """The forward's own exceptions there are no news; a crash of the backward is, and is named."""
    given = np.array([0.5, -1.25, 2.0])

    def crashes(g, x):
        if not np.array_equal(x, given):
            raise IndexError("the kernel's table is too short")
        return 2 * g * x

    found = check_gradient(lambda x: x * x, (given,), vjp=crashes, **more)
    assert (found.parts[0].verdict, found.verdict, found.passed) == ("accurate", "miscomputed", False)
    assert "the gradient raises IndexError: the kernel's table is too short" in str(found)
    assert check_gradient(lambda x: x * x, (given,), vjp=crashes, probes=False).passed

    def at_zeros(g, x):
        return 1 / 0 if not x.any() else 2 * g * x

    found = check_gradient(lambda x: x * x, (given,), vjp=at_zeros, boundary=["zeros", "ones"])
    assert not found.passed
    assert found.diagnosis == "the gradient raises ZeroDivisionError: division by zero"
    assert found.rows.set_index("input").loc["ones", "verdict"] == "accurate"


def test_a_warning_that_is_an_error_at_a_boundary_point_is_not_the_gradients():
    def logarithm(g, x):
        warnings.warn("x is 0", RuntimeWarning, stacklevel=2) if not x.all() else None
        return 2 * g * x

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = check_gradient(lambda x: x * x, (X,), vjp=logarithm, boundary=["zeros"])
    assert found.passed
    assert "not taken: RuntimeWarning: x is 0" in set(found.rows["diagnosis"])


def test_what_the_forward_raises_beside_the_given_point_is_no_news():
    def forward(x):
        if not np.all(x):
            raise ValueError("zeros are not in the domain")
        return 1 / x

    found = check_gradient(forward, (X,), vjp=lambda g, x: -g / x**2, boundary=["zeros"])
    assert found.passed
    assert found.notes == ()


# -- modules that keep state ------------------------------------------------------------------------------


class Moving(torch.nn.Module):
    """A forward that moves a buffer in place, assigns another, and uses both."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(3, dtype=torch.float64))
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x):
        self.calls += 1
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
        return (x - self.mean) * self.w * self.calls


@pytest.mark.parametrize(
    "make",
    [
        Moving,
        lambda: torch.nn.BatchNorm1d(3).double(),
        lambda: torch.nn.BatchNorm1d(3, affine=False).double(),
        lambda: torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(3, 2)).double(),
    ],
)
@pytest.mark.parametrize("argnums", [None, 0])
def test_a_modules_buffers_stay_as_they_were_and_each_run_starts_from_them(make, argnums):
    module = make()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    x = torch.tensor(np.array([X, Y, X * Y, Y - X]))
    assert check_gradient(module, (x,), argnums=argnums).passed
    exact_gradient(module, (x,), argnums=argnums)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_a_module_with_keyword_only_arguments_is_a_function_too():
    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(3, 2).double()

        def forward(self, x, *, scale=1.0, **others):
            return self.linear(x) * scale

    found = check_gradient(Scaled(), (torch.tensor(X[None]),), kwargs={"scale": 2.0})
    assert found.passed
    assert list(found.rows["argument"])[-1] == "x"


def test_a_backward_that_overwrites_its_cotangent_has_one_verdict_as_a_case_and_as_a_users():
    from dataclasses import replace

    from harness import Cell, catalogue, examine
    from oracles import NumpyOracle

    def overwriting(g, x):
        g *= 2 * x
        return g

    case = replace(catalogue()["relu"], name="square", function=lambda x: x * x, vjp=overwriting)
    row = examine(case, NumpyOracle(), Cell("square", "ordinary", "float64", "numpy", 0), {})
    (x,), cotangent = case.draw("ordinary", "float64", 0)
    own = check_gradient(case.function, (x,), vjp=overwriting, cotangent=cotangent)
    assert (row.verdict, row.outcome) == ("accurate", "fail")
    assert (own.verdict, own.passed) == ("accurate", False)


def test_what_a_decorator_wraps_is_called_as_the_decorator_is():
    """Its own signature counts, and not that of what it wraps."""

    def elementwise(slope):
        @functools.wraps(slope)
        def backward(g, x):
            return g * slope(x)

        return backward

    assert check_gradient(np.sin, (np.array([0.5, 2.0]),), vjp=elementwise(lambda x: np.cos(x))).passed
