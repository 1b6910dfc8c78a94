"""What a result says: the reason first, then few numbers; lines of the user; what can be done without us."""

import array
import ctypes
import ctypes.util
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import harness
from oracles.exact.program.user_modules import OURS

X = np.array([0.5, -1.25, 2.0])
T, J = torch.tensor(X), jnp.asarray(X, "float32")
SPEC = "; or pass spec=, a plain function that computes the same"


# -- the order --------------------------------------------------------------------------------------------


def test_the_reason_comes_first_then_the_worst_element_and_three_more():
    x = np.linspace(1, 2, 40)
    found = harness.check_gradient(lambda x: x * x, (x,), vjp=lambda g, x: g * x * (2 + 1e-3 * x))
    title, reason, worst, error, *more = str(found).splitlines()
    assert title == "<lambda>/x [float64, (40,), seed 0]: wrong"
    assert reason.startswith("  the formula gives ")
    assert worst.startswith("  worst element [")
    assert re.match(r"    \S+ ulp off; attainable \S+; \S+ of 53 bits lost \(budget 26\)$", error)
    assert [line[:8] for line in more] == ["  next ["] * 3


def test_a_fault_is_a_reason():
    def vjp(g, x):
        g *= 2 * x
        return g

    title, reason, worst, *_ = str(harness.check_gradient(lambda x: x * x, (X,), vjp=vjp)).splitlines()
    assert title.endswith("accurate, but the check fails")
    assert reason == "  the cotangent was overwritten: a gradient must leave its arguments alone"
    assert worst.startswith("  worst element")


def test_a_reason_of_several_arguments_is_said_once():
    found = harness.check_gradient(lambda x, y: x * y, (X, X), vjp=lambda g, x, y: (1.1 * g * y, 1.1 * g * x))
    assert [part.verdict for part in found.parts[:2]] == ["wrong", "wrong"]
    assert str(found).count("the formula gives") == 1


@pytest.mark.parametrize(
    ("vjp", "said"),
    [
        (lambda g, x, y: g * y, "1 gradient for 2 differentiated arguments: return one for each of x, y"),
        (
            lambda g, x, y: {"x": g * y, "yy": g * x},
            "a dictionary with the keys 'x', 'yy'; the arguments are x, y",
        ),
    ],
    ids=["one array", "a mistyped key"],
)
@pytest.mark.parametrize("size", [2, 3])
def test_too_few_gradients_are_said_once_and_no_row_is_without_a_reason(vjp, said, size):
    """One array of two numbers for two arrays of two is one gradient, not a number for each of them."""
    found = harness.check_gradient(lambda x, y: x * y, (X[:size], X[:size]), vjp=vjp)
    first, reason, second, again = str(found).splitlines()
    assert (first[-5:], second[-5:], again) == ("wrong", "wrong", "  as above")
    assert said in reason


@pytest.mark.parametrize("framework", ["numpy", "jax", "torch"])
@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["y"], "a dictionary with the keys 'y'"),
        (["x", "y"], "a dictionary with the keys 'x', 'y'"),
        ([], "an empty dictionary"),
    ],
)
@pytest.mark.parametrize("own", ["x", "p['w']"])
def test_a_dictionary_of_other_names_is_said_for_one_argument_too(framework, names, said, own):
    x = {"numpy": np.array, "jax": jnp.array, "torch": torch.tensor}[framework]([0.5, 1.5])
    if own == "x":
        found = harness.check_gradient(lambda x: 2 * x, (x,), vjp=lambda g, x: dict.fromkeys(names, 2 * g))
    else:
        found = harness.check_gradient(
            lambda p: 2 * p["w"], ({"w": x},), vjp=lambda g, p: dict.fromkeys(names, 2 * g)
        )
    assert found.verdict == "wrong"
    assert str(found).splitlines()[1] == f"  the backward returns {said}; the arguments are {own}"


class Square:
    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, dout):
        return 2 * self.x * dout


ALONG = {
    "NumPy": lambda g: harness.check_gradient(np.sin, (X,), vjp=lambda g, x: g * np.cos(x), cotangent=g),
    "JAX": lambda g: harness.check_gradient(jnp.sin, (J,), cotangent=g),
    "torch": lambda g: harness.check_gradient(torch.sin, (T,), cotangent=g),
    "a layer": lambda g: harness.check_layer(Square(), X, cotangent=g),
}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("check", ALONG.values(), ids=ALONG)
def test_a_cotangent_that_is_not_finite_is_called_so(check, bad):
    found = check(np.array([1, bad, 1]))
    assert found.verdict == "unsupported"
    assert found.diagnosis.startswith(f"the cotangent must be finite, got {bad} in float")
    assert found.diagnosis.endswith(" at (1,)")


