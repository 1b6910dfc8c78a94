"""Rules of the user's own: an operation is proven by what it is said to be, and a lie is found."""

import ctypes
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import torch
from jax.extend.core import Primitive
from jax.interpreters import ad, mlir

from harness import check_gradient, register_rule
from harness.verdicts import Verdict
from oracles.exact.program import registered

X = np.array([0.5, -1.25, 1.5])


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(registered, "_definitions", {})


# -- NumPy ------------------------------------------------------------------------------------------------


def legendre(x):
    return scipy.special.lpmv(0, 2, x)


def legendre_vjp(g, x):
    return g * 3 * x


def test_a_ufunc_of_scipy():
    x = np.array([0.5, 0.25, -0.75])
    before = check_gradient(legendre, (x,), vjp=legendre_vjp)
    assert before.verdict is Verdict.UNSUPPORTED
    assert "gradproof.register_rule" in before.diagnosis or "has no rule" in before.diagnosis
    register_rule(scipy.special.lpmv, lambda order, degree, x: (3 * x * x - 1) / 2)
    assert check_gradient(legendre, (x,), vjp=legendre_vjp).passed
    assert check_gradient(legendre, (x,), vjp=lambda g, x: g * 2 * x).verdict is Verdict.WRONG


def test_a_function_of_numpy():
    def sorted_once(x):
        return np.unique(x) * x

    def vjp(g, x):
        return 2 * g * x

    x = np.sort(X)
    assert check_gradient(sorted_once, (x,), vjp=vjp).verdict is Verdict.UNSUPPORTED
    register_rule(np.unique, lambda x: 1.0 * x)
    assert check_gradient(sorted_once, (x,), vjp=vjp).passed


# -- JAX --------------------------------------------------------------------------------------------------


def new_primitive(name):
    """x sinh(x) as a primitive that nobody knows, and whose `impl` JAX cannot trace."""
    p = Primitive(name)
    p.def_impl(lambda x, *, scale: jnp.asarray(scale * np.asarray(x) * np.sinh(np.asarray(x))))
    p.def_abstract_eval(lambda x, *, scale: jax.core.ShapedArray(x.shape, x.dtype))
    mlir.register_lowering(
        p, mlir.lower_fun(lambda x, *, scale: scale * x * jnp.sinh(x), multiple_results=False)
    )
    ad.defjvp(p, lambda t, x, *, scale: scale * t * (jnp.sinh(x) + x * jnp.cosh(x)))
    return p


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_primitive_of_jax(dtype):
    p = new_primitive(f"xsinh_{dtype}")
    with jax.enable_x64(True):
        x = jnp.asarray(X, dtype)

    def f(x):
        return jnp.exp(p.bind(x, scale=2.0))

    before = check_gradient(f, (x,))
    assert before.verdict is Verdict.UNSUPPORTED
    assert before.diagnosis.startswith(
        f"JAX's primitive xsinh_{dtype} has no rule: say what it computes with "
    )
    register_rule(p, lambda x, *, scale: scale * x * jnp.sinh(x))
    assert check_gradient(f, (x,)).passed


def test_a_primitive_that_is_said_to_be_another_function_accuses_nobody():
    p = new_primitive("xsinh_lie")
    register_rule(p, lambda x, *, scale: scale * x * jnp.cosh(x))
    with jax.enable_x64(True):
        x = jnp.asarray(X)
        found = check_gradient(lambda x: p.bind(x, scale=2.0), (x,))
    assert found.verdict is Verdict.UNDECIDED
    assert "not the function that it is taken for" in str(found)


class Vectorized:
    """As numba's: no ufunc, but called as one."""

    nin, nout, __name__ = 1, 1, "cubed"

    def __call__(self, x):
        return x.__array_ufunc__(self, "__call__", x) if hasattr(x, "tape") else x**3


def test_what_a_compiler_has_vectorized():
    cubed = Vectorized()
    before = check_gradient(cubed, (X,), vjp=lambda g, x: 3 * g * x**2)
    assert "the compiled function cubed has no rule: say what it computes with" in before.diagnosis
    register_rule(cubed, lambda x: x * x * x)
    assert check_gradient(cubed, (X,), vjp=lambda g, x: 3 * g * x**2).passed