def test_tangents_and_one_of_several_cotangents_that_are_not_finite_are_called_so():
    bad = np.array([1, np.nan, 1])
    with pytest.raises(
        harness.Unsupported, match=r"the tangent must be finite, got nan in float64 at \(1,\)"
    ):
        harness.exact_gradient(np.sin, (X,), tangents=bad, mode="forward")
    with pytest.raises(harness.Unsupported, match="cotangent 1 must be finite, got nan"):
        harness.exact_gradient(lambda x: (x, x * x), (X,), cotangent=(X, bad))


@pytest.mark.parametrize("check", ALONG.values(), ids=ALONG)
def test_a_cotangent_that_is_a_dictionary_is_called_so(check):
    with pytest.raises(ValueError, match=r"the cotangent must be an array, got a dictionary of \['a'\]"):
        check({"a": 1.0})


@pytest.mark.parametrize("args", [(X, X), (0.5, 0.25)], ids=["arrays", "numbers"])
def test_a_stack_of_gradients_is_one_for_each(args):
    found = harness.check_gradient(
        lambda x, y: x * y, args, vjp=lambda g, x, y: np.array([g * y, g * x]), probes=False
    )
    assert found.passed, str(found)


def negated(x):
    return -x


def test_numbers_where_an_array_is_meant_are_said():
    def vjp(g, x):
        return -g

    with pytest.raises(ValueError, match=r"args must be a tuple of 1 argument, got 2 numbers: .*np.array"):
        harness.check_gradient(negated, [0.5, 1.5], vjp=vjp)
    with pytest.raises(ValueError, match="args must be a tuple of 1 argument"):
        harness.check_gradient(np.sin, [0.5, 1.5], vjp=vjp)
    with pytest.raises(
        TypeError, match=r"argument 0 \(x\) is a list of numbers; for an array pass np.array\(x\)"
    ):
        harness.check_gradient(negated, ([0.5, 1.5],), vjp=vjp)


def test_a_gradient_without_a_place_for_the_cotangent_is_said():
    with pytest.raises(
        ValueError, match=r"vjp is called as <lambda>\(cotangent, x\), and it takes \(y\); .*grad="
    ):
        harness.check_gradient(negated, (X,), vjp=lambda y: -y)
    with pytest.raises(ValueError, match=r"grad is called as <lambda>\(x\), and it takes \(g, y\): .*vjp="):
        harness.check_gradient(lambda x: np.sum(x), (X,), grad=lambda g, y: g)


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, g):
        return 2 * g


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            lambda: harness.check_gradient(Doubled, (T,)),
            "f must be a function, got the class Doubled: pass Doubled.apply",
        ),
        (
            lambda: harness.check_gradient(torch.nn.ReLU, (T,)),
            "f must be a module, got the class ReLU: pass ReLU(...)",
        ),
        (
            lambda: harness.check_layer(torch.nn.ReLU(), X),
            "check_gradient(module, (x,)) takes a torch module",
        ),
        (
            lambda: harness.check_gradient(jnp.sin, J),
            "args must be a tuple of arguments, got a JAX array: pass (x,)",
        ),
        (lambda: harness.check_gradient(torch.sin, (T.int(),)), "pass argument 0 as x.double()"),
        (lambda: harness.check_gradient(jnp.sin, (J.astype(int),)), "pass argument 0 as x.astype(float)"),
        (lambda: harness.check_gradient(negated, (3,), vjp=lambda g, x: -g), "pass argument 0 as 3.0"),
        (lambda: harness.check_gradient(torch.sin, (T,), seconds=0), "seconds must be a number > 0, got 0"),
        (lambda: harness.exact_gradient(torch.sin, (T,), seconds=0), "seconds must be a number > 0, got 0"),
        (
            lambda: harness.exact_gradient(torch.sin, (T,), tangents=X),
            "tangents must come with mode=\"forward\" and no cotangent, got mode='reverse'",
        ),
    ],
)
def test_a_usual_mistake_gets_what_to_write(ask, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        ask()


def test_where_torch_gives_no_gradient_what_cuts_it_off_is_asked():
    found = str(harness.check_gradient(lambda x: 2 * x.detach(), (T,)))
    assert (
        "the function may cut it off (detach, no_grad, numpy()); if the function does not depend on it"
        in found
    )


def test_objects_say_what_to_write():
    twice = np.frompyfunc(lambda v: 2 * v, 1, 1)
    found = harness.check_gradient(lambda x: np.array(twice(x)), (X,), vjp=lambda g, x: 2 * g)
    assert "np.vectorize(..., otypes=[float])" in str(found)


def test_what_is_not_proven_lists_no_further_elements():
    def vjp(g, x):
        try:
            return g * np.cos(array.array("d", x)[0])
        except Exception:
            return g * np.cos(x)

    found = harness.check_gradient(np.sin, (np.ones(5),), vjp=vjp)
    assert found.verdict == "undecided"
    assert found.worst.more
    assert "next [" not in str(found)


def test_of_a_right_gradient_every_argument_has_a_line():
    def affine_vjp(g, x, w, b):
        return g @ w.T, x.T @ g, g.sum(0)

    args = (np.ones((2, 3)), np.full((3, 2), 0.7), np.ones(2))
    for more in ({}, {"boundary": ["zeros"]}):
        found = harness.check_gradient(lambda x, w, b: x @ w + b, args, vjp=affine_vjp, **more)
        said = [line for line in str(found).splitlines() if not line.startswith(" ")]
        assert sorted(re.match(r"affine_vjp/(\w)", line)[1] for line in said) == ["b", "w", "x"]
        assert all(": accurate" in line for line in said)
    assert re.fullmatch(r"affine_vjp/b \[float64, \(2,\), .*\]: accurate, 0\.0 of 53 bits lost", said[-1])


# -- places, and what to do -------------------------------------------------------------------------------


def through_ctypes(x):
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    library.sin.restype, library.sin.argtypes = ctypes.c_double, [ctypes.c_double]
    return np.array([library.sin(v) for v in x])


def by_pointer(x):
    return x * x.ctypes.data_as(ctypes.POINTER(ctypes.c_double))[0]


class Opaque(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.tensor(np.sin(x.detach().tolist()), dtype=x.dtype)

    @staticmethod
    def backward(ctx, g):
        return g * torch.cos(ctx.saved_tensors[0])


def by_pointers(x, result):
    """The sine, as compiled code would fill memory."""
    from_, into = ((ctypes.c_double * t.numel()).from_address(t.data_ptr()) for t in (x, result))
    into[:] = [math.sin(number) for number in from_]
    return result


LIBRARY = torch.library.Library("gradproof_tests", "DEF")  # `custom_op` does the same, and loads the compiler
LIBRARY.define("sine(Tensor x) -> Tensor")
LIBRARY.impl("sine", lambda x: by_pointers(x, torch.empty_like(x)), "CPU")


class Custom(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.ops.gradproof_tests.sine(x.detach())

    @staticmethod
    def backward(ctx, g):
        return g * torch.cos(ctx.saved_tensors[0])


@jax.custom_vjp
def called_back(x):
    return jax.pure_callback(lambda x: jnp.sin(x), x, x)


called_back.defvjp(lambda x: (called_back(x), x), lambda x, g: (g * jnp.cos(x),))

# What cannot be looked into, and for which a plain function can stand.
KERNELS = {
    "ctypes": (through_ctypes, X, "float() would take"),
    "a pointer": (by_pointer, X, "no attribute ctypes"),
    "no rule of NumPy": (
        lambda x: np.frexp(x)[0], X, "np.frexp has no rule: say what it computes"),
    "a method of ndarray": (lambda x: np.ndarray.dot(X, x), X, "write X @ w for X.dot(w)"),
    "autograd.Function": (Opaque.apply, T, "the function computes something outside torch"),
    "an operator": (Custom.apply, T, "gradproof_tests.sine has no rule: say what it computes with"),
    "no rule of torch": (torch.special.airy_ai, T, "aten.special_airy_ai has no rule: say what it computes"),
    "callback": (called_back, J, "pure_callback: compiled or other code that is no NumPy: TypeError"),
    "no rule of JAX": (
        lambda x: jax.lax.linalg.schur(jnp.outer(x, x))[0], J, "JAX's primitive schur has no rule: say "),
    "NumPy in JAX": (lambda x: jnp.asarray(np.sin(x)), J, "the function needs numbers while it is traced"),
}  # fmt: skip
# What something else helps against.
OTHERS = {
    "branch": (lambda x: x if x[0] == 0.5 else 2 * x, X),
    "chance": (lambda x: x * np.random.rand(3), X),  # noqa: NPY002
    "torch's chance": (lambda x: x * torch.normal(x, 1.0), T),
    "a torch module": (torch.nn.RReLU(), T),
    "in place": (lambda x: x.mul_(2), T),
    "JAX's chance": (lambda x: x * jax.lax.rng_uniform(x[0], x[2], (3,)), J),
    "complex in JAX": (lambda x: jnp.max(x * (1 + 1j)).real, J),
}
by_hand = {"vjp": lambda g, x: g}


def text_of(f, x, **more):
    return str(harness.check_gradient(f, (x,), probes=[], **(by_hand if x is X else {}), **more))


@pytest.mark.parametrize(("f", "x", "said"), KERNELS.values(), ids=KERNELS)
def test_what_cannot_be_looked_into_is_named_with_spec(f, x, said):
    text = text_of(f, x)
    assert ": unsupported\n  " in text
    assert said in text
    assert SPEC in text
    assert_of_the_users(text)


@pytest.mark.parametrize(("f", "x"), OTHERS.values(), ids=OTHERS)
def test_what_something_else_helps_against_is_not(f, x):
    text = text_of(f, x)
    assert re.search(r": (unsupported|undecided)\n  \w", text)
    assert "spec=" not in text
    assert_of_the_users(text)


def assert_of_the_users(text):
    """No line and no file of ours."""
    assert not any(home in text for home in OURS)
    assert not re.search(
        r"(?<!tests/)\b(harness|oracles)/|\b(target|tested|in_numpy|in_torch|in_jax|trees)\.py", text
    )


@pytest.mark.parametrize("f", [through_ctypes, Opaque.apply, Custom.apply, called_back])
def test_with_spec_it_is_proven_and_spec_is_named_no_more(f):
    x, sine, more = {
        through_ctypes: (X, np.sin, {"vjp": lambda g, x: g * np.cos(x)}),
        called_back: (J, jnp.sin, {}),
    }.get(f, (T, torch.sin, {}))
    found = harness.check_gradient(f, (x,), spec=sine, probes=[], **more)
    assert found.verdict == "accurate"
    assert "spec=" not in str(found)
    wrong = harness.check_gradient(f, (x,), spec=lambda x: 2 * sine(x), probes=[], **more)
    assert not wrong.passed


def test_a_spec_that_cannot_be_looked_into_is_told_of_no_other():
    transform = KERNELS["no rule of NumPy"][0]
    found = harness.check_gradient(np.sin, (X,), spec=transform, **by_hand)
    assert found.verdict == "unsupported"
    assert "spec=" not in str(found)


# -- compilers --------------------------------------------------------------------------------------------


class Dispatcher:
    """As numba's: it compiles at the first call, keeps that, and takes plain arrays alone."""

    __module__ = "numba.core.dispatcher"
    __name__ = "kernel"

    def __init__(self, function):
        self.function, self.compiled = function, {}

    def __call__(self, *args):
        if any(type(a) is not np.ndarray for a in args):
            raise TypeError("can't unbox array from PyObject into native value.")
        if not self.compiled:
            assert not vars(self).get("was_compiled"), "what it compiled was taken away"
            self.was_compiled = True
        return self.compiled.setdefault(args[0].dtype, self.function)(*args)


def test_what_a_compiler_keeps_is_left_alone():
    kernel, backward = Dispatcher(np.sin), Dispatcher(lambda g, x: g * np.cos(x))
    text = str(harness.check_gradient(kernel, (X,), vjp=backward))
    assert "TypeError: can't unbox array from PyObject" in text
    assert SPEC in text
    assert kernel.compiled
    found = harness.check_gradient(lambda x: kernel(x), (X,), vjp=backward, spec=np.sin)
    assert (found.verdict, found.is_examined) == ("accurate", False)
    assert not harness.check_gradient(kernel, (X,), vjp=lambda g, x: 1.01 * backward(g, x), spec=np.sin)


# -- what is said first is true ---------------------------------------------------------------------------


class Sub(torch.Tensor):
    """A user's class of tensors."""


@pytest.mark.parametrize(
    ("f", "more"),
    [
        (lambda x: x * x, {}),
        (lambda x: torch.softmax(x, 0), {}),
        (lambda x: torch.softmax(x, 0), {"framework": "torch"}),
        (lambda x: x * x, {"vjp": lambda g, x: 2 * g * x}),
    ],
)
def test_a_subclass_of_torch_s_tensor_is_torch_s_and_not_known(f, more):
    said = harness.check_gradient(f, (T.as_subclass(Sub),), **more).diagnosis
    home = f"{Sub.__module__}.Sub"
    assert said == (
        f"an argument is a {home}, a subclass of torch.Tensor: not yet; pass x.as_subclass(torch.Tensor)"
    )
    for plain in (torch.nn.Parameter(T), torch.nn.Buffer(T)):
        assert harness.check_gradient(lambda x: x * x, (plain,)).verdict == "accurate"


@pytest.mark.parametrize("more", [{}, {"vjp": lambda g, x: 2 * g * x}])
def test_numpy_s_second_derivatives_are_not_helped_by_a_vjp_that_is_there(more):
    said = harness.check_gradient(lambda x: x * x, (X,), order=2, **more).diagnosis
    assert said.startswith(
        "NumPy does not differentiate a gradient either, so vjp= is checked in reverse mode"
    )
    assert said.endswith("write the function in JAX or torch to check what is beyond")


@pytest.mark.parametrize(
    ("dtype", "near"),
    [(">f8", "float64"), (">f4", "float32"), (">c16", "complex128"), (np.longdouble, "float64")],
)
def test_floating_numbers_that_cannot_be_judged_are_named_with_what_can(dtype, near):
    strange, said = (
        X.astype(dtype),
        rf"must be an array of bfloat16, .*, got {np.dtype(dtype)}: pass ",
    )
    with pytest.raises(ValueError, match=rf'an argument {said}argument 0 as x\.astype\("{near}"\)'):
        harness.check_gradient(lambda x: x * x, (strange,), **by_hand)
    with pytest.raises(ValueError, match=rf'argument 1 {said}x\.astype\("{near}"\), or name'):
        harness.check_gradient(lambda x, y: x * y, (X, strange), vjp=lambda g, x, y: g * y)


def test_beside_argnums_they_are_constants():
    found = harness.check_gradient(
        lambda x, y: x * y.astype("f8"), (X, X.astype(">f8")), vjp=lambda g, x, y: g * y, argnums=0
    )
    assert found.passed


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            lambda: harness.check_gradient(np.sin, (X,), {"a": 1}),
            "must be f, args, got 3: .* such as kwargs=",
        ),
        (lambda: harness.assert_gradient(np.sin, (X,), {"a": 1}), "must be f, args, got 3: .* kwargs="),
        (lambda: harness.exact_gradient(np.sin, (X,), {}), "must be f, args, got 3: .* kwargs="),
        (lambda: harness.check_layer(None, X, None, 5), "must be layer, x, t, got 4: .* such as spec="),
        (lambda: harness.check_network(None, X, None, 5), "must be net, x, t, got 4: .* such as spec="),
    ],
)
def test_what_has_a_name_is_not_given_by_position(ask, said):
    with pytest.raises(TypeError, match=f"positional arguments {said}"):
        ask()