# -- torch ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def operator():
    """x sinh(x), compiled for all that the recording can see."""

    @torch.library.custom_op("gradprooftest::xsinh", mutates_args=())
    def xsinh(x: torch.Tensor, scale: float) -> torch.Tensor:
        result = torch.empty_like(x)
        from_, into = ((ctypes.c_double * x.numel()).from_address(t.data_ptr()) for t in (x, result))
        into[:] = [scale * number * math.sinh(number) for number in from_]
        return result

    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * ctx.scale * (x.sinh() + x * x.cosh()), None

    def keep(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.scale = inputs[1]

    xsinh.register_autograd(backward, setup_context=keep)
    return xsinh


def test_an_operator_of_torch(operator):
    x = torch.tensor(X)

    def f(x):
        return operator(x, 2.0).exp()

    before = check_gradient(f, (x,))
    assert before.verdict is Verdict.UNSUPPORTED
    assert "gradproof.register_rule" in before.diagnosis
    register_rule(operator, lambda x, scale: scale * x * x.sinh())
    assert check_gradient(f, (x,)).passed, str(check_gradient(f, (x,)))


def test_an_operator_that_is_said_to_be_another_function_accuses_nobody(operator):
    register_rule(operator, lambda x, scale: scale * x * x.cosh())
    found = check_gradient(lambda x: operator(x, 2.0), (torch.tensor(X),))
    assert found.verdict is Verdict.UNDECIDED
    assert "not the function that it is taken for" in str(found)


def test_a_definition_may_be_of_composite_operators(operator):
    register_rule(
        operator, lambda x, scale: scale * (x * x.sinh()).float().double().reshape(1, -1).squeeze(0)
    )
    found = check_gradient(lambda x: operator(x, 2.0), (torch.tensor(X, dtype=torch.float32).double(),))
    assert found.passed, str(found)


def test_a_rule_may_branch_on_what_is_certain(operator):
    register_rule(operator, lambda x, scale: scale * x * x.sinh() if x.sum() > 0 else 0 * x)
    assert check_gradient(lambda x: operator(x, 2.0), (torch.tensor(X),)).passed


# -- what cannot be registered ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "definition", "said"),
    [
        (lambda x: x, lambda x: x, "is no operation that can have a rule: pass a function or ufunc of NumPy"),
        ("sinh", lambda x: x, "'sinh' is no operation that can have a rule"),
        (np.unique, 3, "definition is an int; it is a function"),
    ],
    ids=["the user's", "a name", "no function"],
)
def test_what_has_no_rule_to_give_says_what_has(operation, definition, said):
    with pytest.raises(ValueError, match=said):
        register_rule(operation, definition)


@pytest.mark.parametrize(
    "operation",
    [
        np.tanh, np.add, np.isnan, np.sum, np.linalg.solve, np.concatenate, np.where, np.shape,
        scipy.special.erf, jax.lax.tanh_p, jax.lax.dot_general_p, torch.ops.aten.tanh,
        torch.ops.aten.mul, torch.ops.aten.mul_, torch.ops.aten.linear, torch.ops.aten.add.Tensor,
    ],
    ids=lambda one: getattr(one, "__name__", None) or str(one),
)  # fmt: skip
def test_an_operation_that_has_a_rule_keeps_it(operation):
    with pytest.raises(ValueError, match=r"operation must be one without a rule, got .*, which has one: "):
        register_rule(operation, lambda x: 0 * x)


def test_what_is_said_of_a_function_of_scipy_in_python_comes_before_its_rule():
    register_rule(scipy.special.log_softmax, lambda x: 1.0 * x)
    found = check_gradient(scipy.special.log_softmax, (X,), vjp=lambda g, x: g)
    assert found.verdict is Verdict.UNDECIDED, "it is said to be another function"


def test_a_rule_is_given_once():
    register_rule(np.unique, lambda x: x)
    with pytest.raises(ValueError, match="is registered already; a rule is given once"):
        register_rule(np.unique, lambda x: x)