def test_what_a_function_returns_that_has_no_gradient_is_said_of_the_function():
    def nothing(x):
        return None

    said = harness.check_gradient(nothing, (X,), **by_hand).diagnosis
    assert said.startswith(
        "nothing returns None, which has no gradient (not a zero one): return floating arrays"
    )


@pytest.mark.parametrize(("name", "said"), [
    ("atol", "bits_lost= sets how many bits"), ("rtol", "bits_lost="),
    ("eps", "nothing is computed by differences"), ("fast_mode", "every element is compared"),
    ("modes", 'mode="forward"'), ("raise_exception", "assert_gradient"), ("boundry", "boundary"),
])  # fmt: skip
def test_what_users_of_other_checkers_bring_is_answered(name, said):
    with pytest.raises(TypeError, match=f"there is no argument '{name}'; .*{said}"):
        harness.check_gradient(lambda x: x * x, (X,), **by_hand, **{name: 1e-3})


def test_a_check_inside_a_checked_function_is_said_to_be_one():
    def nested(x):
        harness.check_gradient(lambda y: y * y, (x,), vjp=lambda g, y: 2 * g * y)
        return x * x

    found = harness.check_gradient(nested, (X,), **by_hand)
    assert "a check inside a checked function: take it out" in found.diagnosis
